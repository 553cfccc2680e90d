/*
 * sorter: a merge sort in steps, for lists that take too long to be sorted between two key presses.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct sorter {
	VEC(uint32_t) v;
	uint32_t *other; /* as long as v: the merged runs go here */
	int (*compare)(void *ctx, uint32_t a, uint32_t b);
	void *ctx;
	/* runs of `width` are sorted; the two from `from` on are being merged, at a and b, into to
	 */
	size_t width, from, a, b, to;
	bool on;
};

/* A zeroed struct is empty. Add all keys, then begin; what is compared must not change until the
 * end. */
bool sorter_add(struct sorter *s, uint32_t key);
void sorter_begin(struct sorter *s, int (*compare)(void *ctx, uint32_t a, uint32_t b), void *ctx);
static inline bool sorter_is_on(const struct sorter *s)
{
	return s->on;
}
/* Continue for budget_ns at most (at least some hundred comparisons). Returns true if the list is
 * sorted. *ret_spent_ns: the time it took. */
bool sorter_step(struct sorter *s, uint64_t budget_ns, uint64_t *ret_spent_ns);
const uint32_t *sorter_get(const struct sorter *s, uint32_t *ret_n); /* valid until sorter_fini() */
void sorter_fini(struct sorter *s);
