/*
 * claim: see claim.h.
 */
#include "recorder/claim.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/proc_status.h"
#include "recorder/notes.h"
#include "recorder/packages.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "system/proc_file.h"
#include "visit/probe_link.h"
#include "visit/link_presence.h"

/* Has a process that has this pid, or had it, written to this ring? */
static bool was_ours(const struct recorder *r, const struct tap *t, pid_t pid)
{
	for (size_t i = r->processes.n; i-- > 0;)
		if (r->processes.v[i]->pid == pid && r->processes.v[i]->tap == t)
			return true;
	return false;
}

/* Does the process descend from the armed one? Its parent may have a slot that was not read yet, so
 * the fork notes are followed. */
static bool is_family(const struct recorder *r, const struct tap *t, pid_t pid)
{
	size_t i = r->forks.n;
	while (pid != t->link->pid && !was_ours(r, t, pid)) {
		/* It goes up in the tree and back in time, so it ends. */
		const struct fork_note *f;
		do
			f = i > 0 ? forks_at(&r->forks, --i) : NULL;
		while (f && f->pid != pid);
		if (!f)
			return false;
		pid = f->ppid;
	}
	return true;
}

/* The newest fork of a process by a parent that may write to this ring. Both pids are those that
 * the processes have of themselves. */
static const struct fork_note *fork_find(const struct recorder *r, const struct tap *t,
					 uint32_t ns_pid, uint32_t ns_parent)
{
	const struct fork_note *f;
	for (size_t i = r->forks.n; i-- > 0 && (f = forks_at(&r->forks, i));)
		if (!f->is_thread && f->ns_pid == ns_pid && f->ns_ppid == ns_parent &&
		    is_family(r, t, f->ppid))
			return f;
	return NULL;
}

/* Our pid of the process that claimed a slot with the pid that it has of itself. 0: it has
 * ended; -1: the process of that number cannot be looked at. */
static pid_t host_pid(struct recorder *r, struct tap *t, uint32_t ns_pid, uint32_t ns_parent)
{
	if (ns_pid == t->root_ns_pid)
		return t->link->pid;
	enum link_presence presence = t->other_pid_ns ? LINK_OUT
						      : link_presence(t->link, (pid_t)ns_pid);
	/* A child can be in a pid namespace of its own though its parent is in ours, and another
	 * process have that number here: only a process that maps the ring counts. */
	if (presence == LINK_IN)
		return (pid_t)ns_pid;
	/* A slot of one that lives must not be taken for free: it goes on writing there. */
	if (presence == LINK_UNKNOWN)
		return follow_has(r->follow, (pid_t)ns_pid) ? (pid_t)ns_pid : -1;
	/* If its parent has written to the ring, it is in our namespace and has ended already. To
	 * search all processes of the machine for each of thousands of such children would take
	 * longer than they live. */
	if (!t->other_pid_ns && ns_parent && was_ours(r, t, (pid_t)ns_parent))
		return 0;
	const struct fork_note *fork = fork_find(r, t, ns_pid, ns_parent);
	if (fork)
		return fork->pid;
	pid_t *pids = NULL, found = 0;
	size_t n = 0;
	struct err *err = link_processes(t->link, &pids, &n);
	for (size_t i = 0; !err && i < n && !found; i++) {
		struct proc_status status;
		struct err *e = proc_status_read(pids[i], &status);
		if (!e && (uint32_t)status.ns_pid == ns_pid)
			found = pids[i];
		err_destroy(e);
	}
	err_destroy(err);
	free(pids);
	return found;
}

/* Can a process that has ended have had this pid? Only processes that were forked after the ring
 * was mapped have it. As long as an older process has the pid, none of them can have had it. */
static bool may_have_been(const struct tap *t, pid_t pid)
{
	uint64_t start_ticks;
	if (proc_start_ticks(pid, &start_ticks))
		return start_ticks >= t->link->since_ticks;
	/* after the other: a zombie may be reaped in between */
	return kill(pid, 0) < 0 && errno == ESRCH;
}

struct process *claim_process(struct recorder *r, struct tap *t, const struct ring_claim *claim,
			      uint32_t ns_pid, bool *ret_false)
{
	uint32_t birth = guest_shown32(claim->birth), parent_pid = guest_shown32(claim->parent_pid);
	/* It has another slot, by which it was found, even if it has ended since. */
	for (size_t i = r->processes.n; i-- > 0;) {
		struct process *p = r->processes.v[i];
		if (p->tap == t && p->slot_pid == ns_pid && p->slot_birth == birth)
			return p;
	}
	pid_t pid = host_pid(r, t, ns_pid, parent_pid);
	if (pid < 0 || (!pid && !t->other_pid_ns && !may_have_been(t, (pid_t)ns_pid))) {
		*ret_false = true;
		return NULL;
	}
	struct process *p = process_find(r, pid ? pid : (pid_t)ns_pid);
	if (p && !pid && p->tap != t)
		p = NULL; /* another process has that pid now */
	if (!p) {
		const struct fork_note *fork = fork_find(r, t, ns_pid, parent_pid);
		bool is_gone = !pid && kill((pid_t)ns_pid, 0) == 0;
		bool is_reported = fork || follow_has(r->follow, pid ? pid : (pid_t)ns_pid);
		p = (is_gone ? process_add_gone : process_add)(r, pid ? pid : (pid_t)ns_pid,
							       &t->link->runtime, PROCESS_FORKED);
		if (!p)
			return NULL;
		p->tap = t;
		if (!p->info.ppid || !p->info.name) { /* it has ended already */
			p->info.ppid = fork ? (uint32_t)fork->ppid : parent_pid;
			p->info.ns_pid = ns_pid;
			p->info.name = t->process->info.name;
			p->info.argv = t->process->info.argv;
			p->info.exe = t->process->info.exe;
			p->info.cwd = t->process->info.cwd;
			p->info.environ = t->process->info.environ;
		}
		p->info.prefixes = t->process->info.prefixes;
		packages_inherit(p, t->process);
		process_update(r, p);
		/* it was forked before its parent was followed, and has ended before the tree of
		 * processes was read */
		if (!is_reported && !r->options.only_targets)
			process_count_child(r, p);
	}
	if (p->tap == t) {
		p->slot_pid = ns_pid;
		p->slot_birth = birth;
	}
	return p;
}

void claim_refuse(struct recorder *r, struct tap *t, uint32_t slot_index,
		  const struct ring_claim *claim)
{
	ring_slot_give_up(&t->link->ring, slot_index);
	/* The claim may yet be true, if /proc hides the process from us (proc(5), hidepid). Then it
	 * is unknown whether it is restored. */
	if (!t->other_pid_ns)
		t->maybe_hidden = (pid_t)guest_shown32(claim->pid);
	r->end.is_loss_known = false; /* what it writes there is not read */
	if (t->n_false_claims++ == 0)
		notes_add(r, NOTE_WARNING, t->process->index,
			  "something in it writes events under the number of process %u, which "
			  "does not have its ring: they are left out",
			  guest_shown32(claim->pid));
}
