/* What imports cost, from captures written by hand; the real thing is compared with python -X
 * importtime by tests/e2e/check_imports.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture_util.h"
#include "model/filter.h"
#include "model/import_cost.h"
#include "model/selection.h"
#include "model/trace.h"

#define IMPORTLIB "<frozen importlib._bootstrap>"

struct book {
	struct writer *w;
	uint32_t thread[2];
	char path[64];
};

static void book_open(struct book *b)
{
	snprintf(b->path, sizeof(b->path), "/tmp/auditview-cost-XXXXXX");
	close(mkstemp(b->path));
	struct writer_options options = { .creator = "test" };
	must(writer_open(b->path, &options, &b->w));
	struct process_info p = { .pid = 41, .name = add_string(b->w, "app.py") };
	uint32_t process = writer_process(b->w, &p);
	for (unsigned i = 0; i < 2; i++) {
		struct thread_info t = { .process = process, .tid = 41 + i };
		b->thread[i] = writer_thread(b->w, &t);
	}
}

static void put(struct book *b, unsigned thread, uint64_t ms, const char *name, const char *arg,
		uint32_t stack)
{
	struct strbuf value = { 0 };
	put_container(&value, VALUE_TUPLE, 1, 1);
	put_str(&value, arg);
	struct event_info e = { .time_ns = ms * 1000000,
				.name = add_string(b->w, name),
				.thread = b->thread[thread],
				.stack = stack };
	e.args = writer_value(b->w, (const uint8_t *)strbuf_str(&value), value.n);
	writer_event(b->w, &e);
	strbuf_fini(&value);
}

static struct import_cost *counted(struct book *b, struct trace **ret)
{
	struct import_cost *c;
	must(writer_close(b->w));
	must(trace_open(b->path, NULL, ret));
	must(import_cost_create(*ret, &c));
	must(import_cost_step(c, NULL, UINT64_MAX, UINT64_MAX));
	return c;
}

/* A clock that ticks tells no hundredths of a millisecond. */
static void test_ticks(void **state)
{
	static const struct {
		uint64_t ns;
		bool is_ticked;
		const char *text;
	} rows[] = {
		{ 0, false, "0.00" },         { 147714444, false, "147.71" },
		{ 0, true, "<10" },           { 9999999, true, "<10" },
		{ 14000000, true, "10" },     { 147714444, true, "150" },
		{ 3600000000, true, "3600" }, { 1200000000000, false, "1200000" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strbuf b = { 0 };
		import_cost_add_ms(&b, rows[i].ns, rows[i].is_ticked, 2);
		assert_string_equal(strbuf_str(&b), rows[i].text);
		strbuf_fini(&b);
	}
}

static void test_costs(void **state)
{
	static const struct {
		const char *name;
		uint32_t parent;
		uint64_t self_ms, total_ms, n_self, n;
	} expected[] = {
		{ "a", IMPORT_COST_NO_ROW, 30, 100, 3, 5 },
		{ "a.b", 0, 70, 70, 2, 2 },
		{ "c", IMPORT_COST_NO_ROW, 5, 5, 2, 2 },
		{ "d", IMPORT_COST_NO_ROW, 1, 1, 2, 2 },
	};
	struct book b = { 0 };
	struct trace *t;
	book_open(&b);
	uint32_t one = add_frame(b.w, 0, "/srv/app.py", "<module>", 1),
		 two = add_frame(b.w, 0, "/srv/app.py", "<module>", 2),
		 three = add_frame(b.w, 0, "/srv/app.py", "<module>", 3);
	uint32_t in_one = add_frame(b.w, one, IMPORTLIB, "_find_and_load", 9),
		 body = add_frame(b.w, in_one, "/srv/a/__init__.py", "<module>", 4);
	uint32_t in_body = add_frame(b.w, body, IMPORTLIB, "_find_and_load", 9),
		 in_two = add_frame(b.w, two, IMPORTLIB, "_find_and_load", 9);
	uint32_t other = add_frame(b.w, 0, "/srv/work.py", "run", 7);
	put(&b, 0, 10, "import", "a", one);
	put(&b, 0, 20, "open", "/srv/a/__init__.pyc", in_one);
	put(&b, 0, 30, "import", "a.b", body);
	put(&b, 1, 40, "open", "/elsewhere", other); /* another thread: not a part of it */
	put(&b, 0, 50, "open", "/srv/a/b.py", in_body);
	put(&b, 0, 100, "exec", "a.b", in_one); /* of a: a.b has ended by now */
	put(&b, 0, 110, "import", "c", two);
	put(&b, 0, 115, "exec", "c", in_two);
	put(&b, 0, 900, "open", "/srv/data", three); /* nobody knows when c has ended */
	put(&b, 0, 910, "import", "d", other);
	put(&b, 0, 911, "exec", "d", add_frame(b.w, other, IMPORTLIB, "_find_and_load", 9));

	struct import_cost *c = counted(&b, &t);
	uint32_t n, order[8];
	const struct import_row *rows = import_cost_rows(c, &n);
	assert_int_equal(n, 4);
	for (uint32_t i = 0; i < n; i++) {
		assert_string_equal(rows[i].name, expected[i].name);
		assert_int_equal(rows[i].parent, expected[i].parent);
		assert_int_equal(rows[i].self_ns, expected[i].self_ms * 1000000);
		assert_int_equal(rows[i].total_ns, expected[i].total_ms * 1000000);
		assert_int_equal(rows[i].n_self_events, expected[i].n_self);
		assert_int_equal(rows[i].n_events, expected[i].n);
		assert_int_equal(rows[i].n_imports, 1);
	}
	assert_string_equal(rows[0].from, ".pyc");
	assert_string_equal(rows[1].from, ".py");
	assert_null(rows[2].from);
	assert_int_equal(import_cost_sort(c, IMPORT_BY_SELF, order), 4);
	assert_int_equal(order[0], 1);
	assert_int_equal(import_cost_sort(c, IMPORT_BY_TOTAL, order), 4);
	assert_int_equal(order[0], 0);
	assert_int_equal(import_cost_sort(c, IMPORT_BY_TREE, order), 4);
	assert_int_equal(order[1], 1);

	/* the filter of a row shows the events that were counted */
	for (uint32_t i = 0; i < n; i++) {
		struct strbuf text = { 0 };
		struct filter *filter;
		struct filter_run *run;
		assert_true(import_cost_filter(c, i, &text));
		must(filter_compile(strbuf_str(&text), text.n, t, &filter));
		must(filter_run_create(t, filter, NULL, &run));
		must(filter_run_step(run, UINT64_MAX, NULL));
		assert_int_equal(selection_count(filter_run_rows(run)), rows[i].n_events);
		filter_run_destroy(run);
		filter_destroy(filter);
		strbuf_fini(&text);
	}
	import_cost_destroy(c);
	trace_close(t);
	unlink(b.path);
}

/* A capture decides how deep imports are: the work for each event stays bounded. */
static void test_deep(void **state)
{
	enum { N = 3000 };
	struct book b = { 0 };
	struct trace *t;
	char name[16];
	book_open(&b);
	uint32_t stack = 0;
	for (unsigned i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		stack = add_frame(b.w, stack, "/srv/deep.py", "<module>", i);
		put(&b, 0, i, "import", name, stack);
		stack = add_frame(b.w, stack, IMPORTLIB, "_find_and_load", 9);
	}
	struct import_cost *c = counted(&b, &t);
	uint32_t n, *order;
	const struct import_row *rows = import_cost_rows(c, &n);
	order = calloc(n, sizeof(*order));
	assert_int_equal(n, 200);
	assert_int_equal(rows[0].n_events, N);
	assert_int_equal(rows[0].total_ns, (N - 1) * UINT64_C(1000000));
	assert_int_equal(import_cost_sort(c, IMPORT_BY_TREE, order), n);
	free(order);
	import_cost_destroy(c);
	trace_close(t);
	unlink(b.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ticks),
		cmocka_unit_test(test_costs),
		cmocka_unit_test(test_deep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
