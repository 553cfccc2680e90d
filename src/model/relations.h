/*
 * relations: which event led to which, and which is the first of its kind.
 *
 * By stacks and threads: an import → the opens, execs, imports that happened on its behalf; a fork
 * or spawn → the process it made.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct selection;
struct trace;

/* The event that this one happened on behalf of: the innermost import statement in progress in its
 * thread; for the first event of a process, the event that started it. SELECTION_NONE (UINT64_MAX)
 * if there is none. Looks back a bounded way. */
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
	bool is_direct;   /* not through a further import */
};
struct relation_vec { /* a VEC, for vec.h's macros; zeroed = empty, vec_fini() frees */
	struct relation *v;
	size_t n, cap;
};
/* What the event at `seq` led to, in order; at most `max`. Empty for an event that is no cause.
 * Append to *ret. */
MUST_CHECK struct err *relation_effects(struct trace *t, uint64_t seq, uint32_t max,
					struct relation_vec *ret);

/* First of its kind: no earlier event of this name had these arguments, digits, addresses and
 * temporary names aside. */
struct first_seen;
MUST_CHECK struct err *first_seen_create(struct trace *t, struct first_seen **ret);
void first_seen_destroy(struct first_seen *f);
DEFINE_CLEANUP(first_seen);
/* Go on to the end of the trace, for at most budget_ns. *ret_done in 0…1. May call trace_trim(). */
MUST_CHECK struct err *first_seen_update(struct first_seen *f, uint64_t budget_ns,
					 double *ret_done);
/* Rows that are the first of their kind (as long as what was worked out). */
struct selection *first_seen_rows(struct first_seen *f);
/* A number for "name and arguments, digits, addresses and temporary names aside" of a value: equal
 * for equal kinds. The text form, for listing several as one as diff does:
 * relation_text_normalise(). */
uint64_t relation_kind_hash(struct trace *t, uint32_t name, uint32_t args);
/* Normalise a text: digit runs → '#', 0x… → '#', the random part of tempfile names → '*'. Returns
 * bytes written ≤ n_bytes. */
size_t relation_text_normalise(const char *s, size_t n_bytes, char *to);
