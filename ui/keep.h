/*
 * keep: what outlasts a session: the lines typed at prompts ($XDG_STATE_HOME/auditview/history),
 * the filter and columns of a capture (views, in the same folder), and its marks and notes
 * (FILE.marks, beside it). With --no-config none of this is called.
 *
 * Both are lines of text that may be edited. Neither is trusted: malformed lines are skipped.
 * Errors: of the file system, ERR_DENIED if a file or its folder is not ours alone, ERR_BUSY if
 * another viewer keeps on writing. Only what could not be written is lost.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct prompt;
struct view;

enum { KEEP_VIEWS_MAX = 200 };

/* $XDG_STATE_HOME/auditview/NAME; its folder is made if make_folder. malloc'ed; NULL if there is no
 * folder that is ours (base/folder.h). */
char *keep_state_path(const char *name, bool make_folder);

/* Read the history into the prompt. A missing file is no error. */
MUST_CHECK struct err *keep_history_load(struct prompt *p);
/* Append a line; `history` is its number, as in struct prompt_ops. */
MUST_CHECK struct err *keep_history_add(int history, const char *text);

/* How a capture was looked at when it was left ($XDG_STATE_HOME/auditview/views). */
struct keep_look {
	char *filter;     /* malloc'ed; NULL: nothing is known of this capture */
	unsigned columns; /* bits of enum column; 0: those of the config */
};
/* Captures are told apart by the time at which they began. A missing file is no error. */
MUST_CHECK struct err *keep_look_load(const struct view *s, struct keep_look *ret);
/* Keep the filter of the view, and the columns. Nothing is kept of a view without a filter and with
 * columns 0. Of the captures left last, KEEP_VIEWS_MAX are remembered. */
MUST_CHECK struct err *keep_look_save(const struct view *s, unsigned columns);

/* Read the marks of the capture in view; a view without a file has none. */
MUST_CHECK struct err *keep_marks_load(struct view *s);
/* Write the marks, merged with what another viewer has written meanwhile. */
MUST_CHECK struct err *keep_marks_save(struct view *s);
