/*
 * lineup: which of many slots is the next to be drained, so that what they hold comes out in the
 * order of time.
 *
 * Slots are looked at one after the other. Meanwhile, further events are published in the slots
 * that were looked at first; and the time of an event is read before the event is published. So a
 * round takes only events that are not younger than a limit:
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
 *   2. Events of different threads and processes are in the order of their times unless a
 *      thread stays in the middle of an event for longer than HOLD_NS, for example because a
 *      debugger has stopped it. Until it continues, its slot is not waited for. With --may-drop, a
 *      slot is not waited for either once a ring is nearly full: waiting would cost events.
 *   3. No event waits for longer than HOLD_NS and a round of the recorder.
 *
 * The times are those of the target's clock. A record whose time is far in the future is malformed,
 * and is taken at once.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/guest.h"

struct ring_slot;

/* What one look at a slot has found. Times and `writing` decide how long other slots wait, within
 * HOLD_NS, and nothing else. */
struct slot_look {
	guest_u64 head;
	/* the oldest time that the event in flight can have; UINT64_MAX: none was in flight */
	uint64_t flight;
	uint64_t writing; /* identifies that event: equal as long as it is the same one */
};
struct slot_look lineup_look(const struct ring_slot *slot);

/* The slots that hold records, oldest first. A heap: `time` is that of the next record, `item` the
 * caller's. */
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
/* The first, if it is not younger than `limit`; else NULL. Valid until the next call. */
const struct lineup_entry *lineup_first(const struct lineup *l, uint64_t limit);
/* the first has another record, of this time */
void lineup_first_again(struct lineup *l, uint64_t time);
void lineup_first_done(struct lineup *l); /* it has none */
void lineup_fini(struct lineup *l);
