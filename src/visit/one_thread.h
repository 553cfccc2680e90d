/*
 * one_thread: make one thread of the target do a list of system calls, in one go, even if we are
 * killed.
 *
 *   prepare   choose a thread, and a place for the code (dead bytes behind a module's text)
 *   start     SEIZE, INTERRUPT, GETREGS, SETREGS, DETACH: after these five requests the thread is
 *             on its own
 *   finish    the mailbox in the target shows the result; the code's bytes are cleared again
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mem_read.h"

struct remote_program;
struct remote_target;

struct remote_call_stats {
	uint64_t pause_ns; /* how long the thread was stopped */
	pid_t tid;
	uint64_t thread_pointer, sp; /* of that thread */
	/* the thread's own tid in its namespace; 0: unknown, use tid */
	uint32_t ns_tid;
	bool timeout_extended; /* a call with a timeout was interrupted and had to start over */
};

/* Run the program in some thread of the target and wait for its answer: *ret_value is the base (or
 * 1). The thread is chosen so that its stop shows as little as possible; a thread whose pc is in
 * [avoid_start, avoid_end) is not used. Takes at most timeout_ns. ERR_TIMEOUT: no thread could be
 * stopped in time, the target is unchanged; ERR_SYS with err->sys: a call of the program failed,
 * and the program has undone itself. */
MUST_CHECK struct err *one_thread_run(const struct remote_target *t,
				      const struct remote_program *program, uint64_t avoid_start,
				      uint64_t avoid_end, uint64_t timeout_ns,
				      struct remote_call_stats *stats, uint64_t *ret_value);

/* Write memory that the target itself may not write. Kernels can reserve that to the tracer
 * (proc_mem.force_override): then a thread is held for a moment. */
MUST_CHECK struct err *one_thread_write(const struct remote_target *t, raddr to, const void *bytes,
					size_t n_bytes);
