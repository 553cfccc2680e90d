/*
 * app_places: the filter in use, the place of the cursor, and the history of both.
 */
#include "ui/app_places.h"

#include <stdlib.h>
#include <string.h>

#include "ui/app_messages.h"
#include "ui/app_panes.h"
#include "ui/app_state.h"
#include "ui/pane_events.h"

void app_remember(struct app *app, uint64_t seq, const char *filter_text)
{
	if (seq == SELECTION_NONE)
		seq = 0;
	if (app->history_at < app->history.n) { /* drop the places after the current one */
		for (size_t i = app->history_at; i < app->history.n; i++)
			free(app->history.v[i].filter);
		app->history.n = app->history_at;
	}
	if (app->history.n && app->history.v[app->history.n - 1].seq == seq &&
	    !strcmp(app->history.v[app->history.n - 1].filter, filter_text))
		return;
	if (app->history.n == 200) {
		free(app->history.v[0].filter);
		memmove(app->history.v, app->history.v + 1,
			(app->history.n - 1) * sizeof(app->history.v[0]));
		app->history.n--;
	}
	char *filter = strdup(filter_text);
	struct place place = { seq, filter };
	if (!filter || !vec_push(&app->history, place))
		free(filter);
	app->history_at = app->history.n;
}

void app_remember_place(struct app *app)
{
	if (app->host.view && app->panes[PANE_EVENTS])
		app_remember(app, app->host.cursor_seq, app->host.view->filter_text);
}

bool app_set_filter(struct app *app, const char *text, bool remember)
{
	if (remember)
		app_remember_place(app);
	struct err *err = view_set_filter(app->host.view, text);
	if (err) {
		app_flash_err(app, err);
		return false;
	}
	toggles_read(&app->toggles, app->host.view->filter);
	app->filter_is_new = true;
	app_changed(app, CHANGE_FILTER);
	return true;
}

void app_narrow(struct app *app, const char *term, bool exclude)
{
	CLEANUP(filter) struct filter *old = NULL, *added = NULL;
	struct strbuf b = { 0 };
	struct err *err = view_compile(app->host.view, app->host.view->filter_text, &old);
	if (!err)
		err = view_compile(app->host.view, term, &added);
	if (err) {
		app_flash_err(app, err);
		return;
	}
	if (filter_says(old, added, exclude)) {
		app_flash(app, "the filter says that already");
	} else {
		filter_and(old, added, exclude, &b);
		app_set_filter(app, strbuf_str(&b), true);
	}
	strbuf_fini(&b);
}

void app_anchor(struct app *app, uint64_t seq)
{
	struct pane *p = app_pane(app, PANE_EVENTS);
	if (p)
		pane_events_anchor(p, seq);
}

void app_show(struct app *app, uint64_t seq)
{
	struct pane *p = app_pane(app, PANE_EVENTS);
	if (p)
		pane_events_show(p, seq);
}

void app_goto(struct app *app, uint64_t seq)
{
	app_remember_place(app);
	app_show(app, seq);
}

void app_history_step(struct app *app, bool back)
{
	if (back ? app->history_at == 0 : app->history_at + 1 >= app->history.n) {
		app_flash(app, back ? "nothing before this" : "nothing after this");
		return;
	}
	/* add this place, so that ] comes back to it; it may be the last one already */
	if (back && app->history_at == app->history.n) {
		app_remember_place(app);
		app->history_at = app->history.n - 1;
	}
	if (back && app->history_at == 0) {
		app_flash(app, "nothing before this");
		return;
	}
	app->history_at += back ? (size_t)-1 : 1;
	struct place place = app->history.v[app->history_at];
	app->host.following = false;
	char *filter = strdup(place.filter);
	if (!filter)
		return;
	if (strcmp(filter, app->host.view->filter_text)) {
		struct err *err = view_set_filter(app->host.view, filter);
		err_destroy(err);
		toggles_read(&app->toggles, app->host.view->filter);
	}
	free(filter);
	app_show(app, place.seq);
	app_changed(app, CHANGE_FILTER);
}
