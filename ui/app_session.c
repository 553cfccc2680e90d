/*
 * app_session: the session on the screen, and the sessions below it, to which going back returns.
 */
#include "ui/app_session.h"

#include <stdlib.h>
#include <string.h>

#include "ui/app_keep.h"
#include "ui/app_messages.h"
#include "ui/app_now.h"
#include "ui/app_panes.h"
#include "ui/app_places.h"
#include "ui/app_state.h"

/* Reset what belonged to the previous view. */
static void begin_view(struct app *app)
{
	app->host.cursor_seq = SELECTION_NONE;
	app->header = (struct header){ 0 };
	app->header_at_ns = 0;
	app->rate_at_ns = 0;
	app->last_growth_ns = 0;
	app->waiting.n = 0;
	app->held_since_ns = 0;
	app_now_forget(app);
	app->held_seq = SELECTION_NONE;
	app->after_prefix = app->has_typed = false;
	for (size_t i = 0; i < app->history.n; i++)
		free(app->history.v[i].filter);
	app->history.n = app->history_at = 0;
}

struct err *app_new_session(struct app *app, struct app_source *source, struct view **old)
{
	struct view *s = NULL;
	struct err *err = view_create(source, &s);
	if (err)
		return err;
	if (old) {
		*old = app->host.view;
	} else {
		app_keep_look(app);
		view_destroy(app->host.view);
	}
	app->host.view = s;
	s->fold_on = app->config.fold;
	app->host.following = view_is_live(s) && app->config.follow;
	app->notes_reported = 0;
	app_load_marks(app);
	app_load_look(app);
	begin_view(app);
	return NULL;
}

/* Close the panes that are about the session. */
static void close_panes_but(struct app *app, enum pane_id stays)
{
	for (int i = 0; i < PANE_COUNT; i++)
		if (app->panes[i] && !(panes[i].flags & PANE_STAYS) && i != (int)stays) {
			app->panes[i]->ops->close(app->panes[i]);
			app->panes[i] = NULL;
		}
}

static void close_panes(struct app *app)
{
	close_panes_but(app, PANE_NONE);
}

static void show_view(struct app *app)
{
	toggles_read(&app->toggles, app->host.view ? app->host.view->filter : NULL);
	app->focus = PANE_EVENTS;
	app->wish.maximised = PANE_NONE;
	app->wish.drawer = false;
	app_relayout(app);
	app_changed(app, CHANGE_ALL);
}

static struct err *set_source(struct app *app, struct app_source *source)
{
	close_panes(app);
	struct err *err = app_new_session(app, source, NULL);
	show_view(app);
	return err;
}

/* Marks whose events are in the new capture. */
static void marks_move(struct view *to, const struct view *from)
{
	struct event was, is;
	for (size_t i = 0; i < from->marks.n; i++) {
		const struct mark *m = &from->marks.v[i];
		if (!trace_event(from->trace, m->seq, &was))
			continue;
		uint64_t seq = trace_seq_at(to->trace, was.time_ns);
		if (trace_event(to->trace, seq, &is) && is.time_ns == was.time_ns)
			view_mark_note(to, seq, m->note ? m->note : "");
	}
}

void app_renew(struct app *app, struct trace *trace)
{
	struct view *s = app->host.view, *old = NULL;
	struct event at;
	bool has_cursor = app->host.cursor_seq != SELECTION_NONE &&
			  trace_event(s->trace, app->host.cursor_seq, &at),
	     following = app->host.following, fold_on = s->fold_on;
	enum pane_id focus = app->focus;
	struct layout_wish wish = app->wish;
	uint64_t last_growth_ns = app->last_growth_ns;
	struct app_source source = { .trace = trace,
				     .path = s->path,
				     .title = s->title,
				     .live = s->live,
				     .live_ctx = s->live_ctx,
				     .terminal_fd = s->terminal_fd };
	/* the new view owns them */
	s->path = s->title = NULL;
	s->live = NULL;
	s->terminal_fd = -1;
	close_panes_but(app, PANE_TERMINAL);
	struct err *err = app_new_session(app, &source, &old);
	if (err) { /* memory is short: the session cannot be shown any longer */
		app_flash_err(app, err);
		show_view(app);
		return;
	}
	s = app->host.view;
	s->fold_on = fold_on;
	s->is_left = old->is_left;
	err = *old->filter_text ? view_set_filter(s, old->filter_text) : NULL;
	err_destroy(err); /* it was valid */
	marks_move(s, old);
	view_destroy(old);
	app->notes_reported = trace_n_notes(s->trace);
	app->last_growth_ns = last_growth_ns;
	show_view(app);
	app->focus = focus;
	app->wish = wish;
	app_relayout(app);
	if (has_cursor && !following)
		app_show(app, trace_seq_at(s->trace, at.time_ns));
	app->host.following = following && view_is_live(s);
	app->growth_waits = true;
	app_changed(app, CHANGE_ALL);
}

