/*
 * suggest: see suggest.h.
 */
#include "model/suggest.h"

#include "base/edits.h"

struct suggest suggest_for(const char *word, size_t n)
{
	return (struct suggest){ .word = word,
				 .n_word = n,
				 .distance = n > 2 ? (unsigned)n / 3 + 1 : n };
}

void suggest_offer(struct suggest *s, const char *candidate, size_t n)
{
	if (n > EDITS_MAX_BYTES || s->n_word > EDITS_MAX_BYTES || !n || !s->n_word ||
	    (n > s->n_word ? n - s->n_word : s->n_word - n) >= s->distance)
		return;
	unsigned d = edits_between(s->word, s->n_word, candidate, n);
	if (d < s->distance) {
		s->distance = d;
		s->best = candidate;
		s->n_best = n;
	}
}
