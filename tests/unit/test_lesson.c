#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/strbuf.h"
#include "base/value.h"
#include "capture/writer.h"
#include "model/catalog.h"
#include "model/filter.h"
#include "model/folds.h"
#include "model/lesson.h"
#include "model/own.h"
#include "model/relations.h"
#include "model/trace.h"

/* ---- a capture, written by hand ---- */

struct book {
	struct writer *w;
	uint32_t thread[3];
	uint64_t now_ns;
	char path[64];
};

static uint32_t text(struct book *b, const char *s)
{
	return writer_string(b->w, s, strlen(s));
}

/* Add the frame of a function on top of the stack `below`. */
static uint32_t call(struct book *b, uint32_t below, const char *file, const char *function,
		     uint32_t line)
{
	struct frame_info f = { .kind = FRAME_PYTHON,
				.function = text(b, function),
				.file = text(b, file),
				.line = line };

	return writer_stack(b->w, below, writer_frame(b->w, &f));
}

/* arg: one text argument, NULL for none. */
static void put_event(struct book *b, unsigned thread, const char *name, const char *arg,
		      uint32_t stack)
{
	struct strbuf value = { 0 };
	struct event_info e = { .time_ns = b->now_ns += 1000,
				.name = text(b, name),
				.thread = b->thread[thread],
				.stack = stack };

	strbuf_addc(&value, VALUE_TUPLE);
	strbuf_addc(&value, arg ? 1 : 0);
	strbuf_addc(&value, arg ? 1 : 0);
	if (arg) {
		strbuf_addc(&value, VALUE_STR);
		strbuf_addc(&value, (char)strlen(arg));
		strbuf_adds(&value, arg);
	}
	e.args = writer_value(b->w, value.s, value.n);
	writer_event(b->w, &e);
	strbuf_fini(&value);
}

static const char importlib[] = "<frozen importlib._bootstrap>";

/* 0: a program that imports, opens, forks; 1: its forked child that becomes another Python; 2: a
 * thread of the program. */
static void open_capture(struct book *b)
{
	struct writer_options options = { .creator = "test" };

	strcpy(b->path, "/tmp/auditview-test-lesson-XXXXXX");
	close(mkstemp(b->path));
	assert_null(writer_open(b->path, &options, &b->w));
	struct process_info first = { .pid = 100,
				      .ppid = 1,
				      .python_hex = 0x030c01f0,
				      .exit_status = 0,
				      .flags = PROCESS_LAUNCHED };
	struct process_info second = {
		.pid = 101, .ppid = 100, .python_hex = 0x030c01f0, .flags = PROCESS_FORKED
	};
	uint32_t p0 = writer_process(b->w, &first), p1 = writer_process(b->w, &second);
	struct thread_info t0 = { .process = p0, .tid = 100 }, t1 = { .process = p1, .tid = 101 },
			   t2 = { .process = p0, .tid = 102 };

	b->thread[0] = writer_thread(b->w, &t0);
	b->thread[1] = writer_thread(b->w, &t1);
	b->thread[2] = writer_thread(b->w, &t2);
}

static void write_capture(struct book *b)
{
	open_capture(b);
	uint32_t site = call(b, 0, "/usr/lib/python3.12/site.py", "main", 3);
	uint32_t module = call(b, 0, "/srv/app.py", "<module>", 1),
		 later = call(b, 0, "/srv/app.py", "<module>", 9);
	uint32_t loading = call(b, module, importlib, "_find_and_load", 20);
	uint32_t inner = call(b, call(b, loading, importlib, "exec_module", 30),
			      "/usr/lib/python3.12/json/__init__.py", "<module>", 4);
	uint32_t load = call(b, later, "/srv/app.py", "load", 5);

	put_event(b, 0, "import", "site", 0);                  /*  0 start-up */
	put_event(b, 0, "exec", NULL, site);                   /*  1 start-up: not from C */
	put_event(b, 0, "cpython.run_file", "/srv/app.py", 0); /*  2 start-up */
	/*  3 start-up: linecache, as in 3.13 */
	put_event(b, 0, "exec", NULL, site);
	/*  4 start-up: the program itself */
	put_event(b, 0, "exec", NULL, 0);
	put_event(b, 0, "import", "json", module);        /*  5 code */
	put_event(b, 0, "open", "json.pyc", loading);     /*  6 code, of 5 */
	put_event(b, 2, "open", "elsewhere", later);      /*  7 code, another thread */
	put_event(b, 0, "import", "json.decoder", inner); /*  8 code, of 5 */
	put_event(b, 0, "open", "orders.json", load);     /* 13 code: from -c */
	put_event(b, 0, "os.fork", NULL, later);          /* 10 code */
	put_event(b, 1, "os.exec", "python3", later);     /* 11 code, in the fork */
	put_event(b, 1, "import", "encodings", 0);        /* 12 start-up of the child */
	/* 13 code: how it was started */
	put_event(b, 1, "cpython.run_command", "pass", 0);
	put_event(b, 1, "exec", NULL, 0); /* 14 code */
	/* 15 shut-down of the child */
	put_event(b, 1, "cpython.PyInterpreterState_Clear", NULL, 0);
	/* 16 code: a subinterpreter's end */
	put_event(b, 0, "cpython.PyInterpreterState_Clear", NULL, later);
	put_event(b, 0, "open", "last.json", load);                   /* 17 code */
	put_event(b, 0, "cpython.PyInterpreterState_Clear", NULL, 0); /* 18 shut-down */
	put_event(b, 0, "cpython._PySys_ClearAuditHooks", NULL, 0);   /* 19 shut-down */
	assert_null(writer_close(b->w));
}

