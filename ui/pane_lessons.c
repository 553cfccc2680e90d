/*
 * pane_lessons: the lessons there are, and how far you have come in each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "base/io.h"
#include "base/new_file.h"
#include "base/strbuf.h"
#include "model/lesson.h"
#include "ui/keep.h"
#include "ui/ui.h"

enum { LESSONS_MAX = 64 };

/* Steps done of each lesson: lines "NUMBER STEPS". */
static void progress_read(unsigned steps[LESSONS_MAX])
{
	memset(steps, 0, LESSONS_MAX * sizeof(steps[0]));
	char *path = keep_state_path("lessons", false);
	struct strbuf text = { 0 };
	if (path)
		err_destroy(folder_read_file(path, false, 1 << 16,
					     &text)); /* without it nothing was learnt yet */
	unsigned number, done;
	int n;
	for (const char *p = strbuf_str(&text); sscanf(p, "%u %u%n", &number, &done, &n) == 2;
	     p += n)
		if (number < LESSONS_MAX)
			steps[number] = done;
	strbuf_fini(&text);
	free(path);
}

unsigned lesson_progress(int number)
{
	unsigned steps[LESSONS_MAX];
	progress_read(steps);
	return number >= 0 && number < LESSONS_MAX ? steps[number] : 0;
}

void lesson_progress_set(const struct ui *ui, int number, unsigned done)
{
	unsigned steps[LESSONS_MAX];
	if (ui->options.no_config || number < 0 || number >= LESSONS_MAX)
		return; /* --no-config: nothing of the user's is read or written */
	progress_read(steps);
	if (steps[number] >= done)
		return;
	steps[number] = done;
	char *path = keep_state_path("lessons", true);
	struct strbuf text = { 0 };
	CLEANUP(new_file) struct new_file *f = NULL;
	for (int i = 0; i < LESSONS_MAX; i++)
		if (steps[i])
			strbuf_addf(&text, "%d %u\n", i, steps[i]);
	struct err *err = path ? new_file_open(path, NEW_FILE_REGULAR, &f) : NULL;
	if (!err && f && io_write(new_file_fd(f), strbuf_str(&text), text.n))
		err = new_file_finish(take_ptr(f));
	err_destroy(err); /* it is only what was learnt */
	strbuf_fini(&text);
	free(path);
}

struct lessons_pane {
	struct pane pane;
	unsigned done[LESSONS_MAX];
};

static struct err *open_lessons(struct ui *ui, struct pane **ret)
{
	struct lessons_pane *l = calloc(1, sizeof(*l));
	if (!l)
		return err_no_memory();
	*ret = &l->pane;
	return NULL;
}

static void close_lessons(struct pane *p)
{
	free(p);
}

static void update_lessons(struct pane *p, unsigned changes)
{
	struct lessons_pane *l = (struct lessons_pane *)p;
	if (!p->ui->options.no_config && changes & CHANGE_SIZE)
		progress_read(l->done);
	list_set(&p->list, n_lessons, p->n_lines);
}

void lesson_line(struct area a, int y, const struct lesson *l, unsigned done)
{
	struct strbuf b = { 0 };
	strbuf_addf(&b, "%2d", l->number);
	area_put(a, y, 2, 3, ROLE_DIM, strbuf_str(&b));
	area_put_cut(a, y, 6, a.n_columns - 34, ROLE_TEXT, l->title);
	strbuf_clear(&b);
	strbuf_addf(&b, "%d min", l->minutes);
	area_put_right(a, y, a.n_columns - 27, 7, ROLE_DIM, strbuf_str(&b));
	strbuf_clear(&b);
	if (done >= l->n_steps)
		strbuf_adds(&b, "done");
	else if (done)
		strbuf_addf(&b, "step %u of %zu", done + 1, l->n_steps);
	else
		strbuf_adds(&b, l->second_program ? "runs two programs" : "runs a program");
	area_put_cut(a, y, a.n_columns - 18, -1, ROLE_DIM, strbuf_str(&b));
	strbuf_fini(&b);
}

static void draw_lessons(const struct pane *p, struct area a)
{
	const struct lessons_pane *l = (const struct lessons_pane *)p;
	for (int y = 0; y < a.n_lines && p->list.top + (uint64_t)y < n_lessons; y++) {
		const struct lesson *lesson = &lessons[p->list.top + (uint64_t)y];
		lesson_line(a, y, lesson,
			    lesson->number < LESSONS_MAX ? l->done[lesson->number] : 0);
		search_mark(&p->ui->search, a, y);
		if (p->list.top + (uint64_t)y == p->list.cursor) {
			area_put(a, y, 0, 1, ROLE_FOCUS, "▌");
			area_bar(a, y);
		}
	}
}

static bool act_lessons(struct pane *p, enum action action, uint64_t count, const char *text)
{
	if (list_act(&p->list, action, count))
		return true;
	if (action == ACTION_OPEN && p->list.cursor < n_lessons) {
		pane_lesson_begin(p->ui, lessons[p->list.cursor].number);
		return true;
	}
	return false;
}

static void title_lessons(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct lessons_pane *l = (const struct lessons_pane *)p;
	size_t done = 0;
	for (size_t i = 0; i < n_lessons; i++)
		done += lessons[i].number < LESSONS_MAX &&
			l->done[lessons[i].number] >= lessons[i].n_steps;
	strbuf_addf(facts, "%zu of %zu done", done, n_lessons);
}

static void line_lessons(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	if (entry < n_lessons)
		strbuf_adds(to, lessons[entry].title);
}

const struct pane_ops pane_lessons_ops = {
	.open = open_lessons,
	.close = close_lessons,
	.update = update_lessons,
	.draw = draw_lessons,
	.act = act_lessons,
	.title = title_lessons,
	.line = line_lessons,
};
