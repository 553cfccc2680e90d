/*
 * all_stop: if a program may unload Python at any moment, write into Python's module only while the
 * program is stopped.
 *
 * The race: the recorder reads where Python is, and loses its processor; the program unloads Python
 * and maps something else there; the recorder writes. So the threads are stopped first, then the
 * mappings are checked, and only then is anything written. No thread continues before all of it is
 * done, including calls that a thread of the program makes for us.
 *
 * Which threads are stopped: if the runtime is not initialised, any thread may unload it, so all of
 * them; otherwise only the thread whose stop shows least. A call that a stop ends early is
 * restarted. Its timeout then starts over, which is less harm than a byte in the wrong place.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct remote_call_stats;
struct remote_program;
struct remote_store;
struct remote_target;

/* Make the stores in this order. ERR_BUSY: the module that t->fleeting or t->unloadable names has
 * changed, and nothing was written; ERR_TIMEOUT: no thread could be stopped, and nothing was
 * written. */
MUST_CHECK struct err *all_stop_write(const struct remote_target *t,
				      const struct remote_store *stores, size_t n);

/* The same for anything that `f` does; it must not stop or start threads. */
MUST_CHECK struct err *all_stop_do(const struct remote_target *t, struct err *(*f)(void *ctx),
				   void *ctx);

/* Run a program: carrier_run(). A program without system calls is a list of stores. With system
 * calls, the thread is back where it was and the place of the code is cleared before it
 * continues. */
MUST_CHECK struct err *all_stop_run(const struct remote_target *t,
				    const struct remote_program *program, uint64_t avoid_start,
				    uint64_t avoid_end, uint64_t timeout_ns,
				    struct remote_call_stats *stats, uint64_t *ret_value);
