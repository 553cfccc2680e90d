/*
 * pane_now: what each thread of the program does at this moment: its stack, where it waits, and
 * which one holds the GIL. The app asks again and again while the page is open (app_now.h).
 */
#include <stdlib.h>

#include "base/tr.h"
#include "ui/area.h"
#include "ui/now_lines.h"
#include "ui/pane_host.h"

struct now_pane {
	struct pane pane;
	now_line_vec lines;
	unsigned generation; /* of host->now, that lines are of */
};

static struct err *open_now(const struct pane_host *host, struct pane **ret)
{
	struct now_pane *n = calloc(1, sizeof(*n));
	if (!n)
		return err_no_memory();
	*ret = &n->pane;
	return NULL;
}

static void close_now(struct pane *p)
{
	struct now_pane *n = (struct now_pane *)p;
	vec_fini(&n->lines);
	free(n);
}

static void update_now(struct pane *p, unsigned changes)
{
	struct now_pane *n = (struct now_pane *)p;
	if (n->generation != p->host->now_generation) {
		now_lines_make(p->host->now, &n->lines);
		n->generation = p->host->now_generation;
	}
	list_set(&p->list, n->lines.n, p->n_lines);
}

static void draw_now(const struct pane *p, struct area a)
{
	const struct now_pane *n = (const struct now_pane *)p;
	const struct view *s = p->host->view;
	if (!n->lines.n) {
		bool has_program = view_has_target(s) && s->live->now_ask;
		area_put(a, 1, 2, -1, ROLE_TEXT,
			 !has_program
			     ? tr("nothing runs here: this is a capture, or it has ended")
			     : tr("the stacks are being read; nothing is stopped for that"));
		return;
	}
	for (int y = 0; y < p->list.n_lines; y++) {
		uint64_t i = p->list.top + (uint64_t)y;
		if (i >= n->lines.n)
			break;
		now_line_draw(p->host, &n->lines.v[i], a, y);
		search_mark(p->host->search, a, y);
		if (i == p->list.cursor) {
			area_put(a, y, 0, 1, ROLE_FOCUS, "▌");
			area_bar(a, y);
		}
	}
}

static bool act_now(struct pane *p, enum action action, uint64_t count, const char *text)
{
	return list_act(&p->list, action, count);
}

static void title_now(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	(void)subject;
	if (!p->host->now)
		return;
	struct strbuf age = { 0 };
	now_age_text(&age, p->host);
	strbuf_addf(facts, tr("read %s"), strbuf_str(&age));
	strbuf_fini(&age);
}

static void line_now(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct now_pane *n = (const struct now_pane *)p;
	if (entry < n->lines.n)
		now_line_text(to, p->host, &n->lines.v[entry]);
}

const struct pane_ops pane_now_ops = {
	.open = open_now,
	.close = close_now,
	.update = update_now,
	.draw = draw_now,
	.act = act_now,
	.title = title_now,
	.line = line_now,
};
