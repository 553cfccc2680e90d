#include "model/nearest.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/edits.h"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool contains(const char *hay, const char *needle, size_t n_needle)
{
	for (; *hay; hay++) {
		size_t i = 0;

		while (i < n_needle && hay[i] && lower(hay[i]) == lower(needle[i]))
			i++;
		if (i == n_needle)
			return true;
	}
	return false;
}

/* 0: equal; small: near; SIZE_MAX: not near at all. */
static size_t remoteness(const char *name, size_t n_bytes, const char *entry)
{
	const char *last_dot = strrchr(entry, '.');
	size_t n_entry = strlen(entry);
	size_t best;

	if (n_entry > EDITS_MAX_BYTES)
		return SIZE_MAX;
	best = 2 * edits_between(name, n_bytes, entry, n_entry);
	if (last_dot) {
		size_t tail = 2 * edits_between(name, n_bytes, last_dot + 1, strlen(last_dot + 1)) +
			      1;

		if (tail < best)
			best = tail;
	}
	if (n_bytes >= 3 && contains(entry, name, n_bytes) && best > 3)
		best = 3;
	/* Up to a third of the letters may differ. */
	return best > 3 && best > 2 * ((n_bytes + 2) / 3) + 1 ? SIZE_MAX : best;
}

void nearest_init(struct nearest *near, const char *typed, size_t n_bytes, size_t max)
{
	*near = (struct nearest){ .typed = typed,
				  .n_bytes = n_bytes,
				  .max = max < NEAREST_MAX ? max : NEAREST_MAX };
}

void nearest_offer(struct nearest *near, const char *name, size_t id)
{
	if (near->n_bytes == 0 || near->n_bytes > EDITS_MAX_BYTES || near->max == 0)
		return;
	size_t d = remoteness(near->typed, near->n_bytes, name);

	if (d == SIZE_MAX)
		return;
	for (size_t i = 0; i < near->n; i++) {
		if (near->found[i].id != id)
			continue;
		if (near->found[i].remoteness <= d)
			return;
		memmove(&near->found[i], &near->found[i + 1],
			(near->n - 1 - i) * sizeof(near->found[0]));
		near->n--;
		break;
	}
	size_t at = near->n;

	while (at > 0 && near->found[at - 1].remoteness > d)
		at--;
	if (at == near->max)
		return;
	if (near->n < near->max)
		near->n++;
	memmove(&near->found[at + 1], &near->found[at],
		(near->n - 1 - at) * sizeof(near->found[0]));
	near->found[at].id = id;
	near->found[at].remoteness = d;
}
