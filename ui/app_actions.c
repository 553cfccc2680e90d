/*
 * app_actions: input → key → action → the focused pane, and if it does not know it, the app.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "ui/keep.h"
#include "ui/source.h"
#include "ui/ui.h"

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
		/* the drawer comes out when focused */
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

/* The list of another pane: /, n, N find lines by their text. */
static bool search_list(struct ui *ui, struct pane *p, bool forward, bool from_here)
{
	if (!p->ops->line || !search_is_on(&ui->search))
		return false;
	uint64_t n = p->list.n;
	for (uint64_t i = from_here ? 0 : 1; i < n + (from_here ? 0 : 1); i++) {
		uint64_t at = forward ? (p->list.cursor + i) % n : (p->list.cursor + n - i % n) % n;
		struct strbuf b = { 0 };
		p->ops->line(p, at, &b);
		bool found = search_match(&ui->search, strbuf_str(&b), b.n);
		strbuf_fini(&b);
		if (found) {
			list_go(&p->list, at);
			return true;
		}
	}
	ui_flash(ui, "no hit for %s here", ui->search.text);
	return true;
}

bool ui_back_quits(const struct ui *ui)
{
	bool has_filter_before = ui->history_at > 0 && ui->s && *ui->s->filter_text;
	bool is_last_page = ui->pages.n == (ui->s ? 0 : 1);
	return !ui->levels.n && !ui->dialog && is_last_page && ui->wish.maximised == PANE_NONE &&
	       !ui->wish.drawer && ui->focus == PANE_EVENTS && !has_filter_before;
}

/* Was the program of this session started here, and does it still run? */
static bool must_ask(const struct view *s)
{
	return s && s->live && s->live->must_ask && !s->has_ended && !s->is_left &&
	       s->live->must_ask(s->live_ctx);
}

/* What is to become of the program? goes_back: then the session below is shown, else all ends. */
static void ask_quit(struct ui *ui, bool goes_back)
{
	const struct process_info *p = view_process(ui->s);
	struct strbuf name = { 0 };
	if (p)
		text_program(&name, ui->s->trace, p->name);
	ui->asked_quit = true;
	ui->asked_back = goes_back;
	bool room = ui->canvas.n_columns >= 100;
	ui_flash(ui, "end %.*s (%u)? %s  w wait  d detach  t term  k kill  Esc stay",
		 room ? 40 : 20, name.n ? strbuf_str(&name) : "the program", p ? p->pid : 0,
		 room ? "it was started here " : "");
	strbuf_fini(&name);
	ui->flash_until_ns = UINT64_MAX;
}

static void go_back(struct ui *ui)
{
	if (ui_back_quits(ui)) {
		ui_act(ui, ACTION_QUIT, 0, NULL);
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
	} else if (ui->history_at > 0 && *ui->s->filter_text) {
		ui_act(ui, ACTION_HISTORY_BACK, 0, NULL);
	} else if (must_ask(ui->s)) {
		ask_quit(ui, true);
	} else {
		ui_pop_source(ui);
	}
}

static void history_step(struct ui *ui, bool back)
{
	if (back ? ui->history_at == 0 : ui->history_at + 1 >= ui->history.n) {
		ui_flash(ui, back ? "nothing before this" : "nothing after this");
		return;
	}
	/* so that ] comes back here; it may be there already */
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
	ui->following = false;
	char *filter = strdup(place.filter);
	if (!filter)
		return;
	if (strcmp(filter, ui->s->filter_text)) {
		struct err *err = view_set_filter(ui->s, filter);
		err_destroy(err);
		toggles_read(&ui->toggles, ui->s->filter);
	}
	free(filter);
	ui_show(ui, place.seq);
	ui_changed(ui, CHANGE_FILTER);
}

