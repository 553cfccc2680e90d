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

/* `rows_a` and `rows_b` (NULL = all) are compared. */
MUST_CHECK struct err *diff_create(struct trace *a, const struct selection *rows_a, struct trace *b,
				   const struct selection *rows_b, struct diff **ret);
/* The same in slices, as in reach.h. */
MUST_CHECK struct err *diff_begin(struct trace *a, const struct selection *rows_a, struct trace *b,
				  const struct selection *rows_b, struct diff **ret);
MUST_CHECK struct err *diff_step(struct diff *d, uint64_t budget_ns, double *ret_done);
void diff_destroy(struct diff *d);
DEFINE_CLEANUP(diff);
/* By kind (reach's order), then added, more, removed, then by first occurrence. */
const struct diff_row *diff_rows(const struct diff *d, size_t *ret_n);
size_t diff_n_same(const struct diff *d); /* things that both captures have */

extern const char *const diff_change_words[DIFF_CHANGE_COUNT]; /* "added", … */
extern const char *const diff_change_signs[DIFF_CHANGE_COUNT]; /* "+", … */
