/*
 * test_looks: guesses about values, the file that bytes came from, and the environment of a child
 * compared with its parent's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "capture_util.h"
#include "model/arguments.h"
#include "model/environment.h"
#include "model/looks.h"
#include "model/trace.h"

static void test_looks_like(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum value_tag tag;
		const char *want; /* NULL: no guess */
	} rows[] = {
		{ "\xe3\0\0\0\0\0\0\0\0\0\0\0\0\a\0", 15, VALUE_BYTES_CUT,
		  "a code object of Python 3.12" },
		{ "c\0\0\0\0\0\0\0\0\0\0\0\0\0", 14, VALUE_BYTES, "a code object of Python 3.12" },
		{ "cat", 3, VALUE_BYTES, NULL },
		{ "\xcb\r\r\n\0\0\0\0", 8, VALUE_BYTES, "a .pyc file" },
		{ "\x80\x04\x95\x10\0\0\0\0\0\0\0", 11, VALUE_BYTES, "a pickle, protocol 4" },
		{ "\x80\x02]q\0.", 6, VALUE_BYTES, "a pickle, protocol 2" },
		{ "\x80\x09]q\0.", 6, VALUE_BYTES, NULL },
		{ "\x1f\x8b\x08\0", 4, VALUE_BYTES, "a gzip stream" },
		{ "\x7f"
		  "ELF\2\1",
		  6, VALUE_BYTES, "an ELF program or library" },
		{ "SQLite format 3\0", 16, VALUE_BYTES, "an SQLite database" },
		{ "{\"id\": 7}", 9, VALUE_BYTES, "JSON" },
		{ "[1, 2]", 6, VALUE_STR, NULL },
		{ "[{\"a\": 1}]", 10, VALUE_STR, "JSON" },
		{ "{not json", 9, VALUE_STR, NULL },
		{ "GET /orders/7 HTTP/1.1", 22, VALUE_STR, "an HTTP request" },
		{ "d41d8cd98f00b204e9800998ecf8427e", 32, VALUE_STR, "an MD5 digest, or a UUID" },
		{ "123e4567-e89b-12d3-a456-426614174000", 36, VALUE_STR, "a UUID" },
		{ "/usr/lib/python3.12/json/decoder/whatever/and/more12", 52, VALUE_STR, NULL },
		{ "aGVsbG8gd29ybGQhIEhvdyBhcmUgeW91IHRvZGF5PyBmMQ==", 48, VALUE_STR, "base64" },
		{ "the quick brown fox jumps over the lazy dog", 43, VALUE_STR, NULL },
		{ "", 0, VALUE_STR, NULL },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* an exact copy, so that a sanitizer sees a read beyond its end */
		uint8_t *tight = malloc(rows[i].n ? rows[i].n : 1);
		memcpy(tight, rows[i].bytes, rows[i].n);
		struct value_node v = { .tag = rows[i].tag,
					.bytes = tight,
					.n_bytes = rows[i].n,
					.full = rows[i].tag == VALUE_BYTES_CUT ? 23457
									       : rows[i].n };
		struct strbuf b = { 0 };
		bool said = looks_like(&b, &v, 12);
		if (said != (rows[i].want != NULL) ||
		    (said && strcmp(strbuf_str(&b), rows[i].want)))
			fail_msg("row %zu: \"%s\", expected \"%s\"", i, strbuf_str(&b),
				 rows[i].want ? rows[i].want : "(nothing)");
		strbuf_fini(&b);
		free(tight);
	}
	assert_string_equal(looks_port(5432), "postgresql");
	assert_null(looks_port(8077));
	assert_null(looks_port(-1));
}

static uint32_t text(struct writer *w, const char *s)
{
	return writer_string(w, s, strlen(s));
}

static uint32_t value_of(struct writer *w, struct strbuf *b)
{
	uint32_t id = writer_value(w, b->s, b->n);
	strbuf_fini(b);
	return id;
}

static void put_dict(struct strbuf *b, const char *const *items)
{
	unsigned n = 0;
	while (items[n])
		n++;
	put_container(b, VALUE_DICT, n / 2, n / 2);
	for (unsigned i = 0; i < n; i++)
		put_str(b, items[i]);
}

static void event(struct writer *w, uint64_t time_ns, const char *name, struct strbuf *args)
{
	struct event_info e = { .time_ns = time_ns,
				.name = text(w, name),
				.args = value_of(w, args) };
	writer_event(w, &e);
}

