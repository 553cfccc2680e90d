/*
 * text_cache: texts that are made once per id: frame → its JSON, thread → its JSON, …
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "base/vec.h"

struct text_cache {
	VEC(uint32_t) start; /* [id] offset + 1 into text, 0 = not made yet */
	VEC(uint32_t) length;
	struct strbuf text;
};

/* The cached text of `id`. If it returns NULL, append the text to c->text and then call
 * text_cache_keep() with the offset at which it starts. */
const char *text_cache_find(struct text_cache *c, uint32_t id, size_t *ret_bytes);
const char *text_cache_keep(struct text_cache *c, uint32_t id, size_t start, size_t *ret_bytes);
void text_cache_fini(struct text_cache *c);
