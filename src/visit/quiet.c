/*
 * quiet: see quiet.h.
 */
#include "visit/quiet.h"

#include <poll.h>
#include <stddef.h>

#include "base/monotonic.h"
#include "python/python.h"
#include "system/remote_mem.h"
#include "visit/carrier.h"
#include "visit/probe_link.h"
#include "visit/ptrace.h"
#include "visit/remote_target.h"
#include "visit/sigframe.h"
#include "visit/threads_outside.h"

/* Is no thread inside a lane of the probe, and will CPython not call the probe at its end?
 * ERR_TARGET_GONE if the memory is gone: the process is ending, or a zombie that its parent has not
 * reaped yet. */
static struct err *look_for_quiet(const struct link *l, struct remote_mem *mem, pid_t pid,
				  bool *ret_quiet)
{
	/* Until ABI 8 struct probe_state was one lane. */
	uint64_t first = l->state_off + (l->abi < 9 ? 8
						    : offsetof(struct probe_state, lanes) +
							  offsetof(struct probe_lane, lock));
	uint64_t at_exit = 0;
	bool quiet = true, there = true;
	for (uint32_t i = 0; there && quiet && i < l->n_lanes; i++) {
		uint32_t lock = 0;
		there = remote_mem_read(mem,
					raddr_add(l->base, first + i * sizeof(struct probe_lane)),
					&lock, sizeof(lock));
		quiet = lock == 0;
	}
	if (there && l->abi >= 7)
		there = remote_mem_read(mem,
					raddr_add(l->base, offsetof(struct probe_context, at_exit)),
					&at_exit, sizeof(at_exit));
	if (!there)
		return err_create(ERR_TARGET_GONE, "process %d is gone", (int)pid);
	*ret_quiet = quiet && at_exit == 0;
	return NULL;
}

/*
 * A thread in the probe's code is seen by its pc, and when that code calls functions outside of
 * itself the thread holds a lane (probe.c, probe_hook()). One check of the lanes and then one of
 * the threads may miss it: it is not in a lane yet, then in a call. A second check of the lanes may
 * miss it too: it has left its lane and is on its way out of the code. So the threads are checked
 * last, and everything is checked twice:
 *
 *   lanes 1   threads 1   lanes 2   threads 2
 *
 * No thread enters the probe any more. A thread that is in a call at threads 2 held no lane at
 * lanes 2, so it was in the code on its way to a lane then. It was there at threads 1, too, and was
 * seen.
 */
struct err *quiet_check(const struct link *l, const struct remote_target *t, bool *ret_quiet)
{
	uint64_t blob = l->base.v + l->blob_off;
	struct code_range code = { .start = blob, .end = blob + l->blob_bytes };
	/* A thread in the code of a lane, even under a signal handler, holds the lane, unless that
	 * handler has forked. */
	if (t->pid == l->pid) {
		code.held_start = blob + l->blob_end.lane_code;
		code.held_end = blob + l->blob_end.lane_code_end;
	}
	*ret_quiet = false;
	for (unsigned look = 0; look < 2; look++) {
		bool quiet = false, outside = false;
		struct err *err = look_for_quiet(l, t->mem, t->pid, &quiet);
		if (!err && quiet)
			err = threads_outside_check_range(t, &code, &outside);
		if (err && err->code != ERR_TIMEOUT)
			return err;
		outside &= !err;
		err_destroy(err);
		if (!outside)
			return NULL;
	}
	*ret_quiet = true;
	return NULL;
}

/* The place in _PyRuntime at which its list of functions to call at the end holds `fn`. Address 0:
 * none. */
static raddr at_exit_find(const struct link *l, struct remote_mem *mem, uint64_t fn)
{
	uint64_t words[512], size = 0;
	raddr runtime = { 0 };
	if (!elf_symbol_find(remote_mem_reader(mem), &l->runtime.module, "_PyRuntime", &runtime,
			     &size))
		return RADDR(0);
	for (uint64_t off = 0; off + 8 <= size; off += sizeof(words)) {
		size_t n = size - off < sizeof(words) ? (size_t)(size - off) / 8 : ARRAY_LEN(words);
		if (!remote_mem_read(mem, raddr_add(runtime, off), words, n * 8))
			return RADDR(0);
		for (size_t i = 0; i < n; i++)
			if (words[i] == fn)
				return raddr_add(runtime, off + i * 8);
	}
	return RADDR(0);
}

bool quiet_will_be_called(const struct link *l)
{
	uint64_t fn = 0;
	raddr flag = raddr_add(l->base, offsetof(struct probe_context, at_exit));
	return l->abi >= 7 && remote_mem_read(l->mem, flag, &fn, sizeof(fn)) && fn &&
	       at_exit_find(l, l->mem, fn).v;
}

/*
 * An interpreter that is being finalised has a function of ours to call when everything is
 * finalised (probe.c, come_back()). Usually that takes milliseconds. If it takes longer, the
 * address is replaced by that of a function without side effects. The race:
 *
 *   CPython    1 reads the address   2 writes NULL over it   3 calls it
 *                                                              (ours then clears ctx.at_exit)
 *   we         a write the other address   b no thread has ours in a register
 *              c the other address is still there
 *
 * If 2 came after a, c fails; then ours will be called, and we wait for that. Between 1 and 2, b
 * fails.
 */
struct err *quiet_wait_for_at_exit(struct link *l, const struct remote_target *t, uint64_t deadline)
{
	enum { PATIENCE = 10, NOWHERE = 60 }; /* rounds of 2 ms */
	uint64_t fn = 0, is = 0, neutral = l->runtime.layout.fn_neutral,
		 blob = l->base.v + l->blob_off;
	raddr flag = raddr_add(l->base, offsetof(struct probe_context, at_exit)), place = { 0 };
	for (unsigned round = 0, nowhere = 0;; round++) {
		bool is_done = false, outside = false;
		if (!remote_mem_read(t->mem, flag, &fn, sizeof(fn)))
			return err_create(ERR_TARGET_GONE, "process %d is gone", (int)t->pid);
		if (!fn)
			return NULL;
		if (round >= PATIENCE && !place.v) {
			place = at_exit_find(l, t->mem, fn);
			const struct remote_store store = { place, &neutral, sizeof(neutral) };
			struct err *err = place.v ? carrier_store(t, &store, 1) : NULL;
			if (err)
				return err;
		}
		struct err *err = round < PATIENCE ? NULL
						   : threads_outside_check(
							 t, blob, blob + l->blob_bytes, &outside);
		if (err && err->code != ERR_TIMEOUT)
			return err;
		err_destroy(err);
		if (outside && place.v)
			is_done = remote_mem_read(t->mem, place, &is, sizeof(is)) && is == neutral;
		/* it is being called at this moment, or was replaced by a recorder that was then
		 * killed */
		else if (outside)
			is_done = ++nowhere >= NOWHERE;
		if (is_done) {
			uint64_t none = 0;
			return remote_mem_write(t->mem, flag, &none, sizeof(none));
		}
		if (monotonic_ns() >= deadline)
			return err_create(ERR_TIMEOUT, "the interpreter of process %d is ending",
					  (int)t->pid);
		ptrace_serve();
		poll(NULL, 0, 2);
	}
}
