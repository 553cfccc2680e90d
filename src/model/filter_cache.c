/*
 * filter_cache: see filter_cache.h.
 */
#include "model/filter_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/value.h"
#include "capture/value_scan.h"
#include "model/filter_scan.h"
#include "model/trace.h"

/* unused memos beyond this number are freed, the longest unused first; each has up to a few MB */
#define MEMOS_MAX 24

bool filter_cache_verdicts_extend(verdict_vec *v, size_t n)
{
	if (n <= v->n)
		return true;
	if (n > v->cap && !vec_reserve(v, n - v->n))
		return false;
	memset(v->v + v->n, 0, n - v->n);
	v->n = n;
	return true;
}

bool filter_cache_bits_extend(bit_vec *v, size_t n_bits)
{
	size_t n = (n_bits + 63) / 64;
	while (v->n < n)
		if (!vec_push(v, 0))
			return false;
	return true;
}

static void memo_destroy(struct memo *m)
{
	if (!m)
		return;
	vec_fini(&m->names);
	vec_fini(&m->threads);
	vec_fini(&m->frames);
	vec_fini(&m->stacks);
	vec_fini(&m->strings);
	for (size_t i = 0; i < m->values.n; i++) {
		vec_fini(&m->values.v[i]->tuples);
		vec_fini(&m->values.v[i]->arguments);
		vec_fini(&m->values.v[i]->candidates);
		vec_fini(&m->values.v[i]->names);
		free(m->values.v[i]);
	}
	vec_fini(&m->values);
	free(m->key);
	free(m->text);
	free(m);
}

struct err *filter_cache_create(struct trace *t, struct filter_cache **ret)
{
	CLEANUP(filter_cache) struct filter_cache *c = calloc(1, sizeof(*c));
	if (!c)
		return err_no_memory();
	c->trace = t;
	struct err *err = regex_matcher_create(&c->matcher);
	if (err)
		return err;
	*ret = take_ptr(c);
	return NULL;
}

void filter_cache_destroy(struct filter_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->memos.n; i++)
		memo_destroy(c->memos.v[i]);
	vec_fini(&c->memos);
	vec_fini(&c->refs);
	vec_fini(&c->refs_end);
	vec_fini(&c->exotic);
	vec_fini(&c->depths);
	regex_matcher_destroy(c->matcher);
	strbuf_fini(&c->scratch);
	strbuf_fini(&c->gathered.text);
	free(c);
}

static void drop_unused(struct filter_cache *c)
{
	while (c->memos.n >= MEMOS_MAX) {
		size_t oldest = SIZE_MAX;
		for (size_t i = 0; i < c->memos.n; i++)
			if (!c->memos.v[i]->n_users &&
			    (oldest == SIZE_MAX ||
			     c->memos.v[i]->last_used < c->memos.v[oldest]->last_used))
				oldest = i;
		if (oldest == SIZE_MAX)
			return;
		memo_destroy(c->memos.v[oldest]);
		c->memos.v[oldest] = c->memos.v[--c->memos.n];
	}
}

/* The text that a term looks for in any argument, if that is its only test. */
static const char *looked_for(const struct filter_term *t, size_t *ret_n)
{
	if (t->field != FIELD_ARGS || t->select != ARG_ANY || t->steps.n || t->event)
		return NULL;
	if (t->op == OP_MATCH)
		return regex_plain_get(t->regex, ret_n);
	*ret_n = t->op == OP_CONTAINS ? t->literals.v[0].n_text : 0;
	return t->op == OP_CONTAINS ? t->literals.v[0].text : NULL;
}

/* While a text is typed, each version is a part of the next: a value without the shorter one does
 * not have the longer one. */
static void narrow(struct filter_cache *c, struct memo *to, const char *text, size_t n)
{
	const struct memo *from = NULL;
	for (size_t i = 0; i < c->memos.n; i++) {
		const struct memo *m = c->memos.v[i];
		if (m != to && m->text && m->n_text < n && memmem(text, n, m->text, m->n_text) &&
		    m->values.n && (!from || m->n_text > from->n_text))
			from = m;
	}
	const struct value_table *old = from ? from->values.v[0] : NULL;
	struct value_table *table = old && old->position == POSITION_ANY
					? filter_cache_value_table(to, POSITION_ANY)
					: NULL;
	if (!table || !filter_cache_verdicts_extend(&table->tuples, old->tuples.n) ||
	    !filter_cache_verdicts_extend(&table->arguments, old->arguments.n) ||
	    !filter_cache_bits_extend(&table->candidates, old->candidates.n * 64))
		return;
	for (size_t i = 0; i < old->tuples.n; i++)
		table->tuples.v[i] = old->tuples.v[i] == VERDICT_YES ? VERDICT_UNKNOWN
								     : old->tuples.v[i];
	for (size_t i = 0; i < old->arguments.n; i++)
		table->arguments.v[i] = old->arguments.v[i] == VERDICT_YES ? VERDICT_UNKNOWN
									   : old->arguments.v[i];
	if (old->candidates.n)
		memcpy(table->candidates.v, old->candidates.v, old->candidates.n * 8);
	table->n_scanned = old->n_scanned;
}

