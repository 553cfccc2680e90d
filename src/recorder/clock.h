/*
 * clock: ticks of the probe → capture time.
 *
 * The probe stamps events with the TSC where it is invariant (one that stops or changes its rate is refused), else with
 * CLOCK_MONOTONIC. Capture time is ns since clock_init(); the wall clock at that moment is the capture's anchor.
 *
 * CLOCK_MONOTONIC is not the same for all: in a time namespace (time_namespaces(7)) it is ahead of, or behind, that of others by an
 * offset that was fixed before there was a process in it. The TSC knows no namespaces.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct clock_map {
	bool use_tsc;
	uint64_t mono_start_ns, wall_start_ns;
	uint64_t tsc_start;            /* with mono_start_ns */
	uint64_t tsc_base, time_base;  /* the present piece: time = time_base + (tsc - tsc_base) × rate */
	uint64_t rate_32_32;           /* ns per tick, 32.32 fixed point */
	uint64_t rate_before;          /* of the piece before this one */
	uint64_t next_adjust_ns;
};

void clock_init(struct clock_map *c);
uint64_t clock_time_of(const struct clock_map *c, uint64_t ticks); /* never before 0 */
uint64_t clock_ticks(const struct clock_map *c);           /* now, as the target's probe would read it */
uint64_t clock_ticks_of_ns(const struct clock_map *c, uint64_t ns); /* a duration */
uint64_t clock_time_now(const struct clock_map *c);
/* By how much the clock of a process is ahead of ours, exactly. False: it is gone, or cannot be told. */
bool clock_ahead_of_ours(pid_t pid, int64_t *ret_ns);
/* The same of the children that it forks from now on. */
bool clock_ahead_of_children(pid_t pid, int64_t *ret_ns);
/* About so much, of a clock that is `day_ns` behind CLOCK_REALTIME. */
int64_t clock_ahead_about(uint64_t day_ns);
/* Measure the rate again, over an ever longer stretch; capture time stays continuous. Cheap; call it often. */
void clock_adjust(struct clock_map *c);
