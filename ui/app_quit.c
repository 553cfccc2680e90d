/*
 * app_quit: if the program of a session was started here, leaving asks what to do with it.
 */
#include "ui/app_quit.h"

#include "base/tr.h"
#include "ui/app_messages.h"
#include "ui/app_session.h"
#include "ui/app_state.h"

bool app_must_ask(const struct view *s)
{
	return s && s->live && s->live->must_ask && !s->has_ended && !s->is_left &&
	       s->live->must_ask(s->live_ctx);
}

void app_ask_quit(struct app *app, bool goes_back)
{
	const struct process_info *p = view_process(app->host.view);
	struct strbuf name = { 0 };
	if (p)
		text_program(&name, app->host.view->trace, p->name);
	app->asked_quit = true;
	app->asked_back = goes_back;
	bool room = app->canvas.n_columns >= 100;
	app_flash(app, "end %.*s (%u)? %s  w wait  d detach  t term  k kill  Esc stay",
		  room ? 40 : 20, name.n ? strbuf_str(&name) : tr("the program"), p ? p->pid : 0,
		  room ? tr("it was started here ") : "");
	strbuf_fini(&name);
	app->flash_until_ns = UINT64_MAX;
}

void app_quit(struct app *app)
{
	/* the question about a program of a session below is asked in that session */
	while (app->levels.n && !app_must_ask(app->host.view)) {
		bool any = false;
		for (size_t i = 0; i < app->levels.n; i++)
			any |= app_must_ask(app->levels.v[i].view);
		if (!any)
			break;
		app_pop_source(app);
	}
	if (app_must_ask(app->host.view))
		app_ask_quit(app, false);
	else
		app->quit = true;
}

void app_quit_watch(struct app *app)
{
	if (!app->asked_quit || app_must_ask(app->host.view))
		return;
	app->asked_quit = false;
	app->flash[0] = 0;
	app_flash(app, "the program has ended meanwhile: %s leaves", app->asked_back ? "q" : "Q");
}

void app_answer_quit(struct app *app, int key)
{
	app->asked_quit = false;
	app->flash[0] = 0;
	if (key != 'w' && key != 'd' && key != 't' && key != 'k')
		return;
	if (app->host.view->live->leave) {
		struct err *err = app->host.view->live->leave(app->host.view->live_ctx, key);
		if (err) {
			app_flash_err(app, err);
			return;
		}
	}
	app->host.view->is_left = true;
	if (app->asked_back)
		app_pop_source(app);
	else
		app_quit(app);
}
