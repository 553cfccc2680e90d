/*
 * remote_call_private: the steps of a remote call, for code that acts between them (all_stop.c).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mem_read.h"

struct remote_target;
struct arch_regs;

/* Seize a thread and bring it to a stop. If it does not stop in time, it is detached from as soon
 * as it stops, unless it is held again before that. */
MUST_CHECK struct err *remote_call_hold(const struct remote_target *t, pid_t tid,
					uint64_t timeout_ns, bool *ret_group_stopped);
/* These functions need a thread that is held. */
MUST_CHECK struct err *remote_call_let_go(const struct remote_target *t, pid_t tid,
					  bool group_stopped);
/* Restart a call that our stop has ended when the thread continues; *ret: its registers. */
MUST_CHECK struct err *remote_call_repair_held(const struct remote_target *t, pid_t tid,
					       struct arch_regs *ret);
MUST_CHECK struct err *remote_call_write_held(const struct remote_target *t, pid_t tid, raddr to,
					      const void *bytes, size_t n_bytes);
/* Is the module that may be unloaded still where t->maps says? If not, ERR_BUSY. */
MUST_CHECK struct err *remote_call_check_still_there(const struct remote_target *t);

/* For a stopped thread: suspend its seccomp filter, if it has one, so that the filter does not see
 * our calls until filter_restore(), or until we detach. other_options: further options of ptrace(2)
 * for this thread. ERR_DENIED. */
MUST_CHECK struct err *filter_suspend(const struct remote_target *t, pid_t tid,
				      unsigned long other_options, bool *ret_has_one);
/* does nothing in a process that is not followed */
void filter_restore(const struct remote_target *t, pid_t tid);
