/*
 * orphan: a reservation that only the mailbox names.
 *
 * A recorder leaves one if it is killed between mapping and linking, or between unlinking and
 * unmapping, or if it could not stop any thread when it left.
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct link;
struct remote_mem;
struct remote_target;

/* The reservation could not be unmapped: note it in the mailbox for the next auditview. */
void orphan_keep(const struct link *l, struct remote_mem *mem);
/* Unmap the reservation that the mailbox names, if what is mapped there looks like one. Raises
 * l->pause_ns. ERR_BUSY: a thread is still in its code. */
MUST_CHECK struct err *orphan_reclaim(struct link *l, const struct remote_target *t,
				      uint64_t timeout_ns);
