/*
 * pane_filters: the filter in use and the kept filters, each with the number of events that it
 * alone shows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/pane_host.h"

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
	VEC(struct kept_count) counts; /* by config.filters */
	uint64_t counted_events;
};

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

static void update_filters(struct pane *p, unsigned changes)
{
	struct filters *f = (struct filters *)p;
	struct view *s = p->host->view;
	bool same = f->counts.n == p->host->config->filters.n && f->counted_events == s->n_events;
	for (size_t i = 0; same && i < f->counts.n; i++)
		same = !strcmp(f->counts.v[i].text, p->host->config->filters.v[i].text);
	if (!same) {
		forget(f);
		f->counted_events = s->n_events;
		for (size_t i = 0; i < p->host->config->filters.n; i++) {
			struct kept_count c = { .text = strdup(
						    p->host->config->filters.v[i].text) };
			struct err *err = c.text ? filter_compile(c.text, strlen(c.text), s->trace,
								  &c.filter)
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
	list_set(&p->list, p->host->config->filters.n, p->n_lines - 2);
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

static void draw_filters(const struct pane *p, struct area a)
{
	const struct filters *f = (const struct filters *)p;
	const struct pane_host *host = p->host;
	area_put(a, 0, 2, -1, ROLE_DIM, "now");
	area_put_cut(a, 0, 20, -1, ROLE_TEXT,
		     *host->view->filter_text ? host->view->filter_text : "everything is shown");
	if (!host->config->filters.n) {
		area_put(a, 2, 2, -1, ROLE_TEXT, "no filter is kept yet");
		area_put(a, 3, 2, -1, ROLE_DIM, ":filter-save NAME keeps the one in use");
	}
	for (int y = 0; y < p->list.n_lines && p->list.top + (uint64_t)y < host->config->filters.n;
	     y++) {
		size_t i = p->list.top + (uint64_t)y;
		const struct named_filter *n = &host->config->filters.v[i];
		struct strbuf b = { 0 };
		bool on = says(host, n->text, NULL);
		area_put(a, y + 2, 2, 3, ROLE_TEXT, on ? "[x]" : "[ ]");
		area_put_cut(a, y + 2, 6, 13, ROLE_TEXT, n->name);
		if (i < f->counts.n && f->counts.v[i].failed)
			strbuf_adds(&b, "cannot be read");
		else if (i < f->counts.n)
			text_count(&b, f->counts.v[i].n, 12);
		area_put_cut(a, y + 2, 20, a.n_columns - 36, ROLE_TEXT, n->text);
		area_put_right(a, y + 2, a.n_columns - 15, 14, ROLE_DIM, strbuf_str(&b));
		strbuf_fini(&b);
		search_mark(host->search, a, y + 2);
		if (i == p->list.cursor) {
			area_put(a, y + 2, 0, 1, ROLE_FOCUS, "▌");
			area_bar(a, y + 2);
		}
	}
}

static bool act_filters(struct pane *p, enum action action, uint64_t count, const char *text)
{
	const struct pane_host *host = p->host;
	if (list_act(&p->list, action, count))
		return true;
	if (p->list.cursor >= host->config->filters.n)
		return false;
	const struct named_filter *n = &host->config->filters.v[p->list.cursor];
	switch ((int)action) {
	case ACTION_OPEN: {
		char *copy = strdup(n->text);
		host_close_pages(host, ALL_PAGES);
		if (copy)
			host_set_filter(host, copy, true);
		free(copy);
		return true;
	}
	case ACTION_TOGGLE: {
		struct strbuf b = { 0 };
		if (!says(host, n->text, &b)) {
			host_narrow(host, n->text, false);
			return true;
		}
		host_set_filter(host, strbuf_str(&b), true);
		strbuf_fini(&b);
		return true;
	}
	case ACTION_EXCLUDE: {
		char *name = strdup(n->name);
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
	strbuf_addf(facts, "%zu kept", p->host->config->filters.n);
}

static void line_filters(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	if (entry < p->host->config->filters.n)
		strbuf_addf(to, "%s %s", p->host->config->filters.v[entry].name,
			    p->host->config->filters.v[entry].text);
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
