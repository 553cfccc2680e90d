/*
 * pane_catalog: every audit event there is, by theme, with how often it happened in this capture;
 * at the right, what is known of it.
 */
#include "ui/pane_catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "model/explain.h"
#include "ui/area.h"
#include "ui/pane_host.h"
#include "ui/text.h"

struct cat_line {
	enum catalog_theme theme;
	const struct catalog_event *event; /* NULL: the line of the theme */
};

struct catalog_pane {
	struct pane pane;
	VEC(struct cat_line) lines;
	bool open[THEME_COUNT];
	bool reading; /* the focus is on the text at the right */
	struct strbuf page;
	const struct catalog_event *page_of;
	enum catalog_theme page_theme;
	int page_width, page_top, page_lines;
};

static struct err *open_catalog(const struct pane_host *host, struct pane **ret)
{
	struct catalog_pane *c = calloc(1, sizeof(*c));
	if (!c)
		return err_no_memory();
	c->open[THEME_NETWORK] = c->open[THEME_PROCESS] = true;
	*ret = &c->pane;
	return NULL;
}

static void close_catalog(struct pane *p)
{
	struct catalog_pane *c = (struct catalog_pane *)p;
	vec_fini(&c->lines);
	strbuf_fini(&c->page);
	free(c);
}

static void build(struct catalog_pane *c)
{
	c->lines.n = 0;
	for (int t = 0; t < THEME_UNKNOWN; t++) {
		struct cat_line line = { (enum catalog_theme)t, NULL };
		if (!vec_push(&c->lines, line))
			return;
		for (size_t i = 0; c->open[t] && i < catalog_themes[t].n_events; i++) {
			line.event = &catalog_events[catalog_themes[t].events[i]];
			if (!vec_push(&c->lines, line))
				return;
		}
	}
}

static const struct cat_line *current(const struct pane *p)
{
	const struct catalog_pane *c = (const struct catalog_pane *)p;
	return p->list.cursor < c->lines.n ? &c->lines.v[p->list.cursor] : NULL;
}

static int list_width(const struct pane *p)
{
	return p->n_columns >= 120 ? 38 : 28;
}

static void make_page(struct catalog_pane *c)
{
	const struct cat_line *l = current(&c->pane);
	int width = c->pane.n_columns - list_width(&c->pane) - 3;
	if (!l || (l->event == c->page_of && l->theme == c->page_theme && width == c->page_width &&
		   c->page.n))
		return;
	strbuf_clear(&c->page);
	c->page_of = l->event;
	c->page_theme = l->theme;
	c->page_width = width;
	c->page_top = 0;
	int minor = c->pane.host->view ? c->pane.host->view->python_minor : 0;
	if (l->event)
		explain_event(&c->page, l->event, minor, (unsigned)(width < 40 ? 40 : width));
	else
		explain_theme(&c->page, l->theme, minor, (unsigned)(width < 40 ? 40 : width));
	c->page_lines = 0;
	for (const char *s = strbuf_str(&c->page); *s; s++)
		c->page_lines += *s == '\n';
}

static void update_catalog(struct pane *p, unsigned changes)
{
	struct catalog_pane *c = (struct catalog_pane *)p;
	if (!c->lines.n)
		build(c);
	list_set(&p->list, c->lines.n, p->n_lines);
	make_page(c);
}

void pane_catalog_show(struct pane *p, const char *event)
{
	struct catalog_pane *c = (struct catalog_pane *)p;
	const struct catalog_event *e = catalog_find_str(event);
	if (!e) {
		const struct catalog_event *near[1];
		if (catalog_nearest(event, strlen(event), near, 1))
			host_flash(p->host, tr("%s is not in the catalogue; nearest is %s"), event,
				   near[0]->name);
		else
			host_flash(p->host, tr("%s is not in the catalogue: a package's own event"),
				   event);
		return;
	}
	c->open[e->theme] = true;
	build(c);
	list_set(&p->list, c->lines.n, p->n_lines);
	for (size_t i = 0; i < c->lines.n; i++)
		if (c->lines.v[i].event == e)
			list_go(&p->list, i);
	/* show some lines above the cursor */
	if (p->list.top == p->list.cursor && p->list.top > 2)
		p->list.top -= 2;
	make_page(c);
}

