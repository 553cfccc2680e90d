#include "fuzz_mutate.h"

#include <string.h>

#include "fuzz.h"

uint64_t fuzz_random_u64(struct fuzz_random *r)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return r->state;
}

size_t fuzz_random_below(struct fuzz_random *r, size_t n)
{
	return n ? (size_t)(fuzz_random_u64(r) % n) : 0;
}

uint64_t fuzz_random_edge(struct fuzz_random *r)
{
	static const uint64_t edges[] = { 0,
					  1,
					  2,
					  0x7f,
					  0x80,
					  0xff,
					  0x3fff,
					  0x4000,
					  0x7fff,
					  0xffff,
					  0x10000,
					  0x7fffffff,
					  0x80000000,
					  0xfffffff8,
					  0xfffffffe,
					  0xffffffff,
					  0x100000000,
					  0x7fffffffffffffff,
					  0x8000000000000000,
					  0xfffffffffffffff8,
					  0xffffffffffffffff };
	return edges[fuzz_random_below(r, sizeof(edges) / sizeof(edges[0]))];
}

size_t fuzz_mutate_bytes(struct fuzz_random *r, uint8_t *bytes, size_t n, size_t cap)
{
	if (n == 0)
		return 0;
	size_t at = fuzz_random_below(r, n),
	       m = 1 + fuzz_random_below(r, n - at < 64 ? n - at : 64);
	uint64_t edge = fuzz_random_edge(r);
	size_t width = (size_t)1 << fuzz_random_below(r, 4);
	switch (fuzz_random_below(r, 8)) {
	case 0: bytes[at] ^= (uint8_t)(1u << fuzz_random_below(r, 8)); return n;
	case 1: bytes[at] = (uint8_t)fuzz_random_u64(r); return n;
	case 2: /* an edge */ memcpy(bytes + at, &edge, width < n - at ? width : n - at); return n;
	case 3: /* a number that is a little off */
		bytes[at] = (uint8_t)(bytes[at] + (int)fuzz_random_below(r, 9) - 4);
		return n;
	case 4: /* cut */ return at;
	case 5: /* remove a piece */ memmove(bytes + at, bytes + at + m, n - at - m); return n - m;
	case 6: /* repeat a piece */
		if (n + m > cap)
			return n;
		memmove(bytes + at + m, bytes + at, n - at);
		return n + m;
	default: { /* one piece over another */
		size_t to = fuzz_random_below(r, n - m + 1);
		memmove(bytes + to, bytes + at, m);
		return n;
	}
	}
}

/* The default for a harness that does not define its own. */
__attribute__((weak)) size_t fuzz_mutate(struct fuzz_random *r, uint8_t *bytes, size_t n,
					 size_t cap)
{
	return fuzz_mutate_bytes(r, bytes, n, cap);
}
