/*
 * pane_categories: themes, their categories, their events, with counts; the filter decides what is
 * switched on.
 *
 * The order is fixed (themes by how far they reach, names alphabetically), so lines do not move
 * while counts grow. Toggling writes the filter that is shown in the title of the list.
 */
#include <stdlib.h>
#include <string.h>

#include "model/tally.h"
#include "base/tr.h"
#include "ui/area.h"
#include "ui/pane_host.h"
#include "ui/text.h"

enum entry_kind { ENTRY_THEME, ENTRY_CATEGORY, ENTRY_EVENT };

struct entry {
	enum entry_kind kind;
	enum catalog_theme theme;
	/* category or event name; borrowed from the trace, which keeps names to its end */
	const char *name;
	size_t n_name;
	uint32_t id; /* ENTRY_EVENT: name id; ENTRY_CATEGORY: id of its only event, or 0 */
	uint64_t all, shown;
	bool on, is_partly, has_children;
};

struct categories {
	struct pane pane;
	VEC(struct entry) entries; /* the lines */
	bool open_theme[THEME_COUNT];
	VEC(char *) open_categories;
	struct tally *tally; /* counts what the filter shows, by name id */
	unsigned tally_generation;
	unsigned n_quiet; /* themes without any event */
	bool touched;     /* the user has opened or closed something */
	/* what the lines were made from */
	unsigned built_generation;
	uint64_t built_events, built_rows, built_at_ns;
	int built_lines;
};

static struct err *open_categories(const struct pane_host *host, struct pane **ret)
{
	struct categories *c = calloc(1, sizeof(*c));
	if (!c)
		return err_no_memory();
	*ret = &c->pane;
	return NULL;
}

static void close_categories(struct pane *p)
{
	struct categories *c = (struct categories *)p;
	for (size_t i = 0; i < c->open_categories.n; i++)
		free(c->open_categories.v[i]);
	vec_fini(&c->open_categories);
	vec_fini(&c->entries);
	tally_destroy(c->tally);
	free(c);
}

/* The events of no theme are the program's own, unless a name of CPython is among them. */
static const char *theme_text(const struct categories *c, enum catalog_theme theme)
{
	struct view *s = c->pane.host->view;
	bool all_own = theme == THEME_UNKNOWN;
	for (uint32_t i = 1; all_own && i <= trace_n_names(s->trace); i++) {
		const struct name_facts *f = view_name(s, i);
		all_own = f->event || f->is_own;
	}
	return all_own ? tr("own events") : tr(catalog_theme_name(theme));
}

static bool category_is_open(const struct categories *c, const char *name, size_t n)
{
	for (size_t i = 0; i < c->open_categories.n; i++)
		if (strlen(c->open_categories.v[i]) == n &&
		    !memcmp(c->open_categories.v[i], name, n))
			return true;
	return false;
}

static void category_open(struct categories *c, const char *name, size_t n, bool open)
{
	for (size_t i = 0; i < c->open_categories.n; i++)
		if (strlen(c->open_categories.v[i]) == n &&
		    !memcmp(c->open_categories.v[i], name, n)) {
			if (!open) {
				free(c->open_categories.v[i]);
				c->open_categories.v[i] =
				    c->open_categories.v[--c->open_categories.n];
			}
			return;
		}
	char *copy = open ? strndup(name, n) : NULL;
	if (copy && vec_push(&c->open_categories, copy))
		return;
	free(copy);
}

struct by_name {
	const char *name;
	size_t n;
	uint32_t id;
};

static int compare_names(const void *a, const void *b)
{
	const struct by_name *x = a, *y = b;
	size_t n = x->n < y->n ? x->n : y->n;
	int cmp = memcmp(x->name, y->name, n);
	return cmp ? cmp : x->n < y->n ? -1 : x->n > y->n;
}

static void add(struct categories *c, struct entry e)
{
	struct entry copy = e;
	bool pushed = vec_push(&c->entries, copy);
	(void)pushed;
}

static uint64_t n_shown(const struct categories *c, const uint64_t *all, uint32_t id)
{
	if (!c->pane.host->view->run)
		return all[id];
	return c->tally && id < tally_n_keys(c->tally) ? tally_get(c->tally, id).count : 0;
}

/* Count what the filter shows, as far as the filter has come. Returns true if there is more to
 * count. */
