/*
 * link_give_ring: a forked child gets a ring of its own.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct link;
struct probe_options;

/*
 * Give a ring of its own to `child`, which was forked by a process that has the probe of `of`. The
 * child is a tracee at its first stop. Its ring has fewer slots than the ring that it replaces, all
 * of the smaller size. `identity`: as returned by link_name_child(). The address space of the child
 * shrinks, or keeps its size.
 *
 * If an error is returned and *ret_is_out is false, nothing has changed, and the child shares the
 * ring of `of`. If *ret_is_out is true, the exchange failed half-way, and the probe was taken out
 * of the child.
 */
MUST_CHECK struct err *link_give_ring(const struct link *of, pid_t child, uint64_t identity,
				      const struct probe_options *options, struct link **ret,
				      bool *ret_is_out);
