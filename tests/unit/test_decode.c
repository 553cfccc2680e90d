/*
 * test_decode: which threads a decoder keeps: those that live, and those whose last records may
 * still arrive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/value.h"
#include "capture/writer.h"
#include "model/trace.h"
#include "model/trace_task.h"
#include "probe/abi.h"
#include "recorder/decoder.h"

#define N_THREADS    20000u
#define N_ALIVE      50u
#define THREADS_TOLD 70000u /* more than a decoder keeps */

struct world {
	struct writer *writer;
	struct decoder *decoder;
	uint32_t first_alive; /* thread ids below it have ended; 0: none */
	unsigned n_names;     /* requests for a name */
	unsigned n_ids;       /* requests for the ids without the name */
	bool is_wanted;
	char path[64]; /* of the capture */
	bool has_time;
};

static bool thread_name(void *ctx, uint32_t tid, uint32_t *ret_host_tid, uint32_t *ret_ns_tid,
			uint32_t *ret_name)
{
	*ret_ns_tid = tid;
	struct world *w = ctx;
	*ret_host_tid = tid;
	if (!ret_name) {
		w->n_ids++;
		return true;
	}
	if (!w->has_time)
		return false;
	w->n_names++;
	*ret_name = tid % 2 ? writer_string(w->writer, "worker", 6) : 0;
	return true;
}

static bool thread_is_over(void *ctx, uint32_t tid)
{
	return tid < ((struct world *)ctx)->first_alive;
}

static bool wants(void *ctx, const char *name, uint32_t n_bytes)
{
	(void)name;
	(void)n_bytes;
	return ((struct world *)ctx)->is_wanted;
}

static void world_init(struct world *w, bool can_tell)
{
	const struct writer_options options = { .creator = "test", .no_compress = true };
	struct process_info process = { .pid = 1, .exit_status = -1 };
	*w = (struct world){ .has_time = true,
			     .is_wanted = true,
			     .path = "/tmp/auditview-decode-XXXXXX" };
	int fd = mkstemp(w->path);
	assert_true(fd >= 0);
	close(fd);
	assert_null(writer_open(w->path, &options, &w->writer));
	struct decoder_options o = { .writer = w->writer,
				     .minor = 12,
				     .process = writer_process(w->writer, &process),
				     .thread_name = thread_name,
				     .thread_is_over = can_tell ? thread_is_over : NULL,
				     .wants = wants,
				     .ctx = w };
	assert_null(decoder_create(&o, &w->decoder));
}

static void world_close(struct world *w)
{
	decoder_destroy(w->decoder);
	assert_null(writer_close(w->writer));
}

static void world_fini(struct world *w)
{
	world_close(w);
	unlink(w->path);
}

/* Raise an event that carries the name of its thread: `value`, with n_bytes as the length that the
 * record gives. */
static bool raise_named(struct world *w, uint32_t tid, uint32_t interpreter, const void *value,
			uint32_t n_bytes)
{
	struct {
		struct record_event e;
		char name[8];
		uint8_t args[8];
		uint8_t thread[1024];
	} r = { .e = { .r = { .size = sizeof(r), .type = RECORD_EVENT },
		       .tid = tid,
		       .interpreter = interpreter,
		       .name_bytes = 3,
		       .args_bytes = 3,
		       .thread_name_bytes = (uint16_t)n_bytes },
		.name = "x.y",
		.args = { VALUE_TUPLE, 0, 0 } };
	memcpy(r.thread, value, n_bytes < sizeof(r.thread) ? n_bytes : sizeof(r.thread));
	return decoder_event(w->decoder, &r.e.r, sizeof(r), tid);
}

static bool raise_str(struct world *w, uint32_t tid, uint32_t interpreter, const char *name)
{
	uint8_t value[1024] = { VALUE_STR };
	size_t n = strlen(name), at = 1;
	for (size_t v = n;; v >>= 7) {
		value[at++] = (uint8_t)(v >= 0x80 ? v | 0x80 : v);
		if (v < 0x80)
			break;
	}
	memcpy(value + at, name, n);
	return raise_named(w, tid, interpreter, value, (uint32_t)(at + n));
}

static void raise_event(struct world *w, uint32_t tid)
{
	struct {
		struct record_event e;
		char name[8];
		uint8_t args[8];
	} r = { .e = { .r = { .size = sizeof(r), .type = RECORD_EVENT },
		       .tid = tid,
		       .name_bytes = 3,
		       .args_bytes = 3 },
		.name = "x.y",
		.args = { VALUE_TUPLE, 0, 0 } };
	uint64_t before = decoder_n_events(w->decoder);
	decoder_event(w->decoder, &r.e.r, sizeof(r), tid);
	assert_int_equal(decoder_n_events(w->decoder), before + 1);
}