static uint64_t count_here(const struct pane *p, const struct catalog_event *e)
{
	if (!p->host->view)
		return 0;
	uint32_t id = trace_name_find(p->host->view->trace, e->name, strlen(e->name));
	return id ? trace_count_by_name(p->host->view->trace)[id] : 0;
}

static void draw_catalog(const struct pane *p, struct area a)
{
	const struct catalog_pane *c = (const struct catalog_pane *)p;
	int w = list_width(p);
	struct area left = area_sub(a, 0, 0, a.n_lines, w),
		    right = area_sub(a, 0, w + 2, a.n_lines, a.n_columns - w - 2);
	for (int y = 0; y < a.n_lines; y++)
		area_put(a, y, w, 1, ROLE_DIM, "│");
	for (int y = 0; y < a.n_lines && p->list.top + (uint64_t)y < c->lines.n; y++) {
		const struct cat_line *l = &c->lines.v[p->list.top + (uint64_t)y];
		struct strbuf b = { 0 };
		if (!l->event) {
			size_t seen = 0;
			for (size_t i = 0; i < catalog_themes[l->theme].n_events; i++)
				seen += count_here(
					    p,
					    &catalog_events[catalog_themes[l->theme].events[i]]) >
					0;
			area_put(left, y, 1, 1, ROLE_DIM, c->open[l->theme] ? "▾" : "▸");
			area_put_cut(left, y, 3, w - 12, ROLE_FOCUS,
				     tr(catalog_theme_name(l->theme)));
			if (p->host->view)
				strbuf_addf(&b, tr("%zu of %zu"), seen,
					    catalog_themes[l->theme].n_events);
			else
				strbuf_addf(&b, "%zu", catalog_themes[l->theme].n_events);
			area_put_right(left, y, w - 11, 10, ROLE_DIM, strbuf_str(&b));
		} else {
			uint64_t n = count_here(p, l->event);
			if (p->host->view)
				text_count(&b, n, 9);
			int count_w = text_width(strbuf_str(&b), b.n);
			area_put_cut(left, y, 3, w - 5 - count_w,
				     n || !p->host->view ? view_role(l->theme) : ROLE_DIM,
				     l->event->name);
			area_put_right(left, y, w - 1 - count_w, count_w, ROLE_TEXT,
				       strbuf_str(&b));
		}
		strbuf_fini(&b);
		search_mark(p->host->search, left, y);
		if (p->list.top + (uint64_t)y == p->list.cursor) {
			area_put(left, y, 0, 1, ROLE_FOCUS, c->reading ? "▏" : "▌");
			if (!c->reading)
				area_bar(left, y);
		}
	}
	const char *s = strbuf_str(&c->page);
	for (int skip = c->page_top; skip > 0 && *s; skip--) {
		s += strcspn(s, "\n");
		s += *s == '\n';
	}
	for (int y = 0; y < right.n_lines && *s; y++) {
		size_t n = strcspn(s, "\n");
		bool head = n && *s != ' ';
		area_put_n(right, y, 0, -1, head ? ROLE_FOCUS : ROLE_TEXT, s, n);
		search_mark(p->host->search, right, y);
		s += n + (s[n] == '\n');
	}
}

static void scroll_page(struct catalog_pane *c, int by)
{
	c->page_top += by;
	if (c->page_top > c->page_lines - c->pane.n_lines)
		c->page_top = c->page_lines - c->pane.n_lines;
	if (c->page_top < 0)
		c->page_top = 0;
}

