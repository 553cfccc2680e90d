/*
 * one_thread: see one_thread.h.
 */
#include "visit/one_thread.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/log.h"
#include "base/monotonic.h"
#include "base/proc_status.h"
#include "system/fault.h"
#include "system/remote_mem.h"
#include "visit/at_stop.h"
#include "visit/blocked.h"
#include "visit/hold.h"
#include "visit/interrupted.h"
#include "visit/mailbox.h"
#include "visit/ptrace.h"
#include "visit/remote_place.h"
#include "visit/remote_target.h"
#include "visit/seccomp.h"
#include "visit/stub.h"
#include "visit/threads.h"
#include "visit/way_back.h"

#define CALL_GRACE_NS 200000000ull
#define TAKE_BACK_NS  50000000ull
/* additional time for a thread that waits for a processor, to stop or to continue */
#define STARVED_NS 8000000000ull

/* No thread could be stopped, or a stopped thread did not continue: find the cause, if /proc shows
 * it. Returns err, or a better error in its place. */
static struct err *explain_timeout(const struct remote_target *t, struct err *err)
{
	struct blocked blocked;
	if (!err || err->code != ERR_TIMEOUT || !blocked_find(t->pid, &blocked))
		return err;
	err_destroy(err);
	return err_with_hint(err_create(ERR_TIMEOUT, "%s", blocked.why), "%s", blocked.cure);
}

/*
 * A thread in a job-control stop runs its list while we hold it. It may trap once more at its first
 * step: SEIZE alone stops a thread that was stopped already (kernel/ptrace.c, ptrace_attach), and
 * if that trap came before our INTERRUPT, the INTERRUPT is still pending.
 */
static struct err *wait_for_answer(const struct remote_target *t, pid_t tid, uint64_t deadline)
{
	guest_u64 word;
	while (monotonic_ns() < deadline) {
		if (mailbox_read(t->mem, t->place->mailbox, &word) && mailbox_is_answer(word))
			return NULL;
		int status, signal = 0;
		struct err *err = ptrace_wait_stop(tid, 0, &status);
		if (!err && status >> 16 != PTRACE_EVENT_STOP)
			err = ptrace_pass(tid, status, &signal);
		if (!err)
			err = ptrace_continue(tid, signal);
		else if (err->code == ERR_TIMEOUT)
			poll(NULL, 0, 1);
		if (err && err->code == ERR_TARGET_GONE)
			return err;
		err_destroy(err);
	}
	return NULL;
}

/* The thread that must be checked before the stub is used again, because its place is unknown; 0
 * none. */
static pid_t straggler(const struct remote_target *t)
{
	struct thread_place at;
	pid_t tid = t->place->last_tid;
	if (!tid || !thread_place_read(t->pid, tid, &at))
		return 0;
	bool is_known = at.syscall != -2 && at.syscall != -3;
	return is_known && !way_back_place_holds(t->place, at.pc) ? 0 : tid;
}

/* What came of sending a thread into the stub. */
struct sent {
	struct arch_regs back; /* that it will have afterwards */
	bool is_answered;      /* the list has come to its end, `answer` or an error */
	bool is_taken;         /* it stays in the stub, and cannot be taken back */
	uint64_t answer;
};

static bool is_calls(const struct remote_program *program)
{
	const uint64_t no_calls = REMOTE_FLAG(REMOTE_LINK) | REMOTE_FLAG(REMOTE_UNLINK) |
				  REMOTE_FLAG(REMOTE_STORE);
	for (size_t i = 0; i < program->n_ops; i++)
		if (program->ops[i].op & no_calls)
			return false;
	return program->n_ops > 0;
}

/* Run the list in a thread that stays held until its last call has ended, because another thread
 * may give it a filter meanwhile (seccomp.c). Releases the thread. */
static struct err *run_while_held(const struct remote_target *t, pid_t tid,
				  const struct remote_program *program, uint64_t timeout_ns,
				  struct remote_call_stats *stats, struct sent *ret)
{
	struct err *err = at_stop_run(tid, t, program, timeout_ns, stats, &ret->answer);
	if (err &&
	    err->code == ERR_TIMEOUT) { /* it is running, and completes the list when it can */
		ret->is_taken = true;
		t->place->last_tid = tid;
		if (!t->attached && !hold_add_pending(tid))
			log_debug("thread %d stays seized until we end", (int)tid);
		return err;
	}
	if (err && err->code == ERR_BUSY) { /* it is where it was: later, or another thread */
		struct err *later = err_create(ERR_TIMEOUT, "%s", err->message);
		err_destroy(err);
		err = later;
	} else if (err && stub_is_running(t, tid)) { /* a request failed: it is on its own now */
		ret->is_taken = true;
		t->place->last_tid = tid;
	} else {
		ret->is_answered = !err || err->code != ERR_TARGET_GONE;
	}
	err_destroy(hold_end(t, tid, false));
	return err;
}

