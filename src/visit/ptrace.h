/*
 * ptrace: the few requests the tracer makes, each with a deadline and an error that says what was
 * attempted.
 *
 * ptrace(2) obeys only the thread that attached: all of this runs in the recorder's one thread.
 * Threads are named by tid; a thread that is gone gives ERR_TARGET_GONE.
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
 * not end. Threads of that process that are ours already, and are ending, may be reaped meanwhile:
 * the exec waits for them. */
MUST_CHECK struct err *ptrace_seize(pid_t tid, unsigned long options);
/* Of a stopped thread: replaces the options it was seized with. */
MUST_CHECK struct err *ptrace_set_options(pid_t tid, unsigned long options);
MUST_CHECK struct err *ptrace_interrupt(pid_t tid);
/* Wait until tid stops: *ret_status is the wait status. Past the deadline ERR_TIMEOUT; the thread
 * is then still seized and running. */
MUST_CHECK struct err *ptrace_wait_stop(pid_t tid, uint64_t timeout_ns, int *ret_status);
struct arch_regs;
MUST_CHECK struct err *ptrace_get_regs(pid_t tid, struct arch_regs *ret);
/* ERR_TARGET_GONE too when it has stopped anew, which nobody asked of it: it was killed, and what
 * stands there may be another thread of that number, at its exec. */
MUST_CHECK struct err *ptrace_set_regs(pid_t tid, const struct arch_regs *regs);
MUST_CHECK struct err *ptrace_poke(pid_t tid, uint64_t address, uint64_t word);
/* Let it run on, delivering `signal` (0 = none). */
MUST_CHECK struct err *ptrace_continue(pid_t tid, int signal);
/* The same, to the begin or end of its next system call. For threads with PTRACE_O_TRACESYSGOOD
 * only: should we be killed at such a stop, the thread goes on with signal 0x85, which is none and
 * is thrown away (kernel/signal.c, send_sig_info), else with a SIGTRAP. Any other way of continuing
 * ends it. */
MUST_CHECK struct err *ptrace_continue_to_syscall(pid_t tid, int signal);
bool ptrace_is_syscall_stop(int status); /* wait status */
/* what a stopped thread is to be given when it goes on; 0 if it did not stop for a signal */
int ptrace_signal_of(int status);
/* of a thread that stands at one */
MUST_CHECK struct err *ptrace_get_signal(pid_t tid, siginfo_t *ret);
MUST_CHECK struct err *ptrace_listen(pid_t tid);
MUST_CHECK struct err *ptrace_detach(pid_t tid, int signal);
MUST_CHECK struct err *ptrace_event_message(pid_t tid, unsigned long *ret);
/* After a thread has come to a breakpoint (tripwire.h): from the stop of that signal, which would
 * be delivered should we be killed, to an event stop at the same place, which just ends with us.
 * The thread will go on over the breakpoint. Errors as of ptrace_stop_for_change(). */
MUST_CHECK struct err *ptrace_breakpoint_settle(pid_t tid, uint64_t timeout_ns);

/* Who follows processes hears of what happens while one thread is being waited for. */
enum ptrace_verdict {
	PTRACE_PASS,    /* let it go on, with the signal if it was one */
	PTRACE_SWALLOW, /* let it go on without the signal: it was not the target's */
	PTRACE_ANOTHER  /* it has become another program: leave it stopped */
};
struct ptrace_watch {
	/* Serve the stops of all threads but this one: it may depend on them, as a parent in
	 * vfork(2) does on its child. */
	void (*others)(void *ctx, pid_t waited_for);
	/* The thread waited for reports an event or a signal (wait status) on its way to the stop
	 * that was asked for. */
	enum ptrace_verdict (*reported)(void *ctx, pid_t tid, int status);
	/* What a followed thread was seized with (PTRACE_O_*). */
	unsigned long (*options)(void *ctx, pid_t tid);
	/* Has that thread stopped in the meantime, taken from the kernel already and put off? Then
	 * it is the caller's; else nobody would hear of it again while he waits. NULL: nothing is
	 * put off. */
	bool (*take)(void *ctx, pid_t tid, int *ret_status);
	void *ctx;
};
/* One for the process, as waitpid(2) is; NULL: nobody. Borrowed until the next call. */
void ptrace_set_watch(const struct ptrace_watch *watch);
/* To be called in every loop that waits for something a followed thread must do: it may have
 * stopped, by a signal or for its child's sake, and nobody else lets it go on. */
void ptrace_serve(void);
/* The thread waited for has stopped for something else than what was asked of it; whoever follows
 * is told. *ret_signal: what it is to be given when it goes on. ERR_TARGET_GONE with sys ESTALE: it
 * has become another program, and stands at that event: it must not be let go on here. */
MUST_CHECK struct err *ptrace_pass(pid_t tid, int status, int *ret_signal);
unsigned long ptrace_options(pid_t tid); /* of a followed thread; 0: it is not */

/* Of a thread that stands still, in a job-control stop of its process perhaps (which it would
 * leave, should it just be continued: kernel/signal.c, do_signal_stop): once let go on, it stops
 * again at once and says how it is. */
static inline void ptrace_stop_again(pid_t tid)
{
	err_destroy(ptrace_interrupt(tid));
}

/* Bring a seized thread to a stop at which registers may be changed and DETACH follows: interrupts,
 * and passes on the signals that get in the way, so that none is lost and their order is kept.
 * *ret_group_stopped: it was (and will be again) in a group stop. ERR_TARGET_GONE with sys ESTALE:
 * it has become another program, and stands at that event. */
MUST_CHECK struct err *ptrace_stop_for_change(pid_t tid, uint64_t timeout_ns,
					      bool *ret_group_stopped);
