/*
 * pane_filters: the filter in use, the kept filters, the ready ones (filter_ready.h) and the ready
 * summaries (summary_ready.h), each with the number of events that it alone shows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "base/wrap.h"
#include "model/filter_ready.h"
#include "model/summary_ready.h"
#include "ui/area.h"
#include "ui/pane_host.h"

#define NAME_COLUMNS 20

struct kept_count {
	char *text; /* the filter it was counted for */
	struct filter *filter;
	struct filter_run *run;
	double done;
	uint64_t n;
	bool failed;
};

struct filters {
	struct pane pane;
	VEC(struct kept_count) counts; /* [row] */
	uint64_t counted_events;
};

struct row {
	const char *name;
	const char *text;  /* the filter; of a ready one its name */
	const char *says;  /* what the second column says of it */
	const char *means; /* the expression */
	bool is_ready;
	bool is_summary;
};

static size_t n_rows(const struct pane_host *host)
{
	return host->config->filters.n + READY_FILTERS + READY_SUMMARIES;
}

/* i < n_rows(): the kept filters come first. */
static struct row row_at(const struct pane_host *host, size_t i)
{
	if (i < host->config->filters.n) {
		const struct named_filter *n = &host->config->filters.v[i];
		return (struct row){ n->name, n->text, n->text, n->text, false, false };
	}
	i -= host->config->filters.n;
	if (i >= READY_FILTERS) {
		const struct ready_summary *s = &ready_summaries[i - READY_FILTERS];
		const struct ready_filter *f = ready_filter_find(s->filter, strlen(s->filter));
		return (struct row){ s->name, s->filter, tr(s->doc), f ? f->text : s->filter,
				     true,    true };
	}
	const struct ready_filter *r = &ready_filters[i];
	return (struct row){ r->name, r->name, tr(r->doc), r->text, true, false };
}

static void forget(struct filters *f)
{
	for (size_t i = 0; i < f->counts.n; i++) {
		free(f->counts.v[i].text);
		filter_run_destroy(f->counts.v[i].run);
		filter_destroy(f->counts.v[i].filter);
	}
	f->counts.n = 0;
}

static struct err *open_filters(const struct pane_host *host, struct pane **ret)
{
	struct filters *f = calloc(1, sizeof(*f));
	if (!f)
		return err_no_memory();
	*ret = &f->pane;
	return NULL;
}

static void close_filters(struct pane *p)
{
	struct filters *f = (struct filters *)p;
	forget(f);
	vec_fini(&f->counts);
	free(f);
}

/* What is in use, what the longest expression means, and an empty line; the same for all rows, so
 * that the list does not move with the cursor. */
static int n_head(const struct pane *p)
{
	int n_most = p->n_lines >= 30 ? 3 : p->n_lines >= 20 ? 2 : 1, most = 1;
	int width = p->n_columns - NAME_COLUMNS - 8;
	for (size_t i = 0; width > 0 && most < n_most && i < n_rows(p->host); i++) {
		const char *text = row_at(p->host, i).means;
		int n = 0;
		while (*text && n < n_most) {
			text += wrap_line(text, (size_t)width);
			text += strspn(text, " ");
			n++;
		}
		most = n > most ? n : most;
	}
	return most + 2;
}

static void update_filters(struct pane *p, unsigned changes)
{
	struct filters *f = (struct filters *)p;
	struct view *s = p->host->view;
	size_t n = n_rows(p->host);
	bool same = f->counts.n == n && f->counted_events == s->n_events;
	for (size_t i = 0; same && i < f->counts.n; i++)
		same = !strcmp(f->counts.v[i].text, row_at(p->host, i).text);
	if (!same) {
		forget(f);
		f->counted_events = s->n_events;
		for (size_t i = 0; i < n; i++) {
			struct kept_count c = { .text = strdup(row_at(p->host, i).text) };
			struct err *err = c.text ? view_compile(s, c.text, &c.filter)
						 : err_no_memory();
			if (!err)
				err = filter_run_create(s->trace, c.filter, s->cache, &c.run);
			c.failed = err != NULL;
			err_destroy(err);
			if (!vec_push(&f->counts, c)) {
				free(c.text);
				filter_run_destroy(c.run);
				filter_destroy(c.filter);
				break;
			}
		}
	}
	p->list.n_head = n_head(p);
	list_set(&p->list, n, p->n_lines - p->list.n_head);
}

static bool work_filters(struct pane *p, uint64_t budget_ns)
{
	struct filters *f = (struct filters *)p;
	for (size_t i = 0; i < f->counts.n; i++) {
		struct kept_count *c = &f->counts.v[i];
		if (!c->run || c->done >= 1)
			continue;
		struct err *err = filter_run_step(c->run, budget_ns, &c->done);
		if (err) {
			c->failed = true;
			c->done = 1;
			err_destroy(err);
		}
		c->n = selection_count(filter_run_rows(c->run));
		host_redraw(p->host);
		return true;
	}
	return false;
}

/* Is the kept filter a part of the one in use? If so, *rest (may be NULL) becomes the filter in use
 * without it. */
