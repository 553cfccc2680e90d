/*
 * patience: how a thread waits without a system call, and when it may make one (abi.h, struct
 * ring_ask).
 *
 * A thread that waits spins. If that takes more than some microseconds, it asks the recorder
 * whether a system call can kill it. The recorder looks at the thread, which is in here meanwhile,
 * so it cannot get a filter by a call of its own. A yes is good for one call: the thread sleeps,
 * and asks again. Without an answer, or after a no, it goes on spinning, and gives up after a
 * while.
 *
 * What is left: another thread of the process installs a filter for all its threads
 * (SECCOMP_FILTER_FLAG_TSYNC) in the microsecond between the answer and the call. The call is
 * futex(2), which every Python with threads makes whenever the GIL, or a lock of a free-threaded
 * build, changes hands: a filter that kills for it kills such a program without us.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "probe/abi.h"

enum answer { ANSWER_NONE, ANSWER_YES, ANSWER_NO };
struct ask {
	uint64_t ticket; /* 0: nothing is asked */
	uint32_t place;
	bool is_refused; /* a no holds for as long as this thread waits */
};
/* Ask, or look for the answer. Makes no call out of the probe. After ANSWER_YES the caller makes
 * one system call at once, or none. */
enum answer ask_poll(const struct probe_context *ctx, const struct probe_state *state, uint32_t tid,
		     struct ask *ask) __attribute__((visibility("hidden")));
/* The answer is not wanted any more. */
void ask_end(const struct probe_context *ctx, struct ask *ask)
    __attribute__((visibility("hidden")));

struct patience {
	struct ask ask;
	uint64_t done, since_ns;
	uint32_t beat, n_spins, n_since;
};
enum patience_step { PATIENCE_SPIN, PATIENCE_SLEEP, PATIENCE_LOST };
/* One step of waiting inside a lane. `done`: changes with each step of progress of what is waited
 * for. PATIENCE_SLEEP: make one system call, at once. PATIENCE_LOST: enough; .ask.is_refused tells
 * whether that is because it may not sleep, else there was no sign of the recorder. */
enum patience_step patience_step(const struct probe_context *ctx, const struct probe_state *state,
				 uint32_t tid, uint64_t done, struct patience *p)
    __attribute__((visibility("hidden")));
