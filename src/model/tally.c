/*
 * tally: see tally.h. The clock is read once per some thousand rows; a new key counts as many rows,
 * because its text has to be made.
 */
#include "model/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "base/monotonic.h"
#include "base/vec.h"
#include "model/selection.h"
#include "model/trace.h"

enum { ROWS_PER_LOOK = 4096, ROWS_PER_KEY = 64 };

#define UNSEEN (UINT32_MAX - 1)
/* Added to a key, so that none is 0; TALLY_LEAVE_OUT becomes 1. */
#define PAIR_BASE 2u

struct count {
	uint64_t count, first;
};

struct tally {
	struct trace *trace;
	struct tally_spec spec;
	VEC(uint32_t) key_of_id;
	VEC(uint32_t) name_of_id;    /* of by_name: the name that key_of_id is for */
	struct hash_map key_of_pair; /* of by_name: (id, other name) → key + PAIR_BASE */
	VEC(struct count) counts;
	VEC(uint32_t) bins; /* [keys][n_bins] */
	uint64_t at;
	double per_ns;
};

struct err *tally_create(struct trace *trace, const struct tally_spec *spec, struct tally **ret)
{
	struct tally *t = calloc(1, sizeof(*t));
	if (!t)
		return err_no_memory();
	t->trace = trace;
	t->spec = *spec;
	if (t->spec.n_bins > TALLY_BINS_MAX)
		t->spec.n_bins = TALLY_BINS_MAX;
	if (!t->spec.span_ns)
		t->spec.span_ns = 1;
	t->per_ns = t->spec.n_bins / (double)t->spec.span_ns;
	*ret = t;
	return NULL;
}

void tally_destroy(struct tally *t)
{
	if (!t)
		return;
	vec_fini(&t->key_of_id);
	vec_fini(&t->name_of_id);
	hash_map_fini(&t->key_of_pair);
	vec_fini(&t->counts);
	vec_fini(&t->bins);
	free(t);
}

static bool ids_extend(struct tally *t, uint32_t end)
{
	size_t n = t->key_of_id.n;
	if (n >= end)
		return true;
	if (!vec_reserve(&t->key_of_id, end - n) ||
	    (t->spec.by_name && !vec_reserve(&t->name_of_id, end - n)))
		return false;
	for (; n < end; n++) {
		t->key_of_id.v[n] = UNSEEN;
		if (t->spec.by_name)
			t->name_of_id.v[n] = 0;
	}
	t->key_of_id.n = end;
	t->name_of_id.n = t->spec.by_name ? end : 0;
	return true;
}

static bool keys_extend(struct tally *t, uint32_t end)
{
	while (t->counts.n < end) {
		struct count c = { 0, UINT64_MAX };
		if (!vec_reserve(&t->bins, t->spec.n_bins) || !vec_push(&t->counts, c))
			return false;
		if (t->spec.n_bins)
			memset(t->bins.v + t->bins.n, 0, t->spec.n_bins * sizeof(t->bins.v[0]));
		t->bins.n += t->spec.n_bins;
	}
	return true;
}

/* Merge pairs of bins until time_ns fits. */
static void span_double(struct tally *t, uint64_t time_ns)
{
	uint32_t n = t->spec.n_bins;
	while (time_ns >= t->spec.span_ns && t->spec.span_ns <= UINT64_MAX / 2) {
		t->spec.span_ns *= 2;
		for (size_t at = 0; at < t->bins.n; at += n) {
			uint32_t *b = t->bins.v + at;
			/* an odd last bin is paired with a bin that is still empty */
			for (uint32_t i = 0; i < (n + 1) / 2; i++)
				b[i] = b[2 * i] + (2 * i + 1 < n ? b[2 * i + 1] : 0);
			memset(b + (n + 1) / 2, 0, n / 2 * sizeof(*b));
		}
	}
	t->per_ns = n / (double)t->spec.span_ns;
}

/* Count one row. False if memory is short. *ret_is_new: the key function was called. */
static bool row_add(struct tally *t, const struct chunk *c, uint32_t i, bool *ret_is_new)
{
	uint32_t id = group_id_at(c, t->spec.column, i);
	if (id >= t->key_of_id.n)
		id = 0;
	uint32_t name = c->names[c->name[i]], key = t->key_of_id.v[id], *pair = NULL;
	if (t->spec.by_name && key != UNSEEN && t->name_of_id.v[id] != name) {
		pair = hash_map_place(&t->key_of_pair, hash_map_key(id, name));
		if (!pair)
			return false;
		key = *pair ? *pair - PAIR_BASE : UNSEEN;
	}
	if (key == UNSEEN) {
		key = t->spec.key ? t->spec.key(t->spec.ctx, id, name) : id;
		*ret_is_new = true;
		if (key != TALLY_LEAVE_OUT && !keys_extend(t, key + 1))
			return false;
		if (pair)
			*pair = key + PAIR_BASE;
		else
			t->key_of_id.v[id] = key;
		if (!pair && t->spec.by_name)
			t->name_of_id.v[id] = name;
	}
	if (key == TALLY_LEAVE_OUT)
		return true;
	struct count *n = &t->counts.v[key];
	if (!n->count++)
		n->first = c->first_seq + i;
	if (t->spec.n_bins) {
		uint64_t time_ns = c->time_ns[i];
		if (time_ns >= t->spec.span_ns)
			span_double(t, time_ns);
		uint32_t bin = (uint32_t)((double)time_ns * t->per_ns);
		t->bins.v[(size_t)key * t->spec.n_bins +
			  (bin < t->spec.n_bins ? bin : t->spec.n_bins - 1)]++;
	}
	return true;
}

