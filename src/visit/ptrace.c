/*
 * ptrace: see ptrace.h.
 */
#include "visit/ptrace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arch/arch.h"
#include "system/fault.h"
#include "visit/threads.h"

static const struct ptrace_watch *watch;

void ptrace_set_watch(const struct ptrace_watch *w)
{
	watch = w;
}

void ptrace_serve(void)
{
	if (watch)
		watch->others(watch->ctx, 0);
}

struct err *ptrace_pass(pid_t tid, int status, int *ret_signal)
{
	enum ptrace_verdict verdict = watch ? watch->reported(watch->ctx, tid, status)
					    : PTRACE_PASS;
	*ret_signal = verdict == PTRACE_SWALLOW ? 0 : ptrace_signal_of(status);
	if (verdict != PTRACE_ANOTHER)
		return NULL;
	struct err *err = err_create(ERR_TARGET_GONE, "process %d has become another program",
				     (int)tid);
	/* otherwise it is the static out-of-memory error, which must not be changed */
	if (err->code == ERR_TARGET_GONE)
		err->sys = ESTALE;
	return err;
}

unsigned long ptrace_options(pid_t tid)
{
	return watch ? watch->options(watch->ctx, tid) : 0;
}

static bool is_denied(void)
{
	int denied = fault_before(FAULT_PTRACE);
	if (denied)
		errno = denied;
	return denied;
}

static long done(long ret)
{
	int sys = errno;
	fault_after(FAULT_PTRACE);
	errno = sys;
	return ret;
}

static long request(int what, pid_t tid, void *address, void *data)
{
	return is_denied() ? -1 : done(ptrace(what, tid, address, data));
}

static struct err *failed(const char *what, pid_t tid)
{
	return err_sys(errno, "cannot %s thread %d", what, (int)tid);
}

/*
 * ---- seizing, and exec ----
 *
 * PTRACE_SEIZE waits for the mutex cred_guard_mutex of the target's process (kernel/ptrace.c,
 * ptrace_attach()). A thread in exec(2) holds it until all other threads of its process are gone
 * (fs/exec.c, de_thread()). A thread that we trace is gone only when we have reaped it, and with
 * PTRACE_O_TRACEEXIT it stops before that: neither wait would ever end. The wait for the mutex is
 * interruptible, and the request restarts after a signal handler. So the handler of a timer reaps
 * those threads, and after a deadline (another tracer may not reap its threads) it makes the
 * request fail.
 */

#define SEIZE_NS 1000000000ull
enum { SEIZE_LOOK_NS = 2 * 1000 * 1000 };

static struct {
	timer_t timer;
	pid_t timer_owner;  /* gettid(); 0: there is none */
	volatile pid_t tid; /* the thread that is being seized; 0: none */
	volatile uint64_t deadline_ns;
} seizing;

struct dirent_head { /* linux_dirent64, getdents64(2) */
	uint64_t inode;
	int64_t off;
	uint16_t n_bytes;
	uint8_t type;
	char name[];
};

/* Help a thread to end, because the exec of its process may wait for it. The first thread need not
 * be reaped: the exec waits only until it has ended, and the code that follows the process needs
 * its status. */
static void help_to_end(pid_t tid, pid_t first)
{
	siginfo_t what = { .si_pid = 0 };
	if (waitid(P_PID, (id_t)tid, &what, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) < 0 ||
	    what.si_pid != tid)
		return;
	if (what.si_code == CLD_TRAPPED && what.si_status >> 8 == PTRACE_EVENT_EXIT &&
	    waitpid(tid, NULL, __WALL | WNOHANG) == tid)
		ptrace(PTRACE_CONT, tid, NULL, NULL);
	else if (what.si_code != CLD_TRAPPED && what.si_code != CLD_STOPPED && tid != first)
		waitpid(tid, NULL, __WALL | WNOHANG);
}

