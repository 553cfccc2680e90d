/*
 * remote_call: see remote_call.h. In the target, while the stub runs:
 *
 *        text of some module            stack of the chosen thread
 *   ┌───────────────────────┐       ┌──────────────────────────┐
 *   │ code of the module    │       │ frames                   │ ◀ rsp as it was
 *   │ …                     │       │ red zone, 128 bytes      │
 *   ├─ end of the segment ──┤       │ path of an open()        │
 *   │ stub, saved rip, rsp  │ ◀ rip │ struct stub_data         │ ◀ rsp in the stub; it pushes below
 *   └─ end of the page ─────┘       └──────────────────────────┘
 */
#include "visit/remote_call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/log.h"
#include "base/vec.h"
#include "python/python.h"
#include "visit/blocked.h"
#include "visit/mailbox.h"
#include "system/fault.h"
#include "system/maps.h"
#include "system/procs.h"
#include "visit/ptrace.h"
#include "visit/remote_call_private.h"
#include "system/remote_mem.h"
#include "visit/sigframe.h"
#include "visit/all_stop.h"

/* made from arch/x86_64/stub.S; its last 16 bytes are the saved rip and rsp */
extern const uint8_t stub_blob[];
extern const size_t stub_blob_bytes;

struct stub_data {
	uint64_t base;
	int64_t fd;
	uint64_t total_bytes, mailbox, n_ops;
	struct remote_op ops[REMOTE_MAX_OPS];
	char path[128];
};
_Static_assert(offsetof(struct stub_data, ops) == 40 && sizeof(struct remote_op) == 56,
	       "stub.S and ops.inc rely on these");

#define CALL_GRACE_NS 200000000ull
#define TAKE_BACK_NS  50000000ull
#define HOLD_STEP_NS  20000000ull /* between two checks of threads that stop late */
/* additional time for a thread that waits for a processor, to stop or to continue */
#define STARVED_NS 8000000000ull

size_t remote_stub_bytes(void)
{
	return stub_blob_bytes;
}

void remote_program_add(struct remote_program *p, uint64_t op, uint64_t a0, uint64_t a1,
			uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	CHECK(p->n_ops < REMOTE_MAX_OPS);
	p->ops[p->n_ops++] = (struct remote_op){ op, { a0, a1, a2, a3, a4, a5 } };
}

/* ---- the stub's place ---- */

struct err *remote_place_clear(const struct remote_target *t)
{
	const struct all_stop_store store = { t->place->code, t->place->before, t->place->n_bytes };
	return all_stop_write(t, &store, 1);
}

static void pending_detach_poll(void);

struct err *remote_place_wait(const struct remote_target *t, uint64_t timeout_ns)
{
	uint64_t deadline = monotonic_ns() + timeout_ns;
	for (;;) {
		bool outside = false;
		struct err *err = threads_check_outside(
		    t, t->place->code.v, t->place->code.v + t->place->n_bytes, &outside);
		if (!err && outside) {
			t->place->is_left = false;
			return NULL;
		}
		if ((err && err->code != ERR_TIMEOUT) || monotonic_ns() >= deadline)
			return err ? err
				   : err_create(ERR_TIMEOUT,
						"a thread of process %d has not come back from an "
						"earlier call",
						(int)t->pid);
		err_destroy(err);
		ptrace_serve();
		pending_detach_poll(); /* it may have stopped on its way */
		poll(NULL, 0, 1);
	}
}

/* ---- set up a stopped thread ---- */

static bool has_finite_timeout(const struct arch_regs *r)
{
	switch (arch_call(r)) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait: return (int)arch_call_arg(r, 3) > 0;
	case SYS_epoll_pwait2:
	case SYS_semtimedop: return arch_call_arg(r, 3) != 0;
	case SYS_rt_sigtimedwait: return arch_call_arg(r, 2) != 0;
	case SYS_io_getevents: return arch_call_arg(r, 4) != 0;
	default: return true;
	}
}

/* Set the registers that the thread must continue with: a call that our stop interrupted is
 * restarted. */
