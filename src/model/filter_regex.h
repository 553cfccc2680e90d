/*
 * filter_regex: PCRE2 (UTF, JIT, match limit) with the literals a match must contain.
 *
 * Subjects need not be valid UTF-8: what is not valid never matches (PCRE2_MATCH_INVALID_UTF).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

#define REGEX_MATCH_LIMIT 200000u /* steps per subject: some ms */
/* subjects given up before the limit goes down: then a whole capture takes seconds */
#define REGEX_PATIENCE          200u
#define REGEX_MATCH_LIMIT_AFTER 2000u
#define REGEX_LITERALS_MAX      16

struct regex_literal {
	char *s; /* lower case when the set is caseless */
	size_t n;
};

/* Every match contains one of literals[0 … n); n 0: nothing is known. */
struct regex_literals {
	struct regex_literal v[REGEX_LITERALS_MAX];
	size_t n;
	/* ASCII letters count the same in both cases (and k, s have relatives outside of ASCII) */
	bool is_caseless;
};

struct regex;
/* Errors: ERR_SYNTAX, err->at is the offset in the pattern. flags: any of "imsx". */
MUST_CHECK struct err *regex_compile(const char *pattern, size_t n_bytes, const char *flags,
				     size_t n_flags, struct regex **ret);
void regex_destroy(struct regex *r);
DEFINE_CLEANUP(regex);
const struct regex_literals *regex_literals_get(const struct regex *r);
/* The whole pattern is one case-sensitive literal: no engine is needed. NULL if it is not. */
const char *regex_plain_get(const struct regex *r, size_t *ret_n);

struct regex_matcher; /* the memory for matching; one per user */
MUST_CHECK struct err *regex_matcher_create(struct regex_matcher **ret);
void regex_matcher_destroy(struct regex_matcher *m);
DEFINE_CLEANUP(regex_matcher);
/* Steps above the limit: false, and *n_limit_hits is counted up. */
bool regex_match(const struct regex *r, struct regex_matcher *m, const char *s, size_t n,
		 uint64_t *n_limit_hits);
