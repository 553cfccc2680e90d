/*
 * nearest: see nearest.h.
 */
#include "base/nearest.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_same(char a, char b)
{
	return lower(a) == lower(b);
}

static bool begins(const char *s, size_t n, const char *beginning, size_t n_beginning)
{
	size_t i = 0;
	while (i < n && i < n_beginning && is_same(s[i], beginning[i]))
		i++;
	return i == n_beginning;
}

static bool contains(const char *s, size_t n, const char *part, size_t n_part)
{
	for (; n >= n_part; s++, n--)
		if (begins(s, n, part, n_part))
			return true;
	return false;
}

static unsigned edits_between(const char *a, size_t n_a, const char *b, size_t n_b)
{
	/* rows i - 2, i - 1 and i of the distance matrix, in rotation */
	uint8_t rows[3][NEAREST_MAX_BYTES + 1];
	if (n_a > NEAREST_MAX_BYTES)
		n_a = NEAREST_MAX_BYTES;
	if (n_b > NEAREST_MAX_BYTES)
		n_b = NEAREST_MAX_BYTES;
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

static unsigned cost_of_name(const struct nearest *near, const char *name, size_t n)
{
	unsigned cost = 2 * edits_between(near->word, near->n_bytes, name, n);
	const char *dot = memrchr(name, '.', n);
	if (dot) {
		unsigned tail = 2 * edits_between(near->word, near->n_bytes, dot + 1,
						  n - (size_t)(dot + 1 - name)) +
				1;
		if (tail < cost)
			cost = tail;
	}
	if (cost > 3 && near->n_bytes >= 3 && contains(name, n, near->word, near->n_bytes))
		cost = 3;
	return cost > 3 && cost > 2 * ((near->n_bytes + 2) / 3) + 1 ? UINT_MAX : cost;
}

/* UINT_MAX: it is not near. */
static unsigned cost_of(const struct nearest *near, const char *name, size_t n)
{
	size_t n_word = near->n_bytes;
	bool is_any = near->rule == NEAREST_ANY;
	if (!is_any && (!n || !n_word || n > NEAREST_MAX_BYTES || n_word > NEAREST_MAX_BYTES))
		return UINT_MAX;
	if (near->rule == NEAREST_NAME)
		return cost_of_name(near, name, n);
	if (near->rule != NEAREST_WORD && n && n_word &&
	    (begins(name, n, near->word, n_word) || begins(near->word, n_word, name, n)))
		return 1;
	size_t most = n_word > 2 ? n_word / 3 : n_word - 1;
	if (!is_any && (n > n_word ? n - n_word : n_word - n) > most)
		return UINT_MAX; /* every missing letter is an error */
	unsigned errors = edits_between(near->word, n_word, name, n);
	return is_any || errors <= most ? 2 * errors : UINT_MAX;
}

struct nearest nearest_to(const char *word, size_t n_bytes, enum nearest_rule rule)
{
	return (struct nearest){ .word = word, .n_bytes = n_bytes, .rule = rule };
}

void nearest_offer(struct nearest *near, const char *name, size_t n_bytes, size_t id)
{
	unsigned cost = cost_of(near, name, n_bytes);
	size_t at = 0, end = 0; /* it gets the place at; what stands at end goes */
	while (at < near->n && near->found[at].cost <= cost)
		if (near->found[at++].id == id)
			return;
	for (end = at; end < near->n && near->found[end].id != id;)
		end++;
	if (cost == UINT_MAX || at == NEAREST_MAX)
		return;
	if (end == near->n && near->n < NEAREST_MAX)
		near->n++;
	else if (end == NEAREST_MAX)
		end--;
	memmove(&near->found[at + 1], &near->found[at], (end - at) * sizeof(near->found[0]));
	near->found[at].name = name;
	near->found[at].n_bytes = n_bytes;
	near->found[at].id = id;
	near->found[at].cost = cost;
}

const char *nearest_of(const char *word, size_t n_bytes, enum nearest_rule rule,
		       const char *const *names, size_t n)
{
	struct nearest near = nearest_to(word, n_bytes, rule);
	for (size_t i = 0; i < n; i++)
		nearest_offer(&near, names[i], strlen(names[i]), 0);
	return near.n ? near.found[0].name : NULL;
}
