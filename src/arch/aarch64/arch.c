/*
 * arch: see arch.h. arm64.
 */
#include "arch/arch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <ucontext.h>

/* linux/elf.h; older headers do not have all of them */
enum { NT_PRSTATUS_ = 1, NT_ARM_TLS_ = 0x401, NT_ARM_SYSTEM_CALL_ = 0x404 };

#define PSTATE_MODE_32 0x10u  /* arch/arm64/include/uapi/asm/ptrace.h, PSR_MODE32_BIT */
#define PSTATE_BTYPE   0xc00u /* PSR_BTYPE_MASK: an indirect branch was just made */
#define INSN_SVC       0xd4000001u

static long get_set(pid_t tid, long set, void *to, size_t n_bytes, size_t *ret_n)
{
	struct iovec v = { .iov_base = to, .iov_len = n_bytes };
	long done = ptrace(PTRACE_GETREGSET, tid, (void *)set, &v);
	if (done >= 0)
		*ret_n = v.iov_len;
	return done;
}

/* A thread that runs 32-bit code has a smaller set (arch/arm64/kernel/ptrace.c,
 * task_user_regset_view()). */
long arch_regs_read(pid_t tid, struct arch_regs *ret)
{
	struct arch_regs r = { .call = -1 };
	size_t n;
	int32_t call = -1;
	uint64_t tls[2] = { 0 };
	long done = get_set(tid, NT_PRSTATUS_, &r.user, sizeof(r.user), &n);
	if (done < 0)
		return done;
	r.is_64bit = n == sizeof(r.user) && !(r.user.pstate & PSTATE_MODE_32);
	if (r.is_64bit) {
		done = get_set(tid, NT_ARM_TLS_, tls, sizeof(tls), &n);
		if (done >= 0)
			done = get_set(tid, NT_ARM_SYSTEM_CALL_, &call, sizeof(call), &n);
	}
	r.thread_pointer = tls[0];
	r.call = call;
	if (done >= 0)
		*ret = r;
	return done;
}

long arch_regs_write(pid_t tid, const struct arch_regs *r)
{
	struct user_regs_struct copy = r->user;
	struct iovec v = { .iov_base = &copy, .iov_len = sizeof(copy) };
	return ptrace(PTRACE_SETREGSET, tid, (void *)(long)NT_PRSTATUS_, &v);
}

uint64_t arch_pc(const struct arch_regs *r)
{
	return r->user.pc;
}

uint64_t arch_sp(const struct arch_regs *r)
{
	return r->user.sp;
}

uint64_t arch_thread_pointer(const struct arch_regs *r)
{
	return r->thread_pointer;
}

void arch_set_pc(struct arch_regs *r, uint64_t pc)
{
	r->user.pc = pc;
	/* In text guarded by BTI, the first instruction would have to be a landing pad. */
	r->user.pstate &= ~(uint64_t)PSTATE_BTYPE;
}

void arch_set_sp(struct arch_regs *r, uint64_t sp)
{
	r->user.sp = sp;
}

size_t arch_values(const struct arch_regs *r, uint64_t values[ARCH_VALUES])
{
	_Static_assert(sizeof(r->user.regs) == (ARCH_VALUES - 1) * sizeof(values[0]), "and pc");
	memcpy(values, r->user.regs, sizeof(r->user.regs));
	values[ARCH_VALUES - 1] = r->user.pc;
	return ARCH_VALUES;
}

uint64_t arch_frame_pointer(const struct arch_regs *r)
{
	return r->user.regs[29];
}

/* x19 … x28 */
void arch_saved(const struct arch_regs *r, uint64_t values[ARCH_SAVED])
{
	memcpy(values, r->user.regs + 19, ARCH_SAVED * sizeof(values[0]));
}

bool arch_is_64bit(const struct arch_regs *r)
{
	return r->is_64bit;
}

int64_t arch_call(const struct arch_regs *r)
{
	return r->call;
}

uint64_t arch_call_arg(const struct arch_regs *r, unsigned i)
{
	return i == 0 && r->is_interrupted ? r->first_arg : i < 6 ? r->user.regs[i] : 0;
}

int64_t arch_call_result(const struct arch_regs *r)
{
	return (int64_t)r->user.regs[0];
}

