/*
 * app_actions: what the app does when the focused pane does not do an action itself; each row of
 * ACTIONS names one of these functions.
 */
#include "ui/app_actions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "base/utf8.h"
#include "model/gathered_filter.h"
#include "ui/app_header.h"
#include "ui/app_hold.h"
#include "ui/app_keep.h"
#include "ui/app_messages.h"
#include "ui/app_panes.h"
#include "ui/app_places.h"
#include "ui/app_prompts.h"
#include "ui/app_quit.h"
#include "ui/app_session.h"
#include "ui/app_state.h"
#include "ui/app_terminal.h"
#include "ui/app_write.h"
#include "ui/event_columns.h"
#include "ui/pane_catalog.h"
#include "ui/pane_diff.h"
#include "ui/pane_help.h"
#include "ui/pane_stack.h"
#include "ui/pane_summary.h"
#include "ui/source.h"

/* One request to do an action. */
struct call {
	enum action action;
	uint64_t count;   /* 0: none was given */
	const char *text; /* NULL: none was given */
};

/* ---- panes and pages ---- */

/* The pane has not done it: say why, and what does it. */
static void act_focused(struct app *app, struct pane *p, const struct call *c)
{
	static const struct {
		enum action action;
		const char *why;
	} rows[] = {
		{ ACTION_SORT, N_("has no columns to sort by: summary (s) and imports (I) have") },
		{ ACTION_FOLD, N_("has nothing to fold: events, stack and callers (t) have") },
		{ ACTION_TOGGLE,
		  N_("has nothing to switch or tag: categories and filters (l) have") },
		{ ACTION_STACK_MODE, N_("has no frames: the stack has, Tab goes there") },
		{ ACTION_OPEN, N_("has nothing to open here") },
		{ ACTION_TRY, N_("has no example: an entry of the catalogue (c) has") },
		{ ACTION_HINT, N_("has no hint: a lesson has (:lessons)") },
		{ ACTION_NARROW, N_("is not narrowed by text: f filters events") },
		{ ACTION_TERMINAL_KEY, N_("is not the program's terminal: C-] goes there") },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].action == c->action)
			app_flash(app, "%s %s", tr(panes[p->id].name), tr(rows[i].why));
}

/* A page covers what the action changes: say so. */
static bool is_covered(struct app *app, const struct call *c)
{
	if (app->pages.n)
		app_flash(app, "%s: not on a page of its own; q goes back",
			  tr(actions[c->action].doc));
	return app->pages.n;
}

static void act_list(struct app *app, struct pane *p, const struct call *c)
{
	struct pane *list = app_pane(app, actions[c->action].pane);
	/* the page of the timeline has the cursor of the list */
	if (p->id != PANE_TIMELINE && is_covered(app, c))
		return;
	if (list && list != p)
		list->ops->act(list, c->action, c->count, c->text);
}

static void act_page(struct app *app, struct pane *p, const struct call *c)
{
	enum pane_id page = actions[c->action].pane;
	if (page == p->id && app->pages.n)
		app_close_page(app);
	else
		app_open_page(app, page);
}

static void act_summary(struct app *app, struct pane *p, const struct call *c)
{
	app_open_page(app, PANE_SUMMARY);
	if (c->text && app->panes[PANE_SUMMARY])
		pane_summary_by(app->panes[PANE_SUMMARY], c->text);
}

static void act_diff(struct app *app, struct pane *p, const struct call *c)
{
	struct pane *diff = app_pane(app, PANE_DIFF);
	if (!diff || (c->text && !pane_diff_with(diff, c->text)))
		return;
	app_open_page(app, PANE_DIFF);
	if (!c->text && !pane_diff_has(diff))
		app_prompt_command(app, "diff ");
}

static void act_terminal(struct app *app, struct pane *p, const struct call *c)
{
	if (p->id == PANE_TERMINAL)
		app_terminal_leave(app);
	else if (app->host.view->terminal_fd < 0 && !app->host.view->shows_terminal)
		app_flash(app, "the program was not started here, so its terminal is elsewhere");
	else
		app_terminal_focus(app);
}

static void act_terminal_close(struct app *app, struct pane *p, const struct call *c)
{
	app_terminal_close(app);
}

