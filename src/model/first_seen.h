/*
 * first_seen: which events are the first of their kind.
 *
 * An event is the first of its kind if no earlier event of its name had these arguments, ignoring
 * digits, addresses and temporary names.
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct selection;
struct trace;

struct first_seen;
/* The trace must outlive it. ERR_NO_MEMORY. */
MUST_CHECK struct err *first_seen_create(struct trace *t, struct first_seen **ret);
void first_seen_destroy(struct first_seen *f);
DEFINE_CLEANUP(first_seen);
/* Continue to the end of the trace, for at most budget_ns. *ret_done in 0…1. May call
 * trace_trim(). */
MUST_CHECK struct err *first_seen_update(struct first_seen *f, uint64_t budget_ns,
					 double *ret_done);
/* Rows that are the first of their kind; its length is what was computed so far. */
struct selection *first_seen_rows(struct first_seen *f);
