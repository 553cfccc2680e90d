/*
 * app_places: the filter, the cursor, and the history of both.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct app;

/* Make `text` the filter; an error becomes a message. remember: the previous filter goes into the
 * history. */
bool app_set_filter(struct app *app, const char *text, bool remember);
/* Add "and term" or "and not term". */
void app_narrow(struct app *app, const char *term, bool exclude);
/* Move the cursor of the events pane, and open the folds over it; [ comes back. */
void app_goto(struct app *app, uint64_t seq);
void app_show(struct app *app, uint64_t seq);   /* the same, but not in the history */
void app_anchor(struct app *app, uint64_t seq); /* pane_events_anchor() */
void app_remember_place(struct app *app);       /* the cursor, with the filter in use */
void app_remember(struct app *app, uint64_t seq, const char *filter_text);
void app_history_step(struct app *app, bool back);
