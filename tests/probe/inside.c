/*
 * inside: the probe's readers as a library for ctypes, so that a Python can have its own objects
 * and frames read, with the layout that python_runtime_find() finds in it. The output ends directly
 * before an unmapped page: one byte too many is fatal.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/attr.h"
#include "base/err.h"
#include "probe/frames.h"
#include "probe/parts.h"
#include "probe/serialise.h"
#include "probe/task.h"
#include "probe/thread_name.h"
#include "probe_cpu.h"
#include "python/python.h"
#include "system/maps.h"
#include "system/remote_mem.h"

#define AREA_BYTES (1u << 20)

static struct probe_context ctx;
static struct probe_state *state; /* with one lane */

/* Return NULL, or the reason why not. One per thread is not needed: the caller holds a lock. */
const char *inside_open(void);
uint64_t inside_tp_flags_off(void);
uint8_t *inside_area(void);
long inside_value(uint64_t object, uint8_t *area, uint32_t room, uint32_t string_bytes,
		  uint32_t max_items, int *ret_cut);
long inside_args(uint64_t tuple, uint8_t *area, uint32_t room, uint32_t string_bytes,
		 uint32_t max_items, int *ret_cut);
long inside_frames(uint8_t *area, uint32_t room, uint32_t max_frames, uint32_t *ret_n_frames,
		   int *ret_cut);
long inside_thread_name(uint8_t *area, uint32_t tid, uint64_t now, int *ret_is_due);
uint32_t inside_period(void);
long inside_task(uint8_t *area, int *ret_answer);
void inside_task_layout(uint32_t *ret);

static uint8_t seen[THREADS_SEEN_BYTES] __attribute__((aligned(4096)));

/* Where this thread's struct pthread has its tid. The probe on arm64 knows pthread_self() by it. */
static uint32_t tid_off(void)
{
	static const int32_t offs[] = ARCH_TID_OFFS;
	for (size_t i = 0; i < ARRAY_LEN(offs); i++)
		if (thread_u32((uint32_t)offs[i]) == (uint32_t)syscall(SYS_gettid))
			return (uint32_t)offs[i];
	return 0;
}

const char *inside_open(void)
{
	static char why[512];
	struct maps *maps = NULL;
	struct remote_mem *memory = NULL;
	snprintf(why, sizeof(why), "no runtime found");
	struct err *err = maps_read(getpid(), &maps);
	if (!err)
		err = remote_mem_open(getpid(), &memory);
	if (!err)
		err = maps_find_modules(maps, remote_mem_reader(memory));
	for (size_t i = 0; !err && i < maps->n_modules; i++) {
		struct python_runtime runtime;
		struct err *no = python_runtime_find(remote_mem_reader(memory), &maps->modules[i],
						     &runtime);
		if (!no) {
			ctx.layout = runtime.layout;
			probe_context_complete(&ctx);
			why[0] = 0;
		} else if (no->code != ERR_NOT_PYTHON) {
			snprintf(why, sizeof(why), "%s", no->message);
		}
		err_destroy(no);
	}
	if (err)
		snprintf(why, sizeof(why), "%s", err->message);
	err_destroy(err);
	remote_mem_close(memory);
	maps_destroy(maps);
	state = calloc(1, probe_state_bytes(1));
	ctx.base = (uint64_t)state;
	ctx.n_lanes = 1;
	ctx.tid_off = tid_off();
	return why[0] || !state ? why : NULL;
}

/* Memory of AREA_BYTES, followed by an unmapped page. */
uint8_t *inside_area(void)
{
	uint8_t *p = mmap(NULL, AREA_BYTES + 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || mprotect(p + AREA_BYTES, 4096, PROT_NONE) != 0)
		return NULL;
	return p;
}

static long written(bool is_args, uint64_t object, uint8_t *area, uint32_t room,
		    uint32_t string_bytes, uint32_t max_items, int *ret_cut)
{
	struct probe_context own = ctx;
	own.max_items = max_items;
	struct out_locks locks = { 0 };
	struct out o = {
		.end = area + AREA_BYTES, .ctx = &own, .string_bytes = string_bytes, .locks = &locks
	};
	o.p = o.end - room;
	uint8_t *start = o.p;
	if (is_args)
		serialise_args(&o, object);
	else
		serialise_value(&o, object, 0);
	memmove(area, start, (size_t)(o.p - start));
	*ret_cut = o.cut;
	return o.p - start;
}

