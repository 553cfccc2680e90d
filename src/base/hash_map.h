/*
 * hash_map: 64-bit keys → 32-bit numbers, usually indices into a vector plus 1.
 *
 *     struct hash_map by_pid = { 0 };
 *     uint32_t *at = hash_map_place(&by_pid, pid);
 *     if (!at)
 *             return err_no_memory();
 *     if (!*at)
 *             *at = new_index + 1;
 *
 * Open addressing with linear probing, at most half full; grows by doubling. A value of 0 means
 * that the key is not there, so no value of 0 can be stored. A single key cannot be removed.
 *
 * A key is an exact number (two 32-bit ids, see hash_map_key()) or a 64-bit hash of a text. In the
 * second case two texts with equal hashes are one key, which happens by chance once in 2^64; where
 * that would matter, use hash_map_place_same(). Targets and files choose keys and texts. So every
 * map is seeded with a secret random number: otherwise texts with equal hashes, or keys that all
 * lead to one slot, could be computed.
 *
 * Tables that are not this one: the writer's (capture/dictionary.h) has 128-bit keys and forgets;
 * the probe's (probe/abi.h) lies in shared memory.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct hash_map_slot {
	uint64_t key;
	uint32_t value; /* 0 = free */
	uint32_t reserved;
};

/* Zeroed it is an empty map. */
struct hash_map {
	struct hash_map_slot *slots; /* [mask + 1]; NULL as long as nothing was added */
	uint64_t seed;   /* hash_map_secret(), set with the first slots; tests set others before */
	uint32_t mask;   /* number of slots, a power of two, minus 1 */
	uint32_t n_used; /* slots that are not free */
};

/* The key of an ordered pair. */
static inline uint64_t hash_map_key(uint32_t a, uint32_t b)
{
	return (uint64_t)a << 32 | b;
}

/* A number that nobody outside this process knows, another one with each call; from
 * getrandom(2). */
uint64_t hash_map_seed(void);
/* The same number with each call in this process. Never 0. */
uint64_t hash_map_secret(void);

/* The key of a text: a hash with hash_map_secret(). */
uint64_t hash_map_text_key(const char *text, size_t n_bytes);

/* The slot of a key, or the free slot where it belongs. The map has slots. */
static inline struct hash_map_slot *hash_map_slot_of(const struct hash_map *m, uint64_t key)
{
	/* Both halves of the product are needed: the low half depends on the low bits of the key
	 * alone, the high half on all of them. */
	unsigned __int128 product = (unsigned __int128)(key ^ m->seed) * 0x9e3779b97f4a7c15ull;
	uint32_t at = (uint32_t)((uint64_t)(product >> 64) ^ (uint64_t)product >> 32) & m->mask;
	while (m->slots[at].value && m->slots[at].key != key)
		at = (at + 1) & m->mask;
	return &m->slots[at];
}

/* The key's value, 0 if it is not there. */
static inline uint32_t hash_map_get(const struct hash_map *m, uint64_t key)
{
	return m->slots ? hash_map_slot_of(m, key)->value : 0;
}

/* Where the key's value is kept; it is 0 if the key was not there, and has to be set then before
 * the next call: otherwise the key is forgotten again. NULL when memory is short. Valid until the
 * next call. */
MUST_CHECK uint32_t *hash_map_place(struct hash_map *m, uint64_t key);

/* The same for a key that is the hash of something, if two things with equal hashes must stay two:
 * is_same(ctx, value) says whether `value` was stored for the thing that is looked for. If it was
 * not, the next higher key is tried. */
MUST_CHECK uint32_t *hash_map_place_same(struct hash_map *m, uint64_t key,
					 bool (*is_same)(const void *ctx, uint32_t value),
					 const void *ctx);

/* Room for n keys in all, so that adding them neither fails nor moves anything. */
MUST_CHECK bool hash_map_reserve(struct hash_map *m, size_t n);

/* Forget all keys, keep the memory and the seed. */
void hash_map_clear(struct hash_map *m);
void hash_map_fini(struct hash_map *m);
