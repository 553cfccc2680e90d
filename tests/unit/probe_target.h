/*
 * probe_target: the probe's code as it is placed in a target, in a process that is not Python, and
 * the recorder's side of the ring. Include it behind cmocka's header. A test need not use all.
 */
#pragma once
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/attr.h"
#include "probe/abi.h"
#include "probe_cpu.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

extern const uint8_t probe_blob[];
extern const size_t probe_blob_bytes;

enum { N_SLOTS = 4, SLOT_BYTES = 1 << 20, PATIENCE_S = 60 };

/* ---- a target ---- */

static struct probe_context *ctx;
static struct probe_state *state;
static struct ring_shared *shared;
static uint64_t audit_head;
static void (*in_event)(void); /* what the thread does in the middle of an event */

static uint64_t thread_state(void)
{
	if (in_event)
		in_event();
	return 0;
}

static bool is_inside(void)
{
	for (uint32_t i = 0; i < ctx->n_lanes; i++)
		if (__atomic_load_n(&state->lanes[i].lock, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

static int n_clock_outside, n_clock_others;
static uint64_t clock_stands_at; /* ns; 0: it goes */
static uint32_t n_clock_reads;
static int clock_of_target(int id, int64_t *ret)
{
	struct timespec ts;
	uint64_t at = __atomic_load_n(&clock_stands_at, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&n_clock_reads, 1, __ATOMIC_SEQ_CST);
	n_clock_outside += !is_inside();
	/* other clocks read the TSC, or make a system call */
	n_clock_others += id != CLOCK_MONOTONIC_COARSE;
	clock_gettime(id, &ts);
	ret[0] = at ? (int64_t)(at / 1000000000u) : ts.tv_sec;
	ret[1] = at ? (int64_t)(at % 1000000000u) : ts.tv_nsec;
	return 0;
}

/* Set the clock of the target, and wait until the thread that waits has read it. */
static void set_clock(uint64_t ns)
{
	__atomic_store_n(&clock_stands_at, ns, __ATOMIC_SEQ_CST);
	uint32_t n = __atomic_load_n(&n_clock_reads, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&n_clock_reads, __ATOMIC_SEQ_CST) < n + 3 &&
	       !__atomic_load_n(&state->abandoned, __ATOMIC_SEQ_CST))
		sched_yield();
}

static void target_init(uint32_t flags, uint32_t n_lanes)
{
	const size_t blob_pages = (probe_blob_bytes + PROBE_PAGE - 1) / PROBE_PAGE * PROBE_PAGE;
	const size_t state_off = PROBE_BLOB_OFF + blob_pages;
	const size_t state_bytes = probe_state_bytes(n_lanes);
	const size_t slots_off = (sizeof(*shared) + PROBE_PAGE - 1) / PROBE_PAGE * PROBE_PAGE;
	const size_t counts_off = slots_off + N_SLOTS * (SLOT_BYTES + PROBE_PAGE);
	const size_t shared_bytes = counts_off + N_SLOTS * COUNTS_BYTES;
	uint8_t *base = mmap(NULL, state_off + state_bytes + shared_bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED ||
	    mmap(base + state_off + state_bytes, shared_bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		abort();
	ctx = (struct probe_context *)base;
	state = (struct probe_state *)(base + state_off);
	shared = (struct ring_shared *)(base + state_off + state_bytes);
	memcpy(base + PROBE_BLOB_OFF, probe_blob, probe_blob_bytes);
	if (mprotect(base + PROBE_BLOB_OFF, blob_pages, PROT_READ | PROT_EXEC) < 0 ||
	    madvise(state, state_bytes, MADV_WIPEONFORK) < 0)
		abort();
	*shared = (struct ring_shared){ .magic = PROBE_MAGIC,
					.abi = PROBE_ABI,
					.n_slots = N_SLOTS,
					.slot_data_bytes = SLOT_BYTES,
					.slot_bytes = SLOT_BYTES + PROBE_PAGE,
					.slots_off = (uint32_t)slots_off,
					.enabled = RING_ON };
	static const int32_t tid_offs[] = ARCH_TID_OFFS;
	uint32_t tid_off = 0;
	for (size_t i = 0; i < ARRAY_LEN(tid_offs) && !tid_off; i++)
		if (thread_u32((uint32_t)tid_offs[i]) == (uint32_t)syscall(SYS_gettid))
			tid_off = (uint32_t)tid_offs[i];
	if (!tid_off)
		flags |= PROBE_TID_UNKNOWN;
	*ctx = (struct probe_context){ .magic = PROBE_MAGIC,
				       .abi = PROBE_ABI,
				       .flags = flags,
				       .base = (uint64_t)base,
				       .state_off = (uint32_t)state_off,
				       .blob_off = PROBE_BLOB_OFF,
				       .shared_off = (uint32_t)(state_off + state_bytes),
				       .n_lanes = n_lanes,
				       .tid_off = tid_off,
				       .fn_clock_gettime = (uint64_t)clock_of_target,
				       .string_bytes = 100,
				       .bulk_bytes = 100,
				       .max_frames = 10,
				       .max_items = 10,
				       .slots_off = slots_off,
				       .slot_bytes = SLOT_BYTES + PROBE_PAGE,
				       .slot_data_bytes = SLOT_BYTES,
				       .ring_slots = N_SLOTS,
				       .counts_off = counts_off };
	ctx->layout.fn_tstate_get = (uint64_t)thread_state;
	ctx->layout.audit_head = (uint64_t)&audit_head;
	state->identity = (uint64_t)getpid() << 32 | 1;
	state->is_known = 1;
}

/* Answer, as the recorder does, threads that ask whether they may make a system call. */
static enum ask_state answer_is = ASK_YES;
static unsigned n_answered;
static void *attend_main(void *arg)
{
	const uint64_t states = TICKET_STATES;
	for (;;) {
		for (unsigned i = 0; i < RING_ASKS; i++) {
			uint64_t ticket = __atomic_load_n(&shared->asks[i].ticket,
							  __ATOMIC_SEQ_CST);
			if ((ticket & states) == ASK_WAITS &&
			    __atomic_compare_exchange_n(&shared->asks[i].ticket, &ticket,
							(ticket & ~states) | answer_is, false,
							__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
				__atomic_fetch_add(&n_answered, 1, __ATOMIC_SEQ_CST);
		}
		usleep(200);
	}
	return arg;
}

static void attend(enum ask_state answer)
{
	pthread_t t;
	answer_is = answer;
	if (pthread_create(&t, NULL, attend_main, NULL) != 0)
		abort();
}

static void raise_event(void)
{
	int (*hook)(const char *, void *, void *) = (int (*)(const char *, void *, void *))(
	    (uint8_t *)ctx + PROBE_BLOB_OFF);
	if (hook("test.event", NULL, ctx) != 0)
		abort();
}

static struct ring_slot *slot(uint32_t i)
{
	return (struct ring_slot *)((uint8_t *)shared + shared->slots_off + i * shared->slot_bytes);
}

static void drain(void)
{
	for (uint32_t i = 0; i < N_SLOTS; i++) {
		__atomic_store_n(&slot(i)->tail, __atomic_load_n(&slot(i)->head, __ATOMIC_SEQ_CST),
				 __ATOMIC_SEQ_CST);
		__atomic_store_n(&slot(i)->waiting, 0, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &slot(i)->waiting, 1 /* FUTEX_WAKE */, INT32_MAX, NULL, NULL, 0);
	}
}

/* Return the number of events that were published in a ring that is not drained. */
static uint64_t n_events(void)
{
	uint64_t n = 0;
	for (uint32_t i = 0; i < N_SLOTS; i++) {
		const uint8_t *data = (const uint8_t *)slot(i) + PROBE_PAGE;
		struct record r;
		for (uint64_t at = 0; at < slot(i)->head; at += r.size) {
			memcpy(&r, data + at, sizeof(r));
			if (!r.size)
				abort();
			n += r.type == RECORD_EVENT;
		}
	}
	return n;
}

static void expect_equal(const char *what, uint64_t is, uint64_t expected)
{
	if (is == expected)
		return;
	fprintf(stderr, "%s: %llu, expected %llu\n", what, (unsigned long long)is,
		(unsigned long long)expected);
	_exit(1);
}

/* Longer on an emulated machine (tests/arm64/run.sh), where a turn of a thread that spins takes
 * many times longer: a target without a clock counts turns. */
static unsigned patience_s(void)
{
	const char *slow = getenv("AUDITVIEW_TEST_SLOW");
	double factor = slow ? strtod(slow, NULL) : 1;
	return (unsigned)(PATIENCE_S * (factor > 1 ? factor : 1));
}

static void in_process(void (*body)(void))
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(patience_s());
		body();
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		fail_msg("it hangs");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) /* it has printed the reason */
		skip();
	assert_int_equal(status, 0);
}

/* As the recorder does it. Returns the place of the verdict. */
static uint32_t set_verdict(const char *name, uint32_t verdict)
{
	uint64_t hash = name_hash(name, (uint32_t)strlen(name));
	uint32_t place = (uint32_t)(hash % VERDICT_COUNT);
	while (shared->verdicts[place])
		place = (place + 1) % VERDICT_COUNT;
	shared->verdicts[place] = (hash & ~3ull) | verdict;
	shared->filter_on = 1;
	return place;
}

#pragma GCC diagnostic pop
