/*
 * import: JSON lines → a capture file.
 *
 * Own output (schema 1, export_jsonl.c) comes back without loss: exported again it is the same bytes. Other JSON is taken
 * as far as it goes: every line is an object with at least "event" (a string); "time" (ISO 8601, or a number: seconds since
 * the epoch), "ts_ns", "pid", "tid", "thread", "python", "args" and "stack" are understood, and what else is in a line
 * without "args" becomes its arguments. Lines without "event" are counted and left out.
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct import_result {
	uint64_t n_events;
	uint64_t n_skipped;    /* lines without "event" */
	uint64_t n_bytes_torn; /* of a last line that ends in the middle: left out */
};

/* Read fd to its end and write the capture `path`. `label` names the input in messages. Errors: ERR_SYNTAX with the line
 * number in err->at, ERR_NOT_FOUND when there is not one event, and those of the writer. */
MUST_CHECK struct err *import_jsonl(int fd, const char *label, const char *path, struct import_result *ret);
