/*
 * holds: see holds.h.
 *
 * A thread waits by a place of the ring (abi.h, ring_hold). What stands there comes from the
 * target: it is compared with what the recorder knows, and a malformed place is released.
 * So a target can only keep itself waiting, and not for long.
 */
#include "recorder/holds.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/monotonic.h"
#include "recorder/asks.h"
#include "recorder/client.h"
#include "recorder/follow.h"
#include "recorder/held_locals.h"
#include "recorder/identity.h"
#include "recorder/notes.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"
#include "stacks/snapshot.h"
#include "visit/probe_link.h"

#define STALE_NS 5000000000ull /* then a place is freed: its thread was killed, or is not served */
/* The most that counts between two looks at the places: while the machine stood still, or we were
 * stopped, so did they. */
#define LOOK_NS 200000000ull
/* How closely the rings are watched: in the moments after a thread has begun to wait, others come.
 * A nap ends late: where an idle processor is halted, by 50 to 100 µs. So while threads come at
 * least every GAP_NS, there are no naps until the next one is overdue. */
#define SPIN_NS 2000000ull
#define GAP_NS  8000000ull
#define HOT_NS  1000000000ull
enum { NAP_HOT_NS = 15 * 1000, NAP_NS = 1000 * 1000 };

bool holds_are_on(const struct recorder *r)
{
	return r->holds.is_on;
}

/* What is held has changed: the probes get new verdicts. */
static void renew(struct recorder *r)
{
	bool is_on = r->options.hold.matches && r->options.hold.is_any(r->options.hold.ctx);
	if (!is_on && !r->holds.was_on)
		return;
	r->holds.is_on = is_on;
	r->holds.was_on = true;
	r->options.probe.holds = is_on;
	r->options.probe.filter_on = is_on || r->holds.reads_names;
	for (size_t i = 0; i < r->taps.n; i++)
		if (!r->taps.v[i]->gone)
			wanted_fill(r, r->taps.v[i]);
}

void holds_init(struct recorder *r)
{
	r->holds.reads_names = r->options.probe.filter_on;
	renew(r);
}

struct err *holds_change(struct recorder *r, const struct control_message *m)
{
	if (!r->options.hold.change)
		return err_create(ERR_UNSUPPORTED, "nothing can be held in this session");
	struct err *err = r->options.hold.change(r->options.hold.ctx, m);
	if (r->options.hold.has_changed(r->options.hold.ctx))
		renew(r);
	return err;
}

bool holds_report(struct recorder *r, struct hold_list *ret)
{
	if (!r->options.hold.list)
		return false;
	memset(ret, 0, sizeof(*ret)); /* it is compared byte by byte */
	r->options.hold.list(r->options.hold.ctx, ret);
	ret->n_held = (uint32_t)r->holds.v.n;
	for (size_t i = 0; i < r->holds.v.n && i < HELD_SHOWN; i++) {
		const struct held *h = &r->holds.v.v[i];
		ret->held[i] = (struct held_row){ .pid = (int32_t)h->info.pid,
						  .tid = (int32_t)h->info.tid,
						  .process = h->info.process,
						  .hold = h->info.hold,
						  .is_traced = follow_has(r->follow, h->info.pid),
						  .seq = h->n_before ? UINT64_MAX : h->info.seq,
						  .since_ns = h->since_ns };
	}
	if (!memcmp(ret, &r->holds.told, sizeof(*ret)))
		return false;
	r->holds.told = *ret;
	return true;
}

static struct hold_copy copy_of(struct recorder *r)
{
	return (struct hold_copy){ .fd = writer_show(r->writer),
				   .n_before = writer_n_before(r->writer) };
}

/* ---- one thread ---- */

/* Others that look at the target see in the ring what is held there. */
static void say_held(const struct recorder *r, struct tap *t)
{
	const struct held *first = NULL;
	uint32_t n = 0;
	if (!t->link->ring.shared)
		return;
	for (size_t i = 0; i < r->holds.v.n; i++) {
		const struct held *h = &r->holds.v.v[i];
		if (h->tap != t)
			continue;
		n++;
		if (!first || h->since_ns < first->since_ns)
			first = h;
	}
	ring_say_held(&t->link->ring, n, first ? (uint32_t)first->info.tid : 0,
		      first ? first->since_ns : 0);
}