static void act_catalog(struct app *app, struct pane *p, const struct call *c)
{
	struct strbuf name = { 0 };
	struct event e;
	if (c->text)
		strbuf_adds(&name, c->text);
	else if (c->action == ACTION_EXPLAIN && app->host.view &&
		 app->host.cursor_seq != SELECTION_NONE &&
		 trace_event(app->host.view->trace, app->host.cursor_seq, &e)) {
		size_t n;
		const char *t = trace_name(app->host.view->trace, e.name, &n);
		strbuf_add(&name, t, n);
	}
	app_open_page(app, PANE_CATALOG);
	if (app->panes[PANE_CATALOG] && name.n)
		pane_catalog_show(app->panes[PANE_CATALOG], strbuf_str(&name));
	strbuf_fini(&name);
}

static void act_help(struct app *app, struct pane *p, const struct call *c)
{
	enum pane_id about = p->id;
	app_open_page(app, PANE_HELP);
	if (app->panes[PANE_HELP] && about != PANE_HELP)
		pane_help_about(app->panes[PANE_HELP], about, false);
	app_changed(app, CHANGE_SIZE);
}

/* Panes of the main page in the order of Tab. */
static const enum pane_id tab_order[] = { PANE_EVENTS,     PANE_ARGUMENTS, PANE_STACK,
					  PANE_CATEGORIES, PANE_TIMELINE,  PANE_TERMINAL };
static void focus_by(struct app *app, int by)
{
	size_t n = ARRAY_LEN(tab_order), at = 0;
	while (at < n && tab_order[at] != app->focus)
		at++;
	if (at == n)
		at = 0;
	if (app->wish.maximised != PANE_NONE) {
		app->wish.maximised = PANE_NONE;
		app_relayout(app);
	}
	for (size_t i = 0; i < n; i++) {
		at = (at + n + (size_t)by) % n;
		enum pane_id id = tab_order[at];
		/* the drawer opens when it gets the focus */
		if (app->layout.form == LAYOUT_DRAWER && id == PANE_CATEGORIES) {
			app->wish.drawer = true;
			app->focus = id;
			app_relayout(app);
			return;
		}
		if (app->layout.panes[id].n_lines)
			break;
	}
	app->focus = tab_order[at];
	if (app->wish.drawer) {
		app->wish.drawer = false;
		app_relayout(app);
	}
}

static void act_pane(struct app *app, struct pane *p, const struct call *c)
{
	if (!is_covered(app, c))
		focus_by(app, c->action == ACTION_PANE_NEXT ? 1 : -1);
}

static void act_width(struct app *app, struct pane *p, const struct call *c)
{
	if (is_covered(app, c))
		return;
	int by = (int)(c->count ? (c->count < 100 ? c->count : 100) : 2) *
		 (c->action == ACTION_WIDER ? 1 : -1);
	if (p->id == PANE_CATEGORIES)
		app->wish.categories_delta += by;
	else if (p->id == PANE_TERMINAL)
		app->wish.terminal_delta += by / 2;
	else if ((app->layout.form == LAYOUT_WIDE) != app->wish.rotate)
		app->wish.side_delta += p->id == PANE_EVENTS ? -by : by;
	else
		app->wish.details_delta += p->id == PANE_EVENTS ? -by / 2 : by / 2;
	app_relayout(app);
}

static void act_maximise(struct app *app, struct pane *p, const struct call *c)
{
	if (is_covered(app, c))
		return;
	app->wish.maximised = app->wish.maximised == PANE_NONE ? p->id : PANE_NONE;
	if (p->id == PANE_TERMINAL)
		app->host.view->zooms_terminal = app->wish.maximised != PANE_NONE;
	app_relayout(app);
}

static void act_rotate(struct app *app, struct pane *p, const struct call *c)
{
	if (is_covered(app, c))
		return;
	app->wish.rotate = !app->wish.rotate;
	app->config.details = 0;
	app_relayout(app);
}

static void act_back(struct app *app, struct pane *p, const struct call *c)
{
	if (app_back_quits(app)) {
		host_act(&app->host, ACTION_QUIT, 0, NULL);
	} else if (app->dialog) {
		free(app->dialog);
		app->dialog = NULL;
	} else if (app->pages.n) {
		app_close_page(app);
	} else if (app->wish.maximised != PANE_NONE) {
		app->wish.maximised = PANE_NONE;
		app->focus = PANE_EVENTS;
		app_relayout(app);
	} else if (app->wish.drawer) {
		app->wish.drawer = false;
		app->focus = PANE_EVENTS;
		app_relayout(app);
	} else if (app->focus != PANE_EVENTS) {
		app->focus = PANE_EVENTS;
	} else if (app->history_at > 0 && *app->host.view->filter_text) {
		host_act(&app->host, ACTION_HISTORY_BACK, 0, NULL);
	} else if (app_must_ask(app->host.view)) {
		app_ask_quit(app, true);
	} else {
		app_pop_source(app);
	}
}

