/*
 * summary_rows: see summary_rows.h.
 *
 * The tally (model/tally.h) counts by keys. A key is an index into `kinds`, and each distinct text
 * that the grouping makes has one. Several ids can have the same text, so texts are looked up in a
 * hash map.
 */
#include "ui/summary_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "ui/grouping.h"
#include "ui/pane_host.h"

enum { KINDS_MAX = 1 << 18 }; /* further kinds are counted together */

struct text_of {
	const struct summary_rows *rows;
	const char *text;
};

static bool is_text_of(const void *ctx, uint32_t value)
{
	const struct text_of *t = ctx;
	return !strcmp(t->rows->kinds.v[value - 1].text, t->text);
}

/* Return where the key of a text, plus 1, is kept. NULL if memory is short. */
static uint32_t *place_of(struct summary_rows *r, const char *text)
{
	const struct text_of t = { r, text };
	return hash_map_place_same(&r->key_of_text, hash_map_text_key(text, strlen(text)),
				   is_text_of, &t);
}

/* Index all texts again. Of two equal texts the first one is found. */
static bool texts_index(struct summary_rows *r)
{
	hash_map_clear(&r->key_of_text);
	for (uint32_t i = 0; i < r->kinds.n; i++) {
		uint32_t *at = place_of(r, r->kinds.v[i].text);
		if (!at)
			return false;
		if (!*at)
			*at = i + 1;
	}
	return true;
}

/* A kind can be found in more than one way, for example a host also by its URL: its filter then
 * asks for either. A kind that is found in too many ways has no filter, because it would show fewer
 * events than were counted. */
static void add_way(struct summary_kind *kind, const char *term)
{
	enum { WAYS_MAX = 16 };
	if (!kind->term || strstr(kind->term, term))
		return;
	char *both = NULL;
	if (++kind->n_ways < WAYS_MAX && *term && asprintf(&both, "%s or %s", kind->term, term) < 0)
		both = NULL;
	free(kind->term);
	kind->term = both;
}

/* Return the key of a text, or TALLY_LEAVE_OUT if memory is short. */
static uint32_t key_of(struct summary_rows *r, struct kind_text *k)
{
	if (k->text.failed)
		return TALLY_LEAVE_OUT;
	if (r->kinds.n >= KINDS_MAX) {
		strbuf_clear(&k->text);
		strbuf_clear(&k->term);
		strbuf_addf(&k->text, tr("(all other kinds)"));
		k->role = ROLE_DIM;
	}
	const char *text = strbuf_str(&k->text);
	uint32_t *at = place_of(r, text);
	if (!at)
		return TALLY_LEAVE_OUT;
	if (*at) {
		add_way(&r->kinds.v[*at - 1], strbuf_str(&k->term));
		return *at - 1;
	}
	struct summary_kind kind = { .text = strdup(text),
				     .term = k->term.n ? strdup(strbuf_str(&k->term)) : NULL,
				     .role = k->role,
				     .id = k->id };
	if (!kind.text || !vec_push(&r->kinds, kind)) {
		free(kind.text);
		free(kind.term);
		return TALLY_LEAVE_OUT;
	}
	*at = (uint32_t)r->kinds.n;
	return *at - 1;
}

/* ---- counting ---- */

static bool wants_name(void *ctx, uint32_t name)
{
	const struct summary_rows *r = ctx;
	return grouping_wants_name(r->grouping, r->view, name);
}

static uint32_t tally_key(void *ctx, uint32_t id, uint32_t name)
{
	struct summary_rows *r = ctx;
	const struct grouping *g = r->grouping;
	struct kind_text k = { .s = r->view, .id = id, .name = name, .role = ROLE_TEXT };
	uint32_t frame = 0, key = TALLY_LEAVE_OUT;
	if (g->is_of_caller && id) { /* many stacks have the same caller */
		frame = trace_caller(r->view->trace, id);
		if (frame && frame < r->key_of_frame.n && r->key_of_frame.v[frame])
			return r->key_of_frame.v[frame] - 1;
	}
	g->make(&k);
	if (k.text.n || g->column != GROUP_ARGS)
		key = key_of(r, &k);
	if (frame && key != TALLY_LEAVE_OUT) {
		size_t n = r->key_of_frame.n;
		if (frame >= n && vec_reserve(&r->key_of_frame, frame + 1 - n)) {
			memset(r->key_of_frame.v + n, 0,
			       (frame + 1 - n) * sizeof(r->key_of_frame.v[0]));
			r->key_of_frame.n = frame + 1;
		}
		if (frame < r->key_of_frame.n)
			r->key_of_frame.v[frame] = key + 1;
	}
	strbuf_fini(&k.text);
	strbuf_fini(&k.term);
	return key;
}

