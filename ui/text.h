/*
 * text: how many cells a text takes on a canvas, and how it is cut to fit.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

/* Spell one code point that must not reach the terminal as an escape. `cp` is UTF8_BAD or what
 * utf8_decode() gave for s. Returns the number of bytes written. */
size_t text_spell(char to[16], const char *s, uint32_t cp);
/* The number of cells that the harmless form of text takes. */
int text_width(const char *text, size_t n_bytes);
/* The number of bytes of the longest head of text that is at most `limit` cells wide. */
size_t text_head(const char *text, size_t n_bytes, int limit);
/* Where a line of at most `limit` cells ends (10 if it is less): at a space, if there is one. */
size_t text_break(const char *text, size_t n_bytes, int limit);
/* Append text cut to `limit` cells: "abc…", or with `middle` "/srv/…/file.py" (first part and file
 * name stay). */
void text_cut(struct strbuf *to, const char *text, size_t n_bytes, int limit, bool middle);
/* Is it like a path, so that its end says more than its beginning? Of a URL, the host does. */
bool text_is_path(const char *text);
