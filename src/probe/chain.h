/*
 * chain: the frames of the running thread, from the innermost one outwards, and which links of the
 * chain may be followed.
 *
 * A run of the evaluator that ended without returning leaves its frames in the thread state: a
 * child of clone(CLONE_VM | CLONE_VFORK) that called _exit() or execve(), or a longjmp() across the
 * evaluator. CPython never reads what such a run left on its C stack, so the program lives on, and
 * the stack may be gone. Each address is therefore proved before it is read. It is
 *
 *   in a chunk of the thread's data stack      frames of functions (3.11+)
 *   in the part of the C stack above the last  the entry frame of each run of the evaluator (3.12+)
 *   entry frame                                and the cframe (3.11, 3.12)
 *   32 bytes behind an item of exc_info        the frame of a generator that runs
 *   the value of tstate->current_frame at a    the frame of a generator whose throw() or close() is
 *   time when this run of the evaluator began  passed on to another one, and those around it
 *   in the thread state                        root_cframe (3.11, 3.12), base_frame (3.15)
 *
 * Up to 3.10 frames are objects, and the thread state keeps a reference to the innermost one.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "probe/abi.h"
#include "probe/read.h"

struct chain {
	uint64_t tstate;
	/* of the data stack: the chunk in which the walk is; bytes from its start */
	uint64_t chunk, chunk_bytes;
	/* the part of the C stack in which the next entry frame may be */
	uint64_t stack, stack_end;
	uint64_t exc_item; /* of the next generator, 0: none is left */
	/* a frame whose link to the next is an old value of tstate->current_frame; 0: the thread
	 * state itself; 1: none */
	uint64_t trusted;
	/* 3.11, 3.12: runs of the evaluator whose cframe is proved; UINT32_MAX: all are */
	uint32_t runs_left;
	/* 3.11, 3.12: bytes; other frames were overwritten by later ones. Other versions do not
	 * keep such frames in the thread state: UINT64_MAX */
	uint64_t position_max;
};

/* End of the running thread's C stack; 0 if it is not known, or sp is on another stack. */
uint64_t chain_stack_end(const struct probe_context *ctx, uint64_t sp);

/* The innermost frame, which chain_may_read() has not checked yet; 0: there is none, or none that
 * can be proved. tstate: not 0. */
uint64_t chain_begin(const struct probe_context *ctx, uint64_t tstate, struct chain *c);

/* chain_may_read() for a frame outside the chunk. */
bool chain_enter(const struct probe_layout *l, struct chain *c, uint64_t from, uint64_t frame);

/* May this frame be read? from: the frame that it was found in, 0 for the innermost one. */
static inline bool chain_may_read(const struct probe_layout *l, struct chain *c, uint64_t from,
				  uint64_t frame)
{
	return frame - c->chunk < c->chunk_bytes || chain_enter(l, c, from, frame);
}

/* An entry frame on the C stack has been passed. */
static inline void chain_pass_entry(struct chain *c, uint64_t frame)
{
	c->stack = frame + 8;
	c->trusted = frame;
}

enum chain_kind {
	CHAIN_FRAME,  /* of Python code */
	CHAIN_ENTRY,  /* of a run of the evaluator */
	CHAIN_OTHER,  /* skip it */
	CHAIN_BROKEN, /* it cannot be proved: the walk ends here */
};

/* Look at the next frame of the walk, which is not 0. *ret_code: of a CHAIN_FRAME. */
enum chain_kind chain_look(const struct probe_layout *l, struct chain *c, uint64_t from,
			   uint64_t frame, uint64_t *ret_code);

/* 3.11, 3.12: the outermost frame of a run of the evaluator; false: what is farther out is not
 * proved. */
static inline bool chain_pass(const struct probe_layout *l, struct chain *c, uint64_t frame,
			      enum chain_kind kind)
{
	if (c->runs_left == UINT32_MAX ||
	    (l->frame_is_entry_3_11 ? !rd8(frame + l->frame_is_entry_3_11) : kind != CHAIN_ENTRY))
		return true;
	return --c->runs_left != 0;
}
