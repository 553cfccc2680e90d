/*
 * test_probe: the probe's code as it is placed in a target, here in a process that is not Python: a
 * made-up thread state, events without arguments, and threads that do in the middle of an event
 * what those of a target can do. Each case is a process of its own: if the probe hangs, an alarm
 * ends that process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/attr.h"
#include "base/monotonic.h"
#include "probe/abi.h"
#include "probe_cpu.h"
#include "probe_target.h"
#include "recorder/recorder_private.h"

static sem_t is_there, may_go;

static void wait_sem(sem_t *s)
{
	while (sem_wait(s) < 0 && errno == EINTR)
		;
}

static _Thread_local bool is_holder;
static void block_if_holder(void)
{
	if (!is_holder)
		return;
	sem_post(&is_there);
	wait_sem(&may_go);
}

static void *holder_main(void *arg)
{
	(void)arg;
	is_holder = true;
	raise_event();
	return NULL;
}

static pthread_t start_holder(void)
{
	pthread_t t;
	sem_init(&is_there, 0, 0);
	sem_init(&may_go, 0, 0);
	in_event = block_if_holder;
	if (pthread_create(&t, NULL, holder_main, NULL) != 0)
		abort();
	wait_sem(&is_there);
	return t;
}

/* ---- an event ---- */

static void event_body(void)
{
	target_init(0, 1);
	raise_event();
	raise_event();
	expect_equal("events", n_events(), 2);
	expect_equal("lost", shared->lost_unserved, 0);
	expect_equal("pid", slot(0)->pid, (uint64_t)getpid());
	expect_equal("lane is held", is_inside(), false);
}

static void test_event(void **s)
{
	(void)s;
	in_process(event_body);
}

/* ---- names ---- */

static void raise_named(const char *name)
{
	int (*hook)(const char *, void *, void *) = (int (*)(const char *, void *, void *))(
	    (uint8_t *)ctx + PROBE_BLOB_OFF);
	expect_equal("the hook's answer", (uint64_t)hook(name, NULL, ctx), 0);
}

/* Names of each length, which end at the last byte that is mapped, and at each place in a word. */
static void names_body(void)
{
	target_init(0, 1);
	uint8_t *pages = mmap(NULL, 2 * PROBE_PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED || mprotect(pages + PROBE_PAGE, PROBE_PAGE, PROT_NONE) < 0)
		abort();
	uint64_t at = 0;
	for (uint32_t n = 0; n <= 40; n++)
		for (uint32_t before_end = 0; before_end < 9; before_end++) {
			char *name = (char *)pages + PROBE_PAGE - 1 - before_end - n;
			memset(pages, 0xff, PROBE_PAGE);
			for (uint32_t i = 0; i < n; i++)
				name[i] = (char)('A' + i);
			name[n] = 0;
			raise_named(name);
			const uint8_t *record = (const uint8_t *)slot(0) + PROBE_PAGE + at;
			struct record_event e;
			memcpy(&e, record, sizeof(e));
			expect_equal("type", e.r.type, RECORD_EVENT);
			expect_equal("bytes of the name", e.name_bytes, n);
			expect_equal("hash", e.name_hash, (uint32_t)name_hash(name, n));
			expect_equal("name", !memcmp(record + sizeof(e), name, n), true);
			for (uint32_t i = n; i % 8; i++)
				expect_equal("padding", record[sizeof(e) + i], 0);
			at += e.r.size;
			expect_equal("head", slot(0)->head, at);
		}
}

static void test_names(void **s)
{
	(void)s;
	in_process(names_body);
}

/* ---- an event in the middle of an event ---- */

static unsigned depth;
static void raise_another(void)
{
	if (depth++ == 0)
		raise_event();
}

