/*
 * stop: what has happened to a thread that stopped, told by its status of wait(2).
 */
#pragma once
#include <sys/types.h>

struct tripwire;

enum stop_kind {
	STOP_SYSCALL,    /* syscall-stop */
	STOP_BREAKPOINT, /* signal-delivery-stop, for the signal of the thread's own tripwire */
	STOP_TRAP,       /* signal-delivery-stop for any other SIGTRAP */
	STOP_SIGNAL,     /* signal-delivery-stop for another signal */
	STOP_GROUP,      /* group-stop */
	STOP_EVENT, /* PTRACE_EVENT_STOP that is no group-stop: a first stop, or PTRACE_INTERRUPT */
	STOP_CHILD, /* PTRACE_EVENT_FORK, _VFORK or _CLONE */
	STOP_EXEC,  /* PTRACE_EVENT_EXEC */
	STOP_EXIT,  /* PTRACE_EVENT_EXIT */
	STOP_OTHER, /* an event that was not asked for */
	STOP_COUNT
};

/* Terms and statuses are those of ptrace(2), "Stopped states". wire: of the thread; NULL: it has
 * none, or the thread is unknown. status: of a thread that has stopped (WIFSTOPPED). */
enum stop_kind stop_classify(const struct tripwire *wire, pid_t tid, int status);
