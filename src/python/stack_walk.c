/*
 * stack_walk: see stack_walk.h. What a frame is in each version: probe/chain.h.
 */
#include "python/stack_walk.h"

#include <string.h>

#include "base/attr.h"
#include "python/line_table.h"
#include "python/python.h"

enum {
	FRAME_BYTES = 128,   /* of a frame object or interpreter frame, all that is read */
	STEPS_MAX = 1 << 20, /* links that are followed */
	LASTI_MAX = 1 << 28, /* no code is longer */
	TABLE_MAX_BYTES =
	    1 << 16, /* of a line table; with a longer one only the first line is known */
};

struct walk {
	const struct mem_reader *mem;
	const struct probe_layout *l;
	/* 3.11+: of the newest chunk of the data stack, the part in use and its end (v3.11.0
	 * Include/cpython/pystate.h: datastack_chunk, datastack_top, datastack_limit) */
	uint64_t chunk, top, limit;
	uint64_t last_code; /* known to be a code object */
};

static uint64_t word(const uint8_t *frame, uint32_t off)
{
	uint64_t value;
	memcpy(&value, frame + off, sizeof(value));
	return value;
}

static bool is_code(struct walk *w, uint64_t code)
{
	uint64_t type;
	if (!code || code & 7)
		return false;
	if (code == w->last_code)
		return true;
	if (!mem_read_u64(w->mem, RADDR(code + w->l->ob_type), &type) || type != w->l->type_code)
		return false;
	w->last_code = code;
	return true;
}

/* The first instruction of the copy of the code that the frame runs: probe/frames.c,
 * instructions_of(). */
static bool instructions_of(const struct walk *w, const uint8_t *frame, uint64_t code,
			    uint64_t *ret)
{
	const struct probe_layout *l = w->l;
	uint64_t copies, n;
	uint32_t index = 0;
	if (l->frame_tlbc_index != OFF_NONE)
		memcpy(&index, frame + l->frame_tlbc_index, sizeof(index));
	if (!index) {
		*ret = code + l->code_instructions;
		return true;
	}
	return mem_read_u64(w->mem, RADDR(code + l->code_tlbc), &copies) && copies &&
	       mem_read_u64(w->mem, RADDR(copies), &n) && index < n &&
	       mem_read_u64(w->mem, RADDR(copies + 8 + 8 * (uint64_t)index), ret);
}

static bool lasti_of(const struct walk *w, const uint8_t *frame, uint64_t code, uint32_t *ret)
{
	const struct probe_layout *l = w->l;
	uint64_t first, at;
	int32_t lasti;
	if (l->position_kind != POSITION_POINTER) {
		/* f_lasti is -1 before the first instruction. */
		memcpy(&lasti, frame + l->frame_position, sizeof(lasti));
		*ret = lasti < 0                                  ? 0
		       : l->position_kind == POSITION_LASTI_UNITS ? (uint32_t)lasti * 2
								  : (uint32_t)lasti;
		return lasti >= -1 && lasti < LASTI_MAX;
	}
	if (!instructions_of(w, frame, code, &first))
		return false;
	/* Before the first instruction the position is one unit of 2 bytes ahead of it. */
	at = word(frame, l->frame_position) - first;
	if (at + 2 >= LASTI_MAX)
		return false;
	*ret = (uint32_t)at;
	return true;
}

/* Bytes of a frame up to the last member that is read; behind it the mapping may end. 0: the
 * offsets that the target publishes make no sense. */
static size_t frame_bytes(const struct probe_layout *l)
{
	const size_t ends[] = {
		l->frame_previous + 8u,
		l->frame_code + 8u,
		l->frame_position + 8u,
		l->frame_owner != OFF_NONE ? l->frame_owner + 1u : 0,
		l->frame_tlbc_index != OFF_NONE ? l->frame_tlbc_index + 4u : 0,
	};
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (ends[i] > n)
			n = ends[i];
	return n <= FRAME_BYTES ? n : 0;
}

/* A frame in the newest chunk is in the part that is in use. */
static bool is_in_use(const struct walk *w, uint64_t frame)
{
	return frame < w->chunk || frame >= w->limit || frame < w->top;
}

static bool walk_begin(struct walk *w, uint64_t tstate, uint64_t *ret_first)
{
	const struct probe_layout *l = w->l;
	uint64_t first, data[3];
	if (!mem_read_u64(w->mem, RADDR(tstate + l->tstate_frame), &first))
		return false;
	if (l->has_cframe &&
	    (!first || !mem_read_u64(w->mem, RADDR(first + l->cframe_current), &first)))
		return false;
	if (l->tstate_datastack != OFF_NONE) {
		if (!mem_read(w->mem, RADDR(tstate + l->tstate_datastack), data, sizeof(data)))
			return false;
		w->chunk = data[0];
		w->top = data[1];
		w->limit = data[2];
	}
	*ret_first = first;
	return true;
}

