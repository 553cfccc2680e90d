/*
 * counts: see counts.h.
 */
#include "recorder/counts.h"

#include "base/monotonic.h"
#include "recorder/client.h"
#include "recorder/intake.h"
#include "recorder/notes.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"
#include "visit/probe_link.h"

/* The clocks of the recorder and of what it measures are read at different moments. */
#define SLACK_NS 1000000ull

bool counts_add_name(struct recorder *r, struct tap *t, const char *name, uint32_t n_bytes)
{
	struct counted_name add = { .hash = name_hash(name, n_bytes) };
	add.string = intake_name(r->writer, r->redactor, name, n_bytes);
	/* Room first: once the probe has the verdict, the name must be known here. */
	if ((!add.string && n_bytes) || !vec_reserve(&t->counted, 1) ||
	    !ring_add_verdict(&t->link->ring, add.hash, VERDICT_COUNTED, &add.place))
		return false;
	t->counted.v[t->counted.n++] = add;
	return true;
}

/* The target has written numbers of its own. */
static void disbelieve(struct recorder *r, struct client *c)
{
	r->end.is_loss_known = false;
	if (!c->are_counts_false)
		notes_add(r, NOTE_WARNING, c->process->index,
			  "the counters of process %u cannot be right: memory of the probe was "
			  "overwritten; how often its events were raised is not known",
			  c->process->info.pid);
	c->are_counts_false = true;
}

static void take_one(struct recorder *r, struct client *c, const struct counted_name *name,
		     guest_u64 count, uint64_t most, uint64_t *taken)
{
	uint64_t now;
	if (guest_is64(count, *taken))
		return;
	if (*taken > UINT64_MAX - most || !guest_take64(count, *taken, *taken + most, &now)) {
		disbelieve(r, c);
		*taken = guest_shown64(count); /* only compared with the next */
		return;
	}
	struct note_info note = { .kind = NOTE_COUNTED,
				  .time_ns = clock_time_now(&r->clock),
				  .process = c->process->index,
				  .text = name->string,
				  .a = now - *taken };
	writer_note(r->writer, &note);
	c->n_counted += note.a;
	r->end.n_counted += note.a;
	*taken = now;
}

void counts_take(struct recorder *r, struct tap *t, uint32_t slot)
{
	const struct ring *ring = &t->link->ring;
	struct client *c = t->clients[slot];
	uint64_t now = monotonic_ns(), since = c->counted_ns ? c->counted_ns : r->started_ns,
		 n_before = r->end.n_counted;
	if (!ring->counts_off || !ring->shared || c->muted)
		return;
	if (writer_is_broken(r->writer)) {
		r->end.is_loss_known = false;
		return;
	}
	while (c->taken.n < t->counted.n)
		if (!vec_push(&c->taken, 0)) {
			r->end.is_loss_known = false; /* until it is tried again */
			return;
		}
	for (size_t i = 0; i < t->counted.n; i++)
		take_one(r, c, &t->counted.v[i], ring_slot_count(ring, slot, t->counted.v[i].place),
			 now - since + SLACK_NS, &c->taken.v[i]);
	c->counted_ns = now;
	if (r->end.n_counted != n_before && !r->draining.unflushed_since)
		r->draining.unflushed_since = now;
}

/* Verdicts that the target has changed decide which name an event is counted under. */
static void check_verdicts(struct recorder *r, struct tap *t)
{
	for (size_t i = 0; i < t->counted.n && !t->are_verdicts_false; i++) {
		const struct counted_name *name = &t->counted.v[i];
		if (ring_has_verdict(&t->link->ring, name->place, name->hash, VERDICT_COUNTED))
			continue;
		t->are_verdicts_false = true;
		r->end.is_loss_known = false;
		notes_add(r, NOTE_WARNING, t->process->index,
			  "memory of the probe in process %d was written over: its events may be "
			  "counted under other names",
			  (int)t->link->pid);
	}
}

void counts_poll(struct recorder *r, uint64_t now)
{
	if (!r->options.probe.counts || now - r->counts_ns < r->options.count_ns)
		return;
	r->counts_ns = now;
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		for (uint32_t k = 0; k < t->n_slots; k++)
			if (t->clients[k])
				counts_take(r, t, k);
		if (t->link->ring.shared)
			check_verdicts(r, t);
	}
}