static void act_cancel(struct app *app, struct pane *p, const struct call *c)
{
	if (app->dialog || app->pages.n || app->wish.drawer || app->wish.maximised != PANE_NONE)
		act_back(app, p, c);
	else if (search_is_on(&app->search))
		search_fini(&app->search);
	else
		app->focus = PANE_EVENTS;
}

static void act_quit(struct app *app, struct pane *p, const struct call *c)
{
	app_quit(app);
}

/* ---- place, filter, search ---- */

static void act_goto(struct app *app, struct pane *p, const struct call *c)
{
	const char *text = c->text;
	struct view *s = app->host.view;
	char *end;
	if (!text) {
		app_prompt_command(app, "goto ");
		return;
	}
	double v = strtod(text, &end);
	if (end == text || v < 0) {
		app_flash(app, "goto %s: expected an event's number, a time as 12.5s, or 50%%",
			  text);
		return;
	}
	uint64_t seq;
	if (*end == '%')
		seq = (uint64_t)((double)s->n_events * (v > 100 ? 100 : v) / 100);
	else if (*end == 's' || *end == 'm' || strchr(text, '.'))
		seq = trace_seq_at(s->trace, (uint64_t)(v * (end[0] == 'm' && end[1] == 's' ? 1e6
							     : *end == 'm'                  ? 6e10
									   : 1e9)));
	else
		seq = (uint64_t)v;
	if (s->n_events)
		app_goto(app, seq < s->n_events ? seq : s->n_events - 1);
}

static void act_history(struct app *app, struct pane *p, const struct call *c)
{
	app_history_step(app, c->action == ACTION_HISTORY_BACK);
}

static void act_filter(struct app *app, struct pane *p, const struct call *c)
{
	if (c->text)
		app_set_filter(app, c->text, true);
	else
		app_prompt_filter(app, NULL);
}

static void act_filter_clear(struct app *app, struct pane *p, const struct call *c)
{
	app_set_filter(app, "", true);
}

static void act_filter_save(struct app *app, struct pane *p, const struct call *c)
{
	if (!c->text) {
		app_prompt_save_filter(app);
		return;
	}
	struct err *err = config_keep_filter(&app->config, c->text, app->host.view->filter_text);
	if (err)
		app_flash_err(app, err);
	else
		app_flash(app, "kept as %s", c->text);
}

static void act_term(struct app *app, struct pane *p, const struct call *c)
{
	struct strbuf term = { 0 };
	if (p->ops->term && p->ops->term(p, &term)) {
		if (app->pages.n)
			app_close_all_pages(app);
		app_narrow(app, strbuf_str(&term), c->action == ACTION_EXCLUDE);
	} else {
		app_flash(app, "there is no value under the cursor to filter by");
	}
	strbuf_fini(&term);
}

/* All events that name the file, host or command of the event under the cursor: a new filter, not
 * one more condition, so that nothing of it is missing. */
static void act_same(struct app *app, struct pane *p, const struct call *c)
{
	struct strbuf filter = { 0 };
	struct event e;
	if (app->host.cursor_seq != SELECTION_NONE &&
	    trace_event(app->host.view->trace, app->host.cursor_seq, &e) &&
	    gathered_filter_same(app->host.view->trace, e.name, e.args, &filter)) {
		if (app->pages.n)
			app_close_all_pages(app);
		app_set_filter(app, strbuf_str(&filter), true);
	} else {
		app_flash(app, "this event names no file, host or command");
	}
	strbuf_fini(&filter);
}

/* Show "hit 3 of 41" for the line under the cursor, unless the list is too long to count at
 * once. */
static void count_hits(struct app *app, const struct pane *p)
{
	enum { COUNT_MAX = 5000 };
	uint64_t n_hits = 0, place = 0;
	if (p->list.n > COUNT_MAX)
		return;
	for (uint64_t i = 0; i < p->list.n; i++) {
		struct strbuf b = { 0 };
		p->ops->line(p, i, &b);
		n_hits += search_match(&app->search, strbuf_str(&b), b.n);
		strbuf_fini(&b);
		if (i == p->list.cursor)
			place = n_hits;
	}
	app_flash(app, "hit %llu of %llu", (unsigned long long)place, (unsigned long long)n_hits);
}

