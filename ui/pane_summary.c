/*
 * pane_summary: the shown events grouped, as top: how many, what share, when, first by whom.
 *
 * A grouping turns a column of the capture (names, threads, stacks, arguments) into keys with a text each; the model does
 * the counting. Live it counts again about once a second; the cursor stays on its row, not on its line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "model/arguments.h"
#include "model/gist.h"
#include "model/group.h"
#include "ui/ui.h"

enum { SPARK_BINS = 40, ARGS_MAX_ROWS = 20000 };

struct row {
	char *text, *term;      /* term: the filter for it; NULL none */
	uint64_t count, first;
	enum role role;
	uint32_t bins[SPARK_BINS];
};

enum sort_by { SORT_COUNT, SORT_NAME, SORT_FIRST, SORT_KINDS };

struct summary {
	struct pane pane;
	size_t field;           /* of groupings[] */
	enum sort_by sort;
	VEC(struct row) rows;
	uint64_t total, max;
	uint64_t built_at_ns;
	bool stale;
	unsigned n_bins;
};

/* What building needs: keys of column ids and the texts of keys. */
struct grouping_work {
	struct view *s;
	enum group_column column;
	uint32_t *keys;
	uint32_t n_ids, n_keys;
	VEC(struct row) rows;
	struct selection *sel;  /* own selection when only some events have such a key; NULL = shown */
	/* texts → keys */
	uint32_t *table;
	uint32_t table_size;
};

static uint64_t hash_text(const char *s)
{
	uint64_t h = 1469598103934665603u;
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h ^ h >> 29;
}

/* Key of a text; takes `text` and `term`. UINT32_MAX when memory is short. */
static uint32_t key_of(struct grouping_work *g, char *text, char *term, enum role role)
{
	if (!text)
		return UINT32_MAX;
	if (g->rows.n * 2 >= g->table_size) {
		uint32_t size = g->table_size ? g->table_size * 2 : 256;
		uint32_t *table = malloc(size * sizeof(*table));
		if (!table) {
			free(text);
			free(term);
			return UINT32_MAX;
		}
		memset(table, 0xff, size * sizeof(*table));
		for (uint32_t i = 0; i < g->rows.n; i++) {
			uint64_t h = hash_text(g->rows.v[i].text) & (size - 1);
			while (table[h] != UINT32_MAX)
				h = (h + 1) & (size - 1);
			table[h] = i;
		}
		free(g->table);
		g->table = table;
		g->table_size = size;
	}
	uint64_t h = hash_text(text) & (g->table_size - 1);
	while (g->table[h] != UINT32_MAX) {
		if (!strcmp(g->rows.v[g->table[h]].text, text)) {
			free(text);
			free(term);
			return g->table[h];
		}
		h = (h + 1) & (g->table_size - 1);
	}
	struct row row = { .text = text, .term = term, .role = role, .first = UINT64_MAX };
	if (!vec_push(&g->rows, row)) {
		free(text);
		free(term);
		return UINT32_MAX;
	}
	g->table[h] = (uint32_t)g->rows.n - 1;
	return (uint32_t)g->rows.n - 1;
}

static char *term_text(const char *field, const char *s, size_t n)
{
	struct strbuf b = { 0 };
	strbuf_addf(&b, "%s == ", field);
	filter_quote(&b, s, n);
	return strbuf_take(&b);
}

static char *escaped(const char *s, size_t n)
{
	struct strbuf b = { 0 };
	utf8_escape(&b, s, n, 0);
	strbuf_adds(&b, "");
	return b.n ? strbuf_take(&b) : strdup("");
}

static bool new_keys(struct grouping_work *g, enum group_column column)
{
	g->column = column;
	g->n_ids = group_column_end(g->s->trace, column);
	g->keys = malloc((g->n_ids ? g->n_ids : 1) * sizeof(*g->keys));
	if (g->keys)
		memset(g->keys, 0xff, g->n_ids * sizeof(*g->keys));
	return g->keys != NULL;
}

