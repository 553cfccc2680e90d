/*
 * pane_summary: the shown events in groups, like top(1): how many, what share, when, and the first
 * caller.
 *
 * What the events are grouped by is in ui/grouping.c; ui/summary_rows.c counts and sorts them. This
 * file draws the rows and does the actions.
 */
#include "ui/pane_summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "model/summary_ready.h"
#include "ui/area.h"
#include "ui/grouping.h"
#include "ui/pane_host.h"
#include "ui/summary_rows.h"
#include "ui/text.h"

/* For how long an action or a new filter may count before the screen is drawn: most captures are
 * counted in that time. */
#define AT_ONCE_NS 3000000

struct summary {
	struct pane pane;
	struct summary_rows rows;
};

/* The kind under the cursor; NULL: the list is empty. */
static const struct summary_kind *current(const struct pane *p)
{
	return summary_rows_at(&((const struct summary *)p)->rows, p->list.cursor);
}

static struct err *open_summary(const struct pane_host *host, struct pane **ret)
{
	struct summary *m = calloc(1, sizeof(*m));
	if (!m)
		return err_no_memory();
	m->rows.grouping = &groupings[0];
	m->rows.stale = true;
	*ret = &m->pane;
	return NULL;
}

static void close_summary(struct pane *p)
{
	struct summary *m = (struct summary *)p;
	summary_rows_fini(&m->rows);
	free(m);
}

static bool work_summary(struct pane *p, uint64_t budget_ns)
{
	return summary_rows_step(&((struct summary *)p)->rows, p, budget_ns);
}

static void update_summary(struct pane *p, unsigned changes)
{
	struct summary *m = (struct summary *)p;
	if (m->rows.tally && m->rows.n_bins != summary_rows_n_bins(p->n_columns))
		m->rows.stale = true;
	if (changes & (CHANGE_FILTER | CHANGE_SIZE))
		summary_rows_step(&m->rows, p, AT_ONCE_NS);
	list_set(&p->list, m->rows.order.n, p->n_lines - 1);
}

const char *pane_summary_field_at(size_t i)
{
	return i < GROUPINGS ? groupings[i].name : NULL;
}

void pane_summary_by(struct pane *p, const char *field)
{
	struct summary *m = (struct summary *)p;
	const struct ready_summary *ready = ready_summary_find(field);
	if (ready && !host_set_filter(p->host, ready->filter, true))
		return;
	const char *by = ready ? ready->by : field;
	by = strcmp(by, "peer") ? by : "host"; /* `stat` has two words for it */
	for (size_t i = 0; i < GROUPINGS; i++)
		if (!strcmp(groupings[i].name, by)) {
			m->rows.grouping = &groupings[i];
			m->rows.stale = true;
			summary_rows_step(&m->rows, p, AT_ONCE_NS);
			return;
		}
	struct strbuf b = { 0 };
	for (size_t i = 0; i < GROUPINGS; i++)
		strbuf_addf(&b, " %s", groupings[i].name);
	host_flash(p->host, "cannot group by %s; known are%s", field, strbuf_str(&b));
	strbuf_fini(&b);
}

static void draw_summary(const struct pane *p, struct area a)
{
	const struct summary *m = (const struct summary *)p;
	struct view *s = p->host->view;
	/* the rest is for the name and the first caller */
	int w = a.n_columns, rest = w - 27 - (int)m->rows.n_bins;
	int first_w = rest - 23 < 30 ? rest - 23 : 30;
	if (w >= 100 && first_w < 22)
		first_w = 22;
	if (rest - first_w > 60)
		first_w = rest - 60;
	int name_w = rest - first_w, count_x = 2 + name_w, pct_x = count_x + 10, bar_x = pct_x + 4;
	int spark_x = bar_x + 10, first_x = spark_x + (int)m->rows.n_bins + 1;
	struct strbuf b = { 0 };
	area_put(a, 0, 2, name_w, m->rows.sort == SORT_NAME ? ROLE_FOCUS : ROLE_DIM,
		 m->rows.grouping->name);
	area_put_right(a, 0, count_x, 10, m->rows.sort == SORT_COUNT ? ROLE_FOCUS : ROLE_DIM,
		       m->rows.sort == SORT_COUNT ? tr("events▾") : tr("events "));
	area_put_right(a, 0, pct_x, 3, ROLE_DIM, "%");
	strbuf_adds(&b, tr("when 0 … "));
	text_duration(&b, view_is_live(s) && m->rows.tally ? tally_span_ns(m->rows.tally)
							   : trace_about_get(s->trace)->last_ns);
	area_put_cut(a, 0, spark_x, (int)m->rows.n_bins, ROLE_DIM, strbuf_str(&b));
	area_put(a, 0, first_x, -1, m->rows.sort == SORT_FIRST ? ROLE_FOCUS : ROLE_DIM,
		 tr("first by"));
	bool focus = pane_has_focus(p);
	if (!m->rows.order.n)
		area_put(a, 2, 2, -1, ROLE_TEXT,
			 m->rows.tally && tally_n_rows(m->rows.tally) < s->n_events
			     ? tr("counting")
			     : tr("no shown event has one; b groups by something else"));
	for (int y = 0; y < p->list.n_lines && p->list.top + (uint64_t)y < m->rows.order.n; y++) {
		uint32_t key = m->rows.order.v[p->list.top + (uint64_t)y];
		const struct summary_kind *r = &m->rows.kinds.v[key];
		struct tally_entry n = tally_get(m->rows.tally, key);
		bool is_cursor = p->list.top + (uint64_t)y == p->list.cursor;
		enum role ink = is_cursor ? r->role : ROLE_DIM;
		strbuf_clear(&b);
		text_cut(&b, r->text, strlen(r->text), name_w, true);
		area_put(a, y + 1, 2, name_w, r->role, strbuf_str(&b));
		strbuf_clear(&b);
		text_count(&b, n.count, 9);
		area_put_right(a, y + 1, count_x, 9, ROLE_TEXT, strbuf_str(&b));
		double share = m->rows.total ? (double)n.count / (double)m->rows.total : 0;
		char pct[16];
		snprintf(pct, sizeof(pct), share < 0.005 ? "·" : "%.0f", share * 100);
		area_put_right(a, y + 1, pct_x, 3, ROLE_DIM, pct);
		strbuf_clear(&b);
		text_bar(&b, m->rows.max ? (double)n.count / (double)m->rows.max : 0, 9);
		area_put(a, y + 1, bar_x, 9, ink, strbuf_str(&b));
		uint32_t max = 0;
		for (unsigned i = 0; i < m->rows.n_bins; i++)
			if (n.bins[i] > max)
				max = n.bins[i];
		strbuf_clear(&b);
		text_spark(&b, n.bins, m->rows.n_bins, max);
		area_put(a, y + 1, spark_x, (int)m->rows.n_bins, ink, strbuf_str(&b));
		struct event e;
		if (trace_event(s->trace, n.first, &e)) {
			strbuf_clear(&b);
			event_text_caller(&b, s, &e, w >= 100);
			area_put_cut(a, y + 1, first_x, -1, ROLE_DIM, strbuf_str(&b));
		}
		search_mark(p->host->search, a, y + 1);
		if (is_cursor) {
			area_put(a, y + 1, 0, 1, ROLE_FOCUS, focus ? "▌" : "▏");
			if (focus)
				area_bar(a, y + 1);
		}
	}
	strbuf_fini(&b);
}

