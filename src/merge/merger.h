/*
 * merger: several captures → one, on one time axis.
 *
 * Events are ordered by wall clock: the anchor of their capture, an offset that the user gives, and
 * the time in the capture. The order within a capture is kept, so that `cut` gives each input back.
 * Each input is a host (writer.h, struct host_info), also if two come from one machine: a process
 * belongs to its input, and the same pid in two of them stays two processes.
 *
 * Memory has a bound: a chunk of each input, the dictionaries of the writer and the caches of the
 * copiers.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct merger;
struct new_file;
struct trace;

struct merge_input {
	const char *path;    /* for the host's label, and its name if there is no other */
	const char *host;    /* name of the host; NULL: the one in the capture */
	int64_t offset_ns;   /* added to its wall clock */
	struct trace *trace; /* borrowed until merger_destroy() */
};

/* How much a trace that is only merged should keep in its cache (trace.h), for n inputs. */
size_t merger_cache_bytes(size_t n_inputs);

/* Start to write `file`, which is taken over, also on failure: hosts, processes and threads. */
MUST_CHECK struct err *merger_create(const struct merge_input *inputs, size_t n,
				     struct new_file *file, struct merger **ret);
/* Write all events that the inputs have now. */
MUST_CHECK struct err *merger_run(struct merger *m);
/* Write all events, and those that are added to inputs which are still being written, until all are
 * complete. An event is held back for at most a second for those of other inputs. Calls `is_wanted`
 * (ctx) ten times a second, and ends when it returns false. */
MUST_CHECK struct err *merger_follow(struct merger *m, bool (*is_wanted)(void *ctx), void *ctx);
/* Finish the file. Always frees m. */
MUST_CHECK struct err *merger_close(struct merger *m);
/* Free it and remove the file. NULL is fine. */
void merger_destroy(struct merger *m);
DEFINE_CLEANUP(merger);
/* After fork(2), in the process that does not go on: free it, and leave the file to the other. */
void merger_forget(struct merger *m);
uint64_t merger_n_events(const struct merger *m);
/* The path of an input of which parts were left out, because it describes more than its size
 * explains; NULL: none. */
const char *merger_excess(const struct merger *m);
