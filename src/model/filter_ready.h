/*
 * filter_ready: filters that are shipped, by name. A name stands in a filter like any other term:
 * "files-written and pid == 41".
 */
#pragma once
#include <stddef.h>

struct ready_filter {
	const char *name, *doc;
	const char *text; /* what the name stands for */
};

#define READY_FILTERS 10
extern const struct ready_filter ready_filters[READY_FILTERS];

/* The filter of this name; NULL if there is none. */
const struct ready_filter *ready_filter_find(const char *name, size_t n_bytes);
