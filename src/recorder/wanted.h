/*
 * wanted: the verdicts of the recorder's filter on names of events, put into the rings for the
 * probes to obey.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct recorder;
struct tap;

/* A name that events have had and that recorder_options.known_name does not know. */
struct other_name {
	char *text;
	uint32_t n_bytes;
};

/* Is an event of this name wanted? The verdict goes into all rings. Without a filter it is always
 * yes. */
bool wanted_ask(struct recorder *r, const char *name, uint32_t n_bytes);
/* Put the verdicts on all names that are known into the ring of a tap, and then have them read. For
 * a new tap, and whenever what is held has changed. */
void wanted_fill(struct recorder *r, struct tap *t);
/* Was the last event that is wanted taken (--limit, --until)? Nothing that comes after it is
 * lost. */
bool wanted_is_last_taken(const struct recorder *r);
void wanted_fini(struct recorder *r);
