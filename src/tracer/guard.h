/*
 * guard: a small process that outlives us and clears the breakpoints we leave when we are killed.
 *
 * Only programs that started without Python have one, where their loader tells of new modules; a start needs none (loader.h).
 * A program that loads a module in the very moment between our death and the guard's turn still ends by it.
 *
 * A hardware breakpoint stays in a thread when its tracer dies (kernel kernel/ptrace.c, exit_ptrace, leaves the debug
 * registers alone), and the first hit, with nobody to take the SIGTRAP, would end the program. Every breakpoint is told to
 * the guard before it is set. When we end, killed or not, the guard seizes those threads, clears what is there, and ends.
 * It may trace them where we may, except under Yama's ptrace_scope 1 without CAP_SYS_PTRACE: they are our children, not its.
 */
#pragma once
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct guard;

/* Forks. Meant to be done before anything big is in memory. */
MUST_CHECK struct err *guard_create(struct guard **ret);
void guard_destroy(struct guard *g); /* NULL is fine; waits for its end */

/* To be called before a breakpoint is set in tid, and after it was cleared. NULL is fine. */
void guard_add(struct guard *g, pid_t tid);
void guard_remove(struct guard *g, pid_t tid);
