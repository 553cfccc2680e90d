/*
 * selection: see selection.h. ranks[i] = selected rows before row 512 * i; ranks[n_blocks] = all of
 * them.
 */
#include "model/selection.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_PER_RANK  512u
#define WORDS_PER_RANK (ROWS_PER_RANK / 64)

struct selection {
	uint64_t n_rows;
	/* n_words is a multiple of WORDS_PER_RANK; all bits beyond n_rows are 0 */
	uint64_t n_words, cap_words;
	uint64_t *words;
	uint64_t *ranks; /* [n_words / WORDS_PER_RANK + 1] */
	uint64_t cap_ranks;
	bool ranked;
};

static uint64_t words_for(uint64_t n_rows)
{
	/* never 0, so that there are no null pointers */
	return (n_rows / ROWS_PER_RANK + 1) * WORDS_PER_RANK;
}

/* Make room for n_rows; new words are 0. The directory grows too, so that ranking later cannot
 * fail. */
static bool reserve(struct selection *s, uint64_t n_rows)
{
	uint64_t want = words_for(n_rows), cap = s->cap_words;
	if (n_rows > SELECTION_NONE / 2)
		return false;
	if (want > cap) {
		cap = cap + cap / 2 > want ? words_for((cap + cap / 2) * 64) : want;
		uint64_t *words = realloc(s->words, cap * sizeof(*words));
		if (!words)
			return false;
		s->words = words;
		s->cap_words = cap;
	}
	uint64_t n_ranks = s->cap_words / WORDS_PER_RANK + 1;
	if (n_ranks > s->cap_ranks) {
		uint64_t *ranks = realloc(s->ranks, n_ranks * sizeof(*ranks));
		if (!ranks)
			return false;
		s->ranks = ranks;
		s->cap_ranks = n_ranks;
	}
	if (want > s->n_words)
		memset(s->words + s->n_words, 0, (want - s->n_words) * sizeof(*s->words));
	s->n_words = want;
	return true;
}

struct err *selection_create(uint64_t n_rows, bool all, struct selection **ret)
{
	struct selection *s = calloc(1, sizeof(*s));
	if (!s || !reserve(s, n_rows)) {
		selection_destroy(s);
		return err_no_memory();
	}
	s->n_rows = n_rows;
	if (all)
		selection_fill(s, 0, n_rows, true);
	*ret = s;
	return NULL;
}

struct err *selection_dup(const struct selection *from, struct selection **ret)
{
	struct selection *s;
	struct err *err = selection_create(from->n_rows, false, &s);
	if (err)
		return err;
	memcpy(s->words, from->words, from->n_words * sizeof(*s->words));
	*ret = s;
	return NULL;
}

void selection_destroy(struct selection *s)
{
	if (!s)
		return;
	free(s->words);
	free(s->ranks);
	free(s);
}

uint64_t selection_n_rows(const struct selection *s)
{
	return s->n_rows;
}

struct err *selection_resize(struct selection *s, uint64_t n_rows, bool value)
{
	uint64_t before = s->n_rows;
	if (n_rows < before)
		selection_fill(s, n_rows, before, false);
	if (!reserve(s, n_rows))
		return err_no_memory();
	s->n_rows = n_rows;
	s->ranked = false;
	if (value && n_rows > before)
		selection_fill(s, before, n_rows, true);
	return NULL;
}

uint64_t *selection_words(struct selection *s)
{
	s->ranked = false;
	return s->words;
}

const uint64_t *selection_words_get(const struct selection *s)
{
	return s->words;
}

void selection_set(struct selection *s, uint64_t row, bool value)
{
	if (row >= s->n_rows)
		return;
	uint64_t bit = 1ull << (row & 63);
	s->words[row / 64] = value ? s->words[row / 64] | bit : s->words[row / 64] & ~bit;
	s->ranked = false;
}

bool selection_has(const struct selection *s, uint64_t row)
{
	return row < s->n_rows && s->words[row / 64] >> (row & 63) & 1;
}

