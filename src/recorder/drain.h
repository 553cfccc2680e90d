/*
 * drain: rings → decoder. Slots are drained together in the order of their time stamps; lineup.h
 * says what is guaranteed.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/vec.h"
#include "recorder/lineup.h"

struct drain;
struct recorder;

struct draining {
	VEC(struct drain) drains; /* scratch of one round */
	struct lineup lineup;     /* of them */
	bool is_holding;          /* the last round left something that was too young */
	bool is_resting;          /* drain_rest() is at work */
	bool is_enough;           /* as many events as --limit allows were taken */
	uint8_t *record;          /* scratch: one record, copied out */
	size_t record_cap;
	/* monotonic_ns() at the first record that was taken and is not flushed; 0 none */
	uint64_t unflushed_since;
	uint64_t begun_ns; /* capture time at which the last round began */
};

/* slice_bytes: of native stacks, as the probe copies them. */
MUST_CHECK struct err *drain_init(struct draining *d, uint32_t slice_bytes);
void drain_fini(struct draining *d);

/* Take what has arrived in all slots, oldest first; returns bytes. The youngest records may be
 * left, because their order is not certain yet. */
uint64_t drain_all(struct recorder *r);
/* Take all that had arrived when it was called. */
void drain_settle(struct recorder *r);
/* Take all to the last record, after recording was stopped. */
void drain_rest(struct recorder *r);
