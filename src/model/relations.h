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
/* A hash of name and arguments, ignoring digits, addresses and temporary names: equal for equal
 * kinds. The corresponding text, used by diff to list several as one: relation_text_normalise(). */
uint64_t relation_kind_hash(struct trace *t, uint32_t name, uint32_t args);
/* Normalise a text: digit runs → '#', 0x… → '#', the random part of tempfile names → '*'. Returns
 * bytes written ≤ n_bytes. */
size_t relation_text_normalise(const char *s, size_t n_bytes, char *to);
