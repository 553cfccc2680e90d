/*
 * relations: which event led to which.
 *
 * Stacks and threads tell it: an import leads to the opens, execs and imports below it, a fork or
 * spawn to the process that it created.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct selection;
struct trace;

/* The event that caused this one: the innermost import statement in progress in its thread; for the
 * first event of a process, the event that started the process. SELECTION_NONE (UINT64_MAX) if
 * there is none. The search is bounded. */
uint64_t relation_cause(struct trace *t, uint64_t seq);

/* Write a text to `to` (room for n_bytes, not terminated) without what differs from run to run:
 * digits and 0x… become '#', the random part of tempfile names '*'. Returns the number of bytes
 * written. */
size_t relation_text_normalise(const char *s, size_t n_bytes, char *to);