static void resume_regs(const struct remote_target *t, struct arch_regs *r, bool *ret_extended)
{
	enum arch_interrupted how = arch_interrupted(r);
	if (how == ARCH_EINTR) {
		int64_t call = arch_call(r);
		bool finite = has_finite_timeout(r);
		if (finite &&
		    (call == SYS_epoll_wait || call == SYS_epoll_pwait ||
		     call == SYS_rt_sigtimedwait) &&
		    thread_is_called_by_python(t, arch_pc(r), arch_sp(r)))
			return;
		*ret_extended = finite;
	}
	if (how != ARCH_NOT_INTERRUPTED)
		arch_make_again(r);
}

struct err *remote_call_write_held(const struct remote_target *t, pid_t tid, raddr to,
				   const void *bytes, size_t n)
{
	struct err *err = remote_mem_write(t->mem, to, bytes, n);
	if (!err || err->code == ERR_TARGET_GONE) /* another program may have that number now */
		return err;
	/* kernels can forbid it for /proc/PID/mem (proc_mem.force_override), but never for the
	 * tracer */
	err_destroy(err);
	for (size_t i = 0; i < n; i += 8) {
		uint64_t word = 0;
		memcpy(&word, (const uint8_t *)bytes + i, n - i < 8 ? n - i : 8);
		err = ptrace_poke(tid, to.v + i, word);
		if (err)
			return err;
	}
	return NULL;
}

/* A test wants one of these calls to fail: the thread makes another call instead, which always
 * fails in that way. */
static void fail_on_purpose(pid_t tid, struct remote_op *ops, size_t n)
{
	const uint64_t no_calls = REMOTE_FLAG(REMOTE_LINK) | REMOTE_FLAG(REMOTE_UNLINK) |
				  REMOTE_FLAG(REMOTE_STORE);
	for (size_t i = 0; i < n; i++) {
		struct proc_status status = { .ns_pid = tid };
		switch (ops[i].op & no_calls ? 0 : fault_before(FAULT_CALL)) {
		case 0: break;
		case ENOMEM: /* more than the address space has */
			ops[i] = (struct remote_op){ SYS_mmap,
						     { 0, ARCH_TOO_MANY_BYTES, PROT_NONE,
						       MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1,
						       0 } };
			break;
		/* a process cannot trace itself: kernel/ptrace.c, ptrace_attach,
		 * same_thread_group */
		case EPERM:
			err_destroy(proc_status_read(tid, &status));
			ops[i] = (struct remote_op){
				SYS_ptrace, { PTRACE_SEIZE, (uint64_t)status.ns_pid, 0, 0, 0, 0 }
			};
			break;
		/* no such call: ENOSYS */
		default: ops[i] = (struct remote_op){ 0xfff, { 0 } }; break;
		}
	}
}

/* *ret_data: address of the struct stub_data. *ret_back: the registers that it will continue
 * with. */
