/*
 * clock: the time of an event.
 *
 * The TSC is the best clock, but reading it can kill. A thread that has called prctl(PR_SET_TSC,
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
#include <stdint.h>

#include "probe/abi.h"
#include "probe/arch/x86_64/sys.h"

/* Both call the vdso, so they may be called only from inside a lane (probe.c, probe_hook()). */
uint64_t clock_ring(const struct probe_context *ctx) __attribute__((visibility("hidden")));
/* CLOCK_MONOTONIC_COARSE; 0 if there is no vdso. */
uint64_t clock_coarse_ns(const struct probe_context *ctx) __attribute__((visibility("hidden")));

/* The time now; later than that of every earlier event of this thread. A time-stamp counter
 * advances by dozens between two reads in one thread. */
static inline uint64_t clock_now(const struct probe_context *ctx)
{
	return ctx->flags & PROBE_CLOCK_RING ? clock_ring(ctx) : cpu_ticks();
}
