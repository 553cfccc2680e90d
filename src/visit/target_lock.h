/*
 * target_lock: only one auditview at a time changes a process.
 *
 * Attaching and leaving take several steps in the target. If two recorders did this at once, each
 * would take the other's half-made mappings for leftovers. The lock is flock(2) on the process's
 * own file in /proc, so it ends with its holder, however that ends. It is held while a probe is put
 * in or taken out, not while the probe is in the target.
 *
 * Every user can open that file and lock it. So each wait has a deadline, and a lock counts only if
 * its holder, according to /proc/locks, is an auditview of root or of our own user. Any other lock
 * is ignored at once; a lock whose holder cannot be seen (it is in another pid namespace) is
 * ignored after half a second.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

/* May be nested within this process. ERR_BUSY if another auditview holds the lock until the
 * deadline; the message names its process. ERR_TARGET_GONE. */
MUST_CHECK struct err *target_lock(pid_t pid, uint64_t timeout_ns);
/* The same, to take a probe out: at the deadline it continues, whatever process holds the lock. The
 * only errors are those of opening the file. */
MUST_CHECK struct err *target_lock_to_leave(pid_t pid, uint64_t timeout_ns);
void target_unlock(pid_t pid);

/* Held from the moment when a probe of ours is in a process until it is out, so that a second
 * auditview notices at once. Counted, because a process can have several runtimes. ERR_BUSY if
 * another auditview holds it. Recorders see each other only if they use the same mount of /proc;
 * for the others there is the heartbeat. */
MUST_CHECK struct err *target_own(pid_t pid);
void target_disown(pid_t pid);
bool target_is_others(pid_t pid); /* another auditview owns it */
/* The other auditview that owns it; 0: none, or it is not known. Takes no lock, so that asking
 * keeps no other auditview from attaching. */
pid_t target_owner(pid_t pid);
