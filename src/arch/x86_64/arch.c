/*
 * arch: see arch.h. x86-64.
 */
#include "arch/arch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <ucontext.h>
#include <x86intrin.h>

/* PTRACE_GETREGSET would return 32-bit registers for a thread that is running 32-bit code
 * (arch/x86/kernel/ptrace.c, task_user_regset_view()). */
long arch_regs_read(pid_t tid, struct arch_regs *ret)
{
	return ptrace(PTRACE_GETREGS, tid, NULL, &ret->user);
}

long arch_regs_write(pid_t tid, const struct arch_regs *r)
{
	struct user_regs_struct copy = r->user;
	return ptrace(PTRACE_SETREGS, tid, NULL, &copy);
}

uint64_t arch_pc(const struct arch_regs *r)
{
	return r->user.rip;
}

uint64_t arch_sp(const struct arch_regs *r)
{
	return r->user.rsp;
}

uint64_t arch_thread_pointer(const struct arch_regs *r)
{
	return r->user.fs_base;
}

void arch_set_pc(struct arch_regs *r, uint64_t pc)
{
	r->user.rip = pc;
}

void arch_set_sp(struct arch_regs *r, uint64_t sp)
{
	r->user.rsp = sp;
}

size_t arch_values(const struct arch_regs *r, uint64_t values[ARCH_VALUES])
{
	const struct user_regs_struct *u = &r->user;
	const uint64_t all[] = { u->rip, u->rax, u->rbx, u->rcx, u->rdx, u->rsi, u->rdi, u->rbp,
				 u->r8,  u->r9,  u->r10, u->r11, u->r12, u->r13, u->r14, u->r15 };
	_Static_assert(sizeof(all) == ARCH_VALUES * sizeof(all[0]), "all of them");
	memcpy(values, all, sizeof(all));
	return ARCH_VALUES;
}

uint64_t arch_frame_pointer(const struct arch_regs *r)
{
	return r->user.rbp;
}

void arch_saved(const struct arch_regs *r, uint64_t values[ARCH_SAVED])
{
	const struct user_regs_struct *u = &r->user;
	const uint64_t all[ARCH_SAVED] = { u->rbx, u->r12, u->r13, u->r14, u->r15 };
	memcpy(values, all, sizeof(all));
}

/* __USER_CS of the kernel's arch/x86/include/asm/segment.h */
bool arch_is_64bit(const struct arch_regs *r)
{
	return r->user.cs == 0x33;
}

int64_t arch_call(const struct arch_regs *r)
{
	return (int64_t)r->user.orig_rax < 0 ? -1 : (int64_t)r->user.orig_rax;
}

uint64_t arch_call_arg(const struct arch_regs *r, unsigned i)
{
	const struct user_regs_struct *u = &r->user;
	const uint64_t args[] = { u->rdi, u->rsi, u->rdx, u->r10, u->r8, u->r9 };
	return i < sizeof(args) / sizeof(args[0]) ? args[i] : 0;
}

int64_t arch_call_result(const struct arch_regs *r)
{
	return (int64_t)r->user.rax;
}

/* Errors that are visible only to the kernel and to tracers (include/linux/errno.h). */
enum {
	ERESTARTSYS_ = 512,
	ERESTARTNOINTR_ = 513,
	ERESTARTNOHAND_ = 514,
	ERESTART_RESTARTBLOCK_ = 516,
};

/* At the start of a call rax is -ENOSYS (arch/x86/entry/entry_64.S). */
bool arch_call_is_over(const struct arch_regs *r)
{
	int64_t result = arch_call_result(r);
	return result != -ENOSYS && (result > -ERESTARTSYS_ || result < -4095);
}

enum arch_interrupted arch_interrupted(const struct arch_regs *r)
{
	if (arch_call(r) < 0)
		return ARCH_NOT_INTERRUPTED;
	switch (arch_call_result(r)) {
	case -ERESTARTSYS_:
	case -ERESTARTNOINTR_:
	case -ERESTARTNOHAND_: return ARCH_RESTARTS;
	case -ERESTART_RESTARTBLOCK_: return ARCH_RESTARTS_BY_BLOCK;
	case -EINTR: return ARCH_EINTR;
	default: return ARCH_NOT_INTERRUPTED;
	}
}

void arch_regs_note(struct arch_regs *r, const struct arch_call *before)
{
	(void)r;
	(void)before;
}

bool arch_restart_is_open(const struct arch_regs *r, const uint8_t *code)
{
	(void)r;
	(void)code;
	return false;
}

/* The kernel does the same in arch/x86/kernel/signal.c, arch_do_signal_or_restart(). */
void arch_make_again(struct arch_regs *r)
{
	bool by_block = arch_interrupted(r) == ARCH_RESTARTS_BY_BLOCK;
	r->user.rip -= ARCH_SYSCALL_BYTES;
	r->user.rax = by_block ? SYS_restart_syscall : r->user.orig_rax;
}