/* The capture of write_capture(), opened, and what in it is the program's own. */
static void open_written(struct book *b, struct trace **t, struct own *own)
{
	write_capture(b);
	assert_null(trace_open(b->path, NULL, t));
	assert_null(own_make(*t, own));
}

static void test_what_a_program_caused_itself(void **state)
{
	static const uint8_t roles[] = {
		0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 2, 1, 1, 2, 2
	};
	struct book b = { 0 };
	struct trace *t;
	struct own own;

	open_written(&b, &t, &own);
	assert_int_equal(own.n, ARRAY_LEN(roles));
	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		if (own.roles[i] != roles[i])
			fail_msg("event %zu: role %d, expected %d", i, own.roles[i], roles[i]);
	for (size_t i = 0; i < own.n; i++)
		assert_int_equal(own.imports[i], i == 6 || i == 8 ? 5 : OWN_NO_IMPORT);
	assert_int_equal(own.counts[OWN_CODE], 11);
	own_fini(&own);
	trace_close(t);
	unlink(b.path);
}

/* 3.15 raises "import" in Python code of the import system. */
static void test_imports_of_3_15(void **state)
{
	struct book b = { 0 };
	struct trace *t;
	struct own own;
	struct folds *folds;
	struct fold fold;
	double done;

	open_capture(&b);
	uint32_t first = call(&b, 0, "/srv/app.py", "<module>", 1),
		 second = call(&b, 0, "/srv/app.py", "<module>", 2);
	uint32_t looking = call(&b, first, importlib, "_find_and_load", 20),
		 loading = call(&b, first, importlib, "_find_and_load", 25);
	uint32_t module = call(&b, call(&b, loading, importlib, "exec_module", 30),
			       "/usr/lib/python3.15/json/__init__.py", "<module>", 4);
	uint32_t nested = call(&b, module, importlib, "_find_and_load", 20);

	put_event(&b, 0, "import", "json", looking);        /* 0 */
	put_event(&b, 0, "open", "json.pyc", loading);      /* 1, of 0 */
	put_event(&b, 0, "import", "json.decoder", nested); /* 2, of 0 */
	put_event(&b, 0, "exec", NULL, loading);            /* 3, of 0 */
	/* 4: the next statement */
	put_event(&b, 0, "import", "os", call(&b, second, importlib, "_find_and_load", 20));
	/* 5, of 4 */
	put_event(&b, 0, "open", "os.pyc", call(&b, second, importlib, "_find_and_load", 25));
	assert_null(writer_close(b.w));
	assert_null(trace_open(b.path, NULL, &t));
	assert_null(own_make(t, &own));
	for (uint64_t i = 0; i < own.n; i++)
		assert_int_equal(own.imports[i], i == 5 ? 4 : i >= 1 && i <= 3 ? 0 : OWN_NO_IMPORT);
	assert_null(folds_create(t, &folds));
	assert_null(folds_update(folds, NULL, UINT64_MAX, &done));
	assert_true(folds_find(folds, 0, &fold));
	assert_int_equal(fold.n_hidden, 3);
	assert_true(folds_find_member(folds, 2, &fold));
	assert_int_equal(fold.head, 0);
	assert_true(folds_find(folds, 4, &fold));
	assert_int_equal(fold.n_hidden, 1);
	assert_int_equal(relation_cause(t, 2), 0);
	assert_int_equal(relation_cause(t, 5), 4);
	folds_destroy(folds);
	own_fini(&own);
	trace_close(t);
	unlink(b.path);
}

