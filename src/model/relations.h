/*
 * relations: which event led to which, and which is the first of its kind.
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

enum relation_kind {
	RELATION_IMPORTED,
	RELATION_OPENED,
	RELATION_EXECUTED,
	RELATION_OTHER,
	RELATION_PROCESS
};
struct relation {
	enum relation_kind kind;
	/* RELATION_PROCESS: the first event of the process, or SELECTION_NONE */
	uint64_t seq;
	uint32_t process; /* RELATION_PROCESS */
	bool is_direct;   /* not through another import */
};
struct relation_vec { /* a VEC, for vec.h's macros; zeroed = empty, vec_fini() frees */
	struct relation *v;
	size_t n, cap;
};
/* Append to *ret what the event at `seq` led to, in order, at most `max` entries. Nothing for an
 * event that causes no others. */
MUST_CHECK struct err *relation_effects(struct trace *t, uint64_t seq, uint32_t max,
					struct relation_vec *ret);

/* Normalise a text: digit runs → '#', 0x… → '#', the random part of tempfile names → '*'. Returns
 * bytes written ≤ n_bytes. */
size_t relation_text_normalise(const char *s, size_t n_bytes, char *to);
