/*
 * canvas: a screen made of cells: text and a theme role, no colours and no terminal.
 *
 * Panes draw here; term_curses.c shows the result, tests read it as text. Text is made harmless
 * before it is stored: controls, bidi overrides and bad UTF-8 become \n- and \xNN-style escapes, so
 * no bytes of a target reach the terminal raw. Text that does not fit is cut at a cell border; a
 * wide character is never halved.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

enum role {
	ROLE_TEXT,
	ROLE_DIM,
	ROLE_NETWORK,
	ROLE_FILES,
	ROLE_PROCESS,
	ROLE_CODE,
	ROLE_BELOW, /* native code, memory */
	ROLE_INSIDE,
	ROLE_FOCUS,
	ROLE_HIT,
	ROLE_TROUBLE,
	ROLE_COUNT
};

enum cell_flag {
	CELL_BAR = 1,     /* lies in the bar of the cursor's line */
	CELL_REVERSE = 2, /* the prompt's cursor, the chosen page of the timeline */
	CELL_BOLD = 4,
	CELL_UNDERLINE = 8
};

#define CELL_BYTES 22

struct cell {
	uint8_t role;        /* enum role */
	uint8_t flags;       /* enum cell_flag */
	uint8_t n_bytes;     /* 0: this cell is covered by the wide character left of it */
	uint8_t width_cells; /* 1 or 2; 0 in a covered cell */
	/* one character and its combining marks, UTF-8, not terminated */
	char text[CELL_BYTES];
};

struct canvas {
	int n_lines, n_columns;
	struct cell *cells;             /* [n_lines][n_columns] */
	bool ascii;                     /* draw the ASCII replacements of the signs */
	int cursor_line, cursor_column; /* of the text cursor; line -1: hidden */
};

/* A rectangle of a canvas. Drawing is clipped to it; lines and columns count from its top left
 * corner. */
struct area {
	struct canvas *canvas;
	int line, column, n_lines, n_columns;
};

/* Return false if memory is short; the canvas then stays as it was. On success all cells are
 * blank. */
bool canvas_resize(struct canvas *c, int n_lines, int n_columns);
void canvas_clear(struct canvas *c);
void canvas_fini(struct canvas *c);

struct area canvas_area(struct canvas *c);
struct area area_sub(struct area a, int line, int column, int n_lines, int n_columns);

/* Write text at (line, column), at most `limit` cells wide (negative: up to the edge). Returns the
 * cells used. */
int area_put(struct area a, int line, int column, int limit, enum role role, const char *text);
int area_put_n(struct area a, int line, int column, int limit, enum role role, const char *text,
	       size_t n_bytes);
/* As area_put, but text that does not fit ends in "…" (`middle`: is cut in the middle) inside the
 * limit. */
int area_put_cut(struct area a, int line, int column, int limit, enum role role, const char *text);
/* Right-aligned: the last cell is column + width - 1. Cut at the left edge if it does not fit. */
void area_put_right(struct area a, int line, int column, int width, enum role role,
		    const char *text);
int area_printf(struct area a, int line, int column, int limit, enum role role, const char *fmt,
		...) __attribute__((format(printf, 6, 7)));
void area_fill(struct area a, int line, int column, int n, enum role role, const char *sign);
void area_clear(struct area a);
/* Add flags to n cells; unless role is ROLE_COUNT, change their role too. */
void area_mark(struct area a, int line, int column, int n, unsigned flags, enum role role);
/* Draw the cursor's bar over a whole line. */
void area_bar(struct area a, int line);

/* The number of cells that the harmless form of text takes. */
int text_width(const char *text, size_t n_bytes);
/* The number of bytes of the longest head of text that is at most `limit` cells wide. */
size_t text_head(const char *text, size_t n_bytes, int limit);
/* Append text cut to `limit` cells: "abc…", or with `middle` "/srv/…/file.py" (first part and file
 * name stay). */
void text_cut(struct strbuf *to, const char *text, size_t n_bytes, int limit, bool middle);

/* Append the whole canvas as lines of text; trailing blanks are kept, each line ends in '\n'. */
void canvas_text(const struct canvas *c, struct strbuf *to);
/* Append the roles of the canvas, one letter a cell, as the tests of colours read them:
 * ".dnfpcbi#*!" in the order of enum role; upper case or '_' under the cursor's bar. */
void canvas_roles(const struct canvas *c, struct strbuf *to);
