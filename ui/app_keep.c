/*
 * app_keep: the marks and the history of prompts, read from the files of keep.h and written to
 * them. With --no-config nothing is read or written.
 */
#include "ui/keep.h"
#include "ui/ui.h"

/* Report once that something cannot be kept. Takes err; NULL: nothing is reported. */
static void cannot_keep(struct ui *ui, const char *what, struct err *err)
{
	if (err && !ui->said_cannot_keep) {
		ui_message(ui, "note", SELECTION_NONE, false,
			   "%s are kept for this session only: %s", what, err->message);
		ui->said_cannot_keep = true;
	}
	err_destroy(err);
}

void ui_load_history(struct ui *ui)
{
	if (!ui->options.no_config)
		cannot_keep(ui, "filters and searches", keep_history_load(&ui->prompt));
}

void ui_keep_history(struct ui *ui, int history, const char *text)
{
	if (!ui->options.no_config)
		cannot_keep(ui, "filters and searches", keep_history_add(history, text));
}

void ui_load_marks(struct ui *ui)
{
	if (!ui->options.no_config)
		cannot_keep(ui, "marks", keep_marks_load(ui->host.view));
}

void ui_keep_marks(struct ui *ui)
{
	if (!ui->options.no_config && ui->host.view)
		cannot_keep(ui, "marks", keep_marks_save(ui->host.view));
}
