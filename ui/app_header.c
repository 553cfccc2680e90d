/*
 * app_header: the first line and the last line.
 */
#include "ui/app_header.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/hold_list.h"
#include "base/tr.h"
#include "base/utf8.h"
#include "ui/app_panes.h"
#include "ui/app_session.h"
#include "ui/app_state.h"
#include "ui/app_terminal.h"
#include "ui/area.h"
#include "ui/keymap.h"
#include "ui/text.h"

/* What the title of the list says, too. */
static void take_counts(struct header *h, const struct view *s)
{
	h->n_events = s->n_events;
	h->n_lost = trace_n_lost(s->trace);
	h->age_ns = trace_about_get(s->trace)->last_ns;
}

void app_header_take(struct app *app)
{
	struct view *s = app->host.view;
	struct header *h = &app->header;
	uint64_t n = s->n_events;
	if (n != h->n_events)
		app->last_growth_ns = app->host.now_ns;
	/* measure the rate over about the last second */
	if (app->host.now_ns - app->rate_at_ns >= 1000000000u) {
		if (app->rate_at_ns)
			h->rate = (uint64_t)((double)(n - app->rate_events) * 1e9 /
					     (double)(app->host.now_ns - app->rate_at_ns));
		app->rate_events = n;
		app->rate_at_ns = app->host.now_ns;
	}
	take_counts(h, s);
	/* While a session runs, this is the number lost so far. If the recorder of a file ended
	 * before its time, the number is unknown. */
	h->is_loss_known = trace_is_loss_known(s->trace) ||
			   (s->live && !s->finished && !s->recorder_gone) ||
			   (s->is_stream && !s->is_over);
	h->quiet_ns = app->last_growth_ns && app->host.now_ns > app->last_growth_ns
			  ? app->host.now_ns - app->last_growth_ns
			  : 0;
	h->file_bytes = trace_about_get(s->trace)->file_bytes;
	h->n_children = 0;
	for (uint32_t i = 0; i < trace_n_processes(s->trace); i++)
		h->n_children += trace_process(s->trace, i)->flags & (PROCESS_FORKED) ? 1 : 0;
	for (uint32_t i = trace_n_notes(s->trace); i > 0; i--) {
		const struct trace_note *note = trace_note_get(s->trace, i - 1);
		if (note->note.kind == NOTE_GOODBYE)
			h->longest_pause_ns = note->note.a;
	}
}

static void state_text(const struct app *app, struct strbuf *to, bool *ret_trouble)
{
	const struct view *s = app->host.view;
	const struct hold_list *holds = view_holds(s);
	*ret_trouble = false;
	if (s->frozen) {
		strbuf_adds(to, tr("‖ frozen"));
		uint64_t more = trace_n_events(s->trace) - s->n_events;
		if (more) {
			strbuf_adds(to, " +");
			strbuf_add_count(to, more);
		}
	} else if (s->live && s->recorder_gone && !s->finished) {
		strbuf_adds(to, tr("! recorder gone"));
		*ret_trouble = true;
	} else if (holds->n_held) {
		const struct held_row *first = &holds->held[0];
		uint64_t now = app->host.now_ns;
		strbuf_addf(to, tr("‖ held %d "), (int)first->tid);
		text_age(to, now > first->since_ns ? now - first->since_ns : 0);
		if (holds->n_held > 1)
			strbuf_addf(to, " +%u", holds->n_held - 1);
		strbuf_adds(to, app_focused_id(app) == PANE_TERMINAL ? tr(", C-] C continues")
								     : tr(", C continues"));
		*ret_trouble = true;
	} else if (s->has_ended && (s->live || s->finished)) {
		if (s->end_status < 0) {
			strbuf_adds(to, tr("■ ended"));
		} else if (WIFSIGNALED(s->end_status)) {
			const char *name = sigabbrev_np(WTERMSIG(s->end_status));
			strbuf_addf(to, tr("■ killed SIG%s"), name ? name : "?");
		} else {
			strbuf_addf(to, tr("■ ended %d"), WEXITSTATUS(s->end_status));
		}
	} else if (s->is_stream && s->is_over) {
		strbuf_adds(to, s->finished ? tr("■ ended") : tr("! stream cut off"));
		*ret_trouble = !s->finished;
	} else if (!s->live && !s->is_stream) {
		strbuf_adds(to, s->finished ? tr("file") : tr("file, growing"));
	} else if (s->detached) {
		strbuf_adds(to, tr("○ detached"));
	} else if (s->finished) {
		strbuf_adds(to, tr("■ ended"));
	} else if (s->paused) {
		strbuf_adds(to, tr("‖ paused"));
	} else if (app->header.rate && app->header.quiet_ns < 2000000000u) {
		strbuf_adds(to, tr("● live "));
		strbuf_add_count(to, app->header.rate);
		strbuf_adds(to, "/s");
	} else if (app->last_growth_ns && app->header.quiet_ns >= 2000000000u) {
		strbuf_adds(to, tr("● quiet "));
		text_age(to, app->header.quiet_ns);
	} else {
		strbuf_adds(to, tr("● live"));
	}
}

