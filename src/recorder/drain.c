/*
 * drain: see drain.h. A record is copied out before it is read, and what the ring's owner wrote is
 * checked before it is used.
 */
#include "recorder/drain.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/monotonic.h"
#include "recorder/client.h"
#include "recorder/decoder.h"
#include "recorder/holds.h"
#include "recorder/notes.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"
#include "recorder/taps.h"
#include "recorder/turner.h"
#include "recorder/wanted.h"
#include "visit/probe_link.h"

enum {
	DRAIN_BYTES = 2 * 1024 * 1024, /* of one slot, before the poll loop has its turn */
	PUBLISH_BYTES = 64 * 1024,
	SPINS = 50,
};
#define SLACK_NS  10000ull      /* after it, what one processor stored is visible to all */
#define HOLD_NS   100000000ull  /* an event in flight is waited for so long */
#define FUTURE_NS 1000000000ull /* the clock of a target is not that far ahead of ours */
#define SETTLE_NS 5000000000ull
#define ROUND_NS  200000000ull /* a round ends after it, whatever its records cost */

struct drain {
	struct tap *tap;
	struct client *c;
	uint32_t slot;
	uint64_t tail, head, published; /* head: checked */
	uint64_t time;      /* of the next record, in ticks; 0 if that is far in the future */
	struct record next; /* its size is checked */
};

struct err *drain_init(struct draining *d, uint32_t slice_bytes)
{
	d->record_cap = 1u << 20;
	while (d->record_cap < 512 * 1024 + 2 * (size_t)slice_bytes)
		d->record_cap *= 2;
	d->record = malloc(d->record_cap);
	return d->record ? NULL : err_no_memory();
}

void drain_fini(struct draining *d)
{
	vec_fini(&d->drains);
	lineup_fini(&d->lineup);
	free(d->record);
}

static void drain_publish(struct drain *d)
{
	guest_u64 head;
	if (ring_slot_consume(&d->tap->link->ring, d->slot, d->tail, &head)) {
		d->c->was_woken = true;
		d->c->woken_head = head;
	}
	d->published = d->tail;
}

/* Copy the head of the next record out. Returns false if there is none, or if the ring is
 * malformed: then it is skipped up to its head. Times after `future` are not believed. */
static bool drain_next(struct drain *d, uint64_t future)
{
	while (d->tail < d->head) {
		if (!ring_record_check(&d->tap->link->ring, d->slot, d->tail, d->head, &d->next)) {
			client_malformed(d->c, d->slot);
			d->tail = d->head;
			return false;
		}
		if (d->next.type != RECORD_PAD) {
			d->time = d->next.tsc;
			if (d->time > future)
				d->time = 0;
			return true;
		}
		d->tail += d->next.size;
	}
	return false;
}

static void drain_end(struct drain *d)
{
	if (d->published != d->tail)
		drain_publish(d);
	d->c->tail = d->tail;
}

/* Capture time of a time that a target wrote. If that is in the future, it is now. Only a time
 * after the begin of the round needs the clock. */
static uint64_t time_of(struct recorder *r, guest_u64 ticks)
{
	uint64_t time = clock_time_of(&r->clock, guest_shown64(ticks));
	if (time <= r->draining.begun_ns + FUTURE_NS)
		return time;
	uint64_t now = clock_time_now(&r->clock);
	return time > now + FUTURE_NS ? now : time;
}

/* The last event was taken, from the slot of `from`. Events are dropped when a ring is full, so
 * after all that the ring holds. Where records are left, which are younger than the last event,
 * what was dropped is younger too; so it is in the slot of the last event itself. In other slots it
 * is counted now. */
static void count_earlier_losses(struct recorder *r, const struct client *from)
{
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		for (uint32_t k = 0; k < t->n_slots; k++) {
			struct client *c = t->clients[k];
			if (!c || c == from ||
			    !guest_is64(ring_slot_head(&t->link->ring, k), c->tail))
				continue;
			uint64_t n = guest_growth(ring_slot_n_dropped(&t->link->ring, k), c->n_lost,
						  LOST_MAX);
			if (n)
				notes_add_lost(r, LOSS_RING_FULL, c->process->index, n,
					       clock_time_now(&r->clock), 0);
			c->n_lost += n;
		}
	}
}

static void handle_event(struct recorder *r, struct drain *d, const struct record *head,
			 uint64_t time)
{
	struct client *c = d->c;
	if (wanted_is_last_taken(r) || c->muted)
		return;
	if (head->size < sizeof(struct record_event) || head->size > r->draining.record_cap) {
		client_malformed(c, d->slot);
		return;
	}
	ring_record_read(&d->tap->link->ring, d->slot, d->tail, r->draining.record, head->size);
	memcpy(r->draining.record, head, sizeof(*head)); /* it may have changed meanwhile */
	/* the probe does not know its tid yet: it is the main thread, at one of its first events */
	if (!((struct record_event *)r->draining.record)->tid)
		((struct record_event *)r->draining.record)->tid = c->ns_pid;
	if (!decoder_event(c->decoder, (struct record *)r->draining.record, head->size, time))
		client_malformed(c, d->slot);
}

