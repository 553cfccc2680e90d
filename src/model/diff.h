/*
 * diff: what capture B does that capture A does not do, and vice versa, by reach (reach.h). The
 * work of the import system for a module is left out: the module is in the list.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "model/reach.h"

struct diff;

enum diff_change {
	DIFF_ADDED, /* B only */
	/* at least twice as often in B (only hosts, libraries and commands, where one more time
	 * matters) */
	DIFF_MORE,
	DIFF_REMOVED, /* A only */
	DIFF_CHANGE_COUNT
};

struct diff_row {
	enum reach_kind kind;
	enum diff_change change;
	const char *text; /* escaped for display */
	size_t n_text;
	uint64_t n_a, n_b;  /* events */
	uint64_t first_seq; /* of B, or of A for what was removed */
	/* modules: how many below this package, with the same change, are left out of the list */
	uint32_t n_below;
};

/* Compare rows_a of capture a with rows_b of b; NULL = all rows. Both captures and both selections
 * must outlive the diff. ERR_NO_MEMORY. Calls trace_trim() on both. */
MUST_CHECK struct err *diff_create(struct trace *a, const struct selection *rows_a, struct trace *b,
				   const struct selection *rows_b, struct diff **ret);
/* The same in slices, as reach_begin() and reach_step(): *ret_done in 0…1. */
MUST_CHECK struct err *diff_begin(struct trace *a, const struct selection *rows_a, struct trace *b,
				  const struct selection *rows_b, struct diff **ret);
MUST_CHECK struct err *diff_step(struct diff *d, uint64_t budget_ns, double *ret_done);
void diff_destroy(struct diff *d);
DEFINE_CLEANUP(diff);
/* The differences by kind (in the order of enum reach_kind), then added, more and removed, then by
 * first occurrence. Valid until diff_destroy(). */
const struct diff_row *diff_rows(const struct diff *d, size_t *ret_n);
size_t diff_n_same(const struct diff *d); /* things that both captures have */

extern const char *const diff_change_words[DIFF_CHANGE_COUNT]; /* "added", … */
extern const char *const diff_change_signs[DIFF_CHANGE_COUNT]; /* "+", … */
