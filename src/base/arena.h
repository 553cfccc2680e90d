/*
 * arena: many small allocations, one free. Pointers stay valid until arena_fini().
 */
#pragma once
#include <stddef.h>

struct arena_chunk;
struct arena {
	struct arena_chunk *chunk; /* newest first */
	size_t used_bytes, chunk_bytes;
	size_t total_bytes; /* of all chunks; for accounting */
};

/* A zeroed struct arena is ready for use. */
/* 16-aligned, not zeroed; NULL when memory is short */
void *arena_alloc(struct arena *a, size_t n_bytes);
char *arena_strndup(struct arena *a, const char *s, size_t n_bytes); /* adds a NUL */
void arena_fini(struct arena *a);
