/*
 * selection: a set of rows, as a bitmap with a rank directory.
 *
 * 1.25 MB for 10 M events, whatever it contains. Set operations work word by word; nth, rank, next
 * and previous are O(1) or nearly so. The directory (counts every 512 rows) is built on first use
 * after a change, so setting bits one by one costs nothing extra. A selection has a length in rows;
 * for a growing capture selection_resize() extends it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct selection;

#define SELECTION_NONE UINT64_MAX

MUST_CHECK struct err *selection_create(uint64_t n_rows, bool all, struct selection **ret);
MUST_CHECK struct err *selection_dup(const struct selection *s, struct selection **ret);
void selection_destroy(struct selection *s);
DEFINE_CLEANUP(selection);

uint64_t selection_n_rows(const struct selection *s);
/* Make it longer (new rows are `value`) or shorter. */
MUST_CHECK struct err *selection_resize(struct selection *s, uint64_t n_rows, bool value);

/* The bits, for callers that set many: row r is bit r % 64 of word r / 64; bits beyond n_rows must
 * stay 0. Chunk c of a trace starts at word c * TRACE_CHUNK / 64. Writing through this pointer is
 * allowed until the next call on s; the directory is rebuilt then. */
uint64_t *selection_words(struct selection *s);
const uint64_t *selection_words_get(const struct selection *s);

void selection_set(struct selection *s, uint64_t row, bool value);
bool selection_has(const struct selection *s, uint64_t row); /* false beyond the end */
void selection_fill(struct selection *s, uint64_t from, uint64_t to, bool value); /* [from, to) */

/* Remove the rows of `with`; the shorter operand counts as 0 beyond its end. */
void selection_and_not(struct selection *s, const struct selection *with);

uint64_t selection_count(struct selection *s);
/* The n-th selected row, n from 0; SELECTION_NONE if there are fewer. */
uint64_t selection_nth(struct selection *s, uint64_t n);
/* How many selected rows are before `row`: the inverse of nth for a selected row. */
uint64_t selection_rank(struct selection *s, uint64_t row);
/* Nearest selected row at or after / at or before `row`; SELECTION_NONE if there is none. */
uint64_t selection_next(const struct selection *s, uint64_t row);
/* Is one of n rows from `first` on selected? s: NULL = all are. */
bool selection_has_any(const struct selection *s, uint64_t first, uint64_t n);
uint64_t selection_prev(const struct selection *s, uint64_t row);