static void handle_record(struct recorder *r, struct drain *d, const struct record *head)
{
	const struct ring *ring = &d->tap->link->ring;
	uint64_t time = time_of(r, GUEST64(head->tsc));
	struct client *c = d->c;
	uint64_t n_before;
	bool was_last;
	switch (head->type) {
	case RECORD_EVENT:
		n_before = writer_n_events(r->writer);
		was_last = wanted_is_last_taken(r);
		handle_event(r, d, head, time);
		if (head->flags & RECORD_HOLD)
			holds_decide(r, d->tap, d->slot, d->tail,
				     writer_n_events(r->writer) > n_before);
		if (was_last)
			break;
		if (r->options.turner)
			turner_check(r, 0);
		if (r->options.limit && writer_n_events(r->writer) >= r->options.limit)
			r->draining.is_enough = true;
		if (wanted_is_last_taken(r))
			count_earlier_losses(r, c);
		break;
	case RECORD_LOST: {
		struct record_lost lost;
		uint64_t n;
		if (head->size >= sizeof(lost))
			ring_record_read(ring, d->slot, d->tail, &lost, sizeof(lost));
		if (head->size < sizeof(lost) ||
		    !guest_take64(GUEST64(lost.n_lost), 1, LOST_MAX, &n)) {
			client_malformed(c, d->slot);
			break;
		}
		uint64_t first = time_of(r, GUEST64(lost.first_tsc));
		if (wanted_is_last_taken(r))
			break;
		notes_add_lost(r, LOSS_RING_FULL, c->process->index, n, time,
			       time > first ? time - first : 0);
		c->n_lost += n;
		break;
	}
	case RECORD_FINALISED: {
		struct note_info note = { .kind = NOTE_FINALISED,
					  .time_ns = time,
					  .process = c->process->index };
		writer_note(r->writer, &note);
		if (c->process->pid == d->tap->link->pid && !(head->flags & RECORD_COMES_BACK))
			d->tap->finalised = true;
		break;
	}
	default: client_malformed(c, d->slot); break;
	}
}

/* The client of a slot, made if the slot was claimed since. NULL: there is none. */
static struct client *client_of(struct recorder *r, struct tap *t, uint32_t k, bool claimed,
				bool *ret_saw_all)
{
	if (t->clients[k] || !claimed || !ring_slot_is_claimed(&t->link->ring, k))
		return t->clients[k];
	struct client *c = client_add(r, t, k);
	if (!c)
		*ret_saw_all = false; /* memory is short: try again in the next round */
	return c;
}

/* Is an event in flight there, for less than HOLD_NS? */
static bool is_worth_waiting(struct client *c, const struct slot_look *look)
{
	uint64_t now = monotonic_ns();
	if (look->flight == UINT64_MAX || client_is_over(c))
		return false;
	if (c->flight != look->writing) {
		c->flight = look->writing;
		c->flight_ns = now;
	}
	return now - c->flight_ns < HOLD_NS;
}

/* Read the state of all slots. Those that hold records are put into r->draining.drains. Returns the
 * time after which no record may be taken (lineup.h). */
static uint64_t look_at_all(struct recorder *r, size_t *ret_n)
{
	uint64_t start = taps_tick(r), hold = clock_ticks_of_ns(&r->clock, HOLD_NS), limit;
	size_t n = 0;
	bool may_wait = true, is_behind = false;
	start -= clock_ticks_of_ns(&r->clock, SLACK_NS);
	limit = start;
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		const struct ring *ring = &t->link->ring;
		bool saw_all = true;
		guest_u32 claims = ring_n_claims(ring);
		for (uint32_t k = 0; k < t->n_slots; k++) {
			struct client *c = client_of(r, t, k, !guest_is32(claims, t->seen_claims),
						     &saw_all);
			if (!c || c->is_given_up)
				continue;
			struct slot_look look = lineup_look(ring_slot_borrow(ring, k));
			struct drain d = {
				.tap = t, .c = c, .slot = k, .tail = c->tail, .published = c->tail
			};
			if (look.flight < limit && is_worth_waiting(c, &look))
				limit = look.flight;
			if (guest_is64(look.head, d.tail))
				continue;
			if (!ring_head_check(ring, k, look.head, d.tail, &d.head)) {
				/* The target has written over it: start again at the head that
				 * it names. Any number does as a tail, for it only means a
				 * place in the slot. */
				client_malformed(c, k);
				d.tail = guest_shown64(look.head) & ~7ull;
				drain_end(&d);
				continue;
			}
			if (r->draining.is_resting && d.head > c->rest_until)
				d.head = c->rest_until > d.tail ? c->rest_until : d.tail;
			is_behind |= d.head - d.tail > ring_slot_size(ring, k) / 2;
			bool drops = r->options.probe.flags & PROBE_DROP || c->process->is_filtered;
			if (drops && d.head - d.tail > ring_slot_size(ring, k) / 4 * 3)
				may_wait = false;
			if (!vec_push(&r->draining.drains, d)) {
				saw_all = false;
				break;
			}
			n++;
		}
		if (saw_all)
			t->seen_claims = guest_shown32(claims); /* only compared with the next */
	}
	*ret_n = n;
	writer_hurry(r->writer, is_behind); /* before a ring is full and the target waits */
	return !may_wait ? start : limit > start - hold ? limit : start - hold;
}

