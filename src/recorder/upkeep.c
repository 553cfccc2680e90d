/*
 * upkeep: see upkeep.h.
 */
#include "recorder/upkeep.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "base/monotonic.h"
#include "base/proc_status.h"
#include "recorder/arm.h"
#include "recorder/client.h"
#include "recorder/drain.h"
#include "recorder/heirs.h"
#include "recorder/holds.h"
#include "recorder/notes.h"
#include "recorder/process.h"
#include "recorder/processes.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"
#include "recorder/taps.h"
#include "recorder/unwatched.h"
#include "system/maps.h"
#include "system/proc_file.h"
#include "system/remote_io.h"
#include "system/remote_mem.h"
#include "visit/leave.h"
#include "visit/probe_link.h"
#include "visit/link_health.h"
#include "visit/link_presence.h"
#include "visit/quiet.h"

enum {
	CHECK_NS = 500 * 1000 * 1000,
	RELINK_NS = 4 * 1000 * 1000,
	MODULES_NS = 50 * 1000 * 1000,
	MODULES_EACH_NS = 3 * 1000 * 1000,
	LIBRARY_MIN_BYTES = 2 << 20,
	LOOKS = 7,
	/* While threads wait for decisions (holds.h), a further look comes so many times the
	 * duration of the last one later: then at most one event in some 400 waits for a look. */
	LOOK_SHARE = 400
};

/* Py_Finalize() empties the list of hooks. Unless the probe could arrange to come back
 * (RECORD_COMES_BACK), put the entry back once the interpreter is gone; the next Py_Initialize()
 * keeps it (Python/pystate.c, _PyRuntimeState_Init). Never earlier: the teardown raises events too,
 * and may have no thread state and no tuple any more. */
static void relink(struct recorder *r, struct tap *t)
{
	struct link *l = t->link;
	struct python_runtime now = l->runtime;
	uint64_t head = 0;
	if (t->gone || t->process->ended ||
	    !remote_mem_read(l->mem, RADDR(l->runtime.layout.audit_head), &head, sizeof(head)) ||
	    head)
		return;
	python_runtime_refresh(remote_mem_reader(l->mem), &now);
	if (now.is_finalising)
		return;
	struct err *err = python_runtime_find(remote_mem_reader(l->mem), &l->runtime.module, &now);
	if (!err && !now.is_finalising && now.is_relocated &&
	    now.layout.audit_head == l->runtime.layout.audit_head) {
		err = link_again(l, follow_has(r->follow, l->pid));
		if (!err)
			t->finalised = false;
	}
	if (err)
		log_debug("cannot link again in %d: %s", (int)l->pid, err->message);
	err_destroy(err);
}

/* A process that is not followed runs another program. The user did not ask for that; but it shall
 * not look as if nothing had been raised since. */
static void execed_unfollowed(struct recorder *r, struct tap *t)
{
	struct detach_report report;
	pid_t pid = t->link->pid;
	drain_settle(r);
	process_execed(r, t->process);
	taps_set_gone(r, pid);
	unwatched_add_exec(r, pid);
	/* modules_look() may have taken the new program for another library of the old one */
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *other = r->taps.v[i];
		if (other->link->pid != pid || other->left ||
		    link_presence(other->link, pid) != LINK_IN)
			continue;
		link_detach(other->link, process_is_followed, r, 1000000000, &report);
		other->left = report.restored;
	}
	r->recycle_due = true;
}

bool upkeep_notice_exec(struct recorder *r, struct tap *t)
{
	pid_t pid = t->link->pid;
	if (t->gone || t->process->ended || follow_has(r->follow, pid) ||
	    link_check(t->link) != LINK_GONE || !process_has_memory(pid))
		return false;
	execed_unfollowed(r, t);
	return true;
}

/* A hash of which files are mapped as code, and where. 0: unknown. */
static uint64_t modules_hash(pid_t pid)
{
	CLEANUP(maps) struct maps *maps = NULL;
	uint64_t hash = 0;
	struct err *err = maps_read(pid, &maps);
	for (size_t i = 0; !err && i < maps->n; i++) {
		const struct mapping *m = &maps->v[i];
		const uint64_t words[] = { hash, m->start, m->dev, m->inode };
		if (m->exec && m->inode)
			hash = name_hash((const char *)words, sizeof(words));
	}
	err_destroy(err);
	return hash;
}

