/*
 * app_panes: which panes are open, where they are, and what they know.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "ui/pane_id.h"

struct app;
struct pane;

/* The pane, opened if it was not; NULL when that failed (a message says so). */
struct pane *app_pane(struct app *app, enum pane_id id);
enum pane_id app_focused_id(const struct app *app);
struct pane *app_focused(struct app *app);
/* The strip above the list has no title line; all other panes have one. */
bool app_has_title(const struct app *app, enum pane_id id);
void app_focus(struct app *app, enum pane_id id); /* host_focus() */
void app_open_page(struct app *app, enum pane_id id);
void app_relayout(struct app *app);
/* Update the visible panes, the list of events first: it moves the cursor that others follow. */
void app_changed(struct app *app, unsigned changes);
void app_set_cursor(struct app *app, uint64_t seq); /* host_set_cursor() */
/* Update the panes if the cursor has moved since their last update. */
void app_tell_cursor(struct app *app);

void app_resize(struct app *app, int n_lines, int n_columns);
