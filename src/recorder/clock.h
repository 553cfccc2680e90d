/*
 * clock: ticks of the probe → capture time.
 *
 * Where the TSC is invariant (one that stops or changes its rate is refused) a tick is one of the
 * TSC, else a nanosecond of CLOCK_MONOTONIC. An event is stamped in ticks, by the TSC itself or by
 * the clock of its ring (probe/clock.h). Capture time is ns since clock_init(); the wall clock at
 * that moment is the capture's anchor.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct ring_tick;

struct clock_map {
	bool use_tsc;
	uint64_t mono_start_ns, wall_start_ns;
	uint64_t tsc_start; /* with mono_start_ns */
	/* the present piece: time = time_base + (tsc - tsc_base) × rate */
	uint64_t tsc_base, time_base;
	uint64_t rate_32_32;  /* ns per tick, 32.32 fixed point */
	uint64_t rate_before; /* of the piece before this one */
	uint64_t next_adjust_ns;
};

void clock_init(struct clock_map *c);
uint64_t clock_time_of(const struct clock_map *c, uint64_t ticks);  /* never before 0 */
uint64_t clock_ticks(const struct clock_map *c);                    /* now */
uint64_t clock_ticks_of_ns(const struct clock_map *c, uint64_t ns); /* a duration */
uint64_t clock_time_now(const struct clock_map *c);
/* Now, for the clock of a ring (probe/clock.h); and how many ticks go into a nanosecond, 32.32
 * fixed point. */
void clock_tick(const struct clock_map *c, struct ring_tick *ret);
uint64_t clock_ticks_per_ns(const struct clock_map *c);
/* Measure the rate again, over an ever longer stretch; capture time stays continuous. Cheap; call
 * it often. */
void clock_adjust(struct clock_map *c);

struct check;
/* What doctor says of it (check.h). */
extern const struct check clock_check;
