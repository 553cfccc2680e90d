/*
 * test_probe_hold: a thread whose event may match a hold waits in the hook, and every way out of
 * the wait: released, paused, refused, no sign of the recorder, a forked child. Each case is a
 * process of its own (probe_target.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/monotonic.h"
#include "probe_target.h"

static struct ring_hold *place_in(enum hold_state which)
{
	for (unsigned i = 0; i < RING_HOLDS; i++)
		if ((shared->holds[i].ticket & 0xff) == which)
			return &shared->holds[i];
	return NULL;
}

static struct ring_hold *await_place(enum hold_state which)
{
	struct ring_hold *at;
	while (!(at = place_in(which)))
		usleep(200);
	return at;
}

static void set_place(struct ring_hold *at, enum hold_state which)
{
	__atomic_store_n(&at->ticket, (at->ticket & ~0xffull) | which, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &at->ticket, 1 /* FUTEX_WAKE */, INT32_MAX, NULL, NULL, 0);
}

static void *beat_main(void *arg)
{
	for (;; usleep(20000))
		__atomic_fetch_add(&shared->heartbeat, 1, __ATOMIC_SEQ_CST);
	return arg;
}

static void beat(void)
{
	pthread_t t;
	if (pthread_create(&t, NULL, beat_main, NULL) != 0)
		abort();
}

static uint32_t has_returned;
static void *held_main(void *arg)
{
	raise_event();
	__atomic_store_n(&has_returned, 1, __ATOMIC_SEQ_CST);
	return arg;
}

/* A thread that waits for the recorder to match its event. */
static pthread_t start_held(struct ring_hold **ret)
{
	pthread_t t;
	target_init(0, 1);
	set_verdict("test.event", VERDICT_HOLD);
	shared->filter_on = FILTER_VERDICTS | FILTER_HOLDS;
	if (pthread_create(&t, NULL, held_main, NULL) != 0)
		abort();
	*ret = await_place(HOLD_WAITS);
	return t;
}

static void held_body(void)
{
	struct ring_hold *at;
	pthread_t t = start_held(&at);
	attend(ASK_YES);
	beat();
	expect_equal("slot", at->slot, 0);
	expect_equal("identity", at->identity, state->identity);
	while (!n_events())
		usleep(100);
	const struct record *r = (const struct record *)((uint8_t *)slot(0) + PROBE_PAGE +
							 at->head);
	expect_equal("the record names its wait", r->type << 8 | r->flags,
		     RECORD_EVENT << 8 | RECORD_HOLD);
	/* its event is seen before it has left the lane; if it waits in there, this does not end */
	while (is_inside())
		usleep(100);
	set_place(at, HOLD_HELD);
	/* more than two of its sleeps, and more than it waits for a silent recorder */
	unsigned asked = __atomic_load_n(&shared->n_asked, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shared->n_asked, __ATOMIC_SEQ_CST) < asked + 4)
		usleep(1000);
	expect_equal("returned while held", has_returned, 0);
	set_place(at, HOLD_GO);
	pthread_join(t, NULL);
	expect_equal("its place", at->ticket & 0xff, HOLD_FREE);
}

static void held_by_name_body(void)
{
	struct ring_hold *at;
	pthread_t t = start_held(&at);
	set_place(at, HOLD_GO); /* without sleep, heart beat or answer */
	pthread_join(t, NULL);
	memset(shared->verdicts, 0, sizeof(shared->verdicts));
	shared->filter_on = FILTER_VERDICTS; /* a new name does not wait */
	raise_event();
	set_verdict("test.event", VERDICT_WANTED);
	shared->filter_on = FILTER_VERDICTS | FILTER_HOLDS;
	raise_event();
	expect_equal("waits", shared->n_holds, 1);
}

/* One wait that ends by itself. */
static void held_ends(enum hold_state last)
{
	while (!__atomic_load_n(&has_returned, __ATOMIC_SEQ_CST))
		usleep(1000);
	if (last != HOLD_FREE)
		expect_equal("it says why", place_in(last) != NULL, true);
	for (unsigned i = 0; i < RING_HOLDS; i++)
		expect_equal("waits",
			     (shared->holds[i].ticket & 0xff) == HOLD_WAITS ||
				 (shared->holds[i].ticket & 0xff) == HOLD_HELD,
			     false);
}

static void held_paused_body(void)
{
	struct ring_hold *at;
	start_held(&at);
	attend(ASK_YES);
	beat();
	set_place(at, HOLD_HELD);
	shared->enabled = RING_HELD;
	held_ends(HOLD_FREE);
}

