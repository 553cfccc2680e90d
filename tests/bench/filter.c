/*
 * filter: how long filters take on a loaded capture, compared with a scan of the memory that they
 * read.
 *
 * Times are CPU time.
 *
 * usage: filter FILE [EXPRESSION…] Each is run cold (nothing known of it) three times; the best
 *                                    counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/filter.h"
#include "model/selection.h"
#include "model/trace.h"
#include "../unit/heap.h"

static double now_ms(void)
{
	struct timespec t;
	/* of this thread: other programs may use the machine */
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void must(struct err *err)
{
	if (!err)
		return;
	fprintf(stderr, "filter: %s\n", err->message);
	exit(1);
}

/* Read the columns that a filter can use, and the dictionary, once. */
static double scan(struct trace *t, bool values, uint64_t *ret_bytes)
{
	uint64_t sum = 0, n_bytes = 0;
	double start = now_ms();
	for (uint32_t i = 0; i < trace_n_chunks(t); i++) {
		const struct chunk *c = trace_chunk(t, i);
		for (uint32_t k = 0; c && k < c->n; k++)
			sum += values ? c->args[k] : c->name[k];
		n_bytes += c ? c->n * (values ? 4u : 2u) : 0;
	}
	for (uint32_t id = 1; values && id <= trace_n_values(t);) {
		const struct string_page *p = trace_value_page(t, id);
		if (!p)
			break;
		const uint8_t *from = p->bytes + p->offsets[0];
		size_t n = p->offsets[p->n] - p->offsets[0];
		for (size_t k = 0; k + 8 <= n; k += 8) {
			uint64_t w;
			memcpy(&w, from + k, 8);
			sum ^= w;
		}
		n_bytes += n;
		id = p->first + p->n;
	}
	double took = now_ms() - start;
	*ret_bytes = n_bytes;
	return sum == 42 ? took + 1e-9 : took; /* this keeps the compiler from removing the sum */
}

static const char *const usual[] = {
	"event == \"open\"",
	"not @import",
	"args ~ \"passwd\"",
	"args ~ \"\\.env$\"",
	"args ~ \"(?i)password|secret|token\"",
	"args ~ \"site-packages/[a-z]+/x\"",
	"args contains \"json\"",
	"open.path ~ \"^/etc/\"",
	"args.mode == \"w\"",
	"stack.func == \"load_plugin\"",
	"stack.file ~ \"test\"",
	"caller.file contains \"app/\"",
	"depth > 30",
	"time > 2.5s",
	"pid in {41, 42}",
	"args ~ \"[0-9]{4}\"",
	"args ~ \".\"",
	"@filesystem and args ~ \"tmp\" and depth > 20",
};

int main(int argc, char **argv)
{
	struct trace *t;
	struct trace_options options = { .load_bytes = (size_t)8 << 30 };
	double done = 0, start = now_ms();
	uint64_t bytes;
	if (argc < 2)
		return 2;
	size_t heap_before = heap_n_bytes();
	must(trace_open(argv[1], &options, &t));
	must(trace_load(t, UINT64_MAX, &done));
	printf("%llu events, %u values, %u stacks, %u frames; loaded in %.0f ms, %.1f MB, %.1f "
	       "B/event\n",
	       (unsigned long long)trace_n_events(t), trace_n_values(t), trace_n_stacks(t),
	       trace_n_frames(t), now_ms() - start, (double)(heap_n_bytes() - heap_before) / 1e6,
	       (double)(heap_n_bytes() - heap_before) / (double)trace_n_events(t));
	double column = scan(t, false, &bytes);
	column = scan(t, false, &bytes);
	printf("%8.1f ms  memory scan of the name column, %.0f MB\n", column, (double)bytes / 1e6);
	double all = scan(t, true, &bytes);
	all = scan(t, true, &bytes);
	printf("%8.1f ms  memory scan of the argument column and its dictionary, %.0f MB\n", all,
	       (double)bytes / 1e6);
	size_t n = argc > 2 ? (size_t)argc - 2 : sizeof(usual) / sizeof(*usual);
	for (size_t i = 0; i < n; i++) {
		const char *text = argc > 2 ? argv[i + 2] : usual[i];
		double best = 1e9, first_best = 1e9, warm = 1e9;
		uint64_t count = 0;
		struct filter *f;
		must(filter_compile(text, strlen(text), t, &f));
		/* what does not depend on the expression is known already, as in a session */
		struct filter_cache *index;
		for (int round = 0; round < 3; round++) {
			struct filter_cache *cache;
			must(filter_cache_create(t, &cache));
			struct filter *any;
			struct filter_run *r;
			must(filter_compile("args ~ \"qqqqq\"", 14, t, &any));
			must(filter_run_create(t, any, cache, &r));
			must(filter_run_step(r, UINT64_MAX, NULL));
			filter_run_destroy(r);
			filter_destroy(any);
			index = cache;
			start = now_ms();
			must(filter_run_create(t, f, index, &r));
			must(filter_run_step(r, 0, NULL));
			double first = now_ms() - start;
			must(filter_run_step(r, UINT64_MAX, NULL));
			count = selection_count(filter_run_rows(r));
			double took = now_ms() - start;
			filter_run_destroy(r);
			start = now_ms();
			must(filter_run_create(t, f, index, &r));
			must(filter_run_step(r, UINT64_MAX, NULL));
			selection_count(filter_run_rows(r));
			double again = now_ms() - start;
			filter_run_destroy(r);
			filter_cache_destroy(cache);
			best = took < best ? took : best;
			first_best = first < first_best ? first : first_best;
			warm = again < warm ? again : warm;
		}
		filter_destroy(f);
		printf("%8.1f ms  first page %.2f, again %.1f, %10llu events  %s\n", best,
		       first_best, warm, (unsigned long long)count, text);
	}
	trace_close(t);
	return 0;
}
