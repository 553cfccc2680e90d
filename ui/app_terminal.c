/*
 * app_terminal: see app_terminal.h.
 */
#include "ui/app_terminal.h"

#include <termios.h>

#include "ui/app_panes.h"
#include "ui/app_session.h"
#include "ui/app_state.h"
#include "ui/keymap.h"

static const uint64_t ms = 1000000;

enum {
	ASK_MS = 200,      /* how often the program is looked at */
	BUSY_MS = 5000,    /* how long after it last did anything */
	PROCESSES_MAX = 16 /* that are looked at */
};

void app_terminal_focus(struct app *app)
{
	struct view *s = app->host.view;
	s->shows_terminal = s->was_terminal_shown = true;
	if (app->pages.n)
		app_close_all_pages(app);
	app->wish.drawer = false;
	app->wish.maximised = s->zooms_terminal ? PANE_TERMINAL : PANE_NONE;
	app_relayout(app);
	app_focus(app, PANE_TERMINAL);
}

void app_terminal_leave(struct app *app)
{
	app->wish.maximised = PANE_NONE;
	app->focus = PANE_EVENTS;
	app->after_prefix = true;
	app_relayout(app);
}

void app_terminal_close(struct app *app)
{
	struct view *s = app->host.view;
	s->shows_terminal = s->zooms_terminal = false;
	s->was_terminal_shown = true;
	if (app->wish.maximised == PANE_TERMINAL)
		app->wish.maximised = PANE_NONE;
	if (app->focus == PANE_TERMINAL)
		app->focus = PANE_EVENTS;
	app_relayout(app);
}

bool app_terminal_has_keys(const struct app *app)
{
	return app->host.view && app->host.view->terminal_fd >= 0 &&
	       app_focused_id(app) == PANE_TERMINAL;
}

bool app_terminal_prefixed(struct app *app, int key)
{
	enum action action = keymap_find_own(app->keys, PANE_TERMINAL, key);
	app->after_prefix = false;
	/* the second Ctrl-] comes back to the terminal, as it does from the list */
	if (action == ACTION_NONE || action == ACTION_TERMINAL || app->pages.n)
		return false;
	app_terminal_focus(app);
	host_act(&app->host, action, 0, NULL);
	return true;
}

/* A program that reads keys one by one, or that hides what is typed, has changed the modes of its
 * terminal; one that waits for a line sleeps in a read. */
static bool asks_for_input(const struct app *app)
{
	const struct view *s = app->host.view;
	struct termios modes;
	if (!tcgetattr(s->terminal_fd, &modes) &&
	    (modes.c_lflag & (ICANON | ECHO)) != (ICANON | ECHO))
		return true;
	uint32_t n_asked = 0;
	for (uint32_t i = 0; i < trace_n_processes(s->trace) && n_asked < PROCESSES_MAX; i++) {
		const struct process_info *p = trace_process(s->trace, i);
		if (p->end_ns || !s->live->reads_terminal)
			continue;
		if (s->live->reads_terminal(s->live_ctx, p->pid, s->terminal_fd))
			return true;
		n_asked++;
	}
	return false;
}

static bool must_watch(const struct app *app)
{
	const struct view *s = app->host.view;
	return s && s->live && s->terminal_fd >= 0 && !s->was_terminal_shown;
}

void app_terminal_watch(struct app *app)
{
	struct view *s = app->host.view;
	if (!must_watch(app) || app->host.now_ns - app->terminal_asked_ns < ASK_MS * ms)
		return;
	app->terminal_asked_ns = app->host.now_ns;
	if (!asks_for_input(app))
		return;
	if (!app->has_typed && !app->pages.n && !prompt_is_open(&app->prompt)) {
		app_terminal_focus(app);
		return;
	}
	s->shows_terminal = s->was_terminal_shown = true;
	app_relayout(app);
}

uint64_t app_terminal_deadline(const struct app *app)
{
	uint64_t last = app->output_at_ns > app->last_growth_ns ? app->output_at_ns
								: app->last_growth_ns;
	if (!must_watch(app) || app->host.now_ns > last + BUSY_MS * ms)
		return UINT64_MAX;
	return app->terminal_asked_ns + ASK_MS * ms;
}
