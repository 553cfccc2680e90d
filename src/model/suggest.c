/*
 * suggest: see suggest.h.
 */
#include "model/suggest.h"

#include <stdint.h>
#include <stdlib.h>

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Optimal string alignment distance, three rows of the table at a time. */
static unsigned edit_distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
	uint8_t rows[3][SUGGEST_MAX + 1];
	for (size_t j = 0; j <= n_b; j++)
		rows[0][j] = (uint8_t)j;
	for (size_t i = 1; i <= n_a; i++) {
		uint8_t *now = rows[i % 3], *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
		now[0] = (uint8_t)i;
		for (size_t j = 1; j <= n_b; j++) {
			unsigned differs = lower(a[i - 1]) != lower(b[j - 1]);
			unsigned d = above[j - 1] + differs;
			if (above[j] + 1u < d)
				d = above[j] + 1u;
			if (now[j - 1] + 1u < d)
				d = now[j - 1] + 1u;
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]) &&
			    two_above[j - 2] + 1u < d)
				d = two_above[j - 2] + 1u;
			now[j] = (uint8_t)d;
		}
	}
	return rows[n_a % 3][n_b];
}

struct suggest suggest_for(const char *word, size_t n)
{
	return (struct suggest){ .word = word, .n_word = n, .distance = n > 2 ? (unsigned)n / 3 + 1 : n };
}

void suggest_offer(struct suggest *s, const char *candidate, size_t n)
{
	if (n > SUGGEST_MAX || s->n_word > SUGGEST_MAX || !n || !s->n_word ||
	    (n > s->n_word ? n - s->n_word : s->n_word - n) >= s->distance)
		return;
	unsigned d = edit_distance(s->word, s->n_word, candidate, n);
	if (d < s->distance) {
		s->distance = d;
		s->best = candidate;
		s->n_best = n;
	}
}
