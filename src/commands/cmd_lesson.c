/*
 * lesson: the lessons as text.
 *
 * The program is run under the tracer first. Then each step says what to look at, asks a question,
 * and compares the answer with the capture of that run. At the end of standard input the answers
 * are printed without asking.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/say.h"
#include "base/strbuf.h"
#include "base/tr.h"
#include "base/utf8.h"
#include "base/wrap.h"
#include "command.h"
#include "commands/pythons.h"
#include "commands/show.h"
#include "commands/try_run.h"
#include "model/lesson.h"
#include "model/trace.h"

#define WIDTH_MAX      90
#define RUN_TIMEOUT_NS 60000000000ull
#define ANSWER_BYTES   256
#define TRIES          3

struct class_room {
	const struct options *o;
	const struct lesson *lesson;
	struct try_result runs[2];
	size_t n_runs;
	unsigned width;
	bool is_asking;  /* the user answers */
	bool is_left;    /* the user wants to stop */
	size_t n_unlike; /* results that differ from what the lesson says of every Python */
};

static void say_wrapped(const struct class_room *room, unsigned indent, const char *text)
{
	struct strbuf line = { 0 };

	wrap_add(&line, text, indent, room->width);
	say_text(&line);
	strbuf_fini(&line);
}

static void show_program(const char *title, const char *text)
{
	unsigned line = 1;

	say("%s\n\n", title);
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n)
			say("%5u  %.*s\n", line++, (int)n, text);
		else
			say("%5u\n", line++);
		text += n + (text[n] == '\n');
	}
	say("\n");
}

static struct err *run_programs(struct class_room *room, const struct python_program *python)
{
	const char *programs[] = { room->lesson->program, room->lesson->second_program };

	for (size_t i = 0; i < 2 && programs[i]; i++) {
		struct try_code code = { .text = programs[i],
					 .is_quiet = true,
					 .is_isolated = !room->lesson->module,
					 .timeout_ns = RUN_TIMEOUT_NS };
		struct err *err = try_run(room->o, python, &code, &room->runs[i]);

		if (err)
			return err;
		room->n_runs++;
		if (room->runs[i].has_failed)
			return err_create(ERR_CANCELLED,
					  "the program of the lesson was not recorded to its end");
		if (room->runs[i].status != 0 && room->lesson->module)
			return err_with_hint(
			    err_create(
				ERR_UNSUPPORTED,
				"the lesson cannot be held on CPython %s: it needs the module %s",
				python->version, room->lesson->module),
			    "--python chooses another one");
		if (room->runs[i].status != 0)
			return err_create(
			    ERR_UNSUPPORTED,
			    "the program of the lesson ended with status %d on CPython %s",
			    room->runs[i].status, python->version);
	}
	return NULL;
}

/* Read one line; false at the end of the input. */
static bool read_answer(char *to, size_t cap)
{
	if (!fgets(to, (int)cap, stdin))
		return false;
	to[strcspn(to, "\n")] = '\0';
	return true;
}

static void say_truth(const struct lesson_step *s, const char *truth)
{
	say("    ");
	say(tr("It is %s."), lesson_truth_shown(s, truth));
	say("\n");
}

/* Ask until the answer is right, the user gives up, or no try is left. */
static void ask(struct class_room *room, const struct lesson_step *s, struct try_result *r,
		const char *truth)
{
	char answer[ANSWER_BYTES];
	int tries = TRIES;

	while (room->is_asking) {
		say("    > ");
		say_flush();
		if (!read_answer(answer, sizeof(answer))) {
			say("\n");
			room->is_asking = false;
		} else if (strcmp(answer, "q") == 0) {
			room->is_left = true;
			return;
		} else if (strcmp(answer, "h") == 0) {
			say_wrapped(room, 4, tr(s->hint));
		} else if (strcmp(answer, "s") == 0) {
			struct strbuf list = { 0 };

			try_result_list(&list, r, NULL, room->width);
			say_text(&list);
			strbuf_fini(&list);
		} else if (lesson_is_right(s, truth, answer)) {
			if (s->kind != LESSON_GUESS)
				say("    %s\n", tr("Right."));
			return;
		} else if (s->kind == LESSON_GUESS) {
			say("    %s\n", tr("A number, please guess one."));
		} else if (--tries == 0) {
			say_truth(s, truth);
			return;
		} else {
			say("    %s\n", tr("No. h gives a hint, s shows the events, q leaves."));
		}
	}
	if (s->kind != LESSON_GUESS)
		say_truth(s, truth);
}

