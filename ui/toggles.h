/*
 * toggles: the part of a filter that switches themes, categories and events on and off.
 *
 * Toggles write the filter that the user sees: "@network or @process", "not (@import or open)". A
 * filter is read back into toggles and the rest: `(@network or os.*) and rest`. A filter of any
 * other shape is rest as a whole.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "model/filter_combine.h"

struct filter;
struct view;

struct toggles {
	bool negated;               /* the switches are off, everything else is on */
	filter_switch_vec switches; /* none: everything is on */
	struct filter_rest rest;    /* the other part of the filter */
};

/* Read the filter (NULL: none) into *t, whose former content is freed. */
void toggles_read(struct toggles *t, const struct filter *filter);
void toggles_fini(struct toggles *t);
/* Is this event name on? */
bool toggles_has(const struct toggles *t, const char *name, size_t n_bytes);
/* Append the filter that shows exactly the names with on[id] of the session's trace (ids 1 …), with
 * the rest unchanged. */
void toggles_filter(const struct toggles *t, struct view *s, const bool *on, struct strbuf *to);
