/*
 * filter_comparison: the second half of a term: an operator and what stands at its right.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct filter_term;
struct parser;
struct token;

/* Is this token an operator? */
bool comparison_begins(const struct token *t);
/* Parse [operator right] and add the term to the tree. Takes *t over. */
MUST_CHECK struct err *comparison_parse(struct parser *p, struct filter_term *t, uint32_t *ret);
/* The next token is a literal or a regular expression: add it to the term. */
MUST_CHECK struct err *comparison_add_literal(struct parser *p, struct filter_term *t);
MUST_CHECK struct err *comparison_parse_regex(struct parser *p, struct filter_term *t);
