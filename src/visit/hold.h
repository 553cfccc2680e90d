/*
 * hold: stop one thread for a moment, and let it go on as if nothing had been.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mem_read.h"

struct arch_regs;
struct remote_target;

/* Seize a thread and bring it to a stop. If it does not stop in time, it is detached from as soon
 * as it stops, unless it is held again before that. */
MUST_CHECK struct err *hold_begin(const struct remote_target *t, pid_t tid, uint64_t timeout_ns,
				  bool *ret_group_stopped);
/* These functions need a thread that is held. */
MUST_CHECK struct err *hold_end(const struct remote_target *t, pid_t tid, bool group_stopped);
/* Restart a call that our stop has ended when the thread continues; *ret: its registers. */
MUST_CHECK struct err *hold_repair(const struct remote_target *t, pid_t tid, struct arch_regs *ret);
MUST_CHECK struct err *hold_write(const struct remote_target *t, pid_t tid, raddr to,
				  const void *bytes, size_t n_bytes);

/* For a thread that we have stopped and will detach from: a call that the stop has ended with EINTR
 * is restarted, unless its caller is CPython, which does so itself. A timeout starts over. */
MUST_CHECK struct err *hold_repair_call(pid_t pid, pid_t tid);

/* Is this a thread that was seized, did not stop in time and was given up? If so, the caller must
 * detach from it at its stop. */
bool hold_take_pending(pid_t tid);
/* The caller has such a thread itself: add it to the list. False: there are too many. */
bool hold_add_pending(pid_t tid);
/* Detach from the threads of that list that have stopped meanwhile. */
void hold_poll_pending(void);
/* Stop a thread that ran its list while we stayed attached, and release it. */
void hold_end_later(const struct remote_target *t, pid_t tid, uint64_t timeout_ns);
/* Set the registers that a stopped thread must continue with: a call that our stop has ended is
 * restarted. *ret_extended: it has a timeout, which starts over. */
void hold_restart_call(const struct remote_target *t, struct arch_regs *r, bool *ret_extended);