static struct err *push_source(struct app *app, struct app_source *source)
{
	struct level level = { .cursor_seq = app->host.cursor_seq,
			       .columns = app->config.columns,
			       .following = app->host.following };
	bool ok = vec_reserve(&app->levels, 1);
	for (size_t i = 0; ok && i < app->pages.n; i++)
		ok = vec_push(&level.pages, app->pages.v[i]);
	close_panes(app);
	struct err *err = ok ? app_new_session(app, source, &level.view) : err_no_memory();
	if (err) {
		vec_fini(&level.pages);
		show_view(app);
		return err;
	}
	app->levels.v[app->levels.n++] = level;
	app->pages.n = 0;
	show_view(app);
	return NULL;
}

bool app_pop_source(struct app *app)
{
	if (!app->levels.n)
		return false;
	struct level level = app->levels.v[--app->levels.n];
	close_panes(app);
	app_keep_look(app);
	app->config.columns = level.columns;
	view_destroy(app->host.view);
	app->host.view = level.view;
	begin_view(app);
	app->notes_reported = app->host.view ? trace_n_notes(app->host.view->trace) : 0;
	app->pages.n = 0;
	for (size_t i = 0; i < level.pages.n; i++)
		if (!vec_push(&app->pages, level.pages.v[i]))
			break;
	vec_fini(&level.pages);
	show_view(app);
	if (app->host.view && level.cursor_seq != SELECTION_NONE)
		app_show(app, level.cursor_seq);
	app->host.following = app->host.view && level.following && view_is_live(app->host.view);
	app->growth_waits = true; /* the capture may have grown in the meantime */
	return true;
}

struct err *app_open_source(struct app *app, struct app_source *source, enum session_place place)
{
	/* the first run of a lesson is put above the session; later runs replace it */
	bool is_lesson = place == SESSION_OF_LESSON;
	if (is_lesson && app->levels.n && app->levels.v[app->levels.n - 1].is_lesson)
		return set_source(app, source);
	struct err *err = push_source(app, source);
	if (!err && is_lesson)
		app->levels.v[app->levels.n - 1].is_lesson = true;
	return err;
}

void app_close_page(struct app *app)
{
	bool is_lesson = app->pages.n && app->pages.v[app->pages.n - 1] == PANE_LESSON;
	if (is_lesson && app->levels.n && app->levels.v[app->levels.n - 1].is_lesson) {
		app_pop_source(app);
		return;
	}
	if (app->pages.n)
		app->pages.n--;
	if (!app->host.view && !app->pages.n && !app_pop_source(app))
		app->quit = true;
	app_relayout(app);
	app_changed(app, CHANGE_CURSOR);
}

void app_close_all_pages(struct app *app)
{
	if (!app->host.view)
		return;
	app->pages.n = 0;
	app->wish.maximised = PANE_NONE;
	app_relayout(app);
	app_changed(app, CHANGE_ALL);
}

void app_close_pages(struct app *app, enum which_pages which)
{
	if (which == ALL_PAGES)
		app_close_all_pages(app);
	else
		app_close_page(app);
}

bool app_back_quits(const struct app *app)
{
	bool has_filter_before = app->history_at > 0 && app->host.view &&
				 *app->host.view->filter_text;
	bool is_last_page = app->pages.n == (app->host.view ? 0 : 1);
	return !app->levels.n && !app->dialog && is_last_page && app->wish.maximised == PANE_NONE &&
	       !app->wish.drawer && app->focus == PANE_EVENTS && !has_filter_before;
}
