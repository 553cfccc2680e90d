/*
 * pane_lessons: the list of lessons, with the completed steps of each.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/strbuf.h"
#include "base/tr.h"
#include "model/lesson.h"
#include "ui/area.h"
#include "ui/lesson_steps.h"
#include "ui/pane_host.h"
#include "ui/pane_lesson.h"

struct lessons_pane {
	struct pane pane;
	unsigned done[LESSONS_MAX];
};

static struct err *open_lessons(const struct pane_host *host, struct pane **ret)
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
	if (!p->host->no_config && changes & CHANGE_SIZE)
		lesson_steps_read(l->done);
	list_set(&p->list, n_lessons, p->n_lines);
}

static void draw_lessons(const struct pane *p, struct area a)
{
	const struct lessons_pane *l = (const struct lessons_pane *)p;
	for (int y = 0; y < a.n_lines && p->list.top + (uint64_t)y < n_lessons; y++) {
		const struct lesson *lesson = &lessons[p->list.top + (uint64_t)y];
		lesson_steps_draw(a, y, lesson,
				  lesson->number < LESSONS_MAX ? l->done[lesson->number] : 0);
		search_mark(p->host->search, a, y);
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
		pane_lesson_begin(p->host, lessons[p->list.cursor].number);
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
	strbuf_addf(facts, tr("%zu of %zu done"), done, n_lessons);
}

static void line_lessons(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	if (entry < n_lessons)
		strbuf_adds(to, tr(lessons[entry].title));
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
