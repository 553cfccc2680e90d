/*
 * app: the state behind the screen: layout, focus, pages, messages, and what time brings. No
 * terminal here: run.c has the loop. Keys and actions: app_actions.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/monotonic.h"
#include "base/utf8.h"
#include "ui/keep.h"
#include "ui/ui.h"

static const uint64_t ms = 1000000;

static void report_config(void *ctx, int line, const char *message)
{
	struct ui *ui = ctx;
	ui_message(ui, "config", SELECTION_NONE, true, "line %d of the config: %s", line, message);
	ui_flash(ui, "config line %d: %s", line, message);
}

/* The view has changed: nothing of the one before counts. */
static void begin_view(struct ui *ui)
{
	ui->cursor_seq = SELECTION_NONE;
	ui->header = (struct header){ 0 };
	ui->header_at_ns = 0;
	ui->rate_at_ns = 0;
	ui->last_growth_ns = 0;
	ui->waiting.n = 0;
	for (size_t i = 0; i < ui->history.n; i++)
		free(ui->history.v[i].filter);
	ui->history.n = ui->history_at = 0;
}

/* The view before is destroyed, or with `old` handed out. */
static struct err *new_session(struct ui *ui, struct ui_source *source, struct view **old)
{
	struct view *s = NULL;
	struct err *err = view_create(source, &s);
	if (err)
		return err;
	if (old)
		*old = ui->s;
	else
		view_destroy(ui->s);
	ui->s = s;
	s->fold_on = ui->config.fold;
	ui->following = view_is_live(s) && ui->config.follow;
	ui->notes_reported = 0;
	keep_marks_load(ui);
	begin_view(ui);
	return NULL;
}

struct err *ui_create(const struct ui_options *options, struct ui **ret)
{
	CLEANUP(ui) struct ui *ui = calloc(1, sizeof(*ui));
	if (!ui)
		return err_no_memory();
	ui->options = *options;
	ui->options.source = (struct ui_source){ .terminal_fd = -1 };
	struct ui_source source = options->source;
	ui->cursor_seq = SELECTION_NONE;
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
	keep_history_load(ui);
	if (!options->no_config)
		config_load(&ui->config, ui->keys, report_config, ui);
	ui->time_mode = ui->config.time;
	ui->theme_name = ui->config.theme;
	ui->theme = themes[0]; /* until the terminal's background is known */
	ui->mouse = ui->config.mouse;
	ui->wish.hide_timeline = !ui->config.timeline;
	if (!canvas_resize(&ui->canvas, 24, 80))
		err = err_no_memory();
	ui->wish.n_lines = 24;
	ui->wish.n_columns = 80;
	if (!err && source.trace) {
		err = new_session(ui, &source, NULL);
		if (!err && options->filter && *options->filter)
			err = view_set_filter(ui->s, options->filter);
		if (!err)
			toggles_read(&ui->toggles, ui->s->filter);
	}
	if (err)
		return err;
	if (!ui->s)
		ui_open_page(ui, PANE_START);
	if (options->lesson)
		pane_lesson_begin(ui, atoi(options->lesson));
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
	view_destroy(ui->s);
	keymap_destroy(ui->keys);
	config_fini(&ui->config);
	canvas_fini(&ui->canvas);
	free(ui);
}

/* Panes that are about a session go with it. */
static void close_panes(struct ui *ui)
{
	for (int i = 0; i < PANE_COUNT; i++)
		if (ui->panes[i] && i != PANE_START && i != PANE_LESSON && i != PANE_LESSONS) {
			ui->panes[i]->ops->close(ui->panes[i]);
			ui->panes[i] = NULL;
		}
}

static void show_view(struct ui *ui)
{
	toggles_read(&ui->toggles, ui->s ? ui->s->filter : NULL);
	ui->focus = PANE_EVENTS;
	ui->wish.maximised = PANE_NONE;
	ui->wish.drawer = false;
	ui_relayout(ui);
	ui_changed(ui, CHANGE_ALL);
}

struct err *ui_set_source(struct ui *ui, struct ui_source *source)
{
	close_panes(ui);
	struct err *err = new_session(ui, source, NULL);
	show_view(ui);
	return err;
}