static bool says(const struct pane_host *host, const char *text, struct strbuf *rest)
{
	CLEANUP(filter) struct filter *now = NULL, *kept = NULL;
	struct err *err = view_compile(host->view, host->view->filter_text, &now);
	if (!err)
		err = view_compile(host->view, text, &kept);
	if (err || !filter_says(now, kept, false)) {
		err_destroy(err);
		return false;
	}
	if (rest)
		filter_without(now, kept, rest);
	return true;
}

static void draw_means(struct area a, const char *text, int n_lines)
{
	int x = NAME_COLUMNS + 7, width = a.n_columns - x - 1;
	for (int y = 1; width > 0 && *text && y <= n_lines; y++) {
		size_t n = y < n_lines ? wrap_line(text, (size_t)width) : 0;
		n = n ? n : strlen(text); /* the last line, or a word that is longer, is cut */
		struct strbuf line = { 0 };
		strbuf_add(&line, text, n);
		area_put_cut(a, y, x, width, ROLE_DIM, strbuf_str(&line));
		strbuf_fini(&line);
		text += n;
		text += strspn(text, " ");
	}
}

static void draw_filters(const struct pane *p, struct area a)
{
	const struct filters *f = (const struct filters *)p;
	const struct pane_host *host = p->host;
	int head = p->list.n_head;
	area_put(a, 0, 2, -1, ROLE_DIM, tr("now"));
	area_put_cut(a, 0, NAME_COLUMNS + 7, -1, ROLE_TEXT,
		     *host->view->filter_text ? host->view->filter_text
					      : tr("everything is shown"));
	area_put(a, 1, 2, -1, ROLE_DIM, tr("this line means"));
	draw_means(a, row_at(host, p->list.cursor).means, head - 2);
	for (int y = 0; y < p->list.n_lines && p->list.top + (uint64_t)y < n_rows(host); y++) {
		size_t i = p->list.top + (uint64_t)y;
		struct row row = row_at(host, i);
		struct strbuf b = { 0 };
		bool on = !row.is_summary && says(host, row.text, NULL);
		/* s is the key of the summary */
		area_put(a, y + head, 2, 3, row.is_summary ? ROLE_DIM : ROLE_TEXT,
			 row.is_summary ? " s "
			 : on           ? "[x]"
					: "[ ]");
		area_put_cut(a, y + head, 6, NAME_COLUMNS, ROLE_TEXT, row.name);
		if (i < f->counts.n && f->counts.v[i].failed)
			strbuf_adds(&b, tr("cannot be read"));
		else if (i < f->counts.n)
			text_count(&b, f->counts.v[i].n, 12);
		area_put_cut(a, y + head, NAME_COLUMNS + 7, a.n_columns - NAME_COLUMNS - 23,
			     row.is_ready ? ROLE_DIM : ROLE_TEXT, row.says);
		area_put_right(a, y + head, a.n_columns - 15, 14, ROLE_DIM, strbuf_str(&b));
		strbuf_fini(&b);
		search_mark(host->search, a, y + head);
		if (i == p->list.cursor) {
			area_put(a, y + head, 0, 1, ROLE_FOCUS, "▌");
			area_bar(a, y + head);
		}
	}
}

static bool act_filters(struct pane *p, enum action action, uint64_t count, const char *text)
{
	const struct pane_host *host = p->host;
	if (list_act(&p->list, action, count))
		return true;
	if (p->list.cursor >= n_rows(host))
		return false;
	struct row row = row_at(host, p->list.cursor);
	if (row.is_summary && (action == ACTION_OPEN || action == ACTION_TOGGLE)) {
		host_close_pages(host, ALL_PAGES);
		host_act(host, ACTION_SUMMARY, 0, row.name);
		return true;
	}
	switch ((int)action) {
	case ACTION_OPEN: {
		char *copy = strdup(row.text);
		host_close_pages(host, ALL_PAGES);
		if (copy)
			host_set_filter(host, copy, true);
		free(copy);
		return true;
	}
	case ACTION_TOGGLE: {
		struct strbuf b = { 0 };
		if (!says(host, row.text, &b)) {
			host_narrow(host, row.text, false);
			return true;
		}
		host_set_filter(host, strbuf_str(&b), true);
		strbuf_fini(&b);
		return true;
	}
	case ACTION_EXCLUDE: {
		if (row.is_ready) {
			host_flash(host, "%s comes with auditview and cannot be forgotten",
				   row.name);
			return true;
		}
		char *name = strdup(row.name);
		struct err *err = name ? config_keep_filter(host->config, name, NULL)
				       : err_no_memory();
		if (err)
			host_flash_err(host, err);
		else
			host_flash(host, "%s is forgotten", name);
		free(name);
		update_filters(p, CHANGE_ALL);
		return true;
	}
	default: return false;
	}
}

static void title_filters(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	(void)subject;
	strbuf_addf(facts, tr("%zu kept · %d ready · %d summaries"), p->host->config->filters.n,
		    READY_FILTERS, READY_SUMMARIES);
}

static void line_filters(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	if (entry < n_rows(p->host))
		strbuf_addf(to, "%s %s", row_at(p->host, entry).name, row_at(p->host, entry).says);
}

const struct pane_ops pane_filters_ops = {
	.open = open_filters,
	.close = close_filters,
	.update = update_filters,
	.draw = draw_filters,
	.act = act_filters,
	.title = title_filters,
	.line = line_filters,
	.work = work_filters,
};
