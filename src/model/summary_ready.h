/*
 * summary_ready: summaries that are shipped, by name: what is counted, and by what.
 */
#pragma once
#include <stddef.h>

struct ready_summary {
	const char *name, *doc;
	const char *filter; /* which events */
	const char *by;     /* key of `stat --by` and of the summary on the screen */
};

#define READY_SUMMARIES 10
extern const struct ready_summary ready_summaries[READY_SUMMARIES];

/* The summary of this name; NULL if there is none. */
const struct ready_summary *ready_summary_find(const char *name);
