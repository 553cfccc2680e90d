/*
 * nearest: the known words that are nearest to an unknown one.
 *
 *     struct nearest near = nearest_to(word, n, NEAREST_WORD);
 *     for (…) nearest_offer(&near, names[i], strlen(names[i]), 0);
 *     if (near.n) … "did you mean %.*s?", (int)near.found[0].n_bytes, near.found[0].name
 *
 * The distance of two words is the number of typing errors between them: insert, delete, replace
 * and swap of neighbours count one each (optimal string alignment); the case of ASCII letters does
 * not count. Bytes are compared, not characters.
 */
#pragma once
#include <stddef.h>

#define NEAREST_MAX_BYTES 64 /* of longer words, only this much is compared */
#define NEAREST_MAX       8

enum nearest_rule {
	/* A third of the letters may differ, one of two. Words over NEAREST_MAX_BYTES are not
	 * near. */
	NEAREST_WORD,
	/* The same; and a word that begins with the other is nearer than a typing error. */
	NEAREST_START,
	/* The same; and whatever is offered first is near until something nearer is offered. */
	NEAREST_ANY,
	/* Dotted names. People know "Popen" before they know "subprocess.Popen": the last part is
	 * compared too, and a name that contains the word (3 bytes or more) is near. A third of the
	 * letters, rounded up, may differ. */
	NEAREST_NAME,
};

struct nearest {
	const char *word; /* borrowed */
	size_t n_bytes, n;
	enum nearest_rule rule;
	struct {
		const char *name; /* borrowed from nearest_offer(); NULL-terminated if that was */
		size_t n_bytes, id;
		unsigned cost; /* a typing error costs 2 */
	} found[NEAREST_MAX];  /* best first, of equal ones the first that was offered; n of them */
};

struct nearest nearest_to(const char *word, size_t n_bytes, enum nearest_rule rule);
/* Consider one name. Of the names with the same id only the nearest is kept: if every id is 0, then
 * n is 0 or 1. */
void nearest_offer(struct nearest *near, const char *name, size_t n_bytes, size_t id);
/* The nearest of n strings, borrowed from them; NULL if none is near. */
const char *nearest_of(const char *word, size_t n_bytes, enum nearest_rule rule,
		       const char *const *names, size_t n);
