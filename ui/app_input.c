/*
 * app_input: input from the terminal goes to the mouse functions, the prompt, the dialog, the
 * focused pane or the key table.
 */
#include <stdlib.h>
#include <string.h>

#include "ui/pane_events.h"
#include "ui/ui.h"

/* Keys typed while a search runs wait, because they act on the hit. Esc and Ctrl-C stop the search
 * and drop the waiting keys. */
static bool wait_for_search(struct ui *ui, struct input in)
{
	if (!pane_events_is_searching(ui->panes[PANE_EVENTS]))
		return false;
	if (in.kind == INPUT_KEY &&
	    (in.key == KEY_ESC_ || in.key == KEY_CTRL('c') || in.key == KEY_CTRL('g'))) {
		ui->waiting.n = 0;
		pane_events_search_stop(ui->panes[PANE_EVENTS]);
		return true;
	}
	return ui->waiting.n < 1000 && vec_push(&ui->waiting, in);
}

bool ui_input_waiting(struct ui *ui)
{
	while (ui->waiting.n && !ui->quit && !pane_events_is_searching(ui->panes[PANE_EVENTS])) {
		struct input in = ui->waiting.v[0];
		memmove(ui->waiting.v, ui->waiting.v + 1, --ui->waiting.n * sizeof(in));
		ui_input(ui, in);
	}
	return pane_events_is_searching(ui->panes[PANE_EVENTS]);
}

/* A key that follows a new filter acts on the rows that the filter shows: work on them first, for
 * 100 ms at most. */
static void settle_filter(struct ui *ui)
{
	bool changed = false;
	ui->filter_is_new = false;
	if (!ui->host.view)
		return;
	view_work(ui->host.view, 100000000, &changed);
	ui_changed(ui, CHANGE_FILTER);
}

void ui_input(struct ui *ui, struct input in)
{
	ui->dirty = true;
	if (wait_for_search(ui, in))
		return;
	if (ui->filter_is_new && !prompt_is_open(&ui->prompt))
		settle_filter(ui);
	if (in.kind == INPUT_MOUSE) {
		ui_mouse(ui, in);
		return;
	}
	if (in.kind != INPUT_KEY && in.kind != INPUT_PASTE)
		return;
	if (ui->asked_quit) {
		if (in.kind == INPUT_KEY)
			ui_answer_quit(ui, in.key);
		return;
	}
	if (ui->flash[0]) {
		ui->flash[0] = 0;
		ui->flash_until_ns = 0;
	}
	if (prompt_is_open(&ui->prompt)) {
		prompt_input(&ui->prompt, &ui->host, in);
		return;
	}
	struct pane *p = ui_focused(ui);
	if (!p)
		return;
	/* y copies its text; any other key closes it */
	if (ui->dialog && in.kind == INPUT_KEY) {
		if (in.key == 'y')
			ui_copy(ui, ui->dialog, strlen(ui->dialog));
		free(ui->dialog);
		ui->dialog = NULL;
		return;
	}
	if (p->ops->key && p->ops->key(p, in.key))
		return;
	if (in.kind == INPUT_PASTE)
		return;
	if (in.key >= '0' && in.key <= '9' && (in.key != '0' || ui->count) &&
	    keymap_find(ui->keys, p->id, in.key) == ACTION_NONE) {
		if (ui->count < 100000000)
			ui->count = ui->count * 10 + (uint64_t)(in.key - '0');
		return;
	}
	uint64_t count = ui->count;
	ui->count = 0;
	if (in.key == KEY_ESC_ && count)
		return;
	enum action action = keymap_find(ui->keys, p->id, in.key);
	if (action == ACTION_NONE) {
		ui_flash(ui, "%s does nothing here; F1 lists the keys", key_name(in.key));
		return;
	}
	ui_act(ui, action, count, NULL);
}