static void by_event(struct grouping_work *g)
{
	if (!new_keys(g, GROUP_NAME))
		return;
	for (uint32_t id = 1; id < g->n_ids; id++) {
		size_t n;
		const char *s = trace_name(g->s->trace, id, &n);
		g->keys[id] = key_of(g, escaped(s, n), term_text("event", s, n), view_name(g->s, id)->role);
	}
}

static void by_category(struct grouping_work *g)
{
	if (!new_keys(g, GROUP_NAME))
		return;
	for (uint32_t id = 1; id < g->n_ids; id++) {
		size_t n;
		const char *s = trace_name(g->s->trace, id, &n);
		n = catalog_category_bytes(s, n);
		g->keys[id] = key_of(g, escaped(s, n), term_text("category", s, n), view_name(g->s, id)->role);
	}
}

static void by_theme(struct grouping_work *g)
{
	if (!new_keys(g, GROUP_NAME))
		return;
	for (uint32_t id = 1; id < g->n_ids; id++) {
		enum catalog_theme theme = view_name(g->s, id)->theme;
		const char *name = catalog_theme_name(theme);
		g->keys[id] = key_of(g, strdup(name), term_text("theme", name, strlen(name)), theme_role(theme));
	}
}

static void by_thread(struct grouping_work *g)
{
	if (!new_keys(g, GROUP_THREAD))
		return;
	for (uint32_t id = 0; id < g->n_ids; id++) {
		const struct thread_info *t = trace_thread(g->s->trace, id);
		const struct process_info *p = t ? trace_process(g->s->trace, t->process) : NULL;
		struct strbuf b = { 0 }, term = { 0 };
		event_text_thread(&b, g->s, id, 60);
		if (t) {
			strbuf_addf(&b, "  %u", t->tid);
			strbuf_addf(&term, "tid == %u", t->tid);
			if (p && view_has_processes(g->s))
				strbuf_addf(&term, " and pid == %u", p->pid);
		}
		g->keys[id] = key_of(g, strbuf_take(&b), term.n ? strbuf_take(&term) : NULL, ROLE_TEXT);
	}
}

static void by_process(struct grouping_work *g)
{
	if (!new_keys(g, GROUP_THREAD))
		return;
	for (uint32_t id = 0; id < g->n_ids; id++) {
		const struct thread_info *t = trace_thread(g->s->trace, id);
		const struct process_info *p = t ? trace_process(g->s->trace, t->process) : NULL;
		struct strbuf b = { 0 }, term = { 0 };
		if (p) {
			strbuf_addf(&b, "%u ", p->pid);
			text_string(&b, g->s->trace, p->name);
			strbuf_addf(&term, "pid == %u", p->pid);
		} else {
			strbuf_adds(&b, "??");
		}
		g->keys[id] = key_of(g, strbuf_take(&b), term.n ? strbuf_take(&term) : NULL, ROLE_TEXT);
	}
}

static void by_frame(struct grouping_work *g, bool file_only)
{
	struct trace *t = g->s->trace;
	if (!new_keys(g, GROUP_STACK))
		return;
	for (uint32_t id = 0; id < g->n_ids; id++) {
		uint32_t frame = id ? trace_caller(t, id) : 0;
		struct frame_info f;
		struct strbuf b = { 0 }, term = { 0 };
		if (!frame || !trace_frame(t, frame, &f)) {
			g->keys[id] = key_of(g, strdup(id ? "(library code only)" : "(no stack)"), NULL, ROLE_DIM);
			continue;
		}
		size_t n;
		const char *s = trace_string(t, f.file, &n);
		strbuf_adds(&term, "caller.file == ");
		filter_quote(&term, s, n);
		if (file_only) {
			utf8_escape(&b, s, n, 0);
		} else {
			frame_text_place(&b, g->s, &f);
			strbuf_addc(&b, ' ');
			text_string(&b, t, f.function);
			strbuf_addf(&term, " and caller.line == %u", f.line);
		}
		g->keys[id] = key_of(g, strbuf_take(&b), strbuf_take(&term), ROLE_TEXT);
	}
}

