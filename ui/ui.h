/*
 * ui: what the panes and the loop share. Internal to ui/.
 *
 * ui_create() … ui_input(), ui_advance(), ui_draw() need no terminal: tests drive them and read the
 * canvas.
 */
#pragma once
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
#include "ui/panes.h"
#include "ui/prompt.h"
#include "ui/search.h"
#include "ui/view.h"
#include "ui/theme.h"
#include "ui/toggles.h"

struct message {
	uint64_t wall_ns;
	char *kind;   /* "ended", "! lost", "note" */
	char *text;   /* lines parted by \n */
	uint64_t seq; /* the place it speaks of, SELECTION_NONE */
	bool is_trouble;
};

struct place { /* where the user was, for [ and ] */
	uint64_t seq;
	char *filter;
};

/* A session that another one was opened over; q comes back to it. */
struct level {
	struct view *view; /* NULL: the start page */
	VEC(enum pane_id) pages;
	uint64_t cursor_seq;
	bool following;
	/* a lesson's own run lies over it: closing the lesson closes the run */
	bool is_lesson;
};

struct header { /* what the header shows; taken four times a second */
	bool is_loss_known;
	uint64_t n_events, n_lost, rate, quiet_ns, age_ns, file_bytes, longest_pause_ns;
	unsigned n_children;
};

struct ui {
	struct ui_options options;
	struct view *s; /* NULL while the start page is all there is */
	struct config config;
	struct keymap *keys;
	struct canvas canvas;
	struct layout_wish wish;
	struct layout layout;
	struct pane *panes[PANE_COUNT]; /* opened when first needed */
	enum pane_id focus;             /* among the panes of the main page */
	VEC(enum pane_id) pages;        /* full pages over the main page, the last one is seen */
	struct prompt prompt;
	char *prompt_old_filter; /* what stood before the filter prompt was opened */
	uint64_t anchor_seq;     /* and where the cursor was */

	VEC(struct input) waiting; /* keys typed ahead of a search, for when it has ended */
	bool filter_is_new;        /* nothing of it was worked out yet when the next key comes */
	uint64_t count;            /* number typed before a key */
	VEC(struct level) levels;  /* sessions below this one, the last is next */
	bool following;
	uint64_t cursor_seq; /* the event whose details are shown; SELECTION_NONE */
	enum time_mode time_mode;
	struct toggles toggles;
	struct search search;

	VEC(struct message) messages;
	char flash[256]; /* in the last line until flash_until_ns or the next key */
	uint64_t flash_until_ns;
	char *dialog; /* a box that floats: title, then lines; NULL none */
	VEC(struct place) history;
	size_t history_at;
	char *source_dirs[8]; /* :source */

	const char *theme_name;
	struct theme theme;
	bool theme_changed, is_light, no_color, wants_redraw, wants_suspend, mouse, mouse_changed;
	char *copied; /* text for the clipboard, taken by the loop */
	size_t copied_bytes;
	char *edit_file; /* for $EDITOR, taken by the loop */
	unsigned edit_line;

	struct header header;
	uint64_t header_at_ns, refreshed_at_ns, ticked_at_ns, now_ns, started_ns;
	uint64_t rate_events, rate_at_ns, last_growth_ns, frozen_at_events;
	uint32_t notes_reported;
	bool dirty, quit, said_cannot_keep, asked_quit, asked_back, growth_waits, cursor_waits;
	enum pane_id drag_pane;
	int drag_line, drag_column;
	uint64_t click_ns;
	int click_line, click_column;
};

/* takes options->source over */
MUST_CHECK struct err *ui_create(const struct ui_options *options, struct ui **ret);
void ui_destroy(struct ui *ui);
DEFINE_CLEANUP(ui);
void ui_resize(struct ui *ui, int n_lines, int n_columns);
void ui_input(struct ui *ui, struct input in);
/* Act on keys that were typed ahead of a search, if it has ended. True: one of them began another.
 */
bool ui_input_waiting(struct ui *ui);
/* Take in what has grown (growth: the capture is known to have changed) and do up to budget_ns of
 * long work. True: more work waits. now_ns is CLOCK_MONOTONIC. */
bool ui_advance(struct ui *ui, uint64_t now_ns, bool growth, uint64_t budget_ns);
/* When ui_advance() must be called again though nothing happened; UINT64_MAX never. */
uint64_t ui_deadline(const struct ui *ui);
void ui_draw(struct ui *ui);

/* ---- for panes ---- */

