/*
 * test_lineup: slots that are read while others write to them. The writers here follow the probe's
 * rules (probe.c, event_write) in plain memory: each event goes to whatever slot is free, its time
 * is read before it is published, and some wait in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "base/attr.h"
#include "probe/abi.h"
#include "recorder/lineup.h"

/* ---- one look ---- */

static void test_look(void **state)
{
	const uint64_t none = UINT64_MAX;
	const struct {
		const char *name;
		uint64_t writing, time, head, flight;
	} cases[] = {
		{ "never written to", 0, 70, 0, none },
		{ "its first event is in flight, time not read yet", 1, 70, 0, 70 },
		{ "its first event is in flight", 1, 80, 0, 80 },
		{ "published", 1, 80, 64, none },
		{ "the next is in flight", 65, 90, 64, 90 },
		{ "published, and others after it", 65, 95, 640, none },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ring_slot slot = { .writing = cases[i].writing,
					  .time = cases[i].time,
					  .head = cases[i].head };
		struct slot_look look = lineup_look(&slot);
		if (look.flight != cases[i].flight || !guest_is64(look.head, cases[i].head))
			fail_msg("%s: flight %llu", cases[i].name, (unsigned long long)look.flight);
	}
}

/* ---- the heap ---- */

static void test_order(void **state)
{
	enum { ITEMS = 300, RECORDS = 40 };
	struct lineup l = { 0 };
	uint64_t next[ITEMS], last = 0;
	size_t n_left[ITEMS], n = 0;
	(void)state;
	srand(1);
	for (size_t i = 0; i < ITEMS; i++) {
		next[i] = (uint64_t)rand() % 1000;
		n_left[i] = RECORDS;
		assert_true(lineup_add(&l, next[i], i));
	}
	for (const struct lineup_entry *e; (e = lineup_first(&l, UINT64_MAX)); n++) {
		size_t i = e->item;
		assert_int_equal(e->time, next[i]);
		assert_true(e->time >= last);
		assert_null(e->time ? lineup_first(&l, e->time - 1) : NULL);
		last = e->time;
		next[i] += (uint64_t)rand() % 50;
		if (--n_left[i])
			lineup_first_again(&l, next[i]);
		else
			lineup_first_done(&l);
	}
	assert_int_equal(n, ITEMS * RECORDS);
	lineup_fini(&l);
}

/* ---- writers that run ---- */

enum { LANES = 4, THREADS = 6, EVENTS = 20000, TOTAL = THREADS * EVENTS };
#define SLACK_NS 10000ull

struct event {
	uint64_t time;
	uint32_t thread, n;
};
static struct lane {
	uint32_t lock;
	struct ring_slot slot; /* head and writing count in events of 8 */
	struct event events[TOTAL];
} lanes[LANES];
static uint32_t n_running;

static uint64_t now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void *writer(void *arg)
{
	uint32_t thread = (uint32_t)(uintptr_t)arg, seed = thread + 1;
	uint64_t last = 0;
	for (uint32_t n = 0; n < EVENTS; n++) {
		struct lane *lane;
		uint32_t is_free;
		do {
			seed = seed * 1664525u + 1013904223u;
			lane = &lanes[(seed >> 16) % LANES];
			is_free = 0;
		} while (!__atomic_compare_exchange_n(&lane->lock, &is_free, 1, false,
						      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
		struct ring_slot *slot = &lane->slot;
		__atomic_store_n(&slot->writing, slot->head + 1, __ATOMIC_RELAXED);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		uint64_t time = now();
		if (time <= last)
			time = last + 1;
		last = time;
		if (seed % 64 == 0) /* its time is read, but this is not visible yet */
			sched_yield();
		__atomic_store_n(&slot->time, time, __ATOMIC_RELAXED);
		lane->events[slot->head / 8] = (struct event){ time, thread, n };
		if (seed % 64 == 1)
			sched_yield();
		__atomic_store_n(&slot->head, slot->head + 8, __ATOMIC_RELEASE);
		__atomic_store_n(&lane->lock, 0, __ATOMIC_RELEASE);
	}
	__atomic_fetch_sub(&n_running, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Everything is returned once, each thread's events in their order, and all in the order of their
 * times. */
static void test_running(void **state)
{
	pthread_t threads[THREADS];
	uint64_t tails[LANES] = { 0 }, heads[LANES], last = 0;
	uint32_t next[THREADS] = { 0 };
	size_t n = 0;
	struct lineup l = { 0 };
	(void)state;
	n_running = THREADS;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, writer, (void *)i), 0);
	for (bool is_end = false; !is_end;) {
		is_end = __atomic_load_n(&n_running, __ATOMIC_ACQUIRE) == 0;
		uint64_t limit = now() - SLACK_NS;
		for (size_t i = 0; i < LANES; i++) {
			struct slot_look look = lineup_look(&lanes[i].slot);
			heads[i] = guest_shown64(look.head);
			if (look.flight < limit)
				limit = look.flight;
		}
		if (is_end)
			limit = UINT64_MAX;
		for (size_t i = 0; i < LANES; i++)
			if (tails[i] < heads[i])
				assert_true(lineup_add(&l, lanes[i].events[tails[i] / 8].time, i));
		for (const struct lineup_entry *e; (e = lineup_first(&l, limit)); n++) {
			size_t i = e->item;
			const struct event *event = &lanes[i].events[tails[i] / 8];
			if (event->n != next[event->thread])
				fail_msg("thread %u: event %u where %u was due", event->thread,
					 event->n, next[event->thread]);
			next[event->thread]++;
			assert_true(event->time >= last);
			last = event->time;
			tails[i] += 8;
			if (tails[i] < heads[i])
				lineup_first_again(&l, lanes[i].events[tails[i] / 8].time);
			else
				lineup_first_done(&l);
		}
		l.n = 0;
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(n, TOTAL);
	lineup_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_running),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
