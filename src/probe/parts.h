/*
 * parts: where the parts of a reservation are (abi.h).
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
	return (struct ring_slot *)((uint8_t *)shared_of(ctx) + ctx->slots_off + (slot - 1) * ctx->slot_bytes);
}

static inline struct probe_lane *lane_at(const struct probe_context *ctx, struct probe_state *state, uint32_t i)
{
	return &state->lanes[i & (ctx->n_lanes - 1)];
}

static inline uint32_t lane_slot(const struct probe_lane *lane)
{
	return __atomic_load_n(&lane->slot, __ATOMIC_RELAXED);
}