/* One round: take what has arrived in all slots, oldest first. Returns bytes taken. *ret_until: the
 * time up to which all was taken. rest: nothing writes any more, so take records of any time. */
static uint64_t drain_round(struct recorder *r, bool rest, uint64_t *ret_until)
{
	r->draining.drains.n = r->draining.lineup.n = 0;
	size_t n;
	r->draining.begun_ns = clock_time_now(&r->clock);
	uint64_t taken = 0, limit = look_at_all(r, &n),
		 future = clock_ticks(&r->clock) + clock_ticks_of_ns(&r->clock, FUTURE_NS);
	if (rest)
		limit = UINT64_MAX;
	for (size_t i = 0; i < n; i++)
		if (!drain_next(&r->draining.drains.v[i], future) ||
		    !lineup_add(&r->draining.lineup, r->draining.drains.v[i].time, i))
			drain_end(&r->draining.drains.v[i]);
	uint64_t budget = DRAIN_BYTES * (n ? n : 1), over_at = monotonic_ns() + ROUND_NS;
	bool is_late = false;
	const struct lineup_entry *first;
	for (unsigned turn = 1;
	     taken < budget && !is_late && (first = lineup_first(&r->draining.lineup, limit));
	     turn++) {
		struct drain *d = &r->draining.drains.v[first->item];
		/* While it reads a native stack, the recorder beats itself (native.h). */
		if (turn % 64 == 0) {
			uint64_t now = monotonic_ns();
			taps_beat(r, now);
			taps_tick(r);
			is_late = now >= over_at;
		}
		handle_record(r, d, &d->next);
		d->tail += d->next.size;
		taken += d->next.size;
		if (d->tail - d->published >= PUBLISH_BYTES)
			drain_publish(d);
		if (drain_next(d, future)) {
			lineup_first_again(&r->draining.lineup, d->time);
		} else {
			drain_end(d);
			lineup_first_done(&r->draining.lineup);
		}
	}
	first = lineup_first(&r->draining.lineup, UINT64_MAX);
	r->draining.is_holding = first && taken < budget && !is_late;
	*ret_until = first && first->time <= limit ? (first->time ? first->time - 1 : 0) : limit;
	for (size_t i = 0; i < r->draining.lineup.n; i++)
		drain_end(&r->draining.drains.v[r->draining.lineup.v[i].item]);
	if (taken && !r->draining.unflushed_since)
		r->draining.unflushed_since = monotonic_ns();
	return taken;
}

uint64_t drain_all(struct recorder *r)
{
	uint64_t until;
	return drain_round(r, false, &until);
}

void drain_settle(struct recorder *r)
{
	uint64_t now = clock_ticks(&r->clock), until, deadline = monotonic_ns() + SETTLE_NS;
	for (unsigned idle = 0;;) {
		uint64_t taken = drain_round(r, false, &until);
		if (until >= now || monotonic_ns() >= deadline)
			return;
		idle = taken ? 0 : idle + 1;
		taps_beat(r, monotonic_ns());
		/* a thread is writing an event, and may need this processor */
		if (idle > SPINS)
			poll(NULL, 0, 1);
	}
}

/* Nothing should write any more. If something does, its records from now on are not waited for. */
void drain_rest(struct recorder *r)
{
	uint64_t until;
	drain_settle(r);
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		for (uint32_t k = 0; k < t->n_slots; k++)
			if (t->clients[k])
				t->clients[k]->rest_until = guest_shown64(ring_slot_head(
				    &t->link->ring, k)); /* a bound; it is checked in each round */
	}
	r->draining.is_resting = true;
	while (drain_round(r, true, &until))
		;
	r->draining.is_resting = false;
}
