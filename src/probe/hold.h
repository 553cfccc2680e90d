/*
 * hold: the thread of an event that may match a hold waits in the hook, before the operation, until
 * the recorder releases it (abi.h, struct ring_hold).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "probe/abi.h"

struct hold {
	uint64_t ticket; /* 0: it has no place, and does not wait */
	uint64_t identity;
	uint32_t place;
};

/* Take a place for the record that will be published at `head` of the slot (index + 1). Called
 * inside the lane, before the record is published. ret->ticket is 0 if no place is free. */
void hold_begin(const struct probe_context *ctx, const struct probe_state *state, uint32_t slot,
		uint64_t head, uint32_t tid, struct hold *ret)
    __attribute__((visibility("hidden")));
/* Wait until it is released. Called outside of lanes, after the record was published. False: there
 * was no sign of the recorder for as long as the thread may wait. */
bool hold_wait(const struct probe_context *ctx, struct probe_state *state, uint32_t tid,
	       const struct hold *h) __attribute__((visibility("hidden")));
