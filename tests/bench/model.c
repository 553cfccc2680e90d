/*
 * model: what opening, loading, counting and selecting cost on one capture, compared with reading
 * the same memory.
 *
 *     model FILE.avc            the table
 *     model FILE.avc screen SEQ what a first screen needs, then exit: timed from outside for the
 *     table
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "model/filter.h"
#include "model/folds.h"
#include "model/group.h"
#include "model/first_seen.h"
#include "model/selection.h"
#include "model/trace.h"
#include "model/value_iter.h"
#include "../unit/whole.h"

static void must(struct err *err)
{
	if (err) {
		fprintf(stderr, "%s\n", err->message);
		exit(1);
	}
}

static double clock_ms(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Our own work is measured in CPU time, so that a busy machine has no effect; other processes in
 * wall-clock time. */
static double now_ms(void)
{
	return clock_ms(CLOCK_PROCESS_CPUTIME_ID);
}

static size_t status_kib(const char *what)
{
	char line[256];
	size_t kib = 0;
	FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, what, strlen(what)) == 0)
			kib = strtoul(line + strlen(what) + 1, NULL, 10);
	if (f)
		fclose(f);
	return kib;
}

static uint64_t screen(struct trace *t, uint64_t seq)
{
	uint64_t sum = 0;
	for (uint64_t row = seq; row < seq + 40; row++) {
		struct event e;
		struct value_iter it;
		struct value_node n;
		struct frame_info f;
		uint32_t n_objects;
		size_t n_bytes;
		if (!trace_event(t, row, &e))
			break;
		const uint64_t *objects = trace_event_objects(t, row, &n_objects);
		value_iter_init(&it, t, e.args, objects, n_objects);
		while (value_iter_next(&it, &n))
			sum += n.n_bytes;
		trace_frame(t, trace_caller(t, e.stack), &f);
		sum += (uint8_t)trace_string(t, f.file, &n_bytes)[0] +
		       (uint8_t)trace_string(t, f.function, &n_bytes)[0];
		if (row == seq)
			sum += trace_stack_depth(t, e.stack);
	}
	const struct trace_about *about = trace_about_get(t);
	uint32_t bins[80];
	struct histogram_spec spec = { .from_ns = about->first_ns,
				       .to_ns = about->last_ns + 1,
				       .n_bins = 80,
				       .n_classes = 1,
				       .may_estimate = true };
	must(whole_histogram(t, &spec, bins, NULL));
	return sum + bins[7];
}

/* Run a process from its start to its end: the lowest of nine runs, in CPU time and wall-clock
 * time. */
static void process_ms(const char *self, const char *file, uint64_t seq, double *ret_cpu_ms,
		       double *ret_wall_ms)
{
	char text[32];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)seq);
	*ret_cpu_ms = *ret_wall_ms = 1e9;
	for (int i = 0; i < 9; i++) {
		char *const arguments[] = { strdup(self), strdup(file), strdup("screen"), text,
					    NULL };
		struct rusage used;
		pid_t pid;
		double start = clock_ms(CLOCK_MONOTONIC);
		if (posix_spawn(&pid, self, NULL, NULL, arguments, environ) != 0)
			exit(1);
		wait4(pid, NULL, 0, &used);
		double wall = clock_ms(CLOCK_MONOTONIC) - start;
		double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
			     (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
		*ret_wall_ms = wall < *ret_wall_ms ? wall : *ret_wall_ms;
		*ret_cpu_ms = cpu < *ret_cpu_ms ? cpu : *ret_cpu_ms;
	}
}

static void row(const char *what, double value, const char *unit, double goal, double limit)
{
	printf("%-46s %9.2f %-8s goal %8.2f  %s", what, value, unit, goal,
	       value <= goal ? "ok  " : "OVER");
	if (limit > 0)
		printf("  limit %7.2f, x %.1f", limit, value / limit);
	printf("\n");
	fflush(stdout);
}

/* Run a filter from its text to the exact count, with nothing cached. */
static uint64_t filter_count(struct trace *t, const char *text)
{
	struct filter *f;
	struct filter_run *r;
	must(filter_compile(text, strlen(text), t, &f));
	must(filter_run_create(t, f, NULL, &r));
	must(filter_run_step(r, UINT64_MAX, NULL));
	uint64_t n = selection_count(filter_run_rows(r));
	filter_run_destroy(r);
	filter_destroy(f);
	return n;
}

