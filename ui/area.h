/*
 * area: drawing in a rectangle of a canvas.
 *
 * Text is made harmless before it is stored: controls, bidi overrides and bad UTF-8 become \n- and
 * \xNN-style escapes, so no bytes of a target reach the terminal raw. Text that does not fit is cut
 * at a cell border; a wide character is never halved.
 */
#pragma once
#include <stddef.h>

#include "ui/canvas.h"

struct area area_sub(struct area a, int line, int column, int n_lines, int n_columns);

/* Write text at (line, column), at most `limit` cells wide (negative: up to the edge). Returns the
 * cells used. */
int area_put(struct area a, int line, int column, int limit, enum role role, const char *text);
int area_put_n(struct area a, int line, int column, int limit, enum role role, const char *text,
	       size_t n_bytes);
/* As area_put, but text that does not fit ends in "…" inside the limit. */
int area_put_cut(struct area a, int line, int column, int limit, enum role role, const char *text);
/* As area_put, but text that does not fit is cut in the middle, as by text_cut(): for names that
 * differ at their ends. */
int area_put_middle(struct area a, int line, int column, int limit, enum role role,
		    const char *text);
/* Right-aligned: the last cell is column + width - 1. Cut at the left edge if it does not fit. */
void area_put_right(struct area a, int line, int column, int width, enum role role,
		    const char *text);
int area_printf(struct area a, int line, int column, int limit, enum role role, const char *fmt,
		...) __attribute__((format(printf, 6, 7)));
void area_fill(struct area a, int line, int column, int n, enum role role, const char *sign);
void area_clear(struct area a);
/* Add flags to n cells; unless role is ROLE_COUNT, change their role too. */
void area_mark(struct area a, int line, int column, int n, unsigned flags, enum role role);
/* Give n cells colours of their own. */
void area_ink(struct area a, int line, int column, int n, uint16_t fg, uint16_t bg);
/* Draw the cursor's bar over a whole line. */
void area_bar(struct area a, int line);