static bool act_summary(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct summary *m = (struct summary *)p;
	if (list_act(&p->list, action, count))
		return true;
	switch ((int)action) {
	case ACTION_GROUP_BY:
		if (text) {
			pane_summary_by(p, text);
		} else {
			m->rows.grouping =
			    &groupings[(m->rows.grouping - groupings + 1) % GROUPINGS];
			m->rows.order.n = 0;
			p->list.cursor = 0;
			m->rows.stale = true;
			summary_rows_step(&m->rows, p, AT_ONCE_NS);
		}
		return true;
	case ACTION_SORT:
		m->rows.sort = (enum summary_sort)((m->rows.sort + 1) % SORT_KINDS);
		m->rows.keep_line = true;
		summary_rows_sort(&m->rows, p);
		summary_rows_step(&m->rows, p, AT_ONCE_NS);
		return true;
	case ACTION_OPEN: {
		const struct summary_kind *r = current(p);
		if (!r)
			return true;
		uint64_t first = tally_get(m->rows.tally, m->rows.order.v[p->list.cursor]).first;
		if (r->term) {
			char *term = strdup(r->term);
			host_close_pages(p->host, ALL_PAGES);
			if (term)
				host_narrow(p->host, term, false);
			free(term);
		} else if (first != UINT64_MAX) {
			host_close_pages(p->host, ALL_PAGES);
			host_goto(p->host, first);
		}
		return true;
	}
	case ACTION_SUMMARY:
		if (text)
			pane_summary_by(p, text);
		else
			host_close_pages(p->host, PAGE_ON_TOP);
		return true;
	default: return false;
	}
}

static void title_summary(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct summary *m = (const struct summary *)p;
	strbuf_adds(subject, p->host->view->filter_text);
	if (m->rows.tally && m->rows.sorted_rows < p->host->view->n_events &&
	    !view_is_live(p->host->view))
		strbuf_addf(facts, tr("counting %.0f %% · "),
			    (double)tally_n_rows(m->rows.tally) * 100 /
				(double)p->host->view->n_events);
	strbuf_addf(facts, tr("by %s · "), m->rows.grouping->name);
	text_number_of(facts, m->rows.total, tr("event"), tr("events"));
	strbuf_adds(facts, " · ");
	text_number_of(facts, m->rows.order.n, tr("kind"), tr("kinds"));
}

static bool term_summary(const struct pane *p, struct strbuf *to)
{
	const struct summary_kind *r = current(p);
	if (!r || !r->term)
		return false;
	strbuf_adds(to, r->term);
	return true;
}

static void line_summary(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct summary *m = (const struct summary *)p;
	if (entry < m->rows.order.n)
		strbuf_addf(
		    to, "%s %llu", m->rows.kinds.v[m->rows.order.v[entry]].text,
		    (unsigned long long)tally_get(m->rows.tally, m->rows.order.v[entry]).count);
}

const struct pane_ops pane_summary_ops = {
	.open = open_summary,
	.close = close_summary,
	.update = update_summary,
	.draw = draw_summary,
	.act = act_summary,
	.title = title_summary,
	.term = term_summary,
	.line = line_summary,
	.work = work_summary,
};
