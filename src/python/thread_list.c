/*
 * thread_list: see thread_list.h.
 */
#include "python/thread_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "python/layout.h"
#include "python/python.h"

enum { INTERPRETERS_MAX = 256, TRIES_MAX = 200, GIL_BYTES = 208 };

/*
 * Where the lists and the GIL are, made by the compiler (offsetof) from the internal headers of
 * 3.8.18, 3.9.18, 3.10.13, 3.11.2, 3.11.7 and 3.12.1, each also with Py_DEBUG. The GIL is
 * struct _gil_runtime_state: {interval, last_holder, int locked, …}, 208 bytes on x86-64.
 *
 *   up to 3.11   one, in _PyRuntime.ceval.gil
 *   3.12         PyInterpreterState.ceval.gil points to it
 */
static const struct {
	uint8_t minor;
	uint16_t gil;
	bool is_of_interpreter;
} gils[] = { { 8, 1152, false },
	     { 9, 352, false },
	     { 10, 352, false },
	     { 11, 360, false },
	     { 12, 384, true } };

/*
 * 3.13+: positions in struct _Py_DebugOffsets at _PyRuntime + 0 of what is needed here, bytes, one
 * column for each minor version: v3.13.0 Include/internal/pycore_runtime.h, v3.14.0 and v3.15.0
 * Include/internal/pycore_debug_offsets.h.
 */
enum debug_at {
	DEBUG_NEXT,         /* interpreter_state.next */
	DEBUG_THREADS_HEAD, /* interpreter_state.threads_head */
	DEBUG_GIL,          /* interpreter_state.ceval_gil */
	DEBUG_GIL_STATE,    /* interpreter_state.gil_runtime_state: the next two begin there */
	DEBUG_LOCKED,       /* interpreter_state.gil_runtime_state_locked */
	DEBUG_HOLDER,       /* interpreter_state.gil_runtime_state_holder */
	DEBUG_COUNT
};
static const uint16_t debug_positions[][DEBUG_COUNT] = {
	{ 64, 72, 112, 120, 136, 144 },
	{ 64, 72, 120, 128, 144, 152 },
	{ 64, 72, 120, 128, 144, 152 },
};
#define OFFSET_MAX (1u << 20) /* no member of an interpreter that we read is farther away */

struct places {
	uint64_t next, threads_head; /* in PyInterpreterState */
	uint64_t gil;                /* of the interpreter, or of the runtime */
	bool gil_is_of_interpreter, has_gil;
	uint64_t locked, holder; /* in the GIL */
};

static bool debug_offset(const struct mem_reader *mem, const struct python_runtime *rt,
			 enum debug_at which, uint64_t *ret)
{
	unsigned column = rt->layout.minor - 13u;
	uint64_t value;
	if (column >= ARRAY_LEN(debug_positions) ||
	    !mem_read_u64(mem, RADDR(rt->layout.runtime + debug_positions[column][which]),
			  &value) ||
	    value >= OFFSET_MAX)
		return false;
	*ret = value;
	return true;
}

static bool places_find(const struct mem_reader *mem, const struct python_runtime *rt,
			struct places *ret)
{
	struct places p = { .threads_head = rt->row->interp_threads_head,
			    .holder = 8,
			    .locked = 16 };
	if (rt->layout.minor >= 13) {
		uint64_t state = 0;
		p.gil_is_of_interpreter = true;
		p.has_gil = !rt->layout.free_threaded && debug_offset(mem, rt, DEBUG_GIL, &p.gil) &&
			    debug_offset(mem, rt, DEBUG_GIL_STATE, &state) &&
			    debug_offset(mem, rt, DEBUG_LOCKED, &p.locked) &&
			    debug_offset(mem, rt, DEBUG_HOLDER, &p.holder) &&
			    p.locked - state < GIL_BYTES && p.holder - state < GIL_BYTES;
		p.locked -= state;
		p.holder -= state;
		if (!debug_offset(mem, rt, DEBUG_NEXT, &p.next) ||
		    !debug_offset(mem, rt, DEBUG_THREADS_HEAD, &p.threads_head))
			return false;
	}
	/* Up to 3.12 `next` is the first member of an interpreter (struct _is: v3.8.0
	 * Include/internal/pycore_pystate.h to v3.12.0 Include/internal/pycore_interp.h). */
	for (size_t i = 0; i < ARRAY_LEN(gils); i++)
		if (gils[i].minor == rt->layout.minor) {
			p.gil = gils[i].gil;
			p.gil_is_of_interpreter = gils[i].is_of_interpreter;
			p.has_gil = true;
		}
	*ret = p;
	return true;
}

