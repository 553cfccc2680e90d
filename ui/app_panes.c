/*
 * app_panes: the open panes: their places, the focus, and the changes that are reported to them.
 */
#include <string.h>

#include "ui/ui.h"

struct pane *ui_pane(struct ui *ui, enum pane_id id)
{
	if (ui->panes[id])
		return ui->panes[id];
	struct pane *p = NULL;
	struct err *err = pane_functions[id]->open(&ui->host, &p);
	if (err) {
		ui_flash_err(ui, err);
		return NULL;
	}
	p->ops = pane_functions[id];
	p->host = &ui->host;
	p->id = id;
	ui->panes[id] = p;
	return p;
}

enum pane_id ui_focused_id(const struct ui *ui)
{
	if (ui->pages.n)
		return ui->pages.v[ui->pages.n - 1];
	if (ui->wish.maximised != PANE_NONE)
		return ui->wish.maximised;
	return ui->layout.panes[ui->focus].n_lines ? ui->focus : PANE_EVENTS;
}

struct pane *ui_focused(struct ui *ui)
{
	return ui_pane(ui, ui_focused_id(ui));
}

bool ui_has_title(const struct ui *ui, enum pane_id id)
{
	return id != PANE_TIMELINE ||
	       (ui->pages.n && ui->pages.v[ui->pages.n - 1] == PANE_TIMELINE);
}

void ui_relayout(struct ui *ui)
{
	ui->wish.page = ui->pages.n ? ui->pages.v[ui->pages.n - 1] : PANE_NONE;
	ui->host.page = ui->wish.page;
	ui->wish.page_may_dock = ui->pages.n && panes[ui->wish.page].flags & PANE_MAY_DOCK;
	ui->wish.page_splits = ui->pages.n && panes[ui->wish.page].flags & PANE_SPLITS &&
			       ui->host.view;
	ui->wish.prompt_lines = prompt_n_lines(&ui->prompt, ui->wish.n_columns);
	if (ui->config.details)
		ui->wish.rotate = (ui->wish.n_columns >= 160) != (ui->config.details == 1);
	layout_make(&ui->wish, &ui->layout);
	if (ui->layout.form != LAYOUT_TOO_SMALL)
		for (int i = 0; i < PANE_COUNT; i++) {
			const struct rect *r = &ui->layout.panes[i];
			if (!r->n_lines) {
				if (ui->panes[i])
					ui->panes[i]->visible = false;
				continue;
			}
			if (!ui->host.view && !(panes[i].flags & PANE_WITHOUT_SESSION))
				continue;
			struct pane *p = ui_pane(ui, (enum pane_id)i);
			if (!p)
				continue;
			p->n_lines = r->n_lines - (ui_has_title(ui, (enum pane_id)i) ? 1 : 0);
			p->n_columns = r->n_columns;
			p->visible = true;
		}
	ui_changed(ui, CHANGE_SIZE);
}

void ui_changed(struct ui *ui, unsigned changes)
{
	struct pane *list = ui->panes[PANE_EVENTS];
	if (list && list->visible)
		list->ops->update(list, changes);
	if (ui->cursor_waits && changes & (CHANGE_FILTER | CHANGE_SIZE)) {
		changes |= CHANGE_CURSOR;
		ui->cursor_waits = false;
	}
	for (int i = 0; i < PANE_COUNT; i++)
		if (i != PANE_EVENTS && ui->panes[i] && ui->panes[i]->visible)
			ui->panes[i]->ops->update(ui->panes[i], changes);
	ui->dirty = true;
}

void ui_resize(struct ui *ui, int n_lines, int n_columns)
{
	ui->wish.n_lines = n_lines;
	ui->wish.n_columns = n_columns;
	if (!canvas_resize(&ui->canvas, n_lines, n_columns))
		return;
	ui->host.n_columns = ui->canvas.n_columns;
	ui_relayout(ui);
}

void ui_open_page(struct ui *ui, enum pane_id id)
{
	for (size_t i = 0; i < ui->pages.n; i++)
		if (ui->pages.v[i] ==
		    id) { /* an open page comes to the front and is not stacked twice */
			memmove(&ui->pages.v[i], &ui->pages.v[i + 1],
				(ui->pages.n - i - 1) * sizeof(ui->pages.v[0]));
			ui->pages.n--;
			break;
		}
	if (!vec_push(&ui->pages, id))
		return;
	ui_relayout(ui);
	struct pane *p = ui_pane(ui, id);
	if (p)
		p->ops->update(p, CHANGE_ALL);
}

void ui_focus(struct ui *ui, enum pane_id id)
{
	ui->focus = id;
	if (ui->layout.panes[id].n_lines)
		return;
	ui->wish.maximised = id;
	ui_relayout(ui);
}

void ui_set_cursor(struct ui *ui, uint64_t seq)
{
	ui->host.cursor_seq = seq;
	ui->cursor_waits = true;
}

void ui_tell_cursor(struct ui *ui)
{
	if (!ui->cursor_waits || !ui->host.view)
		return;
	ui->cursor_waits = false;
	ui_changed(ui, CHANGE_CURSOR);
}
