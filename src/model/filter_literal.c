/*
 * filter_literal: the right side of an operator: numbers with units, times, versions, texts.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/nearest.h"
#include "model/catalog.h"
#include "model/filter_ast.h"
#include "model/filter_literal.h"
#include "model/gist_words.h"

struct err *literal_err_with_nearest(struct err *err, const struct nearest *near)
{
	return near->n ? err_with_hint(err, "did you mean %.*s?", (int)near->found[0].n_bytes,
				       near->found[0].name)
		       : err;
}

static const struct unit {
	const char *name;
	double factor;
	bool is_time; /* in ns */
} units[] = {
	{ "ns", 1, true },       { "us", 1e3, true },        { "µs", 1e3, true },
	{ "ms", 1e6, true },     { "s", 1e9, true },         { "m", 60e9, true },
	{ "h", 3600e9, true },   { "k", 1024, false },       { "K", 1024, false },
	{ "M", 1048576, false }, { "G", 1073741824, false },
};

/* 0x…, 0o…, 0b… and, where values are shown that way, 0700; true if `digits` have one of these
 * forms. */
static bool read_with_base(const char *digits, bool has_octal, filter_int *ret)
{
	char mark = (char)(digits[1] | 32);
	int base = digits[0] != '0' ? 0 : mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
	const char *p = digits + 2;
	if (!base && has_octal && digits[0] == '0' && digits[1] &&
	    digits[strspn(digits, "01234567")] == 0)
		base = 8, p = digits + 1;
	if (!base || !isalnum((unsigned char)*p))
		return false;
	char *end;
	errno = 0;
	unsigned long long v = strtoull(p, &end, base);
	if (*end || errno)
		return false;
	*ret = v;
	return true;
}

