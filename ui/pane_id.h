/*
 * pane_id: the panes there are, one row each.
 *
 *   X(ID, file, "name", "Title", FLAGS)
 *   file   pane_<file>.c, which defines pane_<file>_ops
 *   name   as the config file and `bind` spell it
 *   FLAGS  of enum pane_flag
 *
 * To add a pane: a row here, pane_<file>.c with its functions (struct pane_ops in panes.h), key
 * rows in keys.c, and a row of action.h for the action that opens it. tests/tui/test_ui.c opens and
 * draws every row.
 */
#pragma once
#include <stddef.h>

enum pane_flag {
	PANE_IS_PAGE = 1,         /* takes the whole body; the others make the main page */
	PANE_MAY_DOCK = 2,        /* a page that wide screens show at the bottom of the main page */
	PANE_WITHOUT_SESSION = 4, /* can be shown while no capture is open */
	/* is not about a session: it stays open when the session changes */
	PANE_STAYS = 8,
	PANE_SPLITS = 16 /* a page that leaves room for the list below it */
};

/* clang-format off */
#define PANES(X)                                                                                                                      \
	X(EVENTS,     events,     "events",      "Events",            0)                                                              \
	X(CATEGORIES, categories, "categories",  "Categories",        0)                                                              \
	X(ARGUMENTS,  arguments,  "arguments",   "Arguments",         0)                                                              \
	X(STACK,      stack,      "stack",       "Stack",             0)                                                              \
	X(TIMELINE,   timeline,   "timeline",    "Timeline",          0)                                                              \
	X(SUMMARY,    summary,    "summary",     "Summary",           PANE_IS_PAGE | PANE_MAY_DOCK)                                   \
	X(CALLERS,    callers,    "callers",     "Callers",           PANE_IS_PAGE | PANE_MAY_DOCK)                                   \
	X(INSIDE,     inside,     "inside",      "Inside",            PANE_IS_PAGE)                                                   \
	X(IMPORTS,    imports,    "imports",     "Imports",           PANE_IS_PAGE | PANE_MAY_DOCK)                                   \
	X(DIFF,       diff,       "diff",        "Diff",              PANE_IS_PAGE)                                                   \
	X(PROCESSES,  processes,  "processes",   "Processes",         PANE_IS_PAGE | PANE_MAY_DOCK)                                   \
	X(BYTES,      bytes,      "bytes",       "Bytes",             PANE_IS_PAGE)                                                   \
	X(MESSAGES,   messages,   "messages",    "Messages",          PANE_IS_PAGE | PANE_WITHOUT_SESSION)                            \
	X(MARKS,      marks,      "marks",       "Marks",             PANE_IS_PAGE)                                                   \
	X(FILTERS,    filters,    "filters",     "Filters",           PANE_IS_PAGE)                                                   \
	X(HOLDS,      holds,      "holds",       "Holds",             PANE_IS_PAGE | PANE_MAY_DOCK)                                   \
	X(NOW,        now,        "now",         "Now",               PANE_IS_PAGE | PANE_MAY_DOCK)                                   \
	X(CATALOG,    catalog,    "catalogue",   "Catalogue",         PANE_IS_PAGE | PANE_WITHOUT_SESSION)                            \
	X(LESSONS,    lessons,    "lessons",     "Learn",             PANE_IS_PAGE | PANE_WITHOUT_SESSION | PANE_STAYS)               \
	X(LESSON,     lesson,     "lesson",      "Lesson",            PANE_IS_PAGE | PANE_WITHOUT_SESSION | PANE_STAYS | PANE_SPLITS) \
	X(TERMINAL,   terminal,   "terminal",    "Terminal",          0)                                                              \
	X(START,      start,      "start",       "Python processes",  PANE_IS_PAGE | PANE_WITHOUT_SESSION | PANE_STAYS)               \
	X(HELP,       help,       "help",        "Help",              PANE_IS_PAGE | PANE_WITHOUT_SESSION)
/* clang-format on */

enum pane_id {
#define X(id, file, name, title, flags) PANE_##id,
	PANES(X)
#undef X
	    PANE_COUNT,
	PANE_ANY = PANE_COUNT,
	PANE_NONE
};

struct pane_row {
	const char *name, *title;
	unsigned flags; /* of enum pane_flag */
};

extern const struct pane_row panes[PANE_COUNT];

enum pane_id pane_find(const char *name); /* PANE_NONE */
