/*
 * arch: what the recorder must know about the CPU that it and its targets run on.
 *
 * Everything outside of src/arch and src/probe/arch that depends on the CPU goes through this
 * header; the build chooses the folder. A new CPU needs, in src/arch/<cpu>/:
 *
 *   regs.h         struct arch_regs, and the constants that this header uses
 *   arch.c         every function of this header
 *   audit_arch.h   the number by which seccomp identifies its system calls
 *   stub.S, lazy_link.S, ops.inc, *.lds  the code that runs in a target: lists of system calls, the
 *                  first hook of a lazy link
 *
 * In src/probe/arch/<cpu>/ it needs the probe's entry and system calls. It also needs decoders of
 * machine code and tables: the hook list (python/audit_head.c), calls of the evaluator
 * (stacks/evaluator.c), columns of call frame information (stacks/cfi.h), trampolines
 * (stacks/unwind.c).
 *
 * Registers are those of a thread in a ptrace-stop.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch/x86_64/regs.h"

/* ---- registers by name ---- */

/* Like ptrace(2): for a thread in a ptrace-stop; -1 with errno set. */
long arch_regs_read(pid_t tid, struct arch_regs *ret);
long arch_regs_write(pid_t tid, const struct arch_regs *r);

uint64_t arch_pc(const struct arch_regs *r);
uint64_t arch_sp(const struct arch_regs *r);
/* 0: the thread has not set one yet */
uint64_t arch_thread_pointer(const struct arch_regs *r);
void arch_set_pc(struct arch_regs *r, uint64_t pc);
void arch_set_sp(struct arch_regs *r, uint64_t sp);
/* All registers that code could jump to. Returns their number, at most ARCH_VALUES. */
size_t arch_values(const struct arch_regs *r, uint64_t values[ARCH_VALUES]);
/* Does the thread run 64-bit code? Our stub exists only for that. */
bool arch_is_64bit(const struct arch_regs *r);

/* ---- system calls ---- */

/* The number of the system call that the thread is in, or -1. */
int64_t arch_call(const struct arch_regs *r);
uint64_t arch_call_arg(const struct arch_regs *r, unsigned i);
/* The return value, at the end of a call. */
int64_t arch_call_result(const struct arch_regs *r);
/* Is this system-call stop the one at the end of the call, and was the call not interrupted? (A
 * call that will be restarted has another such stop.) */
bool arch_call_is_over(const struct arch_regs *r);

enum arch_interrupted {
	ARCH_NOT_INTERRUPTED,
	ARCH_RESTARTS, /* the kernel restarts the same call (ERESTARTSYS and similar) */
	/* the kernel restarts it by restart_syscall(2), with the time that is left */
	ARCH_RESTARTS_BY_BLOCK,
	ARCH_EINTR, /* the call has failed with EINTR and is not restarted */
};
/* The effect of our stop on the call that the thread is in. */
enum arch_interrupted arch_interrupted(const struct arch_regs *r);
/* Make the thread restart the interrupted call when it continues, even if it is sent elsewhere
 * first and returns with these registers. */
void arch_make_again(struct arch_regs *r);
/* Make the thread continue at its pc: the kernel restarts no interrupted call. */
void arch_forget_call(struct arch_regs *r);
/* Make the call that the thread is in fail with this error (a positive errno). */
void arch_fail_call(struct arch_regs *r, int error);

/* ---- the stub (stub.S) ---- */

/* The stub's last bytes hold the registers that it returns to; set them from `back`. `code` is the
 * copy of the stub in our memory. */
void arch_stub_set_back(uint8_t *code, size_t n_bytes, const struct arch_regs *back);
/* At the end of a call made by the stub: the number of calls left; negative: the errno of a call
 * that failed, and the list is being undone. */
int64_t arch_stub_left(const struct arch_regs *r);

/* ---- traps ---- */

/* Make the thread continue over the breakpoint that it has hit, without hitting it again. */
void arch_step_over_breakpoint(struct arch_regs *r);
/* Do the bytes at a pc, at least ARCH_INSN_BYTES of them, start a system call, or a read of the
 * processor's clock? */
bool arch_is_syscall_insn(const uint8_t *code);
bool arch_is_clock_insn(const uint8_t *code);
/* Complete a read of the clock: `ticks` is the result, and the thread continues behind the
 * instruction. */
void arch_answer_clock(struct arch_regs *r, uint64_t ticks);

/* ---- a signal's frame on the stack ---- */

/* Do ARCH_SIGFRAME_WORDS words hold the registers that a signal handler will restore? If so,
 * values[0] … [ARCH_SIGFRAME_VALUES - 1] of the words are registers, and the two functions below
 * return where the thread will continue. */
bool arch_is_sigframe(const uint64_t *words);
uint64_t arch_sigframe_pc(const uint64_t *words);
uint64_t arch_sigframe_sp(const uint64_t *words);