static uint32_t nested_flags;
static void nested_body(void)
{
	target_init(nested_flags, 1);
	in_event = raise_another;
	raise_event();
	expect_equal("events", n_events(), 1);
	expect_equal("lost", shared->lost_unserved, 1);
	expect_equal("lane is held", is_inside(), false);
	raise_event();
	expect_equal("events", n_events(), 2);
}

/* An event raised by a C signal handler on top of the probe, or by a getter of an embedding
 * program. It is lost, and nothing waits; also if the tid is unknown: with another libc than glibc
 * and musl. */
static void test_nested(void **s)
{
	static const uint32_t flags[] = { 0, PROBE_TID_UNKNOWN };
	(void)s;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		nested_flags = flags[i];
		in_process(nested_body);
	}
}

/* ---- a thread that does not come out ---- */

static enum ask_state stuck_answer;
static void stuck_body(void)
{
	enum { MORE = 300 };
	target_init(0, 1);
	if (stuck_answer != ASK_FREE)
		attend(stuck_answer);
	raise_event();
	pthread_t t = start_holder();
	for (unsigned i = 0; i < MORE; i++)
		raise_event();
	expect_equal("events", n_events(), 1);
	expect_equal("lost", shared->lost_unserved, MORE);
	sem_post(&may_go);
	pthread_join(t, NULL);
	raise_event();
	expect_equal("events once it came out", n_events(), 3);
	expect_equal("lost", shared->lost_unserved, MORE);
}

static void test_stuck(void **s)
{
	static const enum ask_state answers[] = { ASK_YES, ASK_NO, ASK_FREE /* none */ };
	(void)s;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		stuck_answer = answers[i];
		in_process(stuck_body);
	}
}

/* A thread that waits for room because the recorder is slow does not count as such: a thread that
 * waits for its lane loses nothing. */
static void *fill_main(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&slot(0)->waiting, __ATOMIC_SEQ_CST) && slot(0)->head < SLOT_BYTES)
		raise_event();
	return NULL;
}

static void *one_main(void *arg)
{
	(void)arg;
	raise_event();
	return NULL;
}

static void room_body(void)
{
	enum { BEATS = 30 };
	pthread_t filler, other;
	target_init(0, 1);
	attend(ASK_YES);
	raise_event();
	if (pthread_create(&filler, NULL, fill_main, NULL) != 0)
		abort();
	while (!__atomic_load_n(&slot(0)->waiting, __ATOMIC_SEQ_CST))
		sched_yield();
	if (pthread_create(&other, NULL, one_main, NULL) != 0)
		abort();
	for (unsigned i = 0; i < BEATS; i++) {
		__atomic_fetch_add(&shared->heartbeat, 1, __ATOMIC_SEQ_CST);
		usleep(100000);
	}
	drain();
	pthread_join(filler, NULL);
	pthread_join(other, NULL);
	expect_equal("lost", shared->lost_unserved + slot(0)->n_dropped, 0);
	/* a sleep lasts 100 ms at most */
	expect_equal("asked before each sleep", n_answered >= BEATS / 2, true);
}

static void test_room(void **s)
{
	(void)s;
	in_process(room_body);
}

/* The whole machine stands still while a thread waits for room: that is not the recorder's
 * fault. */
static void stall_body(void)
{
	const uint64_t begin = 5000000000u, jump = 60000000000u, step = 50000000;
	pthread_t filler;
	target_init(0, 1);
	clock_stands_at = begin;
	raise_event();
	if (pthread_create(&filler, NULL, fill_main, NULL) != 0)
		abort();
	while (!__atomic_load_n(&slot(0)->waiting, __ATOMIC_SEQ_CST))
		sched_yield();
	set_clock(begin);
	for (unsigned i = 1; i <= 3; i++)
		set_clock(begin + i * jump);
	expect_equal("given up after a stall", state->abandoned, 0);
	for (unsigned i = 1; i <= 40; i++)
		set_clock(begin + 3 * jump + i * step);
	expect_equal("given up after 2 s", state->abandoned, 1);
}

