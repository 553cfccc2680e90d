/*
 * column: n numbers as bytes that compress well.
 *
 * A column is written as: u8 id, u8 encoding, u32 n_bytes, bytes. Unknown ids are skipped by
 * readers.
 *
 *   PLANES   u8 width, then the lowest byte of every number, the next byte of every number, … width
 *            times
 *   CONST    one varint, the value of all numbers
 *   DELTA    like PLANES, of the zigzag'ed differences to the previous number (to 0 for the first),
 *            modulo 2^(8 * width in memory)
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

enum column_encoding { COLUMN_PLANES, COLUMN_CONST, COLUMN_DELTA };

/* Append one column; on out of memory strbuf.failed is set. `width` is the size of a number in
 * memory: 1, 2, 4 or 8 bytes. */
void column_encode(struct strbuf *to, uint8_t id, const void *numbers, unsigned width, size_t n);
/* Append with COLUMN_DELTA, for ids and addresses that come in runs: n numbers of 4 or 8 bytes,
 * which are overwritten. */
void column_encode_delta(struct strbuf *to, uint8_t id, void *numbers, unsigned width, size_t n);

/* A parsed column that is not decoded yet. */
struct column {
	uint8_t id, encoding;
	const uint8_t *bytes;
	size_t n_bytes;
};
/* Read the frame of the column at *p and advance *p. Returns false at the end or if the column runs
 * over it. */
bool column_next(const uint8_t **p, const uint8_t *end, struct column *ret);
/* Decode exactly n numbers of `width` bytes in memory; false if the bytes are not such a column or
 * a number does not fit. */
bool column_decode(const struct column *c, void *to, unsigned width, size_t n);