/* Send a thread into the stub. status_fd: seccomp_status_open(). */
static struct err *run_in_thread(const struct remote_target *t, pid_t tid, int status_fd,
				 const struct remote_program *program, uint64_t timeout_ns,
				 struct remote_call_stats *stats, struct sent *ret)
{
	uint64_t start = monotonic_ns();
	bool group_stopped;
	struct err *err = hold_begin(t, tid, timeout_ns, &group_stopped);
	if (err)
		return err;
	if (tid == t->place->last_tid && stub_is_running(t, tid)) {
		err = hold_end(t, tid, group_stopped);
		return err ? err
			   : err_create(ERR_TIMEOUT,
					"thread %d has not come back from an earlier call",
					(int)tid);
	}
	struct seccomp_found found = { .has_one = false };
	unsigned long options = t->attached ? ptrace_options(tid) : 0;
	err = interrupted_settle(tid, remote_mem_reader(t->mem), options, timeout_ns,
				 &group_stopped);
	if (!err)
		err = remote_target_check(t);
	uint64_t data;
	if (!err)
		err = seccomp_suspend(t, tid, status_fd, options, &found);
	if (!err && found.may_come && !group_stopped && is_calls(program) &&
	    seccomp_suspend_later_one(tid, options | PTRACE_O_TRACESYSGOOD)) {
		err = run_while_held(t, tid, program, timeout_ns, stats, ret);
		stats->pause_ns = monotonic_ns() - start;
		return err;
	}
	if (!err)
		err = stub_set_up(t, tid, program, stats, &data, &ret->back);
	/* A job-control stop would keep the thread from running its list: continue it now; it stops
	 * again when we release it. A seccomp filter is suspended only while we are attached: stay
	 * until the list is done. */
	bool stay = !err && (found.has_one || group_stopped);
	if (stay && !found.has_one)
		(void)seccomp_suspend_later_one(tid, options);
	struct err *go = stay ? ptrace_continue(tid, 0) : hold_end(t, tid, group_stopped);
	stats->pause_ns = monotonic_ns() - start;
	stats->tid = tid;
	t->place->last_tid = tid;
	if (stay) {
		if (!go)
			go = wait_for_answer(t, tid, monotonic_ns() + timeout_ns);
		if (!go || go->code != ERR_TARGET_GONE)
			hold_end_later(t, tid, timeout_ns);
	}
	if (err)
		err_destroy(go);
	return err ? err : go;
}

/* The thread does not answer: is it still where it was before it was sent into the stub? Then
 * nothing of ours is left to be done, now or later. */
static bool is_taken_back(const struct remote_target *t, pid_t tid, const struct arch_regs *back)
{
	bool group_stopped = false;
	struct err *err = hold_begin(t, tid, TAKE_BACK_NS, &group_stopped);
	bool is_back = !err && stub_take_back(t, tid, back);
	if (!err)
		err = hold_end(t, tid, group_stopped);
	err_destroy(err);
	if (is_back)
		t->place->last_tid = 0;
	return is_back;
}

/* The thread was sent into the stub and then stopped by a signal before it had run its list
 * (SIGSTOP between our INTERRUPT and our DETACH): let it run the list within its stop. */
static void run_inside_stop(const struct remote_target *t, pid_t tid, uint64_t deadline)
{
	struct thread_place at;
	bool group_stopped = false;
	if (!thread_place_read(t->pid, tid, &at) || at.state != (t->attached ? 't' : 'T'))
		return;
	uint64_t now = monotonic_ns();
	struct err *err = hold_begin(t, tid, deadline > now ? deadline - now : 0, &group_stopped);
	if (!err && group_stopped) {
		struct seccomp_found found;
		err = seccomp_suspend(t, tid, -1, t->attached ? ptrace_options(tid) : 0, &found);
		if (!err)
			err = ptrace_continue(tid, 0);
		if (!err)
			err = wait_for_answer(t, tid, deadline);
		if (!err || err->code != ERR_TARGET_GONE)
			hold_end_later(t, tid, CALL_GRACE_NS);
	} else if (!err) {
		err = hold_end(t, tid, group_stopped);
	}
	err_destroy(err);
}

