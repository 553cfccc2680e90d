/*
 * say: the one way to standard output and standard error for text meant for people.
 *
 * Whatever the text holds, names of a target among it, no byte of it can command a terminal:
 * controls other than \n and \t, bidi overrides and bytes that are no UTF-8 are written as escapes
 * (utf8_guard()). Events in a format of their own go through the exporters, the screen through
 * term_curses.c; tests/lint/tree.py allows no other writer.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"

struct strbuf;

/* On standard output. False: it could not be written, see errno; say_flush() tells of what was
 * buffered. */
bool say_text(const struct strbuf *text);
bool say(const char *fmt, ...) PRINTF_LIKE(1, 2);
bool say_flush(void);
/* On standard error, behind what was said on standard output: a text as it is, or "auditview: …"
 * with a line's end. */
void say_error_text(const struct strbuf *text);
void say_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
