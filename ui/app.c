/*
 * app: the screen as a whole: created, advanced in time, drawn. There is no terminal here:
 * app_loop.c has the loop, app_actions.c the actions, app_input.c keys and mouse.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/monotonic.h"
#include "base/tr.h"
#include "ui/app_actions.h"
#include "ui/app_header.h"
#include "ui/app_input.h"
#include "ui/app_keep.h"
#include "ui/app_messages.h"
#include "ui/app_now.h"
#include "ui/app_panes.h"
#include "ui/app_places.h"
#include "ui/app_prompts.h"
#include "ui/app_quit.h"
#include "ui/app_session.h"
#include "ui/app_state.h"
#include "ui/app_terminal.h"
#include "ui/area.h"
#include "ui/frame.h"
#include "ui/keymap.h"
#include "ui/pane_events.h"
#include "ui/pane_lesson.h"
#include "ui/text.h"

static const uint64_t ms = 1000000;

/* ---- what panes ask for ---- */

static void redraw(struct app *app)
{
	app->dirty = true;
}

static void follow(struct app *app, bool on)
{
	app->host.following = on;
}

static void ask(struct app *app, const struct prompt_ops *prompt, const char *text)
{
	prompt_open(&app->prompt, &app->host, prompt, text);
}

static const struct host_ops host_ops = {
	.act = app_act,
	.flash = app_vflash,
	.flash_err = app_flash_err,
	.dialog = app_dialog,
	.copy = app_copy,
	.redraw = redraw,
	.changed = app_changed,
	.set_filter = app_set_filter,
	.narrow = app_narrow,
	.go_to = app_goto,
	.set_cursor = app_set_cursor,
	.follow = follow,
	.remember_place = app_remember_place,
	.focus = app_focus,
	.open_page = app_open_page,
	.close_pages = app_close_pages,
	.pane = app_pane,
	.open_source = app_open_source,
	.ask = ask,
	.keep_marks = app_keep_marks,
};

static void keep_history(const struct pane_host *host, int history, const char *text)
{
	app_keep_history(host->app, history, text);
}

static const char *take_message(const struct pane_host *host)
{
	static char taken[sizeof(host->app->flash)];
	memcpy(taken, host->app->flash, sizeof(taken));
	host->app->flash[0] = 0;
	return taken[0] ? taken : NULL;
}

static const struct prompt_owner prompt_owner = { .keep = keep_history,
						  .take_message = take_message };

static void host_init(struct app *app)
{
	app->host = (struct pane_host){
		.ops = &host_ops,
		.app = app,
		.cursor_seq = SELECTION_NONE,
		.page = PANE_NONE,
		.focused = PANE_NONE,
		.search = &app->search,
		.toggles = &app->toggles,
		.config = &app->config,
		.keys = app->keys,
		.messages = &app->messages,
		.source_dirs = app->source_dirs,
		.start = app->options.start,
		.start_ctx = app->options.start_ctx,
		.no_config = app->options.no_config,
	};
	app->prompt.owner = &prompt_owner;
}

/* ---- making and destroying ---- */

static void report_config(void *ctx, int line, const char *message)
{
	struct app *app = ctx;
	app_message(app, "config", SELECTION_NONE, true, "line %d of the config: %s", line,
		    message);
	app_flash(app, "config line %d: %s", line, message);
}

struct err *app_create(const struct app_options *options, struct app **ret)
{
	CLEANUP(app) struct app *app = calloc(1, sizeof(*app));
	if (!app)
		return err_no_memory();
	app->options = *options;
	app->options.source = (struct app_source){ .terminal_fd = -1 };
	struct app_source source = options->source;
	app->wish.maximised = app->wish.page = PANE_NONE;
	app->drag_pane = PANE_NONE;
	app->focus = PANE_EVENTS;
	struct err *err = config_init(&app->config);
	if (!err)
		err = keymap_create(&app->keys);
	if (err) {
		trace_close(source.trace);
		free(source.path);
		free(source.title);
		return err;
	}
	host_init(app);
	app_load_history(app);
	if (!options->no_config)
		config_load(&app->config, app->keys, report_config, app);
	app->host.time_mode = app->config.time;
	app->own_columns = app->config.columns;
	app->theme_name = app->config.theme;
	app->theme = themes[0]; /* in use until the terminal's background is known */
	app->mouse = app->config.mouse;
	app->wish.hide_timeline = !app->config.timeline;
	if (!canvas_resize(&app->canvas, 24, 80))
		err = err_no_memory();
	app->wish.n_lines = 24;
	app->wish.n_columns = app->host.n_columns = 80;
	if (!err && source.trace) {
		err = app_new_session(app, &source, NULL);
		if (!err && options->filter && *options->filter)
			err = view_set_filter(app->host.view, options->filter);
		if (!err)
			toggles_read(&app->toggles, app->host.view->filter);
	}
	if (err)
		return err;
	if (!app->host.view)
		app_open_page(app, PANE_START);
	if (options->lesson)
		pane_lesson_begin(&app->host, atoi(options->lesson));
	app_relayout(app);
	if (options->command)
		app_command(app, options->command);
	app->dirty = true;
	*ret = take_ptr(app);
	return NULL;
}

