/*
 * remote_target: a process in which we act, and what is known of it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct elf_module;
struct maps;
struct python_runtime;
struct remote_mem;
struct remote_place;

/* How we act in the process: a row of carriers[] (carrier.h). */
enum carrier {
	CARRIER_ONE_THREAD,  /* one thread runs the stub, and all others run on */
	CARRIER_ALL_STOPPED, /* first all threads are stopped that could change what we rely on */
	CARRIER_AT_STOP,     /* the thread `at_stop` is at its stop */
	CARRIER_NEXT_EVENT,  /* the thread that raises the next event, which our hook holds */
	CARRIER_COUNT
};

struct remote_target {
	enum carrier carrier;
	pid_t pid;
	struct remote_mem *mem;
	const struct maps *maps;
	struct remote_place *place;
	/* this process has seized every thread already (following children) */
	bool attached;
	/* some thread has a seccomp filter: threads without one are preferred, and a filter is
	 * suspended while its thread makes our calls */
	bool filtered;
	/* CPython's own text: its calls handle EINTR exactly (PEP 475) */
	uint64_t text_start, text_end;
	/* NULL, or a module that the program may unload at any moment: all threads are stopped
	 * (all_stop.h), and its mappings must equal those of `maps`; otherwise ERR_BUSY, and
	 * nothing is done */
	const struct elf_module *fleeting;
	/* NULL, or a module that the program can unload, but not while its interpreter is alive:
	 * when the thread is stopped, its code must be there; otherwise ERR_BUSY, and nothing is
	 * done */
	const struct elf_module *unloadable;
	/* 0, or the only thread that may be used */
	pid_t only;
	pid_t at_stop; /* for CARRIER_AT_STOP */
	bool is_held;  /* for CARRIER_NEXT_EVENT: the hook holds a thread at this moment */
	/* NULL, or a runtime whose hooks CPython must not be freeing when the thread is stopped: if
	 * it is being finalised, ERR_BUSY, and nothing is done */
	const struct python_runtime *to_link;
};

/* Is the module that may be unloaded still where t->maps says? If not, ERR_BUSY. */
MUST_CHECK struct err *remote_target_check(const struct remote_target *t);
