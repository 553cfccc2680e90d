/*
 * stat_callers: see stat_callers.h.
 */
#include "commands/stat_callers.h"

#include <stdlib.h>
#include <string.h>

#include "commands/stat_table.h"

static bool pairs_add(struct stat_callers *c, uint32_t row, uint32_t caller, uint64_t n)
{
	uint32_t *at = hash_map_place(&c->index, hash_map_key(row, caller));
	struct stat_pair fresh = { row, caller, 0 };
	if (!at || (!*at && !vec_push(&c->pairs, fresh)))
		return false;
	if (!*at)
		*at = (uint32_t)c->pairs.n;
	c->pairs.v[*at - 1].n += n;
	return true;
}

void stat_callers_add(struct stat_callers *c, uint32_t row, uint32_t caller)
{
	struct stat_pair *last = &c->last;
	if (last->n && (last->row != row || last->caller != caller)) {
		c->has_failed |= !pairs_add(c, last->row, last->caller, last->n);
		last->n = 0;
	}
	*last = (struct stat_pair){ row, caller, last->n + 1 };
}

struct key_of {
	const struct stat_table *table;
	const char *key;
};

static bool is_key_of(const void *ctx, uint32_t value)
{
	const struct key_of *k = ctx;
	return !strcmp(k->table->rows.v[value - 1].key, k->key);
}

/* ret: [rows of the table] the first row with the same key. */
static bool find_equals(const struct stat_table *b, uint32_t *ret)
{
	struct hash_map first = { 0 }; /* key → row + 1 */
	bool ok = true;
	for (uint32_t i = 0; ok && i < b->rows.n; i++) {
		const struct key_of k = { b, b->rows.v[i].key };
		ret[i] = i;
		if (!k.key)
			continue;
		uint32_t *at = hash_map_place_same(&first, hash_map_text_key(k.key, strlen(k.key)),
						   is_key_of, &k);
		ok = at != NULL;
		if (at && !*at)
			*at = i + 1;
		else if (at)
			ret[i] = *at - 1;
	}
	hash_map_fini(&first);
	return ok;
}

/* Give each row the caller with the most events in `sums`, which has rows that stand for all with
 * the same key. */
static void set_callers(const struct stat_callers *sums, struct stat_table *b,
			const uint32_t *equals, uint64_t *best)
{
	for (size_t i = 0; i < sums->pairs.n; i++) {
		const struct stat_pair *p = &sums->pairs.v[i];
		struct stat_row *row = &b->rows.v[p->row];
		if (p->n > best[p->row] || (p->n == best[p->row] && p->caller < row->caller)) {
			best[p->row] = p->n;
			row->caller = p->caller;
		}
	}
	for (size_t i = 0; i < b->rows.n; i++)
		b->rows.v[i].caller = b->rows.v[equals[i]].caller;
}

struct err *stat_callers_end(struct stat_callers *c, struct stat_table *b, const uint32_t *row_of,
			     size_t n_rows)
{
	struct stat_callers sums = { 0 };
	uint32_t *equals = calloc(b->rows.n + 1, sizeof(*equals));
	uint64_t *best = calloc(b->rows.n + 1, sizeof(*best));
	if (c->last.n)
		c->has_failed |= !pairs_add(c, c->last.row, c->last.caller, c->last.n);
	bool ok = !c->has_failed && equals && best && find_equals(b, equals);
	for (size_t i = 0; ok && i < c->pairs.n; i++) {
		const struct stat_pair *p = &c->pairs.v[i];
		uint32_t row = row_of ? (p->row < n_rows ? row_of[p->row] : UINT32_MAX) : p->row;
		if (row < b->rows.n)
			ok = pairs_add(&sums, equals[row], p->caller, p->n);
	}
	if (ok)
		set_callers(&sums, b, equals, best);
	free(equals);
	free(best);
	stat_callers_fini(&sums);
	stat_callers_fini(c);
	return ok ? NULL : err_no_memory();
}

void stat_callers_fini(struct stat_callers *c)
{
	vec_fini(&c->pairs);
	hash_map_fini(&c->index);
	*c = (struct stat_callers){ 0 };
}