void app_destroy(struct app *app)
{
	if (!app)
		return;
	app_keep_look(app);
	for (int i = 0; i < PANE_COUNT; i++)
		if (app->panes[i])
			app->panes[i]->ops->close(app->panes[i]);
	prompt_fini(&app->prompt);
	for (size_t i = 0; i < app->messages.n; i++) {
		free(app->messages.v[i].kind);
		free(app->messages.v[i].text);
	}
	vec_fini(&app->messages);
	for (size_t i = 0; i < app->history.n; i++)
		free(app->history.v[i].filter);
	vec_fini(&app->history);
	vec_fini(&app->pages);
	vec_fini(&app->waiting);
	for (size_t i = 0; i < app->levels.n; i++) {
		vec_fini(&app->levels.v[i].pages);
		view_destroy(app->levels.v[i].view);
	}
	vec_fini(&app->levels);
	for (size_t i = 0; i < ARRAY_LEN(app->source_dirs); i++)
		free(app->source_dirs[i]);
	toggles_fini(&app->toggles);
	search_fini(&app->search);
	free(app->dialog);
	free(app->prompt_old_filter);
	free(app->prompt_old_search);
	free(app->copied);
	free(app->edit_file);
	view_destroy(app->host.view);
	keymap_destroy(app->keys);
	config_fini(&app->config);
	canvas_fini(&app->canvas);
	free(app);
}

/* ---- time ---- */

static void report_notes(struct app *app)
{
	struct view *s = app->host.view;
	for (; app->notes_reported < trace_n_notes(s->trace); app->notes_reported++) {
		const struct trace_note *n = trace_note_get(s->trace, app->notes_reported);
		static const char *const kinds[NOTE_KIND_COUNT] = {
			[NOTE_LOST] = N_("! lost"),       [NOTE_ATTACHED] = N_("attached"),
			[NOTE_DETACHED] = N_("detached"), [NOTE_PAUSED] = N_("paused"),
			[NOTE_RESUMED] = N_("resumed"),   [NOTE_EXITED] = N_("ended"),
			[NOTE_EXEC] = N_("exec"),         [NOTE_FINALISED] = N_("finished"),
			[NOTE_MESSAGE] = N_("note"),      [NOTE_WARNING] = N_("! warning"),
			[NOTE_GOODBYE] = N_("goodbye"),   [NOTE_COUNTED] = N_("counted"),
		};
		struct strbuf b = { 0 };
		text_note(&b, s, n);
		bool trouble = n->note.kind == NOTE_LOST || n->note.kind == NOTE_WARNING;
		if (n->note.kind < NOTE_KIND_COUNT) {
			app_message(app, kinds[n->note.kind], n->seq, trouble, "%s",
				    strbuf_str(&b));
			if (app->messages
				.n) /* the time of the note, not the time at which it was read */
				app->messages.v[app->messages.n - 1].wall_ns =
				    trace_about_get(s->trace)->wall_anchor_ns + n->note.time_ns;
		}
		if (s->live && (n->note.kind == NOTE_WARNING || n->note.kind == NOTE_LOST))
			app_flash(app, "%s", strbuf_str(&b));
		strbuf_fini(&b);
	}
	const char *damage = trace_damage_news(s->trace);
	if (damage && trace_is_disturbed(s->trace))
		app_flash(app, "%s", damage);
	if (damage)
		app_message(app, "! damaged", SELECTION_NONE, true, "%s", damage);
}

