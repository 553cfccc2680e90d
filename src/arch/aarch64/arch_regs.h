/*
 * arch_regs: the registers of arm64, and the constants that arch.h needs.
 */
#pragma once
#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/user.h>

struct arch_regs {
	struct user_regs_struct user;
	uint64_t thread_pointer; /* tpidr_el0 */
	int64_t call;            /* the system call that the thread is in; -1: none */
	uint64_t first_arg;      /* of an interrupted call: see arch_regs_note() */
	bool is_64bit, is_interrupted;
};

#define ARCH_NAME       "aarch64"                /* uname(2) */
#define ARCH_E_MACHINE  EM_AARCH64               /* in ELF headers */
#define ARCH_VDSO_CLOCK "__kernel_clock_gettime" /* vdso(7) */
/* No address of a program is beyond it, unless it has asked for that (Linux 6.12
 * Documentation/arch/arm64/memory.rst). */
#define ARCH_USER_END (1ull << 48)

/* Offsets of tid in struct pthread, from the thread pointer, at which it ends: glibc 2.36, 2.43.
 * Other versions are found by their value. */
#define ARCH_TID_OFFS                                                                              \
	{                                                                                          \
		-1648, -1616                                                                       \
	}
#define ARCH_N_TID_OFFS       2
#define ARCH_THREAD_FIRST     (-4096) /* where that struct may be, from the thread pointer */
#define ARCH_THREAD_END       0
#define ARCH_STACK_OFFS_FIRST (-4096) /* and in it {stackblock, stackblock_size} */

enum {
	ARCH_VALUES = 32,
	ARCH_SAVED = 10,
	ARCH_INSN_BYTES = 4,
	ARCH_SYSCALL_BYTES = 4, /* size of the instruction that makes a system call */
	/* The stub leaves by code of its own, which must be close to the thread's pc: this many
	 * bytes, within this distance of it (a direct branch: 128 MiB). */
	ARCH_BACK_BYTES = 16,
	ARCH_BACK_REACH = (128 << 20) - 4096,
	/* PTRACE_CONT at a breakpoint would disable it for good (arch/arm64/kernel/hw_breakpoint.c,
	 * breakpoint_handler(): the kernel steps over it, and CONT ends the step) */
	ARCH_STEPS_OVER_BREAKPOINT = 1,
	/* the kernel decides how a call is restarted only when the thread continues: see
	 * arch_restart_is_open() */
	ARCH_RESTARTS_LATE = 1,
	/* A call that fails with EINTR has lost its first argument: see arch_regs_note(). */
	ARCH_EINTR_LOSES_ARGUMENT = 1,
	/* fault_address, x0 … x30, sp, pc, pstate, a gap, then the first record: struct sigcontext
	 * of the kernel's arch/arm64/include/uapi/asm/sigcontext.h */
	ARCH_SIGFRAME_WORDS = 37,
	ARCH_SIGFRAME_VALUES = 34,
};
/* A mapping of this size always fails (ENOMEM). */
#define ARCH_TOO_MANY_BYTES (1ull << 56)
