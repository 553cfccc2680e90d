/*
 * app_actions: what the app does when the focused pane does not do an action itself; each row of
 * ACTIONS names one of these functions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "ui/pane_catalog.h"
#include "ui/pane_diff.h"
#include "ui/pane_help.h"
#include "ui/pane_stack.h"
#include "ui/pane_summary.h"
#include "ui/source.h"
#include "ui/ui.h"

/* One request to do an action. */
struct call {
	enum action action;
	uint64_t count;   /* 0: none was given */
	const char *text; /* NULL: none was given */
};

/* ---- panes and pages ---- */

static void act_focused(struct ui *ui, struct pane *p, const struct call *c)
{
}

static void act_list(struct ui *ui, struct pane *p, const struct call *c)
{
	struct pane *list = ui_pane(ui, actions[c->action].pane);
	if (list && list != p)
		list->ops->act(list, c->action, c->count, c->text);
}

static void act_page(struct ui *ui, struct pane *p, const struct call *c)
{
	enum pane_id page = actions[c->action].pane;
	if (page == p->id && ui->pages.n)
		ui_close_page(ui);
	else
		ui_open_page(ui, page);
}

static void act_summary(struct ui *ui, struct pane *p, const struct call *c)
{
	ui_open_page(ui, PANE_SUMMARY);
	if (c->text && ui->panes[PANE_SUMMARY])
		pane_summary_by(ui->panes[PANE_SUMMARY], c->text);
}

static void act_diff(struct ui *ui, struct pane *p, const struct call *c)
{
	struct pane *diff = ui_pane(ui, PANE_DIFF);
	if (!diff || (c->text && !pane_diff_with(diff, c->text)))
		return;
	ui_open_page(ui, PANE_DIFF);
	if (!c->text && !pane_diff_has(diff))
		prompt_command(ui, "diff ");
}

static void act_terminal(struct ui *ui, struct pane *p, const struct call *c)
{
	if (ui->host.view->terminal_fd < 0)
		ui_flash(ui, "the program was not started here, so its terminal is elsewhere");
	else
		ui_open_page(ui, PANE_TERMINAL);
}

static void act_catalog(struct ui *ui, struct pane *p, const struct call *c)
{
	struct strbuf name = { 0 };
	struct event e;
	if (c->text)
		strbuf_adds(&name, c->text);
	else if (c->action == ACTION_EXPLAIN && ui->host.view &&
		 ui->host.cursor_seq != SELECTION_NONE &&
		 trace_event(ui->host.view->trace, ui->host.cursor_seq, &e)) {
		size_t n;
		const char *t = trace_name(ui->host.view->trace, e.name, &n);
		strbuf_add(&name, t, n);
	}
	ui_open_page(ui, PANE_CATALOG);
	if (ui->panes[PANE_CATALOG] && name.n)
		pane_catalog_show(ui->panes[PANE_CATALOG], strbuf_str(&name));
	strbuf_fini(&name);
}

static void act_help(struct ui *ui, struct pane *p, const struct call *c)
{
	enum pane_id about = p->id;
	ui_open_page(ui, PANE_HELP);
	if (ui->panes[PANE_HELP] && about != PANE_HELP)
		pane_help_about(ui->panes[PANE_HELP], about, false);
	ui_changed(ui, CHANGE_SIZE);
}

/* Panes of the main page in the order of Tab. */
static const enum pane_id tab_order[] = { PANE_EVENTS, PANE_ARGUMENTS, PANE_STACK, PANE_CATEGORIES,
					  PANE_TIMELINE };
static void focus_by(struct ui *ui, int by)
{
	size_t n = ARRAY_LEN(tab_order), at = 0;
	while (at < n && tab_order[at] != ui->focus)
		at++;
	if (at == n)
		at = 0;
	if (ui->wish.maximised != PANE_NONE) {
		ui->wish.maximised = PANE_NONE;
		ui_relayout(ui);
	}
	for (size_t i = 0; i < n; i++) {
		at = (at + n + (size_t)by) % n;
		enum pane_id id = tab_order[at];
		/* the drawer opens when it gets the focus */
		if (ui->layout.form == LAYOUT_DRAWER && id == PANE_CATEGORIES) {
			ui->wish.drawer = true;
			ui->focus = id;
			ui_relayout(ui);
			return;
		}
		if (ui->layout.panes[id].n_lines)
			break;
	}
	ui->focus = tab_order[at];
	if (ui->wish.drawer) {
		ui->wish.drawer = false;
		ui_relayout(ui);
	}
}

