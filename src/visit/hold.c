/*
 * hold: see hold.h.
 */
#include "visit/hold.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/log.h"
#include "system/maps.h"
#include "system/remote_mem.h"
#include "visit/interrupted.h"
#include "visit/ptrace.h"
#include "visit/remote_target.h"
#include "visit/seccomp.h"
#include "visit/threads.h"

#define HOLD_STEP_NS 20000000ull /* between two checks of threads that stop late */

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

void hold_restart_call(const struct remote_target *t, struct arch_regs *r, bool *ret_extended)
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

struct err *hold_write(const struct remote_target *t, pid_t tid, raddr to, const void *bytes,
		       size_t n)
{
	struct err *err = remote_mem_write(t->mem, to, bytes, n);
	/* by that number there may be another program now, or the memory does not answer */
	if (!err || err->code == ERR_TARGET_GONE || err->code == ERR_TIMEOUT)
		return err;
	/* else ptrace(2) might wait for the page */
	uint8_t there;
	if (!remote_mem_read(t->mem, to, &there, 1))
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

/* Threads that were seized but did not stop in time: a running thread cannot be detached from. Each
 * is detached from as soon as it stops, or when we end. */
static pid_t pending_detach[64];
static size_t n_pending_detach;

bool hold_take_pending(pid_t tid)
{
	for (size_t i = 0; i < n_pending_detach; i++) {
		if (pending_detach[i] == tid) {
			pending_detach[i] = pending_detach[--n_pending_detach];
			return true;
		}
	}
	return false;
}

bool hold_add_pending(pid_t tid)
{
	if (n_pending_detach == ARRAY_LEN(pending_detach))
		return false;
	pending_detach[n_pending_detach++] = tid;
	return true;
}

void hold_poll_pending(void)
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

struct err *hold_begin(const struct remote_target *t, pid_t tid, uint64_t timeout_ns,
		       bool *ret_group_stopped)
{
	struct err *err = NULL;
	/* it is on its way to that stop */
	bool was_pending = !t->attached && hold_take_pending(tid);
	if (!t->attached) {
		if (!was_pending)
			err = ptrace_seize(tid, 0);
		if (err)
			return err;
	}
	interrupted_note(tid);
	uint64_t deadline = monotonic_ns() + timeout_ns;
	err = ptrace_stop_for_change(tid, timeout_ns < HOLD_STEP_NS ? timeout_ns : HOLD_STEP_NS,
				     ret_group_stopped);
	while (err && err->code == ERR_TIMEOUT && monotonic_ns() < deadline) {
		err_destroy(err);
		hold_poll_pending();
		err = ptrace_stop_for_change(tid, HOLD_STEP_NS, ret_group_stopped);
	}
	if (!err || t->attached)
		return err;
	if (err->code == ERR_TARGET_GONE && (tid == t->pid || !thread_place_is_first_now(t->pid)))
		return err;
	pid_t seized = err->code == ERR_TARGET_GONE ? t->pid : tid;
	if (seized != tid) /* the exec has cleared what was asked of it */
		err_destroy(ptrace_interrupt(seized));
	if (!hold_add_pending(seized))
		log_debug("thread %d stays seized until we end", (int)seized);
	return err;
}

/* Continue or detach from a thread that we hold. */
struct err *hold_end(const struct remote_target *t, pid_t tid, bool group_stopped)
{
	struct err *err = NULL;
	interrupted_forget(tid);
	seccomp_restore(t, tid);
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
struct err *hold_repair(const struct remote_target *t, pid_t tid, struct arch_regs *ret)
{
	bool extended = false;
	struct err *err = interrupted_get_regs(tid, ret);
	if (err || arch_interrupted(ret) != ARCH_EINTR)
		return err;
	hold_restart_call(t, ret, &extended);
	return ptrace_set_regs(tid, ret);
}

void hold_end_later(const struct remote_target *t, pid_t tid, uint64_t timeout_ns)
{
	bool group_stopped = false;
	struct arch_regs regs;
	interrupted_note(tid);
	struct err *err = ptrace_stop_for_change(tid, timeout_ns, &group_stopped);
	if (!err) {
		/* it may be in a call of its own by now */
		err_destroy(hold_repair(t, tid, &regs));
		err = hold_end(t, tid, group_stopped);
	} else if (!t->attached && err->code == ERR_TIMEOUT && !hold_add_pending(tid))
		log_debug("thread %d stays seized until we end", (int)tid);
	err_destroy(err);
}

struct err *hold_repair_call(pid_t pid, pid_t tid)
{
	struct arch_regs regs;
	CLEANUP(maps) struct maps *maps = NULL;
	struct remote_mem *mem = NULL;
	struct err *err = interrupted_get_regs(tid, &regs);
	if (err || arch_interrupted(&regs) != ARCH_EINTR)
		return err;
	err = remote_mem_open(pid, &mem);
	if (!err)
		err = maps_read(pid, &maps);
	if (!err) {
		struct remote_target t = { .pid = pid, .mem = mem, .maps = maps };
		err = hold_repair(&t, tid, &regs);
	}
	remote_mem_close(mem);
	return err;
}
