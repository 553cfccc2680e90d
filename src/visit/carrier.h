/*
 * carrier: which threads of a process do what we want done in it.
 *
 *   one thread with the stub   The thread whose stop shows least is stopped for some 0.1 ms, and
 *                              then makes our calls by itself. Stores are made from outside.
 *   all threads stopped        The program may unload Python at any moment: threads are stopped,
 *                              the mappings are checked, and only then something is written
 *                              (all_stop.h).
 *   the thread at its stop     It is a tracee of ours at a stop, and is there again afterwards.
 *   the next event's thread    Any other stop would be visible to the program: the hook holds the
 *                              thread that raises the next event, and that thread makes our calls
 *                              (lazy_link.h).
 *
 * The carrier is chosen once, when it is known what may change (carrier_choose()). The functions
 * here do what its row in carriers[] says; nothing else depends on which one it is.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "visit/remote_program.h"
#include "visit/remote_target.h"

struct remote_call_stats;

/* Which one fits the module that t->fleeting or t->unloadable names, if any. */
enum carrier carrier_choose(const struct remote_target *t);

/* Must it be CARRIER_NEXT_EVENT? Every thread waits in a call that a stop would end early, visibly
 * to the program. */
bool carrier_is_next_event(const struct remote_target *t);

/* Make the stores in this order. ERR_BUSY: the module has changed, and nothing was written;
 * ERR_TIMEOUT: no thread could be stopped, and nothing was written. */
MUST_CHECK struct err *carrier_store(const struct remote_target *t,
				     const struct remote_store *stores, size_t n);
/* The same for anything that `f` does; it must not stop or start threads. */
MUST_CHECK struct err *carrier_act(const struct remote_target *t, struct err *(*f)(void *ctx),
				   void *ctx);
/* Run the program and wait for its answer: *ret_value is the base (or 1). A thread whose pc is in
 * [avoid_start, avoid_end) is not used. Takes at most timeout_ns. ERR_TIMEOUT: no thread could be
 * stopped in time, the target is unchanged; ERR_BUSY as above; ERR_SYS with err->sys: a call of the
 * program failed, and the program has undone itself. */
MUST_CHECK struct err *carrier_run(const struct remote_target *t,
				   const struct remote_program *program, uint64_t avoid_start,
				   uint64_t avoid_end, uint64_t timeout_ns,
				   struct remote_call_stats *stats, uint64_t *ret_value);
/* Afterwards: wait until no thread is in the code of our calls, and clear it. ERR_TIMEOUT. */
MUST_CHECK struct err *carrier_settle(const struct remote_target *t, uint64_t timeout_ns);
/* The second half of that: no thread may be in the code. */
MUST_CHECK struct err *carrier_clear(const struct remote_target *t);
