/*
 * ptrace: the few requests that the tracer makes, each with a deadline and an error that says what
 * was attempted.
 *
 * ptrace(2) obeys only the thread that attached, so all of this runs in the recorder's only thread.
 * Threads are identified by tid; for a thread that is gone the error is ERR_TARGET_GONE.
 */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/monotonic.h"

/* Seize without stopping. `options`: PTRACE_O_*. ERR_TIMEOUT if its process is in an exec that does
 * not end. Threads of that process that we trace already and that are ending may be reaped
 * meanwhile, because the exec waits for them. */
MUST_CHECK struct err *ptrace_seize(pid_t tid, unsigned long options);
/* For a stopped thread: replaces the options that it was seized with. */
MUST_CHECK struct err *ptrace_set_options(pid_t tid, unsigned long options);
MUST_CHECK struct err *ptrace_interrupt(pid_t tid);
/* Wait until tid stops: *ret_status is the wait status. ERR_TIMEOUT after the deadline; the thread
 * is then still seized and running. */
MUST_CHECK struct err *ptrace_wait_stop(pid_t tid, uint64_t timeout_ns, int *ret_status);
/* The same for one of several waits that have a deadline together (monotonic_ns()). The message
 * says how long that was, and not what was left of it. */
MUST_CHECK struct err *ptrace_wait_stop_until(pid_t tid, uint64_t begin_ns, uint64_t deadline_ns,
					      int *ret_status);
struct arch_regs;
MUST_CHECK struct err *ptrace_get_regs(pid_t tid, struct arch_regs *ret);
/* Also ERR_TARGET_GONE if the thread has stopped again without being asked: it was killed, and the
 * stop may be that of another thread that took over its number in an exec. */
MUST_CHECK struct err *ptrace_set_regs(pid_t tid, const struct arch_regs *regs);
MUST_CHECK struct err *ptrace_poke(pid_t tid, uint64_t address, uint64_t word);
/* Continue the thread, delivering `signal` (0 = none). */
MUST_CHECK struct err *ptrace_continue(pid_t tid, int signal);
/* Continue the thread to the begin or end of its next system call. Use this only for threads with
 * PTRACE_O_TRACESYSGOOD: if we are killed at such a stop, the thread continues with signal 0x85,
 * which does not exist and is discarded (kernel/signal.c, send_sig_info); without the option it
 * would get a SIGTRAP. Any other way of continuing ends this mode. */
MUST_CHECK struct err *ptrace_continue_to_syscall(pid_t tid, int signal);
bool ptrace_is_syscall_stop(int status); /* of a wait status */
/* the signal that a stopped thread must get when it continues; 0 if it did not stop for a signal */
int ptrace_signal_of(int status);
/* for a thread in a signal-delivery-stop */
MUST_CHECK struct err *ptrace_get_signal(pid_t tid, siginfo_t *ret);
MUST_CHECK struct err *ptrace_listen(pid_t tid);
MUST_CHECK struct err *ptrace_detach(pid_t tid, int signal);
MUST_CHECK struct err *ptrace_event_message(pid_t tid, unsigned long *ret);
/* For a thread that has hit a breakpoint (tripwire.h): move it from its signal-delivery-stop, whose
 * signal would be delivered if we were killed, to an event stop at the same place, which simply
 * ends with us. The thread will continue over the breakpoint. Errors like
 * ptrace_stop_for_change(). */
MUST_CHECK struct err *ptrace_breakpoint_settle(pid_t tid, uint64_t timeout_ns);

/* What happens to other threads while we wait for one thread is reported to the code that follows
 * processes. */
enum ptrace_verdict {
	PTRACE_PASS, /* continue it, with the signal if it was one */
	/* continue it without the signal: the signal was not meant for the target */
	PTRACE_SWALLOW,
	PTRACE_ANOTHER /* it has become another program: leave it stopped */
};
struct ptrace_watch {
	/* Handle the stops of all threads except `waited_for`. That thread may depend on them, as a
	 * parent in vfork(2) depends on its child. */
	void (*others)(void *ctx, pid_t waited_for);
	/* The thread that we wait for reports an event or a signal (wait status) before it reaches
	 * the stop that we asked for. */
	enum ptrace_verdict (*reported)(void *ctx, pid_t tid, int status);
	/* The options that a followed thread was seized with (PTRACE_O_*). */
	unsigned long (*options)(void *ctx, pid_t tid);
	/* Has this thread stopped meanwhile, and was the stop already read from the kernel and
	 * deferred? If so the stop is handed to the caller; otherwise it would be missed while the
	 * caller waits. NULL: no stop is ever deferred. */
	bool (*take)(void *ctx, pid_t tid, int *ret_status);
	void *ctx;
};
/* There is one for the whole process, like waitpid(2); NULL: none. Borrowed until the next call. */
void ptrace_set_watch(const struct ptrace_watch *watch);
/* Call this in every loop that waits for an action of a followed thread: the thread may have
 * stopped, for a signal or because of its child, and nothing else would continue it. */
void ptrace_serve(void);
/* The thread that we wait for has stopped for another reason than the one we asked for; this is
 * reported to the code that follows processes. *ret_signal: the signal that it must get when it
 * continues. ERR_TARGET_GONE with sys ESTALE: it has become another program and is stopped at that
 * event; the caller must not continue it. */
MUST_CHECK struct err *ptrace_pass(pid_t tid, int status, int *ret_signal);
unsigned long ptrace_options(pid_t tid); /* options of a followed thread; 0: it is not followed */

/* Make a stopped thread stop again as soon as it is continued, and report its state then. It may be
 * in a job-control stop of its process, which it would leave if it were just continued
 * (kernel/signal.c, do_signal_stop). */
static inline void ptrace_stop_again(pid_t tid)
{
	err_destroy(ptrace_interrupt(tid));
}

/* Wait for the event stop of a thread that was asked to stop; signals that come first are
 * delivered. ERR_TIMEOUT. */
MUST_CHECK struct err *ptrace_wait_event_stop(pid_t tid, uint64_t timeout_ns,
					      bool *ret_group_stopped);
/* Bring a seized thread to a stop in which registers may be changed, before DETACH. Interrupts it,
 * and passes on the signals that arrive meanwhile, so that none is lost and their order is kept.
 * *ret_group_stopped: the thread was in a group-stop, and will be again. ERR_TARGET_GONE with sys
 * ESTALE: it has become another program, and is stopped at that event. */
MUST_CHECK struct err *ptrace_stop_for_change(pid_t tid, uint64_t timeout_ns,
					      bool *ret_group_stopped);
