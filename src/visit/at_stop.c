/*
 * at_stop: see at_stop.h.
 */
#include "visit/at_stop.h"

#include <errno.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "arch/arch.h"
#include "base/monotonic.h"
#include "system/fault.h"
#include "system/remote_mem.h"
#include "visit/hold.h"
#include "visit/mailbox.h"
#include "visit/one_thread.h"
#include "visit/ptrace.h"
#include "visit/remote_place.h"
#include "visit/remote_program.h"
#include "visit/remote_target.h"
#include "visit/seccomp.h"
#include "visit/stub.h"
#include "visit/threads.h"

#define TAKE_BACK_NS 50000000ull
/* additional time for a thread that waits for a processor; each time that one is seen to wait, it
 * gets GRACE_NS of it */
#define STARVED_NS 8000000000ull
#define GRACE_NS   500000000ull

/* Retry a request that failed for a reason that is not the target's: the thread must not be left in
 * the stub. */
static bool again(struct err **err, unsigned *n_tries)
{
	if (!*err || (*err)->code == ERR_TARGET_GONE || (*err)->code == ERR_TIMEOUT ||
	    ++*n_tries > 3)
		return false;
	err_destroy(*err);
	*err = NULL;
	return true;
}

/* What came of a list. */
struct ended {
	struct stub_data data;
	int failed;       /* the errno of a call that failed; 0: none */
	bool was_stopped; /* a job-control stop, or its end, was reported meanwhile */
	unsigned n_tries; /* of requests that failed: again() */
};

/* How long a list may take. */
struct limits {
	uint64_t begin_ns, deadline_ns, patient_until_ns; /* monotonic_ns() */
};

/* Wait for the next stop of the thread. If it does not get a processor, as beside fifty busy
 * programs, it needs seconds for two system calls: a launched program that is given up on then runs
 * unwatched, so it gets more time. A thread that waits for anything else (a freezer, a disk) gets
 * none. */
static struct err *wait_for_stop(pid_t tid, const struct remote_target *t, struct limits *l,
				 int *ret_status)
{
	if (fault_before(FAULT_WAIT))
		return err_create(ERR_TIMEOUT, "thread %d did not stop within %.0f ms", (int)tid,
				  (double)(l->deadline_ns - l->begin_ns) / 1e6);
	for (;;) {
		struct err *err = ptrace_wait_stop_until(tid, l->begin_ns, l->deadline_ns,
							 ret_status);
		uint64_t now = monotonic_ns();
		if (!err || err->code != ERR_TIMEOUT || now >= l->patient_until_ns ||
		    !threads_any_starved(t->pid))
			return err;
		err_destroy(err);
		l->deadline_ns = now + GRACE_NS;
	}
}

/* Let the thread, which is set up, run its list, up to the end of the last call. `at`: where its
 * struct stub_data is. */
static struct err *run_list(pid_t tid, const struct remote_target *t, struct limits *limits,
			    uint64_t at, struct ended *ret)
{
	struct arch_regs regs;
	bool in_call = false;
	int deliver = 0;
	struct err *err = NULL;
	while (!err) {
		int status;
		do
			err = ptrace_continue_to_syscall(tid, deliver);
		while (again(&err, &ret->n_tries));
		if (!err)
			err = wait_for_stop(tid, t, limits, &status);
		if (err)
			break;
		deliver = 0;
		if (!ptrace_is_syscall_stop(status)) {
			if (status >> 16 == PTRACE_EVENT_STOP) /* a job-control stop, or its end */
				ret->was_stopped = true;
			else
				err = ptrace_pass(tid, status, &deliver);
			continue;
		}
		in_call = !in_call;
		if (in_call)
			continue;
		do
			err = ptrace_get_regs(tid, &regs);
		while (again(&err, &ret->n_tries));
		/* A signal handler of the program may run in between, with calls of its own and the
		 * one that ends it. */
		bool is_ours = !err && stub_has(t, arch_pc(&regs)) && arch_call(&regs) >= 0;
		if (!err && !is_ours)
			continue;
		bool is_read = false;
		for (unsigned i = 0; !err && i < 3 && !is_read; i++)
			is_read = !fault_before(FAULT_ANSWER) &&
				  remote_mem_read(t->mem, RADDR(at), &ret->data, sizeof(ret->data));
		if (!err && !is_read)
			err = err_create(ERR_TARGET_GONE, "process %d is gone", (int)t->pid);
		if (!err && stub_was_last_call(&regs, &ret->data, &ret->failed))
			break;
	}
	return err;
}

