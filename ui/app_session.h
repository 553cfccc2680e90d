/*
 * app_session: the session on the screen, and those below it.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "ui/pane_host.h"

struct app;
struct trace;

/* Replace the session. The previous view is destroyed, or returned in `old`. Takes over source. */
MUST_CHECK struct err *app_new_session(struct app *app, struct app_source *source,
				       struct view **old);
/* host_open_source(). */
MUST_CHECK struct err *app_open_source(struct app *app, struct app_source *source,
				       enum session_place place);
/* Close the session and return to the one below; false: there is none. */
bool app_pop_source(struct app *app);
/* Show another capture of the same session, which begins later (app_live_ops.renew): filter, cursor
 * and marks stay as far as they are in it. Takes over trace. */
void app_renew(struct app *app, struct trace *trace);
void app_close_page(struct app *app);
void app_close_all_pages(struct app *app);
void app_close_pages(struct app *app, enum which_pages which); /* host_close_pages() */
/* Does going back end auditview? */
bool app_back_quits(const struct app *app);
