/*
 * app_quit: if the program of a session was started here, leaving asks what to do with it.
 */
#include "ui/ui.h"

bool ui_must_ask(const struct view *s)
{
	return s && s->live && s->live->must_ask && !s->has_ended && !s->is_left &&
	       s->live->must_ask(s->live_ctx);
}

void ui_ask_quit(struct ui *ui, bool goes_back)
{
	const struct process_info *p = view_process(ui->host.view);
	struct strbuf name = { 0 };
	if (p)
		text_program(&name, ui->host.view->trace, p->name);
	ui->asked_quit = true;
	ui->asked_back = goes_back;
	bool room = ui->canvas.n_columns >= 100;
	ui_flash(ui, "end %.*s (%u)? %s  w wait  d detach  t term  k kill  Esc stay",
		 room ? 40 : 20, name.n ? strbuf_str(&name) : "the program", p ? p->pid : 0,
		 room ? "it was started here " : "");
	strbuf_fini(&name);
	ui->flash_until_ns = UINT64_MAX;
}

void ui_quit(struct ui *ui)
{
	/* the question about a program of a session below is asked in that session */
	while (ui->levels.n && !ui_must_ask(ui->host.view)) {
		bool any = false;
		for (size_t i = 0; i < ui->levels.n; i++)
			any |= ui_must_ask(ui->levels.v[i].view);
		if (!any)
			break;
		ui_pop_source(ui);
	}
	if (ui_must_ask(ui->host.view))
		ui_ask_quit(ui, false);
	else
		ui->quit = true;
}

void ui_answer_quit(struct ui *ui, int key)
{
	ui->asked_quit = false;
	ui->flash[0] = 0;
	if (key != 'w' && key != 'd' && key != 't' && key != 'k')
		return;
	if (ui->host.view->live->leave) {
		struct err *err = ui->host.view->live->leave(ui->host.view->live_ctx, key);
		if (err) {
			ui_flash_err(ui, err);
			return;
		}
	}
	ui->host.view->is_left = true;
	if (ui->asked_back)
		ui_pop_source(ui);
	else
		ui_quit(ui);
}
