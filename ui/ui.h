/*
 * ui: the state of the screen, for the files app*.c alone (and tests). Panes see pane_host.h.
 *
 * ui_create() … ui_input(), ui_advance(), ui_draw() need no terminal: tests drive them and read the
 * canvas. app_loop.c is the loop with a terminal.
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
	bool following;
	/* the session above it is a run of a lesson: closing the lesson closes the run */
	bool is_lesson;
};

struct header { /* what the header shows; updated four times a second */
	bool is_loss_known;
	uint64_t n_events, n_lost, rate, quiet_ns, age_ns, file_bytes, longest_pause_ns;
	unsigned n_children;
};

struct ui {
	struct pane_host host; /* what the panes see of all this */
	struct ui_options options;
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

	VEC(struct input) waiting; /* keys that wait for the end of a search */
	bool filter_is_new;        /* set by a key, and no row of it was decided yet */
	uint64_t count;            /* number typed before a key */
	VEC(struct level) levels;  /* sessions below this one; the last is the nearest */
	struct toggles toggles;
	struct search search;

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

	struct header header;
	uint64_t header_at_ns, refreshed_at_ns, ticked_at_ns, started_ns;
	uint64_t rate_events, rate_at_ns, last_growth_ns, frozen_at_events;
	uint32_t notes_reported;
	bool dirty, quit, said_cannot_keep, asked_quit, asked_back, growth_waits, cursor_waits;
	enum pane_id drag_pane;
	int drag_line, drag_column;
	uint64_t click_ns;
	int click_line, click_column;
};

/* Takes over options->source. */
MUST_CHECK struct err *ui_create(const struct ui_options *options, struct ui **ret);
void ui_destroy(struct ui *ui);
DEFINE_CLEANUP(ui);
void ui_resize(struct ui *ui, int n_lines, int n_columns);
void ui_input(struct ui *ui, struct input in);
/* If no search runs, act on the keys that waited for its end. Returns true if one of them began
 * another search. */
bool ui_input_waiting(struct ui *ui);
/* Read new events (growth: the capture is known to have changed) and do long work for up to
 * budget_ns. Returns true if more work waits. now_ns is CLOCK_MONOTONIC. */
bool ui_advance(struct ui *ui, uint64_t now_ns, bool growth, uint64_t budget_ns);
/* When ui_advance() must be called again even if nothing happens; UINT64_MAX: never. */
uint64_t ui_deadline(const struct ui *ui);
void ui_draw(struct ui *ui);

/* ---- app_messages.c ---- */

void ui_flash(struct ui *ui, const char *fmt, ...) PRINTF_LIKE(2, 3);
void ui_vflash(struct ui *ui, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void ui_flash_err(struct ui *ui, struct err *err); /* takes err */
void ui_message(struct ui *ui, const char *kind, uint64_t seq, bool is_trouble, const char *fmt,
		...) PRINTF_LIKE(5, 6);
void ui_dialog(struct ui *ui, const char *text); /* the first line is the title */
void ui_copy(struct ui *ui, const char *text, size_t n_bytes);

/* ---- app_panes.c ---- */

/* The pane, opened if it was not; NULL when that failed (a message says so). */
struct pane *ui_pane(struct ui *ui, enum pane_id id);
enum pane_id ui_focused_id(const struct ui *ui);
struct pane *ui_focused(struct ui *ui);
/* The strip above the list has no title line; all other panes have one. */
bool ui_has_title(const struct ui *ui, enum pane_id id);
void ui_focus(struct ui *ui, enum pane_id id); /* host_focus() */
void ui_open_page(struct ui *ui, enum pane_id id);
void ui_relayout(struct ui *ui);
/* Update the visible panes, the list of events first: it moves the cursor that others follow. */
void ui_changed(struct ui *ui, unsigned changes);
void ui_set_cursor(struct ui *ui, uint64_t seq); /* host_set_cursor() */
/* Update the panes if the cursor has moved since their last update. */
void ui_tell_cursor(struct ui *ui);

/* ---- app_keep.c: the files of keep.h; if they cannot be used, one message says so ---- */

void ui_load_history(struct ui *ui);
void ui_keep_history(struct ui *ui, int history, const char *text);
void ui_load_marks(struct ui *ui);
void ui_keep_marks(struct ui *ui);

/* ---- app_places.c ---- */

/* Make `text` the filter; an error becomes a message. remember: the previous filter goes into the
 * history. */
bool ui_set_filter(struct ui *ui, const char *text, bool remember);
/* Add "and term" or "and not term". */
void ui_narrow(struct ui *ui, const char *term, bool exclude);
/* Move the cursor of the events pane, and open the folds over it; [ comes back. */
void ui_goto(struct ui *ui, uint64_t seq);
void ui_show(struct ui *ui, uint64_t seq);   /* the same, but not in the history */
void ui_anchor(struct ui *ui, uint64_t seq); /* pane_events_anchor() */
void ui_remember_place(struct ui *ui);       /* the cursor, with the filter in use */
void ui_remember(struct ui *ui, uint64_t seq, const char *filter_text);
void ui_history_step(struct ui *ui, bool back);

/* ---- app_session.c ---- */

/* Replace the session. The previous view is destroyed, or returned in `old`. Takes over source. */
MUST_CHECK struct err *ui_new_session(struct ui *ui, struct ui_source *source, struct view **old);
/* host_open_source(). */
MUST_CHECK struct err *ui_open_source(struct ui *ui, struct ui_source *source,
				      enum session_place place);
/* Close the session and return to the one below; false: there is none. */
bool ui_pop_source(struct ui *ui);
void ui_close_page(struct ui *ui);
void ui_close_all_pages(struct ui *ui);
void ui_close_pages(struct ui *ui, enum which_pages which); /* host_close_pages() */
/* Does going back end auditview? */
bool ui_back_quits(const struct ui *ui);

/* ---- app_quit.c ---- */

/* Was the program of this session started here, and does it still run? s may be NULL. */
bool ui_must_ask(const struct view *s);
/* Ask what becomes of the program. goes_back: then the session below is shown; else auditview
 * ends. */
void ui_ask_quit(struct ui *ui, bool goes_back);
void ui_answer_quit(struct ui *ui, int key);
/* Leave, but first ask about each program that was started here. */
void ui_quit(struct ui *ui);

/* ---- app_actions.c ---- */

void ui_act(struct ui *ui, enum action action, uint64_t count, const char *text);

/* ---- app_header.c ---- */

void draw_header(struct ui *ui, struct area line);
void header_take(struct ui *ui);
void draw_keys(struct ui *ui, struct area line);

/* ---- app_prompts.c ---- */

void prompt_filter(struct ui *ui, const char *text);
void prompt_search(struct ui *ui, bool backwards);
void prompt_command(struct ui *ui, const char *text);
void prompt_write(struct ui *ui);
void prompt_note(struct ui *ui);
void prompt_save_filter(struct ui *ui);
/* run a `:` line; false: a message says why not */
bool ui_command(struct ui *ui, const char *text);

/* ---- app_write.c, app_mouse.c ---- */

/* "[shown|marked|all] PATH": write these events; false: the flash says why not. */
bool ui_write(struct ui *ui, const char *text);

void ui_mouse(struct ui *ui, struct input in);
