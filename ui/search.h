/*
 * search: a PCRE2 pattern to look for in the lines of a pane, and to mark on the screen.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "ui/canvas.h"

struct search {
	char *text; /* NULL: none */
	bool backwards;
	void *code;          /* pcre2_code */
	void *match;         /* pcre2_match_data */
	unsigned generation; /* another one for each pattern; 0: none */
};

/* Set the pattern. A pattern without upper-case letters ignores case (smart case). Errors:
 * ERR_SYNTAX with err->at. */
MUST_CHECK struct err *search_set(struct search *s, const char *text, bool backwards);
/* Does this pattern ignore case? */
bool search_is_caseless(const char *text);
void search_fini(struct search *s);
static inline bool search_is_on(const struct search *s)
{
	return s->code != NULL;
}
bool search_match(const struct search *s, const char *text, size_t n_bytes);
/* Mark the hits in a line of the canvas. */
void search_mark(const struct search *s, struct area a, int line);