/* If only the newest events are kept, show a capture that begins later from time to time, but
 * not while the user looks at a page, or types. */
static void renew(struct app *app)
{
	struct view *s = app->host.view;
	if (!s || !s->live || !s->live->renew || app->host.now_ns - app->renewed_at_ns < 250 * ms)
		return;
	app->renewed_at_ns = app->host.now_ns;
	bool is_frozen = s->frozen || app->pages.n || app->dialog ||
			 pane_events_is_searching(app->panes[PANE_EVENTS]) ||
			 prompt_is_open(&app->prompt);
	struct trace *trace = s->live->renew(s->live_ctx, s->trace, is_frozen);
	if (!trace)
		return;
	report_notes(app);
	app_renew(app, trace);
}

bool app_advance(struct app *app, uint64_t now_ns, bool growth, uint64_t budget_ns)
{
	uint64_t begin_ns = monotonic_ns();
	if (!app->started_ns)
		app->started_ns = now_ns;
	app->host.now_ns = now_ns;
	if (app->flash[0] && app->flash_until_ns && now_ns >= app->flash_until_ns) {
		app->flash[0] = 0;
		app->dirty = true;
	}
	bool more = false;
	renew(app);
	struct view *s = app->host.view;
	if (growth)
		app->growth_waits = true;
	if (s) {
		unsigned changes = 0;
		bool changed = false;
		if (app->growth_waits && now_ns - app->refreshed_at_ns >= 95 * ms) {
			app->growth_waits = false;
			app->refreshed_at_ns = now_ns;
			uint64_t before = s->n_events;
			struct err *err = view_refresh(s, &changed);
			if (err)
				app_flash_err(app, err);
			if (s->live && s->live->is_alive && !s->finished)
				s->recorder_gone = !s->live->is_alive(s->live_ctx);
			if (changed)
				changes |= CHANGE_EVENTS;
			if (s->n_events != before && !s->frozen)
				app->last_growth_ns = now_ns;
		}
		bool worked = false;
		if (budget_ns) {
			double filter_done = s->filter_done;
			more = view_work(s, budget_ns, &worked);
			if (worked)
				changes |= CHANGE_EVENTS;
			if (filter_done < 1 && s->filter_done >= 1) {
				changes |= CHANGE_FILTER;
				if (prompt_is_open(&app->prompt))
					prompt_recheck(&app->prompt, &app->host);
			}
		}
		report_notes(app);
		app_quit_watch(app);
		app->asked_pause = app->asked_pause && view_has_target(s) && !s->recorder_gone;
		app_terminal_watch(app);
		app_now_watch(app);
		if (!s->frozen && (now_ns - app->header_at_ns >= 250 * ms || !app->header_at_ns)) {
			struct header before = app->header;
			app_header_take(app);
			app->header_at_ns = now_ns;
			/* other bytes between the members: one more frame is drawn */
			/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
			if (memcmp(&before, &app->header, sizeof(before))) {
				app->dirty = true;
				if (before.n_events != app->header.n_events)
					changes |= CHANGE_TICK;
			}
		}
		if (changes && !(s->frozen && changes == CHANGE_EVENTS))
			app_changed(app, changes);
	}
	if (!s && now_ns - app->ticked_at_ns >=
		      5000 * ms) { /* the start page looks for processes again */
		app->ticked_at_ns = now_ns;
		app_changed(app, CHANGE_TICK);
	}
	bool was_dirty = app->dirty;
	app->dirty = false;
	/* the panes get the time that the view did not need */
	for (int i = 0; i < PANE_COUNT && budget_ns; i++)
		if (app->panes[i] && app->panes[i]->ops->work && app->panes[i]->visible) {
			uint64_t spent = monotonic_ns() - begin_ns, least = budget_ns / 4;
			more |= app->panes[i]->ops->work(
			    app->panes[i], spent + least < budget_ns ? budget_ns - spent : least);
		}
	/* the prompt may show what they found */
	if (app->dirty && prompt_is_open(&app->prompt))
		prompt_recheck(&app->prompt, &app->host);
	app->dirty |= was_dirty;
	/* keys that waited may have begun other work */
	size_t n_waiting = app->waiting.n;
	return app_input_waiting(app) || more || app->waiting.n != n_waiting;
}