static void test_truths(void **state)
{
	static const struct {
		enum lesson_answer kind;
		const char *arg, *filter, *truth; /* truth NULL: none */
	} rows[] = {
		{ LESSON_NUMBER, NULL, "open", "4" },
		{ LESSON_GUESS, NULL, "event", "11" },
		{ LESSON_NUMBER, NULL, "exec", "1" },
		{ LESSON_YES, NULL, "os.fork", "yes" },
		/* start-up is not counted as the program's */
		{ LESSON_YES, NULL, "cpython.run_file", "no" },
		{ LESSON_EVENT, NULL, "os.*", "os.fork" },
		{ LESSON_FUNCTION, NULL, "args contains \"orders\"", "load" },
		{ LESSON_ARG, "path", "open", "json.pyc" },
		{ LESSON_LAST, "path", "open", "last.json" },
		{ LESSON_LAST, "0", "open", "last.json" },
		{ LESSON_ARG, "path", "socket.connect", NULL },
		{ LESSON_ARG, "nonsense", "open", NULL },
		{ LESSON_NUMBER, NULL, "open and (", NULL },
	};
	struct book b = { 0 };
	struct trace *t;
	struct own own;

	open_written(&b, &t, &own);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lesson_step s = { .kind = rows[i].kind,
					 .arg = rows[i].arg,
					 .truth_filter = rows[i].filter };
		struct strbuf truth = { 0 };
		struct err *err = lesson_truth(&s, t, &own, &truth);

		assert_true((err == NULL) == (rows[i].truth != NULL));
		if (!err)
			assert_string_equal(strbuf_str(&truth), rows[i].truth);
		err_destroy(err);
		strbuf_fini(&truth);
	}
	/* the list on the screen shows the start-up, too */
	struct lesson_step started = { .kind = LESSON_NUMBER, .truth_filter = "cpython.run_file" };
	struct strbuf own_truth = { 0 }, all = { 0 };
	assert_null(lesson_truth(&started, t, &own, &own_truth));
	assert_null(lesson_truth_of_all(&started, t, &all));
	assert_string_equal(strbuf_str(&own_truth), "0");
	assert_string_equal(strbuf_str(&all), "1");
	strbuf_fini(&own_truth);
	strbuf_fini(&all);
	own_fini(&own);
	trace_close(t);
	unlink(b.path);
}

static void test_answers(void **state)
{
	static const struct {
		enum lesson_answer kind;
		const char *truth, *answer;
		bool is_right;
	} rows[] = {
		{ LESSON_NUMBER, "24", "24", true },
		{ LESSON_NUMBER, "24", " 24 ", true },
		{ LESSON_NUMBER, "24", "2", false },
		{ LESSON_NUMBER, "24", "4", false },
		{ LESSON_NUMBER, "24", "", false },
		{ LESSON_GUESS, "24", "5", true },
		{ LESSON_GUESS, "24", "many", false },
		{ LESSON_GUESS, "24", "", false },
		{ LESSON_YES, "yes", "Y", true },
		{ LESSON_YES, "yes", "no", false },
		{ LESSON_YES, "no", "n", true },
		{ LESSON_YES, "no", "none at all", false },
		{ LESSON_FUNCTION, "load", "load()", true },
		{ LESSON_FUNCTION, "load", "oad", false },
		{ LESSON_FUNCTION, "Shop.load", "load", true },
		{ LESSON_ARG, "/srv/.env", ".env", true },
		{ LESSON_ARG, "/srv/.env", "\"/srv/.env\"", true },
		{ LESSON_ARG, "/srv/.env", "env", true },
		{ LESSON_EVENT, "os.remove", "OS.Remove", true },
		{ LESSON_EVENT, "os.remove", "os.rename", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lesson_step s = { .kind = rows[i].kind };

		if (lesson_is_right(&s, rows[i].truth, rows[i].answer) != rows[i].is_right)
			fail_msg("%s for %s", rows[i].answer, rows[i].truth);
	}
}

static void test_every_lesson_is_whole(void **state)
{
	assert_true(n_lessons >= 8);
	assert_null(lesson_find(0));
	assert_null(lesson_find((int)n_lessons + 1));
	for (size_t i = 0; i < n_lessons; i++) {
		const struct lesson *l = &lessons[i];

		assert_ptr_equal(lesson_find((int)i + 1), l);
		assert_true(l->n_steps >= 3);
		for (size_t k = 0; k < l->n_steps; k++) {
			const struct lesson_step *s = &l->steps[k];
			const char *filters[] = { s->filter, strcmp(s->truth_filter, "event")
								 ? s->truth_filter
								 : "" };
			struct strbuf after = { 0 };

			for (size_t f = 0; f < 2; f++) {
				struct filter *filter = NULL;
				struct err *err = filters[f] ? filter_compile(filters[f],
									      strlen(filters[f]),
									      NULL, &filter)
							     : NULL;

				if (err)
					fail_msg("lesson %zu, step %zu: %s: %s", i + 1, k + 1,
						 filters[f], err->message);
				filter_destroy(filter);
			}
			lesson_after(&after, s, "42");
			assert_null(strstr(after.s, "{answer}"));
			strbuf_fini(&after);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_program_caused_itself),
		cmocka_unit_test(test_imports_of_3_15),
		cmocka_unit_test(test_truths),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_every_lesson_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