/* Can this frame, which has no caller, be the outermost one? A thread that is switched out between
 * the store to current_frame and that to `previous` shows a frame without its callers.
 *   3.12+: under each call of the evaluator is a frame that is none of Python's (v3.12.0
 *          Python/ceval.c, _PyEval_EvalFrameDefault(): entry_frame), so the outermost frame is one.
 *   3.11:  The new cframe is linked before its current_frame is set (same function of v3.11.0), and
 *          may show the frame of a generator that is suspended, which has no caller either. The
 *          state of a generator is 5 bytes ahead of its frame, FRAME_EXECUTING is 0
 *          (Include/cpython/genobject.h, Include/internal/pycore_frame.h). */
static bool may_be_outermost(const struct walk *w, uint64_t frame, const uint8_t *bytes,
			     bool is_entry)
{
	enum { OWNED_BY_GENERATOR = 1, STATE_AHEAD = 5, EXECUTING = 0 };
	const struct probe_layout *l = w->l;
	uint8_t state;
	if (l->frame_owner == OFF_NONE)
		return true;
	if (l->minor >= 12)
		return is_entry;
	return bytes[l->frame_owner] != OWNED_BY_GENERATOR ||
	       (mem_read(w->mem, RADDR(frame - STATE_AHEAD), &state, 1) && state == EXECUTING);
}

enum stack_end stack_walk(const struct mem_reader *mem, const struct python_runtime *rt,
			  uint64_t tstate, struct stack_frame *to, size_t cap, size_t *ret_n)
{
	const struct probe_layout *l = &rt->layout;
	struct walk w = { .mem = mem, .l = l };
	uint64_t frame;
	uint8_t bytes[FRAME_BYTES];
	size_t n_bytes = frame_bytes(l);
	*ret_n = 0;
	if (!n_bytes || !walk_begin(&w, tstate, &frame))
		return STACK_BROKEN;
	for (unsigned steps = 0; frame; steps++) {
		struct stack_frame found = { .frame = frame };
		if (steps == STEPS_MAX || frame & 7 || !is_in_use(&w, frame) ||
		    !mem_read(mem, RADDR(frame), bytes, n_bytes))
			return STACK_BROKEN;
		bool is_entry = l->frame_owner != OFF_NONE &&
				bytes[l->frame_owner] >= l->owner_skip;
		found.code = word(bytes, l->frame_code) & ~(uint64_t)l->code_tag_mask;
		if (!is_entry) {
			if (!is_code(&w, found.code) ||
			    !lasti_of(&w, bytes, found.code, &found.lasti))
				return STACK_BROKEN;
			if (*ret_n == cap)
				return STACK_CUT;
			to[(*ret_n)++] = found;
		}
		uint64_t caller = word(bytes, l->frame_previous);
		if (!caller && !may_be_outermost(&w, frame, bytes, is_entry))
			return STACK_BROKEN;
		frame = caller;
	}
	return STACK_WHOLE;
}

static bool text_read(const struct mem_reader *mem, const struct probe_layout *l, uint64_t at,
		      char *to)
{
	uint64_t object;
	if (!mem_read_u64(mem, RADDR(at), &object) || !object)
		return false;
	long n = python_str_read(mem, l, RADDR(object), to, STACK_TEXT_BYTES);
	if (n < 0)
		return false;
	to[n] = 0;
	return true;
}

bool stack_frame_describe(const struct mem_reader *mem, const struct python_runtime *rt,
			  const struct stack_frame *f, struct stack_code *ret)
{
	const struct probe_layout *l = &rt->layout;
	static uint8_t table[TABLE_MAX_BYTES];
	uint64_t object, n = 0;
	uint32_t first_line;
	struct source_position position = { 0 };
	uint32_t name = l->code_qualname != OFF_NONE ? l->code_qualname : l->code_name;
	if (!text_read(mem, l, f->code + name, ret->function) ||
	    !text_read(mem, l, f->code + l->code_filename, ret->file) ||
	    !mem_read(mem, RADDR(f->code + l->code_firstlineno), &first_line, sizeof(first_line)) ||
	    !mem_read_u64(mem, RADDR(f->code + l->code_linetable), &object) || !object ||
	    !mem_read_u64(mem, RADDR(object + l->ob_size), &n))
		return false;
	ret->line = first_line;
	if (n > sizeof(table))
		return true;
	if (!mem_read(mem, RADDR(object + l->bytes_data), table, (size_t)n))
		return false;
	if (line_table_decode(l->minor, table, (size_t)n, first_line, f->lasti, &position))
		ret->line = position.line;
	return true;
}