static bool count(struct categories *c, uint64_t budget_ns)
{
	struct view *s = c->pane.host->view;
	struct err *err = NULL;
	if (!s->run)
		return false;
	if (!c->tally || c->tally_generation != s->filter_generation) {
		struct tally_spec spec = { .column = GROUP_NAME };
		tally_destroy(c->tally);
		c->tally = NULL;
		c->tally_generation = s->filter_generation;
		err = tally_create(s->trace, &spec, &c->tally);
	}
	if (!err)
		err = tally_step(c->tally, s->shown, view_n_decided(s), budget_ns);
	if (err) {
		err_destroy(err);
		return false;
	}
	return tally_n_rows(c->tally) < view_n_decided(s);
}

static void build(struct categories *c)
{
	const struct pane_host *host = c->pane.host;
	struct view *s = host->view;
	uint32_t n_names = trace_n_names(s->trace);
	const uint64_t *all = trace_count_by_name(s->trace);
	struct by_name *sorted = calloc(n_names + 1, sizeof(*sorted));
	if (!sorted)
		return;
	for (uint32_t id = 1; id <= n_names; id++) {
		sorted[id - 1].name = trace_name(s->trace, id, &sorted[id - 1].n);
		sorted[id - 1].id = id;
	}
	qsort(sorted, n_names, sizeof(*sorted), compare_names);
	c->entries.n = 0;
	c->n_quiet = 0;
	for (int theme = 0; theme < THEME_COUNT; theme++) {
		size_t at = c->entries.n;
		struct entry t = { .kind = ENTRY_THEME,
				   .theme = (enum catalog_theme)theme,
				   .has_children = true };
		unsigned n_on = 0, n_events = 0;
		add(c, t);
		for (uint32_t i = 0; i < n_names; i++) {
			if (view_name(s, sorted[i].id)->theme != (enum catalog_theme)theme)
				continue;
			bool on = toggles_has(host->toggles, sorted[i].name, sorted[i].n);
			n_events++;
			n_on += on;
			t.all += all[sorted[i].id];
			t.shown += on ? n_shown(c, all, sorted[i].id) : 0;
			if (!c->open_theme[theme])
				continue;
			size_t cat = catalog_category_bytes(sorted[i].name, sorted[i].n);
			struct entry *last = c->entries.n > at + 1 ? &c->entries.v[c->entries.n - 1]
								   : NULL;
			struct entry *category = NULL;
			for (size_t k = c->entries.n; last && k > at + 1; k--)
				if (c->entries.v[k - 1].kind == ENTRY_CATEGORY) {
					category = &c->entries.v[k - 1];
					break;
				}
			if (!category || category->n_name != cat ||
			    memcmp(category->name, sorted[i].name, cat)) {
				add(c, (struct entry){ .kind = ENTRY_CATEGORY,
						       .theme = t.theme,
						       .name = sorted[i].name,
						       .n_name = cat,
						       .on = on,
						       .id = sorted[i].id });
				category = &c->entries.v[c->entries.n - 1];
				if (sorted[i].n > cat)
					category->has_children = true;
			} else {
				category->has_children = true;
				category->id = 0;
				if (category->on != on)
					category->is_partly = true;
				category->on |= on;
			}
			category->all += all[sorted[i].id];
			category->shown += on ? n_shown(c, all, sorted[i].id) : 0;
			if (category->has_children &&
			    category_is_open(c, category->name, category->n_name))
				add(c, (struct entry){ .kind = ENTRY_EVENT,
						       .theme = t.theme,
						       .name = sorted[i].name,
						       .n_name = sorted[i].n,
						       .id = sorted[i].id,
						       .on = on,
						       .all = all[sorted[i].id],
						       .shown = n_shown(c, all, sorted[i].id) });
		}
		if (!n_events) {
			c->entries.n = at;
			c->n_quiet += theme != THEME_UNKNOWN;
			continue;
		}
		t.on = n_on > 0;
		t.is_partly = n_on > 0 && n_on < n_events;
		c->entries.v[at] = t;
	}
	free(sorted);
}

static void update_categories(struct pane *p, unsigned changes)
{
	struct categories *c = (struct categories *)p;
	struct view *s = p->host->view;
	/* the counts are updated four times a second (TICK), not with every slice of work */
	if (!(changes & (CHANGE_FILTER | CHANGE_SIZE | CHANGE_TICK)))
		return;
	count(c, 2000000);
	uint64_t rows = s->run && c->tally ? tally_n_rows(c->tally) : s->n_events;
	bool same = c->entries.n && c->built_generation == s->filter_generation &&
		    c->built_events == s->n_events && c->built_rows == rows &&
		    c->built_lines == p->n_lines;
	if (same) {
		list_set(&p->list, c->entries.n, p->n_lines > 8 ? p->n_lines - 3 : p->n_lines);
		return;
	}
	c->built_generation = s->filter_generation;
	c->built_events = s->n_events;
	c->built_rows = rows;
	c->built_at_ns = p->host->now_ns;
	c->built_lines = p->n_lines;
	if (!c->touched && p->n_lines > 16) {
		/* If there is room, open the themes that reach far. */
		for (int i = 0; i < THEME_COUNT; i++)
			c->open_theme[i] = i <= THEME_DATABASE && i != THEME_NATIVE;
	}
	build(c);
	if (!c->touched && (int)c->entries.n > p->n_lines - 4 && p->n_lines > 0) {
		memset(c->open_theme, 0, sizeof(c->open_theme));
		build(c);
	}
	list_set(&p->list, c->entries.n, p->n_lines > 8 ? p->n_lines - 3 : p->n_lines);
}

