/*
 * loader: has a program that was just started got past its dynamic loader?
 *
 * Who wants to be there between the mapping of the modules and the first step of what they contain need not stop the program
 * at its entry point: that takes a breakpoint, and a breakpoint kills when its owner is dead. System calls tell it, too. The
 * first one that is not the loader's own is made by a module's initialiser or by the program, all modules are mapped and
 * relocated then, and nothing in a program gets far without one: Python makes many, for memory and for its locale, before it
 * has an interpreter that could raise an event.
 *
 * musl's loader is the C library as well, so all calls are its own. It counts itself ready for a debugger right before it
 * jumps to the program (musl 1.2.3 ldso/dynlink.c, __dls3: debug.ver = 1).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct loader {
	uint64_t start, end;           /* its mappings; start == end: there is none, the program is static */
	uint64_t vdso_start, vdso_end; /* whoever calls from there was called himself */
	uint64_t debug;                /* musl: where the address of its struct debug stands; 0: another loader */
};

/* To be called at the exec event. A program that is the loader (ld.so PROGRAM) has itself for a loader. */
MUST_CHECK struct err *loader_find(pid_t pid, struct loader *ret);
/* pc: behind a system call that `pid` has made. */
bool loader_is_past(const struct loader *l, pid_t pid, uint64_t pc);
