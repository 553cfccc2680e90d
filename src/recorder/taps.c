/*
 * taps: see taps.h.
 */
#include "recorder/taps.h"

#include "base/log.h"
#include "recorder/asks.h"
#include "recorder/client.h"
#include "recorder/notes.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "visit/probe_link.h"
#include "visit/link_presence.h"
#include "visit/link_state.h"

enum { HEARTBEAT_NS = 100 * 1000 * 1000 };

bool taps_has_ring(const struct recorder *r, pid_t pid, pid_t but)
{
	for (size_t i = 0; i < r->taps.n; i++)
		if (r->taps.v[i]->link->pid != but && link_is_in(r->taps.v[i]->link, pid))
			return true;
	return false;
}

void taps_set_gone(struct recorder *r, pid_t pid)
{
	for (size_t i = 0; i < r->taps.n; i++)
		if (r->taps.v[i]->link->pid == pid)
			r->taps.v[i]->gone = true;
}

void taps_set_state(struct recorder *r, uint32_t state)
{
	for (size_t i = 0; i < r->taps.n; i++)
		ring_set_state(&r->taps.v[i]->link->ring, state);
}

void taps_set_clock(struct recorder *r, pid_t pid, bool is_traced)
{
	if (!r->clock.use_tsc)
		return;
	process_set_times(r, pid, is_traced);
	for (size_t i = 0; i < r->taps.n; i++) {
		const struct tap *t = r->taps.v[i];
		struct err *err = t->gone ? NULL : link_set_clock(t->link, pid, is_traced);
		if (err && err->code != ERR_TARGET_GONE)
			log_debug("the clock of %d: %s", (int)pid, err->message);
		err_destroy(err);
	}
}

void taps_beat(struct recorder *r, uint64_t now)
{
	asks_answer(r);
	if (now - r->heartbeat_ns < HEARTBEAT_NS)
		return;
	r->heartbeat_ns = now;
	for (size_t i = 0; i < r->taps.n; i++)
		ring_beat(&r->taps.v[i]->link->ring);
}

uint64_t taps_tick(struct recorder *r)
{
	struct ring_tick tick;
	uint64_t per_ns = clock_ticks_per_ns(&r->clock);
	clock_tick(&r->clock, &tick);
	for (size_t i = 0; i < r->taps.n; i++)
		ring_tick(&r->taps.v[i]->link->ring, &tick, per_ns);
	return tick.ticks;
}

void taps_count_unserved(struct recorder *r)
{
	uint64_t unserved = 0;
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		t->n_unserved += guest_growth(ring_n_unserved(&t->link->ring), t->n_unserved,
					      LOST_MAX);
		unserved += t->n_unserved;
	}
	if (unserved > r->n_unserved) {
		notes_add_lost(r, LOSS_NO_SLOT, UINT32_MAX, unserved - r->n_unserved,
			       clock_time_now(&r->clock), 0);
		r->n_unserved = unserved;
	}
}
