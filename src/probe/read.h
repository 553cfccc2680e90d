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
