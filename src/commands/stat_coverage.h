/*
 * stat_coverage: which events of the catalogue a capture has (`auditview stat --coverage`).
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"

struct filter_run;
struct selection;
struct strbuf;
struct trace;

/* For each version of Python in the capture: the documented events that were seen, with their
 * numbers, and those that were not, by theme. rows_in: NULL = all events. filter: of the events
 * that the target has counted itself; NULL = all. */
MUST_CHECK struct err *stat_coverage(struct trace *t, const struct selection *rows_in,
				     struct filter_run *filter, struct strbuf *to);
