/*
 * mem_read: see mem_read.h.
 */
#include "base/mem_read.h"

#include <string.h>

bool mem_read_cstr(const struct mem_reader *m, raddr from, char *to, size_t cap)
{
	size_t n = 0;
	while (n < cap) {
		/* A read never crosses a page: the string may end just before an unmapped page. */
		size_t step = 64 - (from.v + n) % 64;
		if (step > cap - n)
			step = cap - n;
		if (!mem_read(m, raddr_add(from, n), to + n, step))
			return false;
		if (memchr(to + n, 0, step))
			return true;
		n += step;
	}
	return false;
}
