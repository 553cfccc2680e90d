/*
 * test_weak: the protocols by which probe and recorder share memory, on a machine as weakly ordered
 * as arm64 (weak_memory.h). Each program below is a function of the probe or of the recorder with
 * its memory orders; where the orders have names in abi.h, these are used. Each protocol is tried
 * once as it is, and once for each order that it needs, with that order taken away: the model must
 * find what goes wrong then.
 *
 * What is left out: timeouts (a thread that sleeps wakes after WAIT_STEP_NS at the latest; here no
 * wake may be lost), and stopping a thread by ptrace, which orders everything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/attr.h"
#include "probe/abi.h"
#include "weak_memory.h"

#define RLX  __ATOMIC_RELAXED
#define ACQ  __ATOMIC_ACQUIRE
#define REL  __ATOMIC_RELEASE
#define SEQ  __ATOMIC_SEQ_CST
#define BOTH __ATOMIC_ACQ_REL

/* An order that is taken away for one run: the instruction at `at` of program `thread`. */
struct change {
	const char *what;
	size_t thread, at;
	uint8_t order;
};
struct protocol {
	const struct weak_insn *programs[WEAK_THREADS];
	size_t n_threads;
	uint8_t memory[WEAK_PLACES];
	bool (*is_right)(const struct weak_state *s);
	struct change changes[6];
};

static struct weak run(const struct protocol *p, const struct change *change)
{
	struct weak w = { .n_threads = p->n_threads, .is_right = p->is_right };
	struct weak_insn copy[WEAK_INSNS];
	for (size_t i = 0; i < p->n_threads; i++)
		w.programs[i] = p->programs[i];
	if (change) {
		size_t n = 0;
		for (const struct weak_insn *from = p->programs[change->thread];; from++) {
			copy[n++] = *from;
			if (from->op == W_END)
				break;
		}
		copy[change->at].order = change->order;
		w.programs[change->thread] = copy;
	}
	weak_run(&w, p->memory);
	printf("  %s: %zu states, %zu ends, %zu wrong, %zu stuck\n",
	       change ? change->what : "as it is", w.n_seen, w.n_ends, w.n_wrong, w.n_stuck);
	return w;
}

static void check(const struct protocol *p)
{
	struct weak w = run(p, NULL);
	assert_true(w.n_ends > 0);
	assert_int_equal(w.n_wrong + w.n_stuck, 0);
	for (size_t i = 0; i < ARRAY_LEN(p->changes) && p->changes[i].what; i++) {
		w = run(p, &p->changes[i]);
		if (!(w.n_wrong + w.n_stuck))
			fail_msg("the model does not find: %s", p->changes[i].what);
	}
}

/* ---- the model itself: the usual litmus tests ---- */

enum { X, Y };

static bool is_message_passed(const struct weak_state *s)
{
	return !(s->t[1].regs[0] == 1 && s->t[1].regs[1] == 0);
}

static bool one_saw_the_other(const struct weak_state *s)
{
	return s->t[0].regs[0] || s->t[1].regs[0];
}

static bool no_effect_before_cause(const struct weak_state *s)
{
	return !(s->t[0].regs[0] && s->t[1].regs[0]);
}

static void test_litmus(void **state)
{
	static const struct weak_insn passes[] = { { W_STORE, X, .value = 1, .order = RLX },
						   { W_STORE, Y, .value = 1, .order = REL },
						   { .op = W_END } },
				      takes[] = { { W_LOAD, Y, 0, .order = ACQ },
						  { W_LOAD, X, 1, .order = RLX },
						  { .op = W_END } },
				      /* a branch does not order loads */
	    branches[] = { { W_LOAD, Y, 0, .order = RLX },
			   { W_IF, .reg = 0, .value = 0, .to = 3 },
			   { W_LOAD, X, 1, .order = RLX },
			   { .op = W_END } },
				      left[] = { { W_STORE, X, .value = 1, .order = SEQ },
						 { W_LOAD, Y, 0, .order = SEQ },
						 { .op = W_END } },
				      right[] = { { W_STORE, Y, .value = 1, .order = SEQ },
						  { W_LOAD, X, 0, .order = SEQ },
						  { .op = W_END } },
				      adds[] = { { W_ADD, Y, 1, 1, .order = SEQ },
						 { W_LOAD, X, 0, .order = SEQ },
						 { .op = W_END } },
				      /* a value out of nothing would need X before Y */
	    copies[] = { { W_LOAD, X, 0, .order = RLX },
			 { W_STORE, Y, .src = 1, .order = RLX },
			 { .op = W_END } },
				      buffers[] = { { W_LOAD, Y, 0, .order = RLX },
						    { W_STORE, X, .value = 1, .order = RLX },
						    { .op = W_END } };
	(void)state;
	check(&(struct protocol){
	    { passes, takes },
	    2,
	    { 0 },
	    is_message_passed,
	    { { "message: relaxed store", 0, 1, RLX }, { "message: relaxed load", 1, 0, RLX } } });
	struct weak w = run(
	    &(struct protocol){ { passes, branches }, 2, { 0 }, is_message_passed, { { 0 } } },
	    NULL);
	assert_true(w.n_wrong > 0);
	check(&(struct protocol){
	    { left, right },
	    2,
	    { 0 },
	    one_saw_the_other,
	    { { "buffer: release store", 0, 0, REL }, { "buffer: acquire load", 0, 1, ACQ } } });
	check(&(struct protocol){ { left, adds },
				  2,
				  { 0 },
				  one_saw_the_other,
				  { { "buffer: relaxed load behind it", 1, 1, RLX } } });
	w = run(
	    &(struct protocol){ { copies, buffers }, 2, { 0 }, no_effect_before_cause, { { 0 } } },
	    NULL);
	assert_true(w.n_wrong > 0);
}

