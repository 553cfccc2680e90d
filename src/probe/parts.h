/*
 * parts: the addresses of the parts of a reservation (abi.h).
 */
#pragma once
#include <stdint.h>

#include "probe/abi.h"

static inline struct probe_state *state_of(const struct probe_context *ctx)
{
	return (struct probe_state *)(ctx->base + ctx->state_off);
}

static inline struct ring_shared *shared_of(const struct probe_context *ctx)
{
	return (struct ring_shared *)(ctx->base + ctx->shared_off);
}

/* slot: index + 1 */
static inline struct ring_slot *slot_of(const struct probe_context *ctx, uint32_t slot)
{
	uint64_t off = ctx->slots_off + (slot - 1) * ctx->slot_bytes +
		       (slot > 1 ? ctx->first_extra_bytes : 0);
	return (struct ring_slot *)((uint8_t *)shared_of(ctx) + off);
}

/* Bytes of data of a slot: a power of two. */
static inline uint64_t slot_size(const struct probe_context *ctx, const struct ring_slot *slot)
{
	uint64_t first = (uint64_t)shared_of(ctx) + ctx->slots_off;
	return ctx->slot_data_bytes + ((uint64_t)slot == first ? ctx->first_extra_bytes : 0);
}

/* The counter of a slot (index + 1) for the name whose verdict is at `place`. Only if .counts_off
 * is not 0. */
static inline uint64_t *count_of(const struct probe_context *ctx, uint32_t slot, uint32_t place)
{
	uint8_t *first = (uint8_t *)shared_of(ctx) + ctx->counts_off;
	return (uint64_t *)(first + (uint64_t)(slot - 1) * COUNTS_BYTES) + place;
}

static inline struct probe_lane *lane_at(const struct probe_context *ctx, struct probe_state *state,
					 uint32_t i)
{
	return &state->lanes[i & (ctx->n_lanes - 1)];
}

/* They follow the lanes, in the same order. */
static inline struct task_places *task_places_of(const struct probe_context *ctx,
						 const struct probe_lane *lane)
{
	struct probe_lane *lanes = state_of(ctx)->lanes;
	return (struct task_places *)(lanes + ctx->n_lanes) + (lane - lanes);
}

/* The set that contains the entry of a thread. */
static inline struct thread_seen *threads_seen(const struct probe_context *ctx, uint32_t tid)
{
	struct thread_seen *table = (struct thread_seen *)((uint8_t *)shared_of(ctx) -
							   THREADS_SEEN_BYTES);
	return table + tid % THREAD_SEEN_SETS * THREAD_SEEN_WAYS;
}

static inline uint32_t lane_slot(const struct probe_lane *lane)
{
	return __atomic_load_n(&lane->slot, __ATOMIC_RELAXED);
}
