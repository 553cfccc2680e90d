/*
 * events_facts: the right part of the title of the list: how many are shown, folds, losses, hits of
 * the search, the position of the cursor, following.
 */
#pragma once
#include <stdbool.h>

struct hits;
struct pane;
struct strbuf;

struct events_facts {
	const struct pane *pane; /* the list */
	struct hits *hits;
	bool is_searching;
	double searched; /* 0…1, while it is searching */
	bool on_note;    /* the cursor is on a note, not on an event */
};

/* Append them, as many as there is room for beside the filter. */
void events_facts_add(const struct events_facts *f, struct strbuf *facts);