/* Raise an event in a task. n_bytes 0: the same task as before. */
static bool raise_task(struct world *w, const void *task, size_t n_bytes)
{
	struct {
		struct record_event e;
		char name[8];
		uint8_t args[8];
		uint8_t task[1024];
	} r = { .e = { .r = { .size = sizeof(r), .type = RECORD_EVENT, .flags = RECORD_TASK },
		       .tid = 7,
		       .name_bytes = 3,
		       .args_bytes = 3,
		       .task_bytes = (uint16_t)n_bytes },
		.name = "x.y",
		.args = { VALUE_TUPLE, 0, 0 } };
	memcpy(r.task, task, n_bytes < sizeof(r.task) ? n_bytes : sizeof(r.task));
	return decoder_event(w->decoder, &r.e.r, sizeof(r), 7);
}

/* Threads start and end without end: the decoder keeps those that live, and some that have just
 * ended. */
static void test_short_threads(void **state)
{
	struct world w;
	world_init(&w, true);
	for (uint32_t tid = 1; tid <= N_THREADS; tid++) {
		raise_event(&w, tid);
		w.first_alive = tid > N_ALIVE ? tid - N_ALIVE : 0;
		if (tid % 100 == 0)
			decoder_refresh_threads(w.decoder, true);
		assert_true(decoder_n_threads(w.decoder) <= N_ALIVE + 300);
	}
	assert_true(w.n_names < 2 * N_THREADS); /* an ended thread's name is not requested again */
	world_fini(&w);
}

/* An ended thread whose records are still in the ring keeps its entry, and so its place in the
 * capture. */
static void test_undrained(void **state)
{
	struct world w;
	world_init(&w, true);
	raise_event(&w, 7);
	raise_event(&w, 8);
	w.first_alive = 8;
	for (int i = 0; i < 5; i++)
		decoder_refresh_threads(w.decoder, false);
	assert_int_equal(decoder_n_threads(w.decoder), 2);
	raise_event(&w, 7);
	assert_int_equal(decoder_n_threads(w.decoder), 2);
	decoder_refresh_threads(w.decoder, true);
	assert_int_equal(decoder_n_threads(w.decoder), 1);
	raise_event(&w, 7); /* the same number again, for another thread */
	assert_int_equal(decoder_n_threads(w.decoder), 2);
	world_fini(&w);
}

/* The first refresh that finds it ended may be the one that learns that everything is drained: that
 * was before its end. */
static void test_ended_meanwhile(void **state)
{
	struct world w;
	world_init(&w, true);
	raise_event(&w, 7);
	w.first_alive = 8;
	decoder_refresh_threads(w.decoder, true);
	assert_int_equal(decoder_n_threads(w.decoder), 1);
	decoder_refresh_threads(w.decoder, true);
	assert_int_equal(decoder_n_threads(w.decoder), 0);
	world_fini(&w);
}

/* If it is unknown which threads have ended (another pid namespace), the number of kept threads
 * still has a bound. */
static void test_unknown_ends(void **state)
{
	struct world w;
	world_init(&w, false);
	for (uint32_t tid = 1; tid <= N_THREADS; tid++) {
		raise_event(&w, tid);
		if (tid % 100 == 0)
			decoder_refresh_threads(w.decoder, true);
	}
	assert_in_range(decoder_n_threads(w.decoder), N_ALIVE, 5000);
	world_fini(&w);
}

/* A name that there was no time to read is requested later, as often as if it had never been
 * requested. */
static void test_no_time(void **state)
{
	struct world w;
	world_init(&w, true);
	w.has_time = false;
	raise_event(&w, 7);
	for (int i = 0; i < 100; i++)
		decoder_refresh_threads(w.decoder, true);
	assert_int_equal(w.n_names, 0);
	w.has_time = true;
	decoder_refresh_threads(w.decoder, true);
	assert_int_equal(w.n_names, 1);
	decoder_refresh_threads(w.decoder, true);
	assert_int_equal(w.n_names, 1); /* it has a name now */
	raise_event(&w, 8);
	for (int i = 0; i < 100; i++)
		decoder_refresh_threads(w.decoder, true);
	/* thread 8 has no name, and the requests for it must end */
	assert_in_range(w.n_names, 3, 20);
	world_fini(&w);
}

/* Compare the names in the capture; ends the world. */
static void expect_names(struct world *w, const char *const *names, uint32_t n)
{
	struct trace *t = NULL;
	world_close(w);
	assert_null(trace_open(w->path, NULL, &t));
	assert_int_equal(trace_n_threads(t), n);
	for (uint32_t i = 0; i < n; i++) {
		size_t n_bytes;
		const char *s = trace_string(t, trace_thread(t, i)->name, &n_bytes);
		assert_int_equal(n_bytes, strlen(names[i]));
		assert_memory_equal(s ? s : "", names[i], n_bytes);
	}
	trace_close(t);
	unlink(w->path);
}

