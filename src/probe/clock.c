/*
 * clock: see clock.h.
 */
#include "probe/clock.h"

#include "probe/parts.h"
#include "probe/serialise.h"

enum { CLOCK_MONOTONIC_COARSE = 6, TICK_MAX_NS = 1000 * 1000 * 1000 };

LANE_CODE uint64_t clock_coarse_ns(const struct probe_context *ctx)
{
	int64_t ts[2] = { 0, 0 };
	if (ctx->fn_clock_gettime)
		((int (*)(int, int64_t *))ctx->fn_clock_gettime)(CLOCK_MONOTONIC_COARSE, ts);
	return (uint64_t)ts[0] * 1000000000u + (uint64_t)ts[1];
}

/* The time now, from the time that has passed since the recorder's last look. If the clock is far
 * from the recorder's, this process is in another time namespace (time_namespaces(7)): then only
 * the recorder's looks count. Returns 0 in that case. */
LANE_CODE static uint64_t ticks_by_coarse(const struct probe_context *ctx,
					  const struct ring_shared *shared)
{
	const struct ring_tick *tick =
	    &shared->ticks[__atomic_load_n(&shared->tick, __ATOMIC_ACQUIRE) & 1];
	uint64_t ticks = __atomic_load_n(&tick->ticks, __ATOMIC_RELAXED);
	int64_t passed = (int64_t)(clock_coarse_ns(ctx) -
				   __atomic_load_n(&tick->mono_ns, __ATOMIC_RELAXED));
	if (passed <= 0 || passed > TICK_MAX_NS)
		return 0;
	return ticks + (uint64_t)((unsigned __int128)(uint64_t)passed * shared->ticks_per_ns >> 32);
}

/* The newest time that this process read from the TSC before it switched to the ring's clock. */
LANE_CODE static uint64_t newest_of_tsc(const struct probe_context *ctx)
{
	const struct probe_state *state = state_of(ctx);
	uint64_t newest = 0;
	for (uint32_t i = 0; i < ctx->n_lanes; i++) {
		uint32_t slot = lane_slot(&state->lanes[i]);
		uint64_t time = slot ? __atomic_load_n(&slot_of(ctx, slot)->time, __ATOMIC_RELAXED)
				     : 0;
		newest = time > newest ? time : newest;
	}
	return newest;
}

LANE_CODE uint64_t clock_ring(const struct probe_context *ctx)
{
	struct ring_shared *shared = shared_of(ctx);
	uint64_t least = ticks_by_coarse(ctx, shared),
		 now = __atomic_load_n(&shared->now, __ATOMIC_RELAXED);
	if (ctx->flags & PROBE_CLOCK_CHANGED) {
		uint64_t newest = newest_of_tsc(ctx);
		least = newest > least ? newest : least;
	}
	while (now < least && !__atomic_compare_exchange_n(&shared->now, &now, least, false,
							   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	/* More than a nanosecond, so that the two events have different times in a capture. */
	uint64_t step = (shared->ticks_per_ns >> 32) + 1;
	return __atomic_fetch_add(&shared->now, step, __ATOMIC_RELAXED) + step;
}
