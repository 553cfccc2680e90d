/*
 * hold_list: what the screen knows of holds: the recorder sends such a list whenever it changes.
 */
#pragma once
#include <stdint.h>

enum {
	HOLDS_MAX = 16,       /* of a session */
	HELD_SHOWN = 16,      /* threads in a list; there may be more */
	HOLD_TEXT_BYTES = 512 /* of a filter, with a NUL; a longer one is refused */
};

enum hold_flag {
	HOLD_IS_OFF = 1,
	HOLD_IS_ONCE = 2 /* it ends when it has held a thread */
};
struct hold_row {
	uint32_t id; /* from 1; not used again */
	uint32_t flags;
	uint64_t n_to_ignore; /* so many of the next matches are not held */
	uint64_t n_matched, n_ignored, n_held;
	char text[HOLD_TEXT_BYTES];
};
struct held_row {
	int32_t pid, tid;        /* tid: 0 unknown */
	uint32_t process;        /* index in the capture */
	uint32_t hold;           /* id */
	uint32_t is_traced, pad; /* by the recorder, so that no debugger can attach */
	/* of the event, whose operation has not happened yet; UINT64_MAX: the capture is in
	 * pieces, and it is in the newest */
	uint64_t seq;
	uint64_t since_ns; /* CLOCK_MONOTONIC */
};
struct hold_list {
	uint32_t n, n_held; /* n_held: may be more than HELD_SHOWN */
	struct hold_row v[HOLDS_MAX];
	struct held_row held[HELD_SHOWN];
};
