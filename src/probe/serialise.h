/*
 * serialise: a Python object's value as bytes (base/value.h), read raw: no Python code runs,
 * nothing is allocated, no reference count moves.
 *
 * The caller holds what makes raw reading safe: the GIL, or in free-threaded builds a reference to
 * the object; mutable containers are then entered only with their own lock, taken without waiting.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct probe_context;

/* Code that only a thread inside a lane runs. It stands together, and the end of the blob says
 * where (probe.lds). */
#define LANE_CODE __attribute__((section(".text.lane")))

/* Free-threaded builds: the objects locked now, innermost last; 0 for one that was ours already. */
#define LOCKS_MAX 16u
struct out_locks {
	uint32_t n;
	uint64_t objects[LOCKS_MAX];
};

struct out {
	uint8_t *p, *end; /* next byte, and where writing must stop */
	const struct probe_context *ctx;
	uint32_t string_bytes; /* kept bytes of each string, bytes, bytearray */
	bool cut;              /* something was cut */
	/* n = 0; NULL: in free-threaded builds containers are not entered */
	struct out_locks *locks;
};

/* Smallest room out_value() must be given: it always writes something whole. */
#define OUT_MIN_BYTES 64u

void out_value(struct out *o, uint64_t object, unsigned depth);
/* The event's argument tuple as one TUPLE value. */
void out_args(struct out *o, uint64_t tuple);
/* Free-threaded builds: take the lock of an object without waiting; false: it is another's. Else
 * true. */
bool object_lock(struct out *o, uint64_t object);
/* Give back what object_lock() locked last. */
void object_unlock(struct out *o);
/* A str object as STR, STR_CUT, or UNREADABLE. */
void out_str(struct out *o, uint64_t object, uint32_t limit_bytes);
