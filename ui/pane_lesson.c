/*
 * pane_lesson: one lesson. A small program runs under the tracer, and the answers to the questions
 * are found in its capture. Its events are in the list below.
 */
#include "ui/pane_lesson.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "base/wrap.h"
#include "model/lesson.h"
#include "model/own.h"
#include "ui/area.h"
#include "ui/lesson_steps.h"
#include "ui/pane_host.h"
#include "ui/prompt.h"

enum { TRIES = 3 };

struct lesson_pane {
	struct pane pane;
	const struct lesson *lesson;
	size_t step;
	bool answered, hint, failed, on_second, running;
	char answer[100]; /* the answer, as the user typed it */
	struct strbuf truth, after;
	char said[200];   /* "no, look again" */
	int top;          /* the program scrolls */
	unsigned n_wrong; /* answers to this step */
};

static struct err *open_lesson(const struct pane_host *host, struct pane **ret)
{
	struct lesson_pane *l = calloc(1, sizeof(*l));
	if (!l)
		return err_no_memory();
	*ret = &l->pane;
	return NULL;
}

static void close_lesson(struct pane *p)
{
	struct lesson_pane *l = (struct lesson_pane *)p;
	strbuf_fini(&l->truth);
	strbuf_fini(&l->after);
	free(l);
}

static void run_program(struct lesson_pane *l, bool second)
{
	const struct pane_host *host = l->pane.host;
	const struct app_start_ops *ops = host->start;
	struct app_source source = { .terminal_fd = -1 };
	if (!ops || !ops->run) {
		host_flash(host,
			   tr("programs cannot be run here: auditview lesson %d holds it as text"),
			   l->lesson->number);
		l->failed = true;
		return;
	}
	struct err *err = ops->run(host->start_ctx, NULL,
				   second ? l->lesson->second_program : l->lesson->program,
				   &source);
	if (!err)
		err = host_open_source(host, &source, SESSION_OF_LESSON);
	l->failed = err != NULL;
	l->on_second = second;
	l->running = !l->failed;
	if (err)
		host_flash_err(host, err);
	else
		host_follow(host, false);
}

static void begin_step(struct lesson_pane *l, size_t step)
{
	l->step = step;
	l->answered = l->hint = false;
	l->answer[0] = l->said[0] = 0;
	l->top = 0;
	l->n_wrong = 0;
	strbuf_clear(&l->truth);
	strbuf_clear(&l->after);
	const struct lesson_step *s = &l->lesson->steps[step];
	if (s->is_on_second != l->on_second && l->lesson->second_program)
		run_program(l, s->is_on_second);
	else if (l->pane.host->view)
		host_set_filter(l->pane.host, "", false);
}

void pane_lesson_begin(const struct pane_host *host, int number)
{
	const struct lesson *lesson = lesson_find(number);
	if (!lesson) {
		host_flash(host, tr("there is no lesson %d: there are 1 to %zu"), number,
			   n_lessons);
		return;
	}
	struct lesson_pane *l = (struct lesson_pane *)host_pane(host, PANE_LESSON);
	if (!l)
		return;
	l->lesson = lesson;
	l->on_second = false;
	unsigned done = host->no_config ? 0 : lesson_steps_done(number);
	run_program(l, false);
	begin_step(l, done < lesson->n_steps ? done : 0);
	host_open_page(host, PANE_LESSON);
}

/* Has the program ended, so that its capture is complete? */
static bool is_ready(const struct lesson_pane *l)
{
	return !l->failed && l->pane.host->view && l->pane.host->view->finished;
}

static void find_truth(struct lesson_pane *l)
{
	struct trace *t = l->pane.host->view->trace;
	struct own own = { 0 };
	strbuf_clear(&l->truth);
	struct err *err = own_make(t, &own);
	if (!err)
		err = lesson_truth(&l->lesson->steps[l->step], t, &own, &l->truth);
	if (err) {
		snprintf(l->said, sizeof(l->said), "%s", err->message);
		err_destroy(err);
	}
	own_fini(&own);
}

/* The list shows also what Python does before and after the program. Such a count is right, too,
 * and is explained. */
