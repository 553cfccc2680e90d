/*
 * filter_lexer: a filter's text as tokens. For filter_*.c only.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

enum token_kind {
	TOKEN_END,
	/* names, globs, numbers with their units, paths: letters digits _ . * ? - $ : / and all
	   non-ASCII */
	TOKEN_WORD,
	/* "…" or '…', also b"…": p[0 … n) is the text between the quotes, with its escapes; p[-1]
	 * is the quote */
	TOKEN_TEXT,
	TOKEN_REGEX, /* /…/imsx: p[0 … n) is the text between the slashes */
	TOKEN_THEME, /* @word: p[0 … n) is the word */
	TOKEN_OP,    /* == != < <= > >= ~ =~ !~ & && | || ! ( ) { } [ ] , .. */
	TOKEN_BAD    /* p says what was expected */
};

struct token {
	enum token_kind kind;
	const char *p;
	size_t n;
	size_t at, end;    /* in the text, half open */
	const char *flags; /* TOKEN_REGEX */
	size_t n_flags;
};

struct lexer {
	const char *text;
	size_t n, at;
	/* a '/' at the start of a token starts a regular expression: set before lexer_next() */
	bool is_operand;
};

struct token lexer_next(struct lexer *l);
/* Is it a TOKEN_OP of this spelling, or the word for it? */
bool lexer_token_is(const struct token *t, const char *op);
/* Append the characters that a TOKEN_TEXT stands for. */
void lexer_token_unescape(struct strbuf *to, const char *p, size_t n);