static bool thread_read(const struct mem_reader *mem, const struct python_runtime *rt,
			uint64_t tstate, uint64_t *ret_next, struct python_thread *ret)
{
	const struct layout_row *row = rt->row;
	struct python_thread t = { .tstate = tstate };
	/* The native id follows thread_id (v3.11.0 to v3.15.0 Include/cpython/pystate.h). */
	if (!mem_read_u64(mem, RADDR(tstate + rt->layout.tstate_interp), &t.interp) ||
	    !mem_read_u64(mem, RADDR(tstate + row->tstate_ident), &t.ident) ||
	    !mem_read_u64(mem, RADDR(tstate + row->tstate_next), ret_next) ||
	    !mem_read_u64(mem, RADDR(t.interp + rt->layout.interp_id), &t.interp_id) ||
	    (rt->layout.minor >= 11 &&
	     !mem_read_u64(mem, RADDR(tstate + row->tstate_ident + 8), &t.native_id)))
		return false;
	*ret = t;
	return true;
}

/* One walk. *ret_whole: each list was read to an end. It need not be its own end: the state of a
 * thread that ended after its address was read may have been given, cleared, to a new one. */
static size_t list_walk(const struct mem_reader *mem, const struct python_runtime *rt,
			const struct places *places, struct python_thread *to, size_t cap,
			bool *ret_whole)
{
	uint64_t interp, tstate;
	size_t n = 0;
	*ret_whole = false;
	if (!mem_read_u64(mem, RADDR(rt->layout.runtime + rt->row->runtime_interpreters_head),
			  &interp))
		return 0;
	for (unsigned i = 0; interp && i < INTERPRETERS_MAX; i++) {
		if (!mem_read_u64(mem, RADDR(interp + places->threads_head), &tstate))
			return n;
		while (tstate && n < cap) {
			/* The state of a thread that ended meanwhile leads elsewhere. */
			if (!thread_read(mem, rt, tstate, &tstate, &to[n]) ||
			    to[n].interp != interp)
				return n;
			n++;
		}
		if (!mem_read_u64(mem, RADDR(interp + places->next), &interp))
			return n;
	}
	*ret_whole = n < cap;
	return n;
}

static bool is_same(const struct python_thread *a, const struct python_thread *b)
{
	return a->tstate == b->tstate && a->interp == b->interp && a->interp_id == b->interp_id &&
	       a->ident == b->ident && a->native_id == b->native_id;
}

size_t thread_list_read(const struct mem_reader *mem, const struct python_runtime *rt,
			struct python_thread *to, size_t cap, bool *ret_whole)
{
	struct places places;
	size_t n = 0;
	*ret_whole = false;
	struct python_thread *before = calloc(cap ? cap : 1, sizeof(*before));
	if (!before || !rt->row || !places_find(mem, rt, &places)) {
		free(before);
		return 0;
	}
	/* Two walks that see the same have seen the list. */
	for (unsigned i = 0; i < TRIES_MAX && !*ret_whole; i++) {
		size_t n_before = n;
		bool was_read;
		memcpy(before, to, n * sizeof(*to));
		n = list_walk(mem, rt, &places, to, cap, &was_read);
		*ret_whole = was_read && i && n == n_before;
		for (size_t k = 0; k < n && *ret_whole; k++)
			*ret_whole = is_same(&to[k], &before[k]);
		if (n == cap)
			break;
	}
	free(before);
	return n;
}

bool thread_list_is_same(const struct mem_reader *mem, const struct python_runtime *rt,
			 const struct python_thread *t)
{
	struct python_thread now;
	uint64_t next;
	return thread_read(mem, rt, t->tstate, &next, &now) && is_same(&now, t);
}

bool thread_list_gil(const struct mem_reader *mem, const struct python_runtime *rt,
		     const struct python_thread *t, struct python_gil *ret)
{
	struct places places;
	uint64_t at, holder;
	uint32_t locked;
	if (!places_find(mem, rt, &places) || !places.has_gil)
		return false;
	if (!places.gil_is_of_interpreter)
		at = rt->layout.runtime + places.gil;
	else if (!mem_read_u64(mem, RADDR(t->interp + places.gil), &at) || !at)
		return false;
	if (!mem_read(mem, RADDR(at + places.locked), &locked, sizeof(locked)) ||
	    !mem_read_u64(mem, RADDR(at + places.holder), &holder))
		return false;
	/* `locked` is -1 before the lock was made (v3.8.0 Include/internal/pycore_gil.h). */
	*ret = (struct python_gil){ .at = at,
				    .n_bytes = GIL_BYTES,
				    .holder = locked == 1 ? holder : 0 };
	return true;
}
