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

/* Decode one code point from s[0 … n), n ≥ 1. *ret_bytes is the number of bytes read (1 for a bad
 * byte). Surrogates are returned as they are; overlong forms, values above U+10FFFF and stray bytes
 * give UTF8_BAD. */
uint32_t utf8_decode(const char *s, size_t n, size_t *ret_bytes);
bool utf8_is_valid(const char *s, size_t n); /* strict: surrogates are not valid */
int utf8_hex_digit(char c);                  /* its value; -1: it is none */

/* Cells that a code point takes on a terminal: 0 combining, 1, 2 wide; -1 if it must not reach the
 * terminal unescaped (controls, surrogates, bidi overrides and isolates, line separators, BAD).
 * Wide characters come from our own table (Unicode 15.0), the others from libc's wcwidth(); where
 * the locale knows no UTF-8 they take one cell, combining marks none. */
int utf8_width(uint32_t code_point);
/* of the escaped form that utf8_escape() makes with quote 0 */
size_t utf8_str_width(const char *s, size_t n);
/* Spaces that a text lacks to be `cells` wide; for "%*s". */
int utf8_padding(const char *text, size_t cells);

/* May these bytes go to a terminal as they are? True for UTF-8 without controls other than \n and
 * \t and without code points of width -1 (utf8_width()). Bold and its end ("\33[1m", "\33[0m") are
 * allowed. */
bool utf8_is_safe(const char *s, size_t n);
/* Append s made safe for a terminal: anything unsafe becomes an escape as in utf8_escape(). A
 * backslash is not escaped. */
void utf8_guard(struct strbuf *b, const char *s, size_t n);
/* Append s as valid UTF-8 for a file that other programs read: like utf8_guard(), but of "\n\r\t"
 * only those in `keep` stay as they are. */
void utf8_add_plain(struct strbuf *b, const char *s, size_t n, const char *keep);

/* Append s for display: unsafe characters become \n, \t, \x1b and the like (\xNN for bad bytes,
 * \uNNNN, \UNNNNNNNN). A backslash becomes \\, and if quote is not 0, that quote is escaped too. */
void utf8_escape(struct strbuf *b, const char *s, size_t n, char quote);
