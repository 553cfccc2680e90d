/*
 * arm: see arm.h.
 */
#include "recorder/arm.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/proc_status.h"
#include "recorder/notes.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"
#include "recorder/taps.h"
#include "recorder/unwatched.h"
#include "recorder/waiting.h"
#include "system/proc_file.h"
#include "system/procs.h"
#include "system/remote_io.h"
#include "visit/access.h"
#include "visit/target_facts.h"
#include "visit/attach.h"
#include "visit/lazy_link.h"
#include "visit/leave.h"
#include "visit/probe_link.h"

enum { DESCENDANT_ROUNDS = 100 };

static bool is_armed(const struct recorder *r, pid_t pid, const struct python_runtime *rt)
{
	for (size_t i = 0; i < r->waiting.n; i++)
		if (r->waiting.v[i].link->pid == pid &&
		    r->waiting.v[i].link->runtime.layout.audit_head == rt->layout.audit_head)
			return true;
	for (size_t i = 0; i < r->taps.n; i++) {
		const struct tap *t = r->taps.v[i];
		if (!t->gone && t->link->pid == pid &&
		    t->link->runtime.layout.audit_head == rt->layout.audit_head)
			return true;
	}
	return false;
}

/* If a program that stays followed is at its entry, all threads that it will have are traced, so
 * its probe may read the TSC. In other processes the probe may do so once they are followed
 * (taps_set_clock()). */
static struct err *link_up(struct recorder *r, struct target_facts *facts, size_t i, pid_t at_entry,
			   const struct probe_options *options, struct link **ret)
{
	pid_t pid = facts->pid;
	struct probe_options o = *options;
	clock_tick(&r->clock, &o.tick);
	o.ticks_per_ns = clock_ticks_per_ns(&r->clock);
	if (!at_entry || !process_may_read_tsc(r, pid))
		o.flags |= PROBE_CLOCK_RING;
	return at_entry ? link_attach_at_entry(facts, i, at_entry, &o, ret)
			: link_attach(facts, i, &o, follow_has(r->follow, pid), ret);
}

static bool begin_tap(struct recorder *r, struct link *link, struct process *p)
{
	struct tap *t = tap_add(r, link, p);
	if (t)
		tap_announce(r, t);
	return t != NULL;
}

/* Arm each runtime of a process that was examined. */
static struct err *arm_runtimes(struct recorder *r, struct target_facts *facts, pid_t at_entry,
				uint32_t flags, bool *ret_any)
{
	pid_t pid = facts->pid;
	struct err *err = facts->n_runtimes ? NULL : target_facts_none(facts), *first = NULL;
	*ret_any = false;
	for (size_t i = 0; !err && i < facts->n_runtimes; i++) {
		const struct python_runtime *rt = &facts->runtimes[i];
		struct link *link = NULL;
		if (is_armed(r, pid, rt)) {
			*ret_any = true;
			continue;
		}
		struct err *e = link_up(r, facts, i, at_entry, &r->options.probe, &link);
		if (e && (e->sys == ENOMEM || e->sys == EAGAIN) &&
		    r->options.probe.slice_bytes == 0) {
			/* With a limit of address space (RLIMIT_AS) or locked memory (mlockall) a
			 * small ring may still fit; the target then waits more often. */
			struct probe_options small = r->options.probe;
			small.n_slots = 4;
			small.slot_data_bytes = RING_SLOT_MIN_BYTES;
			small.first_data_bytes = 0;
			err_destroy(e);
			e = link_up(r, facts, i, at_entry, &small, &link);
		}
		if (e) {
			if (first)
				err_destroy(e);
			else
				first = e;
			continue;
		}
		struct process *p = process_find(r, pid);
		if (!p)
			p = process_add(r, pid, rt, flags);
		else if (!p->info.python_hex)
			process_is_python(r, p, rt);
		struct waiting waiting = { .link = link, .process = p };
		bool waits = link_is_waiting(link),
		     ok = p && (waits ? vec_push(&r->waiting, waiting) : begin_tap(r, link, p));
		if (!ok) {
			struct detach_report report;
			link_detach(link, NULL, NULL, 1000000000, &report);
			link_destroy(link);
			err = err_no_memory();
			break;
		}
		if (!r->first)
			r->first = p;
		if (waits)
			notes_add(r, NOTE_MESSAGE, p->index,
				  "every thread waits in a call that attaching would end "
				  "early: recording begins with its next event");
		unwatched_end_late(r, p);
		log_debug("armed %d: Python %s, %s", (int)pid, rt->version, rt->how);
		*ret_any = true;
	}
	if (first && *ret_any) {
		log_debug("one runtime of %d was not armed: %s", (int)pid, first->message);
		err_destroy(first);
		first = NULL;
	}
	if (err)
		err_destroy(first);
	return remote_io_explain(pid, err ? err : first);
}

