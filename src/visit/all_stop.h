/*
 * all_stop: while a program may unload Python at any moment, what is written into the module is
 * written while the program stands still.
 *
 * The story of the race: the recorder looks where Python is, and loses its processor; the program
 * unloads Python and maps something else there; the recorder writes. So threads are stopped, then
 * is looked, and only then written; no thread goes on before all is done, be it with calls that a
 * thread of the program makes for us.
 *
 * Which threads: where the runtime is not initialised any of them may unload it, so all; else the
 * one in which a stop shows least. A call that a stop ends early is made again: its timeout starts
 * over, which harms less than a byte in the wrong place.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mem_read.h"

struct remote_call_stats;
struct remote_program;
struct remote_target;

struct all_stop_store {
	raddr to;
	const void *bytes;
	size_t n_bytes;
};

/* One after the other. ERR_BUSY: what t->fleeting or t->unloadable names is not as it was any more,
 * and nothing was written; ERR_TIMEOUT: no thread could be stopped, likewise. Where the module
 * stays for good nobody is stopped. */
MUST_CHECK struct err *all_stop_write(const struct remote_target *t,
				      const struct all_stop_store *stores, size_t n);

/* The same with whatever `f` does; it must not stop or start threads. */
MUST_CHECK struct err *all_stop_do(const struct remote_target *t, struct err *(*f)(void *ctx),
				   void *ctx);

/* remote_call_run() for a target with t->fleeting or t->unloadable. A program without system calls
 * is a list of stores; else the thread is back where it stood, and the place of the code cleared,
 * before it goes on. */
MUST_CHECK struct err *all_stop_run(const struct remote_target *t,
				    const struct remote_program *program, uint64_t avoid_start,
				    uint64_t avoid_end, uint64_t timeout_ns,
				    struct remote_call_stats *stats, uint64_t *ret_value);
