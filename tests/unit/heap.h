/*
 * heap: how much memory of malloc(3) is in use.
 */
#pragma once
#include <malloc.h>
#include <stddef.h>

/* mallinfo(3); 0 where a sanitizer has a malloc(3) of its own. */
static inline size_t heap_n_bytes(void)
{
	struct mallinfo2 m = mallinfo2();
	return m.uordblks + m.hblkhd;
}
