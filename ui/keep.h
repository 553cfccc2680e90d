/*
 * keep: what outlives a session: what was typed at prompts ($XDG_STATE_HOME/auditview/history) and
 * the marks and notes of a capture (FILE.marks, beside it). With --no-config nothing is read and
 * nothing is kept.
 *
 * Both are lines of text that may be edited. Neither is believed: what makes no sense is skipped.
 * That they cannot be written is said once, in the messages; the session goes on.
 */
#pragma once
#include <stdbool.h>

struct ui;

/* $XDG_STATE_HOME/auditview/NAME, its folder made if asked for; malloc'ed, NULL without a folder
 * that is ours (base/folder.h). */
char *keep_state_path(const char *name, bool make_folder);

void keep_history_load(struct ui *ui);
void keep_history_add(struct ui *ui, int history, const char *text);

void keep_marks_load(struct ui *ui); /* of the capture on the screen */
void keep_marks_save(struct ui *ui);
