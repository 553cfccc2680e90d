/*
 * inject_entry: the probe into a program that stands at its entry point: see inject.h. Its one thread is stopped in the trap of a
 * hardware breakpoint there, runs our list of calls, and comes back to the breakpoint.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "base/log.h"
#include "tracer/inject.h"
#include "tracer/inject_private.h"
#include "tracer/ptrace.h"
#include "tracer/remote_mem.h"

/* Let a thread that is stopped at its entry point run the stub and come back to the breakpoint there. */
static struct err *run_to_breakpoint(pid_t pid, const struct remote_target *t, uint64_t *ret_value)
{
	uint64_t deadline = monotonic_ns() + CALL_TIMEOUT_NS;
	int deliver = 0;
	for (;;) {
		int status;
		struct err *err = ptrace_continue(pid, deliver);
		uint64_t now = monotonic_ns();
		if (!err)
			err = ptrace_wait_stop(pid, deadline > now ? deadline - now : 0, &status);
		if (err)
			return err;
		deliver = 0;
		if (WSTOPSIG(status) == SIGTRAP && status >> 16 == 0 && ptrace_breakpoint_hit(pid)) {
			err = ptrace_breakpoint_settle(pid, CALL_TIMEOUT_NS);
			for (unsigned try = 0; !err && try < 4; try++) { /* it is there, or will not come */
				err = remote_call_answer(t, ret_value);
				if (!err || err->code != ERR_TIMEOUT || try == 3)
					return err;
				err_destroy(err);
				err = NULL;
			}
			return err;
		}
		if (status >> 16 == 0)
			deliver = WSTOPSIG(status);
	}
}

/* Something failed: the program will run as if we had not been there, as far as that can be had. It stands at its entry point. */
static void undo_at_entry(struct attach *a, pid_t pid, uint64_t base)
{
	struct link *l = a->l;
	struct remote_call_stats stats = { .tid = pid };
	struct remote_program p;
	uint64_t one, zeros[3] = { 0 };
	struct err *err = NULL;
	l->base = RADDR(base);
	for (unsigned try = 0; try < 3; try++) {
		err_destroy(err);
		err = link_unlink_plain(l, l->mem);
		if (!err)
			err = remote_mem_write(l->mem, l->entry, zeros, sizeof(zeros));
		if (!err)
			break;
	}
	for (unsigned try = 0; !err && try < 2; try++) {
		link_unmap_program(l, &p);
		err = remote_call_prepare_stopped(pid, &a->target, &p, &stats);
		if (!err)
			err = run_to_breakpoint(pid, &a->target, &one);
		if (!err || err->code == ERR_TARGET_GONE)
			break;
		err_destroy(err);
		err = NULL;
	}
	if (!err)
		err = remote_place_clear(&a->target);
	if (!err)
		err = remote_mem_write(l->mem, l->place.mailbox, zeros, sizeof(zeros[0]));
	else
		link_keep_orphan(l, l->mem);
	if (err)
		log_debug("left in process %d: %s", (int)pid, err->message);
	err_destroy(err);
}

struct err *link_attach_at_entry(pid_t pid, const struct python_runtime *rt, const struct probe_options *options,
				 struct link **ret)
{
	struct attach a;
	struct remote_call_stats stats = { .tid = pid };
	uint64_t base = 0;
	struct err *err = attach_prepare(&a, pid, rt, options, true);
	if (err)
		goto out;
	struct remote_program p;
	attach_map_program(&a, &p);
	err = remote_call_prepare_stopped(pid, &a.target, &p, &stats);
	stats.tid = pid;
	if (!err)
		err = run_to_breakpoint(pid, &a.target, &base);
	if (!err)
		err = attach_fill(&a, base, &stats);
	/* The only thread stands still: plain stores are enough. */
	uint64_t head = 0;
	if (!err && !remote_mem_read(a.l->mem, RADDR(rt->layout.audit_head), &head, sizeof(head)))
		err = err_create(ERR_TARGET_GONE, "process %d is gone", (int)pid);
	if (!err)
		err = remote_mem_write(a.l->mem, a.l->entry, &head, sizeof(head));
	if (!err)
		err = remote_mem_write(a.l->mem, RADDR(rt->layout.audit_head), &a.l->entry, sizeof(uint64_t));
	if (!err)
		err = remote_place_clear(&a.target);
	if (!err)
		link_own(a.l);
	else if (base && err->code != ERR_TARGET_GONE)
		undo_at_entry(&a, pid, base);
out:
	if (err) {
		link_destroy(a.l);
		a.l = NULL;
	}
	attach_fini(&a);
	if (!err)
		*ret = a.l;
	return err;
}
