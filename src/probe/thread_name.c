/*
 * thread_name: see thread_name.h.
 *
 * The outermost frame of a thread that threading.Thread.start() began is the method _bootstrap of
 * the Thread object (v3.8.0 to v3.15.0 Lib/threading.py). Its first local variable, self, keeps the
 * object alive as long as the thread runs. The object's attribute _name is the name. A property
 * `name` of a subclass is not read, because that would run Python code.
 *
 * The attribute _ident must be the identity of this very thread. With greenlets many stacks run in
 * one thread, and each of them may begin with the _bootstrap of a Thread object of its own.
 */
#include "probe/thread_name.h"

#include "base/value.h"
#include "probe_cpu.h"
#include "probe/attributes.h"
#include "probe/chain.h"
#include "probe/dict.h"
#include "probe/object.h"
#include "probe/read.h"
#include "probe/serialise.h"

enum {
	STEPS_MAX = 1 << 20,
	/* The frames that may be walked for a new thread at once, and the frames that each look
	 * costs in addition. A thread is often given its name just after its start, so its first
	 * events are all checked: some 60 of them if the stack is short. */
	FRAMES_AT_ONCE = 1024,
	FRAMES_PER_LOOK = 16,
	FRAMES_PER_PERIOD = 64, /* a deep stack is walked less often */
};

/* The outermost Python frame; 0 if there is none that can be proved. *steps: frames walked. */
LANE_CODE static uint64_t outermost_frame(const struct probe_context *ctx, uint64_t tstate,
					  uint32_t *steps)
{
	const struct probe_layout *l = &ctx->layout;
	struct chain chain;
	uint64_t frame = chain_begin(ctx, tstate, &chain), from = 0, last = 0;
	for (uint64_t code; frame && *steps < STEPS_MAX; ++*steps) {
		enum chain_kind kind = chain_look(l, &chain, from, frame, &code);
		if (kind == CHAIN_BROKEN)
			return 0;
		if (kind == CHAIN_FRAME)
			last = frame;
		if (!chain_pass(l, &chain, frame, kind))
			return 0;
		from = frame;
		frame = rd64(frame + l->frame_previous);
	}
	return frame ? 0 : last;
}

/* The first local variable of a frame of a function called _bootstrap that has a parameter; else
 * 0. */
LANE_CODE static uint64_t bootstrap_self(const struct probe_context *ctx, uint64_t frame)
{
	const struct probe_layout *l = &ctx->layout;
	uint64_t code = rd64(frame + l->frame_code) & ~(uint64_t)l->code_tag_mask;
	if ((int32_t)rd32(code + l->code_argcount) < 1 ||
	    !attributes_key_is(ctx, rd64(code + l->code_name), "_bootstrap", 10))
		return 0;
	/* v3.14.0 pycore_stackref.h: tag 3 marks a number */
	uint64_t self = rd64(frame + l->frame_locals);
	return l->code_tag_mask && (self & 3) == 3 ? 0 : self & ~(uint64_t)l->code_tag_mask;
}

/* Is `object` an int with this value? An int has digits of 30 bits. */
LANE_CODE static bool is_int(const struct probe_layout *l, uint64_t object, uint64_t value)
{
	if (!(flags_of(l, object) & TPFLAGS_LONG))
		return false;
	uint64_t n = rd64(object + l->int_tag), at = object + l->int_digits;
	if (l->int_has_tag)
		n = n & 3 ? 0 : n >> 3; /* neither zero nor negative */
	if (n < 1 || n > 3)
		return false;
	uint64_t third = n > 2 ? rd32(at + 8) : 0;
	return third < 16 &&
	       (rd32(at) | (n > 1 ? (uint64_t)rd32(at + 4) << 30 : 0) | third << 60) == value;
}

/* The name of a Thread object if the object is this thread's, else 0. */
LANE_CODE static uint64_t name_of(const struct probe_context *ctx, const struct dict_view *v)
{
	const struct probe_layout *l = &ctx->layout;
	uint64_t name = 0;
	bool is_this = false;
	for (uint64_t i = 0; i < v->n_entries && !(name && is_this); i++) {
		uint64_t key, value;
		if (!dict_entry(v, i, &key, &value))
			continue;
		/* PyThread_get_thread_ident() is pthread_self(): see thread_self() in
		 * probe_cpu.h. */
		if (attributes_key_is(ctx, key, "_ident", 6))
			is_this = is_int(l, value, thread_self(ctx->tid_off, 0)) ||
				  (THREAD_SELVES > 1 &&
				   is_int(l, value, thread_self(ctx->tid_off, 1)));
		else if (attributes_key_is(ctx, key, "_name", 5) &&
			 flags_of(l, value) & TPFLAGS_UNICODE)
			name = value;
	}
	return is_this ? name : 0;
}

/* Write the name; false, with nothing written, if there is none or it cannot be read now. */
LANE_CODE static bool name_out(struct out *o, uint64_t self)
{
	struct dict_view v;
	bool locks_dict = false, was_cut = o->cut;
	uint8_t *start = o->p;
	if (!serialise_lock(o, self))
		return false;
	uint64_t name = attributes_of(o, self, &v, &locks_dict) ? name_of(o->ctx, &v) : 0;
	if (name)
		serialise_str(o, name, THREAD_NAME_MAX);
	if (locks_dict)
		serialise_unlock(o);
	serialise_unlock(o);
	o->cut = was_cut; /* the flag is about arguments only */
	if (o->p > start && *start == VALUE_UNREADABLE)
		o->p = start;
	return o->p > start;
}

/* The entry of a thread. A thread without one takes over an entry of its set: a free one, or the
 * one whose last look is longest ago. */
LANE_CODE static struct thread_seen *line_of(const struct probe_context *ctx, uint32_t tid)
{
	struct thread_seen *ways = threads_seen(ctx, tid);
	for (unsigned w = 0; w < THREAD_SEEN_WAYS; w++)
		if (ways[w].tid == tid)
			return &ways[w];
	bool is_second = ways[0].tid && (!ways[1].tid || (int32_t)(ways[1].due - ways[0].due) < 0);
	struct thread_seen *seen = &ways[is_second];
	*seen = (struct thread_seen){ .tid = tid, .frames_left = FRAMES_AT_ONCE };
	return seen;
}

LANE_CODE __attribute__((noinline)) void thread_name_out(struct out *o, uint32_t tid,
							 uint64_t tstate, uint64_t now)
{
	const struct probe_context *ctx = o->ctx;
	struct thread_seen *seen = line_of(ctx, tid);
	uint32_t steps = 0;
	uint8_t *start = o->p;
	uint64_t frame = tstate ? outermost_frame(ctx, tstate, &steps) : 0;
	uint64_t self = frame ? bootstrap_self(ctx, frame) : 0;
	if (self && name_out(o, self)) {
		uint64_t hash = name_hash((const char *)start, (uint32_t)(o->p - start));
		uint32_t check = (uint32_t)(hash >> 32) | 1;
		if (seen->check == check)
			o->p = start;
		seen->check = check;
	}
	uint32_t left = seen->frames_left, spent = steps + FRAMES_PER_LOOK;
	seen->frames_left = left > spent ? left - spent : 0;
	seen->due = (uint32_t)(now >> THREAD_TIME_SHIFT) + 1 + steps / FRAMES_PER_PERIOD;
}