static void by_caller(struct grouping_work *g)
{
	by_frame(g, false);
}

static void by_source(struct grouping_work *g)
{
	by_frame(g, true);
}

/* The argument of an event that is read as `reading` by its gist; -1 if it has none. */
static int arg_with(const struct catalog_event *e, unsigned reading)
{
	for (uint8_t i = 0; e && i < e->n_gist; i++)
		if (e->gist_parts[i].kind == GIST_ARG && e->gist_parts[i].reading == reading)
			return e->gist_parts[i].arg;
	return -1;
}

static void by_argument(struct grouping_work *g, unsigned reading)
{
	struct trace *t = g->s->trace;
	if (!new_keys(g, GROUP_ARGS))
		return;
	struct err *err = selection_create(g->s->n_events, false, &g->sel);
	if (err) {
		err_destroy(err);
		return;
	}
	for (uint32_t c = 0; c < trace_n_chunks(t); c++) {
		struct chunk_summary sum;
		bool any = false;
		if (!trace_chunk_summary(t, c, &sum))
			continue;
		for (uint32_t i = 0; i < sum.n_names && !any; i++)
			any = arg_with(view_name(g->s, sum.names[i])->event, reading) >= 0;
		const struct chunk *chunk = any ? trace_chunk(t, c) : NULL;
		for (uint32_t i = 0; chunk && i < chunk->n && g->rows.n < ARGS_MAX_ROWS; i++) {
			uint32_t name = chunk->names[chunk->name[i]];
			const struct catalog_event *e = view_name(g->s, name)->event;
			int arg = arg_with(e, reading);
			uint64_t seq = chunk->first_seq + i;
			if (arg < 0 || seq >= g->s->n_events || !selection_has(g->s->shown, seq))
				continue;
			uint32_t id = chunk->args[i];
			if (id >= g->n_ids)
				continue;
			if (g->keys[id] == UINT32_MAX) {
				struct arguments a;
				struct argument v;
				arguments_init_value(&a, t, name, g->s->python_minor, id);
				for (int k = 0; k <= arg && arguments_next(&a, &v); k++) {
					if (k < arg) {
						arguments_skip(&a, &v);
						continue;
					}
					if (gist_is_empty(&v.value, reading))
						break;
					struct strbuf b = { 0 }, term = { 0 };
					strbuf_addf(&term, "args.%.*s ", (int)v.n_name, v.name);
					bool text = v.value.tag == VALUE_STR;
					if (text) {
						strbuf_adds(&term, "== ");
						filter_quote(&term, (const char *)v.value.bytes, v.value.n_bytes);
					}
					struct value_iter it = a.it;
					gist_add_value(&b, &it, &v.value, reading);
					if (!text) {
						strbuf_fini(&term);
						/* (host, port): both must be there */
						struct value_node part;
						it = a.it;
						if (reading == READING_HOSTPORT && v.value.n_children >= 2 && value_iter_next(&it, &part) &&
						    part.tag == VALUE_STR) {
							strbuf_addf(&term, "args.%.*s[0] == ", (int)v.n_name, v.name);
							filter_quote(&term, (const char *)part.bytes, part.n_bytes);
							if (value_iter_next(&it, &part) && part.tag == VALUE_INT)
								strbuf_addf(&term, " and args.%.*s[1] == %lld", (int)v.n_name, v.name,
									    (long long)part.i);
						}
					}
					g->keys[id] = key_of(g, strbuf_take(&b), term.n ? strbuf_take(&term) : NULL,
							     view_name(g->s, name)->role);
					strbuf_fini(&term);
				}
			}
			if (g->keys[id] != UINT32_MAX)
				selection_set(g->sel, seq, true);
		}
		trace_trim(t);
	}
}

static void by_host(struct grouping_work *g)
{
	by_argument(g, READING_HOSTPORT);
}

