/*
 * summary_rows: the groups of the shown events that the summary lists, counted and sorted in
 * slices.
 *
 * The part that is counted is shown sorted. In a live session it is sorted again about once a
 * second, and the cursor of the list stays on its kind, not on its line.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/hash_map.h"
#include "base/vec.h"
#include "model/tally.h"
#include "ui/canvas.h"
#include "ui/sorter.h"

struct grouping;
struct pane;
struct view;

struct summary_kind {
	char *text, *term; /* term: the filter for it; NULL: none */
	enum role role;
	uint32_t id;     /* id in the column, of the first one found */
	unsigned n_ways; /* further terms that were joined to `term` */
};

enum summary_sort { SORT_COUNT, SORT_NAME, SORT_FIRST, SORT_KINDS };

/* A zeroed struct with a grouping is ready for use. The first four members, and order.n = 0 to show
 * nothing until the next sort, are for the caller to set; all others are for it to read. */
struct summary_rows {
	const struct grouping *grouping;
	enum summary_sort sort;
	bool stale;     /* count from the start in the next step */
	bool keep_line; /* the user has chosen another order: the cursor stays on its line */
	VEC(struct summary_kind) kinds; /* by key of the tally */
	VEC(uint32_t) order;            /* keys in the order of the list */
	uint64_t total, max;            /* events of all of `order`, and of its largest kind */
	struct tally *tally;            /* NULL: not created yet, or that failed */
	unsigned n_bins;                /* of the tally: columns of the line of times */

	struct view *view;           /* of the step that is made */
	struct hash_map key_of_text; /* → index into kinds, + 1 */
	VEC(uint32_t) key_of_frame;  /* key + 1; 0: not found yet */
	unsigned generation;         /* generation of the filter that is counted for */
	struct sorter sorter;
	/* the last sort: how many rows, when, and how long it took */
	uint64_t sorted_rows, sorted_at_ns, sort_ns;
	/* text of the line that the cursor was on before counting restarted; NULL: none */
	char *wanted;
	bool was_whole; /* `order` was once complete */
};

/* Count, and sort what is counted, for about budget_ns. p: the pane whose list shows the rows; when
 * a sort has finished, its list gets the new length and cursor. Returns true if there is more to
 * do. An error is shown in the last line of the screen. */
bool summary_rows_step(struct summary_rows *r, struct pane *p, uint64_t budget_ns);
/* Begin to sort again, after `sort` has changed. */
void summary_rows_sort(struct summary_rows *r, const struct pane *p);
/* The kind on a line of the list; NULL behind the last. Borrowed until the next step. */
const struct summary_kind *summary_rows_at(const struct summary_rows *r, uint64_t line);
/* How many bins of time a pane of this width shows. */
unsigned summary_rows_n_bins(int n_columns);
void summary_rows_fini(struct summary_rows *r);