static void act_pane(struct ui *ui, struct pane *p, const struct call *c)
{
	focus_by(ui, c->action == ACTION_PANE_NEXT ? 1 : -1);
}

static void act_width(struct ui *ui, struct pane *p, const struct call *c)
{
	int by = (int)(c->count ? (c->count < 100 ? c->count : 100) : 2) *
		 (c->action == ACTION_WIDER ? 1 : -1);
	if (p->id == PANE_CATEGORIES)
		ui->wish.categories_delta += by;
	else if ((ui->layout.form == LAYOUT_WIDE) != ui->wish.rotate)
		ui->wish.side_delta += p->id == PANE_EVENTS ? -by : by;
	else
		ui->wish.details_delta += p->id == PANE_EVENTS ? -by / 2 : by / 2;
	ui_relayout(ui);
}

static void act_maximise(struct ui *ui, struct pane *p, const struct call *c)
{
	if (!ui->pages.n) {
		ui->wish.maximised = ui->wish.maximised == PANE_NONE ? p->id : PANE_NONE;
		ui_relayout(ui);
	}
}

static void act_rotate(struct ui *ui, struct pane *p, const struct call *c)
{
	ui->wish.rotate = !ui->wish.rotate;
	ui->config.details = 0;
	ui_relayout(ui);
}

static void act_back(struct ui *ui, struct pane *p, const struct call *c)
{
	if (ui_back_quits(ui)) {
		host_act(&ui->host, ACTION_QUIT, 0, NULL);
	} else if (ui->dialog) {
		free(ui->dialog);
		ui->dialog = NULL;
	} else if (ui->pages.n) {
		ui_close_page(ui);
	} else if (ui->wish.maximised != PANE_NONE) {
		ui->wish.maximised = PANE_NONE;
		ui->focus = PANE_EVENTS;
		ui_relayout(ui);
	} else if (ui->wish.drawer) {
		ui->wish.drawer = false;
		ui->focus = PANE_EVENTS;
		ui_relayout(ui);
	} else if (ui->focus != PANE_EVENTS) {
		ui->focus = PANE_EVENTS;
	} else if (ui->history_at > 0 && *ui->host.view->filter_text) {
		host_act(&ui->host, ACTION_HISTORY_BACK, 0, NULL);
	} else if (ui_must_ask(ui->host.view)) {
		ui_ask_quit(ui, true);
	} else {
		ui_pop_source(ui);
	}
}

static void act_cancel(struct ui *ui, struct pane *p, const struct call *c)
{
	if (ui->dialog || ui->pages.n || ui->wish.drawer || ui->wish.maximised != PANE_NONE)
		act_back(ui, p, c);
	else if (search_is_on(&ui->search))
		search_fini(&ui->search);
	else
		ui->focus = PANE_EVENTS;
}

static void act_quit(struct ui *ui, struct pane *p, const struct call *c)
{
	ui_quit(ui);
}

/* ---- place, filter, search ---- */

