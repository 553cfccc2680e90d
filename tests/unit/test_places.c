/*
 * What the recorder does with the places of a ring where threads ask and wait (probe/ticket.h). The
 * ring is on the heap, and no thread of a target is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/ticket.h"
#include "recorder/asks.h"
#include "recorder/holds.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"

#define PLACE   3
#define LONG_NS (3600ull * 1000000000)

struct desk {
	struct recorder r;
	struct tap tap;
	struct link link;
	struct ring_shared shared;
};

static struct desk *desk_new(void)
{
	struct desk *d = calloc(1, sizeof(*d));
	assert_non_null(d);
	d->link.ring.shared = &d->shared;
	d->tap.link = &d->link;
	assert_true(vec_push(&d->r.taps, &d->tap));
	return d;
}

static void desk_destroy(struct desk *d)
{
	free(d->tap.asks);
	free(d->tap.holds);
	vec_fini(&d->r.taps);
	free(d);
}

/* The recorder looks, a long time passes, and it looks again. Returns the state then. */
static unsigned ask_later(struct desk *d, uint64_t *at)
{
	__atomic_fetch_add(&d->shared.n_asked, 1, __ATOMIC_RELEASE);
	asks_answer(&d->r);
	assert_non_null(d->tap.asks);
	for (size_t i = 0; i < RING_ASKS; i++)
		d->tap.asks[i].since_ns -= LONG_NS;
	__atomic_fetch_add(&d->shared.n_asked, 1, __ATOMIC_RELEASE);
	asks_answer(&d->r);
	return (unsigned)(__atomic_load_n(at, __ATOMIC_ACQUIRE) & TICKET_STATES);
}

static unsigned hold_later(struct desk *d, uint64_t *at)
{
	d->r.holds.was_on = true;
	__atomic_fetch_add(&d->shared.n_holds, 1, __ATOMIC_RELEASE);
	holds_poll(&d->r);
	d->r.holds.watched_ns += LONG_NS;
	__atomic_fetch_add(&d->shared.n_holds, 1, __ATOMIC_RELEASE);
	holds_poll(&d->r);
	return (unsigned)(__atomic_load_n(at, __ATOMIC_ACQUIRE) & TICKET_STATES);
}

/* A thread that is stopped while it writes its question keeps the place: another one would find its
 * question overwritten, and the recorder would answer about the wrong thread. */
static void test_a_place_that_is_written_is_kept(void **state)
{
	struct desk *d = desk_new();
	uint64_t *ask = &d->shared.asks[PLACE].ticket, *hold = &d->shared.holds[PLACE].ticket;
	uint64_t asked = ticket_take(ask, ASK_FREE, ASK_TAKEN);
	uint64_t held = ticket_take(hold, HOLD_FREE, HOLD_TAKEN);
	(void)state;
	assert_int_equal(ask_later(d, ask), ASK_TAKEN);
	assert_int_equal(hold_later(d, hold), HOLD_TAKEN);
	assert_int_equal(ticket_take(ask, ASK_FREE, ASK_TAKEN), 0);
	assert_int_equal(ticket_take(hold, HOLD_FREE, HOLD_TAKEN), 0);
	/* it continues */
	assert_true(ticket_change(ask, asked, ticket_in(asked, ASK_WAITS)));
	assert_true(ticket_change(hold, held, ticket_in(held, HOLD_WAITS)));
	assert_int_equal(ask_later(d, ask), ASK_NO); /* no process has that identity */
	desk_destroy(d);
}

/* A thread that was killed never takes its answer: the place is free again, under a ticket that an
 * older thread cannot use. */
static void test_an_answer_that_nobody_takes_is_withdrawn(void **state)
{
	static const unsigned answers[] = { ASK_YES, ASK_NO };
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct desk *d = desk_new();
		uint64_t *ask = &d->shared.asks[PLACE].ticket;
		uint64_t mine = ticket_take(ask, ASK_FREE, ASK_TAKEN);
		assert_true(ticket_change(ask, mine, ticket_in(mine, answers[i])));
		assert_int_equal(ask_later(d, ask), ASK_FREE);
		assert_false(ticket_change(ask, ticket_in(mine, answers[i]), mine));
		desk_destroy(d);
	}
	static const unsigned ends[] = { HOLD_GO, HOLD_UNHEARD, HOLD_REFUSED };
	for (size_t i = 0; i < 3; i++) {
		struct desk *d = desk_new();
		uint64_t *hold = &d->shared.holds[PLACE].ticket;
		uint64_t mine = ticket_take(hold, HOLD_FREE, HOLD_TAKEN);
		assert_true(ticket_change(hold, mine, ticket_in(mine, ends[i])));
		assert_int_equal(hold_later(d, hold), HOLD_FREE);
		desk_destroy(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_place_that_is_written_is_kept),
		cmocka_unit_test(test_an_answer_that_nobody_takes_is_withdrawn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