/* A process that is armed may load another libpython, or the same one again, without any report. A
 * library of megabytes shows in the size of the address space, which takes microseconds to read; to
 * look for Python takes 2 ms. The more processes there are, the more rarely each is checked. */
static void modules_look(struct recorder *r, uint64_t now)
{
	uint64_t each = r->processes.n * (uint64_t)MODULES_EACH_NS;
	if (r->phase != PHASE_RECORDING ||
	    now - r->modules_ns < (each > MODULES_NS ? each : MODULES_NS))
		return;
	r->modules_ns = now;
	for (size_t i = 0; i < r->processes.n; i++) {
		struct process *p = r->processes.v[i];
		char text[128];
		bool any;
		/* Processes that were armed themselves, even if that Python has been unloaded
		 * since, and those that were attached to without a Python. */
		bool is_ours = p->info.python_hex
				   ? !p->tap || p->tap->link->pid == p->pid
				   : p->awaits_python || follow_is_blind(r->follow, p->pid);
		bool is_other = !p->info.python_hex && !is_ours && !p->is_unwatched &&
				follow_has(r->follow, p->pid) &&
				!follow_is_starting(r->follow, p->pid);
		if (p->ended || (!is_ours && !is_other) ||
		    proc_file_read(p->pid, "statm", text, sizeof(text)) <= 0)
			continue;
		uint64_t vm_bytes = strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
		uint64_t change = vm_bytes > p->vm_bytes ? vm_bytes - p->vm_bytes
							 : p->vm_bytes - vm_bytes;
		if (is_other) {
			if (change >= LIBRARY_MIN_BYTES || !p->vm_bytes || p->is_doubtful)
				unwatched_look(r, p, false);
			p->vm_bytes = vm_bytes;
			continue;
		}
		if (change >= LIBRARY_MIN_BYTES) {
			uint64_t modules = modules_hash(p->pid);
			p->vm_bytes = vm_bytes;
			if (modules != p->modules_hash) {
				p->modules_hash = modules;
				p->n_looks = 0;
				p->look_ns = now;
			}
		}
		/* Several looks, because the loader may not be ready at the first ones. */
		if (p->n_looks >= LOOKS || now < p->look_ns)
			continue;
		p->look_ns = now + ((uint64_t)MODULES_NS << p->n_looks++);
		if (p->tap && p->tap->link->pid == p->pid && upkeep_notice_exec(r, p->tap))
			continue;
		uint64_t begun = monotonic_ns();
		struct err *err = arm_process(r, p->pid, 0, 0, &any);
		uint64_t rest = LOOK_SHARE * (monotonic_ns() - begun);
		if (holds_are_hot(r) && p->look_ns < now + rest)
			p->look_ns = now + rest;
		if (err && err->code == ERR_UNSUPPORTED && !p->info.python_hex)
			unwatched_add(r, p->pid, err);
		if (err)
			log_debug("looked for another Python in %d: %s", (int)p->pid, err->message);
		err_destroy(err);
	}
}

void upkeep_relink(struct recorder *r, uint64_t now)
{
	if (now - r->relink_ns < RELINK_NS)
		return;
	r->relink_ns = now;
	for (size_t i = 0; i < r->taps.n; i++)
		if (r->taps.v[i]->finalised)
			relink(r, r->taps.v[i]);
	modules_look(r, now);
}

/* dlclose(3) has unmapped the module with list and hook entry. What is left is our reservation. */
static void unloaded(struct recorder *r, struct tap *t)
{
	struct detach_report report;
	drain_settle(r);
	t->gone = true;
	link_detach(t->link, process_is_followed, r, 1000000000, &report);
	t->left = report.restored; /* if not, it is tried again at the end */
	if (!t->left)
		log_debug("what the probe had in %d is not gone yet: %s", (int)t->link->pid,
			  report.left);
	notes_add(r, NOTE_MESSAGE, t->process->index, "Python was unloaded from the process");
	t->process->vm_bytes = t->process->modules_hash = 0;
	r->recycle_due = true;
}

/* Its memory does not answer. It is left as far as that needs no read: the probe is off. */
static void unreadable(struct recorder *r, struct tap *t)
{
	struct detach_report report;
	struct err *err = remote_io_stuck_error(t->link->pid);
	drain_settle(r);
	t->gone = true;
	unwatched_add(r, t->link->pid, err);
	err_destroy(err);
	link_detach(t->link, process_is_followed, r, 1000000000, &report);
	t->left = report.restored; /* if not, it is tried again at the end */
}

