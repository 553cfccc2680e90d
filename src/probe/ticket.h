/*
 * ticket: the word by which a thread takes a place of the ring (abi.h: ring_ask, ring_hold): a
 * serial number << TICKET_STATE_BITS | a state. Thread and recorder change it by compare and
 * exchange only, so neither acts on a place that was taken anew meanwhile.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "probe/abi.h"

static inline uint64_t ticket_in(uint64_t ticket, unsigned state)
{
	return (ticket & ~TICKET_STATES) | state;
}

static inline bool ticket_change(uint64_t *at, uint64_t from, uint64_t to)
{
	return __atomic_compare_exchange_n(at, &from, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* Take a place in the state `if_free`. Returns its ticket in the state `then_taken`, which is not
 * 0; 0 if it is not free. */
static inline uint64_t ticket_take(uint64_t *at, unsigned if_free, unsigned then_taken)
{
	uint64_t before = __atomic_load_n(at, __ATOMIC_RELAXED);
	uint64_t mine = ticket_in(before + (1ull << TICKET_STATE_BITS), then_taken);
	return before == ticket_in(before, if_free) && ticket_change(at, before, mine) ? mine : 0;
}