/* In a pane other than the list of events, a search goes through the texts of its lines. */
static void search_list(struct app *app, struct pane *p, bool forward, bool from_here)
{
	if (!p->ops->line || !search_is_on(&app->search))
		return;
	uint64_t n = p->list.n;
	for (uint64_t i = from_here ? 0 : 1; i < n + (from_here ? 0 : 1); i++) {
		uint64_t at = forward ? (p->list.cursor + i) % n : (p->list.cursor + n - i % n) % n;
		struct strbuf b = { 0 };
		p->ops->line(p, at, &b);
		bool found = search_match(&app->search, strbuf_str(&b), b.n);
		strbuf_fini(&b);
		if (found) {
			list_go(&p->list, at);
			p->ops->update(p, CHANGE_LIST);
			count_hits(app, p);
			return;
		}
	}
	app_flash(app, "no hit for %s here", app->search.text);
}

static void act_search(struct app *app, struct pane *p, const struct call *c)
{
	bool back = c->action == ACTION_SEARCH_BACK;
	if (!c->text)
		app_prompt_search(app, back);
	else if (p->id == PANE_EVENTS)
		p->ops->act(p, ACTION_SEARCH, 0, c->text);
	else
		search_list(app, p, !back, true);
}

static void act_hit(struct app *app, struct pane *p, const struct call *c)
{
	if (search_is_on(&app->search))
		search_list(app, p, (c->action == ACTION_HIT_NEXT) != app->search.backwards, false);
	else
		app_flash(app, "nothing to look for yet: / asks");
}

/* ---- marks, copies, files ---- */

/* Is there an event that can be marked? If not, a message says so. */
static bool has_event(struct app *app)
{
	bool has = app->host.cursor_seq != SELECTION_NONE;
	if (!has)
		app_flash(app, "no event is under the cursor");
	return has;
}

static void act_mark(struct app *app, struct pane *p, const struct call *c)
{
	struct pane_host *host = &app->host;
	if (!has_event(app))
		return;
	view_mark_toggle(host->view, host->cursor_seq);
	app_keep_marks(app);
	if (app->pages.n)
		app_flash(app,
			  view_mark(host->view, host->cursor_seq)
			      ? "event %llu is marked; ' lists the marks"
			      : "event %llu has no mark now; ' lists the marks",
			  (unsigned long long)host->cursor_seq);
}

static void act_note(struct app *app, struct pane *p, const struct call *c)
{
	if (!has_event(app))
		return;
	if (c->text) {
		view_mark_note(app->host.view, app->host.cursor_seq, c->text);
		app_keep_marks(app);
	} else {
		app_prompt_note(app);
	}
}

static void act_mark_next(struct app *app, struct pane *p, const struct call *c)
{
	struct view *s = app->host.view;
	if (!s->marks.n) {
		app_flash(app, "no mark yet: m marks an event");
		return;
	}
	size_t i = 0;
	while (i < s->marks.n && (app->host.cursor_seq == SELECTION_NONE ||
				  s->marks.v[i].seq <= app->host.cursor_seq))
		i++;
	app_goto(app, s->marks.v[i % s->marks.n].seq);
}

static void act_copy(struct app *app, struct pane *p, const struct call *c)
{
	struct strbuf b = { 0 };
	if (p->ops->line)
		p->ops->line(p, p->list.cursor, &b);
	if (b.n)
		app_copy(app, strbuf_str(&b), b.n);
	strbuf_fini(&b);
}

static void act_copy_command(struct app *app, struct pane *p, const struct call *c)
{
	struct strbuf b = { 0 };
	const char *path = app->host.view->path ? app->host.view->path : "FILE";
	strbuf_addf(&b, "auditview %s", path);
	if (*app->host.view->filter_text) {
		strbuf_adds(&b, " -Y '");
		for (const char *t = app->host.view->filter_text; *t; t++)
			strbuf_adds(&b, *t == '\'' ? "'\\''" : (char[]){ *t, 0 });
		strbuf_addc(&b, '\'');
	}
	app_copy(app, strbuf_str(&b), b.n);
	strbuf_fini(&b);
}