/* This runs in a signal handler: no allocation, so no opendir(3). */
static void help_threads_to_end(pid_t tid)
{
	char path[32] = "/proc/", digits[12], bytes[2048] __attribute__((aligned(8)));
	size_t n_path = 6, n_digits = 0;
	long n;
	pid_t first = 0;
	for (pid_t left = tid; left; left /= 10)
		digits[n_digits++] = (char)('0' + left % 10);
	while (n_digits)
		path[n_path++] = digits[--n_digits];
	memcpy(path + n_path, "/task", 6);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && (n = syscall(SYS_getdents64, fd, bytes, sizeof(bytes))) > 0)
		for (long at = 0; at < n;) {
			const struct dirent_head *e = (const struct dirent_head *)(void *)(bytes +
											   at);
			pid_t of = 0;
			for (const char *c = e->name; *c >= '0' && *c <= '9'; c++)
				of = of * 10 + (*c - '0');
			first =
			    first
				? first
				: of; /* the kernel lists it first (fs/proc/base.c, first_tid()) */
			if (of)
				help_to_end(of, first);
			at += e->n_bytes;
		}
	if (fd >= 0)
		close(fd);
}

static void on_seize_timer(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	(void)number, (void)info;
	if (!seizing.tid)
		return;
	help_threads_to_end(seizing.tid);
	/* Only a request that restarts when this handler returns can be made to fail. */
	if (monotonic_ns() >= seizing.deadline_ns)
		arch_fail_own_restart(context, SYS_ptrace, EINTR);
	errno = saved;
}

static bool set_seize_timer(bool on)
{
	const struct itimerspec times = { { 0, on ? SEIZE_LOOK_NS : 0 },
					  { 0, on ? SEIZE_LOOK_NS : 0 } };
	pid_t self = gettid();
	if (seizing.timer_owner != self) { /* timers are not inherited by fork(2) and new threads */
		struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
					  .sigev_signo = SIGRTMIN + 1 };
		struct sigaction act = { .sa_sigaction = on_seize_timer,
					 .sa_flags = SA_SIGINFO | SA_RESTART };
		sigset_t set;
		event._sigev_un._tid = self;
		sigemptyset(&set);
		sigaddset(&set, SIGRTMIN + 1);
		if (!on || sigaction(SIGRTMIN + 1, &act, NULL) < 0 ||
		    pthread_sigmask(SIG_UNBLOCK, &set, NULL) != 0 ||
		    timer_create(CLOCK_MONOTONIC, &event, &seizing.timer) < 0)
			return false;
		seizing.timer_owner = self;
	}
	return timer_settime(seizing.timer, 0, &times, NULL) == 0;
}

struct err *ptrace_seize(pid_t tid, unsigned long options)
{
	seizing.deadline_ns = monotonic_ns() + SEIZE_NS;
	seizing.tid = tid;
	bool is_timed = set_seize_timer(true);
	bool ok = request(PTRACE_SEIZE, tid, NULL, (void *)options) == 0;
	int sys = errno;
	seizing.tid = 0;
	if (is_timed)
		set_seize_timer(false);
	errno = sys;
	if (!ok && sys == EINTR)
		return err_create(ERR_TIMEOUT,
				  "cannot attach to thread %d: its process is in the middle of an "
				  "exec that does not end",
				  (int)tid);
	/* A thread that has ended cannot be attached to, and the kernel says EPERM of it, too
	 * (kernel/ptrace.c, ptrace_attach(): exit_state). An exec that ends while the request waits
	 * leaves such a thread under this number for a moment. */
	struct thread_place at;
	if (!ok && sys == EPERM &&
	    (!thread_place_read(tid, tid, &at) || at.state == 'Z' || at.state == 'X'))
		sys = ESRCH;
	errno = sys; /* that look may have changed it */
	return ok ? NULL : failed("attach to", tid);
}

struct err *ptrace_set_options(pid_t tid, unsigned long options)
{
	return request(PTRACE_SETOPTIONS, tid, NULL, (void *)options) < 0
		   ? failed("set options of", tid)
		   : NULL;
}