static void forget(struct recorder *r, size_t i)
{
	struct held *h = &r->holds.v.v[i];
	held_locals_end(r, h);
	uint64_t took = monotonic_ns() - h->since_ns;
	if (h->fd >= 0)
		close(h->fd);
	r->end.has_action_failed |= h->has_failed;
	if (took > r->end.held_ns)
		r->end.held_ns = took;
	if (r->options.hold.end)
		r->options.hold.end(r->options.hold.ctx, &h->info, took);
	if (!writer_is_broken(r->writer))
		notes_add(r, NOTE_MESSAGE, h->info.process,
			  "thread %d of process %d continued: it was held for %.3f s",
			  (int)h->info.tid, (int)h->info.pid, (double)took / 1e9);
	struct tap *tap = h->tap;
	r->holds.v.v[i] = r->holds.v.v[--r->holds.v.n];
	say_held(r, tap);
}

/* Its place, if it is still the same wait. */
static bool is_waiting(const struct held *h, struct ring_held *ret)
{
	*ret = ring_held(&h->tap->link->ring, h->place);
	return ret->ticket == h->ticket;
}

static void release(struct recorder *r, size_t i)
{
	struct held *h = &r->holds.v.v[i];
	struct ring_held at;
	if (h->tap->link->ring.shared && is_waiting(h, &at))
		ring_held_set(&h->tap->link->ring, h->place, &at, HOLD_GO);
	forget(r, i);
}

/* Go on with its variables. If nothing keeps it any more, it is released. */
static void settle(struct recorder *r, size_t i)
{
	struct held *h = &r->holds.v.v[i];
	held_locals_poll(r, h);
	if (h->is_done && h->locals == HELD_LOCALS_DONE)
		release(r, i);
}

/* The event does match. Hold its thread, unless that is not possible. */
static void hold_thread(struct recorder *r, struct tap *t, uint32_t slot, uint32_t place,
			struct ring_held *at, const struct hold_copy *copy, uint32_t hold)
{
	const struct client *c = t->clients[slot];
	struct held h = { .tap = t,
			  .place = place,
			  .fd = -1,
			  .locals = held_locals_are_kept(r) ? HELD_LOCALS_WANTED : HELD_LOCALS_DONE,
			  .since_ns = monotonic_ns() };
	pid_t tid = 0;
	if (!asks_may_sleep(r, t, at->identity, at->tid, &tid)) {
		r->end.n_not_held++;
		if (!r->holds.has_refused)
			notes_add(r, NOTE_WARNING, c->process->index,
				  "a thread of process %d cannot be held: a system call could kill "
				  "it, or it is not followed",
				  (int)c->process->pid);
		r->holds.has_refused = true;
		ring_held_set(&t->link->ring, place, at, HOLD_GO);
		return;
	}
	h.info = (struct hold_info){ .process = c->process->index,
				     .pid = c->process->pid,
				     .tid = tid,
				     .seq = writer_n_in_file(r->writer) - 1,
				     .hold = hold };
	h.n_before = copy->n_before;
	if (!vec_reserve(&r->holds.v, 1) || !ring_held_set(&t->link->ring, place, at, HOLD_HELD)) {
		r->end.n_not_held++;
		ring_held_set(&t->link->ring, place, at, HOLD_GO);
		return;
	}
	h.ticket = ring_held(&t->link->ring, place).ticket;
	r->end.n_held++;
	notes_add(r, NOTE_MESSAGE, h.info.process,
		  "thread %d of process %d is held before event %llu happens", (int)tid,
		  (int)h.info.pid, (unsigned long long)h.info.seq);
	bool is_kept = vec_push(&r->holds.v, h);
	CHECK(is_kept);
	say_held(r, t);
	int fd = r->options.hold.begin ? r->options.hold.begin(r->options.hold.ctx, copy, &h.info)
				       : HOLD_KEEP;
	if (fd >= 0)
		r->holds.v.v[r->holds.v.n - 1].fd = fd;
	else if (fd == HOLD_CONTINUE)
		r->holds.v.v[r->holds.v.n - 1].is_done = true;
	settle(r, r->holds.v.n - 1);
	if (r->options.hold.has_changed(r->options.hold.ctx))
		renew(r);
}

/* Which hold matches the newest event? 0: none. */
static uint32_t match(struct recorder *r, struct hold_copy *ret_copy)
{
	uint32_t matches = 0;
	*ret_copy = copy_of(r);
	if (ret_copy->fd < 0)
		return 0;
	struct err *err = r->options.hold.matches(r->options.hold.ctx, ret_copy,
						  writer_n_in_file(r->writer) - 1, &matches);
	if (err && !r->holds.has_failed)
		notes_add(r, NOTE_WARNING, UINT32_MAX, "a hold cannot be decided: %s",
			  err->message);
	r->holds.has_failed |= err != NULL;
	err_destroy(err);
	return matches;
}

