/*
 * trial: does this machine let us do what tracing needs? Tried on a child of our own, which then
 * ends.
 */
#pragma once
#include <stdbool.h>

struct trial {
	int fork_errno;  /* not 0: nothing could be tried */
	int seize_errno; /* PTRACE_SEIZE and stopping by PTRACE_INTERRUPT; 0 works */
	/* a breakpoint of perf_event_open(2), by which followed programs that load Python late are
	 * noticed */
	int tripwire_errno;
	int suspend_seccomp_errno; /* PTRACE_O_SUSPEND_SECCOMP */
	int readv_errno;           /* process_vm_readv */
	/* writing read-only memory of a process we trace through /proc/PID/mem */
	int force_write_errno;
	int map_files_errno; /* opening /proc/PID/map_files/…, how the ring is shared */
	/* a memory file of ours that a child opens by its path in /proc, how it is shared without
	 * map_files */
	int memfd_errno;
};
void trial_run(struct trial *ret);
