/*
 * thread_list: the thread states of a runtime, and which one has its GIL, read while the target
 * runs.
 *
 * Nothing is locked and nothing is stopped, so the list is a hint: an entry counts once its thread
 * is known not to run (system/thread_rest.h) and thread_list_is_same() has compared it again.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem_read.h"

struct python_runtime;

struct python_thread {
	uint64_t tstate; /* address of the PyThreadState */
	uint64_t interp; /* of its PyInterpreterState */
	uint64_t interp_id;
	uint64_t ident;     /* threading.get_ident(): what pthread_self() returns */
	uint64_t native_id; /* tid in the target's own pid namespace; 0: before 3.11 */
};

/* Fill to[0 … cap), interpreter by interpreter. Returns the number of thread states. *ret_whole
 * false: threads began and ended whenever the lists were read, or they cannot be read; some are
 * missing. */
size_t thread_list_read(const struct mem_reader *mem, const struct python_runtime *rt,
			struct python_thread *to, size_t cap, bool *ret_whole);
/* Does the entry still describe what is at its address? */
bool thread_list_is_same(const struct mem_reader *mem, const struct python_runtime *rt,
			 const struct python_thread *t);

struct python_gil {
	uint64_t at, n_bytes; /* where the lock is: a thread that waits for it waits there */
	uint64_t holder;      /* address of a PyThreadState; 0: no thread holds it */
};
/* The lock of the thread's interpreter. False if the interpreter has none (free-threaded builds)
 * or it cannot be read. */
bool thread_list_gil(const struct mem_reader *mem, const struct python_runtime *rt,
		     const struct python_thread *t, struct python_gil *ret);
