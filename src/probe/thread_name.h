/*
 * thread_name: the name of the running thread, reported with its first events and when it changes.
 *
 * A thread may end within a millisecond, and its name with it, before the recorder can read it from
 * outside. So the name is read while the thread cannot end: in its own event.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "probe/abi.h"
#include "probe/parts.h"

struct out;

/* The room that thread_name_out() needs. */
#define THREAD_NAME_ROOM (THREAD_NAME_MAX + 256u)

static inline bool thread_is_due(const struct thread_seen *seen, uint64_t now)
{
	return seen->frames_left ||
	       (int32_t)((uint32_t)(now >> THREAD_TIME_SHIFT) - seen->due) >= 0;
}

/* Is it time to read the name? For most events this check is the only cost. tid: not 0. */
static inline bool thread_name_is_due(const struct probe_context *ctx, uint32_t tid, uint64_t now)
{
	const struct thread_seen *seen = threads_seen(ctx, tid);
	if (seen->tid != tid && (++seen)->tid != tid)
		return true;
	return thread_is_due(seen, now);
}

/*
 * Write the name as a STR or STR_CUT. Write nothing if it was reported already, or if the thread
 * does not belong to threading.Thread. The thread holds what makes its frames and objects safe to
 * read (serialise.h). tstate may be 0. now: in ticks of the records.
 */
void thread_name_out(struct out *o, uint32_t tid, uint64_t tstate, uint64_t now);
