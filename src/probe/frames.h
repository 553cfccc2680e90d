/*
 * frames: the Python stack of the running thread, read raw, as the frame stream of a record
 * (abi.h).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "probe/abi.h"

struct out;

struct frame_walk {
	uint32_t n_frames;
	bool cut; /* there were more frames than the limit, or than fit */
	uint32_t n_anchors;
	struct record_anchor *anchors; /* native: room for max_anchors */
	uint32_t max_anchors;
	uint64_t sp, sp_limit; /* native: anchors count only in [sp, sp_limit) */
};

/* Write the stream. tstate may be 0: then there are no frames. */
void frames_out(struct out *o, struct probe_lane *lane, uint64_t tstate, struct frame_walk *walk);
