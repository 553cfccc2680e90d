/*
 * stat_table: the events of a capture, counted by one key.
 *
 * stat_table_fill() counts what the capture has. If the target counted events itself
 * (recorder/counts.h), stat_table_add_counted() adds these. stat_table_arrange() then makes the
 * rows that are shown.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/vec.h"
#include "model/group.h"

struct filter_run;
struct selection;
struct trace;

struct stat_row {
	char *key; /* as text */
	uint64_t n, first_seq, last_seq;
	uint32_t caller; /* frame of most of the events, 0 none */
};

struct stat_table {
	struct trace *t;
	const struct selection *rows_in; /* NULL = all */
	enum group_column column;
	VEC(uint32_t) keys; /* [id of the column] row, UINT32_MAX: not counted */
	VEC(struct stat_row) rows;
	uint64_t total;
	bool are_counted; /* the target has counted: rows have no times and no callers */
	bool is_escaped;  /* the keys are escaped already */
	bool is_part;     /* more comes, and what is lost is known at the end */
};

/* What the target had counted earlier, by the number of the entry (trace_counted_get()). */
typedef VEC(uint64_t) stat_counted_before;

/* Count by `by`: a word of group_words.h, but "import" (stat_import.h) and no ready summary. The
 * caller has set t, rows_in, are_counted and is_part; the rest is zero. *ret_callers: rows have
 * callers. */
MUST_CHECK struct err *stat_table_fill(struct stat_table *b, const char *by, bool *ret_callers);
/* Do rows by this word (not a ready summary) name the caller of most of their events? Rows by a
 * property of stacks do not: it is part of their key, or says as much. */
bool stat_table_has_callers(const char *by);
/* Is it a property of the name or the process of an event, which is all that a target counts by? */
bool stat_table_can_count(const char *by);
/* Add what the target has counted since `before`, in which an entry behind its end counts as 0. by:
 * such a word. filter: of the names that are counted; NULL = all. */
MUST_CHECK struct err *stat_table_add_counted(struct stat_table *b, const char *by,
					      struct filter_run *filter,
					      const stat_counted_before *before);
/* Remove rows without events, merge rows with the same text, add up the total, and sort by `sort`:
 * events (also if NULL), key, first or last; else ERR_USAGE. */
MUST_CHECK struct err *stat_table_arrange(struct stat_table *b, const char *sort);
/* ERR_USAGE if stat_table_arrange() does not know it. */
MUST_CHECK struct err *stat_table_check_sort(const char *sort);
void stat_table_fini(struct stat_table *b);
