/*
 * wanted: see wanted.h.
 */
#include "recorder/wanted.h"

#include <stdlib.h>
#include <string.h>

#include "recorder/counts.h"
#include "recorder/recorder_private.h"
#include "visit/probe_link.h"

static bool is_wanted(const struct recorder *r, const char *name, uint32_t n)
{
	return !r->options.wants || r->options.wants(r->options.wants_ctx, name, n);
}

/* Has a thread whose event has this name to wait for the recorder? */
static bool may_be_held(struct recorder *r, const char *name, uint32_t n)
{
	if (!r->holds.is_on)
		return false;
	const struct hold_copy copy = { .fd = writer_show(r->writer),
					.n_before = writer_n_before(r->writer) };
	return copy.fd >= 0 && r->options.hold.may_match(r->options.hold.ctx, &copy, name, n);
}

/* The verdict on a name, VERDICT_*. */
static uint32_t verdict_on(struct recorder *r, const char *name, uint32_t n)
{
	return !is_wanted(r, name, n)    ? VERDICT_UNWANTED
	       : r->options.probe.counts ? VERDICT_COUNTED
	       : may_be_held(r, name, n) ? VERDICT_HOLD
					 : VERDICT_WANTED;
}

/* The table is open addressing, written by the recorder alone, and never full. */
static void set_verdict(struct recorder *r, struct tap *t, const char *name, uint32_t n,
			uint32_t verdict)
{
	bool has_room = t->n_verdicts <= VERDICT_COUNT / 2;
	if (verdict == VERDICT_COUNTED)
		t->n_verdicts += has_room && counts_add_name(r, t, name, n);
	else
		t->n_verdicts += ring_set_verdict(&t->link->ring, name_hash(name, n), verdict,
						  has_room);
}

static bool is_catalogued(const struct recorder *r, const char *name, uint32_t n)
{
	const char *known;
	for (size_t i = 0; r->options.known_name && (known = r->options.known_name(i)); i++)
		if (strlen(known) == n && !memcmp(known, name, n))
			return true;
	return false;
}

/* Keep a name that is not known in advance: its verdict changes when what is held does. Without
 * room, or memory, its events wait to be matched, each of them. */
static void note_other(struct recorder *r, const char *name, uint32_t n)
{
	if (!r->options.hold.matches || r->other_names.n == VERDICT_COUNT / 2 ||
	    is_catalogued(r, name, n))
		return;
	for (size_t i = 0; i < r->other_names.n; i++)
		if (r->other_names.v[i].n_bytes == n && !memcmp(r->other_names.v[i].text, name, n))
			return;
	struct other_name add = { .text = malloc(n + 1u), .n_bytes = n };
	if (!add.text)
		return;
	memcpy(add.text, name, n);
	add.text[n] = 0;
	if (!vec_push(&r->other_names, add))
		free(add.text);
}

bool wanted_ask(struct recorder *r, const char *name, uint32_t n)
{
	note_other(r, name, n);
	if (!r->options.probe.filter_on)
		return true;
	uint32_t verdict = verdict_on(r, name, n);
	for (size_t i = 0; i < r->taps.n; i++)
		set_verdict(r, r->taps.v[i], name, n, verdict);
	return verdict != VERDICT_UNWANTED;
}

static void judge(struct recorder *r, struct tap *t, const char *name, uint32_t n)
{
	set_verdict(r, t, name, n, verdict_on(r, name, n));
}

void wanted_fill(struct recorder *r, struct tap *t)
{
	const char *name;
	if (!t->link->ring.shared)
		return;
	for (size_t i = 0; r->options.probe.filter_on && (name = r->options.known_name(i)); i++)
		judge(r, t, name, (uint32_t)strlen(name));
	for (size_t i = 0; r->options.probe.filter_on && i < r->other_names.n; i++)
		judge(r, t, r->other_names.v[i].text, r->other_names.v[i].n_bytes);
	/* last: a thread that reads verdicts finds them */
	ring_set_filter(&t->link->ring, link_filter(&r->options.probe));
}

void wanted_fini(struct recorder *r)
{
	for (size_t i = 0; i < r->other_names.n; i++)
		free(r->other_names.v[i].text);
	vec_fini(&r->other_names);
}

bool wanted_is_last_taken(const struct recorder *r)
{
	return r->draining.is_enough || writer_is_over(r->writer);
}