uint64_t app_deadline(const struct app *app)
{
	uint64_t at = UINT64_MAX;
	if (app->flash[0])
		at = app->flash_until_ns;
	if (!app->host.view && app->ticked_at_ns + 5000 * ms < at)
		at = app->ticked_at_ns + 5000 * ms;
	if (app_terminal_deadline(app) < at)
		at = app_terminal_deadline(app);
	if (app_now_deadline(app) < at)
		at = app_now_deadline(app);
	if (app->host.view && app->growth_waits && app->refreshed_at_ns + 100 * ms < at)
		at = app->refreshed_at_ns + 100 * ms;
	/* The header is updated four times a second. Events that came after the last update must be
	 * counted even if no further event comes. */
	if (app->host.view && !app->host.view->frozen &&
	    app->header.n_events != app->host.view->n_events && app->header_at_ns + 250 * ms < at)
		at = app->header_at_ns + 250 * ms;
	if (app->host.view && view_is_live(app->host.view) && !app->host.view->frozen) {
		/* "quiet 12s": update often after the last event, then less and less often */
		uint64_t quiet = app->last_growth_ns ? app->host.now_ns - app->last_growth_ns : 0;
		uint64_t step = quiet < 3000 * ms    ? 500 * ms
				: quiet < 60000 * ms ? 5000 * ms
						     : 60000 * ms;
		if (app->last_growth_ns && app->header_at_ns + step < at)
			at = app->header_at_ns + step;
	}
	return at;
}

/* ---- drawing ---- */

static void draw_pane(struct app *app, enum pane_id id)
{
	struct rect r = app->layout.panes[id];
	struct pane *p = app->panes[id];
	if (!r.n_lines || !p || !p->visible)
		return;
	struct area a = area_sub(canvas_area(&app->canvas), r.line, r.column, r.n_lines,
				 r.n_columns);
	area_clear(a);
	if (!app_has_title(app, id)) {
		p->ops->draw(p, a);
		return;
	}
	struct strbuf subject = { 0 }, facts = { 0 };
	if (p->ops->title)
		p->ops->title(p, &subject, &facts);
	bool is_held = app->is_dragging && app->drag_pane == id;
	frame_draw_title(area_sub(a, 0, 0, 1, a.n_columns), app_focused(app) == p || is_held,
			 tr(panes[id].title), strbuf_str(&subject), strbuf_str(&facts));
	strbuf_fini(&subject);
	strbuf_fini(&facts);
	p->ops->draw(p, area_sub(a, 1, 0, a.n_lines - 1, a.n_columns));
}

/* The columns that the further lines of a long line leave free: as its text, which follows words
 * that stand in columns, each with two spaces after it; or its own spaces. */
static int hang_of(const char *line, size_t n)
{
	enum { HANG_MAX = 24 };
	size_t own = strspn(line, " "), at = own, hang = own < HANG_MAX ? own : 0;
	while (at + 1 < n && at < HANG_MAX) {
		while (at + 1 < n && at < HANG_MAX && !(line[at] == ' ' && line[at + 1] == ' '))
			at++;
		if (at + 1 >= n || at >= HANG_MAX)
			break;
		at += strspn(line + at, " ");
		if (at < n && at < HANG_MAX)
			hang = at;
	}
	return text_width(line, hang);
}

/* Draw the lines of a dialog, each wrapped to the width of the area; with a NULL area nothing is
 * drawn. Returns how many lines there are. */
static int put_dialog(const struct area *a, const char *text, int width)
{
	int y = 0;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "\n"), used = text_break(p, n, width);
		int hang = hang_of(p, n);
		if (hang > width / 2)
			hang = 0;
		if (a && y < a->n_lines)
			area_put_n(*a, y, 1, -1, ROLE_TEXT, p, used);
		for (y++; used < n; y++) {
			used += strspn(p + used, " ");
			size_t more = text_break(p + used, n - used, width - hang);
			if (a && y < a->n_lines)
				area_put_n(*a, y, 1 + hang, -1, ROLE_TEXT, p + used, more);
			used += more;
		}
		p += n + (p[n] == '\n');
	}
	return y;
}

