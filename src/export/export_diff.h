/*
 * export_diff: a difference of two captures as text, one line per thing, or as JSON lines.
 */
#pragma once
#include <stdbool.h>

struct diff;
struct strbuf;
struct trace;

/* d is done, and is of a and b. Calls trace_trim() on neither. */
void export_diff(struct strbuf *to, const struct diff *d, struct trace *a, struct trace *b,
		 bool json);
