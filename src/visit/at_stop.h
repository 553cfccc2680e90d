/*
 * at_stop: run a list of calls in a thread that is at its stop.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct remote_call_stats;
struct remote_program;
struct remote_target;

/* Run the program in a tracee that is in an event stop, or at the end of a system call: afterwards
 * it is at the same place, and has not run a step of its own. (If a job-control stop comes
 * meanwhile, the list is run too; when the thread is continued, it reports that stop again.)
 * ERR_TARGET_GONE with sys ESTALE: as in ptrace_pass(). The result of the last call of the list
 * must not be needed. Needs PTRACE_O_TRACESYSGOOD. */
MUST_CHECK struct err *at_stop_run(pid_t tid, const struct remote_target *t,
				   const struct remote_program *program, uint64_t timeout_ns,
				   struct remote_call_stats *stats, uint64_t *ret_value);