/* A field at the right end. If there is too little room, fields are left out from the right, except
 * those with `stays`. */
struct field_text {
	char text[64];
	bool stays, trouble;
};
enum { FIELDS_MAX = 8 };

/* Collect the fields for a header of `columns` cells; returns how many there are. */
static int take_fields(const struct header *h, const char *keeps, int columns,
		       struct field_text fields[FIELDS_MAX])
{
	struct strbuf b = { 0 };
	int n = 0;
	memset(fields, 0, FIELDS_MAX * sizeof(fields[0]));
	if (h->n_children)
		snprintf(fields[n++].text, sizeof(fields[0].text),
			 tr(h->n_children == 1 ? "%u child" : "%u children"), h->n_children);
	if (keeps) {
		fields[n].stays = true;
		snprintf(fields[n++].text, sizeof(fields[0].text), tr("keeps the newest %.20s"),
			 keeps);
	}
	if (h->n_events)
		strbuf_add_count(&b, h->n_events);
	else
		strbuf_addc(&b, '0');
	snprintf(fields[n++].text, sizeof(fields[0].text),
		 tr(h->n_events == 1 ? "%s event" : "%s events"), strbuf_str(&b));
	strbuf_clear(&b);
	if (h->n_lost)
		strbuf_add_count(&b, h->n_lost);
	else
		strbuf_addc(&b, '0');
	fields[n].stays = true;
	fields[n].trouble = h->n_lost > 0 || !h->is_loss_known;
	if (h->is_loss_known)
		snprintf(fields[n++].text, sizeof(fields[0].text), tr("%s lost"), strbuf_str(&b));
	else if (h->n_lost)
		snprintf(fields[n++].text, sizeof(fields[0].text), tr("at least %s lost"),
			 strbuf_str(&b));
	else
		snprintf(fields[n++].text, sizeof(fields[0].text), tr("lost: unknown"));
	strbuf_clear(&b);
	if (columns >= 120 && h->longest_pause_ns) {
		text_duration(&b, h->longest_pause_ns);
		snprintf(fields[n++].text, sizeof(fields[0].text), tr("longest pause %s"),
			 strbuf_str(&b));
		strbuf_clear(&b);
	}
	if (columns >= 160) {
		text_bytes(&b, h->file_bytes);
		snprintf(fields[n++].text, sizeof(fields[0].text), tr("capture %s"),
			 strbuf_str(&b));
		strbuf_clear(&b);
	}
	text_age(&b, h->age_ns);
	snprintf(fields[n++].text, sizeof(fields[0].text), "%s", strbuf_str(&b));
	strbuf_fini(&b);
	return n;
}

