/*
 * interrupted: what our stop does to the system call that a thread is in, where the registers of a
 * stopped thread do not tell (arch.h: ARCH_EINTR_LOSES_ARGUMENT, ARCH_RESTARTS_LATE; on other CPUs
 * nothing here does anything).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct arch_regs;
struct mem_reader;

/* Call this before a thread is asked to stop. */
void interrupted_note(pid_t tid);
/* The registers of a thread in a ptrace-stop, as ptrace_get_regs() reads them; arch_interrupted()
 * knows a call that the stop has ended, when this is called for the first time after the stop. */
MUST_CHECK struct err *interrupted_get_regs(pid_t tid, struct arch_regs *ret);
/* Call this when a thread continues. */
void interrupted_forget(pid_t tid);
/* For a thread in an event stop that will be sent elsewhere: if the kernel would otherwise restart
 * the thread's call with its full timeout, bring it to the start of the call and stop it there. If
 * we are killed in between, the thread is as after any stop. *group_stopped is set to whether the
 * thread is in a group-stop. other_options: the thread's options of ptrace(2). */
MUST_CHECK struct err *interrupted_settle(pid_t tid, const struct mem_reader *mem,
					  unsigned long other_options, uint64_t timeout_ns,
					  bool *group_stopped);
