/*
 * dictionary: open addressing with linear probing, at most half full; doubles up to its limit.
 */
#include "capture/dictionary.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SLOTS_MIN   1024u
#define ENTRIES_MAX (1u << 31)

void dictionary_fini(struct dictionary *d)
{
	free(d->young.slots);
	free(d->elder.slots);
	*d = (struct dictionary){ 0 };
}

struct dictionary_key dictionary_hash(const void *bytes, size_t n_bytes, uint64_t seed)
{
	XXH128_hash_t h = XXH3_128bits_withSeed(bytes, n_bytes, seed);
	return (struct dictionary_key){ h.low64, h.high64 };
}

static struct dictionary_slot *slot_find(const struct dictionary_table *t,
					 struct dictionary_key key)
{
	uint32_t at = (uint32_t)key.low & t->mask;
	while (t->slots[at].id && (t->slots[at].low != key.low || t->slots[at].high != key.high))
		at = (at + 1) & t->mask;
	return &t->slots[at];
}

static bool table_double(struct dictionary_table *t)
{
	uint64_t n_slots = t->slots ? 2 * ((uint64_t)t->mask + 1) : SLOTS_MIN;
	struct dictionary_table bigger = { .mask = (uint32_t)(n_slots - 1), .n_used = t->n_used };
	if (n_slots > UINT32_MAX)
		return false;
	bigger.slots = calloc(n_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return false;
	for (uint64_t i = 0; t->slots && i <= t->mask; i++) {
		const struct dictionary_slot *s = &t->slots[i];
		if (s->id)
			*slot_find(&bigger, (struct dictionary_key){ s->low, s->high }) = *s;
	}
	free(t->slots);
	*t = bigger;
	return true;
}

/* The young generation becomes the elder one; the elder one's memory is reused. Returns false if
 * there is no elder generation yet and memory is short. */
static bool generation_change(struct dictionary *d)
{
	struct dictionary_table t = d->elder;
	size_t n_bytes = ((size_t)d->young.mask + 1) * sizeof(*t.slots);
	if (!t.slots)
		t.slots = calloc(1, n_bytes);
	else
		memset(t.slots, 0, n_bytes);
	if (!t.slots)
		return false;
	t.mask = d->young.mask;
	t.n_used = 0;
	d->elder = d->young;
	d->young = t;
	return true;
}

static bool make_room(struct dictionary *d)
{
	struct dictionary_table *t = &d->young;
	if (t->slots && t->n_used < t->mask / 2)
		return true;
	return d->n_slots_max && t->slots && t->mask >= d->n_slots_max - 1 ? generation_change(d)
									   : table_double(t);
}

bool dictionary_alias(struct dictionary *d, struct dictionary_key key, uint32_t id)
{
	if (!make_room(d))
		return false;
	*slot_find(&d->young, key) = (struct dictionary_slot){ key.low, key.high, id, 0 };
	d->young.n_used++;
	return true;
}

uint32_t dictionary_find(struct dictionary *d, struct dictionary_key key)
{
	/* A new entry is looked for in both: the two cache misses overlap. */
	if (d->elder.slots)
		__builtin_prefetch(&d->elder.slots[(uint32_t)key.low & d->elder.mask]);
	uint32_t id = d->young.slots ? slot_find(&d->young, key)->id : 0;
	if (id || !d->elder.slots)
		return id;
	id = slot_find(&d->elder, key)->id;
	if (id)
		/* if memory is short the entry stays in the elder generation */
		dictionary_alias(d, key, id);
	return id;
}

uint32_t dictionary_add(struct dictionary *d, struct dictionary_key key)
{
	if (d->n >= ENTRIES_MAX || !dictionary_alias(d, key, d->n + 1))
		return 0;
	return ++d->n;
}
