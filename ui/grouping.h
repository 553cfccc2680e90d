/*
 * grouping: what the events of a summary can be grouped by, and what a group is called.
 *
 * A grouping names the column of a capture whose ids its groups are made of (model/group.h). For an
 * id it gives the text of the group and a filter term for its events. Ids that get the same text
 * are one group: ui/summary_rows.c counts and joins them.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "model/group.h"
#include "model/reach.h"
#include "ui/canvas.h"

struct view;

/* The group of one id. The caller sets s, id, name and role, and frees text and term. */
struct kind_text {
	struct view *s;
	uint32_t id, name;  /* id in the column; name of the event that it was found with */
	struct strbuf text; /* escaped for the screen; empty: the event belongs to no group */
	struct strbuf term; /* a filter; empty: no filter has just these events */
	enum role role;
};

struct grouping {
	const char *name;
	enum group_column column;
	/* Only events with an argument that is read in this way (enum catalog_reading) count.
	 * READING_KIND_COUNT: all events do. */
	unsigned reading;
	void (*make)(struct kind_text *k); /* append to text and term, and set role */
	/* Only events that reach for a thing of this kind count. REACH_KIND_COUNT: `reading`
	 * decides alone. */
	enum reach_kind reach;
	bool is_of_caller; /* stacks with the same caller are one group */
};

#define GROUPINGS 15
extern const struct grouping groupings[GROUPINGS];

/* Do events of this name (a name id of the capture) count? Only for a grouping with a `reading`. */
bool grouping_wants_name(const struct grouping *g, struct view *s, uint32_t name);