/* While a thread is stopped for a system call, x7 is 0 at its start and 1 at its end
 * (arch/arm64/kernel/ptrace.c, report_syscall()). Results of -512 to -4095 are visible only to
 * tracers (include/linux/errno.h): the call is restarted. */
bool arch_call_is_over(const struct arch_regs *r)
{
	int64_t result = arch_call_result(r);
	return r->user.regs[7] == 1 && (result > -512 || result < -4095);
}

/* What the thread was in is no longer in its registers (arch/arm64/kernel/signal.c, do_signal():
 * forget_syscall()), but it is at the same place, and no other argument has changed. */
void arch_regs_note(struct arch_regs *r, const struct arch_call *before)
{
	const struct user_regs_struct *u = &r->user;
	if ((int64_t)u->regs[0] != -EINTR || before->call < 0 ||
	    (uint64_t)before->call != u->regs[8] || before->pc != u->pc || before->sp != u->sp ||
	    memcmp(before->args + 1, u->regs + 1, 5 * sizeof(before->args[0])) != 0)
		return;
	r->is_interrupted = true;
	r->call = before->call;
	r->first_arg = before->args[0];
}

/* A call that the kernel restarts is no longer visible: pc and x0 are those of its start
 * (arch/arm64/kernel/signal.c, do_signal()). */
enum arch_interrupted arch_interrupted(const struct arch_regs *r)
{
	return r->is_interrupted ? ARCH_EINTR : ARCH_NOT_INTERRUPTED;
}

/* The calls whose restart depends on the time that has passed (kernel/time/hrtimer.c,
 * kernel/futex/waitwake.c: they return -ERESTART_RESTARTBLOCK). */
bool arch_restart_is_open(const struct arch_regs *r, const uint8_t *code)
{
	uint32_t insn;
	memcpy(&insn, code, sizeof(insn));
	uint64_t call = r->user.regs[8];
	return insn == INSN_SVC &&
	       (call == SYS_nanosleep || call == SYS_clock_nanosleep || call == SYS_futex);
}

void arch_make_again(struct arch_regs *r)
{
	r->user.pc -= ARCH_SYSCALL_BYTES;
	r->user.regs[0] = r->first_arg;
	r->is_interrupted = false;
}

/* The kernel has no call in mind: it has decided already (see arch_interrupted()). */
void arch_forget_call(struct arch_regs *r)
{
	(void)r;
}

void arch_fail_call(struct arch_regs *r, int error)
{
	r->user.regs[0] = (uint64_t) - (int64_t)error;
}

/* The kernel has set pc and x0 back to the start of a call that restarts when the handler returns
 * (arch/arm64/kernel/signal.c, do_signal()). */
bool arch_fail_own_restart(void *context, long call, int error)
{
	mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
	if (m->regs[8] != (uint64_t)call || !arch_is_syscall_insn((const uint8_t *)m->pc))
		return false;
	m->pc += ARCH_SYSCALL_BYTES;
	m->regs[0] = (uint64_t) - (int64_t)error;
	return true;
}

/* struct stub_data and the frame below it have one size, so that the stub returns to the old stack
 * pointer by an addition. There is no red zone (AAPCS64, 6.2.2). */
#define STUB_DATA_BYTES 864u /* stub.S */

uint64_t arch_stub_data_at(const struct arch_regs *r, size_t n_bytes)
{
	return n_bytes <= STUB_DATA_BYTES - 16 ? arch_sp(r) - STUB_DATA_BYTES : 0;
}

/* bti jc; ldp x16, x17, [sp], #16; b pc */
#define INSN_BTI_JC 0xd50324dfu
#define INSN_LDP    0xa8c147f0u
#define INSN_B      0x14000000u

void arch_stub_set_back(uint8_t *code, size_t n_bytes, const struct arch_regs *back,
			uint64_t back_at, uint8_t *back_code)
{
	uint64_t distance = back->user.pc - (back_at + 8);
	const uint32_t insns[ARCH_BACK_BYTES / 4] = {
		INSN_BTI_JC,
		INSN_LDP,
		INSN_B | ((uint32_t)(distance >> 2) & 0x3ffffff),
		0,
	};
	memcpy(back_code, insns, sizeof(insns));
	memcpy(code + n_bytes - 16, &back_at, sizeof(back_at));
	memset(code + n_bytes - 8, 0, 8);
}

