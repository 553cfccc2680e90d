/*
 * task_record: the asyncio task of an event, as the probe writes it → a value of the capture.
 *
 * The probe writes a task only if it differs from the last one in its slot. The bytes of the last
 * one are kept, and become a value when an event that is written has that task.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/abi.h"

struct redactor;
struct writer;

struct task_record {
	uint8_t bytes[TASK_ROOM];
	uint32_t n;
	uint32_t value; /* value id; 0: not written yet */
};

/* Keep the bytes of a task, a LIST as task_out() (probe/task.h) writes it. False: there are too
 * many of them. */
bool task_record_keep(struct task_record *t, const uint8_t *bytes, size_t n);
/* The value id of LIST [ STR name, INT address, LIST of STR: names of the tasks that wait for it ];
 * 0 if no task was kept; false if the bytes are none. A name that could not be read is empty; one
 * that was cut ends with "…". redactor: NULL keeps secrets in. */
bool task_record_value(struct task_record *t, struct writer *w, struct redactor *redactor,
		       uint32_t *ret);
/* Ids of values are no longer valid. */
void task_record_turn(struct task_record *t);
