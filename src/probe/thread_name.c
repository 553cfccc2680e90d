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
#include "probe/chain.h"
#include "probe/dict.h"
#include "probe/read.h"
#include "probe/serialise.h"

enum {
	TPFLAGS_INLINE_VALUES = 1u << 2, /* 3.13+ */
	TPFLAGS_MANAGED_DICT = 1u << 4,  /* 3.11+ */
	TPFLAGS_LONG = 1u << 24,
	TPFLAGS_UNICODE = 1u << 28,
	TPFLAGS_DICT = 1u << 29,
	STEPS_MAX = 1 << 20,
	/* The frames that may be walked for a new thread at once, and the frames that each look
	 * costs in addition. A thread is often given its name just after its start, so its first
	 * events are all checked: some 60 of them if the stack is short. */
	FRAMES_AT_ONCE = 1024,
	FRAMES_PER_LOOK = 16,
	FRAMES_PER_PERIOD = 64, /* a deep stack is walked less often */
	ENTRIES_MAX = 1024,
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

/* Is `str` a str with exactly this ASCII text? */
LANE_CODE static __attribute__((noinline)) bool is_text(const struct probe_context *ctx,
							uint64_t str, const char *text, uint32_t n)
{
	const struct probe_layout *l = &ctx->layout;
	if (!str || !(rd32(rd64(str + l->ob_type) + l->tp_flags) & TPFLAGS_UNICODE) ||
	    (rd32(str + l->str_state) & ctx->ascii_mask) != ctx->ascii_state ||
	    rd64(str + l->str_length) != n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (rd8(str + l->str_ascii_data + i) != (uint8_t)text[i])
			return false;
	return true;
}

/* The first local variable of a frame of a function called _bootstrap that has a parameter; else
 * 0. */
LANE_CODE static uint64_t bootstrap_self(const struct probe_context *ctx, uint64_t frame)
{
	const struct probe_layout *l = &ctx->layout;
	uint64_t code = rd64(frame + l->frame_code) & ~(uint64_t)l->code_tag_mask;
	if ((int32_t)rd32(code + l->code_argcount) < 1 ||
	    !is_text(ctx, rd64(code + l->code_name), "_bootstrap", 10))
		return 0;
	/* v3.14.0 pycore_stackref.h: tag 3 marks a number */
	uint64_t self = rd64(frame + l->frame_locals);
	return l->code_tag_mask && (self & 3) == 3 ? 0 : self & ~(uint64_t)l->code_tag_mask;
}

/* A view of the attributes of an instance. In free-threaded builds its lock is held, and that of
 * its dict is taken too: which of the two locks guards the values depends on whether there is a
 * dict (v3.13.0 Objects/dictobject.c, _PyObject_StoreInstanceAttribute). python/object.c,
 * object_attribute(), describes the layouts of the other versions. */
LANE_CODE static bool attributes_view(struct out *o, uint64_t object, struct dict_view *v,
				      bool *ret_locks_dict)
{
	const struct probe_layout *l = &o->ctx->layout;
	uint64_t type = rd64(object + l->ob_type), dict = 0, values = 0, n_max = ENTRIES_MAX;
	uint64_t size = rd64(type + l->tp_basicsize);
	uint32_t flags = rd32(type + l->tp_flags);
	if (l->minor < 11 || !(flags & TPFLAGS_MANAGED_DICT)) {
		uint64_t offset = rd64(type + l->tp_dictoffset);
		if (!offset || offset >= size || size - offset < 8) /* or the offset is negative */
			return false;
		dict = rd64(object + offset);
	} else {
		dict = rd64(object - (l->free_threaded ? 8 : 24));
		if (l->minor == 11) {
			values = rd64(object - 32);
		} else if (l->minor == 12) {
			values = dict & 1 ? dict + 1 : 0;
			dict = dict & 1 ? 0 : dict;
		} else if (!dict && flags & TPFLAGS_INLINE_VALUES && rd8(object + size + 3)) {
			values = object + size; /* {u8 capacity, size, embedded, valid} */
			n_max = rd8(values);
		}
	}
	if (values) {
		uint64_t keys = rd64(type + l->heaptype_cached_keys);
		if (!keys || !dict_view_of_keys(l, keys, values, v))
			return false;
	} else {
		if (!dict || !(rd32(rd64(dict + l->ob_type) + l->tp_flags) & TPFLAGS_DICT) ||
		    !serialise_lock(o, dict))
			return false;
		*ret_locks_dict = true;
		if (!dict_view_of(l, dict, v))
			return false;
	}
	if (v->n_entries > n_max)
		v->n_entries = n_max;
	return true;
}

/* Is `object` an int with this value? An int has digits of 30 bits. */
LANE_CODE static bool is_int(const struct probe_layout *l, uint64_t object, uint64_t value)
{
	if (!(rd32(rd64(object + l->ob_type) + l->tp_flags) & TPFLAGS_LONG))
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
		/* PyThread_get_thread_ident() is pthread_self(): see thread_self() in probe_cpu.h. */
		if (is_text(ctx, key, "_ident", 6))
			is_this = is_int(l, value, thread_self(ctx->tid_off, 0)) ||
				  (THREAD_SELVES > 1 &&
				   is_int(l, value, thread_self(ctx->tid_off, 1)));
		else if (is_text(ctx, key, "_name", 5) &&
			 rd32(rd64(value + l->ob_type) + l->tp_flags) & TPFLAGS_UNICODE)
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
	uint64_t name = attributes_view(o, self, &v, &locks_dict) ? name_of(o->ctx, &v) : 0;
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
