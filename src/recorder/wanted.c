/*
 * wanted: see wanted.h.
 */
#include "recorder/wanted.h"

#include <string.h>

#include "recorder/counts.h"
#include "recorder/holds.h"
#include "recorder/recorder_private.h"
#include "visit/probe_link.h"

/* The table is open addressing, written by the recorder alone, and never full. */
static void add_verdict(struct recorder *r, struct tap *t, const char *name, uint32_t n,
			bool is_wanted)
{
	uint32_t place, verdict = !is_wanted                    ? VERDICT_UNWANTED
				  : holds_may_match(r, name, n) ? VERDICT_HOLD
								: VERDICT_WANTED;
	if (t->n_verdicts > VERDICT_COUNT / 2)
		return;
	t->n_verdicts += is_wanted && r->options.probe.counts
			     ? counts_add_name(r, t, name, n)
			     : ring_add_verdict(&t->link->ring, name_hash(name, n), verdict,
						&place);
}

bool wanted_ask(struct recorder *r, const char *name, uint32_t n)
{
	if (!r->options.probe.filter_on)
		return true;
	bool wanted = !r->options.wants || r->options.wants(r->options.wants_ctx, name, n);
	for (size_t i = 0; i < r->taps.n; i++)
		add_verdict(r, r->taps.v[i], name, n, wanted);
	return wanted;
}

void wanted_fill(struct recorder *r, struct tap *t)
{
	const char *name;
	for (size_t i = 0; r->options.probe.filter_on && (name = r->options.known_name(i)); i++) {
		uint32_t n = (uint32_t)strlen(name);
		add_verdict(r, t, name, n,
			    !r->options.wants || r->options.wants(r->options.wants_ctx, name, n));
	}
}

bool wanted_is_last_taken(const struct recorder *r)
{
	return r->draining.is_enough || writer_is_over(r->writer);
}