/* If we are killed before the registers are restored, the stub continues by itself and returns to
 * the same place. After that, nothing is left to do. */
struct err *at_stop_run(pid_t tid, const struct remote_target *t,
			const struct remote_program *program, uint64_t timeout_ns,
			struct remote_call_stats *stats, uint64_t *ret_value)
{
	CHECK(program->n_ops &&
	      program->ops[program->n_ops - 1].op >> 32 < 1ull << REMOTE_SAVE_BASE);
	uint64_t begin = monotonic_ns(), at;
	struct limits limits = { begin, begin + timeout_ns, begin + timeout_ns + STARVED_NS };
	struct arch_regs back;
	struct ended ended = { .failed = 0 };
	struct seccomp_found found;
	bool group_stopped = false;
	unsigned long options = t->attached ? ptrace_options(tid) : PTRACE_O_TRACESYSGOOD;
	struct err *err = seccomp_suspend(t, tid, -1, options, &found);
	if (err)
		return err;
	if (!found.has_one)
		(void)seccomp_suspend_later_one(tid, options);
	err = stub_set_up(t, tid, program, stats, &at, &back);
	stats->tid = tid;
	if (err) {
		seccomp_restore(t, tid);
		err_destroy(stub_clear(t, tid));
		return err;
	}
	err = run_list(tid, t, &limits, at, &ended);
	struct err *stopped = err && err->code == ERR_TIMEOUT
				  ? ptrace_stop_for_change(tid, TAKE_BACK_NS, &group_stopped)
				  : NULL;
	bool is_back = err && err->code == ERR_TIMEOUT && !stopped && stub_take_back(t, tid, &back);
	/* It continues with the list when it can. Nobody knows when: a filter that it gets
	 * meanwhile must work. */
	if (err && err->code == ERR_TIMEOUT && !stopped && !is_back) {
		if (!found.has_one)
			seccomp_restore(t, tid);
		stopped = ptrace_continue(tid, 0);
	}
	err_destroy(stopped);
	if (is_back) {
		err_destroy(err);
		seccomp_restore(t, tid);
		err_destroy(stub_clear(t, tid));
		return err_create(
		    ERR_BUSY, "thread %d cannot go on: process %d is frozen, or gets no processor",
		    (int)tid, (int)t->pid);
	}
	/* Write what the stub would answer: if we are killed after the next request, nothing else
	 * would tell what has been mapped. */
	uint64_t done = mailbox_word_done(ended.data.base);
	do
		err = err || ended.failed || !t->place->mailbox.v
			  ? err
			  : hold_write(t, tid, t->place->mailbox, &done, sizeof(done));
	while (again(&err, &ended.n_tries));
	do
		err = err ? err : ptrace_set_regs(tid, &back);
	while (again(&err, &ended.n_tries));
	if (!err || !found.has_one)
		seccomp_restore(t, tid);
	if (!err && ended.was_stopped)
		ptrace_stop_again(tid);
	if (!err && !ended.failed)
		*ret_value = done;
	do
		err = err ? err : stub_clear(t, tid);
	while (again(&err, &ended.n_tries));
	return !err && ended.failed
		   ? err_sys(ended.failed, "a system call made in process %d failed", (int)t->pid)
		   : err;
}