static void act_goto(struct ui *ui, struct pane *p, const struct call *c)
{
	const char *text = c->text;
	struct view *s = ui->host.view;
	char *end;
	if (!text) {
		prompt_command(ui, "goto ");
		return;
	}
	double v = strtod(text, &end);
	if (end == text || v < 0) {
		ui_flash(ui, "goto %s: expected an event's number, a time as 12.5s, or 50%%", text);
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
		ui_goto(ui, seq < s->n_events ? seq : s->n_events - 1);
}

static void act_history(struct ui *ui, struct pane *p, const struct call *c)
{
	ui_history_step(ui, c->action == ACTION_HISTORY_BACK);
}

static void act_filter(struct ui *ui, struct pane *p, const struct call *c)
{
	if (c->text)
		ui_set_filter(ui, c->text, true);
	else
		prompt_filter(ui, NULL);
}

static void act_filter_clear(struct ui *ui, struct pane *p, const struct call *c)
{
	ui_set_filter(ui, "", true);
}

static void act_filter_save(struct ui *ui, struct pane *p, const struct call *c)
{
	if (!c->text) {
		prompt_save_filter(ui);
		return;
	}
	struct err *err = config_keep_filter(&ui->config, c->text, ui->host.view->filter_text);
	if (err)
		ui_flash_err(ui, err);
	else
		ui_flash(ui, "kept as %s", c->text);
}

static void act_term(struct ui *ui, struct pane *p, const struct call *c)
{
	struct strbuf term = { 0 };
	if (p->ops->term && p->ops->term(p, &term)) {
		if (ui->pages.n)
			ui_close_all_pages(ui);
		ui_narrow(ui, strbuf_str(&term), c->action == ACTION_EXCLUDE);
	} else {
		ui_flash(ui, "there is no value under the cursor to filter by");
	}
	strbuf_fini(&term);
}

/* In a pane other than the list of events, a search goes through the texts of its lines. */
static void search_list(struct ui *ui, struct pane *p, bool forward, bool from_here)
{
	if (!p->ops->line || !search_is_on(&ui->search))
		return;
	uint64_t n = p->list.n;
	for (uint64_t i = from_here ? 0 : 1; i < n + (from_here ? 0 : 1); i++) {
		uint64_t at = forward ? (p->list.cursor + i) % n : (p->list.cursor + n - i % n) % n;
		struct strbuf b = { 0 };
		p->ops->line(p, at, &b);
		bool found = search_match(&ui->search, strbuf_str(&b), b.n);
		strbuf_fini(&b);
		if (found) {
			list_go(&p->list, at);
			p->ops->update(p, CHANGE_LIST);
			return;
		}
	}
	ui_flash(ui, "no hit for %s here", ui->search.text);
}

static void act_search(struct ui *ui, struct pane *p, const struct call *c)
{
	bool back = c->action == ACTION_SEARCH_BACK;
	if (!c->text)
		prompt_search(ui, back);
	else if (p->id == PANE_EVENTS)
		p->ops->act(p, ACTION_SEARCH, 0, c->text);
	else
		search_list(ui, p, !back, true);
}

static void act_hit(struct ui *ui, struct pane *p, const struct call *c)
{
	search_list(ui, p, (c->action == ACTION_HIT_NEXT) != ui->search.backwards, false);
}

/* ---- marks, copies, files ---- */

static void act_mark(struct ui *ui, struct pane *p, const struct call *c)
{
	if (ui->host.cursor_seq != SELECTION_NONE)
		view_mark_toggle(ui->host.view, ui->host.cursor_seq);
	ui_keep_marks(ui);
}

static void act_note(struct ui *ui, struct pane *p, const struct call *c)
{
	if (ui->host.cursor_seq == SELECTION_NONE)
		return;
	if (c->text) {
		view_mark_note(ui->host.view, ui->host.cursor_seq, c->text);
		ui_keep_marks(ui);
	} else {
		prompt_note(ui);
	}
}

static void act_mark_next(struct ui *ui, struct pane *p, const struct call *c)
{
	struct view *s = ui->host.view;
	if (!s->marks.n) {
		ui_flash(ui, "no mark yet: m marks an event");
		return;
	}
	size_t i = 0;
	while (i < s->marks.n &&
	       (ui->host.cursor_seq == SELECTION_NONE || s->marks.v[i].seq <= ui->host.cursor_seq))
		i++;
	ui_goto(ui, s->marks.v[i % s->marks.n].seq);
}

static void act_copy(struct ui *ui, struct pane *p, const struct call *c)
{
	struct strbuf b = { 0 };
	if (p->ops->line)
		p->ops->line(p, p->list.cursor, &b);
	if (b.n)
		ui_copy(ui, strbuf_str(&b), b.n);
	strbuf_fini(&b);
}

static void act_copy_command(struct ui *ui, struct pane *p, const struct call *c)
{
	struct strbuf b = { 0 };
	const char *path = ui->host.view->path ? ui->host.view->path : "FILE";
	strbuf_addf(&b, "auditview %s", path);
	if (*ui->host.view->filter_text) {
		strbuf_adds(&b, " -Y '");
		for (const char *t = ui->host.view->filter_text; *t; t++)
			strbuf_adds(&b, *t == '\'' ? "'\\''" : (char[]){ *t, 0 });
		strbuf_addc(&b, '\'');
	}
	ui_copy(ui, strbuf_str(&b), b.n);
	strbuf_fini(&b);
}

static void act_write(struct ui *ui, struct pane *p, const struct call *c)
{
	if (c->text)
		ui_write(ui, c->text);
	else
		prompt_write(ui);
}

static void act_edit(struct ui *ui, struct pane *p, const struct call *c)
{
	struct pane *stack = ui_pane(ui, PANE_STACK);
	struct strbuf path = { 0 };
	unsigned line = 0;
	if (stack && pane_stack_source(stack, &path, &line)) {
		free(ui->edit_file);
		ui->edit_file = strbuf_take(&path);
		ui->edit_line = line;
	} else {
		ui_flash(ui, "no source file of this frame is here; :source DIR looks elsewhere");
		strbuf_fini(&path);
	}
}

static void act_source_dir(struct ui *ui, struct pane *p, const struct call *c)
{
	if (!c->text) {
		prompt_command(ui, "source ");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(ui->source_dirs); i++)
		if (!ui->source_dirs[i]) {
			ui->source_dirs[i] = strdup(c->text);
			source_forget();
			ui_changed(ui, CHANGE_CURSOR);
			return;
		}
	ui_flash(ui, "cannot look in more than %zu folders", ARRAY_LEN(ui->source_dirs));
}

/* ---- a live target ---- */

/* The requests that can be made of the target. If it is NULL, a message says that there is no
 * target. */
static const struct ui_live_ops *live(struct ui *ui)
{
	if (!ui->host.view->live)
		ui_flash(ui, "this is a capture, no live target: auditview -p PID attaches to one");
	return ui->host.view->live;
}

/* Return true if the request was made; if not, a message says why. is_known: this session has such
 * a request. Takes err. */
static bool is_done(struct ui *ui, bool is_known, struct err *err)
{
	if (err)
		ui_flash_err(ui, err);
	else if (!is_known)
		ui_flash(ui, "this session cannot do that");
	return is_known && !err;
}

static void act_pause(struct ui *ui, struct pane *p, const struct call *c)
{
	const struct ui_live_ops *l = live(ui);
	if (!l ||
	    !is_done(ui, l->pause,
		     l->pause ? l->pause(ui->host.view->live_ctx, !ui->host.view->paused) : NULL))
		return;
	ui->host.view->paused = !ui->host.view->paused;
	ui_flash(ui, ui->host.view->paused ? "tracing paused; H resumes it" : "tracing resumed");
}

static void act_detach(struct ui *ui, struct pane *p, const struct call *c)
{
	const struct ui_live_ops *l = live(ui);
	if (!l || !is_done(ui, l->detach, l->detach ? l->detach(ui->host.view->live_ctx) : NULL))
		return;
	ui->host.view->detached = true;
	ui_flash(ui, "detached; R attaches again");
}

static void act_attach(struct ui *ui, struct pane *p, const struct call *c)
{
	const struct ui_live_ops *l = live(ui);
	if (!l || !is_done(ui, l->attach, l->attach ? l->attach(ui->host.view->live_ctx) : NULL))
		return;
	ui_flash(ui, "attached again");
}

static void act_children(struct ui *ui, struct pane *p, const struct call *c)
{
	const struct ui_live_ops *l = live(ui);
	if (!l ||
	    !is_done(ui, l->follow_children,
		     l->follow_children ? l->follow_children(ui->host.view->live_ctx, true) : NULL))
		return;
	ui_flash(ui, "children are followed from now on");
}

static void act_freeze(struct ui *ui, struct pane *p, const struct call *c)
{
	view_set_frozen(ui->host.view, !ui->host.view->frozen);
	ui_flash(ui, ui->host.view->frozen ? "the view is frozen until p; events are still recorded"
					   : "moving again");
	ui_changed(ui, CHANGE_ALL);
}

static void act_doctor(struct ui *ui, struct pane *p, const struct call *c)
{
	const struct process_info *process = view_process(ui->host.view);
	if (!ui->options.start || !ui->options.start->doctor || !process) {
		ui_flash(ui, "auditview doctor PID tells whether a process can be attached to");
		return;
	}
	struct strbuf b = { 0 };
	ui->options.start->doctor(ui->options.start_ctx, (int)process->pid, &b);
	ui_dialog(ui, strbuf_str(&b));
	strbuf_fini(&b);
}

/* ---- the screen ---- */

static void act_time(struct ui *ui, struct pane *p, const struct call *c)
{
	static const char *const says[] = { "seconds since the start", "since the row above",
					    "wall clock" };
	ui->host.time_mode = (enum time_mode)((ui->host.time_mode + 1) % TIME_MODE_COUNT);
	ui_flash(ui, "time: %s", says[ui->host.time_mode]);
	ui_changed(ui, CHANGE_SIZE);
}

static void act_columns(struct ui *ui, struct pane *p, const struct call *c)
{
	if (!c->text) {
		prompt_command(ui, "columns time thread event arguments caller");
		return;
	}
	struct err *err = config_columns(c->text, &ui->config.columns);
	if (err)
		ui_flash_err(ui, err);
	ui_changed(ui, CHANGE_SIZE);
}

static void act_theme(struct ui *ui, struct pane *p, const struct call *c)
{
	const char *name = c->text;
	static const char *const cycle[] = { "dark", "light", "cb", "mono" };
	if (!name) { /* no name: take the next theme */
		size_t i = 0;
		while (i < ARRAY_LEN(cycle) && strcmp(cycle[i], ui->theme_name))
			i++;
		name = cycle[i + 1 < ARRAY_LEN(cycle) ? i + 1 : 0];
	}
	const struct theme *t = theme_find(name, ui->is_light);
	if (!t) {
		ui_flash(ui, "no theme %s: there are auto, dark, light, cb and mono", name);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(cycle); i++)
		if (!strcmp(cycle[i], name))
			ui->theme_name = cycle[i];
	if (!strcmp(name, "auto"))
		ui->theme_name = "auto";
	ui->theme = *t;
	ui->theme_changed = true;
	ui_flash(ui, "theme %s: %s", t->name, t->doc);
}

static void act_mouse(struct ui *ui, struct pane *p, const struct call *c)
{
	ui->mouse = !ui->mouse;
	ui->mouse_changed = true;
	ui_flash(ui, ui->mouse ? "mouse on" : "mouse off: the terminal selects again");
}

static void act_redraw(struct ui *ui, struct pane *p, const struct call *c)
{
	ui->wants_redraw = true;
}

static void act_suspend(struct ui *ui, struct pane *p, const struct call *c)
{
	ui->wants_suspend = true;
}

static void act_command(struct ui *ui, struct pane *p, const struct call *c)
{
	prompt_command(ui, c->text ? c->text : "");
}

static void (*const functions[ACTION_COUNT])(struct ui *, struct pane *, const struct call *) = {
#define X(id, name, group, arg, needs, pane, does, doc) [ACTION_##id] = act_##does,
	ACTIONS(X)
#undef X
};

void ui_act(struct ui *ui, enum action action, uint64_t count, const char *text)
{
	struct pane *p = ui_focused(ui);
	if (!p || action >= ACTION_COUNT)
		return;
	ui->dirty = true;
	enum action_needs needs = actions[action].needs;
	bool is_done = needs != NEEDS_FIRST && p->ops->act(p, action, count, text);
	if (!is_done && (ui->host.view || needs != NEEDS_SESSION))
		functions[action](ui, p, &(struct call){ action, count, text });
	ui_tell_cursor(ui);
}