struct err *arm_process(struct recorder *r, pid_t pid, pid_t at_entry, uint32_t flags,
			bool *ret_any)
{
	CLEANUP(target_facts) struct target_facts *facts = NULL;
	*ret_any = false;
	struct err *err = target_facts_read(pid, NULL, &facts);
	return err ? remote_io_explain(pid, err) : arm_runtimes(r, facts, at_entry, flags, ret_any);
}

/* Add a process that is followed and has no Python yet, for its place in the tree. Returns NULL if
 * memory is short. */
static struct process *host_add(struct recorder *r, pid_t pid)
{
	struct process *p = process_find(r, pid);
	p = p ? p : process_add(r, pid, NULL, PROCESS_ATTACHED);
	if (p)
		p->awaits_python = true;
	return p;
}

static struct err *descendant_arm(struct recorder *r, pid_t pid)
{
	struct access access;
	CLEANUP(target_facts) struct target_facts *facts = NULL;
	bool any;
	struct err *err = access_examine(pid, &access, &facts);
	if (!err)
		err = access_to_err(&access);
	return err ? err : arm_runtimes(r, facts, 0, PROCESS_ATTACHED, &any);
}

/* Attach to a child that was there before us. If that cannot be done, the reason is noted; it is no
 * error of the caller. */
static void descendant_attach(struct recorder *r, pid_t pid)
{
	struct proc_status status;
	struct err *err = proc_status_read(pid, &status);
	if (!err && !status.has_memory)
		return;
	if (!err && !taps_has_ring(r, pid, 0)) /* not forked since its parent was attached to */
		err = descendant_arm(r, pid);
	bool is_recorded = !err;
	bool may_become_python = err && err->code == ERR_NOT_PYTHON;
	if (may_become_python) { /* a shell, say: it is shown, and its children are followed */
		err_destroy(err);
		err = NULL;
		if (!host_add(r, pid))
			log_debug("no memory to note process %d", (int)pid);
	}
	if (!err)
		err = follow_seize(r->follow, pid, may_become_python);
	if (err && err->code != ERR_TARGET_GONE)
		unwatched_add(r, pid, err);
	else if (!err)
		taps_set_clock(r, pid, true);
	struct process *p = process_find(r, pid);
	if (is_recorded && p)
		process_count_child(r, p);
	else if (is_recorded && !err)
		r->n_children++; /* it has its parent's ring, and has not raised an event yet */
	err_destroy(err);
}

/* Attach to the children that a process has already. It is followed by now, so what it forks from
 * here on is followed from birth. What its children fork before they are followed is found in the
 * next round. */
static struct err *descendants_attach(struct recorder *r, pid_t pid)
{
	struct err *err = NULL;
	for (unsigned round = 0, found = 1; !err && found && round < DESCENDANT_ROUNDS; round++) {
		pid_t *pids = NULL;
		size_t n = 0;
		/* not ourselves: the target may have started us */
		err = proc_descendants(pid, getpid(), &pids, &n);
		found = 0;
		for (size_t i = 0; !err && i < n; i++) {
			if (follow_has(r->follow, pids[i]))
				continue;
			descendant_attach(r, pids[i]);
			found += follow_has(r->follow, pids[i]);
		}
		free(pids);
	}
	return err;
}

