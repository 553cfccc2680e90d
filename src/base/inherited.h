/*
 * inherited: what this process inherited from its parent, so that a program launched from it
 * inherits the same.
 *
 * fork(2) and exec(3) pass most attributes on by themselves. This module notes those that fork or
 * exec clears (timers, pending signals, pdeathsig, the subreaper flag, a scheduling policy with
 * reset-on-fork), and those that auditview changes for itself (signal dispositions, the signal
 * mask, limits, closed standard streams).
 */
#pragma once
#include <stdbool.h>

/* Call this first in main(). Pending signals are consumed here: they were not meant for auditview,
 * and would end it as soon as it unblocks them. */
void inherited_note(void);
/* Was this standard stream (0 to 2) closed when inherited_note() was called? */
bool inherited_was_closed(int fd);
/* No program will be launched: make the pending signals and timers ours again. */
void inherited_put_back(void);
/* Call this in the child, shortly before exec: restores everything as it was noted, including which
 * standard streams were closed, except those in `given_streams` (bit 0: standard input, …), which
 * the child got from us. `may_outlive_us`: the child is not to be killed when this process ends, so
 * pdeathsig is not passed on. Async-signal-safe. */
void inherited_restore(unsigned given_streams, bool may_outlive_us);
