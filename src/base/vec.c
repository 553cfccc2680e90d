/*
 * vec: growth, shared by all vectors (by half, with overflow checks).
 */
#include "base/vec.h"

#include <stdint.h>

bool vec_reserve_(void **v, size_t n, size_t *cap, size_t more, size_t elem_bytes)
{
	if (more <= *cap - n)
		return true;
	if (more > SIZE_MAX / elem_bytes - n)
		return false;
	size_t want = n + more, grown = *cap + *cap / 2;
	if (grown > want && grown <= SIZE_MAX / elem_bytes)
		want = grown;
	if (want < 8 && elem_bytes <= 64)
		want = 8;
	void *p = realloc(*v, want * elem_bytes);
	if (!p)
		return false;
	*v = p;
	*cap = want;
	return true;
}