static void act_write(struct app *app, struct pane *p, const struct call *c)
{
	if (c->text)
		app_write(app, c->text);
	else
		app_prompt_write(app);
}

static void act_edit(struct app *app, struct pane *p, const struct call *c)
{
	struct pane *stack = app_pane(app, PANE_STACK);
	struct strbuf path = { 0 };
	unsigned line = 0;
	if (stack && pane_stack_source(stack, &path, &line)) {
		free(app->edit_file);
		app->edit_file = strbuf_take(&path);
		app->edit_line = line;
	} else {
		app_flash(app, "no source file of this frame is here; :source DIR looks elsewhere");
		strbuf_fini(&path);
	}
}

static void act_source_dir(struct app *app, struct pane *p, const struct call *c)
{
	if (!c->text) {
		app_prompt_command(app, "source ");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(app->source_dirs); i++)
		if (!app->source_dirs[i]) {
			app->source_dirs[i] = strdup(c->text);
			source_forget();
			app_changed(app, CHANGE_CURSOR);
			return;
		}
	app_flash(app, "cannot look in more than %zu folders", ARRAY_LEN(app->source_dirs));
}

/* ---- a live target ---- */

/* The requests that can be made of the target. If it is NULL, a message says that there is no
 * target. */
static const struct app_live_ops *live(struct app *app)
{
	if (!app->host.view->live)
		app_flash(app,
			  "this is a capture, no live target: auditview -p PID attaches to one");
	return app->host.view->live;
}

/* Return true if the request was made; if not, a message says why. is_known: this session has such
 * a request. Takes err. */
static bool is_done(struct app *app, bool is_known, struct err *err)
{
	if (err)
		app_flash_err(app, err);
	else if (!is_known)
		app_flash(app, "this session cannot do that");
	return is_known && !err;
}

static void act_pause(struct app *app, struct pane *p, const struct call *c)
{
	const struct app_live_ops *l = live(app);
	if (!l)
		return;
	/* events that the program raises meanwhile are not recorded, and nobody can get them back
	 */
	if (l->pause && !app->host.view->paused && !app->asked_pause) {
		app->asked_pause = true;
		app_flash(app, "stop recording until H? nothing is captured meanwhile   "
			       "H pause  Esc go on");
		app->flash_until_ns = UINT64_MAX;
		return;
	}
	app->asked_pause = false;
	if (!is_done(app, l->pause,
		     l->pause ? l->pause(app->host.view->live_ctx, !app->host.view->paused) : NULL))
		return;
	app->host.view->paused = !app->host.view->paused;
	app_flash(app, app->host.view->paused ? "tracing paused; H resumes it" : "tracing resumed");
}

static void act_detach(struct app *app, struct pane *p, const struct call *c)
{
	const struct app_live_ops *l = live(app);
	if (!l || !is_done(app, l->detach, l->detach ? l->detach(app->host.view->live_ctx) : NULL))
		return;
	app->host.view->detached = true;
	app_flash(app, "detached; R attaches again");
}

static void act_attach(struct app *app, struct pane *p, const struct call *c)
{
	const struct app_live_ops *l = live(app);
	if (!l || !is_done(app, l->attach, l->attach ? l->attach(app->host.view->live_ctx) : NULL))
		return;
	app_flash(app, "attached again");
}

static void act_continue_held(struct app *app, struct pane *p, const struct call *c)
{
	app_hold_continue(app);
}

static void act_hold(struct app *app, struct pane *p, const struct call *c)
{
	app_hold(app, c->text, false);
}

static void act_until(struct app *app, struct pane *p, const struct call *c)
{
	app_hold(app, c->text, true);
}

static void act_hold_this(struct app *app, struct pane *p, const struct call *c)
{
	app_hold_this(app, p);
}

static void act_hold_ignore(struct app *app, struct pane *p, const struct call *c)
{
	app_hold_ignore(app, c->text);
}

static void act_unhold(struct app *app, struct pane *p, const struct call *c)
{
	app_unhold(app, c->text);
}

static void act_step(struct app *app, struct pane *p, const struct call *c)
{
	app_hold_step(app);
}

/* The key C: while a thread is held, that is what C is about. */
static void act_children(struct app *app, struct pane *p, const struct call *c)
{
	const struct app_live_ops *l = live(app);
	if (app_is_held(app)) {
		app_hold_continue(app);
		return;
	}
	if (!l || !is_done(app, l->follow_children,
			   l->follow_children ? l->follow_children(app->host.view->live_ctx, true)
					      : NULL))
		return;
	app_flash(app, "children are followed from now on");
}