/* Run a filter from its text until the first 40 rows are known. */
static void filter_page(struct trace *t, const char *text)
{
	struct filter *f;
	struct filter_run *r;
	double done = 0;
	must(filter_compile(text, strlen(text), t, &f));
	must(filter_run_create(t, f, NULL, &r));
	while (done < 1 && (filter_run_n_rows(r) == 0 ||
			    selection_nth(filter_run_rows(r), 39) == SELECTION_NONE))
		must(filter_run_step(r, 1000000, &done));
	filter_run_destroy(r);
	filter_destroy(f);
}

/* Read all bytes of all values once. */
static uint64_t values_scan(struct trace *t)
{
	uint64_t sum = 0;
	for (uint32_t id = 1; id <= trace_n_values(t);) {
		const struct string_page *page = trace_value_page(t, id);
		for (size_t k = 0; k + 8 <= page->offsets[page->n]; k += 8)
			sum += page->bytes[k];
		id = page->first + page->n;
	}
	return sum;
}

#define BEST(result, expr)                                                                         \
	do {                                                                                       \
		result = 1e9;                                                                      \
		for (int i_ = 0; i_ < 7; i_++) {                                                   \
			double start_ = now_ms();                                                  \
			expr;                                                                      \
			double took_ = now_ms() - start_;                                          \
			result = took_ < result ? took_ : result;                                  \
		}                                                                                  \
	} while (0)

/* Read every byte of a column once: the lower limit for any program. */
static uint64_t column_scan(struct trace *t, int column)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < trace_n_chunks(t); i++) {
		const struct chunk *c = trace_chunk(t, i);
		const void *p = column == 0   ? (const void *)c->name
				: column == 1 ? (const void *)c->stack
					      : (const void *)c->time_ns;
		size_t n = (column == 0 ? 2u : column == 1 ? 4u : 8u) * (size_t)c->n / 8;
		for (size_t k = 0; k < n; k++)
			sum += ((const uint64_t *)p)[k];
	}
	return sum;
}