struct err *ui_push_source(struct ui *ui, struct ui_source *source)
{
	struct level level = { .cursor_seq = ui->cursor_seq, .following = ui->following };
	bool ok = vec_reserve(&ui->levels, 1);
	for (size_t i = 0; ok && i < ui->pages.n; i++)
		ok = vec_push(&level.pages, ui->pages.v[i]);
	close_panes(ui);
	struct err *err = ok ? new_session(ui, source, &level.view) : err_no_memory();
	if (err) {
		vec_fini(&level.pages);
		show_view(ui);
		return err;
	}
	ui->levels.v[ui->levels.n++] = level;
	ui->pages.n = 0;
	show_view(ui);
	return NULL;
}

bool ui_pop_source(struct ui *ui)
{
	if (!ui->levels.n)
		return false;
	struct level level = ui->levels.v[--ui->levels.n];
	close_panes(ui);
	view_destroy(ui->s);
	ui->s = level.view;
	begin_view(ui);
	ui->notes_reported = ui->s ? trace_n_notes(ui->s->trace) : 0;
	ui->pages.n = 0;
	for (size_t i = 0; i < level.pages.n; i++)
		if (!vec_push(&ui->pages, level.pages.v[i]))
			break;
	vec_fini(&level.pages);
	show_view(ui);
	if (ui->s && level.cursor_seq != SELECTION_NONE)
		ui_show(ui, level.cursor_seq);
	ui->following = ui->s && level.following && view_is_live(ui->s);
	ui->growth_waits = true; /* it may have grown meanwhile */
	return true;
}

/* ---- messages ---- */

void ui_flash(struct ui *ui, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(ui->flash, sizeof(ui->flash), fmt, ap);
	va_end(ap);
	ui->flash_until_ns = ui->now_ns + 4000 * ms;
	ui->dirty = true;
}

void ui_flash_err(struct ui *ui, struct err *err)
{
	ui_flash(ui, "%s%s%s", err->message, err->hint ? "; " : "", err->hint ? err->hint : "");
	ui_message(ui, "! failed", SELECTION_NONE, true, "%s%s%s", err->message,
		   err->hint ? "\n" : "", err->hint ? err->hint : "");
	err_destroy(err);
}

