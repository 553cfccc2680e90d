/*
 * guest: numbers that a target wrote and that are not checked yet.
 *
 * The target may spoil what is shown of the target. It may never choose what we read or write
 * anywhere else, how long we work, how much memory or disk we take, or whether we end. So a number
 * from memory that a target can write (the ring, its own memory, what an earlier probe says about
 * itself) has a type of its own, as an address has (raddr): it cannot be used as an index, a length
 * or a pointer by accident. A guest number becomes an ordinary number in three ways only:
 *
 *   guest_is()       it is compared with a number that we know; that number is used from then on
 *   guest_take()     it is within bounds that we chose, else it is refused
 *   guest_shown()    it is shown, or written to the capture as a number, and decides nothing
 *
 * Shared memory can change between two reads, so it is read once: GUEST_LOAD() is one load, and the
 * copy is checked. The checks are in two files: visit/ring.c for the ring and its records,
 * visit/leftover.c for what an earlier probe left.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

typedef struct {
	uint32_t unproved;
} guest_u32;

typedef struct {
	uint64_t unproved;
} guest_u64;

#define GUEST32(x) ((guest_u32){ (uint32_t)(x) })
#define GUEST64(x) ((guest_u64){ (uint64_t)(x) })

static inline guest_u32 guest_load32(const uint32_t *from)
{
	return GUEST32(__atomic_load_n(from, __ATOMIC_ACQUIRE));
}

static inline guest_u64 guest_load64(const uint64_t *from)
{
	return GUEST64(__atomic_load_n(from, __ATOMIC_ACQUIRE));
}

/* One acquiring load of a uint32_t or uint64_t that others can write. The value is not read again,
 * so it cannot change after it was checked. */
/* clang-format off */
#define GUEST_LOAD(from)                      \
	_Generic((from),                      \
		uint32_t *: guest_load32,       \
		const uint32_t *: guest_load32, \
		uint64_t *: guest_load64,       \
		const uint64_t *: guest_load64)(from)
/* clang-format on */

static inline bool guest_is32(guest_u32 g, uint32_t known)
{
	return g.unproved == known;
}

static inline bool guest_is64(guest_u64 g, uint64_t known)
{
	return g.unproved == known;
}

/* If min <= the number <= max, store it in *ret and return true. Else return false and leave *ret
 * untouched. */
MUST_CHECK static inline bool guest_take32(guest_u32 g, uint32_t min, uint32_t max, uint32_t *ret)
{
	if (g.unproved < min || g.unproved > max)
		return false;
	*ret = g.unproved;
	return true;
}

MUST_CHECK static inline bool guest_take64(guest_u64 g, uint64_t min, uint64_t max, uint64_t *ret)
{
	if (g.unproved < min || g.unproved > max)
		return false;
	*ret = g.unproved;
	return true;
}

/* For a count that only grows: by how much it has grown since `before`, at most `most`; 0 if it
 * went backwards. */
static inline uint64_t guest_growth(guest_u64 g, uint64_t before, uint64_t most)
{
	uint64_t n = g.unproved > before ? g.unproved - before : 0;
	return n < most ? n : most;
}

/* For display only. The result must not become an index, a length, an address, a pid, or a loop
 * bound. */
static inline uint32_t guest_shown32(guest_u32 g)
{
	return g.unproved;
}

static inline uint64_t guest_shown64(guest_u64 g)
{
	return g.unproved;
}