static bool work_categories(struct pane *p, uint64_t budget_ns)
{
	struct categories *c = (struct categories *)p;
	bool more = count(c, budget_ns);
	bool was_whole = c->built_rows >= c->built_events,
	     is_whole = !more && view_n_decided(p->host->view) == p->host->view->n_events;
	/* show the sum as soon as it is complete, and its progress every 100 ms */
	if (!was_whole && (is_whole || p->host->now_ns - c->built_at_ns >= 100000000u)) {
		update_categories(p, CHANGE_TICK);
		host_redraw(p->host);
	}
	return more;
}

static void draw_categories(const struct pane *p, struct area a)
{
	const struct categories *c = (const struct categories *)p;
	const struct pane_host *host = p->host;
	bool focus = pane_has_focus(p);
	int y = 0;
	for (; y < p->list.n_lines && p->list.top + (uint64_t)y < c->entries.n; y++) {
		const struct entry *e = &c->entries.v[p->list.top + (uint64_t)y];
		bool is_open = e->kind == ENTRY_THEME ? c->open_theme[e->theme]
						      : e->kind == ENTRY_CATEGORY &&
							    category_is_open(c, e->name, e->n_name);
		int x = e->kind == ENTRY_THEME ? 1 : e->kind == ENTRY_CATEGORY ? 3 : 5;
		if (e->kind == ENTRY_THEME ||
		    (e->has_children && (is_open || c->pane.n_columns > 30)))
			area_put(a, y, x - (e->kind == ENTRY_CATEGORY), 1, ROLE_DIM,
				 is_open                  ? "▾"
				 : e->kind == ENTRY_THEME ? "▸"
							  : " ");
		if (e->kind == ENTRY_THEME)
			x++;
		area_put(a, y, x, 3, e->on ? ROLE_TEXT : ROLE_DIM,
			 e->is_partly ? "[-]"
			 : e->on      ? "[x]"
				      : "[ ]");
		x += 4;
		struct strbuf b = { 0 }, count = { 0 };
		text_count(&count, e->on ? e->shown : e->all, 11);
		int count_w = text_width(strbuf_str(&count), count.n);
		enum role role = e->on ? view_role(e->theme) : ROLE_DIM;
		if (e->kind == ENTRY_THEME) {
			strbuf_adds(&b, theme_text(c, e->theme));
		} else if (e->kind == ENTRY_CATEGORY && e->has_children) {
			strbuf_add(&b, e->name, e->n_name);
			strbuf_adds(&b, ".*");
		} else if (e->kind == ENTRY_EVENT) {
			size_t cat = catalog_category_bytes(e->name, e->n_name);
			strbuf_add(&b, e->name + (cat < e->n_name ? cat : 0),
				   e->n_name - (cat < e->n_name ? cat : 0));
		} else {
			strbuf_add(&b, e->name, e->n_name);
		}
		area_put_middle(a, y, x, a.n_columns - x - count_w - 1, role, strbuf_str(&b));
		area_put_right(a, y, a.n_columns - count_w, count_w, e->on ? ROLE_TEXT : ROLE_DIM,
			       strbuf_str(&count));
		strbuf_fini(&b);
		strbuf_fini(&count);
		search_mark(host->search, a, y);
		if (p->list.top + (uint64_t)y == p->list.cursor && focus) {
			area_put(a, y, 0, 1, ROLE_FOCUS, "▌");
			area_bar(a, y);
		}
	}
	if (p->n_lines > 8) {
		y = p->n_lines - 3;
		area_put(a, y, 1, -1, ROLE_DIM, tr("Space on/off  + only this"));
		area_put(a, y + 1, 1, -1, ROLE_DIM, tr("- all but this  = all on"));
		if (c->n_quiet)
			area_printf(a, y + 2, 1, -1, ROLE_DIM,
				    tr(c->n_quiet == 1 ? "nothing yet: %u theme"
						       : "nothing yet: %u themes"),
				    c->n_quiet);
	}
}

static const struct entry *current(const struct categories *c)
{
	return c->pane.list.cursor < c->entries.n ? &c->entries.v[c->pane.list.cursor] : NULL;
}

