/*
 * lanes: count the selected events of each thread by asyncio task, and over time.
 *
 * A lane is the events that a thread raised in tasks of one name, or in no task. All rows are read
 * once.
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/vec.h"

struct selection;
struct trace;

enum { LANE_BINS = 128, LANES_MAX = 4096 };
#define LANE_OTHERS UINT32_MAX /* task: those of a thread that have no lane of their own */

struct lane {
	uint32_t thread, task; /* task: trace_task_name(); 0 none */
	uint64_t events, last; /* last: row */
	/* [LANE_BINS] events by time; NULL: the lane is none of the first LANES_MAX */
	uint32_t *bins;
};

struct lanes {
	/* Those of a thread are not together: they are in the order of their first rows. */
	VEC(struct lane) v;
	uint64_t from_ns, to_ns; /* what the bins cover, [from, to) */
};

/* Count the rows of `sel` (NULL = all) below n_rows. If there are more than LANES_MAX lanes, the
 * further tasks of a thread share one. The caller calls lanes_fini(), also after an error: *ret
 * then holds what was counted. ERR_NO_MEMORY. Calls trace_trim() between chunks. */
MUST_CHECK struct err *lanes_count(struct trace *t, const struct selection *sel, uint64_t n_rows,
				   struct lanes *ret);
void lanes_fini(struct lanes *l);
