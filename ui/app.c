/*
 * app: the screen as a whole: created, advanced in time, drawn. There is no terminal here:
 * app_loop.c has the loop.
Actions: app_actions.c; keys and mouse: app_input.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/monotonic.h"
#include "ui/frame.h"
#include "ui/pane_lesson.h"
#include "ui/ui.h"

static const uint64_t ms = 1000000;

/* ---- what panes ask for ---- */

static void redraw(struct ui *ui)
{
	ui->dirty = true;
}

static void follow(struct ui *ui, bool on)
{
	ui->host.following = on;
}

static void ask(struct ui *ui, const struct prompt_ops *prompt)
{
	prompt_open(&ui->prompt, &ui->host, prompt, "");
}

static const struct host_ops host_ops = {
	.act = ui_act,
	.flash = ui_vflash,
	.flash_err = ui_flash_err,
	.dialog = ui_dialog,
	.copy = ui_copy,
	.redraw = redraw,
	.changed = ui_changed,
	.set_filter = ui_set_filter,
	.narrow = ui_narrow,
	.go_to = ui_goto,
	.set_cursor = ui_set_cursor,
	.follow = follow,
	.remember_place = ui_remember_place,
	.focus = ui_focus,
	.open_page = ui_open_page,
	.close_pages = ui_close_pages,
	.pane = ui_pane,
	.open_source = ui_open_source,
	.ask = ask,
	.keep_marks = ui_keep_marks,
};

static void keep_history(const struct pane_host *host, int history, const char *text)
{
	ui_keep_history(host->ui, history, text);
}

static const char *take_message(const struct pane_host *host)
{
	static char taken[sizeof(host->ui->flash)];
	memcpy(taken, host->ui->flash, sizeof(taken));
	host->ui->flash[0] = 0;
	return taken[0] ? taken : NULL;
}

static const struct prompt_owner prompt_owner = { .keep = keep_history,
						  .take_message = take_message };

static void host_init(struct ui *ui)
{
	ui->host = (struct pane_host){
		.ops = &host_ops,
		.ui = ui,
		.cursor_seq = SELECTION_NONE,
		.page = PANE_NONE,
		.focused = PANE_NONE,
		.search = &ui->search,
		.toggles = &ui->toggles,
		.config = &ui->config,
		.keys = ui->keys,
		.messages = &ui->messages,
		.source_dirs = ui->source_dirs,
		.start = ui->options.start,
		.start_ctx = ui->options.start_ctx,
		.no_config = ui->options.no_config,
	};
	ui->prompt.owner = &prompt_owner;
}

/* ---- making and destroying ---- */

static void report_config(void *ctx, int line, const char *message)
{
	struct ui *ui = ctx;
	ui_message(ui, "config", SELECTION_NONE, true, "line %d of the config: %s", line, message);
	ui_flash(ui, "config line %d: %s", line, message);
}

struct err *ui_create(const struct ui_options *options, struct ui **ret)
{
	CLEANUP(ui) struct ui *ui = calloc(1, sizeof(*ui));
	if (!ui)
		return err_no_memory();
	ui->options = *options;
	ui->options.source = (struct ui_source){ .terminal_fd = -1 };
	struct ui_source source = options->source;
	ui->wish.maximised = ui->wish.page = PANE_NONE;
	ui->drag_pane = PANE_NONE;
	ui->focus = PANE_EVENTS;
	struct err *err = config_init(&ui->config);
	if (!err)
		err = keymap_create(&ui->keys);
	if (err) {
		trace_close(source.trace);
		free(source.path);
		free(source.title);
		return err;
	}
	host_init(ui);
	ui_load_history(ui);
	if (!options->no_config)
		config_load(&ui->config, ui->keys, report_config, ui);
	ui->host.time_mode = ui->config.time;
	ui->theme_name = ui->config.theme;
	ui->theme = themes[0]; /* in use until the terminal's background is known */
	ui->mouse = ui->config.mouse;
	ui->wish.hide_timeline = !ui->config.timeline;
	if (!canvas_resize(&ui->canvas, 24, 80))
		err = err_no_memory();
	ui->wish.n_lines = 24;
	ui->wish.n_columns = ui->host.n_columns = 80;
	if (!err && source.trace) {
		err = ui_new_session(ui, &source, NULL);
		if (!err && options->filter && *options->filter)
			err = view_set_filter(ui->host.view, options->filter);
		if (!err)
			toggles_read(&ui->toggles, ui->host.view->filter);
	}
	if (err)
		return err;
	if (!ui->host.view)
		ui_open_page(ui, PANE_START);
	if (options->lesson)
		pane_lesson_begin(&ui->host, atoi(options->lesson));
	ui_relayout(ui);
	if (options->command)
		ui_command(ui, options->command);
	ui->dirty = true;
	*ret = take_ptr(ui);
	return NULL;
}

