/*
 * lazy_link: put the probe in, or take it out, without a stop that the program can see.
 *
 * Some calls end early if their thread is stopped, and the program sees it: epoll_wait with a
 * timeout, recv on a socket with SO_RCVTIMEO, io_uring_enter and others (threads.c has the table).
 * If every thread of a target waits in such a call, no thread is stopped. A first hook
 * (arch/x86_64/lazy_link.S) is written into dead bytes of the text and linked by plain stores from
 * outside. It makes no system call, because a filter could kill the thread for it, and the thread
 * that raises the next event has not been checked. The hook holds that thread, which spins, for at
 * most about 200 ms. A stop of a spinning thread is not visible, so the recorder makes it do the
 * calls like any other thread (one_thread.h); its filter is checked while it is stopped.
 *
 * An event that is not held until the probe is in place is counted: struct link, n_missed.
 *
 * Every store leaves a valid state, so a SIGKILL of ours between any two leaves a hook that returns
 * 0, or nothing. The store of the list's head is not a compare-and-exchange: a hook that
 * PySys_AddAuditHook adds to an empty list in that microsecond would be lost, but a thread that
 * adds a hook is not waiting in a system call. If no event comes in time when we leave, the mapping
 * stays: disarmed, and without the ring's memory behind it. The report says so; the next auditview
 * takes it out.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct attach;
struct detach_report;
struct lazy_link;
struct link;
struct remote_mem;
struct remote_target;

/* Link the first hook. a->l is waiting then, and takes over what it needs from *a (the maps). The
 * target is locked. `has_orphan`: the mailbox names a reservation of an earlier auditview, which is
 * unmapped first. */
MUST_CHECK struct err *lazy_link_start(struct attach *a, bool has_orphan);
/* Is it a lazy link that has no ring yet? The thread that raises the next event is held until the
 * ring is mapped. link_poll() looks for that thread; call it every millisecond. `is_attached` as in
 * link_detach(). ERR_SYS: a call of the program failed. After that, or at any other time,
 * link_detach() takes the link out. */
bool link_is_waiting(const struct link *l);
/* Update n_missed and missed_is_known if the link is waiting. */
void link_count_missed(struct link *l);
MUST_CHECK struct err *link_poll(struct link *l, bool (*is_attached)(void *ctx, pid_t pid),
				 void *ctx);

/* Take out a link that is still waiting, also in children that were forked meanwhile. `is_attached`
 * as in link_detach(). */
void lazy_link_cancel(struct link *l, bool (*is_attached)(void *ctx, pid_t pid), void *ctx,
		      struct detach_report *report);
/* Hold the thread of the next event, unmap the reservation by its calls, and unlink. If the entry
 * is not linked any more, it is linked again for that. *ret_done: it is unmapped; otherwise it was
 * only unlinked, because no thread could be stopped until `deadline` (monotonic). *pause_ns is
 * raised to the longest stop. */
MUST_CHECK struct err *lazy_link_leave(struct link *l, const struct remote_target *t,
				       uint64_t deadline, uint64_t *pause_ns, bool *ret_done);
/* Is the entry's function in our code behind the text? If so, that code must stay. */
bool lazy_link_is_hook(const struct link *l, struct remote_mem *mem);
/* Finish a leave that stopped after the reservation was unmapped: unlink, and remove the code. */
MUST_CHECK struct err *lazy_link_finish(struct link *l, const struct remote_target *t);
/* Take the first hook of a recorder that was killed out of the list. */
MUST_CHECK struct err *lazy_link_take_out_left(const struct link *l);
void lazy_link_destroy(struct lazy_link *b); /* NULL is fine */
