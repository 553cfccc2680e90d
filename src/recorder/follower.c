/*
 * follower: see follower.h. The functions here are the members of struct follow_ops.
 */
#include "recorder/follower.h"

#include "base/descriptors.h"
#include "base/log.h"
#include "base/proc_status.h"
#include "recorder/arm.h"
#include "recorder/asks.h"
#include "recorder/client.h"
#include "recorder/drain.h"
#include "recorder/heirs.h"
#include "recorder/identity.h"
#include "recorder/native.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "recorder/rescue.h"
#include "recorder/tap.h"
#include "recorder/taps.h"
#include "recorder/unwatched.h"
#include "recorder/waiting.h"
#include "visit/leave.h"
#include "visit/link_state.h"

static bool at_entry(void *ctx, pid_t pid, pid_t tid, bool is_complete)
{
	struct recorder *r = ctx;
	const struct process *p = process_find(r, pid);
	/* A process that is known had an exec, or was attached to, and has loaded a libpython
	 * since. */
	bool any, is_forked = !p;
	/* A forked child has its parent's probe, and must not be linked twice. */
	if ((!p || p->info.flags & PROCESS_FORKED) && taps_has_ring(r, pid, pid))
		return true;
	uint32_t flags = is_forked                                   ? PROCESS_FORKED
			 : r->launched != LAUNCHED_NONE && !r->first ? PROCESS_LAUNCHED
								     : PROCESS_EXECED;
	struct err *err = arm_process(r, pid, tid, flags, &any);
	/* The loader is at work, and may not have come to Python yet: try again at the next
	 * stop. */
	if (err && err->code == ERR_UNSUPPORTED && !is_complete) {
		log_debug("not armed yet in %d: %s", (int)pid, err->message);
		err_destroy(err);
		return any;
	}
	bool is_passing = err && (err->code == ERR_TIMEOUT || err->code == ERR_BUSY);
	struct process *late = is_passing && !any ? process_find(r, pid) : NULL;
	if (late) {
		log_debug("not armed at entry of %d: %s", (int)pid, err->message);
		unwatched_set_late(r, late, err);
		return true;
	}
	if (err && err->code != ERR_NOT_PYTHON && err->code != ERR_TARGET_GONE) {
		unwatched_add(r, pid, err);
		log_debug("not armed at entry of %d: %s", (int)pid, err->message);
	}
	bool not_python = err && err->code == ERR_NOT_PYTHON;
	err_destroy(err);
	return any || !not_python;
}

static void execed(void *ctx, pid_t pid)
{
	struct recorder *r = ctx;
	struct process *p = process_find(r, pid);
	struct detach_report report;
	waiting_stop(r, pid, &report);
	heirs_forget(r, pid);
	if (p) { /* what the old program wrote comes before the note of its end */
		drain_settle(r);
		taps_set_gone(r, pid);
		process_execed(r, p);
	}
	/* The new program is shown in any case. Whether it is Python is found out at its entry. */
	p = process_add(r, pid, NULL, pid == r->launched_pid ? PROCESS_LAUNCHED : PROCESS_EXECED);
	if (!p)
		log_debug("no memory to note process %d", (int)pid);
	unwatched_look_for_lost_rights(r, pid);
}

static void forked(void *ctx, pid_t parent, pid_t child, bool is_new)
{
	struct recorder *r = ctx;
	r->n_children += is_new;
	unsigned n_lent = descriptors_lend(DESCRIPTORS_FOR_A_LOOK);
	struct proc_status status, of_parent;
	struct err *err = proc_status_read(child, &status);
	bool is_inner = !err && status.n_namespaces > 1;
	if (!err)
		err = proc_status_read(parent, &of_parent);
	/* the parent is in the child's pid namespace */
	bool is_beside = !err && status.n_namespaces == of_parent.n_namespaces;
	for (size_t i = 0; !err && i < r->taps.n; i++)
		if (!r->taps.v[i]->gone) {
			struct tap *t = r->taps.v[i];
			uint64_t identity = link_name_child(t->link, child, (uint32_t)status.ns_pid,
							    is_beside ? (uint32_t)of_parent.ns_pid
								      : 0);
			asks_note_child(r, identity, child);
			heirs_add(r, t, child, identity);
		}
	if (is_inner && !err) {
		const struct fork_note note = {
			.pid = child,
			.ppid = parent,
			.ns_pid = (uint32_t)status.ns_pid,
			.ns_ppid = is_beside ? (uint32_t)of_parent.ns_pid : 0,
		};
		forks_add(&r->forks, &note);
	}
	err_destroy(err);
	descriptors_take_back(n_lent);
	/* A child that could not be told who it is may write in its parent's name. */
	if (descriptors_are_short())
		unwatched_note_shortage(r);
}

/* Native stacks of the last records need the mappings, which vanish with the process. */
static void leaving(void *ctx, pid_t pid)
{
	struct recorder *r = ctx;
	struct process *p = process_find(r, pid);
	/* A program that is killed while its loader works has not become anything. */
	if (p && !p->info.python_hex && !p->is_unwatched && !follow_is_starting(r->follow, pid))
		unwatched_look(r, p, true);
	if (!(r->options.probe.flags & PROBE_STACK_NATIVE))
		return;
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		for (uint32_t k = 0; k < t->n_slots; k++)
			if (t->clients[k] && t->clients[k]->native &&
			    t->clients[k]->process->pid == pid)
				native_context_refresh(t->clients[k]->native);
	}
	drain_settle(r);
}

static void exited(void *ctx, pid_t pid, int status)
{
	struct recorder *r = ctx;
	if (pid == r->launched_pid) {
		r->launched = LAUNCHED_ENDED;
		r->launched_status = status;
	}
	drain_settle(r);
	heirs_forget(r, pid);
	struct process *p = process_find(r, pid);
	if (p)
		process_ended(r, p, status);
}

static void born(void *ctx, pid_t pid)
{
	heirs_give_rings(ctx, pid);
}

static void cloned(void *ctx, pid_t pid, pid_t tid)
{
	identity_note_thread(ctx, pid, tid);
}

static void unfollowed(void *ctx, pid_t pid, enum self_tracing why)
{
	unwatched_add_tracer(ctx, pid, why);
}

static bool faulted(void *ctx, pid_t pid, pid_t tid, int signal)
{
	return rescue_thread(ctx, pid, tid, signal);
}

struct err *follower_create(struct recorder *r)
{
	const struct follow_ops ops = {
		.at_entry = at_entry,
		.execed = execed,
		.forked = forked,
		.born = born,
		.exited = exited,
		.leaving = leaving,
		.wants_leaving = r->options.probe.flags & PROBE_STACK_NATIVE,
		.faulted = faulted,
		.unfollowed = unfollowed,
		.cloned = cloned,
	};
	return follow_create(&ops, r, &r->follow);
}
