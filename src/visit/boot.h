/*
 * boot: put the probe in, or take it out, without stopping any thread.
 *
 * Some calls end early when their thread is stopped, and the program sees it: epoll_wait with a
 * timeout, recv on a socket with SO_RCVTIMEO, io_uring_enter and others (threads.c has the table).
 * Where every thread of a target waits in one of those, nobody is stopped: a first hook
 * (arch/x86_64/boot.S) is written into dead bytes of the text and linked by plain stores from
 * outside; the next event's thread makes the calls by itself. Until then nothing happens in the
 * target, and there is nothing to capture either.
 *
 * Every store is good by itself, so a SIGKILL of ours between any two leaves a hook that returns 0,
 * or nothing. The store of the list's head is no compare-and-exchange: a hook that
 * PySys_AddAuditHook adds to an empty list in that microsecond would be lost, but whoever adds one
 * is not waiting in a system call. When we leave and no event comes in time, a thread that
 * meanwhile does something else makes the last call; if there is none, the mapping is left,
 * disarmed and without memory behind it, and the report says so.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct attach;
struct boot;
struct detach_report;
struct link;
struct remote_mem;
struct remote_target;

/* Link the first hook; a->l is waiting then, and keeps what of *a it needs (the maps). The target
 * is locked. */
MUST_CHECK struct err *boot_start(struct attach *a);
/* Take out a link that is still waiting, also from children forked meanwhile. */
void boot_cancel(struct link *l, struct detach_report *report);
/* Let the next event's thread unmap the reservation, and unlink. *ret_done: it has; else only the
 * unlinking was done, for no event came until `deadline` (monotonic) or a thread can be stopped by
 * now. */
MUST_CHECK struct err *boot_leave(struct link *l, const struct remote_target *t, uint64_t deadline,
				  bool *ret_done);
/* Is the entry's function in our code behind the text? Then the code must stay. */
bool boot_is_hook(const struct link *l, struct remote_mem *mem);
/* The reservation is unmapped, but more we did not come to: unlink, and take the code away. */
MUST_CHECK struct err *boot_finish(struct link *l, const struct remote_target *t);
/* A first hook of a recorder that was killed: out of the list. */
MUST_CHECK struct err *boot_take_out_left(const struct link *l);
/* The size of a first hook that stands in these bytes (REMOTE_PLACE_BYTES of them), 0 if none does.
 */
size_t boot_bytes_at(const uint8_t *bytes);
void boot_destroy(struct boot *b); /* NULL is fine */