/* ---- ring: room, wrap, sleep and wake ---- */

enum { DATA, HEAD, TAIL, WAITING };

/* ring_reserve(), wait_for_room(), event_write() (probe.c), for a ring that holds one record: so
 * each event overwrites the one before it. */
#define WRITER_EVENT(first, k)                                                                     \
	{ W_LOAD, TAIL, 0, .order = ACQ }, { W_IF, .reg = 0, .value = (k)-1, .to = (first) + 10 }, \
	    { W_LOAD, WAITING, 1, .order = RLX },                                                  \
	    { W_IF, .reg = 1, .value = 1, .to = (first) + 5 },                                     \
	    { W_STORE, WAITING, .value = 1, .order = SEQ }, { W_LOAD, TAIL, 0, .order = SEQ },     \
	    { W_IF, .reg = 0, .value = (k)-1, .to = (first) + 9 },                                 \
	    { W_WAIT, WAITING, .value = 1 }, { W_IF, .reg = 7, .value = 0, .to = (first) + 2 },    \
	    { W_STORE, WAITING, .value = 0, .order = RLX },                                        \
	    { W_STORE, DATA, .value = (k), .order = RLX },                                         \
	{                                                                                          \
		W_STORE, HEAD, .value = (k), .order = RING_STORE_HEAD                              \
	}
/* drain.c: reads the records below head; ring_slot_consume() (visit/ring.c) */
#define READER_EVENT(first, k)                                                                     \
	{ W_UNTIL, HEAD, 0, (k)-1, .order = ACQ }, { W_LOAD, DATA, (k), .order = RLX },            \
	    { W_STORE, TAIL, .value = (k), .order = SEQ }, { W_LOAD, WAITING, 4, .order = SEQ },   \
	    { W_IF, .reg = 4, .value = 0, .to = (first) + 7 },                                     \
	    { W_STORE, WAITING, .value = 0, .order = SEQ }, { W_WAKE, WAITING, .value = 0 },       \
	{                                                                                          \
		W_IF, .reg = 7, .value = 0, .to = (first) + 8                                      \
	}

static bool all_were_read(const struct weak_state *s)
{
	return s->t[1].regs[1] == 1 && s->t[1].regs[2] == 2 && s->memory[HEAD] == 2;
}

static void test_ring(void **state)
{
	static const struct weak_insn writer[] = { WRITER_EVENT(0, 1),
						   WRITER_EVENT(12, 2),
						   { .op = W_END } };
	static const struct weak_insn reader[] = { READER_EVENT(0, 1),
						   READER_EVENT(8, 2),
						   { .op = W_END } };
	(void)state;
	check(&(struct protocol){ { writer, reader },
				  2,
				  { 0 },
				  all_were_read,
				  { { "head published relaxed", 0, 11, RLX },
				    { "head read relaxed", 1, 0, RLX },
				    { "tail stored relaxed", 1, 2, RLX },
				    { "waiting stored as release", 0, 16, REL },
				    { "waiting read relaxed", 1, 3, RLX } } });
}

/* ---- lane: one event at a time ---- */

enum { LOCK, LANE_DATA, LANE_HEAD };

