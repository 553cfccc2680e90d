/*
 * keep: what outlasts a session: the lines typed at prompts ($XDG_STATE_HOME/auditview/history) and
 * the marks and notes of a capture (FILE.marks, beside it). With --no-config none of this is
 * called.
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

/* $XDG_STATE_HOME/auditview/NAME; its folder is made if make_folder. malloc'ed; NULL if there is no
 * folder that is ours (base/folder.h). */
char *keep_state_path(const char *name, bool make_folder);

/* Read the history into the prompt. A missing file is no error. */
MUST_CHECK struct err *keep_history_load(struct prompt *p);
/* Append a line; `history` is its number, as in struct prompt_ops. */
MUST_CHECK struct err *keep_history_add(int history, const char *text);

/* Read the marks of the capture in view; a view without a file has none. */
MUST_CHECK struct err *keep_marks_load(struct view *s);
/* Write the marks, merged with what another viewer has written meanwhile. */
MUST_CHECK struct err *keep_marks_save(struct view *s);
