/*
 * filter_regex: see filter_regex.h.
 *
 * REQUIRED LITERALS. One pass over the pattern finds, at every point, the longest run of plain
 * characters that any match must contain in sequence. It understands only a part of the syntax.
 * What it does not understand ends the run; what could make a run optional (a quantifier that
 * allows 0, an alternation inside a group) drops it; patterns with options that change the meaning
 * of plain characters (x) or quote them (\Q) yield nothing. Each alternative at the top level gives
 * one literal; if one of them has none, the set is empty.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/filter_regex.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

struct regex {
	pcre2_code *code;
	struct regex_literals literals;
	char *plain; /* NULL: not a plain text */
	size_t n_plain;
};

struct regex_matcher {
	pcre2_match_data *data;
	pcre2_match_context *context, *short_context; /* the latter with the lower limit */
	pcre2_jit_stack *stack;
};

static void clear_literals(struct regex_literals *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].s);
	l->n = 0;
}

/* A longer run selects better. */
static bool add_literal(struct regex_literals *l, const struct strbuf *best)
{
	if (best->n < 2 || l->n == REGEX_LITERALS_MAX)
		return false;
	char *s = malloc(best->n + 1);
	if (!s)
		return false;
	memcpy(s, best->s, best->n);
	s[best->n] = 0;
	l->v[l->n++] = (struct regex_literal){ s, best->n };
	return true;
}

/* Returns the position after the group or class that opens at p. */
static const char *skip_class(const char *p, const char *end)
{
	p++;
	if (p < end && *p == '^')
		p++;
	if (p < end && *p == ']')
		p++;
	for (; p < end && *p != ']'; p++) {
		if (*p == '\\')
			p++;
		else if (*p == '[' && p + 1 < end && p[1] == ':') {
			const char *close = memmem(p, (size_t)(end - p), ":]", 2);
			if (close)
				p = close + 1;
		}
	}
	return p < end ? p + 1 : end;
}

static const char *skip_group(const char *p, const char *end)
{
	int depth = 0;
	while (p < end) {
		if (*p == '\\')
			p += 2;
		else if (*p == '[')
			p = skip_class(p, end);
		else if (*p == '(')
			depth++, p++;
		else if (*p++ == ')' && --depth == 0)
			return p;
	}
	return end;
}

/* Returns the position after a quantifier at p, or p. */
static const char *skip_quantifier(const char *p, const char *end, bool *ret_may_be_zero)
{
	*ret_may_be_zero = false;
	if (p >= end)
		return p;
	if (*p == '*' || *p == '?' || *p == '+') {
		*ret_may_be_zero = *p != '+';
		p++;
	} else if (*p == '{' && p + 1 < end && ((p[1] >= '0' && p[1] <= '9') || p[1] == ',')) {
		const char *q = memchr(p, '}', (size_t)(end - p));
		if (!q)
			return p;
		*ret_may_be_zero = p[1] == '0' || p[1] == ',';
		p = q + 1;
	} else {
		return p;
	}
	if (p < end && (*p == '?' || *p == '+'))
		p++;
	return p;
}

static void end_run(struct strbuf *run, struct strbuf *best)
{
	if (run->n > best->n) {
		strbuf_clear(best);
		strbuf_add(best, run->s, run->n);
	}
	strbuf_clear(run);
}

static void drop_last_char(struct strbuf *run)
{
	size_t n = run->n;
	while (n && ((unsigned char)run->s[n - 1] & 0xc0) == 0x80)
		n--;
	strbuf_cut(run, n ? n - 1 : 0);
}

