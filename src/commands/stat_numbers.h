/*
 * stat_numbers: rows of a table of counts whose keys are numbers or one of two words: pids, ports,
 * versions, "children".
 *
 * The number of a thread or an event is looked up, so many rows cost no more than few; only a new
 * one is made a text. The text is the value as a filter writes it: `pid == 41`, `not children`.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "model/fields.h"

struct stat_table;
struct strbuf;
struct trace;

/* Is it pid, ppid, python or children? */
bool stat_numbers_are_of_process(enum field_id field);
/* Is it one of these, tid or interp? */
bool stat_numbers_are_of_thread(enum field_id field);
/* Get the value that such a field has in a process (an index; what is unknown has 0), and set *to
 * to its text. */
uint64_t stat_numbers_of_process(struct trace *t, enum field_id field, uint32_t process,
				 struct strbuf *to);
/* Make a row for each value that such a field has in a thread, and the table thread → row
 * (stat_table.keys). ERR_NO_MEMORY. Calls trace_trim(). */
MUST_CHECK struct err *stat_numbers_by_thread(struct stat_table *b, enum field_id field);
/* Count the events that have the field `port`, by port. ERR_NO_MEMORY. Calls trace_trim(). */
MUST_CHECK struct err *stat_numbers_by_port(struct stat_table *b);