void holds_decide(struct recorder *r, struct tap *t, uint32_t slot, uint64_t tail, bool is_written)
{
	struct ring *ring = &t->link->ring;
	struct hold_copy copy;
	for (uint32_t place = 0; place < RING_HOLDS; place++) {
		struct ring_held at = ring_held(ring, place);
		if (at.state != HOLD_WAITS || !guest_is32(at.slot, slot) ||
		    !guest_is64(at.head, tail))
			continue;
		uint32_t hold = is_written && holds_are_on(r) ? match(r, &copy) : 0;
		if (hold)
			hold_thread(r, t, slot, place, &at, &copy, hold);
		else
			ring_held_set(ring, place, &at, HOLD_GO);
		return;
	}
}

/* ---- all of them ---- */

/* A thread waits for its record to be matched. Will that happen? */
static bool is_awaited(const struct tap *t, const struct ring_held *at)
{
	uint32_t slot;
	if (!guest_take32(at->slot, 0, t->n_slots - 1, &slot))
		return false;
	const struct client *c = t->clients[slot];
	/* the record was taken, and there was no such wait then */
	return !c || (!c->is_given_up && guest_growth(at->head, c->tail, UINT64_MAX) > 0) ||
	       guest_is64(at->head, c->tail);
}

static bool is_listed(const struct recorder *r, const struct tap *t, uint32_t place,
		      uint64_t ticket)
{
	for (size_t i = 0; i < r->holds.v.n; i++)
		if (r->holds.v.v[i].tap == t && r->holds.v.v[i].place == place &&
		    r->holds.v.v[i].ticket == ticket)
			return true;
	return false;
}

/* Check one place. Is it to be looked at again? */
static bool look_at(struct recorder *r, struct tap *t, uint32_t place, uint64_t now)
{
	struct ring *ring = &t->link->ring;
	struct ring_held at = ring_held(ring, place);
	if (at.ticket != t->holds[place].ticket)
		t->holds[place] = (struct hold_seen){ at.ticket, now };
	bool is_stale = now - t->holds[place].since_ns > STALE_NS;
	switch (at.state) {
	case HOLD_FREE: return false;
	case HOLD_WAITS:
		if (is_stale || !is_awaited(t, &at))
			ring_held_set(ring, place, &at, HOLD_GO);
		break;
	case HOLD_HELD:
		if (!is_listed(r, t, place, at.ticket))
			ring_held_set(ring, place, &at, HOLD_GO);
		break;
	case HOLD_UNHEARD:
	case HOLD_REFUSED: ring_held_set(ring, place, &at, HOLD_FREE); break;
	/* Its thread may be stopped while it writes, and would write over the fields of the thread
	 * that took the place meanwhile. */
	case HOLD_TAKEN: return false;
	case HOLD_GO:
	case HOLD_STATE_COUNT:
		if (is_stale)
			ring_held_set(ring, place, &at, HOLD_FREE);
		break;
	}
	return true;
}

/* Has the action of a held thread ended? */
static void action_look(struct held *h)
{
	char bytes[256];
	if (h->fd < 0)
		return;
	ssize_t n = read(h->fd, bytes, sizeof(bytes));
	for (ssize_t i = 0; i < n; i++)
		h->has_failed |= bytes[i] != 0;
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	h->is_done = true;
	close(h->fd);
	h->fd = -1;
}

static bool has_ended(struct recorder *r, const struct held *h)
{
	const struct process *p = process_find(r, h->info.pid);
	return h->tap->gone || !h->tap->link->ring.shared || !p || p->index != h->info.process ||
	       p->ended;
}

/* The thread continued by itself: note why. */
static void note_own_end(struct recorder *r, const struct held *h, const struct ring_held *at)
{
	uint64_t was = h->ticket >> TICKET_STATE_BITS;
	const char *why = at->ticket >> TICKET_STATE_BITS != was ? "for a reason that is not known"
			  : at->state == HOLD_UNHEARD
			      ? "there was no sign of the recorder for 1.5 s"
			  : at->state == HOLD_REFUSED
			      ? "it may not sleep any more: a tracer or a seccomp filter came"
			      : NULL;
	if (why)
		notes_add(r, NOTE_WARNING, h->info.process,
			  "thread %d of process %d continued by itself: %s", (int)h->info.tid,
			  (int)h->info.pid, why);
}

