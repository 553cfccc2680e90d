/*
 * fuzz_merge: merge/copier.c, merge/merger.c, merge/cut.c: any capture merged with itself, and cut.
 * The result is a sound capture with all events, whatever the input was. Half of the inputs get
 * right checksums, as in fuzz_capture.c.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/new_file.h"
#include "fuzz_capture_seed.h"
#include "fuzz_mutate.h"
#include "fuzz_open_capture.h"
#include "merge/cut.h"
#include "merge/merger.h"
#include "model/selection.h"
#include "tests/unit/capture_walk.h"

enum { EVENTS_MAX = 40000 };

static struct new_file *file_of(int fd)
{
	char path[40];
	struct new_file *file;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	must(new_file_open(path, 0, &file));
	return file;
}

static void result_check(int fd, uint64_t n_events)
{
	struct trace *t;
	must(trace_open_fd(fd, "result", NULL, &t));
	if (trace_n_events(t) != n_events || trace_damage(t) || !trace_is_finished(t))
		abort();
	for (uint64_t seq = 0; seq < n_events; seq += 1 + n_events / 64) {
		struct event e;
		uint32_t n, parent, frame;
		size_t n_bytes;
		if (!trace_event(t, seq, &e))
			abort();
		trace_event_objects(t, seq, &n);
		trace_value(t, e.args, &n_bytes);
		trace_stack(t, e.stack, &parent, &frame);
		trace_process_host(t, e.process, &n_bytes);
	}
	trace_close(t);
}

static int memory(void)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0)
		abort();
	return fd;
}

static void merge(struct trace *a, struct trace *b, uint64_t n_events)
{
	const struct merge_input inputs[] = { { .path = "a", .trace = a, .offset_ns = -5 },
					      { .path = "b", .trace = b, .host = "h" } };
	struct merger *m;
	int fd = memory();
	must(merger_create(inputs, 2, file_of(fd), &m));
	must(merger_run(m));
	must(merger_close(m));
	result_check(fd, n_events);
}

static void cut(struct trace *t)
{
	struct selection *rows;
	uint64_t n_events, n_rows = trace_n_events(t);
	int fd = memory();
	must(selection_create(n_rows, true, &rows));
	for (uint64_t i = 0; i < n_rows; i += 3)
		selection_set(rows, i, false);
	uint64_t n_want = selection_count(rows);
	must(cut_write(t, rows, 0, UINT64_MAX, file_of(fd), &n_events));
	if (n_events != n_want)
		abort();
	selection_destroy(rows);
	result_check(fd, n_events);
}

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	struct trace *a = NULL, *b = NULL;
	struct err *err = fuzz_open_capture(bytes, n_bytes, &a);
	if (!err)
		err = fuzz_open_capture(bytes, n_bytes, &b);
	if (!err && trace_n_events(a) <= EVENTS_MAX) {
		merge(a, b, trace_n_events(a) + trace_n_events(b));
		cut(a);
	}
	err_destroy(err);
	trace_close(a);
	trace_close(b);
}

size_t fuzz_mutate(struct fuzz_random *r, uint8_t *bytes, size_t n, size_t cap)
{
	return fuzz_mutate_capture(r, bytes, n, cap);
}

size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap)
{
	return capture_seed(number, to, cap);
}