static void clear(struct summary_rows *r)
{
	for (size_t i = 0; i < r->kinds.n; i++) {
		free(r->kinds.v[i].text);
		free(r->kinds.v[i].term);
	}
	r->kinds.n = r->order.n = r->key_of_frame.n = 0;
	hash_map_fini(&r->key_of_text);
	r->total = r->max = 0;
	r->sorted_rows = 0;
	sorter_fini(&r->sorter);
	tally_destroy(r->tally);
	r->tally = NULL;
}

const struct summary_kind *summary_rows_at(const struct summary_rows *r, uint64_t line)
{
	return line < r->order.n ? &r->kinds.v[r->order.v[line]] : NULL;
}

unsigned summary_rows_n_bins(int n_columns)
{
	return n_columns < 100 ? 19 : 30;
}

void summary_rows_fini(struct summary_rows *r)
{
	clear(r);
	vec_fini(&r->kinds);
	vec_fini(&r->order);
	vec_fini(&r->key_of_frame);
	free(r->wanted);
}

/* Count from the start. Afterwards the cursor returns to its kind. */
static void restart(struct summary_rows *r, const struct pane *p)
{
	struct view *s = r->view;
	const struct summary_kind *k = summary_rows_at(r, p->list.cursor);
	if (k) {
		free(r->wanted);
		r->wanted = strdup(k->text);
	}
	clear(r);
	r->stale = r->was_whole = false;
	r->generation = s->filter_generation;
	r->n_bins = summary_rows_n_bins(p->n_columns);
	const struct grouping *g = r->grouping;
	uint64_t span = trace_about_get(s->trace)->last_ns + 1;
	if (view_is_live(s)) { /* a round number, because it is going to be doubled */
		uint64_t round = 2000000000u;
		while (round < span)
			round *= 2;
		span = round;
	}
	struct tally_spec spec = { .column = g->column,
				   .key = tally_key,
				   .by_name = g->column == GROUP_ARGS,
				   .wants = g->reading == READING_KIND_COUNT ? NULL : wants_name,
				   .ctx = r,
				   .n_bins = r->n_bins,
				   .span_ns = span };
	struct err *err = tally_create(s->trace, &spec, &r->tally);
	if (err)
		host_flash_err(p->host, err);
}

/* ---- sorting ---- */

static int compare(void *ctx, uint32_t a, uint32_t b)
{
	const struct summary_rows *r = ctx;
	struct tally_entry x = tally_get(r->tally, a), y = tally_get(r->tally, b);
	if (r->sort == SORT_COUNT && x.count != y.count)
		return x.count > y.count ? -1 : 1;
	if (r->sort == SORT_FIRST && x.first != y.first)
		return x.first < y.first ? -1 : 1;
	return strcmp(r->kinds.v[a].text, r->kinds.v[b].text);
}

/* Threads and processes get their names late: make the texts again. */
static void rename_kinds(struct summary_rows *r)
{
	const struct grouping *g = r->grouping;
	for (size_t i = 0; g->column == GROUP_THREAD && i < r->kinds.n; i++) {
		struct kind_text k = { .s = r->view, .id = r->kinds.v[i].id };
		g->make(&k);
		char *text = k.text.failed ? NULL : strdup(strbuf_str(&k.text));
		if (text) {
			free(r->kinds.v[i].text);
			r->kinds.v[i].text = text;
		}
		strbuf_fini(&k.text);
		strbuf_fini(&k.term);
	}
	if (g->column == GROUP_THREAD && !texts_index(r))
		r->stale = true;
}