static bool is_right_with_startup(struct lesson_pane *l, const char *answer)
{
	const struct lesson_step *s = &l->lesson->steps[l->step];
	struct strbuf all = { 0 };
	if (s->kind != LESSON_NUMBER)
		return false;
	struct err *err = lesson_truth_of_all(s, l->pane.host->view->trace, &all);
	bool right = !err && lesson_is_right(s, strbuf_str(&all), answer);
	err_destroy(err);
	if (right)
		snprintf(
		    l->said, sizeof(l->said),
		    tr("Right: the list shows %s, of which the program caused %s; Python's own "
		       "start and end are the others."),
		    strbuf_str(&all), strbuf_str(&l->truth));
	strbuf_fini(&all);
	return right;
}

/* Show the answer; the step is not counted as completed. */
static void tell_truth(struct lesson_pane *l)
{
	if (!l->truth.n)
		find_truth(l);
	l->answered = true;
	l->said[0] = 0;
	if (l->lesson->steps[l->step].kind != LESSON_GUESS)
		snprintf(l->said, sizeof(l->said), tr("It is %s."),
			 lesson_truth_shown(&l->lesson->steps[l->step], strbuf_str(&l->truth)));
	snprintf(l->answer, sizeof(l->answer), "%s",
		 lesson_truth_shown(&l->lesson->steps[l->step], strbuf_str(&l->truth)));
	strbuf_clear(&l->after);
	lesson_after(&l->after, &l->lesson->steps[l->step], strbuf_str(&l->truth));
}

static bool is_guess(const struct lesson_pane *l)
{
	return l->lesson->steps[l->step].kind == LESSON_GUESS;
}

static bool answer_accept(const struct pane_host *host, const char *text)
{
	struct lesson_pane *l = (struct lesson_pane *)host_pane(host, PANE_LESSON);
	if (!l || !l->lesson)
		return true;
	const struct lesson_step *s = &l->lesson->steps[l->step];
	if (!is_ready(l)) {
		host_flash(host, tr("the program is still running"));
		return false;
	}
	if (!*text) /* not answered yet */
		return true;
	if (is_guess(l) && strspn(text, "0123456789") != strlen(text)) {
		host_flash(host, tr("expected a number"));
		return false;
	}
	snprintf(l->answer, sizeof(l->answer), "%s", text);
	if (!l->truth.n)
		find_truth(l);
	l->said[0] = 0;
	if (s->kind != LESSON_GUESS && !lesson_is_right(s, strbuf_str(&l->truth), text) &&
	    !is_right_with_startup(l, text)) {
		if (++l->n_wrong >= TRIES)
			tell_truth(l);
		else
			snprintf(l->said, sizeof(l->said),
				 tr("No. h gives a hint, f filters the events below, → tells the "
				    "answer."));
		return true;
	}
	if (s->kind != LESSON_GUESS && !l->said[0])
		snprintf(l->said, sizeof(l->said), "%s", tr("Right."));
	l->answered = true;
	strbuf_clear(&l->after);
	lesson_after(&l->after, s, strbuf_str(&l->truth));
	if (!host->no_config)
		lesson_steps_set(l->lesson->number, (unsigned)l->step + 1);
	if (s->filter)
		host_set_filter(host, s->filter, true);
	return true;
}

static const struct prompt_ops answer_prompt = { .label = N_("your answer: "),
						 .history = -1,
						 .accept = answer_accept };
static const struct prompt_ops guess_prompt = { .label = N_("your guess: "),
						.history = -1,
						.accept = answer_accept };

static void update_lesson(struct pane *p, unsigned changes)
{
	struct lesson_pane *l = (struct lesson_pane *)p;
	if (l->running && is_ready(l)) {
		l->running = false;
		host_redraw(p->host);
	}
}

static int put_text(struct area a, int y, int indent, enum role role, const char *text)
{
	struct strbuf b = { 0 };
	wrap_add(&b, text, 0,
		 (unsigned)(a.n_columns - indent - 2 > 20 ? a.n_columns - indent - 2 : 20));
	for (const char *p = strbuf_str(&b); *p; y++) {
		size_t n = strcspn(p, "\n");
		area_put_n(a, y, indent, -1, role, p, n);
		p += n + (p[n] == '\n');
	}
	strbuf_fini(&b);
	return y;
}