static void act_dump(struct app *app, struct pane *p, const struct call *c)
{
	const struct app_live_ops *l = live(app);
	void *ctx = app->host.view->live_ctx;
	if (!l)
		return;
	if (!l->keeps || !l->keeps(ctx))
		app_flash(app, "everything is kept: w writes it; auditview --keep 64M keeps the "
			       "newest events only");
	else if (c->text)
		app_dump(app, c->text);
	else
		app_prompt_dump(app);
}

static void act_freeze(struct app *app, struct pane *p, const struct call *c)
{
	app_header_take(app); /* the header is frozen as the list is */
	view_set_frozen(app->host.view, !app->host.view->frozen);
	app_flash(app, app->host.view->frozen
			   ? "the view is frozen until p; events are still recorded"
			   : "the view moves again");
	app_changed(app, CHANGE_ALL);
}

static void act_doctor(struct app *app, struct pane *p, const struct call *c)
{
	const struct process_info *process = view_process(app->host.view);
	if (!app->options.start || !app->options.start->doctor || !process) {
		app_flash(app, "auditview doctor PID tells whether a process can be attached to");
		return;
	}
	struct strbuf b = { 0 };
	app->options.start->doctor(app->options.start_ctx, (int)process->pid, &b);
	app_dialog(app, strbuf_str(&b));
	strbuf_fini(&b);
}

/* ---- the screen ---- */

static void act_time(struct app *app, struct pane *p, const struct call *c)
{
	static const char *const says[] = { N_("seconds since the start"),
					    N_("since the row above"), N_("wall clock") };
	app->host.time_mode = (enum time_mode)((app->host.time_mode + 1) % TIME_MODE_COUNT);
	app->config.time = app->host.time_mode;
	app_flash(app, "time: %s", tr(says[app->host.time_mode]));
	app_changed(app, CHANGE_SIZE);
}

/* Say what the list shows now, and which of its columns this screen has no room for. */
static void flash_columns(struct app *app, const char *saved_in)
{
	struct strbuf b = { 0 };
	struct event_columns c = { 0 };
	const struct rect *list = &app->layout.panes[PANE_EVENTS];
	if (app->host.view && list->n_lines)
		event_columns_size(&c, &app->host, list->n_columns);
	if (c.no_room) {
		strbuf_adds(&b, tr("no room on this screen for "));
		config_columns_text(c.no_room, &b);
		strbuf_adds(&b, "; ");
	}
	strbuf_adds(&b, "columns = ");
	config_columns_text(app->config.columns, &b);
	if (saved_in)
		strbuf_addf(&b, tr(", saved in %s"), saved_in);
	else
		strbuf_adds(&b, tr("; += adds, -= takes"));
	app_flash(app, "%s", strbuf_str(&b));
	strbuf_fini(&b);
}

static void act_columns(struct app *app, struct pane *p, const struct call *c)
{
	if (!c->text) {
		struct strbuf b = { 0 };
		strbuf_adds(&b, "columns ");
		config_columns_text(app->config.columns, &b);
		app_prompt_command(app, strbuf_str(&b));
		strbuf_fini(&b);
		return;
	}
	struct err *err = config_columns(c->text, &app->config.columns);
	if (err)
		app_flash_err(app, err);
	else
		flash_columns(app, NULL);
	app_changed(app, CHANGE_SIZE);
}

/* Show the theme that the config names. */
static void use_theme(struct app *app)
{
	const struct theme *t = theme_find(app->config.theme, app->is_light);
	app->theme_name = app->config.theme;
	if (!t)
		return;
	app->theme = *t;
	app->theme_changed = true;
}

static void act_theme(struct app *app, struct pane *p, const struct call *c)
{
	const char *name = c->text;
	static const char *const cycle[] = { "dark", "light", "cb", "mono" };
	if (!name) { /* no name: take the next theme */
		size_t i = 0;
		while (i < ARRAY_LEN(cycle) && strcmp(cycle[i], app->theme_name))
			i++;
		name = cycle[i + 1 < ARRAY_LEN(cycle) ? i + 1 : 0];
	}
	struct err *err = config_set(&app->config, "theme", CONFIG_REPLACES, name);
	if (err) {
		app_flash_err(app, err);
		return;
	}
	use_theme(app);
	app_flash(app, "theme %s: %s; :set theme --save keeps it", app->theme.name,
		  tr(app->theme.doc));
}

