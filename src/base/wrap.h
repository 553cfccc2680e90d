/*
 * wrap: paragraphs for a terminal, and who shows them.
 *
 * Width is counted in cells. Words longer than a line stand on a line of their own, uncut. Text is
 * the program's own: what comes from a target must be escaped first.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"

struct strbuf;

/* Append `text` (spaces and line ends alike part words) in lines of at most `width` cells, each
 * indented by `indent`, and a line end. The first line continues the unfinished one at the end of
 * `to`, if there is one. */
void wrap_add(struct strbuf *to, const char *text, unsigned indent, unsigned width);

/* Cells of a line of the terminal fd is, or of $COLUMNS; 80 if neither says so. At least 20. */
unsigned wrap_width(int fd);

/* Write text to standard output: through $PAGER (less, if unset) when that is a terminal, as it is
 * otherwise. */
MUST_CHECK struct err *wrap_page(const char *text, size_t n_bytes);