void ui_message(struct ui *ui, const char *kind, uint64_t seq, bool is_trouble, const char *fmt,
		...)
{
	char *text = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	struct message m = { (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec, strdup(kind),
			     text, seq, is_trouble };
	if (!m.kind || !vec_push(&ui->messages, m)) {
		free(m.kind);
		free(text);
		return;
	}
	ui->dirty = true;
}

void ui_dialog(struct ui *ui, const char *text)
{
	free(ui->dialog);
	ui->dialog = strdup(text);
	ui->dirty = true;
}

void ui_copy(struct ui *ui, const char *text, size_t n)
{
	free(ui->copied);
	ui->copied = malloc(n + 1);
	if (!ui->copied)
		return;
	memcpy(ui->copied, text, n);
	ui->copied[n] = 0;
	ui->copied_bytes = n;
	struct strbuf b = { 0 };
	strbuf_add_count(&b, n);
	/* whether it takes it, the terminal does not say */
	ui_flash(ui, "%s byte%s sent to the terminal for its clipboard", strbuf_str(&b),
		 n == 1 ? "" : "s");
	strbuf_fini(&b);
}

/* ---- panes, pages, layout ---- */

struct pane *ui_pane(struct ui *ui, enum pane_id id)
{
	if (ui->panes[id])
		return ui->panes[id];
	struct pane *p = NULL;
	struct err *err = panes[id].ops->open(ui, &p);
	if (err) {
		ui_flash_err(ui, err);
		return NULL;
	}
	p->ops = panes[id].ops;
	p->ui = ui;
	p->id = id;
	ui->panes[id] = p;
	return p;
}

static enum pane_id focused_id(const struct ui *ui)
{
	if (ui->pages.n)
		return ui->pages.v[ui->pages.n - 1];
	if (ui->wish.maximised != PANE_NONE)
		return ui->wish.maximised;
	return ui->layout.panes[ui->focus].n_lines ? ui->focus : PANE_EVENTS;
}

struct pane *ui_focused(struct ui *ui)
{
	return ui_pane(ui, focused_id(ui));
}

/* The strip above the list has no title line; all else has. */
static bool has_title(const struct ui *ui, enum pane_id id)
{
	return id != PANE_TIMELINE ||
	       (ui->pages.n && ui->pages.v[ui->pages.n - 1] == PANE_TIMELINE);
}

void ui_relayout(struct ui *ui)
{
	ui->wish.page = ui->pages.n ? ui->pages.v[ui->pages.n - 1] : PANE_NONE;
	ui->wish.page_may_dock = ui->pages.n && panes[ui->wish.page].may_dock;
	ui->wish.page_splits = ui->pages.n && ui->wish.page == PANE_LESSON && ui->s;
	ui->wish.prompt_lines = prompt_n_lines(&ui->prompt, ui->wish.n_columns);
	if (ui->config.details)
		ui->wish.rotate = (ui->wish.n_columns >= 160) != (ui->config.details == 1);
	layout_make(&ui->wish, &ui->layout);
	if (ui->layout.form != LAYOUT_TOO_SMALL)
		for (int i = 0; i < PANE_COUNT; i++) {
			const struct rect *r = &ui->layout.panes[i];
			if (!r->n_lines) {
				if (ui->panes[i])
					ui->panes[i]->visible = false;
				continue;
			}
			if (!ui->s && i != PANE_START && i != PANE_HELP && i != PANE_MESSAGES &&
			    i != PANE_LESSONS && i != PANE_LESSON && i != PANE_CATALOG)
				continue;
			struct pane *p = ui_pane(ui, (enum pane_id)i);
			if (!p)
				continue;
			p->n_lines = r->n_lines - (has_title(ui, (enum pane_id)i) ? 1 : 0);
			p->n_columns = r->n_columns;
			p->visible = true;
		}
	ui_changed(ui, CHANGE_SIZE);
}

void ui_changed(struct ui *ui, unsigned changes)
{
	/* it moves the cursor the others look at */
	static const enum pane_id order[] = { PANE_EVENTS };
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (ui->panes[order[i]] && ui->panes[order[i]]->visible)
			ui->panes[order[i]]->ops->update(ui->panes[order[i]], changes);
	if (ui->cursor_waits && changes & (CHANGE_FILTER | CHANGE_SIZE)) {
		changes |= CHANGE_CURSOR;
		ui->cursor_waits = false;
	}
	for (int i = 0; i < PANE_COUNT; i++)
		if (i != PANE_EVENTS && ui->panes[i] && ui->panes[i]->visible)
			ui->panes[i]->ops->update(ui->panes[i], changes);
	ui->dirty = true;
}

void ui_resize(struct ui *ui, int n_lines, int n_columns)
{
	ui->wish.n_lines = n_lines;
	ui->wish.n_columns = n_columns;
	if (!canvas_resize(&ui->canvas, n_lines, n_columns))
		return;
	ui_relayout(ui);
}

void ui_open_page(struct ui *ui, enum pane_id id)
{
	for (size_t i = 0; i < ui->pages.n; i++)
		if (ui->pages.v[i] == id) { /* it comes to the front, it is not stacked twice */
			memmove(&ui->pages.v[i], &ui->pages.v[i + 1],
				(ui->pages.n - i - 1) * sizeof(ui->pages.v[0]));
			ui->pages.n--;
			break;
		}
	if (!vec_push(&ui->pages, id))
		return;
	ui_relayout(ui);
	struct pane *p = ui_pane(ui, id);
	if (p)
		p->ops->update(p, CHANGE_ALL);
}

void ui_close_page(struct ui *ui)
{
	bool is_lesson = ui->pages.n && ui->pages.v[ui->pages.n - 1] == PANE_LESSON;
	if (is_lesson && ui->levels.n && ui->levels.v[ui->levels.n - 1].is_lesson) {
		ui_pop_source(ui);
		return;
	}
	if (ui->pages.n)
		ui->pages.n--;
	if (!ui->s && !ui->pages.n && !ui_pop_source(ui))
		ui->quit = true;
	ui_relayout(ui);
	ui_changed(ui, CHANGE_CURSOR);
}

void ui_close_all_pages(struct ui *ui)
{
	if (!ui->s)
		return;
	ui->pages.n = 0;
	ui->wish.maximised = PANE_NONE;
	ui_relayout(ui);
	ui_changed(ui, CHANGE_ALL);
}

/* ---- filter and history ---- */

void ui_remember_place(struct ui *ui)
{
	if (ui->s && ui->panes[PANE_EVENTS])
		ui_remember(ui, ui->cursor_seq, ui->s->filter_text);
}

void ui_remember(struct ui *ui, uint64_t seq, const char *filter_text)
{
	if (seq == SELECTION_NONE)
		seq = 0;
	if (ui->history_at < ui->history.n) { /* what was ahead is forgotten */
		for (size_t i = ui->history_at; i < ui->history.n; i++)
			free(ui->history.v[i].filter);
		ui->history.n = ui->history_at;
	}
	if (ui->history.n && ui->history.v[ui->history.n - 1].seq == seq &&
	    !strcmp(ui->history.v[ui->history.n - 1].filter, filter_text))
		return;
	if (ui->history.n == 200) {
		free(ui->history.v[0].filter);
		memmove(ui->history.v, ui->history.v + 1,
			(ui->history.n - 1) * sizeof(ui->history.v[0]));
		ui->history.n--;
	}
	char *filter = strdup(filter_text);
	struct place place = { seq, filter };
	if (!filter || !vec_push(&ui->history, place))
		free(filter);
	ui->history_at = ui->history.n;
}

bool ui_set_filter(struct ui *ui, const char *text, bool remember)
{
	if (remember)
		ui_remember_place(ui);
	struct err *err = view_set_filter(ui->s, text);
	if (err) {
		ui_flash_err(ui, err);
		return false;
	}
	toggles_read(&ui->toggles, ui->s->filter);
	ui->filter_is_new = true;
	ui_changed(ui, CHANGE_FILTER);
	return true;
}

struct err *ui_compile(struct ui *ui, const char *text, struct filter **ret)
{
	return filter_compile(text, strlen(text), ui->s->trace, ret);
}

void ui_narrow(struct ui *ui, const char *term, bool exclude)
{
	CLEANUP(filter) struct filter *old = NULL, *added = NULL;
	struct strbuf b = { 0 };
	struct err *err = ui_compile(ui, ui->s->filter_text, &old);
	if (!err)
		err = ui_compile(ui, term, &added);
	if (err) {
		ui_flash_err(ui, err);
		return;
	}
	if (filter_says(old, added, exclude)) {
		ui_flash(ui, "the filter says that already");
	} else {
		filter_and(old, added, exclude, &b);
		ui_set_filter(ui, strbuf_str(&b), true);
	}
	strbuf_fini(&b);
}

/* ---- time ---- */

static void report_notes(struct ui *ui)
{
	struct view *s = ui->s;
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
			if (ui->messages.n) /* it was said then, not now that it is read */
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
	ui->now_ns = now_ns;
	if (ui->flash[0] && ui->flash_until_ns && now_ns >= ui->flash_until_ns) {
		ui->flash[0] = 0;
		ui->dirty = true;
	}
	bool more = false;
	struct view *s = ui->s;
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
					prompt_recheck(&ui->prompt, ui);
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
	if (!s && now_ns - ui->ticked_at_ns >= 5000 * ms) { /* the start page lists anew */
		ui->ticked_at_ns = now_ns;
		ui_changed(ui, CHANGE_TICK);
	}
	/* panes share what the view has left of the time */
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
	if (!ui->s && ui->ticked_at_ns + 5000 * ms < at)
		at = ui->ticked_at_ns + 5000 * ms;
	if (ui->s && ui->growth_waits && ui->refreshed_at_ns + 100 * ms < at)
		at = ui->refreshed_at_ns + 100 * ms;
	/* the header is four times a second; what came after the last time must not wait for more
	 * to come */
	if (ui->s && !ui->s->frozen && ui->header.n_events != ui->s->n_events &&
	    ui->header_at_ns + 250 * ms < at)
		at = ui->header_at_ns + 250 * ms;
	if (ui->s && view_is_live(ui->s) && !ui->s->frozen) {
		/* "quiet 12s": look again soon after the last event, then ever more seldom */
		uint64_t quiet = ui->last_growth_ns ? ui->now_ns - ui->last_growth_ns : 0;
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
	if (!has_title(ui, id)) {
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
	/* A frame is one moment: whatever has moved the cursor since the last one, all panes are
	 * about the row it is on now. */
	for (int i = 0; i < 3 && ui->s && ui->cursor_waits; i++) {
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
	struct area line = area_sub(all, 0, 0, 1, all.n_columns);
	if (ui->s)
		draw_header(ui, line);
	else {
		int x = 1 + area_put(line, 0, 1, -1, ROLE_FOCUS, "auditview");
		area_put(line, 0, x + 2, -1, ROLE_DIM, "what does a Python process really do?");
	}
	for (int i = 0; i < PANE_COUNT; i++)
		if (i != PANE_CATEGORIES)
			draw_pane(ui, (enum pane_id)i);
	draw_pane(ui, PANE_CATEGORIES); /* as a drawer it lies over the list */
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
	if (ui->s)
		trace_trim(ui->s->trace);
}
