/*
 * canvas: a screen made of cells: text and a theme role, no colours and no terminal.
 *
 * Panes draw in an area of it (area.h); term_curses.c shows the result, tests read it as text.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	/* Colours that a program chose on its own terminal: 0 is the role's, n the colour n - 1 of
	 * xterm's 256. */
	uint16_t fg, bg;
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
void canvas_blank(struct cell *cell);
void canvas_fini(struct canvas *c);

struct area canvas_area(struct canvas *c);