static void two(struct writer *w, uint64_t time_ns, const char *name, const char *a, const char *b)
{
	struct strbuf args = { 0 };
	put_container(&args, VALUE_TUPLE, b ? 2 : 1, b ? 2 : 1);
	put_str(&args, a);
	if (b)
		put_str(&args, b);
	event(w, time_ns, name, &args);
}

static const char *const parent[] = { "HOME", "/srv", "LANG", "en", "OLD", "1", "GONE", "x", NULL };
static const char *const child[] = { "HOME", "/srv",  "LANG", "C", "NEW", "2",
				     "SET",  "later", "GONE", "x", NULL };

static struct trace *make(char *path)
{
	strcpy(path, "/tmp/auditview-looks-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	struct writer_options options = { .creator = "test" };
	struct writer *w = NULL;
	must(writer_open(path, &options, &w));
	struct strbuf b = { 0 };
	put_dict(&b, parent);
	struct process_info p = {
		.pid = 1, .python_hex = 0x030c00f0, .exit_status = -1, .environ = value_of(w, &b)
	};
	writer_process(w, &p);
	struct thread_info t = { .process = 0, .tid = 1 };
	writer_thread(w, &t);
	two(w, 1000, "os.putenv", "SET", "later");
	two(w, 2000, "os.unsetenv", "GONE", NULL);
	struct strbuf args = { 0 };
	put_container(&args, VALUE_TUPLE, 4, 4);
	put_str(&args, "true");
	put_container(&args, VALUE_LIST, 0, 0);
	strbuf_addc(&args, VALUE_NONE);
	put_dict(&args, child);
	event(w, 3000, "subprocess.Popen", &args);
	two(w, 4000, "os.putenv", "SET", "too late");
	two(w, 5000, "open", "/lib/a.cpython-312.pyc", "r");
	two(w, 6000, "marshal.loads", "(the bytes)", NULL);
	two(w, 7000, "open", "/lib/data.txt", "r");
	two(w, 8000, "marshal.loads", "(the bytes)", NULL);
	two(w, 9000, "open", "/lib/b.cpython-312.pyc", "r");
	two(w, 3000009000, "marshal.loads", "(long after)", NULL);
	must(writer_close(w));
	struct trace *trace = NULL;
	must(trace_open(path, NULL, &trace));
	return trace;
}

static void test_environment(void **state)
{
	char path[64];
	struct trace *t = make(path);
	struct event e;
	struct arguments all;
	struct argument arg;
	assert_true(trace_event(t, 2, &e));
	arguments_init(&all, t, &e);
	for (int i = 0; i < 3; i++) {
		assert_true(arguments_next(&all, &arg));
		arguments_skip(&all, &arg);
	}
	assert_true(arguments_next(&all, &arg));
	struct environment_diff d;
	bool known;
	struct value_node dict = arg.value;
	must(environment_diff(t, &e, &all.it, &dict, &d, &known));
	assert_true(known);
	static const struct {
		enum environment_change change;
		const char *name, *own;
	} want[] = {
		{ ENVIRONMENT_NEW, "NEW", NULL },
		{ ENVIRONMENT_NEW, "GONE", NULL }, /* it was unset before */
		{ ENVIRONMENT_CHANGED, "LANG", "\"en\"" },
		{ ENVIRONMENT_MISSING, "OLD", "\"1\"" },
		{ ENVIRONMENT_SAME, "HOME", "\"/srv\"" },
		/* set since the start; what was set later does not count */
		{ ENVIRONMENT_SAME, "SET", "\"later\"" },
	};
	assert_int_equal(d.rows.n, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(d.rows.v[i].change, want[i].change);
		assert_string_equal(d.rows.v[i].name, want[i].name);
		if (want[i].own)
			assert_string_equal(d.rows.v[i].own, want[i].own);
		else
			assert_null(d.rows.v[i].own);
	}
	environment_diff_fini(&d);
	/* a dictionary of which the capture has only a part: a missing variable may only be cut */
	dict.full += 3;
	must(environment_diff(t, &e, &all.it, &dict, &d, &known));
	assert_int_equal(d.counts[ENVIRONMENT_MISSING], 0);
	environment_diff_fini(&d);
	trace_close(t);
	unlink(path);
}

static void test_opened(void **state)
{
	char path[64];
	struct trace *t = make(path);
	struct event e;
	static const struct {
		uint64_t seq, from;
	} want[] = { { 5, 4 }, { 7, UINT64_MAX }, { 9, UINT64_MAX }, { 4, UINT64_MAX } };
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_true(trace_event(t, want[i].seq, &e));
		assert_int_equal(looks_opened(t, &e), want[i].from);
	}
	trace_close(t);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_looks_like),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_opened),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
