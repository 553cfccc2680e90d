/*
 * app_header: the first line and the last line.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/utf8.h"
#include "ui/ui.h"

void header_take(struct ui *ui)
{
	struct view *s = ui->host.view;
	const struct trace_about *about = trace_about_get(s->trace);
	struct header *h = &ui->header;
	uint64_t n = s->n_events;
	if (n != h->n_events)
		ui->last_growth_ns = ui->host.now_ns;
	/* measure the rate over about the last second */
	if (ui->host.now_ns - ui->rate_at_ns >= 1000000000u) {
		if (ui->rate_at_ns)
			h->rate = (uint64_t)((double)(n - ui->rate_events) * 1e9 /
					     (double)(ui->host.now_ns - ui->rate_at_ns));
		ui->rate_events = n;
		ui->rate_at_ns = ui->host.now_ns;
	}
	h->n_events = n;
	h->n_lost = trace_n_lost(s->trace);
	/* While a session runs, this is the number lost so far. If the recorder of a file ended
	 * before its time, the number is unknown. */
	h->is_loss_known = trace_is_loss_known(s->trace) ||
			   (s->live && !s->finished && !s->recorder_gone);
	h->quiet_ns = ui->last_growth_ns && ui->host.now_ns > ui->last_growth_ns
			  ? ui->host.now_ns - ui->last_growth_ns
			  : 0;
	h->age_ns = about->last_ns;
	h->file_bytes = about->file_bytes;
	h->n_children = 0;
	for (uint32_t i = 0; i < trace_n_processes(s->trace); i++)
		h->n_children += trace_process(s->trace, i)->flags & (PROCESS_FORKED) ? 1 : 0;
	for (uint32_t i = trace_n_notes(s->trace); i > 0; i--) {
		const struct trace_note *note = trace_note_get(s->trace, i - 1);
		if (note->note.kind == NOTE_GOODBYE)
			h->longest_pause_ns = note->note.a;
	}
}