/* Find the literals of p[0 … n); false if they cannot be determined. */
static bool find_literals(const char *p, size_t n, struct regex_literals *l)
{
	const char *end = p + n;
	struct strbuf run = { 0 }, best = { 0 };
	bool ok = true, may_be_zero;
	for (;;) {
		if (p >= end || *p == '|') {
			end_run(&run, &best);
			ok = add_literal(l, &best);
			strbuf_clear(&best);
			if (!ok || p >= end)
				break;
			p++;
			continue;
		}
		const char *item = p;
		bool is_char = false, is_quoted_char = false;
		if (*p == '\\') {
			if (p + 1 >= end) {
				ok = false;
				break;
			}
			char c = p[1];
			bool is_letter = (c | 32) >= 'a' && (c | 32) <= 'z',
			     is_digit = c >= '0' && c <= '9';
			if (c == 'Q' || c == 'E') {
				ok = false;
				break;
			}
			is_char = is_quoted_char = !is_letter && !is_digit &&
						   (unsigned char)c < 0x80;
			p += 2;
			if (!is_char) {
				end_run(&run, &best);
				/* \x{…} \p{…} \k<…> \g{…} \o{…} \xHH \NNN \cX: what follows is not
				 * text */
				if (p < end && (*p == '{' || *p == '<' || *p == '\'') &&
				    strchr("xpPkgoN", c)) {
					const char *q = memchr(p,
							       *p == '{'   ? '}'
							       : *p == '<' ? '>'
									   : '\'',
							       (size_t)(end - p));
					p = q ? q + 1 : end;
				} else if (strchr("xcpPg0123456789", c) && c) {
					while (p < end && ((*p >= '0' && *p <= '9') ||
							   ((*p | 32) >= 'a' && (*p | 32) <= 'z')))
						p++;
				}
			}
		} else if (*p == '[') {
			p = skip_class(p, end);
			end_run(&run, &best);
		} else if (*p == '(') {
			/* options inside may have effect beyond the group */
			if (p + 1 < end && (p[1] == '?' || p[1] == '*')) {
				const char *q = p + 2;
				while (q < end &&
				       (((*q | 32) >= 'a' && (*q | 32) <= 'z') || *q == '-'))
					q++;
				if (p[1] == '*' || (q < end && strchr(")^#", *q))) {
					ok = false;
					break;
				}
			}
			p = skip_group(p, end);
			end_run(&run, &best);
		} else if (*p == '.' || *p == '^' || *p == '$' || *p == ')') {
			p++;
			end_run(&run, &best);
		} else {
			/* É and é have different bytes */
			is_char = (unsigned char)*p < 0x80 || !l->is_caseless;
			p++;
			while (p < end && ((unsigned char)*p & 0xc0) == 0x80)
				p++;
			if (!is_char)
				end_run(&run, &best);
		}
		const char *after = skip_quantifier(p, end, &may_be_zero);
		if (is_char) {
			strbuf_add(&run, item + is_quoted_char,
				   (size_t)(p - item - is_quoted_char));
			/* x+ contains the x; after x* or x+ the sequence is uncertain */
			if (after != p) {
				if (may_be_zero)
					drop_last_char(&run);
				end_run(&run, &best);
			}
		}
		p = after;
	}
	strbuf_fini(&run);
	strbuf_fini(&best);
	if (!ok)
		clear_literals(l);
	return ok;
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static void analyse(struct regex *r, const char *p, size_t n, const char *flags, size_t n_flags)
{
	bool caseless = false, changed = true;
	if (n_flags && memchr(flags, 'x', n_flags))
		return;
	if (n_flags && memchr(flags, 'i', n_flags))
		caseless = true;
	while (changed) { /* leading option groups: (?i) (?s) (?m) and mixes */
		changed = false;
		size_t i = 2;
		if (n > 3 && p[0] == '(' && p[1] == '?') {
			while (i < n && strchr("ims", p[i]) && p[i])
				i++;
			if (i > 2 && i < n && p[i] == ')') {
				caseless |= memchr(p, 'i', i) != NULL;
				p += i + 1;
				n -= i + 1;
				changed = true;
			}
		}
	}
	r->literals.is_caseless = caseless;
	bool is_plain = n && !caseless;
	for (size_t i = 0; i < n; i++)
		is_plain &= !strchr("\\^$.[]|()?*+{}", p[i]) && p[i];
	if (is_plain && (r->plain = malloc(n + 1))) {
		memcpy(r->plain, p, n);
		r->plain[n] = 0;
		r->n_plain = n;
	}
	find_literals(p, n, &r->literals);
	for (size_t k = 0; caseless && k < r->literals.n; k++)
		for (size_t i = 0; i < r->literals.v[k].n; i++)
			r->literals.v[k].s[i] = lower(r->literals.v[k].s[i]);
}

struct err *regex_compile(const char *pattern, size_t n, const char *flags, size_t n_flags,
			  struct regex **ret)
{
	CLEANUP(regex) struct regex *r = calloc(1, sizeof(*r));
	if (!r)
		return err_no_memory();
	uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
	for (size_t i = 0; i < n_flags; i++)
		options |= flags[i] == 'i'   ? PCRE2_CASELESS
			   : flags[i] == 'm' ? PCRE2_MULTILINE
			   : flags[i] == 's' ? PCRE2_DOTALL
			   : flags[i] == 'x' ? PCRE2_EXTENDED
					     : 0;
	int code;
	PCRE2_SIZE at;
	r->code = pcre2_compile((PCRE2_SPTR)pattern, n, options, &code, &at, NULL);
	if (!r->code) {
		char message[200];
		pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof(message));
		return err_with_at(err_create(ERR_SYNTAX, "regular expression: %s", message), at);
	}
	/* without JIT the interpreter is used */
	pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
	analyse(r, pattern, n, flags, n_flags);
	*ret = take_ptr(r);
	return NULL;
}

