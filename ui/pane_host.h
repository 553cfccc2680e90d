/*
 * pane_host: what a pane sees of the screen it is part of, and what it may ask of it.
 *
 * A pane reads the facts of its host and changes nothing but itself. Everything else it asks for
 * with one of the verbs below, which the app carries out (struct host_ops, filled in app.c). So a
 * pane needs no other file of the app, and the app may include all panes.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "ui/app.h"
#include "ui/config.h"
#include "ui/event_text.h"
#include "ui/panes.h"
#include "ui/search.h"
#include "ui/toggles.h"
#include "ui/view.h"

struct keymap;
struct prompt_ops;
struct app;

struct message {
	uint64_t wall_ns; /* CLOCK_REALTIME */
	char *kind;       /* "ended", "! lost", "note" */
	char *text;       /* lines separated by \n */
	uint64_t seq;     /* the event it is about; SELECTION_NONE: none */
	bool is_trouble;
};
typedef VEC(struct message) message_vec;

enum { SOURCE_DIRS_MAX = 8 };

/* How another session takes the place of the one on the screen. */
enum session_place {
	SESSION_ABOVE,    /* going back from it comes back to this one */
	SESSION_OF_LESSON /* likewise; a later run of the lesson replaces the first one */
};

enum which_pages { PAGE_ON_TOP, ALL_PAGES };

/* The verbs, as the app provides them. The functions below say what they mean. */
struct host_ops {
	void (*act)(struct app *app, enum action action, uint64_t count, const char *text);
	void (*flash)(struct app *app, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
	void (*flash_err)(struct app *app, struct err *err);
	void (*dialog)(struct app *app, const char *text);
	void (*copy)(struct app *app, const char *text, size_t n_bytes);
	void (*redraw)(struct app *app);
	void (*changed)(struct app *app, unsigned changes);
	bool (*set_filter)(struct app *app, const char *text, bool remember);
	void (*narrow)(struct app *app, const char *term, bool exclude);
	void (*go_to)(struct app *app, uint64_t seq);
	void (*set_cursor)(struct app *app, uint64_t seq);
	void (*follow)(struct app *app, bool on);
	void (*remember_place)(struct app *app);
	void (*focus)(struct app *app, enum pane_id id);
	void (*open_page)(struct app *app, enum pane_id id);
	void (*close_pages)(struct app *app, enum which_pages which);
	struct pane *(*pane)(struct app *app, enum pane_id id);
	struct err *(*open_source)(struct app *app, struct app_source *source,
				   enum session_place place);
	void (*ask)(struct app *app, const struct prompt_ops *prompt, const char *text);
	void (*keep_marks)(struct app *app);
};

/* The facts. They change between two calls of a pane's functions, and never during one, except by a
 * verb. */
struct pane_host {
	const struct host_ops *ops;
	struct app *app; /* for the verbs */

	struct view *view;   /* NULL while the start page is all there is */
	uint64_t cursor_seq; /* the event whose details are shown; SELECTION_NONE */
	bool following;      /* the list follows the newest event */
	uint64_t now_ns;     /* CLOCK_MONOTONIC */
	enum time_mode time_mode;
	int n_columns;        /* of the screen */
	enum pane_id page;    /* the page over the main page; PANE_NONE */
	enum pane_id focused; /* the pane that the keys go to, in the frame that is being drawn */

	/* what the program did when it was asked last; NULL: it was not, or no answer has come. The
	 * generation changes whenever it does. */
	const struct app_now *now;
	unsigned now_generation;
	bool is_quiet; /* the program runs, and has raised no event for some seconds */

	const struct search *search;
	const struct toggles *toggles; /* of the filter in use */
	struct config *config;
	const struct keymap *keys;
	const message_vec *messages;
	char *const *source_dirs; /* [SOURCE_DIRS_MAX], set by :source; a NULL ends the list */

	const struct app_start_ops *start; /* may be NULL */
	void *start_ctx;
	bool no_config; /* no file of the user is read or written */
};

/* Do an action as if its key had been pressed: the focused pane is asked first. */
void host_act(const struct pane_host *h, enum action action, uint64_t count, const char *text);

/* Show a text in the last line, for four seconds or until the next key. */
void host_flash(const struct pane_host *h, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Show an error in the last line and keep it in the messages. Takes err. */
void host_flash_err(const struct pane_host *h, struct err *err);
/* Show a box over the screen: its title, then lines. */
void host_dialog(const struct pane_host *h, const char *text);
/* Copy a text to the terminal's clipboard. */
void host_copy(const struct pane_host *h, const char *text, size_t n_bytes);

/* Draw a frame soon: the pane has changed what it shows. */
void host_redraw(const struct pane_host *h);
/* Update all visible panes; `changes` are of enum change. */
void host_changed(const struct pane_host *h, unsigned changes);

/* Make `text` the filter. remember: the place and the filter before it go into the history. False:
 * it is no filter, and a message says so. */
bool host_set_filter(const struct pane_host *h, const char *text, bool remember);
/* Add "and term" or "and not term" to the filter. */
void host_narrow(const struct pane_host *h, const char *term, bool exclude);
/* Put the cursor of the list on an event, and open the folds over it. The place before it goes into
 * the history. */
void host_goto(const struct pane_host *h, uint64_t seq);
/* For the list: the cursor is on this event now. The other panes are updated before the next
 * frame, even if it is the same event as before. */
void host_set_cursor(const struct pane_host *h, uint64_t seq);
void host_follow(const struct pane_host *h, bool on);
/* Add the place of the cursor and the filter in use to the history. */
void host_remember_place(const struct pane_host *h);

/* Give a pane of the main page the focus; if it has no room there, it takes the whole body. */
void host_focus(const struct pane_host *h, enum pane_id id);
/* Open the pane as a page over the main page. */
void host_open_page(const struct pane_host *h, enum pane_id id);
/* Close the page on top; without a session, closing the last one ends auditview. With the other
 * value of which_pages all pages are closed, so that the main page is seen; without a session
 * nothing happens. */
void host_close_pages(const struct pane_host *h, enum which_pages which);
/* Get another pane, opened if it was not open; NULL if that failed (a message says so). Borrowed
 * until the session changes. */
struct pane *host_pane(const struct pane_host *h, enum pane_id id);
/* Open another session. Takes over source. The panes of the former session are closed: unless its
 * row in PANES says that it stays, the pane that calls this is destroyed. */
MUST_CHECK struct err *host_open_source(const struct pane_host *h, struct app_source *source,
					enum session_place place);

/* Open a prompt that begins with this text. */
void host_ask(const struct pane_host *h, const struct prompt_ops *prompt, const char *text);
/* Write the marks of the capture to the file beside it. */
void host_keep_marks(const struct pane_host *h);

/* Do the keys go to this pane? For draw functions. */
static inline bool pane_has_focus(const struct pane *p)
{
	return p->host->focused == p->id;
}