static struct err *hold_step(struct class_room *room, size_t index)
{
	const struct lesson_step *s = &room->lesson->steps[index];
	struct try_result *r = &room->runs[s->is_on_second && room->n_runs > 1];
	struct strbuf truth = { 0 }, after = { 0 };
	struct err *err = lesson_truth(s, r->trace, &r->own, &truth);

	if (!err && truth.failed)
		err = err_no_memory();
	if (!err) {
		say(tr("Step %zu of %zu\n"), index + 1, room->lesson->n_steps);
		say_wrapped(room, 4, tr(s->text));
		if (s->filter)
			say(tr("    In the viewer:  f  %s\n"), s->filter);
		say("\n");
		say_wrapped(room, 4, tr(s->question));
		ask(room, s, r, strbuf_str(&truth));
		if (!lesson_is_as_expected(s, strbuf_str(&truth))) {
			room->n_unlike++;
			say(tr("    (expected was %s: this Python does otherwise)\n"), s->expected);
		}
		lesson_after(&after, s, strbuf_str(&truth));
		if (!room->is_left)
			say_wrapped(room, 4, strbuf_str(&after));
		say("\n");
	}
	strbuf_fini(&truth);
	strbuf_fini(&after);
	return err;
}

static struct err *hold(const struct options *o, const struct lesson *lesson, int *ret)
{
	struct class_room room = {
		.o = o, .lesson = lesson, .width = wrap_width(STDOUT_FILENO), .is_asking = true
	};
	struct python_list pythons = { 0 };
	struct err *err = pythons_find(o->python, &pythons);

	if (err)
		return err;
	if (room.width > WIDTH_MAX)
		room.width = WIDTH_MAX;
	say(tr("Lesson %d: %s\n"), lesson->number, tr(lesson->title));
	say_wrapped(&room, 4, tr(lesson->about));
	say("\n");
	show_program(lesson->second_program ? tr("The old version") : tr("The program"),
		     lesson->program);
	if (lesson->second_program)
		show_program(tr("The new version"), lesson->second_program);
	say(tr("It is run on CPython %s now.\n\n"), pythons.v[0].version);
	err = say_flush() ? run_programs(&room, &pythons.v[0])
			  : err_sys(errno, "cannot write to standard output");
	for (size_t i = 0; !err && !room.is_left && i < lesson->n_steps; i++)
		err = hold_step(&room, i);
	if (!err && !room.is_left && lesson->number < (int)n_lessons)
		say(tr("Next: auditview lesson %d, %s\n"), lesson->number + 1,
		    tr(lessons[lesson->number].title));
	for (size_t i = 0; i < room.n_runs; i++)
		try_result_fini(&room.runs[i]);
	python_list_fini(&pythons);
	if (!err && !say_flush())
		err = err_sys(errno, "cannot write to standard output");
	*ret = room.n_unlike != 0;
	return err;
}

struct err *cmd_lesson(const struct options *o, int *ret)
{
	if (o->n_args == 0 && o->on_screen) {
		struct show show = { .source = { .terminal_fd = -1 }, .command = "lessons" };
		struct err *err = show_possible(o,
						"without --screen the lessons are listed as text");
		return err ? err : show_screen(o, &show, ret);
	}
	if (o->n_args == 0) {
		for (size_t i = 0; i < n_lessons; i++) {
			const char *title = tr(lessons[i].title);

			say("%3d   %s%*s ", lessons[i].number, title, utf8_padding(title, 44), "");
			say(tr("%d min"), lessons[i].minutes);
			say("\n");
		}
		say("\n");
		say(tr(
		    "\"auditview lesson N\" holds one; answers are read from standard input.\n"));
		*ret = 0;
		return NULL;
	}
	char *end;
	long number = strtol(o->args[0], &end, 10);
	const struct lesson *lesson = *end ? NULL : lesson_find((int)number);

	if (!lesson)
		return err_create(ERR_USAGE,
				  "there is no lesson \"%s\": expected a number from 1 to %zu",
				  o->args[0], n_lessons);
	if (o->on_screen) {
		struct show show = { .source = { .terminal_fd = -1 }, .lesson = o->args[0] };
		struct err *err = show_possible(o, "without --screen the lesson is text");
		return err ? err : show_screen(o, &show, ret);
	}
	return hold(o, lesson, ret);
}
