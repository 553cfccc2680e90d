/*
 * pane_imports: what importing each module cost: its own time, the time with all that it imported,
 * and events; the whole run as python -X importtime shows it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "model/import_cost.h"
#include "ui/area.h"
#include "ui/pane_host.h"
#include "ui/text.h"

#define SORT_PAUSE_NS 500000000u

struct imports {
	struct pane pane;
	struct import_cost *cost;
	unsigned generation;           /* generation of the filter that is counted for */
	VEC(uint32_t) order;           /* rows, as they are listed */
	uint64_t sorted, sorted_at_ns; /* events that were counted then */
	uint64_t self_ns, max_ns;
	bool is_ticked; /* of one at least, times are right to a tick only */
	enum import_order by;
};

static struct err *open_imports(const struct pane_host *host, struct pane **ret)
{
	struct imports *m = calloc(1, sizeof(*m));
	if (!m)
		return err_no_memory();
	m->by = IMPORT_BY_SELF;
	m->pane.list.n_head = 1;
	*ret = &m->pane;
	return NULL;
}

static void close_imports(struct pane *p)
{
	struct imports *m = (struct imports *)p;
	import_cost_destroy(m->cost);
	vec_fini(&m->order);
	free(m);
}

static const struct import_row *current(const struct pane *p, uint32_t *ret_index)
{
	const struct imports *m = (const struct imports *)p;
	uint32_t n;
	if (!m->cost || p->list.cursor >= m->order.n)
		return NULL;
	*ret_index = m->order.v[p->list.cursor];
	return &import_cost_rows(m->cost, &n)[*ret_index];
}

/* The cursor stays on its module if the user has put it there. */
static void sort(struct imports *m, bool keep)
{
	uint32_t n = 0, at = IMPORT_COST_NO_ROW;
	if (keep && m->pane.list.cursor)
		current(&m->pane, &at);
	const struct import_row *rows = import_cost_rows(m->cost, &n);
	m->order.n = 0;
	if (!vec_reserve(&m->order, n + 1))
		return;
	m->order.n = import_cost_sort(m->cost, m->by, m->order.v);
	m->sorted = import_cost_n_counted(m->cost);
	m->sorted_at_ns = m->pane.host->now_ns;
	m->self_ns = m->max_ns = 0;
	m->is_ticked = false;
	list_set(&m->pane.list, m->order.n, m->pane.n_lines - 1);
	for (size_t i = 0; i < m->order.n; i++) {
		const struct import_row *r = &rows[m->order.v[i]];
		uint64_t ns = m->by == IMPORT_BY_SELF ? r->self_ns : r->total_ns;
		m->self_ns += r->self_ns;
		m->is_ticked |= r->is_ticked;
		m->max_ns = ns > m->max_ns ? ns : m->max_ns;
		if (m->order.v[i] == at)
			list_go(&m->pane.list, i);
	}
	host_redraw(m->pane.host);
}

/* Count, and sort what is counted. Returns true if there is more to do. */
static bool go_on(struct imports *m, uint64_t budget_ns)
{
	struct view *s = m->pane.host->view;
	struct err *err = NULL;
	if (m->cost && m->generation != s->filter_generation) {
		import_cost_destroy(m->cost);
		m->cost = NULL;
		m->order.n = 0;
	}
	if (!m->cost) {
		m->sorted = m->sorted_at_ns = 0;
		m->generation = s->filter_generation;
		err = import_cost_create(s->trace, &m->cost);
	}
	if (!err)
		err = import_cost_step(m->cost, s->run ? s->shown : NULL, view_n_decided(s),
				       budget_ns);
	if (err) {
		host_flash_err(m->pane.host, err);
		return false;
	}
	uint64_t n = import_cost_n_counted(m->cost);
	bool is_all = n == view_n_decided(s);
	if (n != m->sorted && ((is_all && !view_is_live(s)) ||
			       m->pane.host->now_ns - m->sorted_at_ns >= SORT_PAUSE_NS))
		sort(m, true);
	return !is_all;
}

