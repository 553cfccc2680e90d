/*
 * dictionary: content → id, for the writer.
 *
 * An entry is identified by a 128-bit hash seeded with a secret of this process. Its bytes are in
 * the file and not kept in memory: an entry takes 24 bytes per slot whatever its size. Two
 * different entries share an id only on a collision of XXH3-128 under an unknown seed; for ten
 * million entries that has a probability of 2^-80.
 *
 * A dictionary with a limit forgets: when its table is full, its entries become the elder
 * generation, and the previous elder generation is dropped. An elder entry that is found becomes
 * young again. An entry that was forgotten and comes back gets a new id, so in the file the same
 * content may have several ids; in return memory has a bound however long a session lasts.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dictionary_slot {
	uint64_t low, high;
	uint32_t id; /* 0 = free */
	uint32_t reserved;
};

struct dictionary_table {
	struct dictionary_slot *slots;
	uint32_t mask;   /* slots - 1 */
	uint32_t n_used; /* slots in use: entries and aliases */
};

struct dictionary {
	struct dictionary_table young, elder; /* elder: used only with a limit */
	uint32_t n_slots_max;                 /* of either table, a power of two; 0 = no limit */
	uint32_t n;                           /* entries ever added; ids are 1 … n */
};

struct dictionary_key {
	uint64_t low, high;
};

/* A zeroed dictionary is ready for use; n_slots_max may be set before the first entry. */
void dictionary_fini(struct dictionary *d);

/* seed: of hash_map_seed(), the same for all keys of a dictionary. */
struct dictionary_key dictionary_hash(const void *bytes, size_t n_bytes, uint64_t seed);
/* Exact keys that need no hash, for example of (parent, frame). */
static inline struct dictionary_key dictionary_pair(uint32_t a, uint32_t b)
{
	uint64_t k = (uint64_t)a << 32 | b, h = k;
	/* both halves must reach the low bits, which choose the slot */
	h = (h ^ h >> 32) * 0xbf58476d1ce4e5b9ull;
	h = (h ^ h >> 29) * 0x94d049bb133111ebull;
	return (struct dictionary_key){ h ^ h >> 32, k };
}

/* Id of the key; 0 if it is new or was forgotten. */
uint32_t dictionary_find(struct dictionary *d, struct dictionary_key key);
/* Add a key that is not in the dictionary; its id is n + 1. Returns 0 if memory is short or 2^31
 * entries are reached. */
uint32_t dictionary_add(struct dictionary *d, struct dictionary_key key);
/* Add another key for an existing id. False if memory is short. */
bool dictionary_alias(struct dictionary *d, struct dictionary_key key, uint32_t id);
