/*
 * filter_regex: PCRE2 (UTF, JIT, match limit), and the literals that a match must contain.
 *
 * Subjects need not be valid UTF-8: invalid parts never match (PCRE2_MATCH_INVALID_UTF).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

#define REGEX_MATCH_LIMIT 200000u /* steps per subject: some ms */
/* after so many abandoned subjects the limit is lowered, so that a whole capture takes seconds */
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
	/* ASCII letters match in both cases (k and s also have non-ASCII variants) */
	bool is_caseless;
};

struct regex;
/* Errors: ERR_SYNTAX, err->at is the offset in the pattern. flags: any of "imsx". */
MUST_CHECK struct err *regex_compile(const char *pattern, size_t n_bytes, const char *flags,
				     size_t n_flags, struct regex **ret);
void regex_destroy(struct regex *r);
DEFINE_CLEANUP(regex);
const struct regex_literals *regex_literals_get(const struct regex *r);
/* If the whole pattern is one case-sensitive literal, returns it: no engine is needed. Else
 * NULL. */
const char *regex_plain_get(const struct regex *r, size_t *ret_n);

struct regex_matcher; /* Memory for matching; one per user. */
MUST_CHECK struct err *regex_matcher_create(struct regex_matcher **ret);
void regex_matcher_destroy(struct regex_matcher *m);
DEFINE_CLEANUP(regex_matcher);
/* If the limit is exceeded, returns false and increments *n_limit_hits. */
bool regex_match(const struct regex *r, struct regex_matcher *m, const char *s, size_t n,
		 uint64_t *n_limit_hits);
