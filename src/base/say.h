/*
 * say: the only way to standard output and standard error for text for people.
 *
 * The text may hold names from a target, but no byte of it can command a terminal: controls other
 * than \n and \t, bidi overrides and bytes that are not UTF-8 are written as escapes
 * (utf8_guard()). Events in an export format go through the exporters, and the screen through
 * term_curses.c; tests/lint/tree.py allows no other writer.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"

struct strbuf;

/* Write to standard output. Returns false with errno set if the write fails; errors of buffered
 * text are returned by say_flush(). */
bool say_text(const struct strbuf *text);
bool say(const char *fmt, ...) PRINTF_LIKE(1, 2);
bool say_flush(void);
/* Write to standard error, after flushing standard output: a text as it is, or "auditview: …" with
 * a newline. */
void say_error_text(const struct strbuf *text);
void say_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