static bool act_catalog(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct catalog_pane *c = (struct catalog_pane *)p;
	const struct cat_line *l = current(p);
	if (action == ACTION_PANE_NEXT || action == ACTION_PANE_PREV) {
		c->reading = !c->reading;
		return true;
	}
	if (c->reading) {
		int page = p->n_lines - 1;
		switch ((int)action) {
		case ACTION_DOWN: scroll_page(c, 1); return true;
		case ACTION_UP: scroll_page(c, -1); return true;
		case ACTION_PAGE_DOWN: scroll_page(c, page); return true;
		case ACTION_PAGE_UP: scroll_page(c, -page); return true;
		case ACTION_TOP: scroll_page(c, -c->page_lines); return true;
		case ACTION_BOTTOM: scroll_page(c, c->page_lines); return true;
		case ACTION_LEFT: c->reading = false; return true;
		default: break;
		}
	}
	if (list_act(&p->list, action, count)) {
		make_page(c);
		return true;
	}
	switch ((int)action) {
	case ACTION_RIGHT:
		if (l && !l->event && !c->open[l->theme])
			break;
		c->reading = true;
		return true;
	case ACTION_OPEN:
		if (l && l->event) {
			if (!p->host->view || !count_here(p, l->event)) {
				c->reading = true;
				return true;
			}
			struct strbuf term = { 0 };
			strbuf_adds(&term, "event == ");
			filter_quote(&term, l->event->name, strlen(l->event->name));
			host_close_pages(p->host, ALL_PAGES);
			host_set_filter(p->host, strbuf_str(&term), true);
			strbuf_fini(&term);
			return true;
		}
		break;
	case ACTION_LEFT:
	case ACTION_FOLD: break;
	case ACTION_CATALOG:
	case ACTION_EXPLAIN:
		if (text)
			return false;
		host_close_pages(p->host, PAGE_ON_TOP);
		return true;
	case ACTION_TRY:
		if (!l || !l->event || !p->host->start || !p->host->start->run) {
			host_flash(p->host, tr("auditview try EVENT runs its example"));
			return true;
		}
		if (!l->event->example) {
			host_flash(p->host, tr("%s has no example that runs here"), l->event->name);
			return true;
		} else {
			struct app_source source = { .terminal_fd = -1 };
			struct err *err = p->host->start->run(p->host->start_ctx, l->event->name,
							      NULL, &source);
			const struct pane_host *host = p->host;
			if (!err)
				err = host_open_source(host, &source, SESSION_ABOVE);
			if (err)
				host_flash_err(host, err);
			return true;
		}
	default: return false;
	}
	if (!l)
		return true;
	enum catalog_theme theme = l->theme;
	if (action == ACTION_LEFT && l->event) {
		for (size_t i = 0; i < c->lines.n; i++)
			if (!c->lines.v[i].event && c->lines.v[i].theme == theme)
				list_go(&p->list, i);
	} else {
		c->open[theme] = action == ACTION_LEFT    ? false
				 : action == ACTION_RIGHT ? true
							  : !c->open[theme];
		build(c);
		list_set(&p->list, c->lines.n, p->n_lines);
		for (size_t i = 0; i < c->lines.n; i++)
			if (!c->lines.v[i].event && c->lines.v[i].theme == theme)
				list_go(&p->list, i);
	}
	make_page(c);
	return true;
}

static void title_catalog(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct cat_line *l = current(p);
	strbuf_addf(subject, tr("%zu events of Python 3.%d to 3.%d"), n_catalog_events,
		    CATALOG_MINOR_OLDEST, CATALOG_MINOR_NEWEST);
	if (l && l->event)
		strbuf_addf(facts, tr("%s · since 3.%d · %s"), l->event->name, l->event->since,
			    l->event->documented ? tr("documented") : tr("not documented"));
}

static bool term_catalog(const struct pane *p, struct strbuf *to)
{
	const struct cat_line *l = current(p);
	if (!l || !p->host->view)
		return false;
	if (l->event) {
		strbuf_adds(to, "event == ");
		filter_quote(to, l->event->name, strlen(l->event->name));
	} else {
		const char *name = catalog_theme_name(l->theme);
		strbuf_adds(to, "theme == ");
		filter_quote(to, name, strlen(name));
	}
	return true;
}

static void line_catalog(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct catalog_pane *c = (const struct catalog_pane *)p;
	if (entry < c->lines.n)
		strbuf_adds(to, c->lines.v[entry].event
				    ? c->lines.v[entry].event->name
				    : tr(catalog_theme_name(c->lines.v[entry].theme)));
}

const struct pane_ops pane_catalog_ops = {
	.open = open_catalog,
	.close = close_catalog,
	.update = update_catalog,
	.draw = draw_catalog,
	.act = act_catalog,
	.title = title_catalog,
	.term = term_catalog,
	.line = line_catalog,
};
