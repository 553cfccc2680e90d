/*
 * read: read the target's own memory as it is: any alignment, any type, nothing cached across a
 * call.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

static inline uint8_t rd8(uint64_t a)
{
	return *(const volatile uint8_t *)a;
}
static inline uint16_t rd16(uint64_t a)
{
	return *(const volatile uint16_t *)a;
}
static inline uint32_t rd32(uint64_t a)
{
	return *(const volatile uint32_t *)a;
}
static inline uint64_t rd64(uint64_t a)
{
	return *(const volatile uint64_t *)a;
}

/* Can eight bytes be read at `a` if only the first is known to be mapped? They can if all are in
 * one page. */
static inline bool is_word_mapped(uint64_t a)
{
	return (a & 4095) <= 4088;
}

/* The n bytes at `a` (at most 7) as the low bytes of a word. Only aligned words that hold one of
 * them are read, so what is not mapped is not touched. */
static inline uint64_t rd_few(uint64_t a, uint32_t n)
{
	uint64_t at = a & ~7ull, skew = 8 * (a & 7);
	if (!n)
		return 0;
	uint64_t w = rd64(at) >> skew;
	if (skew + 8 * n > 64)
		w |= rd64(at + 8) << (64 - skew);
	return w & ((1ull << 8 * n) - 1);
}

/* Is the C string at `a` this text? */
static inline bool is_cstr(uint64_t a, const char *text)
{
	for (; *text; a++, text++)
		if (rd8(a) != (uint8_t)*text)
			return false;
	return rd8(a) == 0;
}

/* The bytes [at, at + 8) of a text, as a word. Constants if both are. */
static inline __attribute__((always_inline)) uint64_t word_of(const char *text, uint32_t at)
{
	uint64_t word;
	__builtin_memcpy(&word, text + at, 8);
	return word;
}

/* Is the C string at `a` this text of n bytes, its NUL included? n: 8 to 24. Words are read only if
 * all bytes are in the page of the first, which is mapped. */
static inline __attribute__((always_inline)) bool is_cstr_of(uint64_t a, const char *text,
							     uint32_t n)
{
	if ((a & 4095) > 4096 - n)
		return is_cstr(a, text);
	return rd64(a) == word_of(text, 0) && (n <= 16 || rd64(a + 8) == word_of(text, 8)) &&
	       rd64(a + n - 8) == word_of(text, n - 8);
}
#define IS_CSTR(a, text) is_cstr_of(a, "" text, sizeof(text))