void regex_destroy(struct regex *r)
{
	if (!r)
		return;
	pcre2_code_free(r->code);
	clear_literals(&r->literals);
	free(r->plain);
	free(r);
}

const struct regex_literals *regex_literals_get(const struct regex *r)
{
	return &r->literals;
}

const char *regex_plain_get(const struct regex *r, size_t *ret_n)
{
	*ret_n = r->n_plain;
	return r->plain;
}

struct err *regex_matcher_create(struct regex_matcher **ret)
{
	CLEANUP(regex_matcher) struct regex_matcher *m = calloc(1, sizeof(*m));
	if (!m)
		return err_no_memory();
	m->data = pcre2_match_data_create(1, NULL);
	m->context = pcre2_match_context_create(NULL);
	m->short_context = pcre2_match_context_create(NULL);
	m->stack = pcre2_jit_stack_create(32 << 10, 1 << 20, NULL);
	if (!m->data || !m->context || !m->short_context)
		return err_no_memory();
	pcre2_set_match_limit(m->context, REGEX_MATCH_LIMIT);
	pcre2_set_match_limit(m->short_context, REGEX_MATCH_LIMIT_AFTER);
	pcre2_set_heap_limit(m->context, 16 << 10); /* KiB */
	pcre2_set_heap_limit(m->short_context, 16 << 10);
	if (m->stack) {
		pcre2_jit_stack_assign(m->context, NULL, m->stack);
		pcre2_jit_stack_assign(m->short_context, NULL, m->stack);
	}
	*ret = take_ptr(m);
	return NULL;
}

void regex_matcher_destroy(struct regex_matcher *m)
{
	if (!m)
		return;
	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->context);
	pcre2_match_context_free(m->short_context);
	pcre2_jit_stack_free(m->stack);
	free(m);
}

bool regex_match(const struct regex *r, struct regex_matcher *m, const char *s, size_t n,
		 uint64_t *n_limit_hits)
{
	if (r->plain)
		return memmem(s, n, r->plain, r->n_plain) != NULL;
	pcre2_match_context *context = *n_limit_hits < REGEX_PATIENCE ? m->context
								      : m->short_context;
	int result = pcre2_match(r->code, (PCRE2_SPTR)s, n, 0, 0, m->data, context);
	if (result == PCRE2_ERROR_MATCHLIMIT || result == PCRE2_ERROR_DEPTHLIMIT ||
	    result == PCRE2_ERROR_HEAPLIMIT || result == PCRE2_ERROR_JIT_STACKLIMIT)
		++*n_limit_hits;
	return result >= 0;
}
