/*
 * app_state: the state of the screen, for the files app*.c alone (and tests). Panes see
 * pane_host.h.
 *
 * app_create() … app_input(), app_advance(), app_draw() need no terminal: tests drive them and read
 * the canvas. app_loop.c is the loop with a terminal.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "base/vec.h"
#include "ui/app.h"
#include "ui/canvas.h"
#include "ui/config.h"
#include "ui/event_text.h"
#include "ui/input.h"
#include "ui/keys.h"
#include "ui/layout.h"
#include "ui/pane_host.h"
#include "ui/panes.h"
#include "ui/prompt.h"
#include "ui/search.h"
#include "ui/view.h"
#include "ui/theme.h"
#include "ui/toggles.h"

struct place { /* an entry of the history, for [ and ] */
	uint64_t seq;
	char *filter;
};

/* A session below another one; q comes back to it. */
struct level {
	struct view *view; /* NULL: the start page */
	VEC(enum pane_id) pages;
	uint64_t cursor_seq;
	unsigned columns;
	bool following;
	/* the session above it is a run of a lesson: closing the lesson closes the run */
	bool is_lesson;
};

/* Cells of the key line that a click on does an action. */
struct key_span {
	int from, to; /* columns [from, to) */
	enum action action;
};
enum { KEY_SPANS_MAX = 32 };

struct header { /* what the header shows; updated four times a second */
	bool is_loss_known;
	uint64_t n_events, n_lost, rate, quiet_ns, age_ns, file_bytes, longest_pause_ns;
	unsigned n_children;
};

/* What was asked about the program, by app_now.c. */
struct now_question {
	bool is_asked; /* and not answered */
	uint64_t asked_ns, next_ns, drawn_ns;
};

/* A key that was typed while a search ran. */
struct waiting_input {
	struct input in;
	enum pane_id focus; /* the pane that it is for */
	bool keeps_screen;  /* focus, pages and prompts are the same after it */
};

struct app {
	struct pane_host host; /* what the panes see of all this */
	struct app_options options;
	struct config config;
	struct keymap *keys;
	struct canvas canvas;
	struct layout_wish wish;
	struct layout layout;
	struct pane *panes[PANE_COUNT]; /* each is opened when first needed */
	enum pane_id focus;             /* among the panes of the main page */
	VEC(enum pane_id) pages;        /* pages over the main page; the last one is on top */
	struct prompt prompt;
	char *prompt_old_filter; /* the filter before the filter prompt was opened */
	uint64_t anchor_seq;     /* the cursor at that time */
	char *prompt_old_search; /* likewise of the search prompt; NULL: there was none */

	VEC(struct waiting_input) waiting; /* keys that wait for the end of a search */
	bool filter_is_new;                /* set by a key, and no frame has shown it yet */
	uint64_t count;                    /* number typed before a key */
	VEC(struct level) levels;          /* sessions below this one; the last is the nearest */
	struct toggles toggles;
	struct search search;

	unsigned own_columns; /* those of the config, for captures with none of their own */

	message_vec messages;
	char flash[256]; /* in the last line until flash_until_ns or the next key */
	uint64_t flash_until_ns;
	char *dialog; /* a box over the screen: title, then lines; NULL: none */
	VEC(struct place) history;
	size_t history_at;
	char *source_dirs[SOURCE_DIRS_MAX]; /* set by :source */

	const char *theme_name;
	struct theme theme;
	bool theme_changed, is_light, no_color, wants_redraw, wants_suspend, mouse, mouse_changed;
	char *copied; /* text for the clipboard, taken by the loop */
	size_t copied_bytes;
	char *edit_file; /* for $EDITOR, taken by the loop */
	unsigned edit_line;

	/* of the thread that was held last: since when (CLOCK_MONOTONIC), and the event to go to;
	 * SELECTION_NONE: that was done */
	uint64_t held_since_ns, held_seq;
	uint32_t n_held; /* threads, as the recorder last told */

	struct now_question now;

	struct header header;
	uint64_t header_at_ns, renewed_at_ns, refreshed_at_ns, ticked_at_ns, started_ns;
	uint64_t rate_events, rate_at_ns, last_growth_ns, frozen_at_events;
	uint32_t notes_reported;
	/* the terminal (app_terminal.h): the last key was its Ctrl-]; a key was pressed in this
	 * session */
	bool after_prefix, has_typed;
	uint64_t terminal_asked_ns, output_at_ns;
	bool dirty, quit, said_cannot_keep, asked_quit, asked_back, asked_pause, growth_waits,
	    cursor_waits;
	struct key_span key_spans[KEY_SPANS_MAX]; /* of the frame that is shown */
	int n_key_spans;
	bool is_dragging; /* since the last click */
	enum pane_id drag_pane;
	int drag_line, drag_column;
	uint64_t click_ns;
	int click_line, click_column;
};
