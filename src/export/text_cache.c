/*
 * text_cache: see text_cache.h.
 */
#include "export/text_cache.h"

const char *text_cache_find(struct text_cache *c, uint32_t id, size_t *ret_bytes)
{
	if (id >= c->start.n || !c->start.v[id])
		return NULL;
	*ret_bytes = c->length.v[id];
	return c->text.s + c->start.v[id] - 1;
}

const char *text_cache_keep(struct text_cache *c, uint32_t id, size_t start, size_t *ret_bytes)
{
	while (c->start.n <= id)
		if (!vec_push(&c->start, 0) || !vec_push(&c->length, 0))
			break;
	*ret_bytes = c->text.n - start;
	if (id < c->start.n && id < c->length.n && c->text.n < UINT32_MAX) {
		c->start.v[id] = (uint32_t)start + 1;
		c->length.v[id] = (uint32_t)*ret_bytes;
	}
	return c->text.s ? c->text.s + start : "";
}

void text_cache_fini(struct text_cache *c)
{
	vec_fini(&c->start);
	vec_fini(&c->length);
	strbuf_fini(&c->text);
}
