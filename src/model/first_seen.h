/*
 * first_seen: which events are the first of their kind.
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct selection;
struct trace;

/* First of its kind: no earlier event of this name had these arguments, ignoring digits, addresses
 * and temporary names. */
struct first_seen;
MUST_CHECK struct err *first_seen_create(struct trace *t, struct first_seen **ret);
void first_seen_destroy(struct first_seen *f);
DEFINE_CLEANUP(first_seen);
/* Continue to the end of the trace, for at most budget_ns. *ret_done in 0…1. May call
 * trace_trim(). */
MUST_CHECK struct err *first_seen_update(struct first_seen *f, uint64_t budget_ns,
					 double *ret_done);
/* Rows that are the first of their kind; its length is what was computed so far. */
struct selection *first_seen_rows(struct first_seen *f);
