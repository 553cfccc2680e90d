/*
 * stub: the code that a thread of the target runs for us: it makes a list of calls, writes the
 * answer into the mailbox, and goes back, even if we are killed.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch/arch.h"
#include "base/attr.h"
#include "base/err.h"
#include "visit/remote_program.h"

struct remote_call_stats;
struct remote_target;

struct stub_data {
	uint64_t base;
	int64_t fd;
	uint64_t total_bytes, mailbox, n_ops;
	struct remote_op ops[REMOTE_MAX_OPS];
	char path[128];
};

size_t stub_bytes(void);
/* Is the code of the stub in these stub_bytes() bytes? */
bool stub_is_at(const uint8_t *bytes);
/* Write program and stub, and set the registers of the stopped thread so that it runs them when it
 * continues. *ret_data: address of the struct stub_data in the target. *ret_back: the registers
 * that the thread will have afterwards. */
MUST_CHECK struct err *stub_set_up(const struct remote_target *t, pid_t tid,
				   const struct remote_program *program,
				   struct remote_call_stats *stats, uint64_t *ret_data,
				   struct arch_regs *ret_back);
/* Clear the stub and its way back, of a thread that is stopped and not in them. */
MUST_CHECK struct err *stub_clear(const struct remote_target *t, pid_t tid);
/* A thread in the stub is at the end of a call. Was it the last one? If so, *ret_error is 0, or the
 * error that occurred. */
bool stub_was_last_call(const struct arch_regs *r, const struct stub_data *d, int *ret_error);
/*
 * A thread was sent into the stub but has not made its first step there: its control group was
 * frozen in between, or it got no processor. It is stopped: restore its registers, as if nothing
 * had been asked of it. False: it has begun.
 */
bool stub_take_back(const struct remote_target *t, pid_t tid, const struct arch_regs *back);
/* The stub writes the mailbox a few instructions before the thread has left the stub, and the way
 * back is stored in the stub. If the thread, which is stopped, has lost its processor just there,
 * the stub must not be overwritten. */
bool stub_is_running(const struct remote_target *t, pid_t tid);
bool stub_has(const struct remote_target *t, uint64_t pc); /* is this address in the stub? */
