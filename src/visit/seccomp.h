/*
 * seccomp: the seccomp filters of threads, and how our calls are exempted from them.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct remote_target;

/* For a stopped thread: suspend its seccomp filter, if it has one, so that the filter does not see
 * our calls until seccomp_restore(), or until we detach. status_fd: of seccomp_status_open(), or
 * -1. other_options: further options of ptrace(2) for this thread. ERR_DENIED; ERR_TARGET_GONE and
 * other errors if it cannot be read whether there is a filter: then no call may be made. */
struct seccomp_found {
	bool has_one;
	/* it has none, but its process has other threads: seccomp_suspend_later_one() */
	bool may_come;
};
MUST_CHECK struct err *seccomp_suspend(const struct remote_target *t, pid_t tid, int status_fd,
				       unsigned long other_options, struct seccomp_found *ret);
/* For a stopped thread that had no filter and makes our calls while it is traced: another thread
 * may still put one on all threads (SECCOMP_FILTER_FLAG_TSYNC), which does not need this one to
 * run. It will not see our calls either. False: the kernel does not let us suspend filters; the
 * options are as they were. */
bool seccomp_suspend_later_one(pid_t tid, unsigned long other_options);
/* Open /proc/TID/status before the thread is stopped: opening and closing it take half of the time
 * that seccomp_suspend() adds to a stop. -1: it cannot be opened. */
int seccomp_status_open(pid_t tid);
/* does nothing in a process that is not followed */
void seccomp_restore(const struct remote_target *t, pid_t tid);

/* Does the thread have a seccomp filter, or is it in strict mode? A filter belongs to a thread
 * (seccomp(2)). */
bool seccomp_has_filter(pid_t tid);
/* has any thread of the process one? */
bool seccomp_any_filter(pid_t pid);

struct check;
/* What doctor says of it (check.h). */
extern const struct check seccomp_check_own;
extern const struct check seccomp_check_suspend;
extern const struct check seccomp_check_target;
