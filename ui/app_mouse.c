/*
 * app_mouse: a click moves the cursor, a double click is Enter, the wheel scrolls the pane under
 * it, a drag on the timeline selects a span, a drag of a border moves the border.
 */
#include "ui/app_mouse.h"

#include <stdlib.h>
#include <string.h>

#include "ui/app_actions.h"
#include "ui/app_messages.h"
#include "ui/app_panes.h"
#include "ui/app_state.h"
#include "ui/pane_timeline.h"

static enum pane_id pane_at(const struct app *app, int line, int column)
{
	/* the drawer lies above the other panes */
	static const enum pane_id on_top[] = { PANE_CATEGORIES };
	for (size_t i = 0; i < ARRAY_LEN(on_top); i++) {
		const struct rect *r = &app->layout.panes[on_top[i]];
		if (line >= r->line && line < r->line + r->n_lines && column >= r->column &&
		    column < r->column + r->n_columns)
			return on_top[i];
	}
	for (int i = 0; i < PANE_COUNT; i++) {
		const struct rect *r = &app->layout.panes[i];
		if (r->n_lines && line >= r->line && line < r->line + r->n_lines &&
		    column >= r->column && column < r->column + r->n_columns)
			return (enum pane_id)i;
	}
	return PANE_NONE;
}

static int bar_at(const struct app *app, int line, int column)
{
	for (int i = 0; i < app->layout.n_bars; i++) {
		const struct rect *r = &app->layout.bars[i];
		if (column == r->column && line >= r->line && line < r->line + r->n_lines)
			return i;
	}
	return -1;
}

static bool is_page(const struct app *app, enum pane_id id)
{
	return app->pages.n && app->pages.v[app->pages.n - 1] == id;
}

/* Do what the key line says at this place; false: the place is not in it. */
static bool click_key(struct app *app, struct input in)
{
	for (int i = 0; i < app->n_key_spans && in.line == app->layout.last.line; i++)
		if (in.column >= app->key_spans[i].from && in.column < app->key_spans[i].to) {
			app_act(app, app->key_spans[i].action, 0, NULL);
			return true;
		}
	return in.line == app->layout.last.line;
}

static void click(struct app *app, struct input in)
{
	app->drag_pane = PANE_NONE;
	app->is_dragging = false;
	if (click_key(app, in))
		return;
	app->drag_line = in.line;
	app->drag_column = in.column;
	if (bar_at(app, in.line, in.column) >= 0)
		return; /* a drag may follow */
	enum pane_id id = pane_at(app, in.line, in.column);
	if (id == PANE_NONE || !app->panes[id])
		return;
	struct pane *p = app->panes[id];
	const struct rect *r = &app->layout.panes[id];
	if (id == PANE_TIMELINE) {
		app->drag_pane = id;
		pane_timeline_drag(p, in.column - r->column, in.column - r->column, false);
		return;
	}
	if (!is_page(app, id) && !app->pages.n)
		app->focus = id;
	int line = in.line - r->line - 1;
	if (line < 0) { /* the title: a drag moves the border above the details */
		app->drag_pane = id;
		return;
	}
	bool twice = app->host.now_ns - app->click_ns < 400000000u && app->click_line == in.line &&
		     app->click_ns;
	app->click_ns = twice ? 0 : app->host.now_ns;
	app->click_line = in.line;
	app->click_column = in.column;
	if (!list_click(&p->list, line))
		return;
	if (id == PANE_EVENTS)
		app->host.following = false;
	app_changed(app, CHANGE_SIZE); /* the details follow the cursor of the list */
	if (twice)
		app_act(app, ACTION_OPEN, 0, NULL);
	else if (id == PANE_CATEGORIES && in.column - r->column >= 2 && in.column - r->column <= 6)
		app_act(app, ACTION_TOGGLE, 0, NULL);
}

