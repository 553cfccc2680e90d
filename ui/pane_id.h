/*
 * pane_id: the panes there are. The table with their names and functions is panes[] (panes.c).
 */
#pragma once

enum pane_id {
	PANE_EVENTS,
	PANE_CATEGORIES,
	PANE_ARGUMENTS,
	PANE_STACK,
	PANE_TIMELINE,
	/* the panes above make the main page; those below take the whole body */
	PANE_SUMMARY,
	PANE_CALLERS,
	PANE_INSIDE,
	PANE_DIFF,
	PANE_PROCESSES,
	PANE_BYTES,
	PANE_MESSAGES,
	PANE_MARKS,
	PANE_FILTERS,
	PANE_CATALOG,
	PANE_LESSONS,
	PANE_LESSON,
	PANE_TERMINAL,
	PANE_START,
	PANE_HELP,
	PANE_COUNT,
	PANE_ANY = PANE_COUNT,
	PANE_NONE
};
