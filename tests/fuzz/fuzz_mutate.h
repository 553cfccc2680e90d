/*
 * fuzz_mutate: changes of the kinds that break parsers. They depend only on the input and the seed.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct fuzz_random {
	uint64_t state; /* not 0 */
};

uint64_t fuzz_random_u64(struct fuzz_random *r);
/* Return a number below n; 0 for n = 0. */
size_t fuzz_random_below(struct fuzz_random *r, size_t n);
/* Return a number at which parsers often fail: 0, 127, 128, 2^16, 2^32 - 1, 2^63, … */
uint64_t fuzz_random_edge(struct fuzz_random *r);

/* Make one change of bytes[n]: bits, edge numbers, pieces removed, doubled or moved. Returns the
 * new number of bytes, at most `cap`. */
size_t fuzz_mutate_bytes(struct fuzz_random *r, uint8_t *bytes, size_t n, size_t cap);

/*
 * Make one change of a capture file: it is divided into its blocks, some of them are changed,
 * moved, doubled or dropped, and it is assembled with right lengths and checksums. Otherwise the
 * checksums would reject each change. Input that is no capture is changed like plain bytes.
 */
size_t fuzz_mutate_capture(struct fuzz_random *r, uint8_t *bytes, size_t n, size_t cap);