/* A program may install a seccomp filter after it was armed. Then its threads do not sleep until
 * the ring has room, and lose events. */
static void notice_seccomp(struct process *p)
{
	struct proc_status status;
	struct err *err = p->is_filtered ? NULL : proc_status_read(p->pid, &status);
	p->is_filtered |= !err && status.seccomp > 0;
	err_destroy(err);
}

/* Has its program ended, and is all drained? Then the ring can go if no forked child has it. */
static bool tap_may_be_over(const struct recorder *r, const struct tap *t)
{
	if (!t->process->ended && (!t->gone || r->phase != PHASE_RECORDING))
		return false;
	for (uint32_t k = 0; k < t->n_slots; k++)
		if (t->clients[k])
			return false;
	return true;
}

/* A program that starts many short Pythons would else leave us with a ring, a memory file and a
 * lock of each. */
static void taps_remove_over(struct recorder *r)
{
	enum { MOST = 256 }; /* at a time */
	const struct link *links[MOST];
	size_t at[MOST], n = 0;
	bool is_used[MOST];
	for (size_t i = r->taps.n; i-- > 0 && n < MOST;)
		if (tap_may_be_over(r, r->taps.v[i])) {
			links[n] = r->taps.v[i]->link;
			at[n++] = i;
		}
	struct err *err = link_find_used(links, n, is_used);
	for (size_t i = 0; !err && i < n; i++) {
		struct tap *t = r->taps.v[at[i]];
		if (is_used[i])
			continue;
		if (t->link->pause_ns > r->pause_ns)
			r->pause_ns = t->link->pause_ns;
		r->n_unserved -= t->n_unserved;
		heirs_forget_tap(r, t);
		for (size_t k = 0; k < r->processes.n; k++)
			if (r->processes.v[k]->tap == t)
				r->processes.v[k]->tap = NULL;
		r->taps.v[at[i]] = r->taps.v[--r->taps.n]; /* not one of at[i + 1 …] */
		tap_destroy(t);
	}
	err_destroy(err);
}

void upkeep_check(struct recorder *r, uint64_t now)
{
	if (now - r->check_ns < CHECK_NS)
		return;
	r->check_ns = now;
	if (!phase_is_leaving(r->phase))
		descriptors_reserve();
	for (size_t i = 0; i < r->processes.n; i++) {
		struct process *p = r->processes.v[i];
		if (p->ended)
			continue;
		if (p->tap && !p->tap->gone)
			notice_seccomp(p);
		if (p->tap)
			process_read_prefixes(r, p, &p->tap->link->runtime);
	}
	processes_notice_ends(r);
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		for (uint32_t k = 0; k < t->n_slots; k++)
			if (t->clients[k])
				client_refresh(t, k);
		if (t->gone || t->process->ended || phase_is_leaving(r->phase))
			continue;
		tap_check(r, t);
		enum link_health health = link_check(t->link);
		if (health == LINK_STUCK) {
			unreadable(r, t);
		} else if (health == LINK_UNLOADED && process_has_memory(t->link->pid)) {
			unloaded(r, t);
		} else if (health == LINK_OVERWRITTEN) {
			tap_note_overwritten(r, t);
		} else if (health == LINK_GONE && process_has_memory(t->link->pid)) {
			if (!upkeep_notice_exec(r, t)) { /* the follower is about to report it */
				t->gone = true;
				process_execed(r, t->process);
			}
		} else if (health == LINK_UNLINKED && !t->finalised) {
			/* A hook that was being added to an empty list at that very moment, or
			 * the program raised the event of the end by itself. Not while the
			 * interpreter ends. */
			struct python_runtime rt;
			struct err *err = python_runtime_find(remote_mem_reader(t->link->mem),
							      &t->link->runtime.module, &rt);
			/* Not initialised: unloaded and loaded again, at the same address, between
			 * two looks. Or CPython is calling the functions of Py_AtExit, no longer
			 * says that it is finalising, and has not called that of the probe yet. */
			if (!err && !rt.is_finalising &&
			    (rt.is_initialised ||
			     (rt.is_relocated && !quiet_will_be_called(t->link))))
				err = link_again(t->link, follow_has(r->follow, t->link->pid));
			err_destroy(err);
		}
	}
	taps_count_unserved(r);
	heirs_forget_ended(r);
	client_recycle_ended(r);
	taps_remove_over(r);
	processes_forget(r);
}
