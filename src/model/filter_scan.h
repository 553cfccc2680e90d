/*
 * filter_scan: find short texts in long stretches of bytes, some bytes per cycle. For filter_*.c
 * only.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAN_NEEDLE_MAX 64

struct scan_needle {
	uint8_t s[SCAN_NEEDLE_MAX]; /* lower case when caseless */
	size_t n;
	bool is_caseless;   /* ASCII letters only */
	size_t rare, rarer; /* the two positions compared first */
};

/* 2 ≤ n ≤ SCAN_NEEDLE_MAX; what is longer is shortened, which only finds more. */
struct scan_needle scan_needle_make(const char *s, size_t n, bool is_caseless);
/* The first place in [p, end) where it stands; NULL if there is none. */
const uint8_t *scan_find(const struct scan_needle *needle, const uint8_t *p, const uint8_t *end);