uint64_t arch_stub_back_at(const uint8_t *code, size_t n_bytes)
{
	uint64_t at;
	memcpy(&at, code + n_bytes - 16, sizeof(at));
	return at;
}

bool arch_is_back_code(const uint8_t *code)
{
	uint32_t insns[3];
	memcpy(insns, code, sizeof(insns));
	return insns[0] == INSN_BTI_JC && insns[1] == INSN_LDP && (insns[2] & 0xfc000000) == INSN_B;
}

int64_t arch_stub_left(const struct arch_regs *r)
{
	return (int64_t)r->user.regs[15];
}

/* ARCH_STEPS_OVER_BREAKPOINT: no register says so. */
void arch_step_over_breakpoint(struct arch_regs *r)
{
	(void)r;
}

bool arch_is_syscall_insn(const uint8_t *code)
{
	uint32_t insn;
	memcpy(&insn, code, sizeof(insn));
	return insn == INSN_SVC;
}

/* mrs xN, cntvct_el0 */
bool arch_is_clock_insn(const uint8_t *code)
{
	uint32_t insn;
	memcpy(&insn, code, sizeof(insn));
	return (insn & ~31u) == 0xd53be040;
}

void arch_answer_clock(struct arch_regs *r, const uint8_t *code, uint64_t ticks)
{
	if ((code[0] & 31) < 31)
		r->user.regs[code[0] & 31] = ticks;
	r->user.pc += 4;
}

uint64_t arch_ticks(void)
{
	uint64_t v;
	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(v)::"memory");
	return v;
}

/* The time that `isb` takes differs tenfold between processors, so it is measured. The shortest of
 * some rounds is taken, because a round may be interrupted. */
uint64_t arch_hook_turns(uint64_t ns)
{
	enum { ROUNDS = 8, TURNS = 4096, LEAST = 1 << 20, MOST = 1 << 26 };
	uint64_t frequency, shortest = UINT64_MAX;
	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t fn = 0, start = arch_ticks();
		uint8_t flags = 0;
		for (unsigned i = 0; i < TURNS; i++) {
			(void)__atomic_load_n(&fn, __ATOMIC_ACQUIRE);
			(void)__atomic_load_n(&flags, __ATOMIC_ACQUIRE);
			__asm__ volatile("isb" ::: "memory");
		}
		uint64_t ticks = arch_ticks() - start;
		shortest = ticks < shortest ? ticks : shortest;
	}
	double turns = (double)ns * 1e-9 * (double)frequency * TURNS /
		       (double)(shortest ? shortest : 1);
	return turns < LEAST ? LEAST : turns > MOST ? MOST : (uint64_t)turns;
}

/* The counter has a constant rate by definition (Arm ARM for A-profile, D12). A kernel that finds
 * it broken takes it off this list (drivers/clocksource/arm_arch_timer.c). */
bool arch_ticks_are_steady(void)
{
	char line[512] = "";
	FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/available_clocksource", "re");
	bool is_listed = !f || (fgets(line, sizeof(line), f) && strstr(line, "arch_sys_counter"));
	if (f)
		fclose(f);
	return is_listed;
}

/* Words of struct sigcontext: see arch_regs.h. */
enum {
	WORD_SP = 32,
	WORD_PC = 33,
	WORD_PSTATE = 34,
	/* The record of the vector registers comes first (arch/arm64/kernel/signal.c,
	 * setup_sigframe_layout()): its magic number and its size of 528 bytes. */
	WORD_RECORD = 36,
	/* below the default vm.mmap_min_addr there is neither code nor a stack */
	NOWHERE = 65536,
};

bool arch_is_sigframe(const uint64_t *words)
{
	return words[WORD_RECORD] == (528ull << 32 | 0x46508001) && !(words[WORD_PSTATE] & 0x1f) &&
	       words[WORD_PC] >= NOWHERE && words[WORD_SP] >= NOWHERE;
}

uint64_t arch_sigframe_pc(const uint64_t *words)
{
	return words[WORD_PC];
}

uint64_t arch_sigframe_sp(const uint64_t *words)
{
	return words[WORD_SP];
}
