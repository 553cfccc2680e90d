/*
 * chain: see chain.h.
 *
 * Where the facts about CPython come from (v3.11.0 to v3.15.0): Python/ceval.c and generated
 * ceval code, _PyEval_EvalFrameDefault (cframe, entry frame); Python/pystate.c,
 * _PyThreadState_PushFrame and push_chunk (data stack); Objects/genobject.c, gen_send_ex2 and
 * _gen_throw (exc_info, and frames that throw() links without an item of exc_info);
 * Include/internal/pycore_genobject.h, _PyGenObject_HEAD (the frame is 32 bytes behind
 * gi_exc_state); Include/internal/pycore_tstate.h, _PyThreadStateImpl (base_frame).
 */
#include "probe/chain.h"

#include "probe_cpu.h"
#include "probe/serialise.h"

enum {
	TSTATE_BYTES = 4096,      /* root_cframe and base_frame are in the first bytes */
	FRAME_HEAD_BYTES = 128,   /* what is read of a frame */
	GENERATOR_FRAME_OFF = 32, /* from gi_exc_state to gi_iframe */
	STACK_UNKNOWN_BYTES = 8 << 20,
	STEPS_MAX = 1 << 16, /* of a list */
	POSITION_MAX = 1 << 28,
};

/* glibc 2.36, 2.43, nptl/allocatestack.c: {stackblock, stackblock_size} in struct pthread; 0 and
 * __libc_stack_end for the main thread. */
LANE_CODE uint64_t chain_stack_end(const struct probe_context *ctx, uint64_t sp)
{
	if (!ctx->stackblock_off)
		return 0;
	uint64_t block = thread_u64(ctx->stackblock_off),
		 size = thread_u64(ctx->stackblock_off + 8);
	uint64_t top = thread_block_top();
	if (!block) {
		uint64_t end = ctx->stack_end;
		return end && sp < end && end - sp <= 64u << 20 ? end : 0;
	}
	if (sp < block || sp - block >= size)
		return 0;
	uint64_t end = block + size;
	return top > sp && top < end ? top : end;
}

static inline bool is_in_tstate(const struct chain *c, uint64_t at)
{
	return at - c->tstate < TSTATE_BYTES;
}

/* 3.11, 3.12: how many cframes, from the innermost one outwards, are where live ones can be: each
 * above the one before it on the C stack. UINT32_MAX: all, and the last is root_cframe. */
LANE_CODE static uint32_t runs_proved(const struct probe_layout *l, const struct chain *c,
				      uint64_t cframe)
{
	uint64_t at = c->stack;
	for (uint32_t n = 0; n < STEPS_MAX; n++) {
		if (is_in_tstate(c, cframe))
			return UINT32_MAX;
		if (cframe < at || cframe >= c->stack_end || cframe & 7)
			return n;
		at = cframe + 8;
		cframe = rd64(cframe + l->cframe_previous);
	}
	return STEPS_MAX;
}

LANE_CODE uint64_t chain_begin(const struct probe_context *ctx, uint64_t tstate, struct chain *c)
{
	const struct probe_layout *l = &ctx->layout;
	uint64_t first = rd64(tstate + l->tstate_frame);
	*c = (struct chain){ .tstate = tstate,
			     .runs_left = UINT32_MAX,
			     .position_max = UINT64_MAX };
	if (l->tstate_datastack == OFF_NONE) {
		c->chunk = 1; /* every address but 0 */
		c->chunk_bytes = UINT64_MAX - 1;
		return first;
	}
	uint64_t sp = (uint64_t)__builtin_frame_address(0), end = chain_stack_end(ctx, sp);
	c->stack = sp;
	c->stack_end = (end ? end : sp + STACK_UNKNOWN_BYTES) - FRAME_HEAD_BYTES;
	if (c->stack_end < sp)
		c->stack_end = sp;
	c->chunk = rd64(tstate + l->tstate_datastack);
	c->chunk_bytes = c->chunk ? rd64(tstate + l->tstate_datastack + 16) - c->chunk : 0;
	c->exc_item = rd64(tstate + l->tstate_exc_info);
	if (!l->has_cframe)
		return first;
	c->position_max = POSITION_MAX;
	c->runs_left = runs_proved(l, c, first);
	if (!c->runs_left)
		return 0;
	if (c->runs_left != UINT32_MAX)
		c->trusted = 1;
	return rd64(first + l->cframe_current);
}

/* v3.11.0 Include/cpython/pystate.h, _PyStackChunk: {previous, size, top, data[]}. The walk goes
 * from newer to older chunks. */
LANE_CODE static bool enter_chunk(struct chain *c, uint64_t frame)
{
	uint64_t chunk = c->chunk;
	for (uint32_t n = 0; chunk && n < STEPS_MAX; n++) {
		chunk = rd64(chunk);
		uint64_t bytes = chunk ? rd64(chunk + 8) : 0;
		if (frame - chunk < bytes) {
			c->chunk = chunk;
			c->chunk_bytes = bytes;
			return true;
		}
	}
	return false;
}

/* Items of outer generators follow those of inner ones, so the next search goes on from the one
 * that was found. */
LANE_CODE static bool enter_generator(struct chain *c, uint64_t frame)
{
	uint64_t item = c->exc_item;
	for (uint32_t n = 0; item && !is_in_tstate(c, item) && n < STEPS_MAX; n++) {
		uint64_t previous = rd64(item +
					 8); /* _PyErr_StackItem: {exc_value, previous_item} */
		if (frame - item == GENERATOR_FRAME_OFF) {
			c->exc_item = previous;
			return true;
		}
		item = previous;
	}
	return false;
}

LANE_CODE __attribute__((noinline)) bool chain_enter(const struct probe_layout *l, struct chain *c,
						     uint64_t from, uint64_t frame)
{
	if (frame & 7 || frame >> USER_ADDRESS_BITS)
		return false;
	/* Where the end of the stack is not known, other memory may follow it. */
	if (frame >= c->stack && frame < c->stack_end &&
	    rd8(frame + l->frame_owner) >= l->owner_skip) {
		chain_pass_entry(c, frame);
		return true;
	}
	if (is_in_tstate(c, frame) || enter_chunk(c, frame) || enter_generator(c, frame))
		return true;
	if (from != c->trusted)
		return false;
	c->trusted = frame;
	return true;
}

LANE_CODE enum chain_kind chain_look(const struct probe_layout *l, struct chain *c, uint64_t from,
				     uint64_t frame, uint64_t *ret_code)
{
	if (!chain_may_read(l, c, from, frame))
		return CHAIN_BROKEN;
	if (l->frame_owner != OFF_NONE && rd8(frame + l->frame_owner) >= l->owner_skip)
		return CHAIN_ENTRY;
	uint64_t code = rd64(frame + l->frame_code) & ~(uint64_t)l->code_tag_mask;
	bool is_checked = c->position_max != UINT64_MAX;
	if (is_checked &&
	    (code & 7 ||
	     rd64(frame + l->frame_position) - code - l->code_instructions + 2 >= c->position_max))
		return CHAIN_BROKEN;
	*ret_code = code;
	return code && rd64(code + l->ob_type) == l->type_code ? CHAIN_FRAME
	       : is_checked                                    ? CHAIN_BROKEN
							       : CHAIN_OTHER;
}
