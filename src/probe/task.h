/*
 * task: which asyncio task the running thread executes, and which tasks wait for it.
 *
 *   3.14+      the thread state has the task
 *   3.13       the thread state has the running loop, _asyncio._current_tasks its task
 *   3.8-3.12   tstate.dict["__asyncio_running_event_loop__"] leads to the running loop
 *
 * A program that does not use asyncio has no loop there; finding that out is all that its events
 * cost. The module is found in sys.modules when a thread first runs a loop.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "probe/abi.h"
#include "probe/parts.h"
#include "probe/read.h"

struct out;

enum task_answer {
	TASK_NONE,
	TASK_SAME, /* as in the last event with a task in this slot: nothing is written */
	TASK_OTHER
};

/* May the thread execute a task? For most events this check is the only cost. */
static inline bool task_may_run(const struct probe_context *ctx, const struct probe_lane *lane,
				uint64_t tstate)
{
	const struct probe_layout *l = &ctx->layout;
	if (l->tasks.kind == TASKS_UNKNOWN || !tstate)
		return false;
	uint64_t at = rd64(tstate + l->tasks.tstate);
	if (!at || l->tasks.kind != TASKS_BY_DICT)
		return at != 0;
	const struct task_places *p = task_places_of(ctx, lane);
	uint64_t interp = rd64(tstate + l->tstate_interp);
	return p->running_loop || p->thread_dict != at ||
	       p->thread_version != rd64(at + l->tasks.dict_version) ||
	       p->interpreter != rd64(interp + l->interp_id) + 1;
}

/*
 * Write the task as LIST [ STR or STR_CUT name, INT address, LIST of names of the tasks that wait
 * for it: directly, then through one other task, and so on ]. A name that cannot be read is
 * UNREADABLE. The thread holds what makes objects safe to read (serialise.h).
 */
enum task_answer task_out(struct out *o, struct probe_lane *lane, uint64_t tstate);
