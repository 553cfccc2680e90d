/*
 * pane_marks: marked events with their notes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "base/utf8.h"
#include "ui/area.h"
#include "ui/keep.h"
#include "ui/pane_host.h"

static struct err *open_marks(const struct pane_host *host, struct pane **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? NULL : err_no_memory();
}

static void close_marks(struct pane *p)
{
	free(p);
}

static void update_marks(struct pane *p, unsigned changes)
{
	list_set(&p->list, p->host->view->marks.n, p->n_lines);
}

static void draw_marks(const struct pane *p, struct area a)
{
	struct view *s = p->host->view;
	if (!s->marks.n) {
		area_put(a, 1, 2, -1, ROLE_TEXT, tr("no mark yet"));
		area_put(a, 2, 2, -1, ROLE_DIM,
			 tr("m marks the event under the cursor, M writes a note at it"));
	}
	for (int y = 0; y < a.n_lines && p->list.top + (uint64_t)y < s->marks.n; y++) {
		const struct mark *m = &s->marks.v[p->list.top + (uint64_t)y];
		struct event e;
		struct strbuf b = { 0 };
		if (!trace_event(s->trace, m->seq, &e))
			continue;
		area_put(a, y, 1, 1, ROLE_TEXT, m->note ? "◈" : "◆");
		event_text_time(&b, s, e.time_ns, 0, TIME_START, 3);
		area_put_right(a, y, 3, 9, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		event_text_name(&b, s, e.name);
		area_put_cut(a, y, 13, 20, view_name(s, e.name)->role, strbuf_str(&b));
		strbuf_clear(&b);
		int room = m->note ? 24 : a.n_columns - 35;
		event_text_gist(&b, s, &e, room);
		int x = 34 + area_put_cut(a, y, 34, room, ROLE_TEXT, strbuf_str(&b));
		if (m->note) {
			strbuf_clear(&b);
			utf8_escape(&b, m->note, strlen(m->note), 0);
			area_put_cut(a, y, x < 58 ? 59 : x + 1, -1, ROLE_FOCUS, strbuf_str(&b));
		}
		strbuf_fini(&b);
		search_mark(p->host->search, a, y);
		if (p->list.top + (uint64_t)y == p->list.cursor) {
			area_put(a, y, 0, 1, ROLE_FOCUS, "▌");
			area_bar(a, y);
		}
	}
}

static bool act_marks(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct view *s = p->host->view;
	if (list_act(&p->list, action, count))
		return true;
	if (p->list.cursor >= s->marks.n)
		return false;
	uint64_t seq = s->marks.v[p->list.cursor].seq;
	switch ((int)action) {
	case ACTION_OPEN:
		host_close_pages(p->host, ALL_PAGES);
		host_goto(p->host, seq);
		return true;
	case ACTION_TOGGLE:
	case ACTION_MARK:
		view_mark_toggle(s, seq);
		host_keep_marks(p->host);
		update_marks(p, 0);
		return true;
	case ACTION_WRITE:
		if (!text)
			host_act(p->host, ACTION_COMMAND, 0, "write marked ");
		return !text;
	default: return false;
	}
}

static void title_marks(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	(void)subject;
	text_number_of(facts, p->host->view->marks.n, tr("mark"), tr("marks"));
}

static void line_marks(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	struct view *s = p->host->view;
	struct event e;
	if (entry >= s->marks.n || !trace_event(s->trace, s->marks.v[entry].seq, &e))
		return;
	event_text_line(to, s, &e);
	if (s->marks.v[entry].note)
		strbuf_addf(to, "  %s", s->marks.v[entry].note);
}

const struct pane_ops pane_marks_ops = {
	.open = open_marks,
	.close = close_marks,
	.update = update_marks,
	.draw = draw_marks,
	.act = act_marks,
	.title = title_marks,
	.line = line_marks,
};
