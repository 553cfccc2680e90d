/*
 * rescue: a signal that an instruction of the probe has brought upon a thread. Its tracer gets it
 * first (ptrace(2), "Signal-delivery-stop"): the thread goes on behind the instruction, and its
 * program learns nothing.
 *
 *   SIGSEGV at rdtsc      the TSC has been forbidden to the thread (probe/clock.h): it gets the
 *                         time from us, and its process the clock of the ring from then on
 *   SIGSYS at syscall     between the answer that it may make one call and that call its calls were
 *                         taken from it, by a filter for all threads of its process or by
 *                         prctl(PR_SET_SYSCALL_USER_DISPATCH): the call has failed
 *
 * The kernel has set the signal's action to default, and unblocked it, if it was ignored or blocked
 * (kernel/signal.c, force_sig_info_to_task()). That cannot be undone.
 */
#include <errno.h>
#include <signal.h>

#include "base/log.h"
#include "recorder/recorder_private.h"
#include "arch/arch.h"
#include "visit/inject.h"
#include "visit/ptrace.h"
#include "system/remote_mem.h"

void recorder_is_traced(struct recorder *r, pid_t pid, bool is_traced)
{
	if (!r->clock.use_tsc)
		return;
	for (size_t i = 0; i < r->taps.n; i++) {
		const struct tap *t = r->taps.v[i];
		struct err *err = t->gone ? NULL : link_set_clock(t->link, pid, is_traced);
		if (err && err->code != ERR_TARGET_GONE)
			log_debug("the clock of %d: %s", (int)pid, err->message);
		err_destroy(err);
	}
}

static struct tap *tap_at(const struct recorder *r, uint64_t pc)
{
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		uint64_t blob = t->link->base.v + t->link->blob_off;
		if (!t->gone && pc >= blob && pc < blob + t->link->blob_bytes)
			return t;
	}
	return NULL;
}

static bool is_instruction(pid_t pid, uint64_t at, bool (*is_one)(const uint8_t *code))
{
	struct remote_mem *mem = NULL;
	uint8_t code[ARCH_INSN_BYTES] = { 0 };
	struct err *err = remote_mem_open(pid, &mem);
	bool is_it = !err && remote_mem_read(mem, RADDR(at), code, sizeof(code)) && is_one(code);
	err_destroy(err);
	remote_mem_close(mem);
	return is_it;
}

bool recorder_faulted(void *ctx, pid_t pid, pid_t tid, int signal)
{
	struct recorder *r = ctx;
	struct arch_regs regs;
	siginfo_t info = { .si_signo = 0 };
	struct err *err = ptrace_get_regs(tid, &regs);
	/* SIGSYS comes behind the call */
	uint64_t pc = err                ? 0
		      : signal == SIGSYS ? arch_pc(&regs) - ARCH_SYSCALL_BYTES
					 : arch_pc(&regs);
	struct tap *t = err ? NULL : tap_at(r, pc);
	if (t)
		err = ptrace_get_signal(tid, &info);
	bool is_ours = false;
	if (t && !err && signal == SIGSEGV && info.si_code == SI_KERNEL &&
	    is_instruction(pid, pc, arch_is_clock_insn)) {
		uint64_t now = clock_ticks(&r->clock);
		recorder_is_traced(r, pid, false);
		arch_answer_clock(&regs, now);
		is_ours = true;
	} else if (t && !err && signal == SIGSYS && info.si_code > 0 &&
		   is_instruction(pid, pc, arch_is_syscall_insn)) {
		arch_fail_call(&regs, ENOSYS);
		is_ours = true;
	}
	if (is_ours)
		err = ptrace_set_regs(tid, &regs);
	if (err)
		log_debug("the fault of %d: %s", (int)tid, err->message);
	is_ours &= !err;
	err_destroy(err);
	return is_ours;
}