static bool covers(const struct entry *e, struct view *s, uint32_t id)
{
	size_t n;
	const char *name = trace_name(s->trace, id, &n);
	switch (e->kind) {
	case ENTRY_THEME: return view_name(s, id)->theme == e->theme;
	case ENTRY_CATEGORY:
		return view_name(s, id)->theme == e->theme &&
		       catalog_category_bytes(name, n) == e->n_name &&
		       !memcmp(name, e->name, e->n_name);
	case ENTRY_EVENT: return id == e->id;
	}
	return false;
}

enum switch_how { SWITCH, ONLY, ALL_BUT };

static void switch_entry(struct categories *c, enum switch_how how)
{
	const struct pane_host *host = c->pane.host;
	struct view *s = host->view;
	const struct entry *e = current(c);
	if (!e)
		return;
	uint32_t n_names = trace_n_names(s->trace);
	bool *on = calloc(n_names + 1, sizeof(*on));
	if (!on)
		return;
	bool to = !e->on || e->is_partly;
	bool any = false;
	for (uint32_t id = 1; id <= n_names; id++) {
		size_t n;
		const char *name = trace_name(s->trace, id, &n);
		bool inside = covers(e, s, id);
		on[id] = how == ONLY      ? inside
			 : how == ALL_BUT ? !inside
			 : inside         ? to
					  : toggles_has(host->toggles, name, n);
		any |= on[id];
	}
	if (!any) {
		host_flash(host, "that would show nothing: = switches all on");
	} else {
		struct strbuf text = { 0 };
		toggles_filter(host->toggles, s, on, &text);
		host_set_filter(host, strbuf_str(&text), true);
		strbuf_fini(&text);
	}
	free(on);
}

static void fold_entry(struct categories *c, int open) /* open -1: toggle */
{
	const struct entry *e = current(c);
	if (!e)
		return;
	c->touched = true;
	if (e->kind == ENTRY_THEME) {
		c->open_theme[e->theme] = open < 0 ? !c->open_theme[e->theme] : open;
	} else if (e->kind == ENTRY_CATEGORY && e->has_children) {
		bool is_open = category_is_open(c, e->name, e->n_name);
		if (open == 0 && !is_open)
			goto parent;
		category_open(c, e->name, e->n_name, open < 0 ? !is_open : open);
	} else if (open <= 0) {
		goto parent;
	}
	build(c);
	list_set(&c->pane.list, c->entries.n, c->pane.list.n_lines);
	return;
parent:
	for (uint64_t i = c->pane.list.cursor; i > 0; i--)
		if (c->entries.v[i - 1].kind < e->kind) {
			list_go(&c->pane.list, i - 1);
			return;
		}
}

static bool act_categories(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct categories *c = (struct categories *)p;
	if (list_act(&p->list, action, count))
		return true;
	switch ((int)action) {
	case ACTION_TOGGLE: switch_entry(c, SWITCH); return true;
	case ACTION_INCLUDE: switch_entry(c, ONLY); return true;
	case ACTION_EXCLUDE: switch_entry(c, ALL_BUT); return true;
	case ACTION_OPEN:
	case ACTION_FOLD: fold_entry(c, -1); return true;
	case ACTION_LEFT: fold_entry(c, 0); return true;
	case ACTION_RIGHT: fold_entry(c, 1); return true;
	case ACTION_EXPLAIN: {
		const struct entry *e = current(c);
		if (!e || e->kind == ENTRY_THEME || !e->id)
			return false;
		struct strbuf name = { 0 };
		size_t n;
		const char *s = trace_name(p->host->view->trace, e->id, &n);
		strbuf_add(&name, s, n);
		host_act(p->host, ACTION_CATALOG, 0, strbuf_str(&name));
		strbuf_fini(&name);
		return true;
	}
	default: return false;
	}
}

static void title_categories(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	(void)p;
	(void)subject;
	strbuf_adds(facts, tr("events"));
}

static void line_categories(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct categories *c = (const struct categories *)p;
	if (entry >= c->entries.n)
		return;
	const struct entry *e = &c->entries.v[entry];
	if (e->kind == ENTRY_THEME)
		strbuf_adds(to, theme_text(c, e->theme));
	else
		strbuf_add(to, e->name, e->n_name);
	strbuf_addc(to, ' ');
	strbuf_add_count(to, e->all);
}

const struct pane_ops pane_categories_ops = {
	.open = open_categories,
	.close = close_categories,
	.update = update_categories,
	.draw = draw_categories,
	.act = act_categories,
	.title = title_categories,
	.line = line_categories,
	.work = work_categories,
};
