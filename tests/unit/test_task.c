/*
 * The column of asyncio tasks: what was written is read, a capture without tasks has no column, and
 * values of other shapes are no tasks, which is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "capture_util.h"
#include "model/trace.h"
#include "model/trace_task.h"

static char path[256];

/* [name, id, [awaited_by …]], of which `more` were not kept */
static uint32_t add_task(struct writer *w, const char *name, int64_t id, const char *const *chain,
			 uint64_t n, uint64_t more)
{
	struct strbuf b = { 0 };
	put_container(&b, VALUE_LIST, 3, 3);
	put_str(&b, name);
	put_int(&b, id);
	put_container(&b, VALUE_LIST, n + more, n);
	for (uint64_t i = 0; i < n; i++)
		put_str(&b, chain ? chain[i] : "x");
	uint32_t value = writer_value(w, b.s, b.n);
	strbuf_fini(&b);
	return value;
}

static void add_event_of(struct writer *w, uint32_t task)
{
	struct event_info e = { .time_ns = 1, .name = add_string(w, "open"), .task = task };
	writer_event(w, &e);
}

static struct writer *begin(void)
{
	struct writer *w = test_writer(test_path(path, sizeof(path), "task"));
	writer_process(w, &(struct process_info){ .pid = 1, .exit_status = -1 });
	writer_thread(w, &(struct thread_info){ .tid = 1 });
	return w;
}

static uint32_t task_at(struct trace *t, uint64_t seq)
{
	struct event e;
	assert_true(trace_event(t, seq, &e));
	return e.task;
}

static void what_was_written(void **state)
{
	(void)state;
	static const char *const chain[] = { "job-2", "ma\nin" };
	struct writer *w = begin();
	add_event_of(w, add_task(w, "job-1", 0x7fff12345678, chain, 2, 0));
	add_event_of(w, 0);
	must(writer_flush(w)); /* a block without the column between blocks that have it */
	add_event_of(w, 0);
	must(writer_flush(w));
	add_event_of(w, add_task(w, "job-1", 7, NULL, 0, 3));
	struct trace *t = test_trace(w, path);
	struct trace_task task;
	const char *name;
	size_t n;
	assert_true(trace_task(t, task_at(t, 0), &task));
	assert_int_equal(task.n_name, 5);
	assert_memory_equal(task.name, "job-1", 5);
	assert_int_equal(task.id, 0x7fff12345678);
	assert_int_equal(task.n_awaited, 2);
	assert_int_equal(task.n_more, 0);
	for (int i = 0; i < 2; i++) {
		assert_true(trace_task_next(&task, &name, &n));
		assert_int_equal(n, strlen(chain[i]));
		assert_memory_equal(name, chain[i], n);
	}
	assert_false(trace_task_next(&task, &name, &n));
	assert_int_equal(task_at(t, 1), 0);
	assert_int_equal(task_at(t, 2), 0);
	assert_false(trace_task(t, 0, &task));
	assert_true(trace_task(t, task_at(t, 3), &task));
	assert_int_equal(task.n_more, 3);
	assert_int_equal(trace_task_name(t, task_at(t, 0)), 1);
	assert_int_equal(trace_task_name(t, task_at(t, 3)), 1);
	assert_int_equal(trace_task_name(t, 0), 0);
	assert_string_equal(trace_task_name_text(t, 1, &n), "job-1");
	assert_null(trace_damage(t));
	trace_close(t);
}

/* A capture of events without tasks has the size that it would have without the column. */
static void no_task_no_bytes(void **state)
{
	(void)state;
	uint64_t n_bytes[2];
	for (int with = 0; with < 2; with++) {
		struct writer *w = begin();
		uint32_t task = add_task(w, "job-1", 1, NULL, 0, 0);
		for (uint32_t i = 0; i < 1000; i++)
			add_event_of(w, with ? task : 0);
		must(writer_flush(w));
		n_bytes[with] = writer_n_bytes(w);
		struct trace *t = test_trace(w, path);
		assert_true((trace_chunk(t, 0)->task != NULL) == with);
		trace_close(t);
	}
	assert_true(n_bytes[0] < n_bytes[1]);
}

static void other_shapes(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t n;
	} shapes[] = {
#define SHAPE(text) { text, sizeof(text) - 1 }
		SHAPE("\x09\x01j"),                                     /* a name alone */
		SHAPE("\x10\x02\x02\x09\x01j\x05\x02"),                 /* no chain */
		SHAPE("\x10\x04\x03\x09\x01j\x09\x01j\x10\x00\x00"),    /* the id is a text */
		SHAPE("\x10\x03\x03\x05\x02\x05\x02\x10\x00\x00"),      /* the name is a number */
		SHAPE("\x10\x03\x03\x0a\x05\x01j\x05\x02\x10\x00\x00"), /* the name is cut */
		SHAPE("\x10\x03\x03\x09\x01j\x05\x02\x0f\x00\x00"),     /* the chain is a tuple */
		SHAPE("\x10\x03\x03\x09\x01j\x05\x02\x10\x02\x02\x09\x01m\x01"), /* None waits */
		SHAPE("\x10\x04\x04\x09\x01j\x05\x02\x10\x00\x00\x01"), /* one part too many */
		SHAPE("\x0f\x03\x03\x09\x01j\x05\x02\x10\x00\x00"),     /* a tuple */
#undef SHAPE
	};
	struct writer *w = begin();
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		add_event_of(w, writer_value(w, shapes[i].bytes, shapes[i].n));
	add_event_of(w, 4000000000u); /* no such value */
	add_event_of(w, add_task(w, "x", 1, NULL, 65537, 0));
	add_event_of(w, add_task(w, "", 1, NULL, 10000, 0));
	struct trace *t = test_trace(w, path);
	struct trace_task task;
	assert_null(trace_damage(t));
	for (uint64_t i = 0; i < ARRAY_LEN(shapes); i++) {
		assert_false(trace_task(t, task_at(t, i), &task));
		assert_int_equal(trace_task_name(t, task_at(t, i)), 0);
	}
	assert_int_equal(task_at(t, ARRAY_LEN(shapes)), 0);
	assert_false(trace_task(t, task_at(t, ARRAY_LEN(shapes) + 1), &task));
	assert_true(trace_task(t, task_at(t, ARRAY_LEN(shapes) + 2), &task));
	assert_int_equal(task.n_awaited, 10000);
	assert_int_equal(task.n_name, 0);
	char said[100];
	snprintf(said, sizeof(said), "%zu tasks are malformed and were left out",
		 ARRAY_LEN(shapes) + 1);
	assert_string_equal(trace_damage(t), said);
	trace_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written),
		cmocka_unit_test(no_task_no_bytes),
		cmocka_unit_test(other_shapes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
