/*
 * regs: the registers of x86-64, and the constants that arch.h needs.
 */
#pragma once
#include <sys/user.h>

struct arch_regs {
	struct user_regs_struct user;
};

enum {
	ARCH_VALUES = 16,
	ARCH_INSN_BYTES = 2,
	ARCH_SYSCALL_BYTES = 2, /* size of the instruction that makes a system call */
	/* bytes below the stack pointer that code uses without moving it (System V ABI, x86-64,
	 * 3.2.2) */
	ARCH_RED_ZONE = 128,
	/* r8 … r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags, segments: struct
	 * sigcontext of the kernel's arch/x86/include/uapi/asm/sigcontext.h */
	ARCH_SIGFRAME_WORDS = 19,
	ARCH_SIGFRAME_VALUES = 17,
};
/* A mapping of this size always fails (ENOMEM). */
#define ARCH_TOO_MANY_BYTES (1ull << 47)
