/*
 * wrap: paragraphs for a terminal, and the pager.
 *
 * Width is counted in cells. Words longer than a line get a line of their own and are not cut. The
 * text is the program's own: text from a target must be escaped first.
 */
#pragma once
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct strbuf;

/* Append `text` in lines of at most `width` cells, each indented by `indent`, and a newline. Spaces
 * and newlines separate words; a line may also end beside a character of two cells, as Chinese
 * needs. If `to` ends with an unfinished line, the first line continues it. */
void wrap_add(struct strbuf *to, const char *text, unsigned indent, unsigned width);

/* Bytes of the longest beginning of text that has at most `width` cells and ends where a line may
 * end; 0 if not even its first word fits. */
size_t wrap_line(const char *text, size_t width);

/* Width in cells of the terminal that fd is, else $COLUMNS, else 80. At least 20. */
unsigned wrap_width(int fd);

/* Write text to standard output, through $PAGER (default: less) if that is a terminal. */
MUST_CHECK struct err *wrap_page(const char *text, size_t n_bytes);
