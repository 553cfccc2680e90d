/*
 * chunk_bits: see chunk_bits.h.
 *
 * A gather looks up 64 rows at a time. If many rows of a word matter, all 64 are looked up, in four
 * independent sums, so that no step waits for the one before; else only the rows of the mask.
 */
#include "model/chunk_bits.h"

#include "model/filter_cache.h"

bool chunk_bits_are_empty(const chunk_bits bits)
{
	uint64_t any = 0;
	for (size_t i = 0; i < CHUNK_WORDS; i++)
		any |= bits[i];
	return !any;
}

void chunk_bits_gather16(const uint8_t *table, const uint16_t *index, uint32_t n,
			 const chunk_bits mask, chunk_bits out)
{
	uint32_t row = 0;
	for (size_t w = 0; w < CHUNK_WORDS; w++) {
		uint64_t bits = 0;
		if (mask[w] && row + 64 <= n) {
			const uint16_t *at = index + row;
			/* four independent sums, so that no step waits for the one before */
			uint64_t part[4] = { 0 };
			for (unsigned i = 0; i < 16; i++)
				for (unsigned k = 0; k < 4; k++)
					part[k] |= (uint64_t)table[at[16 * k + i]] << i;
			bits = part[0] | part[1] << 16 | part[2] << 32 | part[3] << 48;
		} else if (mask[w]) {
			for (unsigned i = 0; row + i < n; i++)
				bits |= (uint64_t)table[index[row + i]] << i;
		}
		out[w] = bits & mask[w];
		row += 64;
	}
}

void chunk_bits_gather32(const uint8_t *table, const uint32_t *id, uint32_t n, uint8_t want,
			 const chunk_bits mask, chunk_bits out)
{
	uint32_t row = 0;
	for (size_t w = 0; w < CHUNK_WORDS; w++) {
		uint64_t bits = 0;
		unsigned count = row + 64 <= n ? 64 : row < n ? n - row : 0;
		if (mask[w] && __builtin_popcountll(mask[w]) > 12) {
			const uint32_t *at = id + row;
			uint64_t part[4] = { 0 };
			for (unsigned i = 0; count == 64 && i < 16; i++)
				for (unsigned k = 0; k < 4; k++)
					part[k] |= (uint64_t)(table[at[16 * k + i]] == want) << i;
			bits = part[0] | part[1] << 16 | part[2] << 32 | part[3] << 48;
			for (unsigned i = 0; count < 64 && i < count; i++)
				bits |= (uint64_t)(table[at[i]] == want) << i;
		} else {
			for (uint64_t rest = mask[w]; rest; rest &= rest - 1) {
				unsigned i = (unsigned)__builtin_ctzll(rest);
				bits |= (uint64_t)(table[id[row + i]] == want) << i;
			}
		}
		out[w] = bits & mask[w];
		row += 64;
	}
}

bool chunk_bits_gather_known(const uint8_t *table, const uint32_t *id, uint32_t n, uint8_t want,
			     const chunk_bits mask, chunk_bits out, chunk_bits unknown)
{
	uint64_t any_unknown = 0;
	uint32_t row = 0;
	for (size_t w = 0; w < CHUNK_WORDS; w++) {
		uint64_t bits = 0, open = 0;
		unsigned count = row + 64 <= n ? 64 : row < n ? n - row : 0;
		if (mask[w] && __builtin_popcountll(mask[w]) > 12) {
			const uint32_t *at = id + row;
			uint8_t least = UINT8_MAX;
			uint64_t part[4] = { 0 };
			for (unsigned i = 0; count == 64 && i < 16; i++)
				for (unsigned k = 0; k < 4; k++) {
					uint8_t v = table[at[16 * k + i]];
					part[k] |= (uint64_t)(v == want) << i;
					least = v < least ? v : least;
				}
			bits = part[0] | part[1] << 16 | part[2] << 32 | part[3] << 48;
			for (unsigned i = 0; count < 64 && i < count; i++) {
				uint8_t v = table[at[i]];
				bits |= (uint64_t)(v == want) << i;
				least = v < least ? v : least;
			}
			for (unsigned i = 0; least == VERDICT_UNKNOWN && i < count; i++)
				open |= (uint64_t)(table[at[i]] == VERDICT_UNKNOWN) << i;
		} else {
			for (uint64_t rest = mask[w]; rest; rest &= rest - 1) {
				unsigned i = (unsigned)__builtin_ctzll(rest);
				uint8_t v = table[id[row + i]];
				bits |= (uint64_t)(v == want) << i;
				open |= (uint64_t)(v == VERDICT_UNKNOWN) << i;
			}
		}
		out[w] |= bits & mask[w];
		unknown[w] = open & mask[w];
		any_unknown |= unknown[w];
		row += 64;
	}
	return any_unknown != 0;
}

void chunk_bits_set_first(chunk_bits out, uint32_t n)
{
	for (uint32_t w = 0; w < CHUNK_WORDS; w++)
		out[w] = n >= (w + 1) * 64 ? ~UINT64_C(0)
			 : n > w * 64      ? (UINT64_C(1) << (n - w * 64)) - 1
					   : 0;
}