struct err *arm_follow(struct recorder *r, pid_t pid)
{
	const struct process *p = process_find(r, pid);
	struct err *err = follow_seize(r->follow, pid, p && !p->info.python_hex);
	if (!err)
		taps_set_clock(r, pid, true);
	return err ? err : descendants_attach(r, pid);
}

/* With -f: a program that is no Python may have children that are, or may load one. */
static struct err *attach_to_host(struct recorder *r, pid_t pid)
{
	struct process *p = host_add(r, pid);
	if (!p)
		return err_no_memory();
	if (!r->first)
		r->first = p;
	notes_add(r, NOTE_MESSAGE, p->index,
		  "there is no CPython in it: its children are watched, and what it loads");
	return NULL;
}

/* What was followed before is followed again, also if it is no Python: a shell, say. */
struct err *arm_again(struct recorder *r, struct process *p)
{
	bool any, is_own = p->tap && p->tap->link->pid == p->pid;
	struct err *err = NULL;
	if (is_own)
		err = arm_process(r, p->pid, 0, 0, &any);
	else if (r->options.follow && !taps_has_ring(r, p->pid, 0))
		/* it was forked, and its parent may have ended; or it has called exec */
		err = descendant_arm(r, p->pid);
	if (err && err->code == ERR_NOT_PYTHON && r->options.follow) {
		err_destroy(err);
		err = NULL;
		p->awaits_python = true;
	}
	return err || !r->options.follow || follow_has(r->follow, p->pid) ? err
									  : arm_follow(r, p->pid);
}

/* One attempt at a process that is not traced yet. *ret_was_looked_at: it was a Python that can be
 * attached to, or with `follow` any program, when it was checked. */
static struct err *attach_once(struct recorder *r, pid_t pid, bool *ret_was_looked_at)
{
	struct access access;
	CLEANUP(target_facts) struct target_facts *facts = NULL;
	bool any, is_host;
	*ret_was_looked_at = false;
	struct err *err = access_examine(pid, &access, &facts);
	if (err)
		return err;
	/* A probe whose recorder is dead is taken out by link_attach(). */
	is_host = r->options.follow && access.cause == ACCESS_NOT_PYTHON;
	/* it may be the probe of our own earlier attempt */
	bool is_own = access.cause == ACCESS_ATTACHED && access.other_pid == getpid();
	err = is_host || is_own ? NULL : access_to_err(&access);
	if (err)
		return err;
	*ret_was_looked_at = true;
	err = is_host ? attach_to_host(r, pid) : arm_runtimes(r, facts, 0, PROCESS_ATTACHED, &any);
	return err ? err_wrap(err, "cannot attach to %d", (int)pid) : NULL;
}

struct err *arm_target(struct recorder *r, pid_t pid)
{
	enum { TRIES = 10, PAUSE_MS = 20 };
	/* it was named twice, or is a child of a process that was named before */
	if (follow_has(r->follow, pid) || taps_has_ring(r, pid, 0)) {
		r->n_roots++;
		return NULL;
	}
	bool was_looked_at;
	uint64_t mark = proc_program_mark(pid);
	struct err *err = attach_once(r, pid, &was_looked_at);
	/* A process that was a Python, and then none that is known, is being loaded now. An exec in
	 * between can make the visit fail at any step, and with any error. */
	for (unsigned i = 1; i < TRIES && err; i++) {
		poll(NULL, 0, PAUSE_MS); /* the exec may not be complete */
		uint64_t now = proc_program_mark(pid);
		if (now == mark && !(was_looked_at && err->code == ERR_UNSUPPORTED))
			break;
		mark = now;
		err_destroy(err);
		err = attach_once(r, pid, &was_looked_at);
	}
	r->n_roots += was_looked_at;
	/* if it has ended, any other error is only about how much of its memory was left */
	if (err && was_looked_at && !process_has_memory(pid)) {
		err_destroy(err);
		err = err_create(ERR_TARGET_GONE, "cannot attach to %d: it has ended", (int)pid);
	}
	/* Follow it last: from then on every signal and child of the target waits for us. */
	return err || !r->options.follow ? err : arm_follow(r, pid);
}
