/*
 * regs: registers of x86-64, and the constants that arch.h promises.
 */
#pragma once
#include <sys/user.h>

struct arch_regs {
	struct user_regs_struct user;
};

enum {
	ARCH_VALUES = 16,
	ARCH_INSN_BYTES = 2,
	ARCH_SYSCALL_BYTES = 2, /* of the instruction that makes a system call */
	/* below the stack pointer, used without moving it (System V ABI, x86-64, 3.2.2) */
	ARCH_RED_ZONE = 128,
	/* r8 … r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags, segments: struct sigcontext of
	 * the kernel's arch/x86/include/uapi/asm/sigcontext.h */
	ARCH_SIGFRAME_WORDS = 19,
	ARCH_SIGFRAME_VALUES = 17,
};
/* A mapping of so many bytes can never be had (ENOMEM). */
#define ARCH_TOO_MANY_BYTES (1ull << 47)
