/*
 * fuzz_capture: capture/reader.c, column.c, value_scan.c, model/trace*.c, value_iter.c,
 * trace_caller.c: a capture file; and what is computed from it: import_stack.c, folds.c,
 * first_seen.c, relations.c, group.c, histogram.c, calltree.c.
 *
 * Checksums would reject nearly all changes, so half of the inputs (by their length) get right ones
 * before they are opened: the code behind the checksums must not trust anything either.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz_capture_seed.h"
#include "fuzz_mutate.h"
#include "fuzz_open_capture.h"
#include "tests/unit/capture_walk.h"

enum { ROWS_LOOKED_AT = 1000, ANALYSED_MAX = 50000 };

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	struct trace *t = NULL;
	struct err *err = fuzz_open_capture(bytes, n_bytes, &t);
	if (err) {
		err_destroy(err);
		return;
	}
	capture_walk(t, ROWS_LOOKED_AT);
	trace_trim(t);
	struct trace_change change;
	double done;
	err_destroy(trace_refresh(t, &change));
	capture_walk(t, ROWS_LOOKED_AT);
	if (trace_n_events(t) < ANALYSED_MAX && trace_n_stacks(t) < ANALYSED_MAX)
		capture_analyse(t);
	err_destroy(trace_load(t, 20000000, &done));
	trace_close(t);
}

size_t fuzz_mutate(struct fuzz_random *r, uint8_t *bytes, size_t n, size_t cap)
{
	return fuzz_mutate_capture(r, bytes, n, cap);
}

size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap)
{
	return capture_seed(number, to, cap);
}
