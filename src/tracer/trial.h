/*
 * trial: does this machine let us do what tracing needs? Tried on a child of our own, which then ends.
 */
#pragma once
#include <stdbool.h>

struct trial {
	int fork_errno;          /* not 0: nothing could be tried */
	int seize_errno;         /* PTRACE_SEIZE and stopping by PTRACE_INTERRUPT; 0 works */
	int breakpoint_errno;    /* hardware breakpoint, used when launching */
	int suspend_seccomp_errno; /* PTRACE_O_SUSPEND_SECCOMP */
	int readv_errno;         /* process_vm_readv */
	int force_write_errno;   /* writing read-only memory of a process we trace through /proc/PID/mem */
	int map_files_errno;     /* opening /proc/PID/map_files/…, how the ring is shared */
};
void trial_run(struct trial *ret);