void ui_destroy(struct ui *ui)
{
	if (!ui)
		return;
	for (int i = 0; i < PANE_COUNT; i++)
		if (ui->panes[i])
			ui->panes[i]->ops->close(ui->panes[i]);
	prompt_fini(&ui->prompt);
	for (size_t i = 0; i < ui->messages.n; i++) {
		free(ui->messages.v[i].kind);
		free(ui->messages.v[i].text);
	}
	vec_fini(&ui->messages);
	for (size_t i = 0; i < ui->history.n; i++)
		free(ui->history.v[i].filter);
	vec_fini(&ui->history);
	vec_fini(&ui->pages);
	vec_fini(&ui->waiting);
	for (size_t i = 0; i < ui->levels.n; i++) {
		vec_fini(&ui->levels.v[i].pages);
		view_destroy(ui->levels.v[i].view);
	}
	vec_fini(&ui->levels);
	for (size_t i = 0; i < ARRAY_LEN(ui->source_dirs); i++)
		free(ui->source_dirs[i]);
	toggles_fini(&ui->toggles);
	search_fini(&ui->search);
	free(ui->dialog);
	free(ui->prompt_old_filter);
	free(ui->copied);
	free(ui->edit_file);
	view_destroy(ui->host.view);
	keymap_destroy(ui->keys);
	config_fini(&ui->config);
	canvas_fini(&ui->canvas);
	free(ui);
}

/* ---- time ---- */

static void report_notes(struct ui *ui)
{
	struct view *s = ui->host.view;
	for (; ui->notes_reported < trace_n_notes(s->trace); ui->notes_reported++) {
		const struct trace_note *n = trace_note_get(s->trace, ui->notes_reported);
		static const char *const kinds[NOTE_KIND_COUNT] = {
			[NOTE_LOST] = "! lost",       [NOTE_ATTACHED] = "attached",
			[NOTE_DETACHED] = "detached", [NOTE_PAUSED] = "paused",
			[NOTE_RESUMED] = "resumed",   [NOTE_EXITED] = "ended",
			[NOTE_EXEC] = "exec",         [NOTE_FINALISED] = "finished",
			[NOTE_MESSAGE] = "note",      [NOTE_WARNING] = "! warning",
			[NOTE_GOODBYE] = "goodbye",
		};
		struct strbuf b = { 0 };
		note_text(&b, s, n);
		bool trouble = n->note.kind == NOTE_LOST || n->note.kind == NOTE_WARNING;
		if (n->note.kind < NOTE_KIND_COUNT) {
			ui_message(ui, kinds[n->note.kind], n->seq, trouble, "%s", strbuf_str(&b));
			if (ui->messages
				.n) /* the time of the note, not the time at which it was read */
				ui->messages.v[ui->messages.n - 1].wall_ns =
				    trace_about_get(s->trace)->wall_anchor_ns + n->note.time_ns;
		}
		if (s->live && (n->note.kind == NOTE_WARNING || n->note.kind == NOTE_LOST))
			ui_flash(ui, "%s", strbuf_str(&b));
		strbuf_fini(&b);
	}
	const char *damage = trace_damage_news(s->trace);
	if (damage && trace_is_disturbed(s->trace))
		ui_flash(ui, "%s", damage);
	if (damage)
		ui_message(ui, "! damaged", SELECTION_NONE, true, "%s", damage);
}

