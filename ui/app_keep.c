/*
 * app_keep: the marks and the history of prompts, read from the files of keep.h and written to
 * them. With --no-config nothing is read or written.
 */
#include "ui/app_keep.h"

#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "ui/app_messages.h"
#include "ui/app_state.h"
#include "ui/keep.h"

/* Report once that something cannot be kept. Takes err; NULL: nothing is reported. */
static void cannot_keep(struct app *app, const char *what, struct err *err)
{
	if (err && !app->said_cannot_keep) {
		app_message(app, "note", SELECTION_NONE, false,
			    "%s are kept for this session only: %s", what, err->message);
		app->said_cannot_keep = true;
	}
	err_destroy(err);
}

void app_load_history(struct app *app)
{
	if (!app->options.no_config)
		cannot_keep(app, tr("filters and searches"), keep_history_load(&app->prompt));
}

void app_keep_history(struct app *app, int history, const char *text)
{
	if (!app->options.no_config)
		cannot_keep(app, tr("filters and searches"), keep_history_add(history, text));
}

void app_load_look(struct app *app)
{
	struct keep_look look = { 0 };
	struct view *s = app->host.view;
	if (app->options.no_config || app->options.filter || s->live || !s->path)
		return;
	app->config.columns = app->own_columns;
	cannot_keep(app, tr("filters and columns"), keep_look_load(s, &look));
	if (!look.filter)
		return;
	struct err *err = view_set_filter(s, look.filter);
	if (look.columns)
		app->config.columns = look.columns;
	if (!err)
		app_flash(app, "filter and columns as this capture was left; = shows all again");
	err_destroy(err); /* edited by hand, or of an older version: there is none */
	free(look.filter);
}

void app_keep_look(struct app *app)
{
	const struct view *s = app->host.view;
	if (app->options.no_config || !s || !s->path || !strcmp(s->path, "-"))
		return;
	bool is_own = app->config.columns == app->own_columns;
	cannot_keep(app, tr("filters and columns"),
		    keep_look_save(s, is_own ? 0 : app->config.columns));
}

void app_load_marks(struct app *app)
{
	if (!app->options.no_config)
		cannot_keep(app, tr("marks"), keep_marks_load(app->host.view));
}

void app_keep_marks(struct app *app)
{
	if (!app->options.no_config && app->host.view)
		cannot_keep(app, tr("marks"), keep_marks_save(app->host.view));
}
