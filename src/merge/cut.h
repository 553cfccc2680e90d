/*
 * cut: a part of a capture → a capture of its own.
 *
 * It has the selected events, in their order, and what they refer to: their processes with their
 * parents, threads, stacks, values; and the notes of these processes in the span of time. If all of
 * them come from one of the captures that were merged, the result has that one's host and time
 * axis, so that cutting by host is the reverse of a merge.
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct new_file;
struct selection;
struct trace;

/* rows: NULL = all. from_ns, to_ns: the span of notes, [from_ns, to_ns). Takes over `file`, also on
 * failure. */
MUST_CHECK struct err *cut_write(struct trace *t, const struct selection *rows, uint64_t from_ns,
				 uint64_t to_ns, struct new_file *file, uint64_t *ret_n_events);
