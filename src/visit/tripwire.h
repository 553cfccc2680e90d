/*
 * tripwire: hear of a thread of ours that comes to an address, in a way that cannot harm it should
 * we be killed.
 *
 * A debug register set with ptrace(2) outlives its tracer, and then the first thread to come by
 * dies of a SIGTRAP. Here the register belongs to a descriptor (perf_event_open(2),
 * PERF_TYPE_BREAKPOINT), and goes with it, before the kernel lets the tracees of a dead tracer go.
 * What it sends to the thread is a signal that programs ignore unless they ask for it (SIGURG,
 * SIGWINCH or SIGCONT): whoever is traced stops for that, too; whoever is not does not notice.
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

/* For this one thread; neither a new thread nor a forked child has it. ERR_DENIED and others: the
 * kernel will not have it (perf_event_paranoid, a container's filter). */
MUST_CHECK struct err *tripwire_set(pid_t tid, uint64_t address, struct tripwire *ret);
void tripwire_clear(struct tripwire *w); /* none is fine */
/* The thread has stopped with this wait status: has it touched the wire? Its pc is the address,
 * then; the signal is not the program's. */
bool tripwire_is_hit(const struct tripwire *w, pid_t tid, int status);
