/*
 * turns: see turns.h.
 */
#include "capture/turns.h"

#include <string.h>

void turns_fini(struct turns *t)
{
	vec_fini(&t->strings);
	vec_fini(&t->values);
	vec_fini(&t->frames);
	vec_fini(&t->processes);
	arena_fini(&t->texts);
	*t = (struct turns){ 0 };
}

static const char *text_keep(struct turns *t, const void *bytes, size_t n_bytes)
{
	char *copy = arena_alloc(&t->texts, n_bytes ? n_bytes : 1);
	if (copy)
		memcpy(copy, bytes, n_bytes);
	return copy;
}

bool turns_keep_string(struct turns *t, const char *s, size_t n_bytes)
{
	struct kept_text kept = { .s = text_keep(t, s, n_bytes), .n_bytes = (uint32_t)n_bytes };
	return kept.s && vec_push(&t->strings, kept);
}

uint32_t turns_keep_value(struct turns *t, const void *bytes, size_t n_bytes)
{
	/* the environments of a family of processes are mostly the same: the newest match first */
	enum { LOOK_BACK = 256 };
	for (size_t i = t->values.n; i-- > 0 && t->values.n - i <= LOOK_BACK;)
		if (t->values.v[i].n_bytes == n_bytes && !memcmp(t->values.v[i].s, bytes, n_bytes))
			return (uint32_t)i + 1;
	struct kept_text kept = { .s = text_keep(t, bytes, n_bytes), .n_bytes = (uint32_t)n_bytes };
	return kept.s && vec_push(&t->values, kept) ? (uint32_t)t->values.n : 0;
}

bool turns_place(struct kept_place *p, uint32_t turn, uint32_t *n_local, uint32_t *ret_local)
{
	bool is_there = p->turn == turn;
	if (!is_there)
		*p = (struct kept_place){ turn, (*n_local)++ };
	*ret_local = p->local;
	return is_there;
}