static void by_path(struct grouping_work *g)
{
	by_argument(g, READING_PATH);
}

static void by_command(struct grouping_work *g)
{
	by_argument(g, READING_ARGV);
}

static const struct {
	const char *name;
	void (*make)(struct grouping_work *g);
} groupings[] = {
	{ "event", by_event },   { "caller", by_caller }, { "file", by_path },         { "host", by_host },
	{ "command", by_command }, { "thread", by_thread }, { "process", by_process }, { "theme", by_theme },
	{ "category", by_category }, { "source", by_source },
};

static void clear(struct summary *m)
{
	for (size_t i = 0; i < m->rows.n; i++) {
		free(m->rows.v[i].text);
		free(m->rows.v[i].term);
	}
	m->rows.n = 0;
}

static int compare_count(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	return x->count > y->count ? -1 : x->count < y->count ? 1 : strcmp(x->text, y->text);
}

static int compare_name(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->text, ((const struct row *)b)->text);
}

static int compare_first(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	return x->first < y->first ? -1 : x->first > y->first;
}

static void sort_rows(struct summary *m)
{
	static int (*const compare[SORT_KINDS])(const void *, const void *) = { compare_count, compare_name, compare_first };
	if (m->rows.n)
		qsort(m->rows.v, m->rows.n, sizeof(m->rows.v[0]), compare[m->sort]);
}

static unsigned bins_for(const struct summary *m)
{
	int n = m->pane.n_columns < 100 ? 19 : 30;
	return (unsigned)n;
}

static void build(struct summary *m)
{
	struct ui *ui = m->pane.ui;
	struct view *s = ui->s;
	struct grouping_work g = { .s = s };
	char *current = m->pane.list.cursor < m->rows.n ? strdup(m->rows.v[m->pane.list.cursor].text) : NULL;
	clear(m);
	m->stale = false;
	m->built_at_ns = ui->now_ns;
	m->n_bins = bins_for(m);
	groupings[m->field].make(&g);
	g.n_keys = (uint32_t)g.rows.n;
	uint64_t *counts = calloc(g.n_keys ? g.n_keys : 1, sizeof(*counts));
	uint64_t *first = malloc((g.n_keys ? g.n_keys : 1) * sizeof(*first));
	uint64_t *last = calloc(g.n_keys ? g.n_keys : 1, sizeof(*last));
	uint32_t *bins = calloc((size_t)(g.n_keys ? g.n_keys : 1) * m->n_bins, sizeof(*bins));
	const struct selection *sel = g.sel ? g.sel : s->run ? s->shown : NULL;
	if (counts && first && last && bins && g.keys && g.n_keys) {
		memset(first, 0xff, g.n_keys * sizeof(*first));
		struct err *err = group_count_first(s->trace, sel, 0, s->n_events, g.column, g.keys, g.n_keys, counts, first, last);
		if (!err)
			err = group_spark(s->trace, sel, g.column, g.keys, g.n_keys, 0, trace_about_get(s->trace)->last_ns + 1, m->n_bins, bins);
		err_destroy(err);
	}
	m->total = m->max = 0;
	for (uint32_t i = 0; i < g.n_keys; i++) {
		struct row row = g.rows.v[i];
		row.count = counts ? counts[i] : 0;
		row.first = first ? first[i] : UINT64_MAX;
		if (bins)
			memcpy(row.bins, bins + (size_t)i * m->n_bins, m->n_bins * sizeof(*bins));
		m->total += row.count;
		if (row.count > m->max)
			m->max = row.count;
		if (!row.count || !vec_push(&m->rows, row)) {
			free(row.text);
			free(row.term);
		}
	}
	free(counts);
	free(first);
	free(last);
	free(bins);
	free(g.keys);
	free(g.table);
	selection_destroy(g.sel);
	vec_fini(&g.rows);
	sort_rows(m);
	list_set(&m->pane.list, m->rows.n, m->pane.n_lines - 1);
	for (size_t i = 0; current && i < m->rows.n; i++)
		if (!strcmp(m->rows.v[i].text, current)) {
			list_go(&m->pane.list, i);
			break;
		}
	free(current);
}

