/*
 * page_cache: see page_cache.h. SETS sets of WAYS pages; a page has its place in one set, where it
 * takes that of the page that came first.
 */
#include "system/page_cache.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, SETS = 64, WAYS = 8 };

struct page {
	uint64_t number; /* address / PAGE */
	uint8_t *bytes;  /* [PAGE]; NULL: this place was not used yet */
	bool is_readable;
};

struct set {
	struct page ways[WAYS];
	unsigned next; /* to be replaced */
};

struct page_cache {
	const struct mem_reader *under;
	struct set sets[SETS];
	bool is_partial; /* something was read that is not kept */
};

struct page_cache *page_cache_create(const struct mem_reader *under)
{
	struct page_cache *c = calloc(1, sizeof(*c));
	if (c)
		c->under = under;
	return c;
}

void page_cache_destroy(struct page_cache *c)
{
	for (size_t i = 0; c && i < SETS; i++)
		for (size_t k = 0; k < WAYS; k++)
			free(c->sets[i].ways[k].bytes);
	free(c);
}

/* The tables of modules of the same size begin at addresses that differ in few bits: multiply by
 * 2^64 / the golden ratio (Knuth, TAOCP 3, 6.4). */
static struct set *set_of(struct page_cache *c, uint64_t number)
{
	return &c->sets[number * 0x9e3779b97f4a7c15u >> 58];
}
_Static_assert(SETS == 1 << (64 - 58), "set_of() gives a number of a set");

/* NULL if memory is short. */
static const struct page *page_get(struct page_cache *c, uint64_t number)
{
	struct set *set = set_of(c, number);
	for (unsigned i = 0; i < WAYS; i++)
		if (set->ways[i].bytes && set->ways[i].number == number)
			return &set->ways[i];
	struct page *p = &set->ways[set->next];
	c->is_partial |= p->bytes != NULL;
	if (!p->bytes && !(p->bytes = malloc(PAGE)))
		return NULL;
	set->next = (set->next + 1) % WAYS;
	p->number = number;
	p->is_readable = mem_read(c->under, RADDR(number * PAGE), p->bytes, PAGE);
	return p;
}

static bool read_past(struct page_cache *c, raddr from, void *to, size_t n_bytes)
{
	c->is_partial = true;
	return mem_read(c->under, from, to, n_bytes);
}

bool page_cache_read(struct page_cache *c, raddr from, void *to, size_t n_bytes)
{
	if (n_bytes > PAGE || from.v + n_bytes < from.v)
		return read_past(c, from, to, n_bytes);
	for (size_t done = 0; done < n_bytes;) {
		uint64_t at = from.v + done, off = at % PAGE;
		size_t n = n_bytes - done < PAGE - off ? n_bytes - done : PAGE - off;
		const struct page *p = page_get(c, at / PAGE);
		if (!p)
			return read_past(c, from, to, n_bytes);
		if (!p->is_readable)
			return false;
		memcpy((uint8_t *)to + done, p->bytes + off, n);
		done += n;
	}
	return true;
}

static bool is_same(const struct page_cache *c, const struct page *p)
{
	uint8_t now[PAGE];
	bool is_readable = mem_read(c->under, RADDR(p->number * PAGE), now, PAGE);
	return is_readable == p->is_readable && (!is_readable || memcmp(now, p->bytes, PAGE) == 0);
}

bool page_cache_is_same(struct page_cache *c)
{
	if (c->is_partial)
		return false;
	for (size_t i = 0; i < SETS; i++)
		for (size_t k = 0; k < WAYS; k++)
			if (c->sets[i].ways[k].bytes && !is_same(c, &c->sets[i].ways[k]))
				return false;
	return true;
}
