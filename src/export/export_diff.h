/*
 * export_diff: a difference of two captures as text, one line per thing, or as JSON lines.
 */
#pragma once
#include <stdbool.h>

struct diff;
struct strbuf;
struct trace;

/* `d` is complete, and compares a with b. Does not call trace_trim(). */
void export_diff(struct strbuf *to, const struct diff *d, struct trace *a, struct trace *b,
		 bool json);
