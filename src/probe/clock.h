/*
 * clock: the time of an event.
 *
 * The processor's counter is the best clock (on x86-64 the TSC, whose name stands for all of them
 * here), but reading it can kill. A thread that has called prctl(PR_SET_TSC,
 * PR_TSC_SIGSEGV), or is in strict seccomp mode (kernel/seccomp.c, seccomp_set_mode_strict():
 * disable_TSC()), gets SIGSEGV at rdtsc, and so do the processes that it forks. No memory that the
 * probe can read shows this, and the thread may do it at any time. So the TSC is read only in a
 * process that the recorder traces: the recorder then gets the signal instead of the thread,
 * emulates the instruction, and switches the process to the clock of the ring (recorder/rescue.c).
 *
 * All other processes (attached to without -f) use the clock of the ring. That is ring_shared.now:
 * the recorder raises it to the present whenever it looks at the rings, and each event adds a
 * nanosecond to it. So no two times are equal, and they have the order of the events for all
 * threads and processes of the ring. Between two looks of the recorder, the vdso's
 * CLOCK_MONOTONIC_COARSE shows how much time has passed. It only reads memory, never the TSC, and
 * makes no system call (lib/vdso/gettimeofday.c, do_coarse()); other clocks of the vdso read the
 * TSC, or become a system call if the kernel uses another clock source.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "probe/abi.h"
#include "probe/parts.h"
#include "probe_cpu.h"

/* Both call the vdso, so they may be called only from inside a lane (probe.c, probe_hook()). */
uint64_t clock_ring(const struct probe_context *ctx) __attribute__((visibility("hidden")));
/* CLOCK_MONOTONIC_COARSE; 0 if there is no vdso. */
uint64_t clock_coarse_ns(const struct probe_context *ctx) __attribute__((visibility("hidden")));

/* The processor's clock where it advances more slowly than events can follow one another: later
 * than every time that this function has returned to any process of the ring. */
static inline uint64_t clock_coarse_ticks(const struct probe_context *ctx)
{
	struct ring_shared *shared = shared_of(ctx);
	uint64_t last = __atomic_load_n(&shared->now, __ATOMIC_RELAXED), now;
	do {
		uint64_t ticks = cpu_ticks();
		now = ticks > last ? ticks : last + 1;
	} while (!__atomic_compare_exchange_n(&shared->now, &last, now, false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return now;
}

/* The time now; later than that of every earlier event of this thread. */
static inline uint64_t clock_now(const struct probe_context *ctx)
{
	return ctx->flags & PROBE_CLOCK_RING ? clock_ring(ctx)
	       : CPU_TICKS_ARE_COARSE        ? clock_coarse_ticks(ctx)
					     : cpu_ticks();
}