/* The guess beside the truth, on one scale. Returns the line after it. */
static int draw_guess(const struct lesson_pane *l, struct area a, int y)
{
	double guess = atof(l->answer), truth = atof(strbuf_str(&l->truth));
	double most = guess > truth ? guess : truth;
	int width = a.n_columns - 12, at_guess = most > 0 ? (int)(guess / most * (width - 1)) : 0,
	    at_truth = most > 0 ? (int)(truth / most * (width - 1)) : 0;
	struct strbuf b = { 0 };
	strbuf_addf(&b, tr("%.0f you said"), guess);
	area_put(a, y, 5 + (at_guess < width - 14 ? at_guess : width - 14), -1, ROLE_DIM,
		 strbuf_str(&b));
	strbuf_clear(&b);
	strbuf_addf(&b, truth == 1 ? tr("%s event") : tr("%s events"), strbuf_str(&l->truth));
	int x = 5 + (at_truth < width - 12 ? at_truth : width - 12);
	area_put(a, abs(at_truth - at_guess) < 26 ? y + 2 : y, x, -1, ROLE_FOCUS, strbuf_str(&b));
	strbuf_fini(&b);
	area_fill(a, y + 1, 5, width, ROLE_DIM, "─");
	area_put(a, y + 1, 5, 1, ROLE_DIM, "├");
	area_put(a, y + 1, 4 + width, 1, ROLE_DIM, "┤");
	area_put(a, y + 1, 5 + at_guess, 1, ROLE_FOCUS, "┼");
	area_put(a, y + 1, 5 + at_truth, 1, ROLE_FOCUS, "┼");
	return y + 3;
}

/* What a lesson says is drawn twice, first above the area, where nothing is seen, to measure it. */
#define NOWHERE (-100000)

/* The task and the question, or what came of it. Returns the line after it. */
static int draw_question(const struct lesson_pane *l, struct area a, int y, bool with_text)
{
	const struct lesson_step *s = &l->lesson->steps[l->step];
	if (with_text)
		y = put_text(a, y, 1, ROLE_TEXT, tr(s->text)) + 1;
	if (l->failed)
		return put_text(a, y, 1, ROLE_TROUBLE,
				tr("the program could not be run; r tries again"));
	if (!is_ready(l))
		return put_text(a, y, 1, ROLE_DIM, tr("it is running; its events come in below"));
	y = put_text(a, y, 1, ROLE_TEXT, tr(s->question));
	if (l->answered && s->kind == LESSON_GUESS) {
		y = draw_guess(l, a, y);
	} else if (l->answer[0]) {
		area_put(a, y, 5, -1, ROLE_FOCUS, l->answer);
		y++;
	}
	if (l->said[0])
		y = put_text(a, y, 1, ROLE_TEXT, l->said);
	else if (!l->answered)
		y = put_text(a, y, 1, ROLE_DIM,
			     is_guess(l) ? tr("type a number, then Enter")
					 : tr("Enter, then your answer"));
	if (l->answered)
		y = put_text(a, y, 1, ROLE_TEXT, strbuf_str(&l->after));
	else if (l->hint && s->hint)
		y = put_text(a, y, 1, ROLE_DIM, tr(s->hint));
	return y;
}

/* What the lesson is about, and its program. Returns the line after it. */
static int draw_program(const struct lesson_pane *l, struct area a, int y)
{
	const char *program = l->on_second ? l->lesson->second_program : l->lesson->program;
	if (l->step == 0 && !l->answered)
		y = put_text(a, y, 1, ROLE_DIM, tr(l->lesson->about)) + 1;
	for (const char *q = program; *q; y++) {
		size_t n = strcspn(q, "\n");
		area_put_n(a, y, 5, -1, ROLE_FOCUS, q, n);
		q += n + (q[n] == '\n');
	}
	return y;
}

