/*
 * stop: see stop.h.
 */
#include "recorder/stop.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "visit/ptrace.h"
#include "visit/tripwire.h"

/* ptrace(2), "Group-stop": with PTRACE_SEIZE a group-stop is a PTRACE_EVENT_STOP with one of these
 * signals; all others have SIGTRAP. */
static bool is_stopping(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

enum stop_kind stop_classify(const struct tripwire *wire, pid_t tid, int status)
{
	switch (status >> 16) {
	case 0: break;
	case PTRACE_EVENT_STOP: return is_stopping(WSTOPSIG(status)) ? STOP_GROUP : STOP_EVENT;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE: return STOP_CHILD;
	case PTRACE_EVENT_EXEC: return STOP_EXEC;
	case PTRACE_EVENT_EXIT: return STOP_EXIT;
	default: return STOP_OTHER;
	}
	if (ptrace_is_syscall_stop(status))
		return STOP_SYSCALL;
	if (wire && tripwire_is_hit(wire, tid, status))
		return STOP_BREAKPOINT;
	return WSTOPSIG(status) == SIGTRAP ? STOP_TRAP : STOP_SIGNAL;
}
