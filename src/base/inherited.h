/*
 * inherited: what this process got from its parent, so that a program launched from it gets the
 * same.
 *
 * fork(2) and exec(3) pass most attributes on by themselves. Noted here is what either of them
 * clears (timers, pending signals, pdeathsig, the subreaper flag, a scheduling policy with
 * reset-on-fork), and what auditview changes for its own sake (signal dispositions, the signal
 * mask, limits, closed standard streams).
 */
#pragma once
#include <stdbool.h>

/* To be called first in main(). Pending signals are taken off here: they were not meant for
 * auditview, and end it as soon as it unblocks them. */
void inherited_note(void);
/* No program will be launched: pending signals and timers become ours again. */
void inherited_put_back(void);
/* In the child, shortly before exec: everything as it was noted, also which of the standard streams
 * were closed, but for those in `given_streams` (bit 0: standard input, …), which it got from us.
 * `may_outlive_us`: it is not to be killed when this process ends, so pdeathsig is not passed on.
 * Async-signal-safe. */
void inherited_restore(unsigned given_streams, bool may_outlive_us);
