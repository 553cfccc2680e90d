/*
 * task_layout: what asyncio's tasks look like in memory: one row per version and kind of build.
 */
#pragma once
#include <stdint.h>

struct probe_layout;

/* Fill l->tasks; the rest of the layout is known. tstate_bytes: sizeof(PyThreadState) as the target
 * publishes it (3.13+). Tasks are not read if this version is unknown, if it is a debug build
 * before 3.13, or if its thread state has another size than that of the version in the row. */
void task_layout_fill(struct probe_layout *l, uint64_t tstate_bytes, uint32_t interp_modules);
