/*
 * test_decode: what a decoder keeps of threads: those that live, and those whose last records may
 * still come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/value.h"
#include "capture/writer.h"
#include "probe/abi.h"
#include "recorder/decode.h"

#define N_THREADS 20000u
#define N_ALIVE   50u

struct world {
	struct writer *writer;
	struct decoder *decoder;
	uint32_t first_alive; /* thread ids below it have ended; 0: none */
	unsigned n_names;     /* asked for */
	bool has_time;
};

static bool thread_name(void *ctx, uint32_t tid, uint32_t *ret_host_tid, uint32_t *ret_ns_tid,
			uint32_t *ret_name)
{
	*ret_ns_tid = tid;
	struct world *w = ctx;
	*ret_host_tid = tid;
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

static void world_init(struct world *w, bool can_tell)
{
	const struct writer_options options = { .creator = "test", .no_compress = true };
	struct process_info process = { .pid = 1, .exit_status = -1 };
	*w = (struct world){ .has_time = true };
	assert_null(writer_open("/dev/null", &options, &w->writer));
	struct decoder_options o = { .writer = w->writer,
				     .minor = 12,
				     .process = writer_process(w->writer, &process),
				     .thread_name = thread_name,
				     .thread_is_over = can_tell ? thread_is_over : NULL,
				     .ctx = w };
	assert_null(decoder_create(&o, &w->decoder));
}

static void world_fini(struct world *w)
{
	decoder_destroy(w->decoder);
	assert_null(writer_close(w->writer));
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

/* One after the other without end: as many are kept as live, and some that have just ended. */
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
	assert_true(w.n_names < 2 * N_THREADS); /* who has ended is not asked for again */
	world_fini(&w);
}

/* An ended thread whose records are still in the ring keeps its line, and so its place in the
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
	raise_event(&w, 7); /* the same number again: another thread */
	assert_int_equal(decoder_n_threads(w.decoder), 2);
	world_fini(&w);
}

/* The first refresh that sees it ended may be the one that is told all is drained: that was before.
 */
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

/* Nobody can tell which have ended (another pid namespace): still there is an end to it. */
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

/* A name that there was no time for is asked for later, as often as if it had never been asked for.
 */
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
	assert_int_equal(w.n_names, 1); /* it has one now */
	raise_event(&w, 8);
	for (int i = 0; i < 100; i++)
		decoder_refresh_threads(w.decoder, true);
	assert_in_range(w.n_names, 3, 20); /* 8 has none, and is not asked for without end */
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_threads),   cmocka_unit_test(test_undrained),
		cmocka_unit_test(test_ended_meanwhile), cmocka_unit_test(test_unknown_ends),
		cmocka_unit_test(test_no_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
