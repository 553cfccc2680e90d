/*
 * link_presence: which processes have the ring of a link?
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct link;

enum link_presence {
	LINK_OUT, /* proved: its mappings were read, or its address space is gone */
	LINK_IN,
	/* it is alive, but its mappings cannot be read: no rights, no descriptors left, … */
	LINK_UNKNOWN
};
/* Does this process have the ring mapped? */
enum link_presence link_presence(const struct link *l, pid_t pid);
/* The same for a process that may have changed its mappings. It takes longer: all are read. */
enum link_presence link_presence_proved(const struct link *l, pid_t pid);
bool link_is_in(const struct link *l, pid_t pid); /* LINK_IN */
/* The pids that map the ring, except this process; malloc'ed. */
MUST_CHECK struct err *link_processes(const struct link *l, pid_t **ret, size_t *ret_n);
/* For each of n links: does any process except this one map its ring? *ret_in_use: [n]. All
 * processes are read once; those that have their rings at the same place cost one look-up each. */
MUST_CHECK struct err *link_find_used(const struct link *const *links, size_t n, bool *ret_in_use);
