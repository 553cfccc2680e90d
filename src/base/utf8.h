/*
 * utf8: decoding, cell widths, and what may be sent to a terminal.
 *
 * Strings of the target are kept as WTF-8: UTF-8 in which lone surrogates are encoded like other
 * code points.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

#define UTF8_BAD 0xffffffffu

/* Decode one code point from s[0 … n), n ≥ 1. *ret_bytes is how many were read (1 for a bad byte).
 * Surrogates are returned as they are; overlong forms, values past U+10FFFF and stray bytes give
 * UTF8_BAD. */
uint32_t utf8_decode(const char *s, size_t n, size_t *ret_bytes);
bool utf8_is_valid(const char *s, size_t n); /* strict: surrogates are not valid */

/* Cells a code point takes on a terminal: 0 combining, 1, 2 wide; -1 what must not reach the
 * terminal raw (controls, surrogates, bidi overrides and isolates, line separators, BAD). East
 * Asian width of Unicode 15 by libc's wcwidth, checked against tables of our own where the locale
 * knows no UTF-8. */
int utf8_width(uint32_t code_point);
/* of the escaped form utf8_escape() makes with quote 0 */
size_t utf8_str_width(const char *s, size_t n);

/* May these bytes go to a terminal as they are: UTF-8 without controls but \n and \t, without what
 * utf8_width() calls -1? Bold and its end ("\33[1m", "\33[0m") may. */
bool utf8_is_safe(const char *s, size_t n);
/* Append s so that it is safe: all else becomes an escape as in utf8_escape(). A backslash stays
 * one. */
void utf8_guard(struct strbuf *b, const char *s, size_t n);
/* Append s as valid UTF-8 for a file that other programs read: like utf8_guard(), but what `keep`
 * lists (of "\n\r\t") stays. */
void utf8_add_plain(struct strbuf *b, const char *s, size_t n, const char *keep);

/* Append s for the eye: what must not reach a terminal becomes \n \t \x1b é-style escapes (\xNN for
 * bad bytes, \uNNNN, \UNNNNNNNN), a backslash becomes \\ and, if quote is not 0, that quote is
 * escaped too. */
void utf8_escape(struct strbuf *b, const char *s, size_t n, char quote);
