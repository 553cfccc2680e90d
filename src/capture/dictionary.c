/*
 * dictionary: open addressing with linear probing, at most half full; grows by doubling.
 */
#include "capture/dictionary.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <xxhash.h>

#define SLOTS_MIN 1024u
#define ENTRIES_MAX (1u << 31)

void dictionary_fini(struct dictionary *d)
{
	free(d->slots);
	*d = (struct dictionary){ 0 };
}

uint64_t dictionary_seed(void)
{
	uint64_t seed;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		struct timespec now;
		clock_gettime(CLOCK_MONOTONIC, &now);
		seed = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15ull ^ (uintptr_t)&now;
	}
	return seed;
}

struct dictionary_key dictionary_hash(const void *bytes, size_t n_bytes, uint64_t seed)
{
	XXH128_hash_t h = XXH3_128bits_withSeed(bytes, n_bytes, seed);
	return (struct dictionary_key){ h.low64, h.high64 };
}

static struct dictionary_slot *slot_find(const struct dictionary *d, struct dictionary_key key)
{
	uint32_t at = (uint32_t)key.low & d->mask;
	while (d->slots[at].id && (d->slots[at].low != key.low || d->slots[at].high != key.high))
		at = (at + 1) & d->mask;
	return &d->slots[at];
}

uint32_t dictionary_find(const struct dictionary *d, struct dictionary_key key)
{
	return d->slots ? slot_find(d, key)->id : 0;
}

static bool grow(struct dictionary *d)
{
	if (d->slots && d->n_used < d->mask / 2)
		return true;
	uint64_t n_slots = d->slots ? 2 * ((uint64_t)d->mask + 1) : SLOTS_MIN;
	if (n_slots > UINT32_MAX)
		return false;
	struct dictionary old = *d;
	d->slots = calloc(n_slots, sizeof(*d->slots));
	if (!d->slots) {
		d->slots = old.slots;
		return false;
	}
	d->mask = (uint32_t)(n_slots - 1);
	for (uint64_t i = 0; old.slots && i <= old.mask; i++) {
		const struct dictionary_slot *s = &old.slots[i];
		if (s->id)
			*slot_find(d, (struct dictionary_key){ s->low, s->high }) = *s;
	}
	free(old.slots);
	return true;
}

bool dictionary_alias(struct dictionary *d, struct dictionary_key key, uint32_t id)
{
	if (!grow(d))
		return false;
	*slot_find(d, key) = (struct dictionary_slot){ key.low, key.high, id, 0 };
	d->n_used++;
	return true;
}

uint32_t dictionary_add(struct dictionary *d, struct dictionary_key key)
{
	if (d->n >= ENTRIES_MAX || !dictionary_alias(d, key, d->n + 1))
		return 0;
	return ++d->n;
}
