/*
 * whole: what panes count in slices, in one call, for tests and benchmarks.
 */
#pragma once
#include <stdint.h>
#include <string.h>

#include "model/calltree.h"
#include "model/histogram.h"
#include "model/trace.h"

/* bins[class * n_bins + b], set (not added). *ret_exact (may be NULL): no estimate was needed. */
static inline struct err *whole_histogram(struct trace *t, const struct histogram_spec *spec,
					  uint32_t *bins, bool *ret_exact)
{
	bool exact = true;
	struct err *err = NULL;
	memset(bins, 0, (size_t)spec->n_classes * spec->n_bins * sizeof(*bins));
	for (uint32_t chunk = 0; !err && chunk < trace_n_chunks(t); chunk++)
		err = histogram_add(t, spec, chunk, bins, &exact);
	if (ret_exact)
		*ret_exact = exact;
	return err;
}

/* Count `sel` (NULL = all). */
static inline struct err *whole_calltree(struct trace *t, const struct selection *sel,
					 const struct calltree_options *options,
					 struct calltree **ret)
{
	CLEANUP(calltree) struct calltree *c = NULL;
	double done = 0;
	struct err *err = calltree_begin(t, options, &c);
	if (!err)
		err = calltree_step(c, sel, UINT64_MAX, UINT64_MAX, &done);
	if (err)
		return err;
	*ret = take_ptr(c);
	return NULL;
}
