/*
 * arch_regs: the registers of x86-64, and the constants that arch.h needs.
 */
#pragma once
#include <elf.h>
#include <sys/user.h>

#define ARCH_NAME       "x86_64"               /* uname(2) */
#define ARCH_E_MACHINE  EM_X86_64              /* in ELF headers */
#define ARCH_VDSO_CLOCK "__vdso_clock_gettime" /* vdso(7) */
/* No address of a program is beyond it, unless it has asked for that (Linux 6.1
 * Documentation/x86/x86_64/5level-paging.rst). */
#define ARCH_USER_END (1ull << 47)

/* Offsets of tid in struct pthread, from the thread pointer, which points to its start: glibc 2.31
 * … 2.43 nptl/descr.h; musl 1.2 and 1.1 src/internal/pthread_impl.h. */
#define ARCH_TID_OFFS                                                                              \
	{                                                                                          \
		0x2d0, 0x30, 0x38                                                                  \
	}
#define ARCH_N_TID_OFFS       3
#define ARCH_THREAD_FIRST     0 /* tid is at no other offset */
#define ARCH_THREAD_END       2048
#define ARCH_STACK_OFFS_FIRST 0x600 /* where {stackblock, stackblock_size} may be, up to the end */

struct arch_regs {
	struct user_regs_struct user;
};

enum {
	ARCH_VALUES = 16,
	ARCH_SAVED = 5,
	ARCH_INSN_BYTES = 2,
	ARCH_SYSCALL_BYTES = 2, /* size of the instruction that makes a system call */
	ARCH_BACK_BYTES = 0,    /* the stub leaves by itself */
	ARCH_BACK_REACH = 0,
	ARCH_STEPS_OVER_BREAKPOINT = 0, /* a flag does it: arch_step_over_breakpoint() */
	ARCH_RESTARTS_LATE = 0,
	ARCH_EINTR_LOSES_ARGUMENT = 0,
	/* r8 … r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags, segments: struct
	 * sigcontext of the kernel's arch/x86/include/uapi/asm/sigcontext.h */
	ARCH_SIGFRAME_WORDS = 19,
	ARCH_SIGFRAME_VALUES = 17,
};
/* A mapping of this size always fails (ENOMEM). */
#define ARCH_TOO_MANY_BYTES (1ull << 47)
