/*
 * chunk_bits: a set of rows of one chunk, one bit a row. For filter_run.c.
 *
 * `mask` is the set of rows that still matter. A gather looks up the id of each of them in a table
 * and returns the rows that fit. Ids are not checked: the table must cover each id of the chunk's n
 * rows.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "model/trace.h"

#define CHUNK_WORDS (TRACE_CHUNK / 64)

typedef uint64_t chunk_bits[CHUNK_WORDS];

bool chunk_bits_are_empty(const chunk_bits bits);
/* Set the rows 0 … n - 1 and clear all others. */
void chunk_bits_set_first(chunk_bits out, uint32_t n);
/* out = mask & (table[index[row]] != 0), for rows 0 … n - 1; each entry of the table is 0 or 1. */
void chunk_bits_gather16(const uint8_t *table, const uint16_t *index, uint32_t n,
			 const chunk_bits mask, chunk_bits out);
/* out = mask & (table[id[row]] == want), for rows 0 … n - 1. */
void chunk_bits_gather32(const uint8_t *table, const uint32_t *id, uint32_t n, uint8_t want,
			 const chunk_bits mask, chunk_bits out);
/* out |= mask & (table[id[row]] == want), for a table of verdicts (filter_cache.h). Rows of the
 * mask whose verdict is VERDICT_UNKNOWN are set in `unknown`. Returns true if there is one. */
bool chunk_bits_gather_known(const uint8_t *table, const uint32_t *id, uint32_t n, uint8_t want,
			     const chunk_bits mask, chunk_bits out, chunk_bits unknown);