static struct err *open_summary(struct ui *ui, struct pane **ret)
{
	struct summary *m = calloc(1, sizeof(*m));
	if (!m)
		return err_no_memory();
	m->stale = true;
	*ret = &m->pane;
	return NULL;
}

static void close_summary(struct pane *p)
{
	struct summary *m = (struct summary *)p;
	clear(m);
	vec_fini(&m->rows);
	free(m);
}

static void update_summary(struct pane *p, unsigned changes)
{
	struct summary *m = (struct summary *)p;
	if (changes & (CHANGE_FILTER | CHANGE_EVENTS))
		m->stale = true;
	bool soon = changes & (CHANGE_FILTER | CHANGE_SIZE) || p->ui->now_ns - m->built_at_ns >= 1000000000u;
	if (m->stale && soon)
		build(m);
	list_set(&p->list, m->rows.n, p->n_lines - 1);
}

void pane_summary_by(struct pane *p, const char *field)
{
	struct summary *m = (struct summary *)p;
	for (size_t i = 0; i < ARRAY_LEN(groupings); i++)
		if (!strcmp(groupings[i].name, field)) {
			m->field = i;
			build(m);
			return;
		}
	struct strbuf b = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(groupings); i++)
		strbuf_addf(&b, " %s", groupings[i].name);
	ui_flash(p->ui, "cannot group by %s; known are%s", field, strbuf_str(&b));
	strbuf_fini(&b);
}

static void draw_summary(const struct pane *p, struct area a)
{
	const struct summary *m = (const struct summary *)p;
	struct view *s = p->ui->s;
	int w = a.n_columns, rest = w - 27 - (int)m->n_bins; /* for the name and for who did it first */
	int first_w = rest - 23 < 30 ? rest - 23 : 30;
	if (w >= 100 && first_w < 22)
		first_w = 22;
	if (rest - first_w > 60)
		first_w = rest - 60;
	int name_w = rest - first_w, count_x = 2 + name_w, pct_x = count_x + 10, bar_x = pct_x + 4;
	int spark_x = bar_x + 10, first_x = spark_x + (int)m->n_bins + 1;
	struct strbuf b = { 0 };
	area_put(a, 0, 2, name_w, m->sort == SORT_NAME ? ROLE_FOCUS : ROLE_DIM, groupings[m->field].name);
	area_put_right(a, 0, count_x, 10, m->sort == SORT_COUNT ? ROLE_FOCUS : ROLE_DIM, m->sort == SORT_COUNT ? "events▾" : "events ");
	area_put_right(a, 0, pct_x, 3, ROLE_DIM, "%");
	strbuf_adds(&b, "when 0 … ");
	text_duration(&b, trace_about_get(s->trace)->last_ns);
	area_put_cut(a, 0, spark_x, (int)m->n_bins, ROLE_DIM, strbuf_str(&b));
	area_put(a, 0, first_x, -1, m->sort == SORT_FIRST ? ROLE_FOCUS : ROLE_DIM, "first by");
	bool focus = ui_focused(p->ui) == p;
	if (!m->rows.n)
		area_put(a, 2, 2, -1, ROLE_TEXT, "no shown event has one; b groups by something else");
	for (int y = 0; y < p->list.n_lines && p->list.top + (uint64_t)y < m->rows.n; y++) {
		const struct row *r = &m->rows.v[p->list.top + (uint64_t)y];
		bool is_cursor = p->list.top + (uint64_t)y == p->list.cursor;
		enum role ink = is_cursor ? r->role : ROLE_DIM;
		strbuf_clear(&b);
		text_cut(&b, r->text, strlen(r->text), name_w, strchr(r->text, '/') != NULL);
		area_put(a, y + 1, 2, name_w, r->role, strbuf_str(&b));
		strbuf_clear(&b);
		text_count(&b, r->count, 9);
		area_put_right(a, y + 1, count_x, 9, ROLE_TEXT, strbuf_str(&b));
		double share = m->total ? (double)r->count / (double)m->total : 0;
		char pct[16];
		snprintf(pct, sizeof(pct), share < 0.005 ? "·" : "%.0f", share * 100);
		area_put_right(a, y + 1, pct_x, 3, ROLE_DIM, pct);
		strbuf_clear(&b);
		text_bar(&b, m->max ? (double)r->count / (double)m->max : 0, 9);
		area_put(a, y + 1, bar_x, 9, ink, strbuf_str(&b));
		uint32_t max = 0;
		for (unsigned i = 0; i < m->n_bins; i++)
			if (r->bins[i] > max)
				max = r->bins[i];
		strbuf_clear(&b);
		text_spark(&b, r->bins, m->n_bins, max);
		area_put(a, y + 1, spark_x, (int)m->n_bins, ink, strbuf_str(&b));
		struct event e;
		if (r->first != UINT64_MAX && trace_event(s->trace, r->first, &e)) {
			strbuf_clear(&b);
			event_text_caller(&b, s, &e, w >= 100);
			area_put_cut(a, y + 1, first_x, -1, ROLE_DIM, strbuf_str(&b));
		}
		search_mark(&p->ui->search, a, y + 1);
		if (is_cursor) {
			area_put(a, y + 1, 0, 1, ROLE_FOCUS, focus ? "▌" : "▏");
			if (focus)
				area_bar(a, y + 1);
		}
	}
	strbuf_fini(&b);
}

