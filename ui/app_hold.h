/*
 * app_hold: holds from the screen: make and remove them, continue the threads that are held, and
 * notice when another thread is (base/hold_list.h).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct app;
struct pane;

/* Hold threads of events that the filter `text` matches; NULL: list what is held. once: until one
 * was held; then threads that are held continue. */
void app_hold(struct app *app, const char *text, bool once);
/* `text`: the number of a hold, or NULL: all. */
void app_unhold(struct app *app, const char *text);
/* The next N matches of the newest hold are not held. */
void app_hold_ignore(struct app *app, const char *text);
/* Hold what is under the cursor of a pane: the name of the event, or name and value. */
void app_hold_this(struct app *app, struct pane *p);
void app_hold_continue(struct app *app);
/* Continue until the next event of the thread that is held first. */
void app_hold_step(struct app *app);
bool app_is_held(const struct app *app);
/* A report of the recorder was read: has another thread been held? Then go there. */
void app_hold_poll(struct app *app);
