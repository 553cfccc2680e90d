/*
 * term: the terminal. Only term_curses.c knows curses, colours and escape sequences.
 *
 * There is one terminal per process. It is restored however auditview ends (return, CHECK, fatal
 * signal): term_open() pushes a crash handler that needs only write(2) and tcsetattr(3).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "ui/canvas.h"
#include "ui/input.h"
#include "ui/theme.h"

struct terminal;

struct term_options {
	bool mouse;
	bool no_color;    /* --color=never or NO_COLOR */
	bool force_color; /* --color=always */
};

/* Would term_open() know this terminal? Called before anything is started for the screen. Draws
 * nothing. Debug notes do not go to a terminal any more (base/log.h). */
MUST_CHECK struct err *term_check(void);
MUST_CHECK struct err *term_open(const struct term_options *options, struct terminal **ret);
void term_close(struct terminal *t); /* t may be NULL */

void term_size(const struct terminal *t, int *ret_lines, int *ret_columns);
int term_fd(const struct terminal *t);        /* readable when input waits */
bool term_is_light(const struct terminal *t); /* is the background light, as far as it is known? */
bool term_is_ascii(const struct terminal *t); /* no UTF-8, or signs drawn two cells wide */
int term_colors(const struct terminal *t);    /* 0 mono, 8, 16, 256, 1 << 24 */
void term_set_theme(struct terminal *t, const struct theme *theme);
void term_set_mouse(struct terminal *t, bool on);

/* The next input without waiting; INPUT_NONE when there is none. */
struct input term_next(struct terminal *t);
/* after SIGWINCH: ask for the size again; the next input is INPUT_RESIZE */
void term_resized(struct terminal *t);
void term_draw(struct terminal *t, const struct canvas *c);
void term_redraw(struct terminal *t); /* the next draw paints everything anew */
/* Copy to the system clipboard by OSC 52. NULL: the text was sent, and it is unknown whether the
 * terminal takes it; else the reason why it was not sent. */
const char *term_copy(struct terminal *t, const char *text, size_t n_bytes);
/* Leave the terminal to another program (a shell after Ctrl-Z, an editor) and take it back. */
void term_leave(struct terminal *t);
void term_enter(struct terminal *t);