/* While a border moves: the size that it gives to a pane. */
static void say_columns(struct app *app, enum pane_id id)
{
	app_flash(app, "%s: %d columns", panes[id].name, app->layout.panes[id].n_columns);
}

static void say_lines(struct app *app, enum pane_id id)
{
	app_flash(app, "%s: %d lines", panes[id].name, app->layout.panes[id].n_lines - 1);
}

/* While a span is dragged: what will be the filter. */
static void say_span(struct app *app)
{
	const struct pane *p = app->panes[PANE_TIMELINE];
	struct strbuf subject = { 0 }, facts = { 0 };
	p->ops->title(p, &subject, &facts);
	app_flash(app, "only this span: %s", strbuf_str(&facts));
	strbuf_fini(&subject);
	strbuf_fini(&facts);
}

static void drag(struct app *app, struct input in, bool done)
{
	if (app->drag_pane == PANE_TIMELINE && app->panes[PANE_TIMELINE]) {
		const struct rect *r = &app->layout.panes[PANE_TIMELINE];
		pane_timeline_drag(app->panes[PANE_TIMELINE], app->drag_column - r->column,
				   in.column - r->column, done);
		if (done)
			app->drag_pane = PANE_NONE;
		else
			say_span(app);
		return;
	}
	app->is_dragging = !done;
	int bar = bar_at(app, app->drag_line, app->drag_column);
	if (bar >= 0 && in.column != app->drag_column) {
		int by = in.column - app->drag_column;
		const struct rect *c = &app->layout.panes[PANE_CATEGORIES];
		bool is_left = c->n_lines && app->drag_column == c->column + c->n_columns;
		if (is_left)
			app->wish.categories_delta += by;
		else
			app->wish.side_delta -= by;
		app->drag_column = in.column;
		app_relayout(app);
		say_columns(app, is_left ? PANE_CATEGORIES : PANE_EVENTS);
		return;
	}
	if (app->drag_pane == PANE_TERMINAL && in.line != app->drag_line) {
		app->wish.terminal_delta -= in.line - app->drag_line;
		app->drag_line = in.line;
		app_relayout(app);
		say_lines(app, PANE_TERMINAL);
	}
	if ((app->drag_pane == PANE_ARGUMENTS || app->drag_pane == PANE_STACK) &&
	    in.line != app->drag_line) {
		app->wish.details_delta -= in.line - app->drag_line;
		app->drag_line = in.line;
		app_relayout(app);
		say_lines(app, app->drag_pane);
	}
}

void app_mouse(struct app *app, struct input in)
{
	if (prompt_is_open(&app->prompt) || app->layout.form == LAYOUT_TOO_SMALL)
		return;
	if (app->flash[0] && in.mouse == MOUSE_CLICK && !app->asked_quit)
		app->flash[0] = 0;
	if (app->dialog) {
		if (in.mouse == MOUSE_CLICK) {
			free(app->dialog);
			app->dialog = NULL;
		}
		return;
	}
	enum pane_id id;
	switch (in.mouse) {
	case MOUSE_CLICK:
	case MOUSE_DOUBLE: click(app, in); break;
	case MOUSE_DRAG: drag(app, in, false); break;
	case MOUSE_RELEASE:
		drag(app, in, true);
		app->drag_pane = PANE_NONE;
		break;
	case MOUSE_WHEEL_UP:
	case MOUSE_WHEEL_DOWN:
		id = pane_at(app, in.line, in.column);
		if (id == PANE_NONE || !app->panes[id])
			break;
		if (id == PANE_TIMELINE && !is_page(app, id))
			id = PANE_EVENTS;
		if (!app->panes[id])
			break;
		if (id == PANE_EVENTS && in.mouse == MOUSE_WHEEL_UP)
			app->host.following = false;
		list_wheel(&app->panes[id]->list, in.mouse == MOUSE_WHEEL_UP ? -3 : 3);
		app_changed(app, CHANGE_SIZE);
		break;
	}
}
