/*
 * filter_scan: find short texts in long byte ranges, several bytes per cycle. For filter_*.c only.
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

/* 2 ≤ n ≤ SCAN_NEEDLE_MAX; a longer text is shortened, which only adds candidates. */
struct scan_needle scan_needle_make(const char *s, size_t n, bool is_caseless);
/* The first match in [p, end); NULL if there is none. */
const uint8_t *scan_find(const struct scan_needle *needle, const uint8_t *p, const uint8_t *end);
