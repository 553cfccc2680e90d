/*
 * filter_scan: see filter_scan.h.
 *
 * The two bytes of the needle that are rarest in paths and names are compared at 64 positions at
 * once (GCC's vectors: any machine); the whole needle is compared only where both match. On real
 * dictionaries this is nearly as fast as memory.
 */
#include "model/filter_scan.h"

#include <string.h>

typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint64_t words2 __attribute__((vector_size(16)));

static int commonness(uint8_t c)
{
	/* of paths, module names and functions */
	static const char common[] = "/e_tnsoriapl.ydcumhgbfvk-w0123456789";
	const char *at = c ? strchr(common, c) : NULL;
	return at ? (int)(sizeof(common) - (size_t)(at - common)) : 0;
}

static bool is_letter(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}

struct scan_needle scan_needle_make(const char *s, size_t n, bool is_caseless)
{
	struct scan_needle needle = { .n = n < SCAN_NEEDLE_MAX ? n : SCAN_NEEDLE_MAX,
				      .is_caseless = is_caseless };
	memcpy(needle.s, s, needle.n);
	for (size_t i = 0; is_caseless && i < needle.n; i++)
		if (needle.s[i] >= 'A' && needle.s[i] <= 'Z')
			needle.s[i] |= 0x20;
	for (size_t i = 1; i < needle.n; i++)
		if (commonness(needle.s[i]) < commonness(needle.s[needle.rarer]))
			needle.rarer = i;
	needle.rare = needle.rarer == 0;
	for (size_t i = 0; i < needle.n; i++)
		if (i != needle.rarer &&
		    commonness(needle.s[i]) < commonness(needle.s[needle.rare]))
			needle.rare = i;
	return needle;
}

static bool stands_at(const struct scan_needle *needle, const uint8_t *p)
{
	if (!needle->is_caseless)
		return !memcmp(p, needle->s, needle->n);
	for (size_t i = 0; i < needle->n; i++) {
		uint8_t c = p[i];
		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		if (c != needle->s[i])
			return false;
	}
	return true;
}

static inline bytes16 load(const uint8_t *p)
{
	bytes16 v;
	memcpy(&v, p, 16);
	return v;
}

const uint8_t *scan_find(const struct scan_needle *needle, const uint8_t *p, const uint8_t *end)
{
	if ((size_t)(end - p) < needle->n)
		return NULL;
	const uint8_t *last = end - needle->n; /* the last possible position */
	uint8_t a = needle->s[needle->rarer], b = needle->s[needle->rare];
	/* Ignoring case: bit 5 is set in text and needle; for other characters than letters this
	 * only adds candidates. */
	uint8_t fold_a = needle->is_caseless && is_letter(a) ? 0x20 : 0,
		fold_b = needle->is_caseless && is_letter(b) ? 0x20 : 0;
	bytes16 want_a = (bytes16){ 0 } + a, want_b = (bytes16){ 0 } + b;
	bytes16 or_a = (bytes16){ 0 } + fold_a, or_b = (bytes16){ 0 } + fold_b;
	const uint8_t *pa = p + needle->rarer, *pb = p + needle->rare;
	while (last - p >= 64) {
		bytes16 hit = { 0 };
		for (int k = 0; k < 64; k += 16)
			hit |= (bytes16)((load(pa + k) | or_a) == want_a) &
			       (bytes16)((load(pb + k) | or_b) == want_b);
		words2 any = (words2)hit;
		if (__builtin_expect((any[0] | any[1]) != 0, 0))
			for (int k = 0; k < 64; k++)
				if ((pa[k] | fold_a) == a && (pb[k] | fold_b) == b &&
				    stands_at(needle, p + k))
					return p + k;
		p += 64, pa += 64, pb += 64;
	}
	for (; p <= last; p++)
		if ((p[needle->rarer] | fold_a) == a && (p[needle->rare] | fold_b) == b &&
		    stands_at(needle, p))
			return p;
	return NULL;
}
