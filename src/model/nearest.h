/*
 * nearest: dotted names that are near to one that was typed.
 *
 * Near is few edits (insert, delete, replace, swap neighbours; letter case does not count) of the
 * whole name or of its last part, since people know "Popen" before they know "subprocess.Popen", or
 * containing what was typed.
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
/* Consider one name; id is the caller's. Offered twice, an id is kept at its better place. */
void nearest_offer(struct nearest *near, const char *name, size_t id);
