/*
 * tap: see tap.h.
 */
#include "recorder/tap.h"

#include <stdlib.h>

#include "base/log.h"
#include "recorder/asks.h"
#include "recorder/client.h"
#include "recorder/notes.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "recorder/wanted.h"
#include "visit/inject.h"

enum { HEARTBEAT_NS = 100 * 1000 * 1000 };

void tap_destroy(struct tap *t)
{
	if (!t)
		return;
	for (uint32_t k = 0; t->clients && k < t->n_slots; k++)
		client_remove(t, k);
	free(t->clients);
	free(t->asks);
	link_destroy(t->link);
	free(t);
}

struct tap *tap_add(struct recorder *r, struct link *link, struct process *p)
{
	struct tap *t = calloc(1, sizeof(*t));
	if (t)
		t->clients = calloc(link->ring.n_slots, sizeof(*t->clients));
	if (!t || !t->clients || !vec_push(&r->taps, t)) {
		if (t)
			free(t->clients);
		free(t);
		return NULL;
	}
	t->link = link;
	t->process = p;
	t->n_slots = link->ring.n_slots;
	t->root_ns_pid = p->info.ns_pid;
	t->other_pid_ns = p->info.ns_pid != p->info.pid;
	if (!p->tap || p->tap->gone)
		p->tap = t;
	wanted_fill(r, t);
	follow_found_python(r->follow, link->pid);
	return t;
}

void tap_announce(struct recorder *r, const struct tap *t)
{
	const struct link *link = t->link;
	struct note_info note = { .kind = NOTE_ATTACHED,
				  .time_ns = clock_time_now(&r->clock),
				  .process = t->process->index,
				  .a = link->pause_ns };
	writer_note(r->writer, &note);
	if (link->left_alone[0])
		notes_add(r, NOTE_WARNING, t->process->index, "%s", link->left_alone);
	if (link->timeout_extended)
		notes_add(
		    r, NOTE_MESSAGE, t->process->index,
		    "a system call with a timeout was interrupted by attaching and started over");
}

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
