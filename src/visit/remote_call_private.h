/*
 * remote_call_private: the steps of a remote call, for those who must do something in between
 * (all_stop.c).
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

/* Seize a thread and bring it to a stop. One that does not stop in time is let go as soon as it
 * does, unless it is asked for again before. */
MUST_CHECK struct err *remote_call_hold(const struct remote_target *t, pid_t tid,
					uint64_t timeout_ns, bool *ret_group_stopped);
/* Of a thread that is held, all of these. */
MUST_CHECK struct err *remote_call_let_go(const struct remote_target *t, pid_t tid,
					  bool group_stopped);
/* A call that our stop has ended is made again when it goes on; *ret: its registers. */
MUST_CHECK struct err *remote_call_repair_held(const struct remote_target *t, pid_t tid,
					       struct arch_regs *ret);
MUST_CHECK struct err *remote_call_write_held(const struct remote_target *t, pid_t tid, raddr to,
					      const void *bytes, size_t n_bytes);
/* Is what may be unloaded where t->maps says? ERR_BUSY. */
MUST_CHECK struct err *remote_call_check_still_there(const struct remote_target *t);

/* Of a thread that stands still: its seccomp filter, if it has one, does not see our calls until
 * filter_restore(), or until we detach. other_options: of ptrace(2), that it is to have besides.
 * ERR_DENIED. */
MUST_CHECK struct err *filter_suspend(const struct remote_target *t, pid_t tid,
				      unsigned long other_options, bool *ret_has_one);
/* does nothing in a process that is not followed */
void filter_restore(const struct remote_target *t, pid_t tid);
