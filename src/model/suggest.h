/*
 * suggest: the known word that is nearest to an unknown one.
 *
 *     struct suggest s = suggest_for(word, n);
 *     for (…) suggest_offer(&s, names[i], strlen(names[i]));
 *     if (s.best) … "did you mean %.*s?"
 *
 * A word is near if at most a third of the letters differ (insert, delete, replace, swap of
 * neighbours), ignoring case. Words longer than EDITS_MAX_BYTES get no suggestion.
 */
#pragma once
#include <stddef.h>

struct suggest {
	const char *word;
	size_t n_word;
	const char *best; /* borrowed from the offered words; NULL: none is near */
	size_t n_best;
	unsigned distance; /* of best; larger: none yet */
};

struct suggest suggest_for(const char *word, size_t n);
void suggest_offer(struct suggest *s, const char *candidate, size_t n);