static void draw_dialog(struct app *app)
{
	enum { WIDE_MAX = 100 };
	struct area all = canvas_area(&app->canvas);
	size_t title = strcspn(app->dialog, "\n");
	const char *rest = app->dialog + title + (app->dialog[title] == '\n');
	int wide = 20;
	for (const char *p = app->dialog; *p;) {
		size_t n = strcspn(p, "\n");
		int w = text_width(p, n);
		if (w > wide)
			wide = w;
		p += n + (p[n] == '\n');
	}
	if (wide > WIDE_MAX)
		wide = WIDE_MAX;
	if (wide > all.n_columns - 8)
		wide = all.n_columns - 8;
	int lines = put_dialog(NULL, rest, wide) + 1;
	if (lines > all.n_lines - 3)
		lines = all.n_lines - 3;
	char head[200];
	snprintf(head, sizeof(head), "%.*s", (int)(title < 190 ? title : 190), app->dialog);
	struct area in = frame_draw_box(all, (all.n_lines - lines - 1) / 2,
					(all.n_columns - wide - 4) / 2, lines + 1, wide + 4, head);
	put_dialog(&in, rest, wide);
}

/* A message that is longer than the last line takes the lines above it, too: its end says what to
 * do. */
static void draw_flash(struct app *app, struct area all, struct area last)
{
	enum { FLASH_LINES_MAX = 5 };
	int width = last.n_columns - 2, n = put_dialog(NULL, app->flash, width);
	if (n > FLASH_LINES_MAX)
		n = FLASH_LINES_MAX;
	if (n > all.n_lines / 2)
		n = all.n_lines / 2;
	if (n <= 1) {
		area_put_cut(last, 0, 1, -1, ROLE_TEXT, app->flash);
		return;
	}
	struct area a = area_sub(all, all.n_lines - n, 0, n, all.n_columns);
	area_clear(a);
	put_dialog(&a, app->flash, width);
}

void app_draw(struct app *app)
{
	/* A frame shows one moment: all panes are about the row that the cursor is on now. */
	for (int i = 0; i < 3 && app->host.view && app->cursor_waits; i++) {
		app->cursor_waits = false;
		app_changed(app, CHANGE_CURSOR);
	}
	canvas_clear(&app->canvas);
	struct area all = canvas_area(&app->canvas);
	app->dirty = app->filter_is_new = false;
	if (app->layout.form == LAYOUT_TOO_SMALL) {
		area_put_cut(all, 0, 0, -1, ROLE_TEXT, tr("auditview needs 40 × 8"));
		return;
	}
	if (prompt_n_lines(&app->prompt, app->wish.n_columns) != app->wish.prompt_lines)
		app_relayout(app);
	app->host.focused = app_focused_id(app);
	struct area line = area_sub(all, 0, 0, 1, all.n_columns);
	if (app->host.view)
		app_header_draw(app, line);
	else {
		int x = 1 + area_put(line, 0, 1, -1, ROLE_FOCUS, "auditview");
		area_put(line, 0, x + 2, -1, ROLE_DIM, tr("what does a Python process really do?"));
		if (app_focused_id(app) == PANE_START)
			area_put_right(line, 0, all.n_columns - 11, 10, ROLE_DIM, tr("/ narrow"));
	}
	for (int i = 0; i < PANE_COUNT; i++)
		if (i != PANE_CATEGORIES)
			draw_pane(app, (enum pane_id)i);
	draw_pane(app, PANE_CATEGORIES); /* the drawer covers part of the list */
	for (int i = 0; i < app->layout.n_bars; i++) {
		const struct rect *r = &app->layout.bars[i];
		bool is_held = app->is_dragging && app->drag_pane == PANE_NONE &&
			       app->drag_column == r->column && app->drag_line >= r->line &&
			       app->drag_line < r->line + r->n_lines;
		for (int y = 0; y < r->n_lines; y++)
			area_put(all, r->line + y, r->column, 1, is_held ? ROLE_FOCUS : ROLE_DIM,
				 is_held ? "┃" : "│");
	}
	const struct rect *r = &app->layout.last;
	app->n_key_spans = 0;
	struct area last = area_sub(all, r->line, r->column, r->n_lines, r->n_columns);
	if (prompt_is_open(&app->prompt))
		prompt_draw(&app->prompt, all, last);
	else if (app->flash[0])
		draw_flash(app, all, last);
	else if (app->dialog) /* app_input() */
		area_put_cut(last, 0, 1, -1, ROLE_DIM, tr("y copies it, any other key closes it"));
	else
		app_header_draw_keys(app, last);
	if (app->dialog)
		draw_dialog(app);
	if (app->host.view)
		trace_trim(app->host.view->trace);
}
