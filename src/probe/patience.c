/*
 * patience: see patience.h.
 */
#include "probe/patience.h"

#include "probe_cpu.h"
#include "probe/clock.h"
#include "probe/parts.h"
#include "probe/serialise.h"
#include "probe/ticket.h"

enum {
	/* before the recorder is asked: a recorder that is working makes room without being
	 * asked */
	SPINS_FIRST = 500,
	/* the time of a turn, if there is no clock: a low estimate */
	SPIN_NS = 20,
	REFUSED_NS = 500 * 1000 * 1000,  /* without progress, if it may not sleep */
	UNHEARD_NS = 1000 * 1000 * 1000, /* without a sign of the recorder */
	/* The most that counts between two looks at the clock: a machine that stood still for a
	 * while, or a thread that was stopped, says nothing about the recorder, which stood still,
	 * too. */
	LOOK_NS = 100 * 1000 * 1000,
};

static void ask_begin(const struct probe_context *ctx, const struct probe_state *state,
		      uint32_t tid, struct ask *ask)
{
	struct ring_shared *shared = shared_of(ctx);
	for (uint32_t i = 0; i < RING_ASKS; i++) {
		uint32_t place = (tid + i) % RING_ASKS;
		struct ring_ask *at = &shared->asks[place];
		uint64_t mine = ticket_take(&at->ticket, ASK_FREE, ASK_TAKEN);
		if (!mine)
			continue;
		at->identity = __atomic_load_n(&state->identity, __ATOMIC_RELAXED);
		at->tid = tid;
		/* It fails only if a child that a signal handler forked just now was faster. */
		if (ticket_change(&at->ticket, mine, ticket_in(mine, ASK_WAITS))) {
			ask->ticket = mine;
			ask->place = place;
			__atomic_fetch_add(&shared->n_asked, 1, __ATOMIC_RELEASE);
		}
		return;
	}
}

enum answer patience_poll(const struct probe_context *ctx, const struct probe_state *state,
			  uint32_t tid, struct ask *ask)
{
	if (ask->is_refused)
		return ANSWER_NO;
	if (!tid || !__atomic_load_n(&state->is_known, __ATOMIC_RELAXED)) {
		ask->is_refused = true;
		return ANSWER_NO;
	}
	if (!ask->ticket) {
		ask_begin(ctx, state, tid, ask);
		return ANSWER_NONE;
	}
	uint64_t *at = &shared_of(ctx)->asks[ask->place].ticket,
		 now = __atomic_load_n(at, __ATOMIC_ACQUIRE);
	if (now == ticket_in(ask->ticket, ASK_WAITS))
		return ANSWER_NONE;
	bool is_yes = now == ticket_in(ask->ticket, ASK_YES),
	     is_no = now == ticket_in(ask->ticket, ASK_NO);
	ask->ticket = 0;
	ask->is_refused = is_no;
	/* on failure this took so long that the recorder freed the place */
	if ((!is_yes && !is_no) || !ticket_change(at, now, ticket_in(now, ASK_FREE)))
		return ANSWER_NONE;
	return is_yes ? ANSWER_YES : ANSWER_NO;
}

void patience_end(const struct probe_context *ctx, struct ask *ask)
{
	if (!ask->ticket)
		return;
	uint64_t *at = &shared_of(ctx)->asks[ask->place].ticket;
	for (enum ask_state state = ASK_WAITS; state <= ASK_NO; state++)
		if (ticket_change(at, ticket_in(ask->ticket, state),
				  ticket_in(ask->ticket, ASK_FREE)))
			break;
	ask->ticket = 0;
}

LANE_CODE enum patience_step patience_step(const struct probe_context *ctx,
					   const struct probe_state *state, uint32_t tid,
					   uint64_t done, struct patience *p)
{
	uint32_t beat = __atomic_load_n(&shared_of(ctx)->heartbeat, __ATOMIC_RELAXED);
	bool is_first = !p->n_spins++;
	cpu_relax();
	if (is_first || done != p->done || (beat != p->beat && !p->ask.is_refused)) {
		p->done = done;
		p->beat = beat;
		p->n_since = p->n_spins;
		p->waited_ns = 0;
		p->look_ns = clock_coarse_ns(ctx);
	}
	if (p->n_spins < SPINS_FIRST)
		return PATIENCE_SPIN;
	if (patience_poll(ctx, state, tid, &p->ask) == ANSWER_YES)
		return PATIENCE_SLEEP;
	if (p->n_spins % 64)
		return PATIENCE_SPIN;
	uint64_t now = clock_coarse_ns(ctx), passed = (uint64_t)(p->n_spins - p->n_since) * SPIN_NS;
	if (now) {
		uint64_t more = now - p->look_ns;
		p->look_ns = now;
		passed = p->waited_ns += more < LOOK_NS ? more : LOOK_NS;
	}
	return passed < (p->ask.is_refused ? REFUSED_NS : UNHEARD_NS) ? PATIENCE_SPIN
								      : PATIENCE_LOST;
}
