/*
 * hash_map: see hash_map.h.
 */
#include "base/hash_map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <xxhash.h>

#define SLOTS_MIN 256u
#define SLOTS_MAX (1u << 31)

uint64_t hash_map_seed(void)
{
	uint64_t seed;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		struct timespec now;
		clock_gettime(CLOCK_MONOTONIC, &now);
		seed = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15ull ^ (uintptr_t)&now;
	}
	return seed;
}

uint64_t hash_map_secret(void)
{
	static uint64_t secret;
	while (!secret)
		secret = hash_map_seed();
	return secret;
}

uint64_t hash_map_text_key(const char *text, size_t n_bytes)
{
	return XXH3_64bits_withSeed(text, n_bytes, hash_map_secret());
}

static bool resize(struct hash_map *m, size_t n_slots)
{
	struct hash_map bigger = { .mask = (uint32_t)(n_slots - 1),
				   .seed = m->seed ? m->seed : hash_map_secret() };
	bigger.slots = calloc(n_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return false;
	/* Counted anew: a place that was handed out may have been left free. */
	for (size_t i = 0; m->slots && i <= m->mask; i++) {
		if (m->slots[i].value) {
			*hash_map_slot_of(&bigger, m->slots[i].key) = m->slots[i];
			bigger.n_used++;
		}
	}
	free(m->slots);
	*m = bigger;
	return true;
}

bool hash_map_reserve(struct hash_map *m, size_t n)
{
	size_t n_slots = m->slots ? (size_t)m->mask + 1 : SLOTS_MIN;
	while (n_slots / 2 < n && n_slots < SLOTS_MAX)
		n_slots *= 2;
	if (n_slots / 2 < n)
		return false;
	return (m->slots && n_slots == (size_t)m->mask + 1) || resize(m, n_slots);
}

uint32_t *hash_map_place(struct hash_map *m, uint64_t key)
{
	if ((!m->slots || m->n_used > m->mask / 2) && !hash_map_reserve(m, (size_t)m->n_used + 1))
		return NULL;
	struct hash_map_slot *slot = hash_map_slot_of(m, key);
	if (!slot->value) {
		slot->key = key;
		m->n_used++;
	}
	return &slot->value;
}

uint32_t *hash_map_place_same(struct hash_map *m, uint64_t key,
			      bool (*is_same)(const void *ctx, uint32_t value), const void *ctx)
{
	uint32_t *at;
	while ((at = hash_map_place(m, key)) && *at && !is_same(ctx, *at))
		key++;
	return at;
}

void hash_map_clear(struct hash_map *m)
{
	if (m->slots)
		memset(m->slots, 0, ((size_t)m->mask + 1) * sizeof(*m->slots));
	m->n_used = 0;
}

void hash_map_fini(struct hash_map *m)
{
	free(m->slots);
	*m = (struct hash_map){ 0 };
}
