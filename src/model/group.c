/*
 * group: see group.h.
 *
 * In a chunk, names and threads are stored as positions in small tables, so events are counted per
 * position first and then once per table entry by key. For a whole chunk no row is read: its table
 * has the counts.
 */
#include "model/group.h"

#include <stdlib.h>
#include <string.h>

#include "model/selection.h"
#include "model/trace.h"

uint32_t group_column_end(const struct trace *t, enum group_column column)
{
	switch (column) {
	case GROUP_NAME: return trace_n_names(t) + 1;
	case GROUP_THREAD: return trace_n_threads(t) ? trace_n_threads(t) : 1;
	case GROUP_ARGS:
	case GROUP_TASK: return trace_n_values(t) + 1;
	case GROUP_STACK: return trace_n_stacks(t) + 1;
	case GROUP_COLUMN_COUNT: break;
	}
	return 0;
}

/* What to count, and where the sums are stored. */
struct counting {
	const struct selection *sel;
	enum group_column column;
	const uint32_t *keys;
	uint32_t n_keys, id_end;
	uint64_t *counts, *first, *last;
	uint32_t local[TRACE_CHUNK]; /* counts by position */
};

static uint32_t key_of(const struct counting *g, uint32_t id)
{
	if (id >= g->id_end)
		id = 0;
	uint32_t key = g->keys ? g->keys[id] : id;
	return key < g->n_keys ? key : UINT32_MAX;
}

static void table_add(struct counting *g, const uint32_t *ids, const uint32_t *n, uint32_t n_ids)
{
	for (uint32_t i = 0; i < n_ids; i++) {
		uint32_t key = key_of(g, ids[i]);
		if (key != UINT32_MAX)
			g->counts[key] += n[i];
	}
}

static void row_add(struct counting *g, uint32_t id, uint64_t seq)
{
	uint32_t key = key_of(g, id);
	if (key == UINT32_MAX)
		return;
	g->counts[key]++;
	if (g->first && seq < g->first[key])
		g->first[key] = seq;
	if (g->last && seq > g->last[key])
		g->last[key] = seq;
}

/* The bits of rows [64 * word, …) of the chunk that are selected and in [from, to). */
static uint64_t row_bits(const struct selection *sel, uint64_t first_seq, uint32_t word,
			 uint32_t from, uint32_t to)
{
	uint64_t bits = ~0ull, at = first_seq / 64 + word;
	uint32_t begin = word * 64;
	if (sel)
		bits = at * 64 < selection_n_rows(sel) ? selection_words_get(sel)[at] : 0;
	if (begin < from)
		bits &= ~0ull << (from - begin);
	if (begin + 64 > to)
		bits &= (1ull << (to - begin)) - 1;
	return bits;
}

/* Positions of a u16 column: count each, then map positions to keys. */
static void positions_add(struct counting *g, const struct chunk *c, uint32_t from, uint32_t to)
{
	const uint16_t *column = g->column == GROUP_NAME ? c->name : c->thread;
	const uint32_t *ids = g->column == GROUP_NAME ? c->names : c->threads;
	uint32_t n_ids = g->column == GROUP_NAME ? c->n_names : c->n_threads;
	memset(g->local, 0, n_ids * sizeof(g->local[0]));
	for (uint32_t word = from / 64; word * 64 < to; word++) {
		uint64_t bits = row_bits(g->sel, c->first_seq, word, from, to);
		const uint16_t *rows = column + word * 64;
		if (bits == ~0ull) {
			for (unsigned k = 0; k < 64; k++)
				g->local[rows[k]]++;
		} else {
			for (; bits; bits &= bits - 1)
				g->local[rows[__builtin_ctzll(bits)]]++;
		}
	}
	table_add(g, ids, g->local, n_ids);
}

static void rows_add(struct counting *g, const struct chunk *c, uint32_t from, uint32_t to)
{
	for (uint32_t word = from / 64; word * 64 < to; word++) {
		uint64_t bits = row_bits(g->sel, c->first_seq, word, from, to);
		for (; bits; bits &= bits - 1) {
			uint32_t i = word * 64 + (unsigned)__builtin_ctzll(bits);
			row_add(g, group_id_at(c, g->column, i), c->first_seq + i);
		}
	}
}

struct err *group_count_first(struct trace *t, const struct selection *sel, uint64_t from,
			      uint64_t to, enum group_column column, const uint32_t *keys,
			      uint32_t n_keys, uint64_t *counts, uint64_t *first, uint64_t *last)
{
	struct counting *g = malloc(sizeof(*g));
	if (!g)
		return err_no_memory();
	*g = (struct counting){ .sel = sel,
				.column = column,
				.keys = keys,
				.n_keys = n_keys,
				.id_end = group_column_end(t, column),
				.counts = counts,
				.first = first,
				.last = last };
	bool tabled = column == GROUP_NAME || column == GROUP_THREAD, wants_rows = first || last;
	struct err *err = NULL;
	to = to < trace_n_events(t) ? to : trace_n_events(t);
	for (uint64_t seq = from; seq < to && !err;) {
		struct chunk_summary s;
		uint32_t chunk = (uint32_t)(seq >> TRACE_CHUNK_SHIFT);
		trace_chunk_summary(t, chunk, &s);
		uint32_t begin = (uint32_t)(seq - s.first_seq);
		uint32_t end = to - s.first_seq < s.n ? (uint32_t)(to - s.first_seq) : s.n;
		seq = s.first_seq + TRACE_CHUNK;
		if (!selection_has_any(sel, s.first_seq, s.n))
			continue;
		if (tabled && !sel && !wants_rows && begin == 0 && end == s.n) {
			bool names = column == GROUP_NAME;
			table_add(g, names ? s.names : s.threads, names ? s.name_n : s.thread_n,
				  names ? s.n_names : s.n_threads);
			continue;
		}
		const struct chunk *c = trace_chunk(t, chunk);
		if (!c)
			err = err_no_memory();
		else if (tabled && !wants_rows)
			positions_add(g, c, begin, end);
		else
			rows_add(g, c, begin, end);
		trace_trim(t);
	}
	free(g);
	return err;
}

struct err *group_count(struct trace *t, const struct selection *sel, uint64_t from, uint64_t to,
			enum group_column column, const uint32_t *keys, uint32_t n_keys,
			uint64_t *counts)
{
	return group_count_first(t, sel, from, to, column, keys, n_keys, counts, NULL, NULL);
}