static void test_stall(void **s)
{
	(void)s;
	in_process(stall_body);
}

/* ---- a real-time thread ---- */

static int goes_on; /* the other thread waits for the lane */
static void dawdle_if_holder(void)
{
	if (!is_holder)
		return;
	sem_post(&is_there);
	while (!__atomic_load_n(&goes_on, __ATOMIC_SEQ_CST))
		sched_yield();
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The thread that answers needs a processor that the real-time thread does not use. */
static void attend_elsewhere(const cpu_set_t *all, const cpu_set_t *but)
{
	cpu_set_t others;
	CPU_XOR(&others, all, but);
	if (!CPU_COUNT(&others)) {
		fprintf(stderr, "there is one processor only\n");
		_exit(77);
	}
	if (sched_setaffinity(0, sizeof(others), &others) < 0)
		abort();
	attend(ASK_YES);
	if (sched_setaffinity(0, sizeof(*but), but) < 0)
		abort();
}

/* It shares one processor with the lane's holder, which runs only while the real-time thread
 * sleeps. (The kernel reserves a twentieth of each second for others, sched(7), so the lane would
 * become free in any case, but not before 950 ms of processor time are spent on waiting.) */
static void priority_body(void)
{
	pthread_t t;
	cpu_set_t cpus, one;
	struct sched_param first = { .sched_priority = 1 };
	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		abort();
	for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &cpus))
			CPU_SET(i, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		abort();
	target_init(0, 1);
	attend_elsewhere(&cpus, &one);
	raise_event();
	sem_init(&is_there, 0, 0);
	in_event = dawdle_if_holder;
	if (pthread_create(&t, NULL, holder_main, NULL) != 0)
		abort();
	wait_sem(&is_there);
	if (sched_setscheduler(0, SCHED_FIFO, &first) < 0) {
		fprintf(stderr, "no real-time priority is to be had here: %s\n", strerror(errno));
		_exit(77);
	}
	__atomic_store_n(&goes_on, 1, __ATOMIC_SEQ_CST);
	uint64_t before = cpu_ns();
	raise_event();
	uint64_t spent_ms = (cpu_ns() - before) / 1000000;
	pthread_join(t, NULL);
	expect_equal("events", n_events(), 3);
	if (spent_ms >= 200) {
		fprintf(stderr, "%llu ms of processor time spent on waiting\n",
			(unsigned long long)spent_ms);
		_exit(1);
	}
}

static void test_priority(void **s)
{
	(void)s;
	in_process(priority_body);
}

/* ---- killed while it waited for a slot ---- */

