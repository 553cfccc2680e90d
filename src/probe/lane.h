/*
 * lane: entering and leaving a lane (abi.h, struct probe_lane) without waiting. Each holds one
 * event at a time.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/abi.h"
#include "probe/parts.h"
#include "probe_cpu.h"

/* The tid; 0: not known. */
static inline uint32_t tid_now(const struct probe_context *ctx)
{
	return ctx->flags & PROBE_TID_UNKNOWN ? 0 : thread_u32(ctx->tid_off);
}

/* The number that a thread writes into a lane's lock. Without a tid, its thread pointer
 * distinguishes it from others: blocks of different threads are more than 64 bytes apart. */
static inline uint32_t lane_owner(uint32_t tid)
{
	return tid ? tid : LANE_NO_TID | (uint32_t)(thread_pointer() >> 6);
}

static inline bool lane_try(struct probe_lane *lane, uint32_t tid, uint32_t *ret_owner)
{
	*ret_owner = 0;
	return __atomic_compare_exchange_n(&lane->lock, ret_owner, lane_owner(tid), false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void lane_leave(struct probe_lane *lane)
{
	__atomic_store_n(&lane->lock, 0, __ATOMIC_RELEASE);
}

/* Enter any lane, without an event to write. NULL if none is free. */
static inline struct probe_lane *lane_any(const struct probe_context *ctx,
					  struct probe_state *state)
{
	uint32_t tid = tid_now(ctx), owner;
	for (uint32_t i = 0; i < ctx->n_lanes; i++)
		if (lane_try(lane_at(ctx, state, i), tid, &owner))
			return lane_at(ctx, state, i);
	return NULL;
}
