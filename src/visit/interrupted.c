/*
 * interrupted: see interrupted.h.
 */
#include "visit/interrupted.h"

#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "arch/arch.h"
#include "base/mem_read.h"
#include "base/vec.h"
#include "visit/ptrace.h"
#include "visit/threads.h"

/* The calls of the threads that were asked to stop last. A thread that is not among them is not
 * repaired: its call ends with EINTR. */
static struct note {
	pid_t tid;
	struct arch_call call;
} notes[256];
static size_t next_note;

static struct note *find(pid_t tid)
{
	for (size_t i = 0; i < ARRAY_LEN(notes); i++)
		if (notes[i].tid == tid)
			return &notes[i];
	return NULL;
}

void interrupted_note(pid_t tid)
{
	struct thread_place at;
	if (!ARCH_EINTR_LOSES_ARGUMENT || !thread_place_read(tid, tid, &at))
		return;
	struct note *note = find(tid);
	/* A thread that has stopped already is in no call any more: what was noted before is
	 * right. */
	if (at.state == 't' && note)
		return;
	if (!note)
		note = &notes[next_note++ % ARRAY_LEN(notes)];
	*note = (struct note){ tid, { .call = at.syscall, .sp = at.sp, .pc = at.pc } };
	memcpy(note->call.args, at.args, sizeof(note->call.args));
}

struct err *interrupted_get_regs(pid_t tid, struct arch_regs *ret)
{
	struct err *err = ptrace_get_regs(tid, ret);
	struct note *note = !err && ARCH_EINTR_LOSES_ARGUMENT ? find(tid) : NULL;
	if (note) {
		arch_regs_note(ret, &note->call);
		note->tid = 0; /* at the next stop it would be another call's */
	}
	return err;
}

void interrupted_forget(pid_t tid)
{
	struct note *note = ARCH_EINTR_LOSES_ARGUMENT ? find(tid) : NULL;
	if (note)
		note->tid = 0;
}

static bool is_open(pid_t tid, const struct mem_reader *mem)
{
	struct arch_regs regs;
	uint8_t code[ARCH_INSN_BYTES];
	struct err *err = ptrace_get_regs(tid, &regs);
	bool is = !err && mem_read(mem, RADDR(arch_pc(&regs)), code, sizeof(code)) &&
		  arch_restart_is_open(&regs, code);
	err_destroy(err);
	return is;
}

struct err *interrupted_settle(pid_t tid, const struct mem_reader *mem, unsigned long other_options,
			       uint64_t timeout_ns, bool *group_stopped)
{
	int status, deliver = 0;
	if (!ARCH_RESTARTS_LATE || !is_open(tid, mem))
		return NULL;
	struct err *err = ptrace_set_options(tid, other_options | PTRACE_O_TRACESYSGOOD);
	if (!err)
		err = ptrace_continue_to_syscall(tid, 0);
	if (!err)
		err = ptrace_wait_stop(tid, timeout_ns, &status);
	if (!err && !ptrace_is_syscall_stop(status)) /* a signal came first */
		err = ptrace_pass(tid, status, &deliver);
	if (!err)
		err = ptrace_interrupt(tid);
	if (!err)
		err = ptrace_continue(tid, deliver);
	if (!err)
		err = ptrace_wait_event_stop(tid, timeout_ns, group_stopped);
	return err;
}