bool ui_advance(struct ui *ui, uint64_t now_ns, bool growth, uint64_t budget_ns)
{
	uint64_t begin_ns = monotonic_ns();
	if (!ui->started_ns)
		ui->started_ns = now_ns;
	ui->host.now_ns = now_ns;
	if (ui->flash[0] && ui->flash_until_ns && now_ns >= ui->flash_until_ns) {
		ui->flash[0] = 0;
		ui->dirty = true;
	}
	bool more = false;
	struct view *s = ui->host.view;
	if (growth)
		ui->growth_waits = true;
	if (s) {
		unsigned changes = 0;
		bool changed = false;
		if (ui->growth_waits && now_ns - ui->refreshed_at_ns >= 95 * ms) {
			ui->growth_waits = false;
			ui->refreshed_at_ns = now_ns;
			uint64_t before = s->n_events;
			struct err *err = view_refresh(s, &changed);
			if (err)
				ui_flash_err(ui, err);
			if (s->live && s->live->is_alive && !s->finished)
				s->recorder_gone = !s->live->is_alive(s->live_ctx);
			if (changed)
				changes |= CHANGE_EVENTS;
			if (s->n_events != before && !s->frozen)
				ui->last_growth_ns = now_ns;
		}
		bool worked = false;
		if (budget_ns) {
			double filter_done = s->filter_done;
			more = view_work(s, budget_ns, &worked);
			if (worked)
				changes |= CHANGE_EVENTS;
			if (filter_done < 1 && s->filter_done >= 1) {
				changes |= CHANGE_FILTER;
				if (prompt_is_open(&ui->prompt))
					prompt_recheck(&ui->prompt, &ui->host);
			}
		}
		report_notes(ui);
		if (!s->frozen && (now_ns - ui->header_at_ns >= 250 * ms || !ui->header_at_ns)) {
			struct header before = ui->header;
			header_take(ui);
			ui->header_at_ns = now_ns;
			if (memcmp(&before, &ui->header, sizeof(before))) {
				ui->dirty = true;
				if (before.n_events != ui->header.n_events)
					changes |= CHANGE_TICK;
			}
		}
		if (changes && !(s->frozen && changes == CHANGE_EVENTS))
			ui_changed(ui, changes);
	}
	if (!s &&
	    now_ns - ui->ticked_at_ns >= 5000 * ms) { /* the start page looks for processes again */
		ui->ticked_at_ns = now_ns;
		ui_changed(ui, CHANGE_TICK);
	}
	/* the panes get the time that the view did not need */
	for (int i = 0; i < PANE_COUNT && budget_ns; i++)
		if (ui->panes[i] && ui->panes[i]->ops->work && ui->panes[i]->visible) {
			uint64_t spent = monotonic_ns() - begin_ns, least = budget_ns / 4;
			more |= ui->panes[i]->ops->work(
			    ui->panes[i], spent + least < budget_ns ? budget_ns - spent : least);
		}
	return more || ui_input_waiting(ui);
}

uint64_t ui_deadline(const struct ui *ui)
{
	uint64_t at = UINT64_MAX;
	if (ui->flash[0])
		at = ui->flash_until_ns;
	if (!ui->host.view && ui->ticked_at_ns + 5000 * ms < at)
		at = ui->ticked_at_ns + 5000 * ms;
	if (ui->host.view && ui->growth_waits && ui->refreshed_at_ns + 100 * ms < at)
		at = ui->refreshed_at_ns + 100 * ms;
	/* The header is updated four times a second. Events that came after the last update must be
	 * counted even if no further event comes. */
	if (ui->host.view && !ui->host.view->frozen &&
	    ui->header.n_events != ui->host.view->n_events && ui->header_at_ns + 250 * ms < at)
		at = ui->header_at_ns + 250 * ms;
	if (ui->host.view && view_is_live(ui->host.view) && !ui->host.view->frozen) {
		/* "quiet 12s": update often after the last event, then less and less often */
		uint64_t quiet = ui->last_growth_ns ? ui->host.now_ns - ui->last_growth_ns : 0;
		uint64_t step = quiet < 3000 * ms    ? 500 * ms
				: quiet < 60000 * ms ? 5000 * ms
						     : 60000 * ms;
		if (ui->last_growth_ns && ui->header_at_ns + step < at)
			at = ui->header_at_ns + step;
	}
	return at;
}

/* ---- drawing ---- */