static struct err *set_up(const struct remote_target *t, pid_t tid,
			  const struct remote_program *program, struct remote_call_stats *stats,
			  uint64_t *ret_data, struct arch_regs *ret_back)
{
	struct arch_regs regs;
	struct err *err = ptrace_get_regs(tid, &regs);
	if (err)
		return err;
	stats->thread_pointer = arch_thread_pointer(&regs);
	stats->sp = arch_sp(&regs);
	if (!arch_is_64bit(&regs))
		return err_create(ERR_UNSUPPORTED, "thread %d does not run 64-bit code", (int)tid);
	resume_regs(t, &regs, &stats->timeout_extended);

	struct stub_data data = { .base = program->base,
				  .fd = -1,
				  .total_bytes = program->total_bytes,
				  .mailbox = t->place->mailbox.v,
				  .n_ops = program->n_ops };
	memcpy(data.ops, program->ops, sizeof(data.ops));
	fail_on_purpose(tid, data.ops, data.n_ops);
	uint64_t at = (arch_sp(&regs) - ARCH_RED_ZONE - sizeof(data)) & ~63ull;
	/* the caller sees the effect elsewhere; the answer goes where it is not needed */
	if (!data.mailbox)
		data.mailbox = at + offsetof(struct stub_data, total_bytes);
	if (program->path) {
		if (strlen(program->path) >= sizeof(data.path))
			return err_create(ERR_UNSUPPORTED, "path too long for the target: %s",
					  program->path);
		strcpy(data.path, program->path);
		for (size_t i = 0; i < program->n_ops; i++)
			for (size_t k = 0; k < 6; k++)
				if (data.ops[i].args[k] == REMOTE_PATH)
					data.ops[i].args[k] = at + offsetof(struct stub_data, path);
	}
	/* The first hook of a lazy link (lazy_link.h) that is there may be longer. Its rest is
	 * cleared too, because nothing would tell of it if we were killed. */
	uint8_t code[REMOTE_PLACE_BYTES];
	size_t n_code = t->place->n_bytes > stub_blob_bytes ? t->place->n_bytes : stub_blob_bytes;
	memcpy(code, t->place->before, n_code);
	memcpy(code, stub_blob, stub_blob_bytes);
	arch_stub_set_back(code, stub_blob_bytes, &regs);

	uint64_t waiting = mailbox_word_pending(program->pending);
	err = t->place->mailbox.v
		  ? remote_mem_write(t->mem, t->place->mailbox, &waiting, sizeof(waiting))
		  : NULL;
	if (!err)
		err = remote_mem_write(t->mem, RADDR(at), &data, sizeof(data));
	if (!err)
		err = remote_call_write_held(t, tid, t->place->code, code, n_code);
	if (err)
		return err;
	arch_forget_call(&regs);
	*ret_back = regs;
	*ret_data = at;
	arch_set_pc(&regs, t->place->code.v);
	arch_set_sp(&regs, at);
	return ptrace_set_regs(tid, &regs);
}

/* A thread in the stub is at the end of a call. Was it the last one? If so, *ret_error is 0, or the
 * error that occurred. */
static bool was_last_call(const struct arch_regs *r, const struct stub_data *d, int *ret_error)
{
	int64_t left = arch_stub_left(r), result = arch_call_result(r);
	*ret_error = 0;
	if (left < 0) {
		*ret_error = (int)-left;
		return arch_call(r) == SYS_close || d->fd < 0;
	}
	if (result >= 0 || result < -4095)
		return left == 0;
	*ret_error = (int)-result;
	return (!d->base || !d->total_bytes) && d->fd < 0;
}

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

/*
 * A thread was sent into the stub but has not made its first step there: its control group was
 * frozen in between, or it got no processor. It is stopped: restore its registers, as if nothing
 * had been asked of it. False: it has begun.
 */
static bool take_back(const struct remote_target *t, pid_t tid, const struct arch_regs *back)
{
	struct arch_regs regs;
	bool is_back = false;
	struct err *err = ptrace_get_regs(tid, &regs);
	if (!err && arch_pc(&regs) == t->place->code.v) {
		err = ptrace_set_regs(tid, back);
		is_back = !err;
	}
	err_destroy(err);
	return is_back;
}

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

/* If we are killed before the registers are restored, the stub continues by itself and returns to
 * the same place. After that, nothing is left to do. */