/* The pane, opened if it was not; NULL when that failed (a message says so). */
struct pane *ui_pane(struct ui *ui, enum pane_id id);
struct pane *ui_focused(struct ui *ui);
void ui_act(struct ui *ui, enum action action, uint64_t count, const char *text);
/* Would going back leave the program? */
bool ui_back_quits(const struct ui *ui);
void ui_open_page(struct ui *ui, enum pane_id id);
void ui_close_page(struct ui *ui);
void ui_close_all_pages(struct ui *ui);
void ui_relayout(struct ui *ui);
void ui_changed(struct ui *ui, unsigned changes);
/* Replace the session; the old one is closed. Takes source over. */
MUST_CHECK struct err *ui_set_source(struct ui *ui, struct ui_source *source);
/* A session over the one there is (or over the start page): going back from it comes back here.
 * Takes source over. */
MUST_CHECK struct err *ui_push_source(struct ui *ui, struct ui_source *source);
/* Close the session and come back to what is below it; false: there is nothing below. */
bool ui_pop_source(struct ui *ui);

/* Make `text` the filter; errors become a message. keep_history: it was typed, so history remembers
 * the old one. */
bool ui_set_filter(struct ui *ui, const char *text, bool remember);
/* A filter for the capture in view. */
MUST_CHECK struct err *ui_compile(struct ui *ui, const char *text, struct filter **ret);
/* Add "and term" or "and not term". */
void ui_narrow(struct ui *ui, const char *term, bool exclude);
/* the cursor of the events pane; reveals it; [ comes back */
void ui_goto(struct ui *ui, uint64_t seq);
void ui_show(struct ui *ui, uint64_t seq); /* the same, but history does not take notice */
void ui_remember_place(struct ui *ui);     /* here, with the filter in use */
void ui_remember(struct ui *ui, uint64_t seq, const char *filter_text);

void ui_flash(struct ui *ui, const char *fmt, ...) PRINTF_LIKE(2, 3);
void ui_flash_err(struct ui *ui, struct err *err); /* takes err */
void ui_message(struct ui *ui, const char *kind, uint64_t seq, bool is_trouble, const char *fmt,
		...) PRINTF_LIKE(5, 6);
void ui_dialog(struct ui *ui, const char *text); /* first line is the title */
void ui_copy(struct ui *ui, const char *text, size_t n_bytes);

/* ---- what panes offer each other ---- */

/* The file and line of the frame under the stack's cursor; false if the file is not here. */
bool pane_stack_source(const struct pane *p, struct strbuf *ret_path, unsigned *ret_line);
/* The event that the list keeps its cursor at when the filter changes. */
/* A search is under way: keys wait for what it finds. */
bool pane_events_is_searching(const struct ui *ui);
void pane_events_search_stop(struct ui *ui);
/* The note that the cursor of the list is on; false: it is on an event, or on nothing. */
bool pane_events_note(const struct ui *ui, uint32_t *ret);
void pane_events_anchor(struct ui *ui, uint64_t seq);
void pane_help_about(struct pane *p, enum pane_id about, bool all);
void pane_catalog_show(struct pane *p, const char *event);
void pane_summary_by(struct pane *p, const char *field);
bool pane_diff_has(const struct pane *p); /* is there a capture it compares with? */
/* compare with this capture; false: a message says why not */
bool pane_diff_with(struct pane *p, const char *path);
struct raw_value {
	const char *name;
	const char *bytes;
	size_t n_bytes;
	uint64_t full; /* its length before the capture cut it */
};
/* Bytes of the str or bytes under the cursor of the arguments; valid until the cursor's event
 * changes. */
bool pane_arguments_raw(const struct pane *p, struct raw_value *ret);
/* A drag with the mouse, columns of the pane; done: the button was let go. */
void pane_timeline_drag(struct pane *p, int from, int to, bool done);
void pane_lesson_begin(struct ui *ui, int number);
/* Steps done of a lesson, kept in $XDG_STATE_HOME/auditview/lessons. */
unsigned lesson_progress(int number);
void lesson_progress_set(const struct ui *ui, int number, unsigned done);
struct lesson;
void lesson_line(struct area a, int y, const struct lesson *l, unsigned done);
bool pane_terminal_read(struct ui *ui); /* output of the launched program; false: it has ended */

/* ---- parts of the app, one file each ---- */

void draw_header(struct ui *ui, struct area line); /* app_header.c */
void header_take(struct ui *ui);
void draw_title(struct area line, bool focus, const char *title, const char *subject,
		const char *facts);
void draw_keys(struct ui *ui, struct area line);

void prompt_filter(struct ui *ui, const char *text); /* app_prompts.c */
void prompt_search(struct ui *ui, bool backwards);
void prompt_command(struct ui *ui, const char *text);
void prompt_write(struct ui *ui);
void prompt_note(struct ui *ui);
void prompt_save_filter(struct ui *ui);
/* run a `:` line; false: a message says why not */
bool ui_command(struct ui *ui, const char *text);

/* "[shown|marked|all] PATH": write these events; false: the flash says why not. */
bool ui_write(struct ui *ui, const char *text); /* app_write.c */

void ui_mouse(struct ui *ui, struct input in); /* app_mouse.c */