/* The name of a thread that reports it is not searched for in the target; only its ids are. */
static void test_told(void **state)
{
	struct world w;
	world_init(&w, true);
	for (uint32_t tid = 1; tid <= 500; tid++)
		assert_true(raise_str(&w, tid, 0, "told"));
	assert_int_equal(w.n_names, 0);
	assert_int_equal(w.n_ids, 500);
	decoder_refresh_threads(w.decoder, true);
	assert_int_equal(w.n_names, 0);
	const char *names[500];
	for (size_t i = 0; i < 500; i++)
		names[i] = "told";
	expect_names(&w, names, 500);
}

/* The last name is kept, wherever the thread's entry goes: at a refresh, when it is forgotten, at
 * the end. A name that the thread reports replaces one that was read from outside. */
static void test_renamed(void **state)
{
	struct world w;
	world_init(&w, true);
	raise_event(&w, 1); /* "worker" */
	assert_true(raise_str(&w, 1, 0, "one"));
	assert_true(raise_str(&w, 2, 0, "first"));
	assert_true(raise_str(&w, 2, 0, "two"));
	decoder_refresh_threads(w.decoder, true);
	assert_true(raise_str(&w, 3, 0, "first"));
	assert_true(raise_str(&w, 3, 0, "three"));
	w.first_alive = 4;
	decoder_refresh_threads(w.decoder, true);
	decoder_refresh_threads(w.decoder, true);
	assert_int_equal(decoder_n_threads(w.decoder), 0);
	assert_true(raise_str(&w, 4, 0, "first"));
	assert_true(raise_str(&w, 4, 0, "four"));
	raise_event(&w, 4);
	expect_names(&w, (const char *const[]){ "one", "two", "three", "four" }, 4);
}

/* The event that carries the name may be one that is not wanted: then the thread is not in the
 * capture, and once it is, it has its name. */
static void test_unwanted(void **state)
{
	struct world w;
	world_init(&w, true);
	w.is_wanted = false;
	assert_true(raise_str(&w, 7, 0, "seven"));
	assert_true(raise_str(&w, 8, 0, "eight"));
	w.is_wanted =
	    true; /* decided once per name and decoder: another decoder of the same process */
	struct decoder *first = w.decoder;
	struct decoder_options o = { .writer = w.writer,
				     .minor = 12,
				     .thread_name = thread_name,
				     .wants = wants,
				     .ctx = &w,
				     .kin = first };
	assert_null(decoder_create(&o, &w.decoder));
	raise_event(&w, 8);
	assert_int_equal(w.n_names, 0);
	decoder_destroy(first);
	expect_names(&w, (const char *const[]){ "eight" }, 1);
}

/* A thread that enters another interpreter keeps its name, unless it has another one there. */
static void test_interpreters(void **state)
{
	struct world w;
	world_init(&w, true);
	assert_true(raise_str(&w, 6, 0, "six"));
	assert_true(raise_named(&w, 6, 1, "", 0));
	assert_true(raise_str(&w, 6, 2, "other"));
	assert_true(raise_named(&w, 8, 1, "", 0)); /* the callback has no name for it */
	assert_int_equal(w.n_names, 1);
	expect_names(&w, (const char *const[]){ "six", "six", "other", "" }, 4);
}

/* Records that our probe does not write. */
static void test_malformed(void **state)
{
	static const struct {
		const char *bytes;
		uint32_t n;
	} bad[] = {
		{ "\x08\x04"
		  "ab",
		  4 },         /* longer than the value */
		{ "\x08", 1 }, /* no length */
		{ "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12 },
		{ "\x05\x02", 2 }, /* a number */
		{ "\x00\x00", 2 },
		{ "\x08\x00", 4096 }, /* longer than the record */
		{ "\x08\x00", UINT32_MAX },
		{ "\x08\x00", UINT32_MAX - 7 },
	};
	struct world w;
	world_init(&w, true);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t value[1024] = { 0 };
		memcpy(value, bad[i].bytes, bad[i].n < 16 ? bad[i].n : 2);
		if (value[0] == 8)
			value[0] = VALUE_STR;
		assert_false(raise_named(&w, 9, 0, value, bad[i].n));
	}
	char text[400];
	memset(text, 'n', sizeof(text));
	text[THREAD_NAME_MAX + 1] = 0;
	assert_false(raise_str(&w, 9, 0, text));
	assert_int_equal(decoder_n_bad(w.decoder), sizeof(bad) / sizeof(bad[0]) + 1);
	text[THREAD_NAME_MAX] = 0;
	assert_true(raise_str(&w, 9, 0, text));
	expect_names(&w, (const char *const[]){ text }, 1);
}