void holds_poll(struct recorder *r)
{
	if (!r->holds.was_on)
		return;
	uint64_t now = monotonic_ns(), passed = now - r->holds.look_ns;
	r->holds.look_ns = now;
	r->holds.watched_ns += passed < LOOK_NS ? passed : LOOK_NS;
	for (size_t i = r->holds.v.n; i-- > 0;) {
		struct held *h = &r->holds.v.v[i];
		struct ring_held at;
		if (has_ended(r, h)) {
			forget(r, i);
		} else if (!is_waiting(h, &at)) {
			note_own_end(r, h, &at);
			forget(r, i);
		} else {
			action_look(h);
			settle(r, i);
		}
	}
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		if (t->gone || !t->link->ring.shared)
			continue;
		guest_u32 n = ring_n_holds(&t->link->ring);
		if (guest_is32(n, t->n_holds) && !t->has_holds)
			continue;
		if (!t->holds && !(t->holds = calloc(RING_HOLDS, sizeof(*t->holds))))
			continue;
		if (!guest_is32(n, t->n_holds)) {
			r->holds.gap_ns = now - r->holds.hot_ns;
			r->holds.hot_ns = now;
		}
		t->n_holds = guest_shown32(n);
		t->has_holds = false;
		for (uint32_t place = 0; place < RING_HOLDS; place++)
			t->has_holds |= look_at(r, t, place, r->holds.watched_ns);
		uint32_t missed = guest_shown32(ring_n_holds_missed(&t->link->ring));
		r->end.n_not_held += missed - t->n_holds_missed;
		t->n_holds_missed = missed;
	}
}

void holds_release(struct recorder *r)
{
	while (r->holds.v.n)
		release(r, r->holds.v.n - 1);
}

bool holds_are_hot(const struct recorder *r)
{
	return r->holds.is_on && monotonic_ns() - r->holds.hot_ns < HOT_NS;
}

bool holds_are_acting(const struct recorder *r)
{
	for (size_t i = 0; i < r->holds.v.n; i++)
		if (r->holds.v.v[i].fd >= 0)
			return true;
	return false;
}

/* Has a thread begun to wait since holds_poll() looked? */
static bool is_any_new(const struct recorder *r)
{
	for (size_t i = 0; i < r->taps.n; i++) {
		const struct tap *t = r->taps.v[i];
		if (!t->gone && t->link->ring.shared &&
		    !guest_is32(ring_n_holds(&t->link->ring), t->n_holds))
			return true;
	}
	return false;
}

/* Does a thread wait for a decision? */
static bool is_any_undecided(const struct recorder *r)
{
	for (size_t i = 0; i < r->taps.n; i++) {
		const struct tap *t = r->taps.v[i];
		for (uint32_t place = 0; t->has_holds && !t->gone && place < RING_HOLDS; place++)
			if (t->link->ring.shared &&
			    ring_held(&t->link->ring, place).state == HOLD_WAITS)
				return true;
	}
	return false;
}

void holds_wait(struct recorder *r, int timeout_ms)
{
	uint64_t now = monotonic_ns(), until = now + (uint64_t)timeout_ms * 1000000;
	if (is_any_undecided(r))
		return;
	/* Naps are late by the slack of timers, 50 µs. No program is launched from here on. */
	if (!r->holds.has_slack)
		prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
	r->holds.has_slack = true;
	if (r->holds.v.n && timeout_ms > 1) /* they ask whether they may sleep on */
		until = now + 1000000;
	uint64_t spin_ns = r->holds.gap_ns < GAP_NS && r->holds.gap_ns > SPIN_NS / 2
			       ? 2 * r->holds.gap_ns
			       : SPIN_NS;
	while (!is_any_new(r) && now < until) {
		uint64_t quiet = now - r->holds.hot_ns;
		struct timespec nap = { .tv_nsec = quiet < HOT_NS ? NAP_HOT_NS : NAP_NS };
		if (quiet < spin_ns)
			sched_yield();
		else
			nanosleep(&nap, NULL);
		now = monotonic_ns();
	}
}

void holds_fini(struct recorder *r)
{
	for (size_t i = 0; i < r->holds.v.n; i++)
		if (r->holds.v.v[i].fd >= 0)
			close(r->holds.v.v[i].fd);
	snapshot_job_destroy(r->holds.job);
	vec_fini(&r->holds.v);
}