/* lane_try(), event_write(), lane_leave() */
#define LANE_USER                                                                                  \
	{ W_CAS, LOCK, 0, 1, .order = ACQ }, { W_IF, .reg = 0, .value = 1, .to = 0 },              \
	    { W_LOAD, LANE_DATA, 1, .order = RLX },                                                \
	    { W_STORE, LANE_DATA, .value = 1, .src = 2, .order = RLX },                            \
	    { W_LOAD, LANE_HEAD, 2, .order = RLX },                                                \
	    { W_STORE, LANE_HEAD, .value = 1, .src = 3, .order = RING_STORE_HEAD },                \
	    { W_STORE, LOCK, .value = 0, .order = REL },                                           \
	{                                                                                          \
		.op = W_END                                                                        \
	}

static bool both_have_written(const struct weak_state *s)
{
	return s->memory[LANE_DATA] == 2 && s->memory[LANE_HEAD] == 2 &&
	       s->t[2].regs[1] >= s->t[2].regs[0];
}

static void test_lane(void **state)
{
	static const struct weak_insn user[] = { LANE_USER };
	static const struct weak_insn reader[] = { { W_UNTIL, LANE_HEAD, 0, 0, .order = ACQ },
						   { W_LOAD, LANE_DATA, 1, .order = RLX },
						   { .op = W_END } };
	(void)state;
	check(&(struct protocol){
	    { user, user, reader },
	    3,
	    { 0 },
	    both_have_written,
	    { { "entered relaxed", 0, 0, RLX }, { "left relaxed", 1, 6, RLX } } });
}

/* ---- slots: freed by the recorder, claimed by a process that may sleep for one ---- */

enum { STATE, FIELD, PID, FREED, WAITED };

/* slot_claim(), slot_take() */
static const struct weak_insn claimer[] = {
	{ W_LOAD, FREED, 0, .order = ACQ },
	{ W_LOAD, STATE, 1, .order = RLX },
	{ W_IF, .reg = 1, .value = SLOT_ACTIVE, .to = 8 },
	{ W_CAS, STATE, 2, SLOT_ACTIVE, .order = BOTH },
	{ W_IF, .reg = 2, .value = SLOT_ACTIVE, .to = 8 },
	{ W_STORE, FIELD, .value = 7, .order = RLX },
	{ W_STORE, PID, .value = 9, .order = REL },
	{ W_IF, .reg = 7, .value = 0, .to = 11 },
	{ W_STORE, WAITED, .value = 1, .order = SEQ },
	{ W_WAIT, FREED, .value = 0, .src = 1 },
	{ W_IF, .reg = 7, .value = 0, .to = 0 },
	{ .op = W_END },
};
/* ring_slot_free() */
static const struct weak_insn freer[] = {
	{ W_STORE, FIELD, .value = 0, .order = RLX },
	{ W_STORE, PID, .value = 0, .order = RLX },
	{ W_STORE, STATE, .value = SLOT_FREE, .order = REL },
	{ W_ADD, FREED, 0, 1, .order = SEQ },
	{ W_LOAD, WAITED, 1, .order = SEQ },
	{ W_IF, .reg = 1, .value = 0, .to = 7 },
	{ W_WAKE, FREED, .value = 0 },
	{ .op = W_END },
};

static bool slot_is_claimed(const struct weak_state *s)
{
	return s->memory[STATE] == SLOT_ACTIVE && s->memory[FIELD] == 7 && s->memory[PID] == 9;
}

static void test_slot(void **state)
{
	/* As it was: the fields, `state` among them, were cleared as one, and `state` again. */
	static const struct weak_insn cleared_twice[] = {
		{ W_STORE, STATE, .value = SLOT_FREE, .order = RLX },
		{ W_STORE, FIELD, .value = 0, .order = RLX },
		{ W_STORE, PID, .value = 0, .order = RLX },
		{ W_STORE, STATE, .value = SLOT_FREE, .order = REL },
		{ .op = W_END },
	};
	struct protocol p = { { claimer, freer },
			      2,
			      { [STATE] = SLOT_ACTIVE, [FIELD] = 5, [PID] = 5 },
			      slot_is_claimed,
			      { { "state freed relaxed", 1, 2, RLX },
				{ "waited read relaxed", 1, 4, RLX },
				{ "counted relaxed", 1, 3, RLX } } };
	(void)state;
	check(&p);
	p.programs[1] = cleared_twice;
	struct weak w = run(&p, NULL);
	assert_true(w.n_wrong > 0);
}

