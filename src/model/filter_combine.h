/*
 * filter_combine: combine, compare and split filters as trees, so that "and", "or" and "not" keep
 * their precedence whatever the texts were.
 *
 * Text that is appended has as few parentheses as the grammar needs, and parses back to the same
 * tree (chains of one operator may lean to the other side).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/vec.h"

struct filter;
struct strbuf;

/* Append the filter as text. */
void filter_unparse(const struct filter *f, struct strbuf *to);
/* Append "old and term"; exclude: "old and not term", where "not not x" is x. Either may be the
 * empty filter. */
void filter_and(const struct filter *old, const struct filter *term, bool exclude,
		struct strbuf *to);
/* Does `old` contain `term`, so that it matches only events that match `term` (exclude: that do
 * not)? That is: is each part of `term` that is joined by "and" a part of `old`? Parts are compared
 * by meaning, not by spelling. */
bool filter_says(const struct filter *old, const struct filter *term, bool exclude);
/* Append `old` without the parts of `term`; filter_says(old, term, false) was true. */
void filter_without(const struct filter *old, const struct filter *term, struct strbuf *to);

/* The names that the first part of a filter includes or excludes, if it consists of names alone:
 * "open or socket.* or @network", or the same after "not". */
enum filter_switch_kind {
	SWITCH_WORD /* an event or a category */,
	SWITCH_EVENT,
	SWITCH_GLOB,
	SWITCH_THEME
};
struct filter_switch {
	enum filter_switch_kind kind;
	char *text; /* the word, event or glob; a theme under its name in the catalogue */
};
typedef VEC(struct filter_switch) filter_switch_vec;
/* What stands after the names, as text. */
struct filter_rest {
	char *text;           /* malloc'ed; NULL if there is none */
	bool needs_a_bracket; /* as one side of "and" */
};
/* *ret_switches is empty if the filter does not begin with names; then the rest is all of it. */
MUST_CHECK struct err *filter_switches(const struct filter *f, filter_switch_vec *ret_switches,
				       bool *ret_negated, struct filter_rest *ret_rest);
void filter_switches_fini(filter_switch_vec *v);
/* Would this switch let the event through? */
bool filter_switch_fits(const struct filter_switch *s, const char *event, size_t n_bytes);
