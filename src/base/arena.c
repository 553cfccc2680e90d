/*
 * arena: see arena.h. Chunks double up to 1 MiB; an allocation larger than a chunk gets one of its
 * own.
 */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct arena_chunk {
	struct arena_chunk *next;
	_Alignas(16) char bytes[];
};

void *arena_alloc(struct arena *a, size_t n_bytes)
{
	if (n_bytes > SIZE_MAX - 64)
		return NULL;
	size_t need = (n_bytes + 15) & ~(size_t)15;
	if (!a->chunk || need > a->chunk_bytes - a->used_bytes) {
		size_t size = a->chunk_bytes ? a->chunk_bytes * 2 : 4096;
		if (size > 1u << 20)
			size = 1u << 20;
		if (size < need)
			size = need;
		struct arena_chunk *c = malloc(sizeof(*c) + size);
		if (!c)
			return NULL;
		c->next = a->chunk;
		a->chunk = c;
		a->used_bytes = 0;
		a->chunk_bytes = size;
		a->total_bytes += size;
	}
	void *p = a->chunk->bytes + a->used_bytes;
	a->used_bytes += need;
	return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n_bytes)
{
	char *q = arena_alloc(a, n_bytes + 1);
	if (!q)
		return NULL;
	if (n_bytes)
		memcpy(q, s, n_bytes);
	q[n_bytes] = 0;
	return q;
}

void arena_fini(struct arena *a)
{
	while (a->chunk) {
		struct arena_chunk *next = a->chunk->next;
		free(a->chunk);
		a->chunk = next;
	}
	memset(a, 0, sizeof(*a));
}
