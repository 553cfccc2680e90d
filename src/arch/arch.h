/*
 * arch: what the recorder must know about the CPU that it and its targets run on.
 *
 * Everything outside of src/arch and src/probe/arch that depends on the CPU goes through this
 * header; the build chooses the folders by the name that Meson gives to the CPU. There are x86_64
 * and aarch64. The next one (riscv64) needs
 *
 * in src/arch/<cpu>/
 *   arch_regs.h    struct arch_regs, and the constants that this header uses
 *   arch_calls.h   numbers for system calls that this CPU does not have
 *   arch_audit.h   the number by which seccomp identifies its system calls
 *   arch.c         every function of this header. What to find out in the kernel first: where a
 *                  stopped thread is in an interrupted call, and what of the call is still known;
 *                  how a sleep is restarted; what the ends of a call look like; how a breakpoint
 *                  is left; whether an instruction jumps to an address in memory without using a
 *                  register (else ARCH_BACK_BYTES)
 *   stub.S, lazy_link.S, ops.inc, *.lds  the code that runs in a target: lists of system calls, the
 *                  first hook of a lazy link
 * in src/probe/arch/<cpu>/
 *   abi_cpu.h      pages, registers that a call preserves, the unit of times in tables
 *   probe_cpu.h    system calls, clock, thread pointer; whether the clock is coarse
 *   entry.S        the first byte of the probe
 * rows in tables that are built on every CPU
 *   stacks/cfi_machine.c   registers in call frame information
 *   stacks/machine_code.c  jumps, calls, trampolines
 *   python/audit_head.c    a scanner of code (audit_scan.h), and in detect.c where the code of
 *                          Py_GetVersion names a text
 *   python/layouts.c       the size of a mutex; python/elf_symbols.c: a relocation
 * and, if libunwind is to help, stacks/unwind_lib.c. Unit tests show where a fact is still missing:
 * cfi, machine_code, python, sigframe, probe, hold.
 *
 * Registers are those of a thread in a ptrace-stop.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch_calls.h"
#include "arch_regs.h"

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
/* The frame pointer, and the other registers that a call preserves, in the order of
 * record_native.saved (probe/abi.h). */
uint64_t arch_frame_pointer(const struct arch_regs *r);
void arch_saved(const struct arch_regs *r, uint64_t values[ARCH_SAVED]);
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
/* A system call as /proc/PID/syscall shows it (proc(5)). */
struct arch_call {
	int64_t call; /* its number; negative: none */
	uint64_t args[6];
	uint64_t sp, pc;
};
/* Tell what the thread was doing before it was stopped. If ARCH_EINTR_LOSES_ARGUMENT, a call that
 * our stop has ended with EINTR is known by this alone. */
void arch_regs_note(struct arch_regs *r, const struct arch_call *before);
/* Has the kernel not decided yet how it restarts the call that the thread is in? `code`:
 * ARCH_INSN_BYTES at its pc. If so, a thread that is sent elsewhere would start its timeout over;
 * continue it to the start of the call and stop it there first. Never with ARCH_RESTARTS_LATE 0. */
bool arch_restart_is_open(const struct arch_regs *r, const uint8_t *code);
/* Make the thread restart the interrupted call when it continues, even if it is sent elsewhere
 * first and returns with these registers. */
void arch_make_again(struct arch_regs *r);
/* Make the thread continue at its pc: the kernel restarts no interrupted call. */
void arch_forget_call(struct arch_regs *r);
/* Make the call that the thread is in fail with this error (a positive errno). */
void arch_fail_call(struct arch_regs *r, int error);

/* In a handler of a signal with SA_RESTART, which was given this context: if it has interrupted
 * this system call of ours, and the call would restart when the handler returns, make it fail with
 * this error instead. */
bool arch_fail_own_restart(void *context, long call, int error);

/* ---- the stub (stub.S) ---- */

/* Where the stub's data of n_bytes goes on the thread's stack; 0: there is too much of it. */
uint64_t arch_stub_data_at(const struct arch_regs *r, size_t n_bytes);
/* The stub's last bytes lead it to the registers that it returns to; set them from `back`. `code`
 * is the copy of the stub in our memory. If ARCH_BACK_BYTES is not 0, it leaves by `back_code`,
 * which this function fills in and which will be at `back_at`, closer than ARCH_BACK_REACH to
 * back's pc. */
void arch_stub_set_back(uint8_t *code, size_t n_bytes, const struct arch_regs *back,
			uint64_t back_at, uint8_t *back_code);
/* For a stub that a recorder has left: its back_at; and whether such code is there. */
uint64_t arch_stub_back_at(const uint8_t *code, size_t n_bytes);
bool arch_is_back_code(const uint8_t *code);
/* At the end of a call made by the stub: the number of calls left; negative: the errno of a call
 * that failed, and the list is being undone. */
int64_t arch_stub_left(const struct arch_regs *r);

/* ---- traps ---- */

/* Make the thread continue over the breakpoint that it has hit, without hitting it again. If
 * ARCH_STEPS_OVER_BREAKPOINT, it must be continued by PTRACE_SINGLESTEP instead. */
void arch_step_over_breakpoint(struct arch_regs *r);
/* Do the bytes at a pc, at least ARCH_INSN_BYTES of them, start a system call, or a read of the
 * processor's clock? */
bool arch_is_syscall_insn(const uint8_t *code);
bool arch_is_clock_insn(const uint8_t *code);
/* Complete a read of the clock: `ticks` is the result, and the thread continues behind the
 * instruction, whose bytes are `code`. */
void arch_answer_clock(struct arch_regs *r, const uint8_t *code, uint64_t ticks);

/* ---- the processor's clock, which probes read as well ---- */

uint64_t arch_ticks(void);
/* Does it advance at one rate on all processors, and does the kernel trust it? */
bool arch_ticks_are_steady(void);
/* How many turns of the loop in which the first hook of a lazy link waits (lazy_link.S) take about
 * so long, on this processor? */
uint64_t arch_hook_turns(uint64_t ns);

/* ---- a signal's frame on the stack ---- */

/* Do ARCH_SIGFRAME_WORDS words hold the registers that a signal handler will restore? If so,
 * values[0] … [ARCH_SIGFRAME_VALUES - 1] of the words are registers, and the two functions below
 * return where the thread will continue. */
bool arch_is_sigframe(const uint64_t *words);
uint64_t arch_sigframe_pc(const uint64_t *words);
uint64_t arch_sigframe_sp(const uint64_t *words);