static void killed_body(void)
{
	target_init(0, 1);
	for (uint32_t i = 0; i < N_SLOTS; i++)
		slot(i)->state = SLOT_ACTIVE;
	attend(ASK_YES);
	pid_t pid = fork();
	if (pid == 0) {
		state->identity = (uint64_t)getpid() << 32 | 1;
		state->is_known = 1;
		raise_event();
		_exit(0);
	}
	struct ring ring = { .shared = shared };
	while (!ring_is_waited_for(&ring))
		usleep(1000);
	for (unsigned i = 0; i < 2; i++) { /* it continues to wait, and counts as long as it does */
		uint32_t seen = shared->slot_waited;
		ring_beat(&ring);
		while (__atomic_load_n(&shared->slot_waited, __ATOMIC_SEQ_CST) == seen)
			usleep(1000);
		expect_equal("waits", ring_is_waited_for(&ring), true);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (unsigned i = 0; i < 10; i++)
		ring_beat(&ring);
	expect_equal("the dead wait", ring_is_waited_for(&ring), false);
}

static void test_killed(void **s)
{
	(void)s;
	in_process(killed_body);
}

/* ---- calls out of the probe ---- */

static void clock_body(void)
{
	target_init(PROBE_CLOCK_RING, 1);
	raise_event();
	shared->heartbeat = 7;
	state->abandoned_beat = 7;
	state->abandoned = 1;
	for (unsigned i = 0; i < 3; i++)
		raise_event();
	expect_equal("lost", slot(0)->n_dropped, 3);
	shared->heartbeat = 8;
	raise_event();
	expect_equal("events", n_events(), 2);
	expect_equal("calls from outside of a lane", (uint64_t)n_clock_outside, 0);
	expect_equal("other clocks", (uint64_t)n_clock_others, 0);
}

/* The recorder that removes the probe reads where threads are, and which of them are in a lane
 * (visit/quiet.c): a thread that has left the probe's code for the clock's, and will return, must
 * be in a lane. */
static void test_clock(void **s)
{
	(void)s;
	in_process(clock_body);
}

/* ---- no system call ---- */

/* Under a filter that kills for every call except those of this test itself; the events that find
 * no room are counted. */
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

static void install_filter(void)
{
	if (IS_SANITIZED) {
		fprintf(stderr, "the sanitizer makes system calls of its own, which the filter "
				"would not allow\n");
		_exit(77);
	}
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	const struct sock_fprog program = { ARRAY_LEN(code), code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		fprintf(stderr, "no seccomp filter is to be had here: %s\n", strerror(errno));
		_exit(77);
	}
}

static enum ask_state filter_answer;
static void filter_body(void)
{
	enum { EVENTS = 50000 };
	target_init(PROBE_CLOCK_RING, 2);
	if (filter_answer != ASK_FREE)
		attend(filter_answer);
	install_filter();
	for (unsigned i = 0; i < EVENTS; i++)
		raise_event();
	uint64_t lost = slot(0)->n_dropped + shared->lost_unserved, kept = n_events();
	expect_equal("kept and lost", kept + lost, EVENTS);
	expect_equal("the ring was full", lost > 100, true);
	expect_equal("asked", n_answered, filter_answer != ASK_FREE);
}

static void test_filter(void **s)
{
	static const enum ask_state answers[] = { ASK_NO, ASK_FREE /* none */ };
	(void)s;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		filter_answer = answers[i];
		in_process(filter_body);
	}
}

/* A forked child that does not know its pid may not even ask: its tid in memory can be its parent's
 * (raw clone). */
static void untold_body(void)
{
	target_init(PROBE_CLOCK_RING, 1);
	attend(ASK_YES);
	raise_event();
	pid_t pid = fork();
	if (pid == 0) {
		install_filter();
		for (unsigned i = 0; i < 50000; i++)
			raise_event();
		_exit(state->n_slots == 1 ? 0 : 1);
	}
	int status;
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		_exit(77);
	expect_equal("status of the child", (uint64_t)status, 0);
	expect_equal("asked", n_answered, 0);
}

static void test_untold(void **s)
{
	(void)s;
	in_process(untold_body);
}

/* ---- the clock of the ring ---- */

static uint64_t last_time(void)
{
	return slot(0)->time;
}