struct err *remote_call_run_stopped(pid_t tid, const struct remote_target *t,
				    const struct remote_program *program, uint64_t timeout_ns,
				    struct remote_call_stats *stats, uint64_t *ret_value)
{
	CHECK(program->n_ops &&
	      program->ops[program->n_ops - 1].op >> 32 < 1ull << REMOTE_SAVE_BASE);
	uint64_t deadline = monotonic_ns() + timeout_ns, at;
	struct arch_regs back, regs;
	struct stub_data data;
	bool in_call = false, is_read = false, was_stopped = false, group_stopped = false;
	int deliver = 0, failed = 0;
	unsigned n_tries = 0;
	bool is_filtered;
	struct err *err = filter_suspend(
	    t, tid, t->attached ? ptrace_options(tid) : PTRACE_O_TRACESYSGOOD, &is_filtered);
	if (err)
		return err;
	err = set_up(t, tid, program, stats, &at, &back);
	stats->tid = tid;
	if (err) {
		filter_restore(t, tid);
		err_destroy(remote_call_write_held(t, tid, t->place->code, t->place->before,
						   t->place->n_bytes));
		return err;
	}
	while (!err) {
		int status;
		do
			err = ptrace_continue_to_syscall(tid, deliver);
		while (again(&err, &n_tries));
		uint64_t now = monotonic_ns();
		if (!err)
			err = ptrace_wait_stop(tid, deadline > now ? deadline - now : 0, &status);
		if (err)
			break;
		deliver = 0;
		if (!ptrace_is_syscall_stop(status)) {
			if (status >> 16 == PTRACE_EVENT_STOP) /* a job-control stop, or its end */
				was_stopped = true;
			else
				err = ptrace_pass(tid, status, &deliver);
			continue;
		}
		in_call = !in_call;
		if (in_call)
			continue;
		do
			err = ptrace_get_regs(tid, &regs);
		while (again(&err, &n_tries));
		/* A signal handler of the program may run in between, with calls of its own and the
		 * one that ends it. */
		bool is_ours = !err && arch_pc(&regs) - t->place->code.v < stub_blob_bytes &&
			       arch_call(&regs) >= 0;
		if (!err && !is_ours)
			continue;
		is_read = false;
		for (unsigned i = 0; !err && i < 3 && !is_read; i++)
			is_read = !fault_before(FAULT_ANSWER) &&
				  remote_mem_read(t->mem, RADDR(at), &data, sizeof(data));
		if (!err && !is_read)
			err = err_create(ERR_TARGET_GONE, "process %d is gone", (int)t->pid);
		if (!err && was_last_call(&regs, &data, &failed))
			break;
	}
	struct err *stopped = err && err->code == ERR_TIMEOUT
				  ? ptrace_stop_for_change(tid, TAKE_BACK_NS, &group_stopped)
				  : NULL;
	bool is_back = err && err->code == ERR_TIMEOUT && !stopped && take_back(t, tid, &back);
	/* it continues with the list when it can */
	if (err && err->code == ERR_TIMEOUT && !stopped && !is_back)
		stopped = ptrace_continue(tid, 0);
	err_destroy(stopped);
	if (is_back) {
		err_destroy(err);
		filter_restore(t, tid);
		err_destroy(remote_call_write_held(t, tid, t->place->code, t->place->before,
						   t->place->n_bytes));
		return err_create(
		    ERR_BUSY, "thread %d cannot go on: process %d is frozen, or gets no processor",
		    (int)tid, (int)t->pid);
	}
	/* Write what the stub would answer: if we are killed after the next request, nothing else
	 * would tell what has been mapped. */
	uint64_t done = mailbox_word_done(data.base);
	do
		err = err || failed || !t->place->mailbox.v
			  ? err
			  : remote_call_write_held(t, tid, t->place->mailbox, &done, sizeof(done));
	while (again(&err, &n_tries));
	do
		err = err ? err : ptrace_set_regs(tid, &back);
	while (again(&err, &n_tries));
	if (!err)
		filter_restore(t, tid);
	if (!err && was_stopped)
		ptrace_stop_again(tid);
	if (!err && !failed)
		*ret_value = done;
	do
		err = err ? err
			  : remote_call_write_held(t, tid, t->place->code, t->place->before,
						   t->place->n_bytes);
	while (again(&err, &n_tries));
	return !err && failed
		   ? err_sys(failed, "a system call made in process %d failed", (int)t->pid)
		   : err;
}

/* ---- run a program ---- */

static bool inside(uint64_t v, uint64_t start, uint64_t end)
{
	return v >= start && v < end;
}

/* Threads that were seized but did not stop in time: a running thread cannot be detached from. Each
 * is detached from as soon as it stops, or when we end. */
static pid_t pending_detach[64];
static size_t n_pending_detach;

bool remote_call_take_pending(pid_t tid)
{
	for (size_t i = 0; i < n_pending_detach; i++) {
		if (pending_detach[i] == tid) {
			pending_detach[i] = pending_detach[--n_pending_detach];
			return true;
		}
	}
	return false;
}

