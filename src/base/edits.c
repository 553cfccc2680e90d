/*
 * edits: see edits.h.
 */
#include "base/edits.h"

#include <stdbool.h>
#include <stdint.h>

static bool is_same(char a, char b)
{
	return (a >= 'A' && a <= 'Z' ? a + 32 : a) == (b >= 'A' && b <= 'Z' ? b + 32 : b);
}

unsigned edits_between(const char *a, size_t n_a, const char *b, size_t n_b)
{
	/* rows i - 2, i - 1 and i of the distance matrix, in rotation */
	uint8_t rows[3][EDITS_MAX_BYTES + 1];
	if (n_a > EDITS_MAX_BYTES)
		n_a = EDITS_MAX_BYTES;
	if (n_b > EDITS_MAX_BYTES)
		n_b = EDITS_MAX_BYTES;
	for (size_t j = 0; j <= n_b; j++)
		rows[0][j] = (uint8_t)j;
	for (size_t i = 1; i <= n_a; i++) {
		uint8_t *now = rows[i % 3], *above = rows[(i + 2) % 3],
			*two_above = rows[(i + 1) % 3];
		now[0] = (uint8_t)i;
		for (size_t j = 1; j <= n_b; j++) {
			unsigned best = above[j - 1] + !is_same(a[i - 1], b[j - 1]);
			if (above[j] + 1u < best)
				best = above[j] + 1u;
			if (now[j - 1] + 1u < best)
				best = now[j - 1] + 1u;
			if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) &&
			    is_same(a[i - 2], b[j - 1]) && two_above[j - 2] + 1u < best)
				best = two_above[j - 2] + 1u;
			now[j] = (uint8_t)best;
		}
	}
	return rows[n_a % 3][n_b];
}
