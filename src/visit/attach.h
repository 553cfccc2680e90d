/*
 * attach: put the probe into a process.
 *
 * Every reason to refuse is checked before the target is touched.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct attach;
struct link;
struct probe_options;
struct target_facts;

/* Arm one runtime of a running process, facts->runtimes[i]. `attached`: we trace all its threads
 * already. If every stop would be visible, the link may be returned waiting: link_is_waiting(). */
MUST_CHECK struct err *link_attach(struct target_facts *facts, size_t i,
				   const struct probe_options *options, bool attached,
				   struct link **ret);

/* Arm facts->runtimes[i] in a program that is starting, or loading a module. We trace its thread
 * `tid`, which is in an event stop, or at the end of a system call; nothing of Python has run yet.
 * Afterwards the thread is at the same place. */
MUST_CHECK struct err *link_attach_at_entry(struct target_facts *facts, size_t i, pid_t tid,
					    const struct probe_options *options, struct link **ret);

/* The attach has ended: *ret is its link, or the link is freed if there is an error.
 * Returns err. */
MUST_CHECK struct err *attach_end(struct attach *a, struct err *err, struct link **ret);
void link_destroy(struct link *l); /* NULL is fine; does not detach */
