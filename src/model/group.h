/*
 * group: count the selected events by a key.
 *
 * A key is a column and, optionally, a table that maps the column's ids to keys: by name, by
 * thread; by process = thread column + a table thread → process; by category = name column + a
 * table name → category; by caller = stack column + trace_caller() per stack id. The work is one
 * addition per event.
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "model/trace.h"

struct selection;

enum group_column {
	GROUP_NAME,   /* name ids */
	GROUP_THREAD, /* thread indices */
	GROUP_ARGS,   /* value ids of the arguments; 0 none */
	GROUP_STACK,  /* stack ids; 0 none */
	GROUP_TASK,   /* value ids of the task; 0 none */
	GROUP_COLUMN_COUNT
};

/* The id in the column, row i of the chunk. */
static inline uint32_t group_id_at(const struct chunk *c, enum group_column column, uint32_t i)
{
	switch (column) {
	case GROUP_NAME: return c->names[c->name[i]];
	case GROUP_THREAD: return c->threads[c->thread[i]];
	case GROUP_ARGS: return c->args[i];
	case GROUP_STACK: return c->stack[i];
	case GROUP_TASK: return c->task ? c->task[i] : 0;
	case GROUP_COLUMN_COUNT: break;
	}
	return 0;
}

/* All ids of a column are smaller than this (so it is the length of a table). */
uint32_t group_column_end(const struct trace *t, enum group_column column);

/* counts[key] += number of events of `sel` (NULL = all) in [from, to) with that key. keys[id] (NULL
 * = id itself) must be < n_keys, or UINT32_MAX to leave the id out. Reads no event column if the
 * index suffices (whole chunks by name or thread). Calls trace_trim() between chunks. */
MUST_CHECK struct err *group_count(struct trace *t, const struct selection *sel, uint64_t from,
				   uint64_t to, enum group_column column, const uint32_t *keys,
				   uint32_t n_keys, uint64_t *counts);
/* The same, and the first and last row of each key. Entries of keys without rows stay as they were:
 * initialise `first` with UINT64_MAX and `last` with 0. Either may be NULL. */
MUST_CHECK struct err *group_count_first(struct trace *t, const struct selection *sel,
					 uint64_t from, uint64_t to, enum group_column column,
					 const uint32_t *keys, uint32_t n_keys, uint64_t *counts,
					 uint64_t *first, uint64_t *last);
