/*
 * lineup: which of many slots is the next to be drained, so that what they hold comes out in the
 * order of time.
 *
 * Slots are looked at one after the other, and while that goes on events are published in those
 * looked at before. And an event's time is read before the event can be seen. So a round takes only
 * what is not younger than a limit:
 *
 *   start    the clock, read before the first slot is looked at, less a slack for what a processor
 *            may still keep to itself
 *   flight   of each slot in which an event was in flight when it was looked at, the oldest time
 *            that event can have
 *
 * What this gives:
 *
 *   1. The events of one thread are in order, always, whatever slots they went through: the later
 *      one's time was read after the earlier one was published. If it is not younger than `start`,
 *      the earlier one was there when its slot was looked at.
 *   2. Events of different threads and processes are in the order of their times as long as nobody
 *      waits in the middle of an event for longer than HOLD_NS (stopped by a debugger, say). Then
 *      his slot is no longer waited for, until he goes on. Nor is it where waiting costs events:
 *      with --may-drop, once a ring is nearly full.
 *   3. Nothing waits for longer than HOLD_NS and a round of the recorder.
 *
 * The times are those of the target's clock. One that lies far in the future makes no sense; such a
 * record is taken at once.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/guest.h"

struct ring_slot;

/* What one look at a slot has found. Times and `writing` decide how long others wait, within
 * HOLD_NS, and nothing else. */
struct slot_look {
	guest_u64 head;
	/* not the time of any event that was in flight: UINT64_MAX; else the oldest it can have */
	uint64_t flight;
	uint64_t writing; /* which one: equal as long as it is the same */
};
struct slot_look lineup_look(const struct ring_slot *slot);

/* Those that have something, the oldest first. A heap: `time` is that of the next record, `item`
 * the caller's. */
struct lineup_entry {
	uint64_t time;
	size_t item;
};
struct lineup {
	struct lineup_entry *v;
	size_t n, cap;
};
/* false: memory is short */
MUST_CHECK bool lineup_add(struct lineup *l, uint64_t time, size_t item);
/* The first, if it is not younger than `limit`; NULL else. Valid until the next call. */
const struct lineup_entry *lineup_first(const struct lineup *l, uint64_t limit);
/* the first has another record, of this time */
void lineup_first_again(struct lineup *l, uint64_t time);
void lineup_first_done(struct lineup *l); /* it has none */
void lineup_fini(struct lineup *l);
