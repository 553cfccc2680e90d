/*
 * loader: how far the dynamic loader of a program that was just started has come.
 *
 * A link must be made after the modules are mapped and before the first code in them runs. Stopping
 * the program at its entry point takes a breakpoint, and a breakpoint kills the target if its owner
 * has died. The loader's system calls show the same moment:
 *
 *   glibc   maps all modules, relocates them, and makes the relocated parts read-only, its own part
 *           last. Then come __libc_early_init, whose calls are made in the C library (prlimit64),
 *           the notification of debuggers (r_debug of <link.h>), and the initialisers (2.36
 *           elf/rtld.c, dl_main).
 *   musl    does the same module by module, the program last. The loader is the C library, so it
 *           makes all calls itself. It notifies debuggers right before it jumps to the program
 *           (1.2.3 ldso/dynlink.c, __dls3).
 *
 * The first call of the program itself would be too late: the malloc in _PyRuntimeState_Init makes
 * it, and by then that function has read the list of hooks and will write it back (CPython v3.11.0
 * Python/pystate.c).
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
	/* a call from here says nothing about the caller: code of any module calls the vdso */
	uint64_t vdso_start, vdso_end;
	uint64_t debug; /* address of its struct r_debug; 0: not found */
	/* musl: the address of a pointer to that structure, valid once musl has relocated itself;
	 * else 0 */
	uint64_t debug_at;
};

/* Call this at the exec event. If the program is the loader itself (ld.so PROGRAM), it is its own
 * loader. */
MUST_CHECK struct err *loader_find(pid_t pid, struct loader *ret);

enum loader_stage {
	LOADER_WORKS, /* modules may be missing, or unrelocated */
	/* one module at least has been relocated, perhaps all; no code of a module has run */
	LOADER_RELOCATED,
	/* all modules are relocated; initialisers and the first code of the program may have run */
	LOADER_DONE
};
/* The loader loads no modules just now, as far as it tells. */
bool loader_is_at_rest(pid_t pid);
/* `pid` is in the syscall-exit-stop of a system call, with these registers; first_arg: the first
 * argument at the call's start. */
enum loader_stage loader_stage(const struct loader *l, pid_t pid, const struct arch_regs *regs,
			       uint64_t first_arg);
/* The address of the loader's _dl_debug_state, which it calls whenever the set of modules changes
 * (glibc 2.36 elf/dl-debug.c). 0: not found. */
uint64_t loader_debug_state(pid_t pid);
