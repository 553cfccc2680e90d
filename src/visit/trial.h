/*
 * trial: does this machine allow what tracing needs? It is tried on a child of our own, which then
 * ends.
 */
#pragma once
#include <stdbool.h>

struct trial {
	int fork_errno;  /* not 0: nothing could be tried */
	int seize_errno; /* PTRACE_SEIZE, and stopping by PTRACE_INTERRUPT; 0: it works */
	/* a breakpoint of perf_event_open(2); it shows when a followed program loads Python late */
	int tripwire_errno;
	int suspend_seccomp_errno; /* PTRACE_O_SUSPEND_SECCOMP */
	int readv_errno;           /* process_vm_readv */
	/* writing read-only memory of a tracee through /proc/PID/mem */
	int force_write_errno;
	int map_files_errno; /* opening /proc/PID/map_files/…, by which the ring is shared */
	/* opening a memory file of ours by its path in /proc, by which the ring is shared without
	 * map_files */
	int memfd_errno;
};
void trial_run(struct trial *ret);

struct check;
/* What doctor says of it (check.h). */
extern const struct check trial_check_ptrace;
extern const struct check trial_check_read;
extern const struct check trial_check_write;