bool remote_call_add_pending(pid_t tid)
{
	if (n_pending_detach == ARRAY_LEN(pending_detach))
		return false;
	pending_detach[n_pending_detach++] = tid;
	return true;
}

static void pending_detach_poll(void)
{
	for (size_t i = 0; i < n_pending_detach;) {
		int status;
		struct err *err = ptrace_wait_stop(pending_detach[i], 0, &status);
		if (err && err->code == ERR_TIMEOUT) {
			err_destroy(err);
			i++;
			continue;
		}
		if (!err)
			err = ptrace_detach(pending_detach[i], ptrace_signal_of(status));
		err_destroy(err);
		pending_detach[i] = pending_detach[--n_pending_detach];
	}
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

struct err *remote_call_hold(const struct remote_target *t, pid_t tid, uint64_t timeout_ns,
			     bool *ret_group_stopped)
{
	struct err *err = NULL;
	/* it is on its way to that stop */
	bool was_pending = !t->attached && remote_call_take_pending(tid);
	if (!t->attached) {
		if (!was_pending)
			err = ptrace_seize(tid, 0);
		if (err)
			return err;
	}
	uint64_t deadline = monotonic_ns() + timeout_ns;
	err = ptrace_stop_for_change(tid, timeout_ns < HOLD_STEP_NS ? timeout_ns : HOLD_STEP_NS,
				     ret_group_stopped);
	while (err && err->code == ERR_TIMEOUT && monotonic_ns() < deadline) {
		err_destroy(err);
		pending_detach_poll();
		err = ptrace_stop_for_change(tid, HOLD_STEP_NS, ret_group_stopped);
	}
	if (!err || t->attached)
		return err;
	if (err->code == ERR_TARGET_GONE && (tid == t->pid || !thread_place_is_first_now(t->pid)))
		return err;
	pid_t seized = err->code == ERR_TARGET_GONE ? t->pid : tid;
	if (seized != tid) /* the exec has cleared what was asked of it */
		err_destroy(ptrace_interrupt(seized));
	if (!remote_call_add_pending(seized))
		log_debug("thread %d stays seized until we end", (int)seized);
	return err;
}

/* The stub writes the mailbox a few instructions before the thread has left the stub, and the way
 * back is stored in the stub. If the thread loses its processor just there, the stub must not be
 * overwritten. */
static bool is_in_stub(const struct remote_target *t, pid_t tid)
{
	struct arch_regs regs;
	struct err *err = ptrace_get_regs(tid, &regs);
	bool is_in = !err &&
		     inside(arch_pc(&regs), t->place->code.v, t->place->code.v + stub_blob_bytes);
	err_destroy(err);
	return is_in;
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
	return is_known && !inside(at.pc, t->place->code.v, t->place->code.v + stub_blob_bytes)
		   ? 0
		   : tid;
}

/* Continue or detach from a thread that we hold. */
struct err *remote_call_let_go(const struct remote_target *t, pid_t tid, bool group_stopped)
{
	struct err *err = NULL;
	filter_restore(t, tid);
	/* the thread must not stay held, whatever the error was */
	for (unsigned try = 0; try < 2; try++) {
		err_destroy(err);
		err = !t->attached    ? ptrace_detach(tid, 0)
		      : group_stopped ? ptrace_listen(tid)
				      : ptrace_continue(tid, 0);
		if (!err || err->code == ERR_TARGET_GONE)
			break;
	}
	return err;
}

/* Our stop has ended a call that does not restart by itself: restart it. The thread was running a
 * moment ago, so the call had only begun. */
struct err *remote_call_repair_held(const struct remote_target *t, pid_t tid, struct arch_regs *ret)
{
	bool extended = false;
	struct err *err = ptrace_get_regs(tid, ret);
	if (err || arch_interrupted(ret) != ARCH_EINTR)
		return err;
	resume_regs(t, ret, &extended);
	return ptrace_set_regs(tid, ret);
}

/* One look-up for a rare case: is a file still mapped at exactly this range? (proc(5),
 * map_files) */
static bool is_mapped_so(pid_t pid, const struct mapping *m)
{
	char path[96];
	struct stat st;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)pid,
		 (unsigned long long)m->start, (unsigned long long)m->end);
	if (lstat(path, &st) == 0)
		return true;
	pid_t tid = proc_living_thread(pid);
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)tid,
		 (unsigned long long)m->start, (unsigned long long)m->end);
	return tid && tid != pid && lstat(path, &st) == 0;
}