struct err *filter_cache_memo(struct filter_cache *c, const struct filter_term *t,
			      struct memo **ret)
{
	struct memo *m = NULL;
	for (size_t i = 0; i < c->memos.n && !m; i++)
		if (!strcmp(c->memos.v[i]->key, t->key))
			m = c->memos.v[i];
	if (!m) {
		drop_unused(c);
		m = calloc(1, sizeof(*m));
		if (!m || !(m->key = strdup(t->key)) || !vec_push(&c->memos, m)) {
			memo_destroy(m);
			return err_no_memory();
		}
		size_t n;
		const char *text = looked_for(t, &n);
		if (text && (m->text = strndup(text, n))) {
			m->n_text = n;
			narrow(c, m, text, n);
		}
	}
	m->n_users++;
	m->last_used = ++c->clock;
	*ret = m;
	return NULL;
}

void filter_cache_release(struct filter_cache *c, struct memo *m)
{
	m->n_users--;
	m->last_used = ++c->clock;
}

struct value_table *filter_cache_value_table(struct memo *m, int position)
{
	for (size_t i = 0; i < m->values.n; i++)
		if (m->values.v[i]->position == position)
			return m->values.v[i];
	struct value_table *table = calloc(1, sizeof(*table));
	if (!table || !vec_push(&m->values, table)) {
		free(table);
		return NULL;
	}
	table->position = position;
	return table;
}

struct refs_of {
	struct filter_cache *cache;
	uint32_t self; /* id of the value that is scanned: it can refer to smaller ones only */
};

static bool collect_ref(void *ctx, uint64_t id)
{
	const struct refs_of *r = ctx;
	return !id || id >= r->self || vec_push(&r->cache->refs, (uint32_t)id);
}

bool filter_cache_has_dict(struct filter_cache *c, uint32_t end)
{
	while (!c->has_dict && c->n_tags_seen + 1 < end) {
		const struct string_page *page = trace_value_page(c->trace, c->n_tags_seen + 1);
		if (!page)
			return true;
		uint32_t stop = page->first + page->n < end ? page->first + page->n : end;
		for (uint32_t id = c->n_tags_seen + 1; id < stop; id++) {
			uint32_t at = page->offsets[id - page->first];
			c->has_dict |= page->offsets[id + 1 - page->first] > at &&
				       page->bytes[at] == VALUE_DICT;
		}
		c->n_tags_seen = stop - 1;
	}
	return c->has_dict;
}

struct err *filter_cache_index(struct filter_cache *c, uint32_t end)
{
	/* U+017F and U+212A fold to s and k */
	struct scan_needle long_s = scan_needle_make("\xc5\xbf", 2, false),
			   kelvin = scan_needle_make("\xe2\x84\xaa", 3, false);
	if (!c->refs_end.n && !vec_push(&c->refs_end, 0))
		return err_no_memory();
	while (c->n_indexed + 1 < end) {
		uint32_t first = c->n_indexed + 1;
		const struct string_page *page = trace_value_page(c->trace, first);
		if (!page)
			return err_no_memory();
		uint32_t stop = page->first + page->n < end ? page->first + page->n : end;
		if (!vec_reserve(&c->refs_end, stop - first) ||
		    !filter_cache_bits_extend(&c->exotic, stop))
			return err_no_memory();
		const uint8_t *from = page->bytes + page->offsets[first - page->first];
		const uint8_t *to = page->bytes + page->offsets[stop - page->first];
		bool has_exotic = scan_find(&long_s, from, to) || scan_find(&kelvin, from, to);
		for (uint32_t id = first; id < stop; id++) {
			const uint8_t *p = page->bytes + page->offsets[id - page->first];
			const uint8_t *q = page->bytes + page->offsets[id + 1 - page->first];
			struct refs_of of = { c, id };
			value_scan_refs(p, q, collect_ref, &of);
			c->refs_end.v[c->refs_end.n++] = (uint32_t)c->refs.n;
			if (has_exotic && (scan_find(&long_s, p, q) || scan_find(&kelvin, p, q)))
				c->exotic.v[id / 64] |= UINT64_C(1) << (id & 63);
		}
		c->n_indexed = stop - 1;
	}
	return NULL;
}
