/*
 * loader: how far has the dynamic loader of a program that was just started come?
 *
 * Who wants to be there between the mapping of the modules and the first step of what they contain
 * need not stop the program at its entry point: that takes a breakpoint, and a breakpoint kills
 * when its owner is dead. System calls tell it, too.
 *
 *   glibc   maps all modules, relocates them, and takes the right to write from what was relocated:
 *           at last from itself. Then come __libc_early_init, whose calls are the C library's
 *           (prlimit64), the note for debuggers (r_debug of <link.h>), and the initialisers (2.36
 *           elf/rtld.c, dl_main).
 *   musl    does the same module by module, the program last. It is the C library, so all calls are
 *           its own. The note for debuggers comes right before it jumps to the program (1.2.3
 *           ldso/dynlink.c, __dls3).
 *
 * The first call of the program would be too late: it is made by the malloc in
 * _PyRuntimeState_Init, which has by then read the list of hooks and will write it back (CPython
 * v3.11.0 Python/pystate.c).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct arch_regs;

struct loader {
	/* its mappings; start == end: there is none, the program is static */
	uint64_t start, end;
	uint64_t vdso_start, vdso_end; /* whoever calls from there was called himself */
	uint64_t debug;                /* its struct r_debug; 0: not found */
	/* musl: where that address stands, once it has relocated itself; else 0 */
	uint64_t debug_at;
};

/* To be called at the exec event. A program that is the loader (ld.so PROGRAM) has itself for a
 * loader. */
MUST_CHECK struct err *loader_find(pid_t pid, struct loader *ret);

enum loader_stage {
	LOADER_WORKS,     /* modules may be missing, or as they are in the file */
	LOADER_RELOCATED, /* some module is complete since, perhaps all; none of them has run */
	/* all are complete; initialisers may have run, and the begin of the program */
	LOADER_DONE
};
/* `pid` stands at the end of a system call, with these registers. */
enum loader_stage loader_stage(const struct loader *l, pid_t pid, const struct arch_regs *regs);
