/*
 * serialise: encode the value of a Python object (base/value.h), read raw: no Python code runs,
 * nothing is allocated, no reference count changes.
 *
 * The caller holds what makes raw reading safe: the GIL or, in free-threaded builds, a reference to
 * the object. There, mutable containers are read only with their own lock, taken without waiting.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct probe_context;

/* Code that is executed only inside a lane. It is contiguous, and the end of the blob holds its
 * bounds (probe.lds). */
#define LANE_CODE __attribute__((section(".text.lane")))

/* Free-threaded builds: the objects that are locked now, innermost last; 0 for one that we had
 * locked already. */
#define LOCKS_MAX 16u
struct out_locks {
	uint32_t n;
	uint64_t objects[LOCKS_MAX];
};

struct out {
	uint8_t *p, *end; /* next byte, and the end of the room */
	const struct probe_context *ctx;
	uint32_t string_bytes; /* bytes kept of each string, bytes, bytearray */
	bool cut;              /* something was cut */
	/* n = 0 at first; NULL: in free-threaded builds containers are not read */
	struct out_locks *locks;
};

static inline void put8(struct out *o, uint8_t v)
{
	*o->p++ = v;
}

static inline void put_varint(struct out *o, uint64_t v)
{
	while (v >= 0x80) {
		put8(o, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	put8(o, (uint8_t)v);
}

/* The least room that serialise_value() needs: it always writes something complete. */
#define OUT_MIN_BYTES 64u

void serialise_value(struct out *o, uint64_t object, unsigned depth);
/* Write the event's argument tuple as one TUPLE value; 0: an empty one. */
void serialise_args(struct out *o, uint64_t tuple);
/* Lock an object without waiting, in free-threaded builds; false: another thread holds the lock.
 * Other builds: true. */
bool serialise_lock(struct out *o, uint64_t object);
/* Unlock the object that serialise_lock() locked last. */
void serialise_unlock(struct out *o);
/* Write a str object as STR, STR_CUT, or UNREADABLE. */
void serialise_str(struct out *o, uint64_t object, uint32_t limit_bytes);
/* Add a str object to a sum: two texts for which serialise_str() writes different bytes give
 * different sums, as far as 64 bits can. */
uint64_t serialise_str_sum(const struct probe_context *ctx, uint64_t object, uint32_t limit_bytes,
			   uint64_t sum);

static inline uint64_t serialise_sum(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * 0x9fb21c651e98df25ull;
	return sum ^ sum >> 35;
}
