/*
 * arch: what the recorder has to know of the CPU that it and its targets run on.
 *
 * Everything outside of src/arch and src/probe/arch that depends on the CPU goes through this header;
 * the compiler picks the folder. A new CPU needs, in src/arch/<cpu>/:
 *
 *   regs.h         struct arch_regs, and the numbers below that are constants
 *   arch.c         every function of this header
 *   audit_arch.h   the number by which seccomp knows its system calls
 *   stub.S, lazy_link.S, ops.inc, *.lds  what runs in a target: lists of system calls, first hook
 *
 * in src/probe/arch/<cpu>/ the probe's entry and its system calls, and decoders of machine code:
 * the hook list (python/audit_head.c), calls of the evaluator (stacks/evaluator.c), columns of call
 * frame information (stacks/cfi.h), trampolines (stacks/unwind.c).
 *
 * Registers are those of a thread in a ptrace stop.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch/x86_64/regs.h"

/* ---- registers by name ---- */

/* As ptrace(2): of a thread in a stop; -1 with errno. */
long arch_regs_read(pid_t tid, struct arch_regs *ret);
long arch_regs_write(pid_t tid, const struct arch_regs *r);

uint64_t arch_pc(const struct arch_regs *r);
uint64_t arch_sp(const struct arch_regs *r);
/* 0: the thread has none yet */
uint64_t arch_thread_pointer(const struct arch_regs *r);
void arch_set_pc(struct arch_regs *r, uint64_t pc);
void arch_set_sp(struct arch_regs *r, uint64_t sp);
/* All values of registers that code could go on at. Returns how many, at most ARCH_VALUES. */
size_t arch_values(const struct arch_regs *r, uint64_t values[ARCH_VALUES]);
/* 64-bit code, the only kind that our stub can be put into. */
bool arch_is_64bit(const struct arch_regs *r);

/* ---- system calls ---- */

/* The number of the call that the thread is in, or -1. */
int64_t arch_call(const struct arch_regs *r);
uint64_t arch_call_arg(const struct arch_regs *r, unsigned i);
/* At the end of a call: what it returns. */
int64_t arch_call_result(const struct arch_regs *r);
/* At a system-call stop: it is the one at the end of the call, and the call has not been interrupted.
 * (A call that will be made again has another such stop.) */
bool arch_call_is_over(const struct arch_regs *r);

enum arch_interrupted {
	ARCH_NOT_INTERRUPTED,
	ARCH_RESTARTS,          /* the kernel makes the same call again (ERESTARTSYS and its kin) */
	ARCH_RESTARTS_BY_BLOCK, /* the same, by restart_syscall(2): with the time that is left */
	ARCH_EINTR,             /* the call has failed with EINTR, for good */
};
/* What our stop has done to the call that the thread is in. */
enum arch_interrupted arch_interrupted(const struct arch_regs *r);
/* The thread makes the interrupted call when it goes on, even if it is sent elsewhere first and comes
 * back with these registers. */
void arch_make_again(struct arch_regs *r);
/* The thread goes on at its pc: the kernel makes no interrupted call again. */
void arch_forget_call(struct arch_regs *r);
/* The call that the thread is in fails with that error (a positive errno). */
void arch_fail_call(struct arch_regs *r, int error);

/* ---- the stub (stub.S) ---- */

/* The stub's last bytes are what it goes back to: the registers that `back` has. `code` is where the
 * copy of the stub stands, in our memory. */
void arch_stub_set_back(uint8_t *code, size_t n_bytes, const struct arch_regs *back);
/* At the end of a call that the stub made: how many calls are to come; negative: the errno of a call
 * that failed, the list is being undone. */
int64_t arch_stub_left(const struct arch_regs *r);

/* ---- traps ---- */

/* The breakpoint that the thread stands at does not hit at once again. */
void arch_step_over_breakpoint(struct arch_regs *r);
/* The bytes at a pc, of which there are at least ARCH_INSN_BYTES: a system call, a read of the
 * processor's clock. */
bool arch_is_syscall_insn(const uint8_t *code);
bool arch_is_clock_insn(const uint8_t *code);
/* The clock has been read: that is the answer, and the thread goes on behind the instruction. */
void arch_answer_clock(struct arch_regs *r, uint64_t ticks);

/* ---- a signal's frame on the stack ---- */

/* Do ARCH_SIGFRAME_WORDS words hold the registers that a signal handler will go back to? Then
 * values[0] … [ARCH_SIGFRAME_VALUES - 1] of the words are registers, and these two say where it goes on. */
bool arch_is_sigframe(const uint64_t *words);
uint64_t arch_sigframe_pc(const uint64_t *words);
uint64_t arch_sigframe_sp(const uint64_t *words);
