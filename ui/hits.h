/*
 * hits: the shown events that a search finds, counted in slices from the first event on.
 *
 * It follows the search and the filter: if either is another one, counting begins anew; events that
 * are captured later are counted when they come.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct hits;
struct row_look;
struct search;
struct view;

struct hits *hits_create(void); /* NULL if memory is short */
void hits_destroy(struct hits *h);
DEFINE_CLEANUP(hits);

/* How rows are drawn, from now on; if they have other texts, counting begins anew. */
void hits_look(struct hits *h, const struct row_look *look);
/* Count for budget_ns at most. Returns true if there is more to count. *ret_changed: something was
 * counted; else untouched. */
bool hits_work(struct hits *h, struct view *s, const struct search *search, uint64_t budget_ns,
	       bool *ret_changed);
/* Does the line of this event have a hit? Looks at the text if it was not counted yet. */
bool hits_has(struct hits *h, struct view *s, const struct search *search, uint64_t seq);
/* Where to look next, from an event on in this direction: what is known to have no hit is left out.
 * SELECTION_NONE: there is nothing more in this direction. */
uint64_t hits_skip(struct hits *h, const struct view *s, const struct search *search, uint64_t seq,
		   bool forward);
/* The number of hits so far, and the place of an event among them, from 1; 0: it is none, or was
 * not counted yet. Returns true if all events were counted. */
bool hits_place(struct hits *h, const struct view *s, const struct search *search, uint64_t seq,
		uint64_t *ret_place, uint64_t *ret_n);