/* Read the answer of a program: its value, or the error that it stands for. */
static struct err *answer(const struct remote_target *t, uint64_t *ret_value)
{
	guest_u64 word = { 0 };
	bool is_read = mailbox_read(t->mem, t->place->mailbox, &word);
	if (!is_read || (mailbox_is_answer(word) && fault_before(FAULT_ANSWER))) {
		/* The process is gone, or it cannot be read now: what it has mapped by then must
		 * not be forgotten. */
		struct proc_status status;
		struct err *err = proc_status_read(t->pid, &status);
		bool is_there = !err && status.has_memory;
		err_destroy(err);
		return is_there ? err_create(ERR_TIMEOUT, "the answer of process %d cannot be read",
					     (int)t->pid)
				: err_create(ERR_TARGET_GONE, "process %d is gone", (int)t->pid);
	}
	struct mailbox mailbox = mailbox_decode(word);
	switch (mailbox.says) {
	case MAILBOX_EMPTY:
	case MAILBOX_PENDING:
		return err_create(ERR_TIMEOUT, "process %d has not answered yet", (int)t->pid);
	case MAILBOX_ERRNO:
		return err_sys(mailbox.sys, "a system call made in process %d failed", (int)t->pid);
	case MAILBOX_ANSWER: break;
	}
	*ret_value = mailbox.answer;
	return NULL;
}

/* Is there a thread without a filter whose stop does not show? */
static bool any_unfiltered(const struct thread_place *threads, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (threads[i].rank < THREAD_SHOWS && !seccomp_has_filter(threads[i].tid))
			return true;
	return false;
}

/* No thread was sent into the stub in time. `last`: the error of the last one that was tried, or
 * NULL. */
static struct err *no_thread(const struct remote_target *t, struct err *last, bool all_show)
{
	if (!last && all_show)
		last = err_with_hint(err_create(ERR_TIMEOUT,
						"every thread of process %d waits in a call that a "
						"stop would end early",
						(int)t->pid),
				     "try again while one of its threads does something else");
	else if (!last)
		last = err_create(ERR_TIMEOUT, "no thread of process %d could be stopped",
				  (int)t->pid);
	return explain_timeout(t, last);
}

/* The thread is in the stub, and on its own: wait for its answer. `back`: the registers that it
 * will have afterwards; NULL: it cannot be taken back. */
static struct err *wait_for_result(const struct remote_target *t, uint64_t deadline,
				   uint64_t patient_until, const struct arch_regs *back,
				   const struct remote_call_stats *stats, uint64_t *ret_value)
{
	/* a call takes 20 to 300 µs; sleeping would double that */
	uint64_t sent_ns = monotonic_ns(), awake_until = sent_ns + 500000;
	/* it goes on only now, however long we were kept from running while we held it */
	if (deadline < sent_ns + CALL_GRACE_NS)
		deadline = sent_ns + CALL_GRACE_NS;
	for (unsigned spins = 0;; spins++) {
		/* before the answer: if we do not run in between, that answer is not the last */
		uint64_t now = monotonic_ns();
		struct err *err = answer(t, ret_value);
		if (err && now >= deadline && now < patient_until && threads_any_starved(t->pid))
			deadline = now + CALL_GRACE_NS;
		if (err && err->code == ERR_TIMEOUT && now >= deadline && back &&
		    is_taken_back(t, stats->tid, back))
			return explain_timeout(t, err);
		if (!err || err->code != ERR_TIMEOUT || now >= deadline)
			return err;
		err_destroy(err);
		ptrace_serve();
		if (!back)
			hold_poll_pending(); /* it may have stopped on its way */
		if (monotonic_ns() < awake_until)
			sched_yield();
		else
			poll(NULL, 0, 1);
		if (spins % 16 == 15)
			run_inside_stop(t, stats->tid, deadline);
	}
}