static void draw_pane(struct ui *ui, enum pane_id id)
{
	struct rect r = ui->layout.panes[id];
	struct pane *p = ui->panes[id];
	if (!r.n_lines || !p || !p->visible)
		return;
	struct area a = area_sub(canvas_area(&ui->canvas), r.line, r.column, r.n_lines,
				 r.n_columns);
	area_clear(a);
	if (!ui_has_title(ui, id)) {
		p->ops->draw(p, a);
		return;
	}
	struct strbuf subject = { 0 }, facts = { 0 };
	if (p->ops->title)
		p->ops->title(p, &subject, &facts);
	draw_title(area_sub(a, 0, 0, 1, a.n_columns), ui_focused(ui) == p, panes[id].title,
		   strbuf_str(&subject), strbuf_str(&facts));
	strbuf_fini(&subject);
	strbuf_fini(&facts);
	p->ops->draw(p, area_sub(a, 1, 0, a.n_lines - 1, a.n_columns));
}

static void draw_dialog(struct ui *ui)
{
	struct area all = canvas_area(&ui->canvas);
	int lines = 0, wide = 20;
	for (const char *p = ui->dialog; *p; lines++) {
		size_t n = strcspn(p, "\n");
		int w = text_width(p, n);
		if (w > wide)
			wide = w;
		p += n + (p[n] == '\n');
	}
	if (wide > all.n_columns - 8)
		wide = all.n_columns - 8;
	if (lines > all.n_lines - 3)
		lines = all.n_lines - 3;
	size_t title = strcspn(ui->dialog, "\n");
	char head[200];
	snprintf(head, sizeof(head), "%.*s", (int)(title < 190 ? title : 190), ui->dialog);
	struct area in = draw_box(all, (all.n_lines - lines - 1) / 2,
				  (all.n_columns - wide - 4) / 2, lines + 1, wide + 4, head);
	const char *p = ui->dialog + title + (ui->dialog[title] == '\n');
	for (int y = 0; y < in.n_lines && *p; y++) {
		size_t n = strcspn(p, "\n");
		area_put_n(in, y, 1, -1, ROLE_TEXT, p, n);
		p += n + (p[n] == '\n');
	}
}

void ui_draw(struct ui *ui)
{
	/* A frame shows one moment: all panes are about the row that the cursor is on now. */
	for (int i = 0; i < 3 && ui->host.view && ui->cursor_waits; i++) {
		ui->cursor_waits = false;
		ui_changed(ui, CHANGE_CURSOR);
	}
	canvas_clear(&ui->canvas);
	struct area all = canvas_area(&ui->canvas);
	ui->dirty = false;
	if (ui->layout.form == LAYOUT_TOO_SMALL) {
		area_put_cut(all, 0, 0, -1, ROLE_TEXT, "auditview needs 40 × 8");
		return;
	}
	if (prompt_n_lines(&ui->prompt, ui->wish.n_columns) != ui->wish.prompt_lines)
		ui_relayout(ui);
	ui->host.focused = ui_focused_id(ui);
	struct area line = area_sub(all, 0, 0, 1, all.n_columns);
	if (ui->host.view)
		draw_header(ui, line);
	else {
		int x = 1 + area_put(line, 0, 1, -1, ROLE_FOCUS, "auditview");
		area_put(line, 0, x + 2, -1, ROLE_DIM, "what does a Python process really do?");
	}
	for (int i = 0; i < PANE_COUNT; i++)
		if (i != PANE_CATEGORIES)
			draw_pane(ui, (enum pane_id)i);
	draw_pane(ui, PANE_CATEGORIES); /* the drawer covers part of the list */
	for (int i = 0; i < ui->layout.n_bars; i++) {
		const struct rect *r = &ui->layout.bars[i];
		for (int y = 0; y < r->n_lines; y++)
			area_put(all, r->line + y, r->column, 1, ROLE_DIM, "│");
	}
	const struct rect *r = &ui->layout.last;
	struct area last = area_sub(all, r->line, r->column, r->n_lines, r->n_columns);
	if (prompt_is_open(&ui->prompt))
		prompt_draw(&ui->prompt, all, last);
	else if (ui->flash[0])
		area_put_cut(last, 0, 1, -1, ROLE_TEXT, ui->flash);
	else
		draw_keys(ui, last);
	if (ui->dialog)
		draw_dialog(ui);
	if (ui->host.view)
		trace_trim(ui->host.view->trace);
}