static bool work_imports(struct pane *p, uint64_t budget_ns)
{
	return go_on((struct imports *)p, budget_ns);
}

static void update_imports(struct pane *p, unsigned changes)
{
	struct imports *m = (struct imports *)p;
	if (changes & (CHANGE_FILTER | CHANGE_SIZE)) /* most captures are counted in that time */
		go_on(m, 3000000);
	list_set(&p->list, m->order.n, p->n_lines - 1);
}

/* The columns, for one width. */
struct columns {
	int name_w, self_x, total_x, bar_x, events_x, from_x, by_x, by_w;
};

static struct columns columns_of(int w)
{
	struct columns c = { .by_w = w >= 100 ? (w - 80) / 2 : 0 };
	c.name_w = w - 48 - (c.by_w ? c.by_w + 1 : 0);
	c.self_x = 2 + c.name_w;
	c.total_x = c.self_x + 9;
	c.bar_x = c.total_x + 10;
	c.events_x = c.bar_x + 9;
	c.from_x = c.events_x + 9;
	c.by_x = c.from_x + 10;
	return c;
}

static void draw_head(const struct imports *m, struct area a, struct columns c)
{
	enum role ink[IMPORT_ORDER_COUNT];
	for (int i = 0; i < IMPORT_ORDER_COUNT; i++)
		ink[i] = m->by == (enum import_order)i ? ROLE_FOCUS : ROLE_DIM;
	area_put(a, 0, 2, c.name_w, m->by == IMPORT_BY_TREE ? ROLE_FOCUS : ink[IMPORT_BY_NAME],
		 m->by == IMPORT_BY_TREE ? tr("module, below what imported it") : tr("module"));
	area_put_right(a, 0, c.self_x, 9, ink[IMPORT_BY_SELF],
		       m->by == IMPORT_BY_SELF ? tr("self ms▾") : tr("self ms"));
	area_put_right(a, 0, c.total_x, 9, ink[IMPORT_BY_TOTAL],
		       m->by == IMPORT_BY_TOTAL ? tr("total ms▾") : tr("total ms"));
	area_put_right(a, 0, c.events_x, 8, ink[IMPORT_BY_EVENTS],
		       m->by == IMPORT_BY_EVENTS ? tr("events▾") : tr("events"));
	area_put(a, 0, c.from_x, 9, ROLE_DIM, tr("from"));
	if (c.by_w)
		area_put(a, 0, c.by_x, c.by_w, ROLE_DIM, tr("imported at"));
}

static void put_ms(struct area a, int y, int x, uint64_t ns, bool is_ticked)
{
	struct strbuf ms = { 0 };
	import_cost_add_ms(&ms, ns, is_ticked, 2);
	area_put_right(a, y, x, 9, ROLE_TEXT, strbuf_str(&ms));
	strbuf_fini(&ms);
}

static void draw_row(const struct imports *m, struct area a, int y, struct columns c,
		     const struct import_row *r)
{
	struct strbuf b = { 0 };
	struct view *s = m->pane.host->view;
	int indent = m->by == IMPORT_BY_TREE ? 2 * (int)r->depth : 0;
	if (indent > c.name_w - 14)
		indent = c.name_w - 14;
	area_put_middle(a, y, 2 + indent, c.name_w - indent - 1, ROLE_TEXT, r->name);
	put_ms(a, y, c.self_x, r->self_ns, r->is_ticked);
	put_ms(a, y, c.total_x, r->total_ns, r->is_ticked);
	uint64_t ns = m->by == IMPORT_BY_SELF ? r->self_ns : r->total_ns;
	text_bar(&b, m->max_ns ? (double)ns / (double)m->max_ns : 0, 9);
	area_put(a, y, c.bar_x, 9, ROLE_DIM, strbuf_str(&b));
	strbuf_clear(&b);
	text_count(&b, r->n_events, 8);
	area_put_right(a, y, c.events_x, 8, ROLE_TEXT, strbuf_str(&b));
	area_put(a, y, c.from_x, 9, ROLE_DIM, r->from ? r->from : "");
	struct event e;
	if (c.by_w && trace_event(s->trace, r->first_seq, &e)) {
		strbuf_clear(&b);
		event_text_caller(&b, s, &e, true);
		area_put_cut(a, y, c.by_x, c.by_w, ROLE_DIM, strbuf_str(&b));
	}
	strbuf_fini(&b);
}

