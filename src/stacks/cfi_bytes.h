/*
 * cfi_bytes: a cursor over copied bytes, and the encodings of .eh_frame. Private to cfi*.c.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	const uint8_t *p, *end;
	bool bad; /* a read went beyond the end */
};

/* Each returns 0 and sets `bad` if the bytes end too soon. */
uint64_t bytes_take(struct bytes *b, unsigned n); /* n ≤ 8 bytes, little-endian, zero-extended */
uint64_t bytes_take_long_uleb(struct bytes *b);
int64_t bytes_take_sleb(struct bytes *b);

/* The program of a big function has some thousands of bytes, so this is inline. */
static inline uint8_t bytes_take_byte(struct bytes *b)
{
	if (b->p == b->end) {
		b->bad = true;
		return 0;
	}
	return *b->p++;
}

static inline uint64_t bytes_take_uleb(struct bytes *b)
{
	return b->p < b->end && *b->p < 0x80 ? *b->p++ : bytes_take_long_uleb(b);
}

bool bytes_take_block(struct bytes *b, uint64_t n, struct bytes *ret);

/* A pointer of the given encoding; `address` is the address of b->p, `data` the base of datarel.
 * Returns false if the encoding is not supported. */
bool bytes_take_pointer(struct bytes *b, uint8_t encoding, uint64_t address, uint64_t data,
			uint64_t *ret);

/* Does the value fit into the offsets of a row or a table? */
static inline bool bytes_fits(int64_t v)
{
	return v >= INT32_MIN && v <= INT32_MAX;
}