void arch_forget_call(struct arch_regs *r)
{
	r->user.orig_rax = (uint64_t)-1;
}

void arch_fail_call(struct arch_regs *r, int error)
{
	r->user.rax = (uint64_t) - (int64_t)error;
	arch_forget_call(r);
}

/* The thread is again before its `syscall` instruction, with the number of the call in rax
 * (arch/x86/kernel/signal.c, handle_signal()). */
bool arch_fail_own_restart(void *context, long call, int error)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	if (regs[REG_RAX] != call || !arch_is_syscall_insn((const uint8_t *)regs[REG_RIP]))
		return false;
	regs[REG_RIP] += ARCH_SYSCALL_BYTES;
	regs[REG_RAX] = -error;
	return true;
}

/* System V ABI, x86-64, 3.2.2: code uses so many bytes below the stack pointer without moving
 * it. */
#define RED_ZONE 128u

uint64_t arch_stub_data_at(const struct arch_regs *r, size_t n_bytes)
{
	return (arch_sp(r) - RED_ZONE - n_bytes) & ~63ull;
}

void arch_stub_set_back(uint8_t *code, size_t n_bytes, const struct arch_regs *back,
			uint64_t back_at, uint8_t *back_code)
{
	(void)back_at;
	(void)back_code;
	memcpy(code + n_bytes - 16, &back->user.rip, 8);
	memcpy(code + n_bytes - 8, &back->user.rsp, 8);
}

uint64_t arch_stub_back_at(const uint8_t *code, size_t n_bytes)
{
	(void)code;
	(void)n_bytes;
	return 0;
}

bool arch_is_back_code(const uint8_t *code)
{
	(void)code;
	return false;
}

int64_t arch_stub_left(const struct arch_regs *r)
{
	return (int64_t)r->user.r12;
}

/* RF, the resume flag (Intel SDM, 18.3.1.1). */
void arch_step_over_breakpoint(struct arch_regs *r)
{
	r->user.eflags |= 1u << 16;
}

bool arch_is_syscall_insn(const uint8_t *code)
{
	return code[0] == 0x0f && code[1] == 0x05;
}

/* rdtsc */
bool arch_is_clock_insn(const uint8_t *code)
{
	return code[0] == 0x0f && code[1] == 0x31;
}

void arch_answer_clock(struct arch_regs *r, const uint8_t *code, uint64_t ticks)
{
	(void)code;
	r->user.rax = (uint32_t)ticks;
	r->user.rdx = ticks >> 32;
	r->user.rip += 2;
}

/* `pause` takes 10 to 140 cycles (Intel 64 and IA-32 Optimization Manual, 2.2.4). The longest one
 * at 3 GHz is assumed. */
uint64_t arch_hook_turns(uint64_t ns)
{
	return ns / 47;
}

uint64_t arch_ticks(void)
{
	return __rdtsc();
}

/* The TSC counts at one rate whatever the processor does, and the kernel itself trusts it. */
bool arch_ticks_are_steady(void)
{
	char line[8192];
	bool constant = false, nonstop = false, trusted = true;
	FILE *f = fopen("/proc/cpuinfo", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "flags", 5) != 0)
			continue;
		constant = strstr(line, " constant_tsc") != NULL;
		nonstop = strstr(line, " nonstop_tsc") != NULL;
		break;
	}
	if (f)
		fclose(f);
	f = fopen("/sys/devices/system/clocksource/clocksource0/available_clocksource", "re");
	if (f) {
		/* A kernel that found the TSC unstable takes it off this list
		 * (Documentation/timers/timekeeping.rst). */
		trusted = fgets(line, sizeof(line), f) && strstr(line, "tsc");
		fclose(f);
	}
	return constant && nonstop && trusted;
}

/* Words of struct sigcontext: see arch_regs.h. The last one holds cs, gs, fs, ss with 16 bits
 * each. */
enum {
	WORD_SP = 15,
	WORD_PC = 16,
	WORD_FLAGS = 17,
	WORD_SEGMENTS = 18,
	/* below the default vm.mmap_min_addr there is neither code nor a stack */
	NOWHERE = 65536,
};

/* __USER_CS, __USER_DS of the kernel's arch/x86/include/asm/segment.h; ss is saved since Linux
 * 4.3. */
bool arch_is_sigframe(const uint64_t *words)
{
	return (words[WORD_SEGMENTS] == 0x33 || words[WORD_SEGMENTS] == 0x2b000000000033) &&
	       words[WORD_FLAGS] & 2 && words[WORD_FLAGS] < 1u << 22 && words[WORD_PC] >= NOWHERE &&
	       words[WORD_SP] >= NOWHERE;
}

uint64_t arch_sigframe_pc(const uint64_t *words)
{
	return words[WORD_PC];
}

uint64_t arch_sigframe_sp(const uint64_t *words)
{
	return words[WORD_SP];
}
