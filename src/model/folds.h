/*
 * folds: rows that need not be shown one by one.
 *
 *   import   an `import` event and what follows from it in the same thread: the events whose stack
 *            goes through the import system started by that import statement. A function of the
 *            user's own ends the fold: what a program does is never hidden because an import
 *            started it.
 *   start-up everything a process did before its program began (before cpython.run_*).
 *   equal    neighbours in the list with the same name, thread, arguments and stack: × N.
 *
 * Folds are computed for a selection (the rows that are shown): the head of a fold is in it, and
 * only members in it are counted. Rows shown = selection without the hidden ones. Building is
 * incremental and may be done in slices.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct folds;
struct selection;
struct trace;

enum fold_kind { FOLD_NONE, FOLD_IMPORT, FOLD_STARTUP, FOLD_EQUAL };

struct fold {
	enum fold_kind kind;
	uint64_t head; /* the row that represents all */
	uint64_t last; /* the last row in the fold */
	/* "+38": rows that it hides (selected ones only); EQUAL: × (n_hidden + 1) */
	uint64_t n_hidden;
	uint64_t span_ns; /* from the head to the last row */
};

/* `sel` (NULL = all) is read only during folds_update() and must be the same set each time; it may
 * be longer. */
MUST_CHECK struct err *folds_create(struct trace *t, struct folds **ret);
void folds_destroy(struct folds *f);
DEFINE_CLEANUP(folds);
/* Continue to the end of the trace, for at most budget_ns. *ret_done in 0…1. May call
 * trace_trim(). */
MUST_CHECK struct err *folds_update(struct folds *f, const struct selection *sel,
				    uint64_t budget_ns, double *ret_done);
/* Rows [0, n) are computed. */
uint64_t folds_n_rows(const struct folds *f);

/* Hidden rows, without those of folds opened by folds_open(). Valid until the next update or
 * open. */
const struct selection *folds_hidden(const struct folds *f);
/* The fold whose head is this row; false if the row is not a head. */
bool folds_find(const struct folds *f, uint64_t head, struct fold *ret);
/* The fold that hides this row (or whose head it is). */
bool folds_find_member(const struct folds *f, uint64_t row, struct fold *ret);
/* Open or close one fold; later updates keep that state. */
void folds_open(struct folds *f, uint64_t head, bool open);
bool folds_is_open(const struct folds *f, uint64_t head);
uint32_t folds_n(const struct folds *f);
