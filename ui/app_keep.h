/*
 * app_keep: the files of keep.h. If they cannot be used, one message says so.
 */
#pragma once

struct app;

void app_load_history(struct app *app);
void app_keep_history(struct app *app, int history, const char *text);
/* Show a capture with the filter and the columns with which it was left, unless a filter was
 * given. */
void app_load_look(struct app *app);
/* Remember both. Called before the view is destroyed; there may be none. */
void app_keep_look(struct app *app);
void app_load_marks(struct app *app);
void app_keep_marks(struct app *app);
