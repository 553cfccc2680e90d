/*
 * lanes: see lanes.h.
 */
#include "model/lanes.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "model/selection.h"
#include "model/trace.h"
#include "model/trace_task.h"

struct counting {
	struct trace *trace;
	const struct selection *sel;
	uint64_t n_rows;
	struct hash_map by_key; /* thread, task → lane + 1 */
	uint32_t *thread_lane;  /* [n_threads] lane + 1 of events without a task; 0 none */
	uint32_t n_threads;
	/* the lane of the last event that had a task: the next one often has the same */
	uint32_t last_thread, last_value, last_lane;
	struct lanes *to;
};

static uint32_t lane_add(struct counting *c, uint32_t thread, uint32_t task)
{
	struct lane lane = { .thread = thread, .task = task };
	if (c->to->v.n < LANES_MAX)
		lane.bins = calloc(LANE_BINS, sizeof(*lane.bins));
	if (!vec_push(&c->to->v, lane)) {
		free(lane.bins);
		return 0;
	}
	return (uint32_t)c->to->v.n;
}

/* The lane of a thread and a task, + 1; 0: memory is short. */
static uint32_t task_lane(struct counting *c, uint32_t thread, uint32_t task)
{
	uint32_t *at = hash_map_place(&c->by_key, hash_map_key(thread, task));
	if (at && !*at && c->to->v.n >= LANES_MAX && task != LANE_OTHERS)
		return task_lane(c, thread, LANE_OTHERS);
	if (at && !*at)
		*at = lane_add(c, thread, task);
	return at ? *at : 0;
}

static uint32_t lane_of(struct counting *c, uint32_t thread, uint32_t value)
{
	if (value && c->last_lane && c->last_thread == thread && c->last_value == value)
		return c->last_lane;
	uint32_t task = value ? trace_task_name(c->trace, value) : 0;
	if (!task) {
		if (!c->thread_lane[thread])
			c->thread_lane[thread] = lane_add(c, thread, 0);
		return c->thread_lane[thread];
	}
	c->last_thread = thread;
	c->last_value = value;
	c->last_lane = task_lane(c, thread, task);
	return c->last_lane;
}

static bool chunk_count(struct counting *c, const struct chunk *chunk)
{
	double per_ns = LANE_BINS / (double)(c->to->to_ns - c->to->from_ns);
	for (uint32_t i = 0; i < chunk->n && chunk->first_seq + i < c->n_rows; i++) {
		uint64_t row = chunk->first_seq + i, time_ns = chunk->time_ns[i];
		if (c->sel && !selection_has(c->sel, row))
			continue;
		uint32_t thread = chunk->threads[chunk->thread[i]];
		if (thread >= c->n_threads)
			continue;
		uint32_t at = lane_of(c, thread, chunk->task ? chunk->task[i] : 0);
		if (!at)
			return false;
		struct lane *lane = &c->to->v.v[at - 1];
		lane->events++;
		lane->last = row > lane->last ? row : lane->last;
		if (!lane->bins || time_ns < c->to->from_ns || time_ns >= c->to->to_ns)
			continue;
		uint32_t bin = (uint32_t)((double)(time_ns - c->to->from_ns) * per_ns);
		lane->bins[bin < LANE_BINS ? bin : LANE_BINS - 1]++;
	}
	return true;
}

struct err *lanes_count(struct trace *t, const struct selection *sel, uint64_t n_rows,
			struct lanes *ret)
{
	struct counting c = {
		.trace = t, .sel = sel, .n_rows = n_rows, .n_threads = trace_n_threads(t), .to = ret
	};
	struct err *err = NULL;
	*ret = (struct lanes){ .to_ns = trace_about_get(t)->last_ns + 1 };
	c.thread_lane = calloc(c.n_threads + 1u, sizeof(*c.thread_lane));
	if (!c.thread_lane)
		return err_no_memory();
	for (uint64_t seq = 0; seq < n_rows && !err;) {
		struct chunk_summary s;
		uint32_t number = (uint32_t)(seq >> TRACE_CHUNK_SHIFT);
		if (!trace_chunk_summary(t, number, &s))
			break;
		seq = s.first_seq + TRACE_CHUNK;
		uint64_t row = sel ? selection_next(sel, s.first_seq) : s.first_seq;
		if (row == SELECTION_NONE || row >= s.first_seq + s.n)
			continue;
		const struct chunk *chunk = trace_chunk(t, number);
		if (!chunk || !chunk_count(&c, chunk))
			err = err_no_memory();
		trace_trim(t);
	}
	hash_map_fini(&c.by_key);
	free(c.thread_lane);
	return err;
}

void lanes_fini(struct lanes *l)
{
	for (size_t i = 0; i < l->v.n; i++)
		free(l->v.v[i].bins);
	vec_fini(&l->v);
}
