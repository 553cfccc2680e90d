/*
 * stat_callers: which code raised most of the events of a row of a table (stat_table.h).
 *
 *     struct stat_callers c = { 0 };
 *     … stat_callers_add(&c, row, caller) for each event …
 *     err = stat_callers_end(&c, table, NULL, 0);
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/hash_map.h"
#include "base/vec.h"

struct stat_table;

struct stat_pair {
	uint32_t row, caller;
	uint64_t n; /* events */
};

struct stat_callers {
	VEC(struct stat_pair) pairs;
	struct hash_map index; /* (row, caller) → index + 1 */
	struct stat_pair last; /* events in sequence, not in `pairs` yet */
	bool has_failed;       /* memory was short */
};

/* An event of a row was raised by this frame; 0: none. `row` is any number that
 * stat_callers_end() can find a row for. */
void stat_callers_add(struct stat_callers *c, uint32_t row, uint32_t caller);
/* Set the caller of each row of the table: the frame of most events of all rows with that key, of
 * two with as many the one with the smaller id. row_of: [n_rows], the row of a number that was
 * added, UINT32_MAX: it is not in the table; NULL: the number is the row. Frees what `c` holds,
 * also on failure. ERR_NO_MEMORY. */
MUST_CHECK struct err *stat_callers_end(struct stat_callers *c, struct stat_table *b,
					const uint32_t *row_of, size_t n_rows);
void stat_callers_fini(struct stat_callers *c);