void summary_rows_sort(struct summary_rows *r, const struct pane *p)
{
	r->view = p->host->view;
	sorter_fini(&r->sorter);
	if (!r->tally)
		return;
	rename_kinds(r);
	r->sorted_rows = tally_n_rows(r->tally);
	r->sorted_at_ns = p->host->now_ns;
	r->sort_ns = 0;
	uint32_t n = tally_n_keys(r->tally) < r->kinds.n ? tally_n_keys(r->tally)
							 : (uint32_t)r->kinds.n;
	for (uint32_t key = 0; key < n; key++)
		if (tally_get(r->tally, key).count && !sorter_add(&r->sorter, key))
			return;
	sorter_begin(&r->sorter, compare, r);
}

/* The sort has finished: use its order, and keep the cursor where it was. */
static void sort_end(struct summary_rows *r, struct pane *p)
{
	const struct summary_kind *k = summary_rows_at(r, p->list.cursor);
	const char *text = r->wanted ? r->wanted : k ? k->text : NULL;
	/* If the user has not moved the cursor yet, it stays on the first line, whatever comes to
	 * be there. */
	if (r->keep_line || (!r->wanted && !r->was_whole && !p->list.cursor))
		text = NULL;
	r->keep_line = false;
	r->order.n = 0;
	r->total = r->max = 0;
	uint32_t n = 0;
	const uint32_t *keys = sorter_get(&r->sorter, &n);
	if (!vec_reserve(&r->order, n))
		return;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t count = tally_get(r->tally, keys[i]).count;
		r->order.v[i] = keys[i];
		r->total += count;
		r->max = count > r->max ? count : r->max;
	}
	r->order.n = n;
	sorter_fini(&r->sorter);
	list_set(&p->list, n, p->n_lines - 1);
	for (size_t i = 0; text && i < n; i++)
		if (!strcmp(r->kinds.v[r->order.v[i]].text, text)) {
			list_go(&p->list, i);
			free(r->wanted);
			r->wanted = NULL;
			break;
		}
	r->was_whole |= r->sorted_rows == r->view->n_events;
	host_redraw(p->host);
}

bool summary_rows_step(struct summary_rows *r, struct pane *p, uint64_t budget_ns)
{
	const struct pane_host *host = p->host;
	struct view *s = host->view;
	r->view = s;
	if (!r->tally || r->stale || r->generation != s->filter_generation)
		restart(r, p);
	if (!r->tally)
		return false;
	if (sorter_is_on(&r->sorter)) {
		uint64_t spent = 0;
		if (!sorter_step(&r->sorter, budget_ns, &spent)) {
			r->sort_ns += spent;
			return true;
		}
		r->sort_ns += spent;
		sort_end(r, p);
	} else if (tally_n_rows(r->tally) < view_n_decided(s)) {
		struct err *err = tally_step(r->tally, s->run ? s->shown : NULL, view_n_decided(s),
					     budget_ns);
		if (err) {
			host_flash_err(host, err);
			return false;
		}
	}
	uint64_t rows = tally_n_rows(r->tally), since = host->now_ns - r->sorted_at_ns;
	bool all = rows == s->n_events, was_all = r->sorted_rows == s->n_events;
	/* show the complete order at once; before that, and when events arrive, only every
	 * `pause` */
	uint64_t pause = view_is_live(s) && r->order.n ? 1000000000u : 150000000u;
	if (rows != r->sorted_rows &&
	    ((all && !was_all && !view_is_live(s)) || !r->order.n ||
	     since >= (pause > 4 * r->sort_ns ? pause : 4 * r->sort_ns))) {
		summary_rows_sort(r, p);
		if (sorter_is_on(&r->sorter) && r->kinds.n < 2000) { /* this takes almost no time */
			uint64_t spent;
			if (sorter_step(&r->sorter, UINT64_MAX, &spent))
				sort_end(r, p);
		}
	}
	return sorter_is_on(&r->sorter) || tally_n_rows(r->tally) < view_n_decided(s);
}