static const struct row *current(const struct pane *p)
{
	const struct summary *m = (const struct summary *)p;
	return p->list.cursor < m->rows.n ? &m->rows.v[p->list.cursor] : NULL;
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
			m->field = (m->field + 1) % ARRAY_LEN(groupings);
			m->pane.list.cursor = 0;
			build(m);
		}
		return true;
	case ACTION_SORT:
		m->sort = (enum sort_by)((m->sort + 1) % SORT_KINDS);
		sort_rows(m);
		return true;
	case ACTION_OPEN: {
		const struct row *r = current(p);
		if (!r)
			return true;
		if (r->term) {
			char *term = strdup(r->term);
			ui_close_all_pages(p->ui);
			if (term)
				ui_narrow(p->ui, term, false);
			free(term);
		} else if (r->first != UINT64_MAX) {
			uint64_t first = r->first;
			ui_close_all_pages(p->ui);
			ui_goto(p->ui, first);
		}
		return true;
	}
	case ACTION_SUMMARY:
		if (text)
			pane_summary_by(p, text);
		else
			ui_close_page(p->ui);
		return true;
	default: return false;
	}
}

static void title_summary(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct summary *m = (const struct summary *)p;
	strbuf_adds(subject, p->ui->s->filter_text);
	strbuf_addf(facts, "by %s · ", groupings[m->field].name);
	strbuf_add_count(facts, m->total);
	strbuf_adds(facts, m->total ? " events · " : "0 events · ");
	strbuf_add_count(facts, m->rows.n);
	strbuf_adds(facts, m->rows.n == 1 ? " kind" : m->rows.n ? " kinds" : "0 kinds");
}

static bool term_summary(const struct pane *p, struct strbuf *to)
{
	const struct row *r = current(p);
	if (!r || !r->term)
		return false;
	strbuf_adds(to, r->term);
	return true;
}

static void line_summary(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct summary *m = (const struct summary *)p;
	if (entry < m->rows.n)
		strbuf_addf(to, "%s %llu", m->rows.v[entry].text, (unsigned long long)m->rows.v[entry].count);
}

const struct pane_ops pane_summary_ops = {
	.open = open_summary, .close = close_summary, .update = update_summary, .draw = draw_summary, .act = act_summary,
	.title = title_summary, .term = term_summary, .line = line_summary,
};