/* A setting was changed: bring what is shown in line with the config. */
static void use_settings(struct app *app, const char *name)
{
	struct view *s = app->host.view;
	if (!strcmp(name, "theme"))
		use_theme(app);
	if (!strcmp(name, "mouse") && app->mouse != app->config.mouse) {
		app->mouse = app->config.mouse;
		app->mouse_changed = true;
	}
	if (!strcmp(name, "fold") && s)
		view_fold_all(s, app->config.fold);
	if (!strcmp(name, "source"))
		source_forget();
	if (!strcmp(name, "mine") && s)
		view_filter_again(s);
	app->host.time_mode = app->config.time;
	app->wish.hide_timeline = !app->config.timeline;
	app_relayout(app);
	app_changed(app, CHANGE_ALL);
}

/* NAME, NAME VALUE, NAME=VALUE, NAME+=VALUE or NAME-=VALUE, each with --save. */
static void act_set(struct app *app, struct pane *p, const struct call *c)
{
	char name[32], *path = NULL;
	struct strbuf value = { 0 };
	bool saves = false;
	if (!c->text) {
		app_prompt_command(app, "set ");
		return;
	}
	size_t n = strcspn(c->text, " =+-");
	snprintf(name, sizeof(name), "%.*s", (int)n, c->text);
	const char *behind = c->text + n + strspn(c->text + n, " ");
	enum config_how how = config_how_at(&behind);
	strbuf_adds(&value, behind + strspn(behind, " ="));
	for (;;) { /* --save, and spaces around it */
		while (value.n && value.s[value.n - 1] == ' ')
			strbuf_cut(&value, value.n - 1);
		size_t word = strlen("--save");
		if (value.n < word || strcmp(value.s + value.n - word, "--save") != 0 ||
		    (value.n > word && value.s[value.n - word - 1] != ' '))
			break;
		saves = true;
		strbuf_cut(&value, value.n - word);
	}
	struct err *err = NULL;
	if (value.n)
		err = config_set(&app->config, name, how, strbuf_str(&value));
	if (!err && value.n)
		use_settings(app, name);
	if (!err && saves)
		err = config_save(&app->config, name, &path);
	if (!err && saves)
		app->own_columns = app->config.columns;
	strbuf_clear(&value);
	if (err)
		app_flash_err(app, err);
	else if (!config_get(&app->config, name, &value))
		app_flash_err(app, config_set(&app->config, name, CONFIG_REPLACES, ""));
	else if (!strcmp(name, "columns"))
		flash_columns(app, path);
	else if (saves)
		app_flash(app, "%s = %s, saved in %s", name, strbuf_str(&value), path);
	else
		app_flash(app, "%s = %s; --save keeps it", name, strbuf_str(&value));
	strbuf_fini(&value);
	free(path);
}

static void act_mouse(struct app *app, struct pane *p, const struct call *c)
{
	app->mouse = app->config.mouse = !app->mouse;
	app->mouse_changed = true;
	app_flash(app, app->mouse ? "mouse on" : "mouse off: the terminal selects text again");
}

static void act_redraw(struct app *app, struct pane *p, const struct call *c)
{
	app->wants_redraw = true;
}

static void act_suspend(struct app *app, struct pane *p, const struct call *c)
{
	app->wants_suspend = true;
}

static void act_command(struct app *app, struct pane *p, const struct call *c)
{
	app_prompt_command(app, c->text ? c->text : "");
}

static void (*const functions[ACTION_COUNT])(struct app *, struct pane *, const struct call *) = {
#define X(id, name, group, arg, needs, pane, does, doc) [ACTION_##id] = act_##does,
	ACTIONS(X)
#undef X
};

void app_act(struct app *app, enum action action, uint64_t count, const char *text)
{
	struct pane *p = app_focused(app);
	if (!p || action >= ACTION_COUNT)
		return;
	app->dirty = true;
	enum action_needs needs = actions[action].needs;
	bool is_done = needs != NEEDS_FIRST && p->ops->act(p, action, count, text);
	if (!is_done && (app->host.view || needs != NEEDS_SESSION))
		functions[action](app, p, &(struct call){ action, count, text });
	app_tell_cursor(app);
}
