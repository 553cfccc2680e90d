/*
 * app_now: what the program does at this moment: asked for while something on the screen shows it,
 * every two seconds, and less often if the answer takes long (app_live_ops.now_ask).
 *
 * That is while the page Now is open, while a live list is empty, and, for the last line of the
 * Stack pane, while the program has raised no event for some seconds.
 */
#pragma once
#include <stdint.h>

struct app;

/* Ask if it is time, and take the answer if it has come. */
void app_now_watch(struct app *app);
/* When app_now_watch() must be called again; UINT64_MAX: never. */
uint64_t app_now_deadline(const struct app *app);
/* Forget what is known: another session is shown. */
void app_now_forget(struct app *app);