/* The recorder believes in a claim when it sees `pid`, which is stored last. */
static bool claim_is_whole(const struct weak_state *s)
{
	return s->t[1].regs[0] != 9 || s->t[1].regs[1] == 7;
}

static void test_claim(void **state)
{
	/* ring_slot_is_claimed(), ring_slot_claim() */
	static const struct weak_insn looks[] = { { W_LOAD, PID, 0, .order = ACQ },
						  { W_LOAD, FIELD, 1, .order = ACQ },
						  { .op = W_END } };
	(void)state;
	check(&(struct protocol){
	    { claimer, looks },
	    2,
	    { 0 },
	    claim_is_whole,
	    { { "pid stored relaxed", 0, 6, RLX }, { "pid read relaxed", 1, 0, RLX } } });
}

/* ---- tickets: questions and holds ---- */

enum { TICKET, ASKER };

/* hold_begin(), hold_wait() and ask: free 0 → taken 1 → waits 2 → answered 3. The recorder must
 * see what the thread wrote before it waits, and the thread what the recorder wrote before it
 * answered. */
static bool both_see_the_other(const struct weak_state *s)
{
	return s->t[1].regs[1] == 4 && s->t[0].regs[3] == 6;
}

static void test_ticket(void **state)
{
	static const struct weak_insn asks[] = {
		{ W_CAS, TICKET, 0, 1, .order = BOTH }, /* ticket_take() */
		{ W_STORE, ASKER, .value = 4, .order = RLX },
		{ W_STORE, TICKET, .value = 2, .order = BOTH }, /* ticket_change(): it is ours */
		{ W_UNTIL, TICKET, 2, 2, .order = ACQ },
		{ W_LOAD, FREED, 3, .order = RLX }, /* what the recorder did before it answered */
		{ .op = W_END },
	};
	static const struct weak_insn answers[] = {
		{ W_UNTIL, TICKET, 0, 0, .order = ACQ },
		{ W_IF, .reg = 0, .value = 1, .to = 0 },
		{ W_LOAD, ASKER, 1, .order = ACQ },
		{ W_STORE, FREED, .value = 6, .order = RLX },
		{ W_STORE, TICKET, .value = 3, .order = BOTH }, /* ticket_answer() */
		{ .op = W_END },
	};
	(void)state;
	check(&(struct protocol){ { asks, answers },
				  2,
				  { 0 },
				  both_see_the_other,
				  { { "ticket given relaxed", 0, 2, RLX },
				    { "ticket read relaxed", 1, 0, RLX },
				    { "answer given relaxed", 1, 4, RLX },
				    { "answer read relaxed", 0, 3, RLX } } });
}

/* ---- clock of the ring ---- */

enum { TICK, TICKS_0, MONO_0, TICKS_1, MONO_1 };

static bool pair_belongs_together(const struct weak_state *s)
{
	const uint8_t *r = s->t[1].regs;
	return r[0] ? r[3] == 2 && r[4] == 2 : r[1] == 1 && r[2] == 1;
}

/* ring_tick() writes the pair that is not in use, then says that it is (visit/ring.c);
 * ticks_by_coarse() (probe/clock.c) */
static void test_tick(void **state)
{
	static const struct weak_insn ticks[] = { { W_STORE, TICKS_1, .value = 2, .order = RLX },
						  { W_STORE, MONO_1, .value = 2, .order = RLX },
						  { W_STORE, TICK, .value = 1, .order = REL },
						  { .op = W_END } };
	static const struct weak_insn reads[] = {
		{ W_LOAD, TICK, 0, .order = ACQ },       { W_IF, .reg = 0, .value = 1, .to = 5 },
		{ W_LOAD, TICKS_0, 1, .order = RLX },    { W_LOAD, MONO_0, 2, .order = RLX },
		{ W_IF, .reg = 7, .value = 0, .to = 7 }, { W_LOAD, TICKS_1, 3, .order = RLX },
		{ W_LOAD, MONO_1, 4, .order = RLX },     { .op = W_END }
	};
	(void)state;
	check(&(struct protocol){
	    { ticks, reads },
	    2,
	    { [TICKS_0] = 1, [MONO_0] = 1 },
	    pair_belongs_together,
	    { { "tick stored relaxed", 0, 2, RLX }, { "tick read relaxed", 1, 0, RLX } } });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_litmus), cmocka_unit_test(test_ring),
		cmocka_unit_test(test_lane),   cmocka_unit_test(test_slot),
		cmocka_unit_test(test_claim),  cmocka_unit_test(test_ticket),
		cmocka_unit_test(test_tick),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