static void held_refused_body(void)
{
	struct ring_hold *at;
	start_held(&at);
	attend(ASK_NO);
	beat();
	set_place(at, HOLD_HELD);
	held_ends(HOLD_REFUSED);
}

static void held_unheard_body(void)
{
	struct ring_hold *at;
	uint64_t begin = monotonic_ns();
	start_held(&at);
	set_place(at, HOLD_HELD);
	held_ends(HOLD_UNHEARD);
	expect_equal("it waited for the recorder", monotonic_ns() - begin > 1000000000ull, true);
	expect_equal("given up", state->abandoned, 1);
	expect_equal("the clock was read outside of a lane", (uint64_t)n_clock_outside, 0);
}

/* The whole machine stands still while a thread is held: that is not the recorder's silence. */
static void held_stall_body(void)
{
	const uint64_t begin = 5000000000u, jump = 60000000000u, step = 50000000;
	struct ring_hold *at;
	clock_stands_at = begin;
	start_held(&at);
	set_place(at, HOLD_HELD);
	set_clock(begin);
	for (unsigned i = 1; i <= 3; i++)
		set_clock(begin + i * jump);
	expect_equal("returned after a stall", has_returned, 0);
	expect_equal("held", at->ticket & 0xff, HOLD_HELD);
	for (unsigned i = 1; i <= 40; i++)
		set_clock(begin + 3 * jump + i * step);
	held_ends(HOLD_UNHEARD);
}

static void no_place_body(void)
{
	target_init(0, 1);
	for (unsigned i = 0; i < RING_HOLDS; i++)
		shared->holds[i].ticket = 256 | HOLD_HELD;
	set_verdict("test.event", VERDICT_HOLD);
	raise_event();
	expect_equal("events", n_events(), 1);
	expect_equal("missed", shared->holds_missed, 1);
}

/* A handler that forks in the thread that is held: the child continues, the thread stays held. */
static uint32_t n_forks;
static pid_t held_child;
static void fork_in_handler(int sig)
{
	(void)sig;
	pid_t pid = fork();
	if (pid)
		held_child = pid;
	__atomic_fetch_add(&n_forks, 1, __ATOMIC_SEQ_CST);
}

static void held_fork_body(void)
{
	struct ring_hold *at;
	int status;
	pid_t self = getpid();
	target_init(0, 1);
	set_verdict("test.event", VERDICT_HOLD);
	signal(SIGUSR1, fork_in_handler);
	pid_t helper = fork(); /* it forks again, because the tests' own threads do not */
	if (helper == 0) {
		while (!(at = place_in(HOLD_WAITS)))
			usleep(200);
		set_place(at, HOLD_HELD);
		kill(self, SIGUSR1);
		for (unsigned i = 0; i < 20; i++, usleep(10000))
			__atomic_fetch_add(&shared->heartbeat, 1, __ATOMIC_SEQ_CST);
		expect_equal("still held", at->ticket & 0xff, HOLD_HELD);
		set_place(at, HOLD_GO);
		_exit(0);
	}
	raise_event();
	if (getpid() != self) /* the child of the handler */
		_exit(0);
	expect_equal("forked", n_forks, 1);
	waitpid(helper, &status, 0);
	expect_equal("the helper", (uint64_t)status, 0);
	waitpid(held_child, &status, 0);
	expect_equal("the child", (uint64_t)status, 0);
}

static void test_held(void **s)
{
	(void)s;
	in_process(held_body);
}

static void test_held_by_name(void **s)
{
	(void)s;
	in_process(held_by_name_body);
}

static void test_held_paused(void **s)
{
	(void)s;
	in_process(held_paused_body);
}

static void test_held_refused(void **s)
{
	(void)s;
	in_process(held_refused_body);
}

static void test_held_unheard(void **s)
{
	(void)s;
	in_process(held_unheard_body);
}

static void test_held_stall(void **s)
{
	(void)s;
	in_process(held_stall_body);
}

static void test_no_place(void **s)
{
	(void)s;
	in_process(no_place_body);
}

static void test_held_fork(void **s)
{
	(void)s;
	in_process(held_fork_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held),         cmocka_unit_test(test_held_by_name),
		cmocka_unit_test(test_held_paused),  cmocka_unit_test(test_held_refused),
		cmocka_unit_test(test_held_unheard), cmocka_unit_test(test_held_stall),
		cmocka_unit_test(test_no_place),     cmocka_unit_test(test_held_fork),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
