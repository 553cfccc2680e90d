/*
 * sorter: a merge sort that can be left and gone on with, for lists that are too long to be sorted
 * between two keys.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct sorter {
	VEC(uint32_t) v;
	uint32_t *other; /* as long as v: what is merged into */
	int (*compare)(void *ctx, uint32_t a, uint32_t b);
	void *ctx;
	/* runs of `width` are sorted; the two from `from` on are being merged, at a and b, into to
	 */
	size_t width, from, a, b, to;
	bool on;
};

/* Zeroed = empty. Add all, then begin; what is compared must stay as it is until the end. */
bool sorter_add(struct sorter *s, uint32_t key);
void sorter_begin(struct sorter *s, int (*compare)(void *ctx, uint32_t a, uint32_t b), void *ctx);
static inline bool sorter_is_on(const struct sorter *s)
{
	return s->on;
}
/* Go on for budget_ns at most (at least some hundred comparisons). True: sorted. *ret_spent_ns:
 * time it took. */
bool sorter_step(struct sorter *s, uint64_t budget_ns, uint64_t *ret_spent_ns);
const uint32_t *sorter_get(const struct sorter *s, uint32_t *ret_n); /* valid until sorter_fini() */
void sorter_fini(struct sorter *s);
