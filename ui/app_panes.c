/*
 * app_panes: the open panes: their places, the focus, and the changes that are reported to them.
 */
#include "ui/app_panes.h"

#include <string.h>

#include "ui/app_messages.h"
#include "ui/app_state.h"

struct pane *app_pane(struct app *app, enum pane_id id)
{
	if (app->panes[id])
		return app->panes[id];
	struct pane *p = NULL;
	struct err *err = pane_functions[id]->open(&app->host, &p);
	if (err) {
		app_flash_err(app, err);
		return NULL;
	}
	p->ops = pane_functions[id];
	p->host = &app->host;
	p->id = id;
	app->panes[id] = p;
	return p;
}

enum pane_id app_focused_id(const struct app *app)
{
	if (app->pages.n)
		return app->pages.v[app->pages.n - 1];
	if (app->wish.maximised != PANE_NONE)
		return app->wish.maximised;
	return app->layout.panes[app->focus].n_lines ? app->focus : PANE_EVENTS;
}

struct pane *app_focused(struct app *app)
{
	return app_pane(app, app_focused_id(app));
}

bool app_has_title(const struct app *app, enum pane_id id)
{
	return id != PANE_TIMELINE ||
	       (app->pages.n && app->pages.v[app->pages.n - 1] == PANE_TIMELINE);
}

void app_relayout(struct app *app)
{
	app->wish.page = app->pages.n ? app->pages.v[app->pages.n - 1] : PANE_NONE;
	app->host.page = app->wish.page;
	app->wish.page_may_dock = app->pages.n && panes[app->wish.page].flags & PANE_MAY_DOCK;
	app->wish.page_splits = app->pages.n && panes[app->wish.page].flags & PANE_SPLITS &&
				app->host.view;
	app->wish.terminal = app->host.view && app->host.view->shows_terminal;
	app->wish.prompt_lines = prompt_n_lines(&app->prompt, app->wish.n_columns);
	if (app->config.details)
		app->wish.rotate = (app->wish.n_columns >= 160) != (app->config.details == 1);
	layout_make(&app->wish, &app->layout);
	if (app->layout.form != LAYOUT_TOO_SMALL)
		for (int i = 0; i < PANE_COUNT; i++) {
			const struct rect *r = &app->layout.panes[i];
			if (!r->n_lines) {
				if (app->panes[i])
					app->panes[i]->visible = false;
				continue;
			}
			if (!app->host.view && !(panes[i].flags & PANE_WITHOUT_SESSION))
				continue;
			struct pane *p = app_pane(app, (enum pane_id)i);
			if (!p)
				continue;
			p->n_lines = r->n_lines - (app_has_title(app, (enum pane_id)i) ? 1 : 0);
			p->n_columns = r->n_columns;
			p->visible = true;
		}
	app_changed(app, CHANGE_SIZE);
}

void app_changed(struct app *app, unsigned changes)
{
	struct pane *list = app->panes[PANE_EVENTS];
	if (list && list->visible)
		list->ops->update(list, changes);
	if (app->cursor_waits && changes & (CHANGE_FILTER | CHANGE_SIZE)) {
		changes |= CHANGE_CURSOR;
		app->cursor_waits = false;
	}
	for (int i = 0; i < PANE_COUNT; i++)
		if (i != PANE_EVENTS && app->panes[i] && app->panes[i]->visible)
			app->panes[i]->ops->update(app->panes[i], changes);
	app->dirty = true;
}

void app_resize(struct app *app, int n_lines, int n_columns)
{
	app->wish.n_lines = n_lines;
	app->wish.n_columns = n_columns;
	if (!canvas_resize(&app->canvas, n_lines, n_columns))
		return;
	app->host.n_columns = app->canvas.n_columns;
	app_relayout(app);
}

void app_open_page(struct app *app, enum pane_id id)
{
	for (size_t i = 0; i < app->pages.n; i++)
		if (app->pages.v[i] ==
		    id) { /* an open page comes to the front and is not stacked twice */
			memmove(&app->pages.v[i], &app->pages.v[i + 1],
				(app->pages.n - i - 1) * sizeof(app->pages.v[0]));
			app->pages.n--;
			break;
		}
	if (!vec_push(&app->pages, id))
		return;
	app_relayout(app);
	struct pane *p = app_pane(app, id);
	if (p)
		p->ops->update(p, CHANGE_ALL);
}

void app_focus(struct app *app, enum pane_id id)
{
	app->focus = id;
	if (app->layout.panes[id].n_lines)
		return;
	app->wish.maximised = id;
	app_relayout(app);
}

void app_set_cursor(struct app *app, uint64_t seq)
{
	app->host.cursor_seq = seq;
	app->cursor_waits = true;
}

void app_tell_cursor(struct app *app)
{
	if (!app->cursor_waits || !app->host.view)
		return;
	app->cursor_waits = false;
	app_changed(app, CHANGE_CURSOR);
}