static void go_to(struct ui *ui, const char *text)
{
	struct view *s = ui->s;
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

static void copy_line(struct ui *ui, struct pane *p)
{
	struct strbuf b = { 0 };
	if (p->ops->line)
		p->ops->line(p, p->list.cursor, &b);
	if (b.n)
		ui_copy(ui, strbuf_str(&b), b.n);
	strbuf_fini(&b);
}

static void copy_command(struct ui *ui)
{
	struct strbuf b = { 0 };
	const char *path = ui->s->path ? ui->s->path : "FILE";
	strbuf_addf(&b, "auditview %s", path);
	if (*ui->s->filter_text) {
		strbuf_adds(&b, " -Y '");
		for (const char *p = ui->s->filter_text; *p; p++)
			strbuf_adds(&b, *p == '\'' ? "'\\''" : (char[]){ *p, 0 });
		strbuf_addc(&b, '\'');
	}
	ui_copy(ui, strbuf_str(&b), b.n);
	strbuf_fini(&b);
}

static void edit_source(struct ui *ui)
{
	struct pane *p = ui_pane(ui, PANE_STACK);
	struct strbuf path = { 0 };
	unsigned line = 0;
	if (p && pane_stack_source(p, &path, &line)) {
		free(ui->edit_file);
		ui->edit_file = strbuf_take(&path);
		ui->edit_line = line;
	} else {
		ui_flash(ui, "no source file of this frame is here; :source DIR looks elsewhere");
		strbuf_fini(&path);
	}
}

static void add_source_dir(struct ui *ui, const char *dir)
{
	if (!dir) {
		prompt_command(ui, "source ");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(ui->source_dirs); i++)
		if (!ui->source_dirs[i]) {
			ui->source_dirs[i] = strdup(dir);
			source_forget();
			ui_changed(ui, CHANGE_CURSOR);
			return;
		}
	ui_flash(ui, "cannot look in more than %zu folders", ARRAY_LEN(ui->source_dirs));
}

static void set_theme(struct ui *ui, const char *name)
{
	static const char *const cycle[] = { "dark", "light", "cb", "mono" };
	if (!name) { /* the next one */
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

static void live(struct ui *ui, enum action action)
{
	struct view *s = ui->s;
	const struct ui_live_ops *l = s->live;
	struct err *err = NULL;
	if (!l) {
		ui_flash(ui, "this is a capture, no live target: auditview -p PID attaches to one");
		return;
	}
	switch ((int)action) {
	case ACTION_PAUSE:
		if (!l->pause)
			break;
		err = l->pause(s->live_ctx, !s->paused);
		if (!err) {
			s->paused = !s->paused;
			ui_flash(ui, s->paused ? "tracing stopped; H goes on" : "tracing goes on");
		} else {
			ui_flash_err(ui, err);
		}
		return;
	case ACTION_DETACH:
		if (!l->detach)
			break;
		err = l->detach(s->live_ctx);
		if (!err) {
			s->detached = true;
			ui_flash(ui, "detached; R attaches again");
		} else {
			ui_flash_err(ui, err);
		}
		return;
	case ACTION_ATTACH:
		if (!l->attach)
			break;
		err = l->attach(s->live_ctx);
		if (!err)
			ui_flash(ui, "attached again");
		else
			ui_flash_err(ui, err);
		return;
	case ACTION_CHILDREN:
		if (!l->follow_children)
			break;
		err = l->follow_children(s->live_ctx, true);
		if (!err)
			ui_flash(ui, "children are followed from now on");
		else
			ui_flash_err(ui, err);
		return;
	default: break;
	}
	ui_flash(ui, "this session cannot do that");
}

static void quit(struct ui *ui)
{
	/* a program that was started below this session is asked about in its own place */
	while (ui->levels.n && !must_ask(ui->s)) {
		bool any = false;
		for (size_t i = 0; i < ui->levels.n; i++)
			any |= must_ask(ui->levels.v[i].view);
		if (!any)
			break;
		ui_pop_source(ui);
	}
	if (must_ask(ui->s))
		ask_quit(ui, false);
	else
		ui->quit = true;
}

static void jump_mark(struct ui *ui, uint64_t count)
{
	struct view *s = ui->s;
	if (!s->marks.n) {
		ui_flash(ui, "no mark yet: m marks an event");
		return;
	}
	size_t i = 0;
	while (i < s->marks.n &&
	       (ui->cursor_seq == SELECTION_NONE || s->marks.v[i].seq <= ui->cursor_seq))
		i++;
	ui_goto(ui, s->marks.v[i % s->marks.n].seq);
}

/* What the app itself does, whatever pane has the focus. */
static void app_act(struct ui *ui, struct pane *p, enum action action, uint64_t count,
		    const char *text)
{
	struct view *s = ui->s;
	/* without a session only these make sense */
	bool needs_session = true;
	static const enum action without[] = { ACTION_HELP,     ACTION_QUIT,        ACTION_BACK,
					       ACTION_COMMAND,  ACTION_THEME,       ACTION_REDRAW,
					       ACTION_SUSPEND,  ACTION_MOUSE,       ACTION_MESSAGES,
					       ACTION_CATALOG,  ACTION_LESSONS,     ACTION_CANCEL,
					       ACTION_SEARCH,   ACTION_SEARCH_BACK, ACTION_HIT_NEXT,
					       ACTION_HIT_PREV, ACTION_COPY };
	for (size_t i = 0; i < ARRAY_LEN(without); i++)
		needs_session = needs_session && without[i] != action;
	if (!s && needs_session)
		return;
	switch (action) {
	case ACTION_PANE_NEXT: focus_by(ui, 1); break;
	case ACTION_PANE_PREV: focus_by(ui, -1); break;
	case ACTION_BACK: go_back(ui); break;
	case ACTION_CANCEL:
		if (ui->dialog || ui->pages.n || ui->wish.drawer || ui->wish.maximised != PANE_NONE)
			go_back(ui);
		else if (search_is_on(&ui->search))
			search_fini(&ui->search);
		else
			ui->focus = PANE_EVENTS;
		break;
	case ACTION_QUIT: quit(ui); break;
	case ACTION_HELP: {
		enum pane_id about = p->id;
		ui_open_page(ui, PANE_HELP);
		if (ui->panes[PANE_HELP] && about != PANE_HELP)
			pane_help_about(ui->panes[PANE_HELP], about, false);
		ui_changed(ui, CHANGE_SIZE);
		break;
	}
	case ACTION_FILTER:
		if (text)
			ui_set_filter(ui, text, true);
		else
			prompt_filter(ui, NULL);
		break;
	case ACTION_FILTER_CLEAR: ui_set_filter(ui, "", true); break;
	case ACTION_FILTER_SAVE:
		if (text) {
			struct err *err = config_keep_filter(&ui->config, text, s->filter_text);
			if (err)
				ui_flash_err(ui, err);
			else
				ui_flash(ui, "kept as %s", text);
		} else {
			prompt_save_filter(ui);
		}
		break;
	case ACTION_INCLUDE:
	case ACTION_EXCLUDE: {
		struct strbuf term = { 0 };
		if (p->ops->term && p->ops->term(p, &term)) {
			if (ui->pages.n)
				ui_close_all_pages(ui);
			ui_narrow(ui, strbuf_str(&term), action == ACTION_EXCLUDE);
		} else {
			ui_flash(ui, "there is no value under the cursor to filter by");
		}
		strbuf_fini(&term);
		break;
	}
	case ACTION_SEARCH:
	case ACTION_SEARCH_BACK:
		if (!text)
			prompt_search(ui, action == ACTION_SEARCH_BACK);
		else if (p->id == PANE_EVENTS)
			p->ops->act(p, ACTION_SEARCH, 0, text);
		else
			search_list(ui, p, action == ACTION_SEARCH, true);
		break;
	case ACTION_HIT_NEXT:
	case ACTION_HIT_PREV:
		search_list(ui, p, (action == ACTION_HIT_NEXT) != ui->search.backwards, false);
		break;
	case ACTION_HISTORY_BACK:
	case ACTION_HISTORY_FORTH: history_step(ui, action == ACTION_HISTORY_BACK); break;
	case ACTION_GOTO: go_to(ui, text); break;
	case ACTION_MARK:
		if (ui->cursor_seq != SELECTION_NONE)
			view_mark_toggle(s, ui->cursor_seq);
		keep_marks_save(ui);
		break;
	case ACTION_NOTE:
		if (text && ui->cursor_seq != SELECTION_NONE) {
			view_mark_note(s, ui->cursor_seq, text);
			keep_marks_save(ui);
		} else if (ui->cursor_seq != SELECTION_NONE) {
			prompt_note(ui);
		}
		break;
	case ACTION_MARK_NEXT: jump_mark(ui, count); break;
	case ACTION_COPY: copy_line(ui, p); break;
	case ACTION_COPY_COMMAND: copy_command(ui); break;
	case ACTION_WRITE:
		if (text)
			ui_write(ui, text);
		else
			prompt_write(ui);
		break;
	case ACTION_FREEZE:
		view_set_frozen(s, !s->frozen);
		ui_flash(ui, s->frozen ? "frozen: nothing moves until p; the capture goes on"
				       : "moving again");
		ui_changed(ui, CHANGE_ALL);
		break;
	case ACTION_PAUSE:
	case ACTION_DETACH:
	case ACTION_ATTACH:
	case ACTION_CHILDREN: live(ui, action); break;
	case ACTION_DOCTOR: {
		const struct process_info *process = view_process(s);
		if (ui->options.start && ui->options.start->doctor && process) {
			struct strbuf b = { 0 };
			ui->options.start->doctor(ui->options.start_ctx, (int)process->pid, &b);
			ui_dialog(ui, strbuf_str(&b));
			strbuf_fini(&b);
		} else {
			ui_flash(ui,
				 "auditview doctor PID tells whether a process can be attached to");
		}
		break;
	}
	case ACTION_TIME_MODE: {
		static const char *const says[] = { "seconds since the start",
						    "since the row above", "wall clock" };
		ui->time_mode = (enum time_mode)((ui->time_mode + 1) % TIME_MODE_COUNT);
		ui_flash(ui, "time: %s", says[ui->time_mode]);
		ui_changed(ui, CHANGE_SIZE);
		break;
	}
	case ACTION_SOURCE_EDIT: edit_source(ui); break;
	case ACTION_SOURCE_DIR: add_source_dir(ui, text); break;
	case ACTION_COLUMNS:
		if (text) {
			struct err *err = config_columns(text, &ui->config.columns);
			if (err)
				ui_flash_err(ui, err);
			ui_changed(ui, CHANGE_SIZE);
		} else {
			prompt_command(ui, "columns time thread event arguments caller");
		}
		break;
	case ACTION_THEME: set_theme(ui, text); break;
	case ACTION_MOUSE:
		ui->mouse = !ui->mouse;
		ui->mouse_changed = true;
		ui_flash(ui, ui->mouse ? "mouse on" : "mouse off: the terminal selects again");
		break;
	case ACTION_REDRAW: ui->wants_redraw = true; break;
	case ACTION_SUSPEND: ui->wants_suspend = true; break;
	case ACTION_COMMAND: prompt_command(ui, text ? text : ""); break;
	case ACTION_MAXIMISE:
		if (!ui->pages.n) {
			ui->wish.maximised = ui->wish.maximised == PANE_NONE ? p->id : PANE_NONE;
			ui_relayout(ui);
		}
		break;
	case ACTION_ROTATE:
		ui->wish.rotate = !ui->wish.rotate;
		ui->config.details = 0;
		ui_relayout(ui);
		break;
	case ACTION_NARROWER:
	case ACTION_WIDER: {
		int by = (int)(count ? (count < 100 ? count : 100) : 2) *
			 (action == ACTION_WIDER ? 1 : -1);
		if (p->id == PANE_CATEGORIES)
			ui->wish.categories_delta += by;
		else if ((ui->layout.form == LAYOUT_WIDE) != ui->wish.rotate)
			ui->wish.side_delta += p->id == PANE_EVENTS ? -by : by;
		else
			ui->wish.details_delta += p->id == PANE_EVENTS ? -by / 2 : by / 2;
		ui_relayout(ui);
		break;
	}
	case ACTION_EXPLAIN:
	case ACTION_CATALOG: {
		struct strbuf name = { 0 };
		struct event e;
		if (text)
			strbuf_adds(&name, text);
		else if (action == ACTION_EXPLAIN && s && ui->cursor_seq != SELECTION_NONE &&
			 trace_event(s->trace, ui->cursor_seq, &e)) {
			size_t n;
			const char *t = trace_name(s->trace, e.name, &n);
			strbuf_add(&name, t, n);
		}
		ui_open_page(ui, PANE_CATALOG);
		if (ui->panes[PANE_CATALOG] && name.n)
			pane_catalog_show(ui->panes[PANE_CATALOG], strbuf_str(&name));
		strbuf_fini(&name);
		break;
	}
	case ACTION_SUMMARY:
		ui_open_page(ui, PANE_SUMMARY);
		if (text && ui->panes[PANE_SUMMARY])
			pane_summary_by(ui->panes[PANE_SUMMARY], text);
		break;
	case ACTION_GROUP_BY:
		ui_open_page(ui, PANE_SUMMARY);
		if (text && ui->panes[PANE_SUMMARY])
			pane_summary_by(ui->panes[PANE_SUMMARY], text);
		break;
	case ACTION_DIFF: {
		struct pane *diff = ui_pane(ui, PANE_DIFF);
		if (!diff || (text && !pane_diff_with(diff, text)))
			break;
		ui_open_page(ui, PANE_DIFF);
		if (!text && !pane_diff_has(diff))
			prompt_command(ui, "diff ");
		break;
	}
	case ACTION_TERMINAL:
		if (s->terminal_fd < 0)
			ui_flash(ui,
				 "the program was not started here, so its terminal is elsewhere");
		else
			ui_open_page(ui, PANE_TERMINAL);
		break;
	case ACTION_CALLERS:
	case ACTION_PROCESSES:
	case ACTION_TIMELINE:
	case ACTION_BYTES:
	case ACTION_MESSAGES:
	case ACTION_MARKS:
	case ACTION_FILTERS:
	case ACTION_LESSONS:
		if (pane_of_action(action) == p->id && ui->pages.n)
			ui_close_page(ui);
		else
			ui_open_page(ui, pane_of_action(action));
		break;
	case ACTION_FOLLOW:
	case ACTION_FIRST_NEXT:
	case ACTION_FIRST_PREV:
	case ACTION_STORY_NEXT:
	case ACTION_STORY_PREV:
	case ACTION_FOLD_ALL:
		/* the list does these from wherever the focus is */
		if (p->id != PANE_EVENTS && ui_pane(ui, PANE_EVENTS))
			ui->panes[PANE_EVENTS]->ops->act(ui->panes[PANE_EVENTS], action, count,
							 text);
		break;
	case ACTION_DOWN:
	case ACTION_UP:
	case ACTION_PAGE_DOWN:
	case ACTION_PAGE_UP:
	case ACTION_HALF_DOWN:
	case ACTION_HALF_UP:
	case ACTION_TOP:
	case ACTION_BOTTOM:
	case ACTION_LEFT:
	case ACTION_RIGHT:
	case ACTION_OPEN:
	case ACTION_FOLD:
	case ACTION_SORT:
	case ACTION_STACK_MODE:
	case ACTION_TOGGLE:
	case ACTION_TRY:
	case ACTION_HINT:
	case ACTION_COUNT: break;
	}
}

void ui_act(struct ui *ui, enum action action, uint64_t count, const char *text)
{
	struct pane *p = ui_focused(ui);
	if (!p || action >= ACTION_COUNT)
		return;
	ui->dirty = true;
	/* these are always the app's: a pane that searched or filtered in its own way would
	 * surprise */
	bool app_first = action == ACTION_SEARCH || action == ACTION_SEARCH_BACK;
	if (app_first || !p->ops->act(p, action, count, text))
		app_act(ui, p, action, count, text);
	if (ui->cursor_waits && ui->s) {
		ui->cursor_waits = false;
		ui_changed(ui, CHANGE_CURSOR);
	}
}

static void answer_quit(struct ui *ui, int key)
{
	ui->asked_quit = false;
	ui->flash[0] = 0;
	if (key != 'w' && key != 'd' && key != 't' && key != 'k')
		return;
	if (ui->s->live->leave) {
		struct err *err = ui->s->live->leave(ui->s->live_ctx, key);
		if (err) {
			ui_flash_err(ui, err);
			return;
		}
	}
	ui->s->is_left = true;
	if (ui->asked_back)
		ui_pop_source(ui);
	else
		quit(ui);
}

/* What is typed while a search runs acts on what it finds; Esc and Ctrl-C stop it, and then the
 * rest of what was typed is void. */
static bool wait_for_search(struct ui *ui, struct input in)
{
	if (!pane_events_is_searching(ui))
		return false;
	if (in.kind == INPUT_KEY &&
	    (in.key == KEY_ESC_ || in.key == KEY_CTRL('c') || in.key == KEY_CTRL('g'))) {
		ui->waiting.n = 0;
		pane_events_search_stop(ui);
		return true;
	}
	return ui->waiting.n < 1000 && vec_push(&ui->waiting, in);
}

bool ui_input_waiting(struct ui *ui)
{
	while (ui->waiting.n && !ui->quit && !pane_events_is_searching(ui)) {
		struct input in = ui->waiting.v[0];
		memmove(ui->waiting.v, ui->waiting.v + 1, --ui->waiting.n * sizeof(in));
		ui_input(ui, in);
	}
	return pane_events_is_searching(ui);
}

/* A filter that was just set has until the next key, or 100 ms, for its first rows: what is typed
 * ahead acts on them. */
static void settle_filter(struct ui *ui)
{
	bool changed = false;
	ui->filter_is_new = false;
	if (!ui->s)
		return;
	view_work(ui->s, 100000000, &changed);
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
			answer_quit(ui, in.key);
		return;
	}
	if (ui->flash[0]) {
		ui->flash[0] = 0;
		ui->flash_until_ns = 0;
	}
	if (prompt_is_open(&ui->prompt)) {
		prompt_input(&ui->prompt, ui, in);
		return;
	}
	struct pane *p = ui_focused(ui);
	if (!p)
		return;
	/* y copies what it says; any other key shuts it */
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