/* dlclose and dlopen put other things where a module was, or the same parts with other rights for a
 * while. */
struct err *remote_call_check_still_there(const struct remote_target *t)
{
	CLEANUP(maps) struct maps *now = NULL;
	struct err *err = NULL;
	const struct elf_module *module = t->fleeting ? t->fleeting : t->unloadable;
	for (size_t i = 0; !err && module && i < t->maps->n; i++) {
		const struct mapping *was = &t->maps->v[i], *is;
		bool concerned = was->start >= module->start.v && was->start < module->end.v &&
				 (was->exec || was->write);
		if (!concerned &&
		    (!t->place || !(was->start <= t->place->code.v && t->place->code.v < was->end)))
			continue;
		if (!t->fleeting && (!was->exec || !was->inode || is_mapped_so(t->pid, was)))
			continue;
		err = now ? NULL : maps_read(t->pid, &now);
		is = now ? maps_find(now, RADDR(was->start)) : NULL;
		if (!err && (!is || is->start != was->start || is->end != was->end ||
			     is->inode != was->inode || is->dev != was->dev ||
			     is->exec != was->exec || is->write != was->write))
			err = err_create(ERR_BUSY, "process %d is unloading %s", (int)t->pid,
					 module->path);
	}
	if (!err && t->to_link) {
		struct python_runtime again = *t->to_link;
		python_runtime_refresh(remote_mem_reader(t->mem), &again);
		if (again.is_finalising)
			err = err_create(ERR_BUSY, "the interpreter of process %d is ending",
					 (int)t->pid);
	}
	return err;
}

/* Stop a thread that ran its list while we stayed attached, and release it. */
static void let_go_later(const struct remote_target *t, pid_t tid, uint64_t timeout_ns)
{
	bool group_stopped = false;
	struct arch_regs regs;
	struct err *err = ptrace_stop_for_change(tid, timeout_ns, &group_stopped);
	if (!err) {
		/* it may be in a call of its own by now */
		err_destroy(remote_call_repair_held(t, tid, &regs));
		err = remote_call_let_go(t, tid, group_stopped);
	} else if (!t->attached && err->code == ERR_TIMEOUT && !remote_call_add_pending(tid))
		log_debug("thread %d stays seized until we end", (int)tid);
	err_destroy(err);
}

