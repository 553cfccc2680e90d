/*
 * tracees: the threads that are followed, and the breakpoint of each, at which a program without
 * Python is seen to load modules (follow.h).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "system/loader.h"
#include "visit/tripwire.h"

struct tracee {
	pid_t tid, tgid;
	uint64_t breakpoint; /* address where one is wanted; 0 none */
	/* the breakpoint; unset if the kernel refused it: the thread is blind */
	struct tripwire wire;
	bool starting; /* it stops at every system call, until its loader is done */
	struct loader loader;
	uint64_t first_arg; /* of the system call that it has started */
	bool has_python;    /* the breakpoint has led to one; it stays set, for the next */
	bool children;      /* descendants are followed */
	bool is_alone;      /* detach from it when it has started (self_tracing.h) */
	bool is_unclear;    /* at_entry() found nothing in its program yet: leaving() is called */
	/* it is our child: its end is reported even after it was detached from */
	bool launched;
	bool traced;
	bool newborn;      /* it has not come to its first stop yet */
	bool is_told;      /* its parent's event came before that, and has set `inherits` */
	uint64_t inherits; /* address of the breakpoint that it gets then; 0 none */
	bool stopped;      /* in a group stop (PTRACE_LISTEN) */
	/* it is at the breakpoint; its next event stop is the one that was waited for in vain */
	bool is_settling;
};

struct tracees { /* a vector (base/vec.h); to drop one changes the order */
	struct tracee *v;
	size_t n, cap;
};

/* NULL if the thread is not in the list. Valid until the list grows or shrinks. */
struct tracee *tracees_find(const struct tracees *list, pid_t tid);
/* Any traced thread of the process; NULL: none. */
const struct tracee *tracees_of(const struct tracees *list, pid_t tgid);
size_t tracees_count(const struct tracees *list); /* those that are traced */
/* Does a thread of the process want a breakpoint that the kernel has refused? */
bool tracees_is_blind(const struct tracees *list, pid_t tgid);
/* Is there a thread whose program starts, and that is not in a group-stop? */
bool tracees_any_starting(const struct tracees *list);
/* The process has the probe: what it makes from now on needs no breakpoint. */
void tracees_found_python(struct tracees *list, pid_t tgid);
/* Where the threads and children that the process makes get a breakpoint; 0: nowhere. */
uint64_t tracees_awaited(const struct tracees *list, pid_t tgid);
/* Clears its breakpoint, too. */
void tracees_drop(struct tracees *list, struct tracee *t);
void tracees_fini(struct tracees *list);

/* Move the breakpoint of a thread; address 0 clears it. The thread may run meanwhile. If the kernel
 * refuses the tripwire, the thread stays blind, and its process is checked from time to time
 * (upkeep.c, modules_look()). */
void tracee_set_breakpoint(struct tracee *t, uint64_t address);