/* A target that invents threads without end, and renames three that it has: the oldest are
 * forgotten, but their last names are kept. */
static void test_many_names(void **state)
{
	struct world w;
	struct trace *t = NULL;
	size_t n_bytes;
	world_init(&w, true);
	for (uint32_t i = 0; i < THREADS_TOLD; i++) {
		if (i < 1000)
			assert_true(raise_str(&w, 1 + i % 3, 0, i < 990 ? "ping" : "pong"));
		assert_true(raise_str(&w, 1000 + i, 0, "x"));
	}
	assert_in_range(decoder_n_threads(w.decoder), 30000, 66000);
	world_close(&w);
	assert_null(trace_open(w.path, NULL, &t));
	for (uint32_t i = 0, n_pongs = 0; i < 6; i++) {
		const char *s = trace_string(t, trace_thread(t, i)->name, &n_bytes);
		n_pongs += n_bytes == 4 && !memcmp(s, "pong", 4);
		assert_true(i < 5 || n_pongs == 3);
	}
	trace_close(t);
	unlink(w.path);
}

#define TASK_A "\x10\x03\x03\x09\x01\x61\x05\x40\x10\x00\x00" /* a, id 32 */
#define TASK_B                                                                                     \
	"\x10\x03\x03\x0a\x05\x02\x62\x62\x05\x02\x10\x02\x02\x09\x01\x61\x00" /* cut; a, and one */
#define TASK_BYTES(text) text, sizeof(text) - 1

static void expect_task(struct trace *t, uint64_t row, const char *name, int64_t id,
			uint32_t n_awaited)
{
	struct event e;
	struct trace_task task;
	assert_true(trace_event(t, row, &e));
	assert_int_equal(trace_task(t, e.task, &task), name != NULL);
	if (!name)
		return;
	assert_int_equal(task.n_name, strlen(name));
	assert_memory_equal(task.name, name, task.n_name);
	assert_int_equal(task.id, id);
	assert_int_equal(task.n_awaited, n_awaited);
}

/* A task is written with the first of its events, and again after another one: also if the event
 * that carried it is not wanted. */
static void test_tasks(void **state)
{
	struct world w;
	struct trace *t = NULL;
	world_init(&w, true);
	assert_true(raise_task(&w, "", 0)); /* its first event was lost */
	assert_true(raise_task(&w, TASK_BYTES(TASK_A)));
	assert_true(raise_task(&w, "", 0));
	raise_event(&w, 7); /* without a task */
	assert_true(raise_task(&w, "", 0));
	assert_true(raise_task(&w, TASK_BYTES(TASK_B)));
	assert_true(raise_task(&w, "", 0));
	world_close(&w);
	assert_null(trace_open(w.path, NULL, &t));
	expect_task(t, 0, NULL, 0, 0);
	expect_task(t, 1, "a", 32, 0);
	expect_task(t, 2, "a", 32, 0);
	expect_task(t, 3, NULL, 0, 0);
	expect_task(t, 4, "a", 32, 0);
	expect_task(t, 5, "bb\u2026", 1, 2);
	expect_task(t, 6, "bb\u2026", 1, 2);
	trace_close(t);
	unlink(w.path);
}

/* Every cut and every changed byte of a task is either read or refused. */
static void test_bad_tasks(void **state)
{
	struct world w;
	uint64_t n = 0, n_good = 0;
	world_init(&w, true);
	for (size_t i = 0; i < sizeof(TASK_B) - 1; i++)
		for (unsigned v = 0; v < 256; v++, n++) {
			uint8_t bytes[] = TASK_B;
			bytes[i] = (uint8_t)v;
			n_good += raise_task(&w, bytes, sizeof(bytes) - 1);
		}
	for (size_t i = 1; i < sizeof(TASK_B) - 1; i++, n++)
		assert_false(raise_task(&w, TASK_B, i));
	uint8_t more[1024] = TASK_B; /* as much as a record has, of which it says more */
	assert_false(raise_task(&w, more, UINT16_MAX));
	assert_int_equal(decoder_n_bad(w.decoder), n + 1 - n_good);
	assert_true(n_good > 300 && n_good < n / 2);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_threads),   cmocka_unit_test(test_undrained),
		cmocka_unit_test(test_ended_meanwhile), cmocka_unit_test(test_unknown_ends),
		cmocka_unit_test(test_no_time),         cmocka_unit_test(test_told),
		cmocka_unit_test(test_renamed),         cmocka_unit_test(test_unwanted),
		cmocka_unit_test(test_interpreters),    cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_many_names),      cmocka_unit_test(test_tasks),
		cmocka_unit_test(test_bad_tasks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
