/*
 * task_layout: see task_layout.h.
 *
 * The structs are in no header. Offsets of 3.8 to 3.13 are those of the debug information of
 * _asyncio (gdb: ptype /o TaskObj, FutureObj); those of 3.14 and 3.15 are what the section
 * .AsyncioDebug of the module says, and tests/probe/inside.py compares the two. A free-threaded
 * object has a head that is 16 bytes longer. The probe reads an object only if its type has the
 * size in the row.
 */
#include "python/task_layout.h"

#include <stddef.h>

#include "base/attr.h"
#include "probe/abi.h"

struct task_row {
	uint8_t minor, free_threaded;
	/* 3.13+: sizeof(PyThreadState), 0: any; .tasks.tstate counts from its end */
	uint16_t tstate_bytes;
	struct probe_tasks tasks;
};

/* clang-format off */
static const struct task_row rows[] = {
	{ 8, 0, 0, { .kind = TASKS_BY_DICT, .tstate = 152, .future_bytes = 104, .task_bytes = 144,
		     .callback0 = 24, .callbacks = 40, .task_name = 120, .awaited_by = OFF_NONE } },
	{ 9, 0, 0, { .kind = TASKS_BY_DICT, .tstate = 152, .future_bytes = 144, .task_bytes = 184,
		     .callback0 = 24, .callbacks = 40, .task_name = 160, .awaited_by = OFF_NONE } },
	{ 10, 0, 0, { .kind = TASKS_BY_DICT, .tstate = 152, .future_bytes = 152, .task_bytes = 192,
		      .callback0 = 24, .callbacks = 40, .task_name = 168, .awaited_by = OFF_NONE } },
	{ 11, 0, 0, { .kind = TASKS_BY_DICT, .tstate = 128, .future_bytes = 128, .task_bytes = 176,
		      .callback0 = 24, .callbacks = 40, .task_name = 144, .awaited_by = OFF_NONE } },
	{ 12, 0, 0, { .kind = TASKS_BY_DICT, .tstate = 112, .future_bytes = 128, .task_bytes = 176,
		      .callback0 = 24, .callbacks = 40, .task_name = 144, .awaited_by = OFF_NONE } },
	/* v3.13.0 _PyThreadStateImpl: the loop is right behind the PyThreadState */
	{ 13, 0, 0, { .kind = TASKS_BY_LOOP, .tstate = 0, .future_bytes = 104, .task_bytes = 144,
		      .callback0 = 24, .callbacks = 40, .task_name = 128, .awaited_by = OFF_NONE } },
	{ 13, 1, 0, { .kind = TASKS_BY_LOOP, .tstate = 0, .future_bytes = 120, .task_bytes = 160,
		      .callback0 = 40, .callbacks = 56, .task_name = 144, .awaited_by = OFF_NONE } },
	{ 14, 0, 832, { .kind = TASKS_BY_THREAD, .tstate = 40, .future_bytes = 112, .task_bytes = 168,
			.callback0 = 24, .callbacks = 40, .task_name = 136, .awaited_by = 96,
			.awaited_by_is_set = 109 } },
	/* not measured: as the default build, and u64 task_tid at the end of a task */
	{ 14, 1, 832, { .kind = TASKS_BY_THREAD, .tstate = 40, .future_bytes = 128, .task_bytes = 192,
			.callback0 = 40, .callbacks = 56, .task_name = 152, .awaited_by = 112,
			.awaited_by_is_set = 125 } },
	{ 15, 0, 888, { .kind = TASKS_BY_THREAD, .tstate = 144, .future_bytes = 112, .task_bytes = 168,
			.callback0 = 24, .callbacks = 40, .task_name = 136, .awaited_by = 96,
			.awaited_by_is_set = 109 } },
};
/* clang-format on */

void task_layout_fill(struct probe_layout *l, uint64_t tstate_bytes, uint32_t interp_modules)
{
	const struct task_row *row = NULL;
	for (size_t i = 0; i < ARRAY_LEN(rows) && !row; i++)
		if (rows[i].minor == l->minor && rows[i].free_threaded == l->free_threaded)
			row = &rows[i];
	l->tasks = (struct probe_tasks){ .kind = TASKS_UNKNOWN };
	if (!row || (row->tstate_bytes && row->tstate_bytes != tstate_bytes) ||
	    (l->minor >= 13 && (!tstate_bytes || tstate_bytes >= 1u << 14)) ||
	    (l->minor < 13 && l->debug_build)) /* its offsets were not measured */
		return;
	l->tasks = row->tasks;
	if (l->minor >= 13)
		l->tasks.tstate = (uint16_t)(l->tasks.tstate + tstate_bytes);
	else /* v3.8.0 to v3.12.0 Include/cpython/dictobject.h: ma_used, ma_version_tag */
		l->tasks.dict_version = (uint16_t)(l->dict_used + 8);
	/* {code, defaults, kwdefaults, closure}; 3.8, 3.9: {code, globals, defaults, …} */
	l->tasks.function_closure = (uint16_t)(l->function_code + (l->minor < 10 ? 32 : 24));
	l->tasks.interp_modules = interp_modules;
}
