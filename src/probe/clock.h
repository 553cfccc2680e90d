/*
 * clock: the time of an event.
 *
 * The TSC is the best clock there is, but reading it can kill. A thread that has called
 * prctl(PR_SET_TSC, PR_TSC_SIGSEGV), or is in strict seccomp mode (kernel/seccomp.c,
 * seccomp_set_mode_strict(): disable_TSC()), gets SIGSEGV at rdtsc, and so do the processes that it
 * forks. No memory that the probe can read tells of that, and the thread may do so at any time. So
 * the TSC is read only in a process that the recorder traces: the recorder then gets the signal
 * instead of the thread, makes up for the instruction and changes the process to the clock of the
 * ring (recorder/rescue.c).
 *
 * In all other processes (attached to without -f) the clock of the ring is used. That is
 * ring_shared.now: the recorder lifts it to the present whenever it looks at the rings, and each
 * event adds a nanosecond to it, so no two times are the same, and they are in the order of the
 * events for all threads and processes of the ring. Between two looks of the recorder
 * CLOCK_MONOTONIC_COARSE of the vdso tells of time that has passed. It reads memory alone, never
 * the TSC, and makes no system call (lib/vdso/gettimeofday.c, do_coarse()); other clocks of the
 * vdso read the TSC, or become a system call where the kernel has another clock source.
 */
#pragma once
#include <stdint.h>

#include "probe/abi.h"
#include "probe/arch/x86_64/sys.h"

/* Both call the vdso: only from inside a lane (probe.c, probe_hook()). */
uint64_t clock_ring(const struct probe_context *ctx) __attribute__((visibility("hidden")));
/* CLOCK_MONOTONIC_COARSE, 0 without a vdso. */
uint64_t clock_coarse_ns(const struct probe_context *ctx) __attribute__((visibility("hidden")));

/* Later than that of every event of this thread before. Time-stamp counters advance by dozens
 * between two readings of one thread. */
static inline uint64_t clock_now(const struct probe_context *ctx)
{
	return ctx->flags & PROBE_CLOCK_RING ? clock_ring(ctx) : cpu_ticks();
}
