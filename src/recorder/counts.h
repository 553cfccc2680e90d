/*
 * counts: events that the probes count instead of writing them down (`auditview stat --count`).
 *
 * The recorder gives each name that is wanted the verdict VERDICT_COUNTED; from then on the probe
 * adds 1 to a counter in the slot of its process. A name that the recorder does not know yet is
 * written down like any event, without its arguments, so each event is either counted or written.
 * What the counters have grown by goes into the capture as NOTE_COUNTED.
 *
 * A counter is the target's memory. A number that went backwards, or that grew faster than one in a
 * nanosecond, is not believed, and then what was raised is unknown.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

struct client;
struct recorder;
struct tap;

/* A name whose events are counted in a ring. */
struct counted_name {
	uint64_t hash;   /* name_hash() */
	uint32_t place;  /* of its verdict, and of its counter in each slot */
	uint32_t string; /* id in the capture */
};
typedef VEC(struct counted_name) counted_names;

/* What was taken of a counter, by its place in the list of names. */
typedef VEC(uint64_t) counts_taken;

/* Have this name counted by the probes of a ring. False: it has a verdict already, the table has no
 * room, or memory is short; its events are written down then. */
bool counts_add_name(struct recorder *r, struct tap *t, const char *name, uint32_t n_bytes);
/* Take what the slot of a client has counted since the last time. */
void counts_take(struct recorder *r, struct tap *t, uint32_t slot);
/* Take all, if it is time. now: monotonic_ns(). */
void counts_poll(struct recorder *r, uint64_t now);
