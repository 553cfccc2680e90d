/*
 * nearest: dotted names that are near to a typed one.
 *
 * A name is near if few edits (insert, delete, replace, swap neighbours; letter case is ignored)
 * lead to the whole name or to its last part, since people know "Popen" before they know
 * "subprocess.Popen", or if it contains the typed text.
 */
#pragma once
#include <stddef.h>

#define NEAREST_MAX 8

struct nearest {
	const char *typed;
	size_t n_bytes, max, n;
	struct {
		size_t id, remoteness;
	} found[NEAREST_MAX]; /* best first; n of them */
};

/* max at most NEAREST_MAX */
void nearest_init(struct nearest *near, const char *typed, size_t n_bytes, size_t max);
/* Consider one name; id is the caller's. If an id is offered twice, its better place is kept. */
void nearest_offer(struct nearest *near, const char *name, size_t id);