static void draw_imports(const struct pane *p, struct area a)
{
	const struct imports *m = (const struct imports *)p;
	struct columns c = columns_of(a.n_columns);
	bool focus = pane_has_focus(p);
	uint32_t n = 0;
	const struct import_row *rows = m->cost ? import_cost_rows(m->cost, &n) : NULL;
	draw_head(m, a, c);
	if (!m->order.n)
		area_put(a, 2, 2, -1, ROLE_TEXT,
			 m->sorted < p->host->view->n_events ? tr("counting")
							     : tr("no shown event is an import"));
	for (int y = 0; y < p->list.n_lines && p->list.top + (uint64_t)y < m->order.n; y++) {
		bool is_cursor = p->list.top + (uint64_t)y == p->list.cursor;
		uint32_t row = m->order.v[p->list.top + (uint64_t)y];
		if (row >= n)
			continue;
		draw_row(m, a, y + 1, c, &rows[row]);
		search_mark(p->host->search, a, y + 1);
		if (is_cursor) {
			area_put(a, y + 1, 0, 1, ROLE_FOCUS, focus ? "▌" : "▏");
			if (focus)
				area_bar(a, y + 1);
		}
	}
}

static bool term_imports(const struct pane *p, struct strbuf *to)
{
	const struct imports *m = (const struct imports *)p;
	uint32_t row;
	if (!current(p, &row))
		return false;
	if (import_cost_filter(m->cost, row, to))
		return true;
	host_flash(p->host, "it was imported too often for a filter; Enter goes to the first time");
	return false;
}

static bool act_imports(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct imports *m = (struct imports *)p;
	if (list_act(&p->list, action, count))
		return true;
	switch ((int)action) {
	case ACTION_SORT:
		m->by = (enum import_order)((m->by + 1) % IMPORT_ORDER_COUNT);
		if (m->cost)
			sort(m, false);
		list_go(&p->list, 0);
		return true;
	case ACTION_OPEN: {
		struct strbuf term = { 0 };
		uint32_t row;
		const struct import_row *r = current(p, &row);
		if (!r)
			return true;
		uint64_t seq = r->first_seq;
		bool has_term = import_cost_filter(m->cost, row, &term);
		host_close_pages(p->host, ALL_PAGES);
		if (has_term)
			host_narrow(p->host, strbuf_str(&term), false);
		else
			host_goto(p->host, seq);
		strbuf_fini(&term);
		return true;
	}
	default: return false;
	}
}

static void title_imports(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct imports *m = (const struct imports *)p;
	strbuf_adds(subject, p->host->view->filter_text);
	if (m->sorted < p->host->view->n_events && !view_is_live(p->host->view))
		strbuf_addf(facts, tr("counting %.0f %% · "),
			    (double)(m->cost ? import_cost_n_counted(m->cost) : 0) * 100 /
				(double)p->host->view->n_events);
	text_number_of(facts, m->order.n, tr("module"), tr("modules"));
	strbuf_adds(facts, " · ");
	text_span(facts, m->self_ns, m->is_ticked);
	strbuf_adds(facts, tr(" in all"));
}

static void line_imports(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct imports *m = (const struct imports *)p;
	uint32_t n;
	if (m->cost && entry < m->order.n)
		strbuf_adds(to, import_cost_rows(m->cost, &n)[m->order.v[entry]].name);
}

const struct pane_ops pane_imports_ops = {
	.open = open_imports,
	.close = close_imports,
	.update = update_imports,
	.draw = draw_imports,
	.act = act_imports,
	.title = title_imports,
	.term = term_imports,
	.line = line_imports,
	.work = work_imports,
};
