/*
 * lineup: see lineup.h.
 */
#include "recorder/lineup.h"

#include <stdlib.h>

#include "probe/abi.h"

/*
 * In this order, and no other (the probe stores `writing`, reads the clock, stores `time`, and
 * `head` last; probe.c):
 *
 *   writing == head + 1   an event is in flight behind what was published. Its time, or that of the
 *                         event before it, is what was found in `time`: neither is younger than
 *                         itself.
 *   writing <= head       everything older than the look at `writing` is below `head`. What may be
 *                         in flight by now has read the clock after that look, so it is younger
 *                         than the round's start.
 */
struct slot_look lineup_look(const struct ring_slot *slot)
{
	struct slot_look look = { .writing = __atomic_load_n(&slot->writing, __ATOMIC_ACQUIRE) };
	look.flight = __atomic_load_n(&slot->time, __ATOMIC_ACQUIRE);
	look.head = GUEST_LOAD(&slot->head);
	if (!guest_is64(look.head, look.writing - 1))
		look.flight = UINT64_MAX;
	return look;
}

static bool is_before(const struct lineup_entry *a, const struct lineup_entry *b)
{
	return a->time != b->time ? a->time < b->time : a->item < b->item;
}

static void sink(struct lineup *l)
{
	struct lineup_entry e = l->v[0];
	size_t at = 0;
	for (size_t child; (child = 2 * at + 1) < l->n; at = child) {
		if (child + 1 < l->n && is_before(&l->v[child + 1], &l->v[child]))
			child++;
		if (!is_before(&l->v[child], &e))
			break;
		l->v[at] = l->v[child];
	}
	l->v[at] = e;
}

bool lineup_add(struct lineup *l, uint64_t time, size_t item)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct lineup_entry *v = realloc(l->v, cap * sizeof(*v));
		if (!v)
			return false;
		l->v = v;
		l->cap = cap;
	}
	struct lineup_entry e = { time, item };
	size_t at = l->n++;
	for (; at && is_before(&e, &l->v[(at - 1) / 2]); at = (at - 1) / 2)
		l->v[at] = l->v[(at - 1) / 2];
	l->v[at] = e;
	return true;
}

const struct lineup_entry *lineup_first(const struct lineup *l, uint64_t limit)
{
	return l->n && l->v[0].time <= limit ? &l->v[0] : NULL;
}

void lineup_first_again(struct lineup *l, uint64_t time)
{
	l->v[0].time = time;
	sink(l);
}

void lineup_first_done(struct lineup *l)
{
	l->v[0] = l->v[--l->n];
	if (l->n)
		sink(l);
}

void lineup_fini(struct lineup *l)
{
	free(l->v);
	*l = (struct lineup){ 0 };
}
