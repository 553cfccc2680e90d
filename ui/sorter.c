/*
 * sorter: see sorter.h. It merges bottom-up, runs of 1, 2, 4, … keys; equal keys keep their order.
 */
#include "ui/sorter.h"

#include "base/monotonic.h"

enum { KEYS_PER_LOOK = 256 }; /* between two looks at the clock */

bool sorter_add(struct sorter *s, uint32_t key)
{
	return vec_push(&s->v, key);
}

static void merge_begin(struct sorter *s, size_t from)
{
	size_t n = s->v.n;
	s->from = s->a = s->to = from < n ? from : n;
	s->b = from + s->width < n ? from + s->width : n;
}

void sorter_begin(struct sorter *s, int (*compare)(void *ctx, uint32_t a, uint32_t b), void *ctx)
{
	s->compare = compare;
	s->ctx = ctx;
	s->other = malloc((s->v.n ? s->v.n : 1) * sizeof(*s->other));
	if (!s->other) /* no sorting: the keys stay in the order in which they were added */
		s->width = s->v.n;
	else
		s->width = 1;
	s->on = true;
	merge_begin(s, 0);
}

bool sorter_step(struct sorter *s, uint64_t budget_ns, uint64_t *ret_spent_ns)
{
	uint64_t begin = monotonic_ns();
	size_t n = s->v.n;
	unsigned done = 0;
	*ret_spent_ns = 0;
	while (s->on && s->width < n) {
		size_t middle = s->from + s->width < n ? s->from + s->width : n;
		size_t end = s->from + 2 * s->width < n ? s->from + 2 * s->width : n;
		while (s->to < end) {
			bool first = s->b >= end ||
				     (s->a < middle &&
				      s->compare(s->ctx, s->v.v[s->a], s->v.v[s->b]) <= 0);
			s->other[s->to++] = s->v.v[first ? s->a++ : s->b++];
			if (++done % KEYS_PER_LOOK == 0 && budget_ns != UINT64_MAX &&
			    monotonic_ns() - begin >= budget_ns) {
				*ret_spent_ns = monotonic_ns() - begin;
				return false;
			}
		}
		if (end < n) {
			merge_begin(s, end);
			continue;
		}
		/* both have v.n entries; only v.cap may be larger, and nothing is added any more */
		uint32_t *swap = s->v.v;
		s->v.v = s->other;
		s->other = swap;
		s->v.cap = n;
		s->width *= 2;
		merge_begin(s, 0);
	}
	*ret_spent_ns = monotonic_ns() - begin;
	return true;
}

const uint32_t *sorter_get(const struct sorter *s, uint32_t *ret_n)
{
	*ret_n = (uint32_t)s->v.n;
	return s->v.v;
}

void sorter_fini(struct sorter *s)
{
	vec_fini(&s->v);
	free(s->other);
	*s = (struct sorter){ 0 };
}
