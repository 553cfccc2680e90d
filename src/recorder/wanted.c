/*
 * wanted: see wanted.h.
 */
#include "recorder/wanted.h"

#include <string.h>

#include "recorder/recorder_private.h"
#include "visit/inject.h"

bool wanted_ask(struct recorder *r, const char *name, uint32_t n)
{
	if (!r->options.wants)
		return true;
	bool wanted = r->options.wants(r->options.wants_ctx, name, n);
	/* The table is open addressing, written by the recorder alone, and never full. */
	uint64_t hash = name_hash(name, n);
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		if (t->n_verdicts <= VERDICT_COUNT / 2)
			t->n_verdicts += ring_add_verdict(&t->link->ring, hash, wanted);
	}
	return wanted;
}

void wanted_fill(struct recorder *r, struct tap *t)
{
	const char *name;
	for (size_t i = 0; r->options.wants && (name = r->options.known_name(i)) != NULL; i++) {
		uint32_t n = (uint32_t)strlen(name);
		if (t->n_verdicts <= VERDICT_COUNT / 2)
			t->n_verdicts += ring_add_verdict(
			    &t->link->ring, name_hash(name, n),
			    r->options.wants(r->options.wants_ctx, name, n));
	}
}

bool wanted_is_last_taken(const struct recorder *r)
{
	return r->draining.is_enough || writer_is_over(r->writer);
}