/* Bits [from, to) of one word, 0 ≤ from < to ≤ 64. */
static uint64_t mask(unsigned from, unsigned to)
{
	return (to == 64 ? ~0ull : (1ull << to) - 1) & (~0ull << from);
}

void selection_fill(struct selection *s, uint64_t from, uint64_t to, bool value)
{
	if (to > s->n_rows)
		to = s->n_rows;
	s->ranked = false;
	while (from < to) {
		unsigned first = (unsigned)(from & 63),
			 last = to - from < 64 - first ? first + (unsigned)(to - from) : 64;
		uint64_t bits = mask(first, last), *word = &s->words[from / 64];
		*word = value ? *word | bits : *word & ~bits;
		from += last - first;
	}
}

void selection_and_not(struct selection *s, const struct selection *with)
{
	uint64_t n = s->n_words < with->n_words ? s->n_words : with->n_words;
	for (uint64_t i = 0; i < n; i++)
		s->words[i] &= ~with->words[i];
	s->ranked = false;
}

static void rank_all(struct selection *s)
{
	if (s->ranked)
		return;
	uint64_t sum = 0, n = s->n_words / WORDS_PER_RANK;
	for (uint64_t i = 0; i < n; i++) {
		s->ranks[i] = sum;
		for (unsigned k = 0; k < WORDS_PER_RANK; k++)
			sum += (unsigned)__builtin_popcountll(s->words[i * WORDS_PER_RANK + k]);
	}
	s->ranks[n] = sum;
	s->ranked = true;
}

uint64_t selection_count(struct selection *s)
{
	rank_all(s);
	return s->ranks[s->n_words / WORDS_PER_RANK];
}

uint64_t selection_rank(struct selection *s, uint64_t row)
{
	rank_all(s);
	if (row >= s->n_rows)
		return selection_count(s);
	uint64_t n = s->ranks[row / ROWS_PER_RANK], word = row / ROWS_PER_RANK * WORDS_PER_RANK;
	for (; word < row / 64; word++)
		n += (unsigned)__builtin_popcountll(s->words[word]);
	if (row & 63)
		n += (unsigned)__builtin_popcountll(s->words[word] & mask(0, (unsigned)(row & 63)));
	return n;
}

uint64_t selection_nth(struct selection *s, uint64_t n)
{
	if (n >= selection_count(s))
		return SELECTION_NONE;
	uint64_t low = 0, high = s->n_words / WORDS_PER_RANK; /* ranks[low] <= n < ranks[high] */
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		if (s->ranks[middle] <= n)
			low = middle;
		else
			high = middle;
	}
	n -= s->ranks[low];
	for (uint64_t i = low * WORDS_PER_RANK;; i++) {
		uint64_t word = s->words[i], count = (unsigned)__builtin_popcountll(word);
		if (n < count) {
			while (n--)
				word &= word - 1;
			return i * 64 + (unsigned)__builtin_ctzll(word);
		}
		n -= count;
	}
}

uint64_t selection_next(const struct selection *s, uint64_t row)
{
	if (row >= s->n_rows)
		return SELECTION_NONE;
	uint64_t i = row / 64, word = s->words[i] & (~0ull << (row & 63));
	while (!word) {
		if (++i == s->n_words)
			return SELECTION_NONE;
		word = s->words[i];
	}
	return i * 64 + (unsigned)__builtin_ctzll(word);
}

bool selection_has_any(const struct selection *s, uint64_t first, uint64_t n)
{
	uint64_t row = s ? selection_next(s, first) : first;
	return row != SELECTION_NONE && row < first + n;
}

uint64_t selection_prev(const struct selection *s, uint64_t row)
{
	if (s->n_rows == 0)
		return SELECTION_NONE;
	if (row >= s->n_rows)
		row = s->n_rows - 1;
	uint64_t i = row / 64, word = s->words[i] & mask(0, (unsigned)(row & 63) + 1);
	while (!word) {
		if (i-- == 0)
			return SELECTION_NONE;
		word = s->words[i];
	}
	return i * 64 + 63 - (unsigned)__builtin_clzll(word);
}
