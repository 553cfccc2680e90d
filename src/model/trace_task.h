/*
 * trace_task: the asyncio tasks that events were raised by.
 *
 * An event refers to a value (writer.h, event_info) with the name and id of its task, and the names
 * of the tasks that wait for it at that moment. So one task has several values, one for each chain
 * of waiting tasks. Values are hostile: what has another shape is no task, and trace_damage() says
 * so.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/value_iter.h"

#define TASKS_SHOWN 8 /* that wait for one, where room is short */

struct strbuf;
struct trace;

/* Texts are WTF-8, not terminated, and valid until trace_trim(). */
struct trace_task {
	const char *name;
	size_t n_name;
	int64_t id;         /* address of the task object; 0 unknown */
	uint32_t n_awaited; /* tasks that wait for it, and whose names are known */
	uint64_t n_more;    /* further ones, at the outer end */
	struct value_iter it;
};
/* Read the task of an event; false if it has none. */
bool trace_task(struct trace *t, uint32_t task, struct trace_task *ret);
/* Get the name of the next task that waits, nearest first; n_awaited times. */
bool trace_task_next(struct trace_task *task, const char **ret, size_t *ret_n);

/* Append the names of those that wait, at most n_names: "job-2 ← main", or "job-2 ← … 3 more". */
void trace_task_add_awaited(struct strbuf *to, struct trace_task *task, uint32_t n_names);

/* The number of a task's name, from 1; 0: no task, or memory is short. Tasks of equal names have
 * the same number. */
uint32_t trace_task_name(struct trace *t, uint32_t task);
/* Its text, valid until trace_close(); "" and 0 bytes for 0. */
const char *trace_task_name_text(const struct trace *t, uint32_t name, size_t *ret_n);
