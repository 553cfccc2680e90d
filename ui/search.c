/*
 * search: a thin layer over PCRE2, with a match limit so that no pattern can block the screen.
 */
#include "ui/search.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/strbuf.h"
#include "ui/area.h"

enum { MATCH_LIMIT = 100000 };

void search_fini(struct search *s)
{
	pcre2_code_free(s->code);
	pcre2_match_data_free(s->match);
	free(s->text);
	*s = (struct search){ 0 };
}

bool search_is_caseless(const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p >= 'A' && *p <= 'Z' && (p == text || p[-1] != '\\'))
			return false;
	return true;
}

struct err *search_set(struct search *s, const char *text, bool backwards)
{
	if (!*text) {
		search_fini(s);
		return NULL;
	}
	uint32_t flags = PCRE2_UTF | (search_is_caseless(text) ? PCRE2_CASELESS : 0);
	int code;
	PCRE2_SIZE at;
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)text, strlen(text), flags, &code, &at, NULL);
	if (!re) {
		char why[128];
		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why));
		return err_with_at(err_create(ERR_SYNTAX, "%s", why), at);
	}
	pcre2_jit_compile(re, PCRE2_JIT_COMPLETE);
	pcre2_match_data *match = pcre2_match_data_create_from_pattern(re, NULL);
	char *copy = strdup(text);
	if (!match || !copy) {
		pcre2_code_free(re);
		pcre2_match_data_free(match);
		free(copy);
		return err_no_memory();
	}
	search_fini(s);
	static unsigned generation;
	*s = (struct search){ copy, backwards, re, match, ++generation };
	return NULL;
}

static bool match_at(const struct search *s, const char *text, size_t n, size_t from,
		     size_t *ret_from, size_t *ret_to)
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	if (!limits)
		return false;
	pcre2_set_match_limit(limits, MATCH_LIMIT);
	int rc = pcre2_match(s->code, (PCRE2_SPTR)text, n, from, 0, s->match, limits);
	pcre2_match_context_free(limits);
	if (rc < 0)
		return false;
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(s->match);
	*ret_from = v[0];
	*ret_to = v[1];
	return true;
}

bool search_match(const struct search *s, const char *text, size_t n)
{
	size_t from, to;
	return search_is_on(s) && match_at(s, text, n, 0, &from, &to);
}

void search_mark(const struct search *s, struct area a, int line)
{
	if (!search_is_on(s) || line < 0 || line >= a.n_lines)
		return;
	struct strbuf text = { 0 };
	int *column = calloc((size_t)a.n_columns * CELL_BYTES + 1, sizeof(*column));
	if (!column)
		return;
	const struct cell *cells =
	    &a.canvas->cells[(a.line + line) * a.canvas->n_columns + a.column];
	for (int x = 0; x < a.n_columns; x++) {
		for (int b = 0; b < cells[x].n_bytes; b++)
			column[text.n + (size_t)b] = x;
		strbuf_add(&text, cells[x].text, cells[x].n_bytes);
	}
	column[text.n] = a.n_columns;
	size_t from = 0, begin, end;
	while (from < text.n && match_at(s, strbuf_str(&text), text.n, from, &begin, &end)) {
		if (end > begin && strspn(strbuf_str(&text) + begin, " ") < end - begin)
			area_mark(a, line, column[begin], column[end] - column[begin], 0, ROLE_HIT);
		from = end > begin ? end : end + 1;
	}
	free(column);
	strbuf_fini(&text);
}
