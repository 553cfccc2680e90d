/*
 * patience: how a thread waits without a system call, and when it may make one (abi.h, struct
 * ring_ask).
 *
 * A thread that waits spins. If that takes more than some microseconds, it asks the recorder
 * whether a system call could kill it. The recorder checks the thread, which spins in here
 * meanwhile, so the thread cannot install a filter by a call of its own. A yes allows one call: the
 * thread sleeps, and then asks again. Without an answer, or after a no, it continues to spin, and
 * gives up after a while.
 *
 * One risk remains: another thread of the process installs a filter for all its threads
 * (SECCOMP_FILTER_FLAG_TSYNC) in the microsecond between the answer and the call. The call is
 * futex(2), which every Python with threads makes whenever the GIL, or a lock of a free-threaded
 * build, changes hands: a filter that kills for it kills such a program without us, too.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "probe/abi.h"

enum answer { ANSWER_NONE, ANSWER_YES, ANSWER_NO };
struct ask {
	uint64_t ticket; /* 0: no question is open */
	uint32_t place;
	bool is_refused; /* a no applies for as long as this thread waits */
};
/* Ask, or check for the answer. Calls nothing outside the probe. After ANSWER_YES the caller makes
 * one system call at once, or none. */
enum answer patience_poll(const struct probe_context *ctx, const struct probe_state *state,
			  uint32_t tid, struct ask *ask) __attribute__((visibility("hidden")));
/* Withdraw the question. */
void patience_end(const struct probe_context *ctx, struct ask *ask)
    __attribute__((visibility("hidden")));

struct patience {
	struct ask ask;
	uint64_t done, look_ns, waited_ns; /* when it last read the clock; how long it has waited */
	uint32_t beat, n_spins, n_since;
};
enum patience_step { PATIENCE_SPIN, PATIENCE_SLEEP, PATIENCE_LOST };
/* One step of waiting inside a lane. `done` is a number that changes with each step of progress of
 * what the thread waits for. PATIENCE_SLEEP: make one system call, at once. PATIENCE_LOST: stop
 * waiting; .ask.is_refused tells whether the reason is that the thread may not sleep; if not, there
 * was no sign of the recorder. */
enum patience_step patience_step(const struct probe_context *ctx, const struct probe_state *state,
				 uint32_t tid, uint64_t done, struct patience *p)
    __attribute__((visibility("hidden")));
