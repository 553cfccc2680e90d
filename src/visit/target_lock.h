/*
 * target_lock: one auditview at a time changes a process.
 *
 * Attaching and leaving take several steps in the target; two that do so at once would take each
 * other's half-made mappings for leftovers. The lock is flock(2) on the process's own file in
 * /proc, so it ends with its holder, however that ends. It is held while a probe is put in or taken
 * out, not while it is there.
 *
 * Every user can open that file and lock it, so each wait has a deadline, and a lock counts only if
 * its holder, by /proc/locks, is an auditview of root or of our own user. Any other lock is ignored
 * at once; one whose holder cannot be seen (it is in another pid namespace) is ignored after half a
 * second.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

/* May be nested within this process. ERR_BUSY if another auditview holds it past the deadline; the
 * message names its process. ERR_TARGET_GONE. */
MUST_CHECK struct err *target_lock(pid_t pid, uint64_t timeout_ns);
/* The same, to take a probe out: it goes on at the deadline, whoever holds the lock. Only errors of
 * opening the file. */
MUST_CHECK struct err *target_lock_to_leave(pid_t pid, uint64_t timeout_ns);
void target_unlock(pid_t pid);

/* Held from the moment a probe of ours is in a process until it is out: so that a second auditview
 * knows at once. Counted, for a process can have several runtimes. ERR_BUSY when another auditview
 * holds it. Only those that see the process through the same mount of /proc know of each other; for
 * the others there is the heartbeat. */
MUST_CHECK struct err *target_own(pid_t pid);
void target_disown(pid_t pid);
bool target_is_others(pid_t pid); /* another auditview owns it */
