/*
 * all_stop: see all_stop.h.
 */
#include "visit/all_stop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ptrace.h>

#include "arch/arch.h"
#include "base/log.h"
#include "base/vec.h"
#include "system/fault.h"
#include "system/remote_mem.h"
#include "visit/at_stop.h"
#include "visit/hold.h"
#include "visit/interrupted.h"
#include "visit/mailbox.h"
#include "visit/one_thread.h"
#include "visit/ptrace.h"
#include "visit/remote_place.h"
#include "visit/remote_program.h"
#include "visit/remote_target.h"
#include "visit/threads.h"

#define HOLD_NS 200000000ull
enum { ROUNDS = 20 };

struct held {
	pid_t tid;
	bool group_stopped;
};
struct all_stop {
	const struct remote_target *t;
	VEC(struct held) held; /* the first is the one whose stop shows least */
};

static bool is_held(const struct all_stop *s, pid_t tid)
{
	for (size_t i = 0; i < s->held.n; i++)
		if (s->held.v[i].tid == tid)
			return true;
	return false;
}

/* Returns `err`, or the error of ending the stop. */
static struct err *all_stop_end(struct all_stop *s, struct err *err)
{
	/* The process has become another program: the threads that were held are gone, or stopped
	 * at that event, which follow.c handles. */
	bool is_another = err && err->sys == ESTALE;
	for (size_t i = 0; i < s->held.n && !is_another; i++) {
		struct err *e = hold_end(s->t, s->held.v[i].tid, s->held.v[i].group_stopped);
		if (err || (e && e->code == ERR_TARGET_GONE))
			err_destroy(e);
		else
			err = e;
	}
	vec_fini(&s->held);
	return err;
}

/* Stop one more thread; its interrupted call will be restarted when it continues. */
static struct err *hold(struct all_stop *s, pid_t tid)
{
	struct held h = { .tid = tid };
	struct arch_regs regs;
	struct err *err = hold_begin(s->t, tid, HOLD_NS, &h.group_stopped);
	if (err)
		return err;
	if (!vec_push(&s->held, h)) {
		err_destroy(hold_end(s->t, tid, h.group_stopped));
		return err_no_memory();
	}
	return hold_repair(s->t, tid, &regs);
}

/* Stop threads until every thread that must be stopped is, then check the mappings. */
static struct err *all_stop_begin(struct all_stop *s, const struct remote_target *t,
				  uint64_t avoid_start, uint64_t avoid_end)
{
	*s = (struct all_stop){ .t = t };
	int denied = fault_before(FAULT_OWN);
	if (denied)
		return err_sys(denied, "cannot stop process %d", (int)t->pid);
	/* the moment at which a slow recorder would do harm, if ever */
	fault_after(FAULT_OWN);
	struct err *err = NULL;
	for (unsigned round = 0, more = 1; !err && more; round++) {
		struct thread_place *threads = NULL;
		size_t n = 0;
		more = 0;
		err = threads_list(t->pid, &threads, &n);
		if (!err && !n)
			err = err_create(ERR_TARGET_GONE, "process %d is gone", (int)t->pid);
		if (!err)
			threads_sort(t, threads, n);
		/* A thread that may take long to stop (vfork(2), a disk) comes first, while no
		 * stopped thread waits for it. */
		for (size_t i = 0, k = 0; t->fleeting && i < n; i++)
			if (threads[i].state == 'D') {
				struct thread_place at = threads[i];
				threads[i] = threads[k];
				threads[k++] = at;
			}
		for (size_t i = 0; !err && i < n; i++) {
			bool is_inside = avoid_end && threads[i].pc >= avoid_start &&
					 threads[i].pc < avoid_end;
			if (is_held(s, threads[i].tid))
				continue;
			if (is_inside)
				err = err_create(ERR_TIMEOUT,
						 "a thread of process %d is still inside the probe",
						 (int)t->pid);
			else
				err = hold(s, threads[i].tid);
			more += !err;
			/* The thread has ended meanwhile, or waits for its child in vfork(2): try
			 * another one. */
			if (err && (err->code == ERR_TARGET_GONE
					? err->sys != ESTALE
					: !t->fleeting && err->code == ERR_TIMEOUT)) {
				err_destroy(err);
				err = NULL;
			}
			if (!t->fleeting && s->held.n)
				break;
		}
		free(threads);
		if (!t->fleeting && s->held.n)
			break;
		if (!err && more && round >= ROUNDS)
			err = err_create(ERR_TIMEOUT, "process %d starts threads without end",
					 (int)t->pid);
	}
	if (!err && !s->held.n)
		err = err_create(ERR_TIMEOUT, "no thread of process %d could be stopped",
				 (int)t->pid);
	if (!err)
		err = remote_target_check(t);
	return err;
}

static struct err *write_all(const struct all_stop *s, const struct remote_store *stores, size_t n)
{
	struct err *err = NULL;
	for (size_t i = 0; !err && i < n; i++)
		err = hold_write(s->t, s->held.v[0].tid, stores[i].to, stores[i].bytes,
				 stores[i].n_bytes);
	return err;
}

struct err *all_stop_write(const struct remote_target *t, const struct remote_store *stores,
			   size_t n)
{
	struct all_stop s;
	struct err *err = all_stop_begin(&s, t, 0, 0);
	if (!err)
		err = write_all(&s, stores, n);
	return all_stop_end(&s, err);
}

