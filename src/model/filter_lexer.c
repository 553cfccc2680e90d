/*
 * filter_lexer: see filter_lexer.h.
 */
#include "model/filter_lexer.h"

#include <string.h>

#include "base/attr.h"
#include "base/strbuf.h"
#include "base/utf8.h"

static bool is_word(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c >= 0x80 ||
	       (c && strchr("_.*?-$:/", c));
}

static struct token bad(struct lexer *l, size_t at, const char *expected)
{
	struct token t = { TOKEN_BAD, expected, strlen(expected), at, l->n, NULL, 0 };
	l->at = l->n;
	return t;
}

static struct token delimited(struct lexer *l, char quote, size_t n_prefix)
{
	size_t at = l->at, start = at + n_prefix + 1;
	l->at = start;
	while (l->at < l->n && l->text[l->at] != quote)
		l->at += l->text[l->at] == '\\' && l->at + 1 < l->n ? 2 : 1;
	if (l->at >= l->n)
		return bad(l, at,
			   quote == '/'   ? "a closing / for this regular expression"
			   : quote == '"' ? "a closing \" for this text"
					  : "a closing ' for this text");
	struct token t = { quote == '/' ? TOKEN_REGEX : TOKEN_TEXT,
			   l->text + start,
			   l->at - start,
			   at,
			   l->at + 1,
			   NULL,
			   0 };
	l->at++;
	if (quote == '/') {
		t.flags = l->text + l->at;
		while (l->at < l->n && strchr("imsx", l->text[l->at]) && l->text[l->at])
			l->at++;
		t.n_flags = (size_t)(l->text + l->at - t.flags);
		t.end = l->at;
	}
	return t;
}

struct token lexer_next(struct lexer *l)
{
	static const char *const ops[] = { "==", "!=", "<=", ">=", "!~", "=~", "&&", "||",
					   "..", "<",  ">",  "~",  "!",  "(",  ")",  "{",
					   "}",  "[",  "]",  ",",  "=",  "&",  "|" };
	while (l->at < l->n && strchr(" \t\r\n", l->text[l->at]) && l->text[l->at])
		l->at++;
	size_t at = l->at;
	if (at >= l->n)
		return (struct token){ TOKEN_END, "", 0, l->n, l->n, NULL, 0 };
	char c = l->text[at];
	if (c == '"' || c == '\'' || (c == '/' && l->is_operand))
		return delimited(l, c, 0);
	if (c == 'b' && at + 1 < l->n && (l->text[at + 1] == '"' || l->text[at + 1] == '\''))
		return delimited(l, l->text[at + 1], 1); /* bytes, in Python's notation */
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		size_t n = strlen(ops[i]);
		if (n <= l->n - at && !memcmp(l->text + at, ops[i], n)) {
			l->at += n;
			return (struct token){ TOKEN_OP, l->text + at, n, at, l->at, NULL, 0 };
		}
	}
	bool is_theme = c == '@';
	size_t from = at + is_theme;
	for (l->at = from; l->at < l->n && is_word((unsigned char)l->text[l->at]); l->at++)
		if (l->text[l->at] == '.' && l->at + 1 < l->n && l->text[l->at + 1] == '.')
			break;
	if (l->at == from)
		return bad(l, at,
			   is_theme ? "the name of a theme after @"
				    : "a field, an event, @theme, \"text\" or /regex/");
	return (struct token){ is_theme ? TOKEN_THEME : TOKEN_WORD,
			       l->text + from,
			       l->at - from,
			       at,
			       l->at,
			       NULL,
			       0 };
}

bool lexer_token_is(const struct token *t, const char *op)
{
	return (t->kind == TOKEN_OP || t->kind == TOKEN_WORD) && t->n == strlen(op) &&
	       !memcmp(t->p, op, t->n);
}

static bool read_hex(const char *p, size_t n, size_t n_digits, uint32_t *ret)
{
	*ret = 0;
	if (n < n_digits)
		return false;
	for (size_t i = 0; i < n_digits; i++) {
		int digit = utf8_hex_digit(p[i]);
		if (digit < 0)
			return false;
		*ret = *ret << 4 | (uint32_t)digit;
	}
	return true;
}

void lexer_token_unescape(struct strbuf *to, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t v;
		if (p[i] != '\\' || i + 1 >= n) {
			strbuf_addc(to, p[i]);
			continue;
		}
		char c = p[++i];
		if (c == 'n' || c == 't' || c == 'r')
			strbuf_addc(to, c == 'n' ? '\n' : c == 't' ? '\t' : '\r');
		else if (c == '\\' || c == '"' || c == '\'')
			strbuf_addc(to, c);
		else if (c == 'x' && read_hex(p + i + 1, n - i - 1, 2, &v))
			strbuf_addc(to, (char)v), i += 2;
		else if (c == 'u' && read_hex(p + i + 1, n - i - 1, 4, &v))
			strbuf_add_utf8(to, v), i += 4;
		else if (c == 'U' && read_hex(p + i + 1, n - i - 1, 8, &v) && v <= 0x10ffff)
			strbuf_add_utf8(to, v), i += 8;
		else
			strbuf_addc(to, '\\'), strbuf_addc(to, c);
	}
}
