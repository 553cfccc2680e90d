/*
 * tripwire: notice that a thread that we trace reaches an address, in a way that cannot harm it if
 * we are killed.
 *
 * A debug register that was set with ptrace(2) outlives its tracer, and then the first thread that
 * reaches the address dies of a SIGTRAP. Here the register belongs to a descriptor
 * (perf_event_open(2), PERF_TYPE_BREAKPOINT) and is freed with it, before the kernel releases the
 * tracees of a dead tracer. The thread gets a signal that programs ignore unless they ask for it
 * (SIGURG, SIGWINCH or SIGCONT): a tracee stops for it too; a thread that is not traced does not
 * notice it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct tripwire {
	int fd; /* 0: none */
	int signal;
};

/* Set it for this one thread; new threads and forked children do not inherit it. ERR_DENIED and
 * others: the kernel does not allow it (perf_event_paranoid, a container's filter); with ENODEV the
 * machine would not report that it is reached. */
MUST_CHECK struct err *tripwire_set(pid_t tid, uint64_t address, struct tripwire *ret);
void tripwire_clear(struct tripwire *w); /* does nothing if there is none */
/* The thread has stopped with this wait status: did it hit the breakpoint? If so, its pc is the
 * address, and the signal does not belong to the program. */
bool tripwire_is_hit(const struct tripwire *w, pid_t tid, int status);

struct check;
/* What doctor says of it (check.h). */
extern const struct check tripwire_check;