/* The question is always on the screen; the program gets the lines that are left, and scrolls. */
static void draw_lesson(const struct pane *p, struct area a)
{
	const struct lesson_pane *l = (const struct lesson_pane *)p;
	if (!l->lesson) {
		area_put(a, 1, 2, -1, ROLE_DIM, tr("no lesson was chosen; :lessons lists them"));
		return;
	}
	int n_program = draw_program(l, a, NOWHERE) - NOWHERE;
	int n_question = draw_question(l, a, NOWHERE, true) - NOWHERE;
	bool with_text = n_question <= a.n_lines;
	if (!with_text) /* it was read before the question was answered */
		n_question = draw_question(l, a, NOWHERE, false) - NOWHERE;
	int room = a.n_lines - n_question - 1;
	if (room > n_program)
		room = n_program;
	if (room > 0) {
		int most = n_program - room, top = l->top < most ? l->top : most;
		draw_program(l, area_sub(a, 0, 0, room, a.n_columns), -top);
		if (top < most)
			area_printf(a, room, 5, -1, ROLE_DIM,
				    most - top == 1 ? tr("… PgDn: %d more line of the program")
						    : tr("… PgDn: %d more lines of the program"),
				    most - top);
		else if (most > 0)
			area_put(a, room, 5, -1, ROLE_DIM, tr("… PgUp: the lines above"));
	}
	draw_question(l, a, room > 0 ? room + 1 : 0, with_text);
}

/* A number that is typed where one is asked for is the answer, not a count before a key. */
static bool key_lesson(struct pane *p, int key)
{
	const struct lesson_pane *l = (const struct lesson_pane *)p;
	char text[2] = { (char)key };
	if (key < '0' || key > '9' || !l->lesson || l->answered || !is_guess(l) || !is_ready(l))
		return false;
	host_ask(p->host, &guess_prompt, text);
	return true;
}

static bool act_lesson(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct lesson_pane *l = (struct lesson_pane *)p;
	const struct pane_host *host = p->host;
	struct pane *list;
	if (!l->lesson)
		return false;
	switch ((int)action) {
	case ACTION_OPEN:
		if (!l->answered) {
			if (is_ready(l))
				host_ask(host, is_guess(l) ? &guess_prompt : &answer_prompt, "");
			else
				host_flash(host, tr("the program is still running"));
			return true;
		}
		__attribute__((fallthrough));
	case ACTION_RIGHT:
		if (!l->answered && is_ready(l)) {
			tell_truth(l);
			return true;
		}
		if (l->step + 1 < l->lesson->n_steps) {
			begin_step(l, l->step + 1);
		} else if (lesson_find(l->lesson->number + 1)) {
			host_flash(host, tr("that was lesson %d; the next one is %d, %s"),
				   l->lesson->number, l->lesson->number + 1,
				   tr(lesson_find(l->lesson->number + 1)->title));
			host_close_pages(host, PAGE_ON_TOP);
			host_open_page(host, PANE_LESSONS);
		} else {
			host_flash(host, tr("that was the last lesson"));
			host_close_pages(host, PAGE_ON_TOP);
		}
		return true;
	case ACTION_LEFT:
		if (l->step > 0)
			begin_step(l, l->step - 1);
		return true;
	case ACTION_HINT: l->hint = true; return true;
	case ACTION_TRY: run_program(l, l->on_second); return true;
	case ACTION_PAGE_DOWN:
	case ACTION_PAGE_UP:
		l->top += action == ACTION_PAGE_DOWN ? 5 : -5;
		if (l->top < 0)
			l->top = 0;
		if (l->top > 200)
			l->top = 200;
		host_redraw(host);
		return true;
	case ACTION_DOWN:
	case ACTION_UP:
	case ACTION_TOP:
	case ACTION_BOTTOM:
	case ACTION_FOLD: /* show the events of the lesson below */
		return host->view && (list = host_pane(host, PANE_EVENTS)) &&
		       list->ops->act(list, action, count, text);
	default: return false;
	}
}

static void title_lesson(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct lesson_pane *l = (const struct lesson_pane *)p;
	if (!l->lesson)
		return;
	strbuf_addf(subject, "%d: %s", l->lesson->number, tr(l->lesson->title));
	strbuf_addf(facts, tr("step %zu of %zu"), l->step + 1, l->lesson->n_steps);
}

const struct pane_ops pane_lesson_ops = {
	.open = open_lesson,
	.close = close_lesson,
	.update = update_lesson,
	.draw = draw_lesson,
	.act = act_lesson,
	.key = key_lesson,
	.title = title_lesson,
};
