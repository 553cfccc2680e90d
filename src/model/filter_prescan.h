/*
 * filter_prescan: find the values that a term cannot match, many at a time. For filter_*.c only.
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct filter_cache;
struct filter_term;
struct value_table;

/* Scan the values that were not scanned yet, up to the id `end` (not included). In `table`, a value
 * that cannot match gets its verdict; the others stay unknown. If this term allows no scan, all
 * stay unknown. */
MUST_CHECK struct err *filter_prescan(struct filter_cache *c, const struct filter_term *t,
				      struct value_table *table, uint32_t end);