bool literal_read_number(const char *s, size_t n, enum literal_form form, struct literal *ret)
{
	bool is_time = form == LITERAL_TIME;
	char text[64];
	if (!n || n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = 0;
	const char *digits = text + (*text == '-');
	if (!isdigit((unsigned char)*digits))
		return false;
	ret->is_integer = true;
	if (read_with_base(digits, form == LITERAL_VALUE, &ret->i)) {
		if (*text == '-')
			ret->i = -ret->i;
		ret->d = (double)ret->i;
		return true;
	}
	size_t whole = strspn(digits, "0123456789"), fraction = 0;
	if (digits[whole] == '.')
		fraction = 1 + strspn(digits + whole + 1, "0123456789");
	const char *unit = digits + whole + fraction;
	/* Converted digit by digit because strtod depends on the user's locale. */
	double value = 0, scale = 1; /* exact up to 15 digits */
	filter_int integer = 0;
	bool overflow = false;
	for (size_t i = 0; i < whole; i++) {
		value = value * 10 + (digits[i] - '0');
		overflow |= __builtin_mul_overflow(integer, 10, &integer) ||
			    __builtin_add_overflow(integer, (filter_int)(digits[i] - '0'),
						   &integer);
	}
	for (size_t i = 1; i < fraction; i++, scale *= 10)
		value = value * 10 + (digits[whole + i] - '0');
	value /= scale;
	double factor = is_time ? 1e9 : 1;
	if (*unit) {
		size_t i = 0;
		while (i < ARRAY_LEN(units) &&
		       (strcmp(units[i].name, unit) != 0 || units[i].is_time != is_time))
			i++;
		if (i == ARRAY_LEN(units))
			return false;
		factor = units[i].factor;
	}
	if (*text == '-')
		value = -value;
	ret->d = value * factor;
	ret->span_ns = is_time && factor / scale >= 1 ? (int64_t)(factor / scale) : 1;
	if (fraction || overflow || __builtin_mul_overflow(integer, (filter_int)factor, &ret->i)) {
		bool fits = ret->d < 1e37 && ret->d > -1e37;
		ret->i = fits ? (filter_int)(ret->d + (ret->d < 0 ? -0.5 : 0.5)) : 0;
		ret->is_integer = fits && !overflow && (is_time || (double)ret->i == ret->d);
		return true;
	}
	if (*text == '-')
		ret->i = -ret->i;
	return true;
}

/* 2026-11-22T07:00:00[.fraction][Z], UTC, to ns since the epoch. */
static bool read_wall_time(const char *s, size_t n, int64_t *ret, int64_t *ret_span)
{
	struct tm tm = { 0 };
	char text[48];
	if (n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = 0;
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!rest)
		rest = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
	if (!rest)
		return false;
	int64_t ns = 0, unit = 100000000;
	*ret_span = 1000000000;
	if (*rest == '.')
		for (rest++; isdigit((unsigned char)*rest); rest++, unit /= 10) {
			ns += (*rest - '0') * unit;
			*ret_span = unit ? unit : 1;
		}
	if (*rest == 'Z')
		rest++;
	int64_t seconds = (int64_t)timegm(&tm);
	return !*rest && !__builtin_mul_overflow(seconds, 1000000000, &seconds) &&
	       !__builtin_add_overflow(seconds, ns, ret);
}

static bool read_version(const char *s, size_t n, uint32_t *ret, int *ret_parts)
{
	uint32_t v = 0;
	int parts = 0;
	for (size_t i = 0; i < n && parts < 3;) {
		uint32_t part = 0;
		size_t from = i;
		for (; i < n && isdigit((unsigned char)s[i]); i++)
			part = part * 10 + (uint32_t)(s[i] - '0');
		if (i == from || part > 255)
			return false;
		v |= part << (24 - 8 * parts++);
		if (i < n && s[i] != '.')
			break; /* 3.13.0rc1 */
		i++;
	}
	*ret = v;
	*ret_parts = parts;
	return parts > 0;
}

static struct err *unknown_theme(const char *s, size_t n, size_t at)
{
	struct nearest near = nearest_to(s, n, NEAREST_START);
	for (int i = 0; i < THEME_COUNT; i++) {
		const char *name = catalog_theme_name((enum catalog_theme)i);
		nearest_offer(&near, name, strlen(name), 0);
	}
	return literal_err_with_nearest(SYNTAX(at, "there is no theme %.*s", (int)n, s), &near);
}

enum field_type literal_type(const struct filter_term *t)
{
	if (t->field == FIELD_STACK || t->field == FIELD_TOP || t->field == FIELD_CALLER)
		return t->member == MEMBER_LINE ? FIELD_NUMBER : FIELD_TEXT;
	if (t->field == FIELD_TASK)
		return t->member == MEMBER_ID ? FIELD_NUMBER : FIELD_TEXT;
	return fields[t->field].type;
}

/* The capture's word (None, True, False) for a word of other languages. */
static const char *other_spelling(const char *word)
{
	static const struct {
		const char *word, *value;
	} spellings[] = { { "null", "None" },  { "none", "None" },   { "nil", "None" },
			  { "true", "True" },  { "false", "False" }, { "TRUE", "True" },
			  { "FALSE", "False" } };
	for (size_t i = 0; i < ARRAY_LEN(spellings); i++)
		if (!strcmp(spellings[i].word, word))
			return spellings[i].value;
	return NULL;
}

/* Refuse a word that looks like the name of a number but is unknown. */
static struct err *check_constant(const struct token *k)
{
	struct nearest near = nearest_to(k->p, k->n, NEAREST_WORD);
	if (k->n > 64 || !gist_word_like(k->p, k->n))
		return NULL;
	const char *name;
	for (size_t i = 0; (name = gist_word_at(i)); i++)
		nearest_offer(&near, name, strlen(name), 0);
	if (!near.n)
		return NULL;
	return err_with_hint(SYNTAX(k->at, "there is no constant %.*s", (int)k->n, k->p),
			     "did you mean %.*s? a text is written \"%.*s\"",
			     (int)near.found[0].n_bytes, near.found[0].name, (int)k->n, k->p);
}

/* Read the right side of a comparison with an argument: a number, the name of a number, or a
 * word. */
static struct err *read_value(const struct token *k, struct literal *l)
{
	int64_t constant;
	if (k->kind != TOKEN_WORD)
		return NULL;
	if (literal_read_number(l->text, l->n_text, LITERAL_VALUE, l)) {
		l->is_number = true;
	} else if (gist_word_find(l->text, l->n_text, &constant, &l->ignored)) {
		l->is_number = l->is_integer = l->is_constant = true;
		l->i = constant;
		l->d = (double)constant;
	} else {
		l->alias = other_spelling(l->text);
		return check_constant(k);
	}
	return NULL;
}

struct err *literal_make(const struct filter_term *t, const struct token *k, struct literal *ret)
{
	struct literal l = { 0 };
	struct strbuf b = { 0 };
	if (k->kind == TOKEN_TEXT)
		lexer_token_unescape(&b, k->p, k->n);
	else
		strbuf_add(&b, k->p, k->n);
	l.n_text = b.n;
	l.text = strbuf_take(&b);
	if (!l.text)
		return err_no_memory();
	struct err *err = NULL;
	enum field_type type = literal_type(t);
	if (type == FIELD_NUMBER || type == FIELD_NANOSECONDS) {
		int64_t wall;
		l.is_number = literal_read_number(
		    l.text, l.n_text, type == FIELD_NANOSECONDS ? LITERAL_TIME : LITERAL_NUMBER,
		    &l);
		if (!l.is_number && type == FIELD_NANOSECONDS &&
		    read_wall_time(l.text, l.n_text, &wall, &l.span_ns))
			l.is_number = l.is_integer = l.is_wall = true, l.i = wall,
			l.d = (double)wall;
		if (!l.is_number && t->op != OP_CONTAINS)
			err = type == FIELD_NUMBER
				  ? SYNTAX(k->at, "expected a number, as in 42, 0x2a or 4k")
				  : SYNTAX(k->at, "expected a time, as in 2.5s, 300ms or "
						  "\"2026-11-22T07:00:00Z\"");
	} else if (type == FIELD_VERSION) {
		if (t->op != OP_CONTAINS &&
		    !read_version(l.text, l.n_text, &l.version, &l.n_version))
			err = SYNTAX(k->at, "expected a version, as in 3.12");
	} else if (type == FIELD_BOOL) {
		bool yes = !strcmp(l.text, "true") || !strcmp(l.text, "True") ||
			   !strcmp(l.text, "1") || !strcmp(l.text, "yes");
		bool no = !strcmp(l.text, "false") || !strcmp(l.text, "False") ||
			  !strcmp(l.text, "0") || !strcmp(l.text, "no");
		l.is_number = l.is_integer = true;
		l.i = yes;
		l.d = yes;
		if (!yes && !no)
			err = SYNTAX(k->at, "expected true or false");
	} else if (type == FIELD_VALUES) {
		err = read_value(k, &l);
	} else if (t->field == FIELD_THEME && (t->op == OP_EQ || t->op == OP_IN)) {
		enum catalog_theme theme = catalog_theme_find(l.text, l.n_text);
		if (theme == THEME_COUNT) {
			err = unknown_theme(l.text, l.n_text, k->at + (k->kind == TOKEN_TEXT));
		} else {
			free(l.text);
			l.text = strdup(catalog_theme_name(theme));
			l.n_text = l.text ? strlen(l.text) : 0;
			err = l.text ? NULL : err_no_memory();
		}
	}
	if (err) {
		free(l.text);
		return err;
	}
	*ret = l;
	return NULL;
}
