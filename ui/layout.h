/*
 * layout: which panes are where, for a size of the terminal and the user's choices. It only
 * computes.
 *
 *   below 40 × 8     nothing fits: one line says so
 *   below 80 × 24    the list alone
 *   80 … 119         details below the list, categories a drawer over it
 *   120 … 159        categories at the left, details below the list
 *   160 …            details at the right; other panes open as a dock of 12 lines at the bottom
 *
 * The program's terminal, when it is shown, has the lower part of the body. If less than 18 lines
 * are left above it, the details that would be below the list are not shown.
 */
#pragma once
#include <stdbool.h>

#include "ui/pane_id.h"

struct rect {
	int line, column, n_lines, n_columns; /* n_lines 0: not shown */
};

struct layout_wish {
	int n_lines, n_columns;
	/* lines and columns that the user added or removed */
	int details_delta, side_delta, categories_delta, terminal_delta;
	bool rotate; /* show details at the other place */
	bool drawer; /* the categories' drawer is open */
	bool hide_timeline;
	bool terminal;          /* the program's terminal is below the list */
	int prompt_lines;       /* lines of the prompt with its error: 1, 3 or 4 */
	enum pane_id maximised; /* PANE_NONE: none */
	enum pane_id page;      /* a pane that takes the body (or the dock); PANE_NONE: none */
	bool page_splits;       /* the events stay below the page (a lesson) */
	bool page_may_dock;
	bool is_split; /* arguments and stack one below the other */
};

enum layout_form { LAYOUT_TOO_SMALL, LAYOUT_LIST, LAYOUT_DRAWER, LAYOUT_SIDE, LAYOUT_WIDE };

struct layout {
	enum layout_form form;
	struct rect panes[PANE_COUNT];
	struct rect header, body, last; /* last: the key line or the prompt */
	int timeline_lanes;             /* 1: one line for all events */
	struct rect bars[4];            /* vertical separators │ */
	int n_bars;
	bool is_docked; /* the page is shown as a dock */
};

void layout_make(const struct layout_wish *wish, struct layout *ret);
