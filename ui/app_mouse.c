/*
 * app_mouse: a click moves the cursor, a double click is Enter, the wheel scrolls the pane under
 * it, a drag on the timeline selects a span, a drag of a border moves the border.
 */
#include <stdlib.h>
#include <string.h>

#include "ui/pane_timeline.h"
#include "ui/ui.h"

static enum pane_id pane_at(const struct ui *ui, int line, int column)
{
	/* the drawer lies above the other panes */
	static const enum pane_id on_top[] = { PANE_CATEGORIES };
	for (size_t i = 0; i < ARRAY_LEN(on_top); i++) {
		const struct rect *r = &ui->layout.panes[on_top[i]];
		if (line >= r->line && line < r->line + r->n_lines && column >= r->column &&
		    column < r->column + r->n_columns)
			return on_top[i];
	}
	for (int i = 0; i < PANE_COUNT; i++) {
		const struct rect *r = &ui->layout.panes[i];
		if (r->n_lines && line >= r->line && line < r->line + r->n_lines &&
		    column >= r->column && column < r->column + r->n_columns)
			return (enum pane_id)i;
	}
	return PANE_NONE;
}

static int bar_at(const struct ui *ui, int line, int column)
{
	for (int i = 0; i < ui->layout.n_bars; i++) {
		const struct rect *r = &ui->layout.bars[i];
		if (column == r->column && line >= r->line && line < r->line + r->n_lines)
			return i;
	}
	return -1;
}

static bool is_page(const struct ui *ui, enum pane_id id)
{
	return ui->pages.n && ui->pages.v[ui->pages.n - 1] == id;
}

static void click(struct ui *ui, struct input in)
{
	ui->drag_pane = PANE_NONE;
	ui->drag_line = in.line;
	ui->drag_column = in.column;
	if (bar_at(ui, in.line, in.column) >= 0)
		return; /* a drag may follow */
	enum pane_id id = pane_at(ui, in.line, in.column);
	if (id == PANE_NONE || !ui->panes[id])
		return;
	struct pane *p = ui->panes[id];
	const struct rect *r = &ui->layout.panes[id];
	if (id == PANE_TIMELINE) {
		ui->drag_pane = id;
		pane_timeline_drag(p, in.column - r->column, in.column - r->column, false);
		return;
	}
	if (!is_page(ui, id) && !ui->pages.n)
		ui->focus = id;
	int line = in.line - r->line - 1;
	if (line < 0) { /* the title: a drag moves the border above the details */
		ui->drag_pane = id;
		return;
	}
	bool twice = ui->host.now_ns - ui->click_ns < 400000000u && ui->click_line == in.line &&
		     ui->click_ns;
	ui->click_ns = twice ? 0 : ui->host.now_ns;
	ui->click_line = in.line;
	ui->click_column = in.column;
	if (!list_click(&p->list, line))
		return;
	if (id == PANE_EVENTS)
		ui->host.following = false;
	ui_changed(ui, CHANGE_SIZE); /* the details follow the cursor of the list */
	if (twice)
		ui_act(ui, ACTION_OPEN, 0, NULL);
	else if (id == PANE_CATEGORIES && in.column - r->column >= 2 && in.column - r->column <= 6)
		ui_act(ui, ACTION_TOGGLE, 0, NULL);
}

static void drag(struct ui *ui, struct input in, bool done)
{
	if (ui->drag_pane == PANE_TIMELINE && ui->panes[PANE_TIMELINE]) {
		const struct rect *r = &ui->layout.panes[PANE_TIMELINE];
		pane_timeline_drag(ui->panes[PANE_TIMELINE], ui->drag_column - r->column,
				   in.column - r->column, done);
		if (done)
			ui->drag_pane = PANE_NONE;
		return;
	}
	int bar = bar_at(ui, ui->drag_line, ui->drag_column);
	if (bar >= 0 && in.column != ui->drag_column) {
		int by = in.column - ui->drag_column;
		const struct rect *c = &ui->layout.panes[PANE_CATEGORIES];
		if (c->n_lines && ui->drag_column == c->column + c->n_columns)
			ui->wish.categories_delta += by;
		else
			ui->wish.side_delta -= by;
		ui->drag_column = in.column;
		ui_relayout(ui);
		return;
	}
	if ((ui->drag_pane == PANE_ARGUMENTS || ui->drag_pane == PANE_STACK) &&
	    in.line != ui->drag_line) {
		ui->wish.details_delta -= in.line - ui->drag_line;
		ui->drag_line = in.line;
		ui_relayout(ui);
	}
}

void ui_mouse(struct ui *ui, struct input in)
{
	if (prompt_is_open(&ui->prompt) || ui->layout.form == LAYOUT_TOO_SMALL)
		return;
	if (ui->flash[0] && in.mouse == MOUSE_CLICK && !ui->asked_quit)
		ui->flash[0] = 0;
	if (ui->dialog) {
		if (in.mouse == MOUSE_CLICK) {
			free(ui->dialog);
			ui->dialog = NULL;
		}
		return;
	}
	enum pane_id id;
	switch (in.mouse) {
	case MOUSE_CLICK:
	case MOUSE_DOUBLE: click(ui, in); break;
	case MOUSE_DRAG: drag(ui, in, false); break;
	case MOUSE_RELEASE:
		drag(ui, in, true);
		ui->drag_pane = PANE_NONE;
		break;
	case MOUSE_WHEEL_UP:
	case MOUSE_WHEEL_DOWN:
		id = pane_at(ui, in.line, in.column);
		if (id == PANE_NONE || !ui->panes[id])
			break;
		if (id == PANE_TIMELINE && !is_page(ui, id))
			id = PANE_EVENTS;
		if (!ui->panes[id])
			break;
		if (id == PANE_EVENTS && in.mouse == MOUSE_WHEEL_UP)
			ui->host.following = false;
		list_wheel(&ui->panes[id]->list, in.mouse == MOUSE_WHEEL_UP ? -3 : 3);
		ui_changed(ui, CHANGE_SIZE);
		break;
	}
}
