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
	case GROUP_ARGS: return trace_n_values(t) + 1;
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

static bool chunk_has_selected(const struct selection *sel, uint64_t first_seq, uint32_t n)
{
	uint64_t row = sel ? selection_next(sel, first_seq) : first_seq;
	return row != SELECTION_NONE && row < first_seq + n;
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
		if (!chunk_has_selected(sel, s.first_seq, s.n))
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

struct err *group_spark(struct trace *t, const struct selection *sel, enum group_column column,
			const uint32_t *keys, uint32_t n_keys, uint64_t from_ns, uint64_t to_ns,
			uint32_t n_bins, uint32_t *bins)
{
	uint32_t id_end = group_column_end(t, column);
	if (to_ns <= from_ns || n_bins == 0)
		return NULL;
	double per_ns = n_bins / (double)(to_ns - from_ns);
	for (uint32_t chunk = 0; chunk < trace_n_chunks(t); chunk++) {
		struct chunk_summary s;
		trace_chunk_summary(t, chunk, &s);
		if (s.max_ns < from_ns || s.min_ns >= to_ns ||
		    !chunk_has_selected(sel, s.first_seq, s.n))
			continue;
		const struct chunk *c = trace_chunk(t, chunk);
		if (!c)
			return err_no_memory();
		for (uint32_t word = 0; word * 64 < c->n; word++) {
			uint64_t bits = row_bits(sel, c->first_seq, word, 0, c->n);
			for (; bits; bits &= bits - 1) {
				uint32_t i = word * 64 + (unsigned)__builtin_ctzll(bits),
					 id = group_id_at(c, column, i);
				uint32_t key = keys ? keys[id < id_end ? id : 0] : id;
				if (key >= n_keys || c->time_ns[i] < from_ns ||
				    c->time_ns[i] >= to_ns)
					continue;
				uint32_t bin = (uint32_t)((double)(c->time_ns[i] - from_ns) *
							  per_ns);
				bins[(uint64_t)key * n_bins + (bin < n_bins ? bin : n_bins - 1)]++;
			}
		}
		trace_trim(t);
	}
	return NULL;
}

/* 64 verdicts at a time; `verdicts` by position or id. */
#define SELECT_ROWS(column)                                                                        \
	for (uint32_t word = 0; word * 64 < c->n; word++) {                                        \
		uint32_t n = c->n - word * 64 < 64 ? c->n - word * 64 : 64;                        \
		uint64_t bits = 0;                                                                 \
		for (uint32_t k = 0; k < n; k++)                                                   \
			bits |= (uint64_t)verdicts[(column)[word * 64 + k]] << k;                  \
		words[word] = bits;                                                                \
	}

/* Bytes of 0 or 1 → bits: eight at a time by one multiplication, which collects the low bit of each
 * byte in the top byte. */
static uint64_t bits_of_bytes(const uint8_t *bytes)
{
	uint64_t bits = 0;
	for (unsigned k = 0; k < 8; k++) {
		uint64_t eight;
		memcpy(&eight, bytes + 8 * k, 8);
		bits |= (eight * 0x0102040810204080ull >> 56) << (8 * k);
	}
	return bits;
}

static void positions_select(const uint16_t *column, uint32_t n, const uint8_t *verdicts,
			     uint64_t *words)
{
	uint8_t hits[64];
	uint32_t word = 0;
	for (; (word + 1) * 64 <= n; word++) {
		const uint16_t *rows = column + word * 64;
		uint64_t bits = 0;
		for (unsigned k = 0; k < 64; k += 8) {
			uint32_t low = verdicts[rows[k]] | (uint32_t)verdicts[rows[k + 1]] << 1 |
				       (uint32_t)verdicts[rows[k + 2]] << 2 |
				       (uint32_t)verdicts[rows[k + 3]] << 3;
			uint32_t high = verdicts[rows[k + 4]] |
					(uint32_t)verdicts[rows[k + 5]] << 1 |
					(uint32_t)verdicts[rows[k + 6]] << 2 |
					(uint32_t)verdicts[rows[k + 7]] << 3;
			bits |= (uint64_t)(low | high << 4) << k;
		}
		words[word] = bits;
	}
	if (word * 64 < n) {
		memset(hits, 0, sizeof(hits));
		for (uint32_t k = 0; word * 64 + k < n; k++)
			hits[k] = verdicts[column[word * 64 + k]];
		words[word] = bits_of_bytes(hits);
	}
}

/* The verdict on a whole chunk, if its table decides it: 0 none, 1 all, -1 read the rows. */
static int table_verdict(const uint32_t *ids, uint32_t n, const uint8_t *wanted, uint32_t id_end,
			 uint8_t *verdicts)
{
	bool any = false, all = true;
	for (uint32_t i = 0; i < n; i++) {
		verdicts[i] = wanted[ids[i] < id_end ? ids[i] : 0] != 0;
		any |= verdicts[i];
		all &= verdicts[i];
	}
	return all ? 1 : any ? -1 : 0;
}

struct err *group_select(struct trace *t, enum group_column column, const uint8_t *wanted,
			 uint64_t from, struct selection *ret)
{
	uint32_t id_end = group_column_end(t, column);
	bool tabled = column == GROUP_NAME || column == GROUP_THREAD;
	uint8_t local[TRACE_CHUNK + 1];
	struct err *err = selection_resize(ret, trace_n_events(t), false);
	for (uint32_t chunk = (uint32_t)(from >> TRACE_CHUNK_SHIFT);
	     !err && chunk < trace_n_chunks(t); chunk++) {
		struct chunk_summary s;
		trace_chunk_summary(t, chunk, &s);
		int verdict = -1;
		if (column == GROUP_NAME)
			verdict = table_verdict(s.names, s.n_names, wanted, id_end, local);
		else if (column == GROUP_THREAD)
			verdict = table_verdict(s.threads, s.n_threads, wanted, id_end, local);
		if (verdict >= 0) {
			selection_fill(ret, s.first_seq, s.first_seq + s.n, verdict);
			continue;
		}
		const struct chunk *c = trace_chunk(t, chunk);
		if (!c)
			return err_no_memory();
		uint64_t *words = selection_words(ret) + c->first_seq / 64;
		if (tabled) {
			/* unreadable rows have the name 0 */
			table_verdict(column == GROUP_NAME ? c->names : c->threads,
				      column == GROUP_NAME ? c->n_names : c->n_threads, wanted,
				      id_end, local);
			positions_select(column == GROUP_NAME ? c->name : c->thread, c->n, local,
					 words);
		} else {
			const uint8_t *verdicts = wanted;
			const uint32_t *ids = column == GROUP_ARGS ? c->args : c->stack;
			SELECT_ROWS(ids)
		}
		trace_trim(t);
	}
	return err;
}

struct err *group_stacks_with(struct trace *t, const uint8_t *wanted_frames, uint32_t first,
			      uint8_t *wanted_stacks)
{
	wanted_stacks[0] = 0;
	for (uint32_t id = first ? first : 1; id <= trace_n_stacks(t);) {
		const struct stack_page *page = trace_stack_page(t, id);
		if (!page)
			return err_no_memory();
		for (uint32_t i = id - page->first; i < page->n; i++)
			wanted_stacks[page->first + i] = wanted_frames[page->frames[i]] |
							 wanted_stacks[page->parents[i]];
		id = page->first + page->n;
		trace_trim(t);
	}
	return NULL;
}
