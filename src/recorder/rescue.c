/*
 * rescue: see rescue.h. The tracer of a thread gets a signal before the thread does (ptrace(2),
 * "Signal-delivery-stop"), so the thread can be continued behind the instruction, and its program
 * does not notice.
 *
 *   SIGSEGV at rdtsc      the thread may no longer read the TSC (probe/clock.h): it gets the time
 *                         from us, and its process uses the clock of the ring from then on
 *   SIGSYS at syscall     after the recorder had answered that a call is safe, and before it was
 *                         made, calls were forbidden by a filter for all threads of the process or
 *                         by prctl(PR_SET_SYSCALL_USER_DISPATCH): the call fails with ENOSYS
 *
 * The kernel has set the signal's action to default, and unblocked it, if it was ignored or blocked
 * (kernel/signal.c, force_sig_info_to_task()). That cannot be undone.
 */
#include "recorder/rescue.h"

#include <errno.h>
#include <signal.h>

#include "base/log.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"
#include "recorder/taps.h"
#include "arch/arch.h"
#include "visit/probe_link.h"
#include "visit/ptrace.h"
#include "system/remote_mem.h"

/* The tap whose probe has this address. */
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

static bool is_instruction(pid_t pid, uint64_t at, bool (*is_one)(const uint8_t *code),
			   uint8_t code[ARCH_INSN_BYTES])
{
	struct remote_mem *mem = NULL;
	struct err *err = remote_mem_open(pid, &mem);
	bool is_it = !err && remote_mem_read(mem, RADDR(at), code, ARCH_INSN_BYTES) && is_one(code);
	err_destroy(err);
	remote_mem_close(mem);
	return is_it;
}

bool rescue_thread(struct recorder *r, pid_t pid, pid_t tid, int signal)
{
	struct arch_regs regs;
	uint8_t code[ARCH_INSN_BYTES] = { 0 };
	siginfo_t info = { .si_signo = 0 };
	struct err *err = ptrace_get_regs(tid, &regs);
	/* at SIGSYS the thread is behind the call */
	uint64_t pc = err                ? 0
		      : signal == SIGSYS ? arch_pc(&regs) - ARCH_SYSCALL_BYTES
					 : arch_pc(&regs);
	struct tap *t = err ? NULL : tap_at(r, pc);
	if (t)
		err = ptrace_get_signal(tid, &info);
	bool is_ours = false;
	if (t && !err && signal == SIGSEGV && info.si_code == SI_KERNEL &&
	    is_instruction(pid, pc, arch_is_clock_insn, code)) {
		uint64_t now = clock_ticks(&r->clock);
		taps_set_clock(r, pid, false);
		arch_answer_clock(&regs, code, now);
		is_ours = true;
	} else if (t && !err && signal == SIGSYS && info.si_code > 0 &&
		   is_instruction(pid, pc, arch_is_syscall_insn, code)) {
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