int main(int argc, char **argv)
{
	struct trace *t;
	if (argc == 4) {
		must(trace_open(argv[1], NULL, &t));
		volatile uint64_t keep = screen(t, strtoull(argv[3], NULL, 10));
		(void)keep;
		_exit(0);
	}
	if (argc != 2) {
		fprintf(stderr, "usage: model FILE.avc\n");
		return 2;
	}
	struct stat st;
	volatile uint64_t keep = 0;
	if (stat(argv[1], &st) != 0) {
		perror(argv[1]);
		return 1;
	}
	must(trace_open(argv[1], NULL, &t));
	uint64_t n = trace_n_events(t);
	double millions = (double)n / 1e6, ms;
	printf("%s: %llu events, %u names, %u distinct values (%.1f %%), %u stack nodes, %u "
	       "frames, %u processes\n",
	       argv[1], (unsigned long long)n, trace_n_names(t), trace_n_values(t),
	       100.0 * trace_n_values(t) / (double)n, trace_n_stacks(t), trace_n_frames(t),
	       trace_n_processes(t));
	row("on disk", (double)st.st_size / (double)n, "B/event", n > 5000000 ? 6 : 9, 0);

	/* browsing: random pages, as of a user who jumps about */
	for (uint64_t i = 0; i < 3000; i++) {
		keep += screen(t, (i * 0x9e3779b97f4a7c15ull >> 20) % n);
		trace_trim(t);
	}
	row("memory after 3000 screens at random", (double)status_kib("VmHWM:") / 1024, "MiB", 40,
	    0);
	trace_close(t);

	static const char *const places[] = { "first screen, first row, from process start",
					      "first screen, middle", "first screen, last row" };
	double base_ms, unused, cpu_ms, wall_ms;
	process_ms("/bin/true", argv[1], 0, &base_ms, &unused);
	for (uint64_t i = 0; i < 3; i++) {
		process_ms(argv[0], argv[1],
			   i == 0   ? 0
			   : i == 1 ? n / 2 + 77
				    : n - 40,
			   &cpu_ms, &wall_ms);
		row(places[i], cpu_ms, "ms", 15, base_ms);
		printf("    by the clock on the wall %34.2f ms\n", wall_ms);
	}

	double done, start = now_ms();
	must(trace_open(argv[1], NULL, &t));
	row("open", now_ms() - start, "ms", 15, 0);
	size_t before_kib = status_kib("VmRSS:");
	start = now_ms();
	must(trace_load(t, UINT64_MAX, &done));
	row("everything loaded", now_ms() - start, "ms", 50 * millions, 0);
	row("memory, loaded", (double)(status_kib("VmRSS:") - before_kib) * 1024 / (double)n,
	    "B/event", 45, 0);

	double scan_names, scan_stacks, scan_times;
	BEST(scan_names, keep += column_scan(t, 0));
	BEST(scan_stacks, keep += column_scan(t, 1));
	BEST(scan_times, keep += column_scan(t, 2));

	struct selection *sel;
	must(selection_create(n, false, &sel));
	for (uint64_t i = 0; i < n; i += 2)
		selection_set(sel, i, true);

	uint64_t *counts = calloc(group_column_end(t, GROUP_STACK), 8);
	BEST(ms, must(group_count(t, NULL, 0, UINT64_MAX, GROUP_NAME, NULL, trace_n_names(t) + 1,
				  counts)));
	row("count by event, all", ms, "ms", 1 * millions, 0);
	BEST(ms, must(group_count(t, sel, 0, UINT64_MAX, GROUP_NAME, NULL, trace_n_names(t) + 1,
				  counts)));
	row("count by event, filtered", ms, "ms", 1 * millions, scan_names);
	BEST(ms, must(group_count(t, sel, 0, UINT64_MAX, GROUP_STACK, NULL,
				  group_column_end(t, GROUP_STACK), counts)));
	row("count by stack, filtered", ms, "ms", 5 * millions, scan_stacks);

	double scan_values;
	BEST(scan_values, keep += values_scan(t));
	static const struct {
		const char *what, *text;
		double goal;
	} filters[] = {
		{ "regex with a literal, exact count", "args ~ /site-packages.*_[0-9]+/", 6 },
		{ "caseless alternation, exact count", "args ~ /(?i)password|secret|passwd/", 20 },
		{ "any frame's function, exact count", "stack.func ~ /_find_and_load/", 4 },
		{ "event and argument, exact count", "event == \"open\" and args.mode == \"w\"",
		  6 },
		{ "caller, exact count", "caller.file contains \"test\"", 6 },
	};
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		char what[96];
		uint64_t hits = 0;
		BEST(ms, hits = filter_count(t, filters[i].text));
		snprintf(what, sizeof(what), "%s (%llu)", filters[i].what,
			 (unsigned long long)hits);
		row(what, ms, "ms", filters[i].goal * millions, scan_values + scan_stacks);
	}
	BEST(ms, filter_page(t, filters[0].text));
	row("regex with a literal, first page", ms, "ms", 16, 0);

	const struct trace_about *about = trace_about_get(t);
	uint32_t bins[14 * 160];
	uint8_t *classes = calloc(trace_n_names(t) + 1, 1);
	for (uint32_t i = 0; i <= trace_n_names(t); i++)
		classes[i] = (uint8_t)(i % 14);
	struct histogram_spec spec = { .from_ns = about->first_ns,
				       .to_ns = about->last_ns + 1,
				       .n_bins = 160,
				       .n_classes = 14,
				       .class_of_name = classes };
	BEST(ms, must(whole_histogram(t, &spec, bins, NULL)));
	row("timeline by theme, all", ms, "ms", 8 * millions, scan_times);
	spec.sel = sel;
	BEST(ms, must(whole_histogram(t, &spec, bins, NULL)));
	row("timeline by theme, filtered", ms, "ms", 8 * millions, scan_times);

	struct folds *folds;
	must(folds_create(t, &folds));
	start = now_ms();
	must(folds_update(folds, NULL, UINT64_MAX, &done));
	row("folds of everything", now_ms() - start, "ms", 100 * millions, 0);
	struct first_seen *first;
	must(first_seen_create(t, &first));
	start = now_ms();
	must(first_seen_update(first, UINT64_MAX, &done));
	row("first of their kind", now_ms() - start, "ms", 100 * millions, 0);
	/* what was read is used, so that the compiler does not remove the reading */
	return keep == 1;
}
