/*
 * fuzz_mutate: changes of the kinds that break parsers. They depend on nothing but the input and
 * the seed.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct fuzz_random {
	uint64_t state; /* not 0 */
};

uint64_t fuzz_random_u64(struct fuzz_random *r);
/* Below n; 0 for n = 0. */
size_t fuzz_random_below(struct fuzz_random *r, size_t n);
/* A number at which parsers go wrong: 0, 127, 128, 2^16, 2^32 - 1, 2^63, … */
uint64_t fuzz_random_edge(struct fuzz_random *r);

/* One change of bytes[n]: bits, edge numbers, pieces gone, doubled or moved. At most `cap` bytes;
 * returns how many there are. */
size_t fuzz_mutate_bytes(struct fuzz_random *r, uint8_t *bytes, size_t n, size_t cap);

/*
 * The same for a capture file: it is taken apart into its blocks, some of them are changed, moved,
 * doubled or dropped, and it is put together with right lengths and checksums. Without that the
 * checksums would turn away each change. What is no capture is changed as bytes are.
 */
size_t fuzz_mutate_capture(struct fuzz_random *r, uint8_t *bytes, size_t n, size_t cap);
