/*
 * The variables of held threads: what was written is read by event and frame, and values of other
 * shapes are no variables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "capture_util.h"
#include "model/trace.h"
#include "model/trace_locals.h"

static char path[256];

static struct writer *begin(unsigned n_events)
{
	struct writer *w = test_writer(test_path(path, sizeof(path), "trace_locals"));
	writer_process(w, &(struct process_info){ .pid = 1, .exit_status = -1 });
	writer_thread(w, &(struct thread_info){ .tid = 1 });
	for (unsigned i = 0; i < n_events; i++)
		writer_event(w,
			     &(struct event_info){ .time_ns = i, .name = add_string(w, "open") });
	return w;
}

/* A frame; n < 0: its variables are not known. */
static void put_frame(struct strbuf *b, const char *function, int n)
{
	put_container(b, VALUE_DICT, 4, 4);
	put_str(b, "func");
	put_str(b, function);
	put_str(b, "file");
	put_str(b, "/srv/app.py");
	put_str(b, "line");
	put_int(b, 12);
	put_str(b, "vars");
	if (n < 0) {
		strbuf_addc(b, VALUE_NONE);
		return;
	}
	put_container(b, VALUE_DICT, (uint64_t)n, (uint64_t)n);
	for (int i = 0; i < n; i++) {
		put_str(b, i ? "na\033me" : "path");
		put_str(b, i ? "two\n" : "/etc/motd");
	}
}

static uint32_t add_value(struct writer *w, struct strbuf *b)
{
	uint32_t value = writer_value(w, b->s, b->n);
	strbuf_fini(b);
	return value;
}

static void what_was_written(void **state)
{
	(void)state;
	struct writer *w = begin(3);
	must(writer_flush(w)); /* the event is in the file before its variables are read */
	struct strbuf b = { 0 }, other = { 0 }, text = { 0 };
	put_container(&b, VALUE_LIST, 9, 2); /* outer frames are cut off */
	put_frame(&b, "ma\nin", 2);
	put_frame(&b, "outer", -1);
	writer_event_locals(w, 1, add_value(w, &b));
	assert_true(writer_has_news(w));
	put_container(&other, VALUE_LIST, 0, 0);
	writer_event_locals(w, 1, add_value(w, &other)); /* an event has one */
	writer_event_locals(w, 3, 1);                    /* there is no such event */
	writer_event_locals(w, 2, 0);
	struct trace *t = test_trace(w, path);
	struct trace_locals_frame f;
	assert_int_equal(trace_locals(t, 0), 0);
	assert_int_equal(trace_locals(t, 2), 0);
	assert_int_equal(trace_locals(t, 3), 0);
	assert_false(trace_locals_frame(t, 0, 0, "", &f, NULL));
	assert_true(trace_locals_frame(t, 1, 0, "  ", &f, &text));
	assert_string_equal(strbuf_str(&text),
			    "  path = \"/etc/motd\"\n  na\\x1bme = \"two\\n\"\n");
	assert_true(f.is_readable && f.line == 12 && f.n_function == 5);
	assert_memory_equal(f.function, "ma\nin", 5);
	strbuf_clear(&text);
	assert_true(trace_locals_frame(t, 1, 1, "", &f, &text));
	assert_false(f.is_readable);
	assert_int_equal(f.n_file, 11);
	assert_string_equal(strbuf_str(&text), "");
	assert_false(trace_locals_frame(t, 1, 2, "", &f, &text));
	assert_null(trace_damage(t));
	strbuf_fini(&text);
	trace_close(t);
}

static void other_shapes(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t n;
	} shapes[] = {
#define SHAPE(text) { text, sizeof(text) - 1 }
		SHAPE("\x09\x01j"),                                    /* a text */
		SHAPE("\x0f\x01\x01\x13\x00\x00"),                     /* a tuple */
		SHAPE("\x10\x01\x01\x01"),                             /* a frame is None */
		SHAPE("\x10\x01\x01\x13\x00\x00"),                     /* a frame without members */
		SHAPE("\x10\x01\x01\x13\x01\x01\x09\x04vars\x05\x02"), /* variables are a number */
		SHAPE("\x10\x01\x01\x13\x01\x01\x13\x00\x00\x13\x00\x00"), /* a key is a dict */
		SHAPE("\x10\x01\x01\x13\x02\x02\x09\x04vars\x13\x01\x01"), /* it ends early */
		SHAPE("\x10\x01\x01\x13\x01\x01\x09\x04line\x05\x01"),     /* line -1 */
#undef SHAPE
	};
	struct writer *w = begin(ARRAY_LEN(shapes) + 1);
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		writer_event_locals(w, i, writer_value(w, shapes[i].bytes, shapes[i].n));
	writer_event_locals(w, ARRAY_LEN(shapes), 4000000000u); /* no such value */
	struct trace *t = test_trace(w, path);
	for (uint64_t i = 0; i <= ARRAY_LEN(shapes); i++)
		for (uint32_t k = 0; k < 3; k++) {
			struct trace_locals_frame f = { .line = 0 };
			struct strbuf text = { 0 };
			bool is_frame = trace_locals_frame(t, i, k, "", &f, &text);
			assert_true(!is_frame || (k == 0 && !f.line));
			assert_int_equal(is_frame, k == 0 && i >= 3 && i < ARRAY_LEN(shapes));
			assert_true(strlen(strbuf_str(&text)) < 20);
			strbuf_fini(&text);
		}
	trace_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written),
		cmocka_unit_test(other_shapes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
