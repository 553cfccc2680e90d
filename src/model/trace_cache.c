/*
 * trace_cache: what of a capture is in memory. What was used last stays; what cannot be loaded is
 * remembered.
 */
#include <stdlib.h>
#include <string.h>

#include "model/trace_private.h"

void trace_cache_add(struct trace *t, struct cached *c, struct cached **home, size_t n_bytes)
{
	c->home = home;
	c->n_bytes = n_bytes;
	c->tick = t->tick;
	*home = c;
	t->loaded_bytes += n_bytes;
	if (!vec_push(&t->loaded, c)) { /* not listed, so it is never evicted */
		c->tick = UINT64_MAX;
		t->loaded_bytes -= n_bytes;
		t->pinned_bytes += n_bytes;
	}
}

void trace_cache_resized(struct trace *t, struct cached *c, size_t n_bytes)
{
	size_t *account = c->tick == UINT64_MAX ? &t->pinned_bytes : &t->loaded_bytes;
	*account += n_bytes - c->n_bytes;
	c->n_bytes = n_bytes;
}

void trace_cache_pin(struct trace *t, struct cached *c)
{
	if (c->tick == UINT64_MAX)
		return;
	c->tick = UINT64_MAX;
	t->loaded_bytes -= c->n_bytes;
	t->pinned_bytes += c->n_bytes;
}

static int by_tick(const void *a, const void *b)
{
	const struct cached *x = *(struct cached *const *)a, *y = *(struct cached *const *)b;
	return x->tick < y->tick ? -1 : x->tick > y->tick;
}

void trace_trim(struct trace *t)
{
	t->tick++;
	if (t->loaded_bytes <= t->options.cache_bytes)
		return;
	size_t n_kept = 0;
	for (size_t i = 0; i < t->loaded.n; i++) /* drop the pinned ones from the list */
		if (t->loaded.v[i]->tick != UINT64_MAX)
			t->loaded.v[n_kept++] = t->loaded.v[i];
	t->loaded.n = n_kept;
	qsort(t->loaded.v, t->loaded.n, sizeof(*t->loaded.v), by_tick);
	size_t n_out = 0;
	while (n_out < t->loaded.n && t->loaded_bytes > t->options.cache_bytes / 4 * 3) {
		struct cached *c = t->loaded.v[n_out++];
		t->loaded_bytes -= c->n_bytes;
		*c->home = NULL;
		c->destroy(c);
	}
	memmove(t->loaded.v, t->loaded.v + n_out, (t->loaded.n - n_out) * sizeof(*t->loaded.v));
	t->loaded.n -= n_out;
}

void trace_mark_unreadable(struct trace *t, const struct block_ref *ref)
{
	if (!ref->offset)
		return; /* a hole: counted when the file was walked */
	/* It may be requested again after the cache dropped it. Above a thousand no exact count is
	 * needed. */
	for (size_t i = 0; i < t->unreadable.n && i < 1000; i++)
		if (t->unreadable.v[i] == ref->offset)
			return;
	(void)!vec_push(&t->unreadable, ref->offset);
}
