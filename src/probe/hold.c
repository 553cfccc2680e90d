/*
 * hold: see hold.h.
 *
 * At first the thread spins: if its event does not match, the recorder says so within microseconds.
 * Then it sleeps, by calls that the recorder allows one by one (patience.h). Every way out of here
 * lets the operation happen.
 */
#include "probe/hold.h"

#include "probe_cpu.h"
#include "probe/clock.h"
#include "probe/lane.h"
#include "probe/parts.h"
#include "probe/patience.h"
#include "probe/serialise.h"
#include "probe/ticket.h"

enum {
	FUTEX_WAIT = 0,
	STEP_NS = 100 * 1000 * 1000,
	/* turns before the thread asks whether it may sleep: 50 to 200 µs */
	SPINS_FIRST = 4000,
	/* turns of a thread that may not sleep, until its event is matched: some 50 ms */
	SPINS_REFUSED = 1 << 20,
	SPINS_PER_LOOK = 1024, /* at the clock */
	SPIN_NS = 20,          /* the time of a turn, if there is no clock: a low estimate */
	UNHEARD_NS = 1500 * 1000 * 1000,
	/* The most that counts between two looks at the clock: a machine that stood still for a
	 * while, or a thread that was stopped, says nothing about the recorder, which stood still,
	 * too. */
	LOOK_NS = 100 * 1000 * 1000,
};

LANE_CODE void hold_begin(const struct probe_context *ctx, const struct probe_state *state,
			  uint32_t slot, uint64_t head, uint32_t tid, struct hold *ret)
{
	struct ring_shared *shared = shared_of(ctx);
	ret->ticket = 0;
	for (uint32_t i = 0; i < RING_HOLDS; i++) {
		uint32_t place = (tid + i) % RING_HOLDS;
		struct ring_hold *at = &shared->holds[place];
		uint64_t mine = ticket_take(&at->ticket, HOLD_FREE, HOLD_TAKEN);
		if (!mine)
			continue;
		ret->identity = __atomic_load_n(&state->identity, __ATOMIC_RELAXED);
		at->identity = ret->identity;
		at->head = head;
		at->slot = slot - 1;
		at->tid = tid;
		/* It fails only if a child that a signal handler forked just now was faster. */
		if (ticket_change(&at->ticket, mine, ticket_in(mine, HOLD_WAITS))) {
			ret->ticket = mine;
			ret->place = place;
			__atomic_fetch_add(&shared->n_holds, 1, __ATOMIC_RELEASE);
		}
		return;
	}
	__atomic_fetch_add(&shared->holds_missed, 1, __ATOMIC_RELAXED);
}

/* The place is ours until this: `state` is HOLD_FREE, or tells the recorder why the thread
 * continues. */
static void place_leave(uint64_t *at, uint64_t ticket, enum hold_state state)
{
	for (enum hold_state from = HOLD_WAITS; from <= HOLD_GO; from++)
		if (ticket_change(at, ticket_in(ticket, from),
				  ticket_in(ticket, from == HOLD_GO ? HOLD_FREE : state)))
			return;
}

struct signs {
	uint64_t look_ns, silent_ns; /* when the clock was last read; for how long without a sign */
	uint32_t beat, n_spins;      /* n_spins: since the last sign */
};

/* How long there was no sign of the recorder. The clock is outside of the probe, so a lane is
 * entered for it; if none is free, turns are counted. */
static uint64_t silence_ns(const struct probe_context *ctx, struct probe_state *state,
			   struct signs *s)
{
	uint64_t counted = (uint64_t)s->n_spins * SPIN_NS, now = 0;
	struct probe_lane *lane = lane_any(ctx, state);
	if (lane) {
		now = clock_coarse_ns(ctx);
		lane_leave(lane);
	}
	if (!now || !s->look_ns) {
		s->look_ns = now;
		return counted;
	}
	uint64_t passed = now - s->look_ns;
	s->look_ns = now;
	return s->silent_ns += passed < LOOK_NS ? passed : LOOK_NS;
}

/* The recorder lives: its heart beats, or it answers a thread that it holds. If it answers and does
 * not beat, it cannot take records, and a thread whose event is not matched yet must not wait. */
static void sign_seen(struct signs *s, uint32_t beat)
{
	*s = (struct signs){ .beat = beat };
}

/* A signal handler of this thread has forked, and this is the child: neither the place nor the
 * question belongs to it. */
static inline bool is_forked(const struct probe_state *state, const struct hold *h)
{
	return __atomic_load_n(&state->identity, __ATOMIC_RELAXED) != h->identity;
}

bool hold_wait(const struct probe_context *ctx, struct probe_state *state, uint32_t tid,
	       const struct hold *h)
{
	struct ring_shared *shared = shared_of(ctx);
	uint64_t *at = &shared->holds[h->place].ticket;
	const uint64_t waits = ticket_in(h->ticket, HOLD_WAITS),
		       held = ticket_in(h->ticket, HOLD_HELD);
	enum hold_state end = HOLD_FREE;
	struct signs signs = { 0 };
	struct ask ask = { 0 };
	for (uint32_t n = 0;; n++) {
		uint64_t now = __atomic_load_n(at, __ATOMIC_ACQUIRE);
		if (is_forked(state, h))
			return true;
		if ((now != waits && now != held) ||
		    __atomic_load_n(&shared->enabled, __ATOMIC_RELAXED) != RING_ON)
			break;
		cpu_relax();
		uint32_t beat = __atomic_load_n(&shared->heartbeat, __ATOMIC_RELAXED);
		if (beat != signs.beat)
			sign_seen(&signs, beat);
		signs.n_spins++;
		if (n < SPINS_FIRST)
			continue;
		enum answer answer = patience_poll(ctx, state, tid, &ask);
		if (answer == ANSWER_YES) {
			int64_t time[2] = { 0, STEP_NS };
			sys_call4(SYS_FUTEX, (long)at, FUTEX_WAIT, (long)(uint32_t)now, (long)time);
			if (now == held)
				sign_seen(&signs, beat);
			continue;
		}
		if (answer == ANSWER_NO && (now == held || n >= SPINS_REFUSED)) {
			end = HOLD_REFUSED;
			break;
		}
		if (signs.n_spins % SPINS_PER_LOOK == 0 &&
		    silence_ns(ctx, state, &signs) >= UNHEARD_NS) {
			end = HOLD_UNHEARD;
			break;
		}
	}
	/* If it forked since the last check, the answer was read from a wiped state. */
	if (is_forked(state, h))
		return true;
	patience_end(ctx, &ask);
	place_leave(at, h->ticket, end);
	return end != HOLD_UNHEARD;
}