/* Count the rows of one chunk from t->at on; stops at `end` or at the deadline. */
static struct err *chunk_add(struct tally *t, const struct selection *sel, const struct chunk *c,
			     uint64_t end, uint64_t until_ns, uint32_t *cost)
{
	uint8_t wanted[TRACE_CHUNK];
	uint32_t to = end - c->first_seq < c->n ? (uint32_t)(end - c->first_seq) : c->n;
	for (uint32_t i = 0; t->spec.wants && i < c->n_names; i++)
		wanted[i] = t->spec.wants(t->spec.ctx, c->names[i]);
	while (t->at < c->first_seq + to) {
		uint32_t i = (uint32_t)(t->at - c->first_seq),
			 last = (i | 63) + 1 < to ? (i | 63) + 1 : to;
		uint64_t bits = ~UINT64_C(0);
		if (sel)
			bits = t->at < selection_n_rows(sel) ? selection_words_get(sel)[t->at / 64]
							     : 0;
		bits &= ~UINT64_C(0) << (i & 63);
		if (last & 63)
			bits &= (UINT64_C(1) << (last & 63)) - 1;
		*cost += 16;
		for (; bits; bits &= bits - 1) {
			uint32_t row = (i & ~63u) + (unsigned)__builtin_ctzll(bits);
			bool is_new = false;
			if (t->spec.wants && !wanted[c->name[row]])
				continue;
			if (!row_add(t, c, row, &is_new))
				return err_no_memory();
			*cost += is_new ? ROWS_PER_KEY : 1;
		}
		t->at = c->first_seq + last;
		if (*cost >= ROWS_PER_LOOK) {
			*cost = 0;
			if (until_ns != UINT64_MAX && monotonic_ns() >= until_ns)
				return NULL;
		}
	}
	return NULL;
}

static bool has_wanted(const struct tally *t, const struct chunk_summary *s)
{
	if (!t->spec.wants)
		return true;
	for (uint32_t i = 0; i < s->n_names; i++)
		if (t->spec.wants(t->spec.ctx, s->names[i]))
			return true;
	return false;
}

struct err *tally_step(struct tally *t, const struct selection *sel, uint64_t end,
		       uint64_t budget_ns)
{
	uint64_t until_ns = budget_ns == UINT64_MAX ? UINT64_MAX : monotonic_ns() + budget_ns;
	uint32_t cost = 0;
	struct err *err = NULL;
	if (end > trace_n_events(t->trace))
		end = trace_n_events(t->trace);
	if (!ids_extend(t, group_column_end(t->trace, t->spec.column)))
		return err_no_memory();
	if (!t->spec.key && !keys_extend(t, group_column_end(t->trace, t->spec.column)))
		return err_no_memory();
	while (!err && t->at < end) {
		uint32_t chunk = (uint32_t)(t->at >> TRACE_CHUNK_SHIFT);
		struct chunk_summary s;
		trace_chunk_summary(t->trace, chunk, &s);
		uint64_t stop = s.first_seq + s.n < end ? s.first_seq + s.n : end;
		uint64_t row = sel ? selection_next(sel, t->at) : t->at;
		bool any = row != SELECTION_NONE && row < stop;
		if (!any || !has_wanted(t, &s) || stop <= t->at) {
			t->at = stop > t->at ? stop : end;
			continue;
		}
		const struct chunk *c = trace_chunk(t->trace, chunk);
		if (!c)
			return err_no_memory();
		err = chunk_add(t, sel, c, stop, until_ns, &cost);
		trace_trim(t->trace);
		if (until_ns != UINT64_MAX && monotonic_ns() >= until_ns)
			break;
	}
	return err;
}

uint64_t tally_n_rows(const struct tally *t)
{
	return t->at;
}

uint32_t tally_n_keys(const struct tally *t)
{
	return (uint32_t)t->counts.n;
}

struct tally_entry tally_get(const struct tally *t, uint32_t key)
{
	const struct count *c = &t->counts.v[key];
	return (struct tally_entry){ c->count, c->first,
				     t->spec.n_bins ? t->bins.v + (size_t)key * t->spec.n_bins
						    : NULL };
}

uint64_t tally_span_ns(const struct tally *t)
{
	return t->spec.span_ns;
}
