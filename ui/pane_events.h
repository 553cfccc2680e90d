/*
 * pane_events: what other files ask of the list of events.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct pane;

/* Is a search running? Keys wait for what it finds. p may be NULL: the list was not opened yet. */
bool pane_events_is_searching(const struct pane *p);
void pane_events_search_stop(struct pane *p);
/* How many events the search has hit so far; true: all were counted. */
bool pane_events_hits(const struct pane *p, uint64_t *ret_n);
/* The note that the cursor is on; false: it is on an event, or on nothing. */
bool pane_events_note(const struct pane *p, uint32_t *ret);
/* When the filter changes next, the cursor stays at this event rather than at the one it is on. */
void pane_events_anchor(struct pane *p, uint64_t seq);
/* Put the cursor on an event, open the folds over it, and no longer follow new events. */
void pane_events_show(struct pane *p, uint64_t seq);
