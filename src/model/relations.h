/*
 * relations: which event led to which.
 *
 * By stacks and threads: an import → the opens, execs and imports that it caused; a fork or spawn →
 * the process it created.
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

/* Normalise a text: digit runs → '#', 0x… → '#', the random part of tempfile names → '*'. Returns
 * bytes written ≤ n_bytes. */
size_t relation_text_normalise(const char *s, size_t n_bytes, char *to);
