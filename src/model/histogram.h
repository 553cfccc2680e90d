/*
 * histogram: how many events per span of time, divided into classes (themes), at any zoom.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct selection;
struct trace;

#define HISTOGRAM_LEAVE_OUT 0xff

struct histogram_spec {
	uint64_t from_ns, to_ns; /* [from, to) */
	uint32_t n_bins;
	uint32_t n_classes; /* ≤ 255 */
	/* [trace_n_names() + 1], < n_classes or HISTOGRAM_LEAVE_OUT; NULL = all class 0 */
	const uint8_t *class_of_name;
	const struct selection *sel; /* NULL = all */
	/* for chunks that are not in memory and cover more than one bin: spread their events evenly
	 * over their time (only without sel) instead of reading them */
	bool may_estimate;
};
/* Add one chunk to bins[class * n_bins + b]. *ret_exact becomes false if it was estimated. Calls
 * trace_trim(). */
MUST_CHECK struct err *histogram_add(struct trace *t, const struct histogram_spec *spec,
				     uint32_t chunk, uint32_t *bins, bool *ret_exact);
/* Add an estimate from the summary of a chunk alone (sel is ignored), to show until the chunk is
 * counted. */
void histogram_guess(struct trace *t, const struct histogram_spec *spec, uint32_t chunk,
		     uint32_t *bins);
