/*
 * asks: see asks.h. Before a thread of a target sleeps, it asks whether a system call can kill it
 * (probe/patience.h).
 *
 * It can if the thread has a seccomp filter or another tracer: a sandbox may kill a process that
 * makes calls which it does not know. The thread spins until it has the answer, so the answer is
 * still true when it reads it. Everything in an ask comes from the target. It names one thread; a
 * wrong name harms only the process that gave it.
 */
#include "recorder/asks.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "base/monotonic.h"
#include "base/proc_status.h"

#define STALE_NS 5000000000ull /* then an answer is withdrawn: its thread was killed */

void asks_note_child(struct recorder *r, uint64_t identity, pid_t pid)
{
	if (!identity ||
	    (!r->asks.children &&
	     !(r->asks.children = calloc(ASKS_CHILDREN_MAX, sizeof(*r->asks.children)))))
		return;
	r->asks.children[r->asks.n_children++ % ASKS_CHILDREN_MAX] = (struct named_child){ identity,
											   pid };
}

/* The process of an identity; 0: it is unknown. */
static pid_t pid_of(const struct recorder *r, const struct tap *t, guest_u64 identity)
{
	if (guest_is64(identity, t->link->identity))
		return t->link->pid;
	for (size_t i = r->asks.n_children; i-- > 0 && r->asks.n_children - i <= ASKS_CHILDREN_MAX;)
		if (guest_is64(identity, r->asks.children[i % ASKS_CHILDREN_MAX].identity))
			return r->asks.children[i % ASKS_CHILDREN_MAX].pid;
	for (size_t i = 0; i < r->processes.n; i++) {
		const struct process *p = r->processes.v[i];
		if (!p->ended && p->tap == t &&
		    guest_is64(identity, (uint64_t)p->slot_pid << 32 | p->slot_birth))
			return p->pid;
	}
	return 0;
}

static bool is_thread(pid_t pid, pid_t tid, uint32_t ns_tid, struct proc_status *ret)
{
	struct err *err = proc_status_read(tid, ret);
	bool is_it = !err && ret->tgid == (int)pid && (uint32_t)ret->ns_pid == ns_tid;
	err_destroy(err);
	return is_it;
}

/* The status of a thread that is known by its tid in its own pid namespace. *ret_tid: its tid in
 * ours. */
static bool thread_status(pid_t pid, uint32_t ns_tid, struct proc_status *ret, pid_t *ret_tid)
{
	char path[64];
	*ret_tid = (pid_t)ns_tid;
	bool found = is_thread(pid, *ret_tid, ns_tid, ret);
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *dir = found ? NULL : opendir(path);
	for (struct dirent *e; dir && !found && (e = readdir(dir));) {
		*ret_tid = (pid_t)strtol(e->d_name, NULL, 10);
		found = *ret_tid > 0 && is_thread(pid, *ret_tid, ns_tid, ret);
	}
	if (dir)
		closedir(dir);
	return found;
}

bool asks_may_sleep(struct recorder *r, const struct tap *t, guest_u64 identity, guest_u32 given,
		    pid_t *ret_tid)
{
	struct proc_status status;
	uint32_t tid;
	pid_t pid = pid_of(r, t, identity);
	if (!pid || !guest_take32(given, 1, INT32_MAX, &tid) ||
	    !thread_status(pid, tid, &status, ret_tid))
		return false;
	struct process *p = status.seccomp > 0 ? process_find(r, pid) : NULL;
	if (p)
		p->is_filtered = true;
	return status.seccomp == 0 &&
	       (status.tracer_pid == 0 || status.tracer_pid == (int)getpid());
}

static bool is_answered(const struct ring_question *question)
{
	return question->state == ASK_YES || question->state == ASK_NO;
}

/* Serve one place. Is it to be looked at again? A place that is being written is not freed, however
 * long that takes: its thread may be stopped there, and would write over the question of the thread
 * that took the place meanwhile. */
static bool look_at(struct recorder *r, struct tap *t, uint32_t place, uint64_t now)
{
	const struct ring_question question = ring_question(&t->link->ring, place);
	pid_t tid;
	if (question.ticket != t->asks[place].ticket)
		t->asks[place] = (struct ask_seen){ question.ticket, now };
	if (question.state == ASK_WAITS)
		ring_answer(&t->link->ring, place, &question,
			    asks_may_sleep(r, t, question.identity, question.tid, &tid) ? ASK_YES
											: ASK_NO);
	else if (is_answered(&question) && now - t->asks[place].since_ns > STALE_NS)
		ring_answer(&t->link->ring, place, &question, ASK_FREE);
	return question.state == ASK_WAITS || is_answered(&question);
}

void asks_answer(struct recorder *r)
{
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		guest_u32 n_asked = ring_n_asked(&t->link->ring);
		if (guest_is32(n_asked, t->n_asked) && !t->has_asks)
			continue;
		if (!t->asks && !(t->asks = calloc(RING_ASKS, sizeof(*t->asks))))
			continue;
		t->n_asked = guest_shown32(n_asked);
		t->has_asks = false;
		for (uint32_t place = 0; place < RING_ASKS; place++)
			t->has_asks |= look_at(r, t, place, monotonic_ns());
	}
}

void asks_fini(struct asks *a)
{
	free(a->children);
	*a = (struct asks){ 0 };
}
