/*
 * app_places: the filter in use, the place of the cursor, and the history of both.
 */
#include <stdlib.h>
#include <string.h>

#include "ui/pane_events.h"
#include "ui/ui.h"

void ui_remember(struct ui *ui, uint64_t seq, const char *filter_text)
{
	if (seq == SELECTION_NONE)
		seq = 0;
	if (ui->history_at < ui->history.n) { /* drop the places after the current one */
		for (size_t i = ui->history_at; i < ui->history.n; i++)
			free(ui->history.v[i].filter);
		ui->history.n = ui->history_at;
	}
	if (ui->history.n && ui->history.v[ui->history.n - 1].seq == seq &&
	    !strcmp(ui->history.v[ui->history.n - 1].filter, filter_text))
		return;
	if (ui->history.n == 200) {
		free(ui->history.v[0].filter);
		memmove(ui->history.v, ui->history.v + 1,
			(ui->history.n - 1) * sizeof(ui->history.v[0]));
		ui->history.n--;
	}
	char *filter = strdup(filter_text);
	struct place place = { seq, filter };
	if (!filter || !vec_push(&ui->history, place))
		free(filter);
	ui->history_at = ui->history.n;
}

void ui_remember_place(struct ui *ui)
{
	if (ui->host.view && ui->panes[PANE_EVENTS])
		ui_remember(ui, ui->host.cursor_seq, ui->host.view->filter_text);
}

bool ui_set_filter(struct ui *ui, const char *text, bool remember)
{
	if (remember)
		ui_remember_place(ui);
	struct err *err = view_set_filter(ui->host.view, text);
	if (err) {
		ui_flash_err(ui, err);
		return false;
	}
	toggles_read(&ui->toggles, ui->host.view->filter);
	ui->filter_is_new = true;
	ui_changed(ui, CHANGE_FILTER);
	return true;
}

void ui_narrow(struct ui *ui, const char *term, bool exclude)
{
	CLEANUP(filter) struct filter *old = NULL, *added = NULL;
	struct strbuf b = { 0 };
	struct err *err = view_compile(ui->host.view, ui->host.view->filter_text, &old);
	if (!err)
		err = view_compile(ui->host.view, term, &added);
	if (err) {
		ui_flash_err(ui, err);
		return;
	}
	if (filter_says(old, added, exclude)) {
		ui_flash(ui, "the filter says that already");
	} else {
		filter_and(old, added, exclude, &b);
		ui_set_filter(ui, strbuf_str(&b), true);
	}
	strbuf_fini(&b);
}

void ui_anchor(struct ui *ui, uint64_t seq)
{
	struct pane *p = ui_pane(ui, PANE_EVENTS);
	if (p)
		pane_events_anchor(p, seq);
}

void ui_show(struct ui *ui, uint64_t seq)
{
	struct pane *p = ui_pane(ui, PANE_EVENTS);
	if (p)
		pane_events_show(p, seq);
}

void ui_goto(struct ui *ui, uint64_t seq)
{
	ui_remember_place(ui);
	ui_show(ui, seq);
}

void ui_history_step(struct ui *ui, bool back)
{
	if (back ? ui->history_at == 0 : ui->history_at + 1 >= ui->history.n) {
		ui_flash(ui, back ? "nothing before this" : "nothing after this");
		return;
	}
	/* add this place, so that ] comes back to it; it may be the last one already */
	if (back && ui->history_at == ui->history.n) {
		ui_remember_place(ui);
		ui->history_at = ui->history.n - 1;
	}
	if (back && ui->history_at == 0) {
		ui_flash(ui, "nothing before this");
		return;
	}
	ui->history_at += back ? (size_t)-1 : 1;
	struct place place = ui->history.v[ui->history_at];
	ui->host.following = false;
	char *filter = strdup(place.filter);
	if (!filter)
		return;
	if (strcmp(filter, ui->host.view->filter_text)) {
		struct err *err = view_set_filter(ui->host.view, filter);
		err_destroy(err);
		toggles_read(&ui->toggles, ui->host.view->filter);
	}
	free(filter);
	ui_show(ui, place.seq);
	ui_changed(ui, CHANGE_FILTER);
}
