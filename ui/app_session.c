/*
 * app_session: the session on the screen, and the sessions below it, to which going back returns.
 */
#include <stdlib.h>
#include <string.h>

#include "ui/ui.h"

/* Reset what belonged to the previous view. */
static void begin_view(struct ui *ui)
{
	ui->host.cursor_seq = SELECTION_NONE;
	ui->header = (struct header){ 0 };
	ui->header_at_ns = 0;
	ui->rate_at_ns = 0;
	ui->last_growth_ns = 0;
	ui->waiting.n = 0;
	for (size_t i = 0; i < ui->history.n; i++)
		free(ui->history.v[i].filter);
	ui->history.n = ui->history_at = 0;
}

struct err *ui_new_session(struct ui *ui, struct ui_source *source, struct view **old)
{
	struct view *s = NULL;
	struct err *err = view_create(source, &s);
	if (err)
		return err;
	if (old)
		*old = ui->host.view;
	else
		view_destroy(ui->host.view);
	ui->host.view = s;
	s->fold_on = ui->config.fold;
	ui->host.following = view_is_live(s) && ui->config.follow;
	ui->notes_reported = 0;
	ui_load_marks(ui);
	begin_view(ui);
	return NULL;
}

/* Close the panes that are about the session. */
static void close_panes(struct ui *ui)
{
	for (int i = 0; i < PANE_COUNT; i++)
		if (ui->panes[i] && !(panes[i].flags & PANE_STAYS)) {
			ui->panes[i]->ops->close(ui->panes[i]);
			ui->panes[i] = NULL;
		}
}

static void show_view(struct ui *ui)
{
	toggles_read(&ui->toggles, ui->host.view ? ui->host.view->filter : NULL);
	ui->focus = PANE_EVENTS;
	ui->wish.maximised = PANE_NONE;
	ui->wish.drawer = false;
	ui_relayout(ui);
	ui_changed(ui, CHANGE_ALL);
}

static struct err *set_source(struct ui *ui, struct ui_source *source)
{
	close_panes(ui);
	struct err *err = ui_new_session(ui, source, NULL);
	show_view(ui);
	return err;
}

static struct err *push_source(struct ui *ui, struct ui_source *source)
{
	struct level level = { .cursor_seq = ui->host.cursor_seq, .following = ui->host.following };
	bool ok = vec_reserve(&ui->levels, 1);
	for (size_t i = 0; ok && i < ui->pages.n; i++)
		ok = vec_push(&level.pages, ui->pages.v[i]);
	close_panes(ui);
	struct err *err = ok ? ui_new_session(ui, source, &level.view) : err_no_memory();
	if (err) {
		vec_fini(&level.pages);
		show_view(ui);
		return err;
	}
	ui->levels.v[ui->levels.n++] = level;
	ui->pages.n = 0;
	show_view(ui);
	return NULL;
}

bool ui_pop_source(struct ui *ui)
{
	if (!ui->levels.n)
		return false;
	struct level level = ui->levels.v[--ui->levels.n];
	close_panes(ui);
	view_destroy(ui->host.view);
	ui->host.view = level.view;
	begin_view(ui);
	ui->notes_reported = ui->host.view ? trace_n_notes(ui->host.view->trace) : 0;
	ui->pages.n = 0;
	for (size_t i = 0; i < level.pages.n; i++)
		if (!vec_push(&ui->pages, level.pages.v[i]))
			break;
	vec_fini(&level.pages);
	show_view(ui);
	if (ui->host.view && level.cursor_seq != SELECTION_NONE)
		ui_show(ui, level.cursor_seq);
	ui->host.following = ui->host.view && level.following && view_is_live(ui->host.view);
	ui->growth_waits = true; /* the capture may have grown in the meantime */
	return true;
}

struct err *ui_open_source(struct ui *ui, struct ui_source *source, enum session_place place)
{
	/* the first run of a lesson is put above the session; later runs replace it */
	bool is_lesson = place == SESSION_OF_LESSON;
	if (is_lesson && ui->levels.n && ui->levels.v[ui->levels.n - 1].is_lesson)
		return set_source(ui, source);
	struct err *err = push_source(ui, source);
	if (!err && is_lesson)
		ui->levels.v[ui->levels.n - 1].is_lesson = true;
	return err;
}

void ui_close_page(struct ui *ui)
{
	bool is_lesson = ui->pages.n && ui->pages.v[ui->pages.n - 1] == PANE_LESSON;
	if (is_lesson && ui->levels.n && ui->levels.v[ui->levels.n - 1].is_lesson) {
		ui_pop_source(ui);
		return;
	}
	if (ui->pages.n)
		ui->pages.n--;
	if (!ui->host.view && !ui->pages.n && !ui_pop_source(ui))
		ui->quit = true;
	ui_relayout(ui);
	ui_changed(ui, CHANGE_CURSOR);
}

void ui_close_all_pages(struct ui *ui)
{
	if (!ui->host.view)
		return;
	ui->pages.n = 0;
	ui->wish.maximised = PANE_NONE;
	ui_relayout(ui);
	ui_changed(ui, CHANGE_ALL);
}

void ui_close_pages(struct ui *ui, enum which_pages which)
{
	if (which == ALL_PAGES)
		ui_close_all_pages(ui);
	else
		ui_close_page(ui);
}

bool ui_back_quits(const struct ui *ui)
{
	bool has_filter_before = ui->history_at > 0 && ui->host.view && *ui->host.view->filter_text;
	bool is_last_page = ui->pages.n == (ui->host.view ? 0 : 1);
	return !ui->levels.n && !ui->dialog && is_last_page && ui->wish.maximised == PANE_NONE &&
	       !ui->wish.drawer && ui->focus == PANE_EVENTS && !has_filter_before;
}