/* Leave out what does not fit into `room` cells; returns how many are left. */
static int drop_fields(struct field_text *fields, int n, int room)
{
	for (;;) {
		int need = 0;
		for (int i = 0; i < n; i++)
			need += text_width(fields[i].text, strlen(fields[i].text)) + (i ? 2 : 0);
		if (need <= room || n == 0)
			break;
		int drop = n - 1;
		while (drop >= 0 && fields[drop].stays)
			drop--;
		if (drop < 0)
			break;
		memmove(&fields[drop], &fields[drop + 1],
			(size_t)(n - drop - 1) * sizeof(fields[0]));
		n--;
	}
	return n;
}

void app_header_draw(struct app *app, struct area a)
{
	struct view *s = app->host.view;
	int columns = a.n_columns, x = 1;
	struct strbuf b = { 0 };
	const struct process_info *p = view_process(s);
	if (p) {
		strbuf_addf(&b, "%u ", p->pid);
		size_t before = b.n;
		if (s->title)
			utf8_escape(&b, s->title, strlen(s->title), 0);
		else
			text_program(&b, s->trace, p->name);
		if (b.n == before)
			strbuf_cut(&b, b.n - 1);
	} else if (s->path) {
		const char *base = strrchr(s->path, '/');
		utf8_escape(&b, base ? base + 1 : s->path, strlen(base ? base + 1 : s->path), 0);
	}
	struct strbuf state = { 0 };
	bool trouble;
	state_text(app, &state, &trouble);
	int state_w = text_width(strbuf_str(&state), state.n);
	int name_room = columns / 3 - state_w / 2;
	x += area_put_cut(a, 0, x, name_room < 12 ? 12 : name_room, ROLE_FOCUS, strbuf_str(&b));
	strbuf_clear(&b);
	if (p && columns >= 160) {
		text_string(&b, s->trace, p->cwd);
		if (b.n)
			x += 2 + area_put_cut(a, 0, x + 2, 30, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
	}
	if (p && p->python && columns >= 60) {
		strbuf_adds(&b, "python ");
		text_string(&b, s->trace, p->python);
		x += 2 + area_put(a, 0, x + 2, -1, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
	}
	x += 2 + area_put(a, 0, x + 2, -1, trouble ? ROLE_TROUBLE : ROLE_TEXT, strbuf_str(&state));
	strbuf_fini(&state);
	x += 1;
	strbuf_fini(&b);
	struct field_text fields[FIELDS_MAX];
	const char *keeps = s->live && s->live->keeps ? s->live->keeps(s->live_ctx) : NULL;
	/* A frame shows one moment: the list was updated after the header was taken. */
	struct header shown = app->header;
	if (!s->frozen)
		take_counts(&shown, s);
	int n = take_fields(&shown, keeps, columns, fields);
	n = drop_fields(fields, n, columns - 1 - x);
	int at = columns - 1;
	for (int i = n - 1; i >= 0; i--) {
		at -= text_width(fields[i].text, strlen(fields[i].text));
		area_put(a, 0, at, -1, fields[i].trouble ? ROLE_TROUBLE : ROLE_TEXT,
			 fields[i].text);
		at -= 2;
	}
}

struct key_line {
	struct app *app;
	struct area a;
	int x;
	/* Only rows of this pane are shown; PANE_NONE: of all. */
	enum pane_id only;
	unsigned seen[ACTION_COUNT];
};

/* Does it need a target, or an entry of the page, that is not there? */
static bool lacks_target(const struct view *s, const struct key_row *row)
{
	const struct hold_list *holds = view_holds(s);
	if (row->action == ACTION_CONTINUE || row->action == ACTION_STEP)
		return !holds->n_held;
	if (row->action == ACTION_CHILDREN)
		return !view_has_target(s);
	return row->pane == PANE_HOLDS && !holds->n && !holds->n_held;
}

/* What a key would do now, in a word; NULL if it would do nothing. */
static const char *label_now(const struct app *app, const struct key_row *row)
{
	if (lacks_target(app->host.view, row))
		return NULL;
	if (row->action == ACTION_FOLLOW)
		return !view_is_live(app->host.view) ? NULL
		       : app->host.following         ? N_("stay here")
						     : N_("follow");
	if (row->action == ACTION_TERMINAL && row->pane == PANE_EVENTS &&
	    app->host.view->terminal_fd < 0 && !app->host.view->shows_terminal)
		return NULL;
	if (row->action == ACTION_FOLD && row->pane == PANE_EVENTS) {
		const struct pane *p = app->panes[PANE_EVENTS];
		struct fold fold;
		if (p && app->host.cursor_seq != SELECTION_NONE &&
		    folds_find(app->host.view->folds, app->host.cursor_seq, &fold))
			return folds_is_open(app->host.view->folds, fold.head) ? N_("fold")
									       : N_("unfold");
	}
	if (row->action == ACTION_BACK && app_back_quits(app) && !strcmp(row->key, "q"))
		return N_("quit");
	return row->label;
}

static void one_key(void *ctx, const struct key_row *row)
{
	struct key_line *k = ctx;
	if (!row->label || (k->only != PANE_NONE && row->pane != k->only) || k->seen[row->action]++)
		return;
	const char *label = k->app->host.view              ? label_now(k->app, row)
			    : row->action == ACTION_FOLLOW ? NULL
							   : row->label;
	if (!label)
		return;
	label = tr(label);
	bool arrows = !strncmp(label, "← →", strlen("← →"));
	int from = k->x;
	int w = (arrows ? 0 : (int)strlen(row->key) + 1) + text_width(label, strlen(label));
	if (k->x + w > k->a.n_columns - 1)
		return;
	if (!arrows)
		k->x += area_put(k->a, 0, k->x, -1, ROLE_FOCUS, row->key) + 1;
	k->x += area_put(k->a, 0, k->x, -1, ROLE_DIM, label) + 2;
	if (k->app->n_key_spans < KEY_SPANS_MAX && !arrows)
		k->app->key_spans[k->app->n_key_spans++] = (struct key_span){
			k->a.column + from, k->a.column + k->x - 2, row->action
		};
}

/* While the program has the keys, the only one that is ours is Ctrl-]; the others follow it. */
static void draw_terminal_keys(struct app *app, struct key_line *k)
{
	k->only = PANE_TERMINAL;
	if (app->after_prefix) {
		k->x += area_put(k->a, 0, k->x, -1, ROLE_DIM, tr("the terminal:")) + 2;
		k->seen[ACTION_TERMINAL]++;
	} else {
		k->x += area_put(k->a, 0, k->x, -1, ROLE_FOCUS, "C-]") + 1;
		k->x += area_put(k->a, 0, k->x, -1, ROLE_DIM, tr("to the events, then")) + 2;
		k->seen[ACTION_TERMINAL]++;
	}
	keymap_each(app->keys, PANE_TERMINAL, one_key, k);
	if (app->after_prefix) {
		const char *others = tr("any other key: to the events");
		if (text_width(others, strlen(others)) > k->a.n_columns - k->x)
			others = tr("else: events");
		area_put_cut(k->a, 0, k->x, -1, ROLE_DIM, others);
	}
}

void app_header_draw_keys(struct app *app, struct area a)
{
	struct pane *p = app_focused(app);
	struct key_line k = { .app = app, .a = a, .x = 1, .only = PANE_NONE };
	if (app_terminal_has_keys(app) || app->after_prefix) {
		draw_terminal_keys(app, &k);
		return;
	}
	if (app->count) {
		k.x += area_printf(a, 0, 1, -1, ROLE_FOCUS, "%llu ",
				   (unsigned long long)app->count) +
		       1;
	}
	keymap_each(app->keys, p ? p->id : PANE_EVENTS, one_key, &k);
}
