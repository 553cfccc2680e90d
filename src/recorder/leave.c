/*
 * leave: see leave.h.
 */
#include "recorder/leave.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "base/monotonic.h"
#include "recorder/client.h"
#include "recorder/drain.h"
#include "recorder/holds.h"
#include "recorder/process.h"
#include "recorder/processes.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"
#include "recorder/taps.h"
#include "recorder/upkeep.h"
#include "recorder/waiting.h"
#include "system/fault.h"
#include "system/proc_file.h"
#include "system/procs.h"
#include "visit/leave.h"
#include "visit/probe_link.h"
#include "visit/link_presence.h"

#define LEAVE_NS       3000000000ull /* for one target */
#define LEAVE_HURRY_NS 500000000ull

static uint64_t timeout_of(const struct recorder *r)
{
	return r->phase == PHASE_HURRYING ? LEAVE_HURRY_NS : LEAVE_NS;
}

/* Does a thread wait for room in this ring, or for a slot of it? */
static bool anyone_waits(const struct tap *t)
{
	for (uint32_t k = 0; k < t->n_slots; k++)
		if (t->clients[k] && !t->clients[k]->process->ended &&
		    ring_slot_waits(&t->link->ring, k))
			return true;
	return ring_is_waited_for(&t->link->ring);
}

/* If the memory map of the process cannot be read, it is unknown whether it is restored. If it has
 * changed the mappings of the ring, it was not found by them. */
static void tell_if_unproved(const struct tap *t, pid_t pid, struct session_end *e)
{
	char left[80];
	enum link_presence presence = link_presence_proved(t->link, pid);
	if (presence == LINK_OUT)
		return;
	snprintf(left, sizeof(left), "process %d: %s", (int)pid,
		 presence == LINK_IN ? "it has changed the mappings of the probe"
				     : "its memory map cannot be read");
	session_end_add_target(e, pid, presence == LINK_IN ? END_NO : END_UNKNOWN, left);
}

/* Report the processes that may have this ring and were not found by it. */
static void tell_unproved(struct recorder *r, struct tap *t, struct session_end *e)
{
	pid_t *pids = NULL;
	size_t n = 0;
	for (size_t i = 0; i < r->processes.n; i++) { /* its parent may have ended */
		const struct process *p = r->processes.v[i];
		if (p->tap == t && !p->ended && p->pid != t->link->pid)
			tell_if_unproved(t, p->pid, e);
	}
	if (t->maybe_hidden > 0)
		tell_if_unproved(t, t->maybe_hidden, e);
	struct err *err = proc_descendants(t->link->pid, getpid(), &pids, &n);
	for (size_t i = 0; !err && i < n; i++) {
		uint64_t ticks;
		/* A process that is older than the ring was not forked with it. If its start time
		 * cannot be read (an exec of it does not end), it may be younger. */
		if (!proc_start_ticks(pids[i], &ticks) || ticks >= t->link->since_ticks)
			tell_if_unproved(t, pids[i], e);
	}
	if (err)
		session_end_add_target(e, t->link->pid, END_UNKNOWN, err->message);
	err_destroy(err);
	free(pids);
}

/* Drain what a probe has written, then take it out. */
static void leave_tap(struct recorder *r, struct tap *t, uint64_t timeout, struct session_end *e)
{
	upkeep_notice_exec(r, t);
	/* Threads that wait for room or for a slot get it first, so that they lose no event. */
	uint64_t until = monotonic_ns() + timeout / 3;
	while ((drain_all(r) || anyone_waits(t)) && monotonic_ns() < until) {
		taps_beat(r, monotonic_ns());
		processes_notice_ends(r);
		if (r->recycle_due)
			client_recycle_ended(r);
	}
	struct detach_report report;
	uint64_t started = monotonic_ns();
	link_detach(t->link, process_is_followed, r, timeout, &report);
	log_debug("left process %d in %.2f ms", (int)t->link->pid,
		  (double)(monotonic_ns() - started) / 1e6);
	t->left = true;
	if (!report.restored)
		t->process->info.flags |= PROCESS_NOT_RESTORED;
	session_end_add_target(e, t->link->pid,
			       report.restored     ? END_YES
			       : report.is_unknown ? END_UNKNOWN
						   : END_NO,
			       report.left);
	tell_unproved(r, t, e);
	if (report.n_processes) {
		struct note_info note = { .kind = NOTE_DETACHED,
					  .time_ns = clock_time_now(&r->clock),
					  .process = t->process->index };
		writer_note(r->writer, &note);
	}
}

void leave_targets(struct recorder *r, struct session_end *e, void (*meanwhile)(struct recorder *))
{
	struct detach_report waiting;
	fault_leaving();
	descriptors_release();
	waiting_stop(r, 0, &waiting);
	if (!waiting.restored)
		session_end_add_target(e, 0, END_NO, waiting.left);
	/* Hooks return at once from here on. Else a busy target could keep us draining forever. */
	taps_set_state(r, RING_HELD);
	holds_release(r);
	/* No tracee is left after this, so no signal and no child waits for us while probes are
	 * taken out. */
	follow_release(r->follow, timeout_of(r));
	for (size_t i = 0; i < r->taps.n; i++) {
		meanwhile(r);
		if (!r->taps.v[i]->left)
			leave_tap(r, r->taps.v[i], timeout_of(r), e);
	}
	drain_rest(r);
}