static void ring_clock_body(void)
{
	target_init(PROBE_CLOCK_RING, 1);
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	shared->ticks_per_ns = 3ull << 32;
	shared->ticks[0] = shared->ticks[1] = (struct ring_tick){
		(uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec, 1000
	};
	shared->now = 5000;
	uint64_t before = 0;
	for (unsigned i = 0; i < 100; i++, before = last_time()) {
		raise_event();
		expect_equal("later than the one before",
			     last_time() > before && last_time() > 5000, true);
	}
	usleep(50000); /* the recorder does not read the ring: the time advances all the same */
	raise_event();
	uint64_t passed = (last_time() - 1000) / 3;
	expect_equal("time that has passed", passed > 30000000 && passed < 60000000000u, true);
	/* the clock of another namespace would hold the time back */
	shared->now = before = last_time() + 1000000000000u;
	raise_event();
	expect_equal("never back", last_time(), before + 4);
	/* A process whose earlier events have time stamps of the TSC. */
	slot(0)->time = before + 5000;
	ctx->flags |= PROBE_CLOCK_CHANGED;
	raise_event();
	expect_equal("later than by the TSC", last_time(), before + 5004);
}

static void test_ring_clock(void **s)
{
	(void)s;
	in_process(ring_clock_body);
}

/* ---- events that are only counted ---- */

static uint64_t count_in(uint32_t i, uint32_t place)
{
	const uint8_t *first = (const uint8_t *)shared + ctx->counts_off;
	uint64_t n;
	memcpy(&n, first + i * COUNTS_BYTES + 8 * place, sizeof(n));
	return n;
}

enum { EACH = 100000, COUNTERS = 6 };
static void *count_main(void *arg)
{
	for (unsigned i = 0; i < EACH; i++)
		raise_event();
	return arg;
}

static uint32_t count_lanes;
static void count_body(void)
{
	pthread_t threads[COUNTERS];
	target_init(0, count_lanes);
	ctx->layout.free_threaded = count_lanes > 1;
	raise_event(); /* the name is new: it is written down, without arguments */
	uint32_t place = set_verdict("test.event", VERDICT_COUNTED);
	set_verdict("no.such.event", VERDICT_COUNTED);
	for (unsigned i = 0; i < COUNTERS; i++)
		if (pthread_create(&threads[i], NULL, count_main, NULL) != 0)
			abort();
	for (unsigned i = 0; i < COUNTERS; i++)
		pthread_join(threads[i], NULL);
	uint64_t n = 0;
	for (uint32_t i = 0; i < N_SLOTS; i++)
		for (uint32_t k = 0; k < VERDICT_COUNT; k++)
			n += k == place ? count_in(i, k) : count_in(i, k) << 32;
	expect_equal("counted", n, (uint64_t)COUNTERS * EACH);
	expect_equal("written down", n_events(), 1);
	expect_equal("lost", shared->lost_unserved, 0);
	/* A forked child counts in a slot of its own, and what it counted outlives it. */
	pid_t pid = fork();
	if (pid == 0) {
		raise_event();
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, NULL, 0);
	uint32_t own = 0;
	while (own < N_SLOTS && slot(own)->pid != (uint32_t)pid)
		own++;
	expect_equal("the child has a slot", own < N_SLOTS, true);
	expect_equal("counted in the child", count_in(own, place), 1);
	shared->enabled = RING_HELD;
	raise_event();
	shared->enabled = RING_ON;
	raise_event();
	uint64_t more = 0;
	for (uint32_t i = 0; i < N_SLOTS; i++)
		more += count_in(i, place);
	expect_equal("counted while held", more, n + 2);
}

/* Under a GIL, where interpreters with a GIL of their own share one lane, and with several
 * lanes. */
static void test_counted(void **s)
{
	(void)s;
	for (count_lanes = 1; count_lanes <= 4; count_lanes *= 4)
		in_process(count_body);
}

static void uncounted_body(void)
{
	target_init(0, 1);
	ctx->counts_off = 0;
	set_verdict("test.event", VERDICT_COUNTED);
	raise_event();
	expect_equal("written down", n_events(), 1);
	expect_equal("the head of the ring", shared->magic, PROBE_MAGIC);
}

/* Any process that has the ring can write verdicts: without counters, none is added to. */
static void test_uncounted(void **s)
{
	(void)s;
	in_process(uncounted_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event),    cmocka_unit_test(test_names),
		cmocka_unit_test(test_nested),   cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_room),     cmocka_unit_test(test_stall),
		cmocka_unit_test(test_priority), cmocka_unit_test(test_killed),
		cmocka_unit_test(test_clock),    cmocka_unit_test(test_filter),
		cmocka_unit_test(test_untold),   cmocka_unit_test(test_ring_clock),
		cmocka_unit_test(test_counted),  cmocka_unit_test(test_uncounted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