struct err *all_stop_do(const struct remote_target *t, struct err *(*f)(void *ctx), void *ctx)
{
	struct all_stop s;
	struct err *err = all_stop_begin(&s, t, 0, 0);
	if (!err)
		err = f(ctx);
	return all_stop_end(&s, err);
}

/* Write into the mailbox what stub.c, stub_set_up(), and the end of the stub would write: if we
 * are killed, the next recorder reads it. */
static struct err *tell(const struct all_stop *s, uint64_t word)
{
	const struct remote_store store = { s->t->place->mailbox, &word, sizeof(word) };
	return s->t->place->mailbox.v ? write_all(s, &store, 1) : NULL;
}

/* Do what the stub does for an op that is not a call (arch/x86_64/stub.S). */
static struct err *do_op(const struct all_stop *s, const struct remote_op *op)
{
	uint64_t head, next;
	const uint64_t *a = op->args;
	const struct remote_store store = { RADDR(a[0]), &a[1], sizeof(a[1]) };
	if (op->op == REMOTE_FLAG(REMOTE_STORE))
		return write_all(s, &store, 1);
	if (!remote_mem_read(s->t->mem, RADDR(a[0]), &head, sizeof(head)) ||
	    !remote_mem_read(s->t->mem, RADDR(a[1]), &next, sizeof(next)))
		return err_create(ERR_TARGET_GONE, "process %d is gone", (int)s->t->pid);
	if (op->op == REMOTE_FLAG(REMOTE_LINK)) {
		const struct remote_store link[] = { { RADDR(a[1]), &head, sizeof(head) }, store };
		return head == a[1] ? NULL : write_all(s, link, ARRAY_LEN(link));
	}
	const struct remote_store unlink = { RADDR(a[0]), &next, sizeof(next) };
	return head == a[1]
		   ? write_all(s, &unlink, 1)
		   : err_sys(ENOENT, "the hook of process %d is not the first", (int)s->t->pid);
}

static struct err *do_ops(const struct all_stop *s, const struct remote_program *program)
{
	struct err *err = tell(s, mailbox_word_pending(program->pending));
	for (size_t i = 0; !err && i < program->n_ops; i++)
		err = do_op(s, &program->ops[i]);
	return err ? err : tell(s, mailbox_word_done(program->base));
}

static bool is_call(const struct remote_op *op)
{
	return !(op->op & (REMOTE_FLAG(REMOTE_LINK) | REMOTE_FLAG(REMOTE_UNLINK) |
			   REMOTE_FLAG(REMOTE_STORE)));
}

/* Run the calls in the first of the held threads. Its system calls must be reported to us. */
static struct err *run_calls(struct all_stop *s, const struct remote_program *program,
			     uint64_t timeout_ns, struct remote_call_stats *stats,
			     uint64_t *ret_value)
{
	pid_t tid = s->held.v[0].tid;
	unsigned long options = s->t->attached ? ptrace_options(tid) : PTRACE_O_TRACESYSGOOD;
	struct err *err = interrupted_settle(tid, remote_mem_reader(s->t->mem), options, timeout_ns,
					     &s->held.v[0].group_stopped);
	if (!err)
		err = ptrace_set_options(tid, options);
	if (!err)
		err = at_stop_run(tid, s->t, program, timeout_ns, stats, ret_value);
	/* it is no longer in its group-stop, so it cannot be left there: it continues, and stops
	 * again */
	if (s->held.v[0].group_stopped) {
		ptrace_stop_again(tid);
		s->held.v[0].group_stopped = false;
	}
	/* it is running, and completes the list when it can */
	if (err && err->code == ERR_TIMEOUT) {
		s->t->place->is_left = true;
		s->t->place->last_tid = tid;
		if (!s->t->attached && !hold_add_pending(tid))
			log_debug("thread %d stays seized until we end", (int)tid);
		s->held.v[0] = s->held.v[--s->held.n];
	}
	return err;
}

struct err *all_stop_run(const struct remote_target *t, const struct remote_program *program,
			 uint64_t avoid_start, uint64_t avoid_end, uint64_t timeout_ns,
			 struct remote_call_stats *stats, uint64_t *ret_value)
{
	uint64_t deadline = monotonic_ns() + timeout_ns;
	struct err *busy = remote_place_wait_if_left(t, timeout_ns);
	if (busy)
		return busy;
	for (;;) {
		struct all_stop s;
		uint64_t begin = monotonic_ns();
		*stats = (struct remote_call_stats){ 0 };
		struct err *err = all_stop_begin(&s, t, avoid_start, avoid_end);
		bool is_begun = !err;
		if (!err)
			err = is_call(&program->ops[0])
				  ? run_calls(&s, program, deadline > begin ? deadline - begin : 0,
					      stats, ret_value)
				  : do_ops(&s, program);
		if (!err && !is_call(&program->ops[0]))
			*ret_value = 1;
		err = all_stop_end(&s, err);
		stats->pause_ns = monotonic_ns() - begin;
		if (!err || is_begun || err->code != ERR_TIMEOUT || monotonic_ns() >= deadline)
			return err;
		err_destroy(err);
		ptrace_serve();
		poll(NULL, 0, 1);
	}
}