long inside_value(uint64_t object, uint8_t *area, uint32_t room, uint32_t string_bytes,
		  uint32_t max_items, int *ret_cut)
{
	return written(false, object, area, room, string_bytes, max_items, ret_cut);
}

/* The same of the argument tuple of an event. */
long inside_args(uint64_t tuple, uint8_t *area, uint32_t room, uint32_t string_bytes,
		 uint32_t max_items, int *ret_cut)
{
	return written(true, tuple, area, room, string_bytes, max_items, ret_cut);
}

/* Read the frames of the calling thread. The cache of code objects is kept between calls, as in the
 * probe. */
long inside_frames(uint8_t *area, uint32_t room, uint32_t max_frames, uint32_t *ret_n_frames,
		   int *ret_cut)
{
	struct probe_context own = ctx;
	own.max_frames = max_frames;
	struct out o = { .end = area + AREA_BYTES, .ctx = &own };
	o.p = o.end - room;
	uint8_t *start = o.p;
	struct frame_walk walk = { 0 };
	frames_out(&o, state->lanes, ((uint64_t(*)(void))(uintptr_t)ctx.layout.fn_tstate_get)(),
		   &walk);
	memmove(area, start, (size_t)(o.p - start));
	*ret_n_frames = walk.n_frames;
	*ret_cut = walk.cut;
	return o.p - start;
}

/* Write the name that the calling thread reports under that number at the time `now`. The table of
 * threads is kept between calls, as in the probe. */
long inside_thread_name(uint8_t *area, uint32_t tid, uint64_t now, int *ret_is_due)
{
	struct probe_context own = ctx;
	struct out_locks locks = { 0 };
	struct out o = { .end = area + AREA_BYTES, .ctx = &own, .locks = &locks };
	own.base = (uint64_t)seen;
	own.shared_off = THREADS_SEEN_BYTES; /* the table ends there */
	o.p = o.end - THREAD_NAME_ROOM;
	uint8_t *start = o.p;
	*ret_is_due = thread_name_is_due(&own, tid, now);
	if (*ret_is_due)
		thread_name_out(&o, tid, ((uint64_t(*)(void))(uintptr_t)ctx.layout.fn_tstate_get)(),
				now);
	memmove(area, start, (size_t)(o.p - start));
	return locks.n ? -1 : o.p - start;
}

/* The ticks between two looks at the name of a thread whose stack is short. */
uint32_t inside_period(void)
{
	return UINT32_C(1) << THREAD_TIME_SHIFT;
}

/* Write the asyncio task of the calling thread. *ret_answer: enum task_answer. What a lane knows is
 * kept between calls, as in the probe. */
long inside_task(uint8_t *area, int *ret_answer)
{
	struct out_locks locks = { 0 };
	struct out o = { .end = area + AREA_BYTES, .ctx = &ctx, .locks = &locks };
	struct probe_lane *lane = state->lanes;
	uint64_t tstate = ((uint64_t(*)(void))(uintptr_t)ctx.layout.fn_tstate_get)();
	state->identity = (uint64_t)getpid() << 32 | 1;
	o.p = o.end - TASK_ROOM;
	uint8_t *start = o.p;
	*ret_answer = task_may_run(&ctx, lane, tstate) ? task_out(&o, lane, tstate) : TASK_NONE;
	memmove(area, start, (size_t)(o.p - start));
	return locks.n ? -1 : o.p - start;
}

/* What the section .AsyncioDebug says, too: bytes of a task, name, awaited_by, it is a set, the
 * running task of a thread state. */
void inside_task_layout(uint32_t *ret)
{
	const struct probe_tasks *tasks = &ctx.layout.tasks;
	ret[0] = tasks->task_bytes;
	ret[1] = tasks->task_name;
	ret[2] = tasks->awaited_by;
	ret[3] = tasks->awaited_by_is_set;
	ret[4] = tasks->tstate;
}
