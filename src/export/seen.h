/*
 * seen: texts seen before → ids, by their 128-bit XXH3. For src/export only.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* Texts seen → ids. Open addressing, never more than half full. */
struct seen {
	struct slot {
		XXH128_hash_t hash;
		uint32_t id, used;
	} * slots;
	size_t n, n_slots;
};

static inline struct slot *seen_find(const struct seen *s, XXH128_hash_t h)
{
	if (!s->n_slots)
		return NULL;
	for (size_t i = h.low64 & (s->n_slots - 1);; i = (i + 1) & (s->n_slots - 1)) {
		struct slot *slot = &s->slots[i];
		if (!slot->used || XXH128_isEqual(slot->hash, h))
			return slot;
	}
}

static inline bool seen_add(struct seen *s, XXH128_hash_t h, uint32_t id)
{
	if (s->n * 2 >= s->n_slots) {
		struct seen bigger = { .n = s->n, .n_slots = s->n_slots ? s->n_slots * 2 : 1024 };
		bigger.slots = calloc(bigger.n_slots, sizeof(*bigger.slots));
		if (!bigger.slots)
			return false;
		for (size_t i = 0; i < s->n_slots; i++)
			if (s->slots[i].used)
				*seen_find(&bigger, s->slots[i].hash) = s->slots[i];
		free(s->slots);
		*s = bigger;
	}
	struct slot *slot = seen_find(s, h);
	s->n += !slot->used;
	*slot = (struct slot){ h, id, 1 };
	return true;
}

static inline bool seen_get(const struct seen *s, XXH128_hash_t h, uint32_t *ret)
{
	struct slot *slot = seen_find(s, h);
	if (!slot || !slot->used)
		return false;
	*ret = slot->id;
	return true;
}