struct err *ptrace_interrupt(pid_t tid)
{
	return request(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 ? failed("interrupt", tid) : NULL;
}

/* Look at a thread that does not stop. True if it has ended. If it waits in exec(2) for the other
 * threads of its process to be gone, those that are our tracees are reaped: nothing else would be
 * done about them while we wait (kernel fs/exec.c, de_thread()). */
static bool has_ended(pid_t tid)
{
	struct thread_place at;
	if (!thread_place_read(tid, tid, &at))
		return false;
	if (at.state == 'D' && (at.syscall == SYS_execve || at.syscall == SYS_execveat))
		help_threads_to_end(tid);
	return at.state == 'Z' || at.state == 'X';
}

static struct err *did_not_stop(pid_t tid, uint64_t allowed_ns)
{
	return err_create(ERR_TIMEOUT, "thread %d did not stop within %.0f ms", (int)tid,
			  (double)allowed_ns / 1e6);
}

/* Like ptrace_wait_stop(). allowed_ns: what the message calls the deadline, where this wait is the
 * rest of a longer one. */
static struct err *wait_stop(pid_t tid, uint64_t timeout_ns, uint64_t allowed_ns, int *ret_status)
{
	uint64_t start = monotonic_ns();
	if (watch && watch->take && watch->take(watch->ctx, tid, ret_status))
		return NULL;
	for (unsigned spins = 0;; spins++) {
		int status;
		siginfo_t what = { .si_pid = 0 };
		/* Peek first: the code that follows the process must learn of an end (by its
		 * waitpid(-1)), so an end is left to be reaped there. */
		int got = waitid(P_PID, (id_t)tid, &what,
				 WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL);
		if (got == 0 && what.si_pid == tid) {
			if (what.si_code == CLD_EXITED || what.si_code == CLD_KILLED ||
			    what.si_code == CLD_DUMPED)
				return err_create(ERR_TARGET_GONE,
						  "thread %d ended while it was being stopped",
						  (int)tid);
			if (waitpid(tid, &status, __WALL | WNOHANG) == tid && WIFSTOPPED(status)) {
				*ret_status = status;
				return NULL;
			}
			continue; /* it was killed in between */
		}
		if (got < 0 && errno != EINTR)
			return err_create(ERR_TARGET_GONE, "thread %d is gone", (int)tid);
		if (monotonic_ns() - start > timeout_ns)
			return did_not_stop(tid, allowed_ns);
		if (watch && timeout_ns && spins > 20)
			watch->others(watch->ctx, tid);
		/* The end of a first thread is not reported while other threads of its process run
		 * (kernel/exit.c, wait_consider_task(): delay_group_leader()). */
		if (spins > 200 && spins % 16 == 0 && has_ended(tid))
			return err_create(ERR_TARGET_GONE, "thread %d has ended", (int)tid);
		/* A stop takes microseconds if the thread can run at all: spin first, then
		 * sleep. */
		if (spins < 200)
			sched_yield();
		else
			poll(NULL, 0, 1);
	}
}

struct err *ptrace_wait_stop(pid_t tid, uint64_t timeout_ns, int *ret_status)
{
	return wait_stop(tid, timeout_ns, timeout_ns, ret_status);
}

struct err *ptrace_wait_stop_until(pid_t tid, uint64_t begin_ns, uint64_t deadline_ns,
				   int *ret_status)
{
	uint64_t now = monotonic_ns();
	return wait_stop(tid, deadline_ns > now ? deadline_ns - now : 0, deadline_ns - begin_ns,
			 ret_status);
}

struct err *ptrace_get_regs(pid_t tid, struct arch_regs *ret)
{
	return is_denied() || done(arch_regs_read(tid, ret)) < 0
		   ? failed("read the registers of", tid)
		   : NULL;
}

struct err *ptrace_set_regs(pid_t tid, const struct arch_regs *regs)
{
	siginfo_t what = { .si_pid = 0 };
	if (waitid(P_PID, (id_t)tid, &what, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) == 0 &&
	    what.si_pid == tid)
		return err_create(ERR_TARGET_GONE, "thread %d was killed", (int)tid);
	return is_denied() || done(arch_regs_write(tid, regs)) < 0
		   ? failed("set the registers of", tid)
		   : NULL;
}

struct err *ptrace_poke(pid_t tid, uint64_t address, uint64_t word)
{
	return request(PTRACE_POKETEXT, tid, (void *)address, (void *)word) < 0
		   ? failed("write into", tid)
		   : NULL;
}

/* Threads at a breakpoint that must be continued by a step over it (ARCH_STEPS_OVER_BREAKPOINT). A
 * thread that ended there is overwritten by a later one. */
static pid_t at_breakpoint[64];
static size_t next_at_breakpoint;

static bool take_breakpoint(pid_t tid)
{
	for (size_t i = 0; ARCH_STEPS_OVER_BREAKPOINT && i < ARRAY_LEN(at_breakpoint); i++) {
		if (at_breakpoint[i] == tid) {
			at_breakpoint[i] = 0;
			return true;
		}
	}
	return false;
}

static void note_breakpoint(pid_t tid)
{
	if (ARCH_STEPS_OVER_BREAKPOINT && !take_breakpoint(tid))
		next_at_breakpoint = (next_at_breakpoint + 1) % ARRAY_LEN(at_breakpoint);
	if (ARCH_STEPS_OVER_BREAKPOINT)
		at_breakpoint[next_at_breakpoint] = tid;
}

struct err *ptrace_continue(pid_t tid, int signal)
{
	return request(take_breakpoint(tid) ? PTRACE_SINGLESTEP : PTRACE_CONT, tid, NULL,
		       (void *)(long)signal) < 0
		   ? failed("continue", tid)
		   : NULL;
}

struct err *ptrace_continue_to_syscall(pid_t tid, int signal)
{
	return request(PTRACE_SYSCALL, tid, NULL, (void *)(long)signal) < 0
		   ? failed("continue", tid)
		   : NULL;
}

bool ptrace_is_syscall_stop(int status)
{
	return WIFSTOPPED(status) && status >> 8 == (SIGTRAP | 0x80);
}

int ptrace_signal_of(int status)
{
	return status >> 16 || ptrace_is_syscall_stop(status) ? 0 : WSTOPSIG(status);
}

struct err *ptrace_get_signal(pid_t tid, siginfo_t *ret)
{
	return request(PTRACE_GETSIGINFO, tid, NULL, ret) < 0 ? failed("read the signal of", tid)
							      : NULL;
}

struct err *ptrace_listen(pid_t tid)
{
	return request(PTRACE_LISTEN, tid, NULL, NULL) < 0 ? failed("leave stopped", tid) : NULL;
}

struct err *ptrace_detach(pid_t tid, int signal)
{
	return request(PTRACE_DETACH, tid, NULL, (void *)(long)signal) < 0
		   ? failed("detach from", tid)
		   : NULL;
}

struct err *ptrace_event_message(pid_t tid, unsigned long *ret)
{
	return request(PTRACE_GETEVENTMSG, tid, NULL, ret) < 0 ? failed("ask what happened to", tid)
							       : NULL;
}

struct err *ptrace_wait_event_stop(pid_t tid, uint64_t timeout_ns, bool *ret_group_stopped)
{
	uint64_t begin = monotonic_ns();
	if (fault_before(FAULT_WAIT))
		return did_not_stop(tid, timeout_ns);
	for (unsigned i = 0; i < 64; i++) {
		int status, signal;
		struct err *err = ptrace_wait_stop_until(tid, begin, begin + timeout_ns, &status);
		if (err)
			return err;
		if (status >> 16 == PTRACE_EVENT_STOP) {
			*ret_group_stopped = WSTOPSIG(status) != SIGTRAP;
			return NULL;
		}
		/* A signal is about to be delivered (or an event is reported): pass it on, and stop
		 * again at the handler's first instruction. This trap cleared the pending interrupt
		 * (kernel/signal.c, ptrace_stop), so interrupt again. */
		err = ptrace_pass(tid, status, &signal);
		if (!err)
			err = ptrace_interrupt(tid);
		if (!err)
			err = ptrace_continue(tid, signal);
		if (err)
			return err;
	}
	return err_create(ERR_TIMEOUT, "thread %d is flooded with signals", (int)tid);
}

struct err *ptrace_breakpoint_settle(pid_t tid, uint64_t timeout_ns)
{
	struct arch_regs regs;
	bool group_stopped = false;
	/* a pending interrupt stops the thread before its first instruction */
	struct err *err = ptrace_interrupt(tid);
	if (!err)
		err = ptrace_get_regs(tid, &regs);
	if (!err) {
		arch_step_over_breakpoint(&regs);
		err = ptrace_set_regs(tid, &regs);
	}
	if (!err)
		err = ptrace_continue(tid, 0);
	if (!err)
		err = ptrace_wait_event_stop(tid, timeout_ns, &group_stopped);
	if (!err)
		note_breakpoint(tid);
	if (group_stopped)
		ptrace_stop_again(tid);
	return err;
}

struct err *ptrace_stop_for_change(pid_t tid, uint64_t timeout_ns, bool *ret_group_stopped)
{
	*ret_group_stopped = false;
	struct err *err = ptrace_interrupt(tid);
	return err ? err : ptrace_wait_event_stop(tid, timeout_ns, ret_group_stopped);
}