static void state_text(const struct ui *ui, struct strbuf *to, bool *ret_trouble)
{
	const struct view *s = ui->host.view;
	*ret_trouble = false;
	if (s->frozen) {
		strbuf_adds(to, "‖ frozen");
		uint64_t more = trace_n_events(s->trace) - s->n_events;
		if (more) {
			strbuf_adds(to, " +");
			strbuf_add_count(to, more);
		}
	} else if (s->live && s->recorder_gone && !s->finished) {
		strbuf_adds(to, "! recorder gone");
		*ret_trouble = true;
	} else if (s->has_ended && (s->live || s->finished)) {
		if (s->end_status < 0) {
			strbuf_adds(to, "■ ended");
		} else if (WIFSIGNALED(s->end_status)) {
			const char *name = sigabbrev_np(WTERMSIG(s->end_status));
			strbuf_addf(to, "■ killed SIG%s", name ? name : "?");
		} else {
			strbuf_addf(to, "■ ended %d", WEXITSTATUS(s->end_status));
		}
	} else if (!s->live) {
		strbuf_adds(to, s->finished ? "file" : "file, growing");
	} else if (s->detached) {
		strbuf_adds(to, "○ detached");
	} else if (s->finished) {
		strbuf_adds(to, "■ ended");
	} else if (s->paused) {
		strbuf_adds(to, "‖ paused");
	} else if (ui->header.rate && ui->header.quiet_ns < 2000000000u) {
		strbuf_adds(to, "● live ");
		strbuf_add_count(to, ui->header.rate);
		strbuf_adds(to, "/s");
	} else if (ui->last_growth_ns && ui->header.quiet_ns >= 2000000000u) {
		strbuf_adds(to, "● quiet ");
		text_age(to, ui->header.quiet_ns);
	} else {
		strbuf_adds(to, "● live");
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
static int take_fields(const struct header *h, int columns, struct field_text fields[FIELDS_MAX])
{
	struct strbuf b = { 0 };
	int n = 0;
	memset(fields, 0, FIELDS_MAX * sizeof(fields[0]));
	if (h->n_children)
		snprintf(fields[n++].text, sizeof(fields[0].text), "%u child%s", h->n_children,
			 h->n_children == 1 ? "" : "ren");
	if (h->n_events)
		strbuf_add_count(&b, h->n_events);
	else
		strbuf_addc(&b, '0');
	snprintf(fields[n++].text, sizeof(fields[0].text), "%s events", strbuf_str(&b));
	strbuf_clear(&b);
	if (h->n_lost)
		strbuf_add_count(&b, h->n_lost);
	else
		strbuf_addc(&b, '0');
	fields[n].stays = true;
	fields[n].trouble = h->n_lost > 0 || !h->is_loss_known;
	if (h->is_loss_known)
		snprintf(fields[n++].text, sizeof(fields[0].text), "%s lost", strbuf_str(&b));
	else if (h->n_lost)
		snprintf(fields[n++].text, sizeof(fields[0].text), "at least %s lost",
			 strbuf_str(&b));
	else
		snprintf(fields[n++].text, sizeof(fields[0].text), "lost: unknown");
	strbuf_clear(&b);
	if (columns >= 120 && h->longest_pause_ns) {
		text_duration(&b, h->longest_pause_ns);
		snprintf(fields[n++].text, sizeof(fields[0].text), "longest pause %s",
			 strbuf_str(&b));
		strbuf_clear(&b);
	}
	if (columns >= 160) {
		text_bytes(&b, h->file_bytes);
		snprintf(fields[n++].text, sizeof(fields[0].text), "capture %s", strbuf_str(&b));
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
			need += (int)strlen(fields[i].text) + (i ? 2 : 0);
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

void draw_header(struct ui *ui, struct area a)
{
	struct view *s = ui->host.view;
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
	state_text(ui, &state, &trouble);
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
	int n = take_fields(&ui->header, columns, fields);
	n = drop_fields(fields, n, columns - 1 - x);
	int at = columns - 1;
	for (int i = n - 1; i >= 0; i--) {
		at -= (int)strlen(fields[i].text);
		area_put(a, 0, at, -1, fields[i].trouble ? ROLE_TROUBLE : ROLE_TEXT,
			 fields[i].text);
		at -= 2;
	}
}

struct key_line {
	struct ui *ui;
	struct area a;
	int x;
	unsigned seen[ACTION_COUNT];
};

/* What a key would do now, in a word; NULL if it would do nothing. */
static const char *label_now(const struct ui *ui, const struct key_row *row)
{
	if (row->action == ACTION_FOLLOW)
		return !view_is_live(ui->host.view) ? NULL
		       : ui->host.following         ? "hold still"
						    : "follow";
	if (row->action == ACTION_FOLD && row->pane == PANE_EVENTS) {
		const struct pane *p = ui->panes[PANE_EVENTS];
		struct fold fold;
		if (p && ui->host.cursor_seq != SELECTION_NONE &&
		    folds_find(ui->host.view->folds, ui->host.cursor_seq, &fold))
			return folds_is_open(ui->host.view->folds, fold.head) ? "fold" : "unfold";
	}
	if (row->action == ACTION_BACK && ui_back_quits(ui) && !strcmp(row->key, "q"))
		return "quit";
	return row->label;
}

static void one_key(void *ctx, const struct key_row *row)
{
	struct key_line *k = ctx;
	if (!row->label || k->seen[row->action]++)
		return;
	const char *label = k->ui->host.view               ? label_now(k->ui, row)
			    : row->action == ACTION_FOLLOW ? NULL
							   : row->label;
	if (!label)
		return;
	bool arrows = !strncmp(label, "← →", strlen("← →"));
	int w = (arrows ? 0 : (int)strlen(row->key) + 1) + text_width(label, strlen(label));
	if (k->x + w > k->a.n_columns - 1)
		return;
	if (!arrows)
		k->x += area_put(k->a, 0, k->x, -1, ROLE_FOCUS, row->key) + 1;
	k->x += area_put(k->a, 0, k->x, -1, ROLE_DIM, label) + 2;
}

void draw_keys(struct ui *ui, struct area a)
{
	struct pane *p = ui_focused(ui);
	struct key_line k = { .ui = ui, .a = a, .x = 1 };
	if (ui->count) {
		k.x += area_printf(a, 0, 1, -1, ROLE_FOCUS, "%llu ",
				   (unsigned long long)ui->count) +
		       1;
	}
	keymap_each(ui->keys, p ? p->id : PANE_EVENTS, one_key, &k);
}
