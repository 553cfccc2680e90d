/*
 * histogram: see histogram.h. If the times of a chunk are all in one bin, its summary suffices, so
 * a view of the whole capture reads at most the chunks that cross a boundary.
 */
#include "model/histogram.h"

#include <string.h>

#include "model/selection.h"
#include "model/trace.h"

static uint32_t bin_of(const struct histogram_spec *spec, uint64_t time_ns)
{
	double at = (double)(time_ns - spec->from_ns) * spec->n_bins /
		    (double)(spec->to_ns - spec->from_ns);
	uint32_t bin = at >= spec->n_bins ? spec->n_bins - 1 : (uint32_t)at;
	return bin;
}

static uint8_t class_of(const struct histogram_spec *spec, uint32_t name)
{
	return spec->class_of_name ? spec->class_of_name[name] : 0;
}

/* Spread n evenly over the bins that [min_ns, max_ns] covers. */
static void spread(const struct histogram_spec *spec, const struct chunk_summary *s, uint32_t *bins)
{
	uint64_t min_ns = s->min_ns > spec->from_ns ? s->min_ns : spec->from_ns;
	uint64_t max_ns = s->max_ns < spec->to_ns ? s->max_ns : spec->to_ns - 1;
	uint32_t first = bin_of(spec, min_ns), last = bin_of(spec, max_ns);
	double inside = s->max_ns > s->min_ns
			    ? (double)(max_ns - min_ns) / (double)(s->max_ns - s->min_ns)
			    : 1;
	for (uint32_t i = 0; i < s->n_names; i++) {
		uint8_t class = class_of(spec, s->names[i]);
		if (class >= spec->n_classes)
			continue;
		uint32_t n = (uint32_t)(s->name_n[i] * inside + 0.5), n_bins = last - first + 1,
			 done = 0;
		for (uint32_t k = 0; k < n_bins; k++) {
			uint32_t upto = (uint32_t)((uint64_t)n * (k + 1) / n_bins);
			bins[(uint64_t) class * spec->n_bins + first + k] += upto - done;
			done = upto;
		}
	}
}

static void rows_add(const struct histogram_spec *spec, const struct chunk *c, uint32_t *bins)
{
	uint8_t classes[TRACE_CHUNK];
	double per_ns = spec->n_bins / (double)(spec->to_ns - spec->from_ns);
	for (uint32_t i = 0; i < c->n_names; i++)
		classes[i] = class_of(spec, c->names[i]);
	for (uint32_t i = 0; i < c->n; i++) {
		uint64_t time_ns = c->time_ns[i];
		uint8_t class = classes[c->name[i]];
		if (time_ns < spec->from_ns || time_ns >= spec->to_ns || class >= spec->n_classes)
			continue;
		if (spec->sel && !selection_has(spec->sel, c->first_seq + i))
			continue;
		uint32_t bin = (uint32_t)((double)(time_ns - spec->from_ns) * per_ns);
		bins[(uint64_t) class * spec->n_bins +
		     (bin < spec->n_bins ? bin : spec->n_bins - 1)]++;
	}
}

struct err *histogram_add(struct trace *t, const struct histogram_spec *spec, uint32_t chunk,
			  uint32_t *bins, bool *ret_exact)
{
	struct chunk_summary s;
	if (spec->to_ns <= spec->from_ns || !spec->n_bins || !trace_chunk_summary(t, chunk, &s) ||
	    s.max_ns < spec->from_ns || s.min_ns >= spec->to_ns)
		return NULL;
	bool one_bin = s.min_ns >= spec->from_ns && s.max_ns < spec->to_ns &&
		       bin_of(spec, s.min_ns) == bin_of(spec, s.max_ns);
	if (!spec->sel && (one_bin || (spec->may_estimate && !s.is_loaded))) {
		*ret_exact &= one_bin;
		spread(spec, &s, bins);
		return NULL;
	}
	if (spec->sel) {
		uint64_t row = selection_next(spec->sel, s.first_seq);
		if (row == SELECTION_NONE || row >= s.first_seq + s.n)
			return NULL;
	}
	const struct chunk *c = trace_chunk(t, chunk);
	if (!c)
		return err_no_memory();
	rows_add(spec, c, bins);
	trace_trim(t);
	return NULL;
}

void histogram_guess(struct trace *t, const struct histogram_spec *spec, uint32_t chunk,
		     uint32_t *bins)
{
	struct chunk_summary s;
	if (spec->to_ns > spec->from_ns && spec->n_bins && trace_chunk_summary(t, chunk, &s) &&
	    s.max_ns >= spec->from_ns && s.min_ns < spec->to_ns)
		spread(spec, &s, bins);
}