struct err *one_thread_run(const struct remote_target *t, const struct remote_program *program,
			   uint64_t avoid_start, uint64_t avoid_end, uint64_t timeout_ns,
			   struct remote_call_stats *stats, uint64_t *ret_value)
{
	/* A recorder that follows the target has other work than waiting for it. */
	uint64_t deadline = monotonic_ns() + timeout_ns,
		 patient_until = deadline + (t->attached ? 0 : STARVED_NS);
	struct err *last = NULL;
	struct sent sent = { .is_answered = false };
	bool started = false;
	struct err *busy = remote_place_wait_if_left(t, timeout_ns);
	if (busy)
		return busy;
	for (unsigned round = 0; !started; round++) {
		struct thread_place *threads;
		size_t n;
		uint64_t begin = monotonic_ns();
		struct err *err = threads_list(t->pid, &threads, &n);
		if (err) {
			err_destroy(last);
			return err;
		}
		if (!n) {
			free(threads);
			err_destroy(last);
			return err_create(ERR_TARGET_GONE, "process %d is gone", (int)t->pid);
		}
		threads_sort(t, threads, n);
		/* Reading thousands of threads, or not running ourselves, may take all the time
		 * before one thread was tried. */
		uint64_t took = round ? 0 : monotonic_ns() - begin;
		deadline += took;
		patient_until += took;
		bool has_unfiltered = t->filtered && any_unfiltered(threads, n);
		pid_t last_one = straggler(t), only = last_one ? last_one : t->only;
		bool all_show = threads[0].rank >= THREAD_SHOWS;
		for (size_t i = 0; i < n && !started && monotonic_ns() < deadline; i++) {
			if ((only && threads[i].tid != only) || threads[i].rank >= THREAD_SHOWS)
				continue;
			if (threads[i].pc >= avoid_start && threads[i].pc < avoid_end && avoid_end)
				continue;
			if (has_unfiltered && seccomp_has_filter(threads[i].tid))
				continue;
			uint64_t left = deadline - monotonic_ns();
			if (left > timeout_ns / 4 + 1)
				left = timeout_ns / 4 + 1;
			*stats = (struct remote_call_stats){ 0 };
			err_destroy(last);
			int status_fd = seccomp_status_open(threads[i].tid);
			last = run_in_thread(t, threads[i].tid, status_fd, program, left, stats,
					     &sent);
			if (status_fd >= 0)
				close(status_fd);
			if (sent.is_answered) {
				free(threads);
				*ret_value = sent.answer;
				return last;
			}
			started = !last || sent.is_taken;
			if (last && !started &&
			    (last->code == ERR_DENIED || last->code == ERR_BUSY ||
			     last->sys == ESTALE)) {
				free(threads);
				return last;
			}
		}
		free(threads);
		uint64_t now = monotonic_ns();
		if (!started && now >= deadline && now < patient_until &&
		    threads_any_starved(t->pid))
			deadline = now + timeout_ns;
		if (!started && now >= deadline)
			return no_thread(t, last, all_show);
		ptrace_serve();
		if (!started)
			poll(NULL, 0, 1);
	}
	err_destroy(last); /* of one that is on its way all the same */
	if (!t->place->mailbox.v) {
		*ret_value = 1;
		return NULL;
	}
	return wait_for_result(t, deadline, patient_until, sent.is_taken ? NULL : &sent.back, stats,
			       ret_value);
}

struct err *one_thread_write(const struct remote_target *t, raddr to, const void *bytes,
			     size_t n_bytes)
{
	struct err *err = remote_mem_write(t->mem, to, bytes, n_bytes);
	if (!err || err->code == ERR_TARGET_GONE)
		return err;
	struct thread_place *threads;
	size_t n;
	struct err *none = threads_list(t->pid, &threads, &n);
	if (none) {
		err_destroy(none);
		return err;
	}
	threads_sort(t, threads, n);
	bool done = false;
	for (size_t i = 0; i < n && !done; i++) {
		struct arch_regs regs;
		bool group_stopped;
		struct err *e = hold_begin(t, threads[i].tid, CALL_GRACE_NS, &group_stopped);
		if (!e) {
			e = hold_repair(t, threads[i].tid, &regs);
			if (!e)
				e = hold_write(t, threads[i].tid, to, bytes, n_bytes);
			struct err *go = hold_end(t, threads[i].tid, group_stopped);
			done = !e && !go;
			err_destroy(go);
		}
		err_destroy(e);
	}
	free(threads);
	if (!done)
		return err;
	err_destroy(err);
	return NULL;
}