static struct err *run_in_thread(const struct remote_target *t, pid_t tid,
				 const struct remote_program *program, uint64_t timeout_ns,
				 struct remote_call_stats *stats, struct arch_regs *ret_back)
{
	uint64_t start = monotonic_ns();
	bool group_stopped;
	struct err *err = remote_call_hold(t, tid, timeout_ns, &group_stopped);
	if (err)
		return err;
	if (tid == t->place->last_tid && is_in_stub(t, tid)) {
		err = remote_call_let_go(t, tid, group_stopped);
		return err ? err
			   : err_create(ERR_TIMEOUT,
					"thread %d has not come back from an earlier call",
					(int)tid);
	}
	bool is_filtered = false;
	err = remote_call_check_still_there(t);
	uint64_t data;
	if (!err)
		err = filter_suspend(t, tid, t->attached ? ptrace_options(tid) : 0, &is_filtered);
	if (!err)
		err = set_up(t, tid, program, stats, &data, ret_back);
	/* A job-control stop would keep the thread from running its list: continue it now; it stops
	 * again when we release it. A seccomp filter is suspended only while we are attached: stay
	 * until the list is done. */
	bool stay = !err && (is_filtered || group_stopped);
	struct err *go = stay ? ptrace_continue(tid, 0) : remote_call_let_go(t, tid, group_stopped);
	stats->pause_ns = monotonic_ns() - start;
	stats->tid = tid;
	t->place->last_tid = tid;
	if (stay) {
		if (!go)
			go = wait_for_answer(t, tid, monotonic_ns() + timeout_ns);
		if (!go || go->code != ERR_TARGET_GONE)
			let_go_later(t, tid, timeout_ns);
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
	struct err *err = remote_call_hold(t, tid, TAKE_BACK_NS, &group_stopped);
	bool is_back = !err && take_back(t, tid, back);
	if (!err)
		err = remote_call_let_go(t, tid, group_stopped);
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
	struct err *err = remote_call_hold(t, tid, deadline > now ? deadline - now : 0,
					   &group_stopped);
	if (!err && group_stopped) {
		bool is_filtered;
		err = filter_suspend(t, tid, t->attached ? ptrace_options(tid) : 0, &is_filtered);
		if (!err)
			err = ptrace_continue(tid, 0);
		if (!err)
			err = wait_for_answer(t, tid, deadline);
		if (!err || err->code != ERR_TARGET_GONE)
			let_go_later(t, tid, CALL_GRACE_NS);
	} else if (!err) {
		err = remote_call_let_go(t, tid, group_stopped);
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
		if (threads[i].rank < THREAD_SHOWS && !thread_is_filtered(threads[i].tid))
			return true;
	return false;
}

struct err *remote_call_run(const struct remote_target *t, const struct remote_program *program,
			    uint64_t avoid_start, uint64_t avoid_end, uint64_t timeout_ns,
			    struct remote_call_stats *stats, uint64_t *ret_value)
{
	/* A recorder that follows the target has other work than waiting for it. */
	uint64_t deadline = monotonic_ns() + timeout_ns,
		 patient_until = deadline + (t->attached ? 0 : STARVED_NS);
	struct err *last = NULL;
	struct arch_regs back;
	bool started = false;
	pending_detach_poll();
	if (t->place->is_left) {
		struct err *err = remote_place_wait(t, timeout_ns);
		if (err)
			return err;
	}
	if (t->fleeting || t->unloadable)
		return all_stop_run(t, program, avoid_start, avoid_end, timeout_ns, stats,
				    ret_value);
	while (!started) {
		struct thread_place *threads;
		size_t n;
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
		bool has_unfiltered = t->filtered && any_unfiltered(threads, n);
		pid_t last_one = straggler(t), only = last_one ? last_one : t->only;
		bool all_show = threads[0].rank >= THREAD_SHOWS;
		for (size_t i = 0; i < n && !started && monotonic_ns() < deadline; i++) {
			if ((only && threads[i].tid != only) || threads[i].rank >= THREAD_SHOWS)
				continue;
			if (threads[i].pc >= avoid_start && threads[i].pc < avoid_end && avoid_end)
				continue;
			if (has_unfiltered && thread_is_filtered(threads[i].tid))
				continue;
			uint64_t left = deadline - monotonic_ns();
			if (left > timeout_ns / 4 + 1)
				left = timeout_ns / 4 + 1;
			*stats = (struct remote_call_stats){ 0 };
			err_destroy(last);
			last = run_in_thread(t, threads[i].tid, program, left, stats, &back);
			started = !last;
			if (last && (last->code == ERR_DENIED || last->code == ERR_BUSY ||
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
			return explain_timeout(
			    t, last ? last
			       : all_show
				   ? err_with_hint(
					 err_create(ERR_TIMEOUT,
						    "every thread of process %d waits in a call "
						    "that a stop would end early",
						    (int)t->pid),
					 "try again while one of its threads does something else")
				   : err_create(ERR_TIMEOUT,
						"no thread of process %d could be stopped",
						(int)t->pid));
		ptrace_serve();
		if (!started)
			poll(NULL, 0, 1);
	}
	if (!t->place->mailbox.v) {
		*ret_value = 1;
		return NULL;
	}
	/* a call takes 20 to 300 µs; sleeping would double that */
	uint64_t awake_until = monotonic_ns() + 500000;
	for (unsigned spins = 0;; spins++) {
		struct err *err = answer(t, ret_value);
		uint64_t now = monotonic_ns();
		if (err && now >= deadline && now < patient_until && threads_any_starved(t->pid))
			deadline = now + CALL_GRACE_NS;
		if (err && err->code == ERR_TIMEOUT && now >= deadline &&
		    is_taken_back(t, stats->tid, &back))
			return explain_timeout(t, err);
		if (!err || err->code != ERR_TIMEOUT || now >= deadline)
			return err;
		err_destroy(err);
		ptrace_serve();
		if (monotonic_ns() < awake_until)
			sched_yield();
		else
			poll(NULL, 0, 1);
		if (spins % 16 == 15)
			run_inside_stop(t, stats->tid, deadline);
	}
}

/* The registers of a running thread: it is stopped for a few microseconds and continued at once.
 * Our wait costs it nothing until it gets a processor to stop on. */
static struct err *look_at_running(const struct remote_target *t, pid_t tid,
				   const struct code_range *code, bool *ret_outside)
{
	struct arch_regs r;
	bool group_stopped;
	struct err *err = remote_call_hold(t, tid, 500 * 1000000ull, &group_stopped);
	if (err)
		return err;
	err = remote_call_repair_held(t, tid, &r);
	if (!err) {
		uint64_t top[2] = { 0, 0 };
		remote_mem_read(t->mem, RADDR(arch_sp(&r)), top, sizeof(top));
		uint64_t values[ARCH_VALUES + 2];
		size_t n = arch_values(&r, values);
		memcpy(values + n, top, sizeof(top));
		for (size_t i = 0; i < n + 2; i++)
			if (inside(values[i], code->start, code->end))
				*ret_outside = false;
		if (sigframes_point_into(t->mem, RADDR(arch_sp(&r)), code))
			*ret_outside = false;
	}
	struct err *go = remote_call_let_go(t, tid, group_stopped);
	if (err)
		err_destroy(go);
	return err ? err : go;
}

struct err *threads_check_outside(const struct remote_target *t, uint64_t start, uint64_t end,
				  bool *ret_outside)
{
	return threads_check_outside_of(t, &(struct code_range){ .start = start, .end = end },
					ret_outside);
}

struct err *threads_check_outside_of(const struct remote_target *t, const struct code_range *code,
				     bool *ret_outside)
{
	struct thread_place *threads = NULL;
	size_t n = 0;
	*ret_outside = true;
	struct err *err = threads_list(t->pid, &threads, &n);
	for (size_t i = 0; !err && i < n && *ret_outside; i++) {
		if (threads[i].syscall != -2) {
			if (inside(threads[i].pc, code->start, code->end) ||
			    sigframes_point_into(t->mem, RADDR(threads[i].sp), code))
				*ret_outside = false;
			continue;
		}
		err = look_at_running(t, threads[i].tid, code, ret_outside);
		/* a thread that has ended is outside for ever */
		if (err && err->code == ERR_TARGET_GONE) {
			err_destroy(err);
			err = NULL;
		}
	}
	free(threads);
	return err;
}

struct err *remote_call_write(const struct remote_target *t, raddr to, const void *bytes,
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
		struct err *e = remote_call_hold(t, threads[i].tid, CALL_GRACE_NS, &group_stopped);
		if (!e) {
			e = remote_call_repair_held(t, threads[i].tid, &regs);
			if (!e)
				e = remote_call_write_held(t, threads[i].tid, to, bytes, n_bytes);
			struct err *go = remote_call_let_go(t, threads[i].tid, group_stopped);
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

struct err *remote_call_repair(pid_t pid, pid_t tid)
{
	struct arch_regs regs;
	CLEANUP(maps) struct maps *maps = NULL;
	struct remote_mem *mem = NULL;
	struct err *err = ptrace_get_regs(tid, &regs);
	if (err || arch_interrupted(&regs) != ARCH_EINTR)
		return err;
	err = remote_mem_open(pid, &mem);
	if (!err)
		err = maps_read(pid, &maps);
	if (!err) {
		struct remote_target t = { .pid = pid, .mem = mem, .maps = maps };
		err = remote_call_repair_held(&t, tid, &regs);
	}
	remote_mem_close(mem);
	return err;
}
