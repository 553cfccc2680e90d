/*
 * view: from a growing capture to numbered lines.
 *
 * The order of the work is: new events → filter (shown) → folds → rows. Each stage knows how far it
 * has come, and a later stage never runs ahead of an earlier one. Rows that a stage has not reached
 * yet pass through it unchanged.
 */
#include "ui/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/hold_list.h"
#include "base/monotonic.h"
#include "model/first_seen.h"

static const enum role group_roles[GROUP_COUNT] = {
	[GROUP_NETWORK] = ROLE_NETWORK, [GROUP_FILES] = ROLE_FILES, [GROUP_PROCESS] = ROLE_PROCESS,
	[GROUP_CODE] = ROLE_CODE,       [GROUP_BELOW] = ROLE_BELOW, [GROUP_IMPORT] = ROLE_DIM,
	[GROUP_INSIDE] = ROLE_INSIDE,
};

enum role view_role(enum catalog_theme theme)
{
	return theme < THEME_COUNT ? group_roles[catalog_themes[theme].group] : ROLE_TEXT;
}

/* Notes that are lines of the event list; the others are for the messages. */
static bool is_line_note(enum note_kind kind)
{
	switch (kind) {
	case NOTE_LOST:
	case NOTE_PAUSED:
	case NOTE_RESUMED:
	case NOTE_EXITED:
	case NOTE_EXEC:
	case NOTE_DETACHED:
	case NOTE_FINALISED: return true;
	case NOTE_ATTACHED:
	case NOTE_MESSAGE:
	case NOTE_WARNING:
	case NOTE_GOODBYE:
	case NOTE_COUNTED:
	case NOTE_KIND_COUNT: return false;
	}
	return false;
}

/* Exits of children that are not Python are shown in the messages and processes pages only: in the
 * list they would separate the events of a program that starts many children. */
static bool is_of_stranger(const struct view *s, const struct trace_note *n)
{
	const struct process_info *p = trace_process(s->trace, n->note.process);
	return p && !p->python_hex && (n->note.kind == NOTE_EXITED || n->note.kind == NOTE_EXEC);
}

const struct process_info *view_process(const struct view *s)
{
	for (uint32_t i = 0; i < trace_n_processes(s->trace); i++)
		if (trace_process(s->trace, i)->python_hex)
			return trace_process(s->trace, i);
	return trace_process(s->trace, 0);
}

static void take_notes(struct view *s)
{
	uint32_t n = trace_n_notes(s->trace);
	for (; s->notes_seen < n; s->notes_seen++) {
		const struct trace_note *note = trace_note_get(s->trace, s->notes_seen);
		if (!note)
			break;
		if (is_line_note(note->note.kind) && !is_of_stranger(s, note) &&
		    !vec_push(&s->notes, s->notes_seen))
			break;
		const struct process_info *whose = trace_process(s->trace, note->note.process),
					  *main = view_process(s);
		if (note->note.kind == NOTE_EXITED &&
		    (!whose || (main && whose->pid == main->pid))) {
			s->has_ended = true;
			s->end_status = (int)note->note.a;
		}
		if (note->note.kind == NOTE_PAUSED || note->note.kind == NOTE_RESUMED)
			s->paused = note->note.kind == NOTE_PAUSED;
		if (note->note.kind == NOTE_DETACHED || note->note.kind == NOTE_ATTACHED)
			s->detached = note->note.kind == NOTE_DETACHED;
	}
	s->rows_stale = true;
}

static void take_processes(struct view *s)
{
	for (uint32_t i = 0; i < trace_n_processes(s->trace); i++) {
		const struct process_info *p = trace_process(s->trace, i);
		if (p->python_hex && !s->python_minor)
			s->python_minor = (int)(p->python_hex >> 16 & 0xff);
	}
	const struct process_info *first = view_process(s);
	if (first && first->end_ns && first->exit_status >= 0 &&
	    (!s->has_ended || s->end_status < 0)) {
		s->has_ended = true;
		s->end_status = first->exit_status;
	}
}

struct err *view_create(struct app_source *source, struct view **ret)
{
	CLEANUP(view) struct view *s = calloc(1, sizeof(*s));
	if (!s) {
		trace_close(source->trace);
		free(source->path);
		free(source->title);
		*source = (struct app_source){ .terminal_fd = -1 };
		return err_no_memory();
	}
	s->trace = source->trace;
	s->path = source->path;
	s->title = source->title;
	s->live = source->live;
	s->live_ctx = source->live_ctx;
	s->terminal_fd = source->terminal_fd;
	*source = (struct app_source){ .terminal_fd = -1 };
	s->filter_text = strdup("");
	s->fold_on = true;
	if (!s->filter_text)
		return err_no_memory();
	s->n_events = trace_n_events(s->trace);
	s->finished = trace_is_finished(s->trace);
	s->is_over = trace_is_over(s->trace);
	s->is_stream = trace_is_stream(s->trace);
	struct err *err = selection_create(s->n_events, true, &s->shown);
	if (!err)
		err = selection_create(s->n_events, true, &s->rows);
	if (!err)
		err = folds_create(s->trace, &s->folds);
	if (!err)
		err = first_seen_create(s->trace, &s->first);
	if (!err)
		err = filter_cache_create(s->trace, &s->cache);
	if (err)
		return err;
	s->filter_done = 1;
	take_processes(s);
	take_notes(s);
	*ret = take_ptr(s);
	return NULL;
}

void view_destroy(struct view *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->marks.n; i++)
		free(s->marks.v[i].note);
	vec_fini(&s->marks);
	for (size_t i = 0; i < s->marks_kept.n; i++)
		free(s->marks_kept.v[i].note);
	vec_fini(&s->marks_kept);
	vec_fini(&s->opened);
	vec_fini(&s->notes);
	vec_fini(&s->shown_notes);
	vec_fini(&s->names);
	file_names_fini(&s->files);
	first_seen_destroy(s->first);
	folds_destroy(s->folds);
	selection_destroy(s->rows);
	selection_destroy(s->shown);
	filter_explanation_destroy(s->why);
	filter_run_destroy(s->run);
	filter_destroy(s->filter);
	filter_cache_destroy(s->cache);
	for (unsigned i = 0; i < COMPILED_MAX; i++) {
		filter_destroy(s->compiled[i].filter);
		free(s->compiled[i].text);
	}
	free(s->filter_text);
	if (s->live && s->live->close)
		s->live->close(s->live_ctx);
	trace_close(s->trace);
	free(s->path);
	free(s->title);
	free(s);
}

bool view_has_target(const struct view *s)
{
	return s->live && !s->finished;
}

bool view_is_live(const struct view *s)
{
	return view_has_target(s) || (s->is_stream && !s->is_over);
}

const struct hold_list *view_holds(const struct view *s)
{
	static const struct hold_list none;
	return s->live && s->live->holds ? s->live->holds(s->live_ctx) : &none;
}

static struct err *grow(struct view *s)
{
	s->rows_stale = true;
	if (s->run) {
		s->filter_done = 0;
		/* the explanation counted fewer events */
		if (s->why_done && monotonic_ns() - s->why_ns > 5000000000u) {
			filter_explanation_destroy(s->why);
			s->why = NULL;
			s->why_done = false;
		}
		return NULL;
	}
	return selection_resize(s->shown, s->n_events, true);
}

struct err *view_refresh(struct view *s, bool *ret_changed)
{
	struct trace_change change = { 0 };
	struct err *err = trace_refresh(s->trace, &change);
	if (err)
		return err;
	if (change.n_notes)
		take_notes(s);
	if (change.processes)
		take_processes(s);
	if (change.finished && !s->finished) {
		s->finished = true;
		*ret_changed = true;
	}
	if (trace_is_over(s->trace) != s->is_over) {
		s->is_over = true;
		*ret_changed = true;
	}
	if (change.n_events || change.n_notes || change.processes || change.disturbed)
		*ret_changed = true;
	if (!s->frozen && trace_n_events(s->trace) != s->n_events) {
		s->n_events = trace_n_events(s->trace);
		s->folds_done = s->first_done = s->load_done = 0;
		return grow(s);
	}
	return NULL;
}

void view_set_frozen(struct view *s, bool on)
{
	s->frozen = on;
	if (!on && trace_n_events(s->trace) != s->n_events) {
		s->n_events = trace_n_events(s->trace);
		s->folds_done = s->first_done = 0;
		struct err *err = grow(s);
		err_destroy(err);
	}
}

/* ---- filter ---- */

void view_filter_again(struct view *s)
{
	s->filter_done = s->run ? 0 : 1;
	s->rows_stale = true;
}

/* Bring `shown` up to what the run has worked out. */
static struct err *take_shown(struct view *s)
{
	struct selection *shown = NULL;
	struct err *err = selection_dup(filter_run_rows(s->run), &shown);
	if (!err && selection_n_rows(shown) != s->n_events)
		err = selection_resize(shown, s->n_events, false);
	if (err) {
		selection_destroy(shown);
		return err;
	}
	selection_destroy(s->shown);
	s->shown = shown;
	s->shown_generation++;
	s->rows_stale = true;
	return NULL;
}

static struct err *work_filter(struct view *s, uint64_t budget_ns)
{
	uint64_t start = monotonic_ns();
	struct err *err = filter_run_step(s->run, budget_ns, &s->filter_done);
	if (!err)
		err = take_shown(s);
	if (filter_run_n_restarts(s->run) != s->filter_restarts) {
		s->filter_restarts = filter_run_n_restarts(s->run);
		s->filter_generation++;
	}
	s->filter_ns += monotonic_ns() - start;
	return err;
}

struct err *view_compile(struct view *s, const char *text, struct filter **ret)
{
	size_t n = strlen(text);
	unsigned at = 0;
	while (at < COMPILED_MAX && (!s->compiled[at].text || strcmp(s->compiled[at].text, text)))
		at++;
	struct compiled found = { 0 };
	if (at < COMPILED_MAX) {
		found = s->compiled[at];
	} else {
		struct err *err = filter_compile(text, n, s->trace, &found.filter);
		if (err)
			return err;
		found.text = strdup(text);
		if (!found.text) {
			filter_destroy(found.filter);
			return err_no_memory();
		}
		at = COMPILED_MAX - 1;
		free(s->compiled[at].text);
		filter_destroy(s->compiled[at].filter);
	}
	memmove(&s->compiled[1], &s->compiled[0], at * sizeof(s->compiled[0]));
	s->compiled[0] = found;
	*ret = filter_ref(found.filter);
	return NULL;
}

struct err *view_set_filter(struct view *s, const char *text)
{
	CLEANUP(filter) struct filter *filter = NULL;
	CLEANUP(filter_run) struct filter_run *run = NULL;
	CLEANUP(folds) struct folds *folds = NULL;
	CLEANUP(selection) struct selection *shown = NULL;
	text += strspn(text, " ");
	size_t n = strlen(text);
	while (n && text[n - 1] == ' ')
		n--;
	char *copy = strndup(text, n);
	if (!copy)
		return err_no_memory();
	struct err *err = NULL;
	if (n)
		err = view_compile(s, copy, &filter);
	if (!err && filter)
		err = filter_run_create(s->trace, filter, s->cache, &run);
	if (!err)
		err = folds_create(s->trace, &folds);
	if (!err)
		err = selection_create(s->n_events, !filter, &shown);
	if (err) {
		free(copy);
		return err;
	}
	/* the run uses the filter, so it is destroyed first */
	filter_explanation_destroy(s->why);
	s->why = NULL;
	s->why_done = false;
	filter_run_destroy(s->run);
	s->run = take_ptr(run);
	filter_destroy(s->filter);
	s->filter = take_ptr(filter);
	folds_destroy(s->folds);
	s->folds = take_ptr(folds);
	selection_destroy(s->shown);
	s->shown = take_ptr(shown);
	free(s->filter_text);
	s->filter_text = copy;
	s->folds_done = 0;
	s->filter_ns = 0;
	s->filter_done = s->run ? 0 : 1;
	s->filter_restarts = 0;
	s->filter_generation++;
	s->shown_generation++;
	s->rows_stale = true;
	s->generation++;
	if (s->run && s->n_events) /* show the first page at once */
		return work_filter(s, 4000000);
	return NULL;
}

/* ---- folds and rows ---- */

static struct err *work_folds(struct view *s, uint64_t budget_ns)
{
	uint64_t before = folds_n_rows(s->folds);
	struct err *err = folds_update(s->folds, s->run ? s->shown : NULL, budget_ns,
				       &s->folds_done);
	if (err)
		return err;
	uint64_t after = folds_n_rows(s->folds);
	for (size_t i = 0; i < s->opened.n; i++)
		if (s->opened.v[i] >= before && s->opened.v[i] < after)
			folds_open(s->folds, s->opened.v[i], true);
	if (after != before)
		s->rows_stale = true;
	return NULL;
}

static void make_rows(struct view *s)
{
	if (!s->rows_stale)
		return;
	struct selection *rows = NULL;
	struct err *err = selection_dup(s->shown, &rows);
	if (err) {
		err_destroy(err); /* the old rows stay */
		return;
	}
	if (s->fold_on)
		selection_and_not(rows, folds_hidden(s->folds));
	selection_destroy(s->rows);
	s->rows = rows;
	s->rows_stale = false;
	s->generation++;
	s->shown_notes.n = 0;
	if (s->run && !selection_count(rows))
		return;
	for (size_t i = 0; i < s->notes.n; i++)
		if (!s->run || trace_note_get(s->trace, s->notes.v[i])->note.kind == NOTE_LOST)
			if (!vec_push(&s->shown_notes, s->notes.v[i]))
				return;
}

static bool has_why(const struct view *s)
{
	return s->why_done || !s->filter || !s->n_events || s->filter_done < 1 ||
	       filter_run_n_rows(s->run) < s->n_events;
}

/* Nothing is shown: count what each part of the filter alone would show. */
static struct err *work_why(struct view *s, uint64_t budget_ns)
{
	struct err *err = NULL;
	s->why_ns = monotonic_ns();
	if (selection_count(s->shown)) {
		s->why_done = true;
		return NULL;
	}
	if (!s->why)
		err = filter_explain(s->trace, s->filter, s->cache, &s->why);
	return err ? err : filter_explanation_step(s->why, budget_ns, &s->why_done);
}

bool view_work(struct view *s, uint64_t budget_ns, bool *ret_changed)
{
	struct err *err = NULL;
	bool worked = true;
	if (s->filter && s->filter_done < 1)
		err = work_filter(s, budget_ns);
	else if (!has_why(s))
		err = work_why(s, budget_ns);
	else if (s->folds_done < 1)
		err = work_folds(s, budget_ns);
	else if (file_names_waits(&s->files, s->trace))
		file_names_update(&s->files, s->trace);
	else if (s->first_done < 1)
		err = first_seen_update(s->first, budget_ns, &s->first_done);
	else if (s->load_done < 1)
		err = trace_load(s->trace, budget_ns, &s->load_done);
	else
		worked = false;
	if (worked)
		*ret_changed = true;
	if (err) { /* no memory: stop the work here; what was found so far stays in use */
		err_destroy(err);
		s->filter_done = s->folds_done = s->first_done = s->load_done = 1;
		s->why_done = true;
		return false;
	}
	return (s->filter && s->filter_done < 1) || !has_why(s) || s->folds_done < 1 ||
	       file_names_waits(&s->files, s->trace) || s->first_done < 1 || s->load_done < 1;
}

/* ---- lines ---- */

uint64_t view_n_shown(struct view *s)
{
	return s->filter ? selection_count(s->shown) : s->n_events;
}

uint64_t view_n_decided(const struct view *s)
{
	uint64_t n = s->run ? filter_run_n_rows(s->run) : s->n_events;
	return n < s->n_events ? n : s->n_events;
}

/* The number of notes before the end of what is shown. A filter hides all but the losses; if no
 * event is shown, it hides these too. */
static size_t n_notes(const struct view *s)
{
	size_t n = s->shown_notes.n;
	while (n > 0 && s->frozen &&
	       trace_note_get(s->trace, s->shown_notes.v[n - 1])->seq > s->n_events)
		n--;
	return n;
}

static uint64_t note_line(struct view *s, size_t i)
{
	return selection_rank(s->rows, trace_note_get(s->trace, s->shown_notes.v[i])->seq) + i;
}

uint64_t view_n_lines(struct view *s)
{
	make_rows(s);
	return selection_count(s->rows) + n_notes(s);
}

bool view_line(struct view *s, uint64_t line, struct line *ret)
{
	make_rows(s);
	/* Notes whose line is ≤ line: note_line() rises strictly. */
	size_t low = 0, high = n_notes(s);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (note_line(s, middle) <= line)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0 && note_line(s, low - 1) == line) {
		const struct trace_note *note = trace_note_get(s->trace, s->shown_notes.v[low - 1]);
		*ret = (struct line){ .is_note = true,
				      .seq = note->seq,
				      .note = s->shown_notes.v[low - 1] };
		return true;
	}
	uint64_t seq = selection_nth(s->rows, line - low);
	if (seq == SELECTION_NONE)
		return false;
	*ret = (struct line){ .seq = seq };
	return true;
}

uint64_t view_line_of(struct view *s, uint64_t seq)
{
	make_rows(s);
	uint64_t n = view_n_lines(s);
	if (!n)
		return 0;
	if (!selection_has(s->rows, seq)) {
		/* If the event is hidden in a fold, take the head of the fold; else the nearest
		 * row. */
		struct fold fold;
		if (s->fold_on && folds_find_member(s->folds, seq, &fold) &&
		    selection_has(s->rows, fold.head)) {
			seq = fold.head;
		} else {
			uint64_t next = selection_next(s->rows, seq),
				 prev = selection_prev(s->rows, seq);
			if (next == SELECTION_NONE && prev == SELECTION_NONE)
				return 0;
			if (next == SELECTION_NONE ||
			    (prev != SELECTION_NONE && seq - prev < next - seq))
				seq = prev;
			else
				seq = next;
		}
	}
	uint64_t row = selection_rank(s->rows, seq);
	size_t low = 0, high = n_notes(s);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (trace_note_get(s->trace, s->shown_notes.v[middle])->seq <= seq)
			low = middle + 1;
		else
			high = middle;
	}
	uint64_t line = row + low;
	return line < n ? line : n - 1;
}

static void set_open(struct view *s, uint64_t head, bool open)
{
	folds_open(s->folds, head, open);
	for (size_t i = 0; i < s->opened.n; i++)
		if (s->opened.v[i] == head) {
			if (!open)
				s->opened.v[i] = s->opened.v[--s->opened.n];
			s->rows_stale = true;
			return;
		}
	if (open && vec_reserve(&s->opened, 1))
		s->opened.v[s->opened.n++] = head;
	s->rows_stale = true;
}

void view_reveal(struct view *s, uint64_t seq)
{
	for (int i = 0; i < 64; i++) {
		make_rows(s);
		struct fold fold;
		if (selection_has(s->rows, seq) || !s->fold_on ||
		    !folds_find_member(s->folds, seq, &fold) || fold.head == seq ||
		    folds_is_open(s->folds, fold.head))
			return;
		set_open(s, fold.head, true);
	}
}

void view_fold_toggle(struct view *s, uint64_t seq)
{
	struct fold fold;
	if (!s->fold_on) {
		s->fold_on = true;
		s->rows_stale = true;
		return;
	}
	if (folds_find(s->folds, seq, &fold) || folds_find_member(s->folds, seq, &fold))
		set_open(s, fold.head, !folds_is_open(s->folds, fold.head));
}

void view_fold_all(struct view *s, bool on)
{
	s->fold_on = on;
	s->rows_stale = true;
	if (on)
		while (s->opened.n)
			set_open(s, s->opened.v[s->opened.n - 1], false);
}

/* ---- facts per name, marks ---- */

const struct name_facts *view_name(struct view *s, uint32_t name)
{
	static const struct name_facts unknown = { NULL, THEME_UNKNOWN, ROLE_TEXT, false };
	while (s->names.n <= trace_n_names(s->trace)) {
		struct name_facts f = unknown;
		size_t n;
		const char *text = trace_name(s->trace, (uint32_t)s->names.n, &n);
		if (s->names.n) {
			f.event = catalog_find(text, n);
			f.theme = catalog_theme_of(text, n);
			f.role = view_role(f.theme);
			f.is_own = catalog_is_own(text, n);
		}
		if (!vec_push(&s->names, f))
			return &unknown;
	}
	return name < s->names.n ? &s->names.v[name] : &unknown;
}

int view_minor_of(struct view *s, uint32_t process)
{
	const struct process_info *p = trace_process(s->trace, process);
	return p && p->python_hex ? (int)(p->python_hex >> 16 & 0xff) : s->python_minor;
}

static size_t mark_place(const struct view *s, uint64_t seq)
{
	size_t i = 0;
	while (i < s->marks.n && s->marks.v[i].seq < seq)
		i++;
	return i;
}

const struct mark *view_mark(const struct view *s, uint64_t seq)
{
	size_t i = mark_place(s, seq);
	return i < s->marks.n && s->marks.v[i].seq == seq ? &s->marks.v[i] : NULL;
}

static struct mark *mark_add(struct view *s, uint64_t seq)
{
	size_t i = mark_place(s, seq);
	if (i < s->marks.n && s->marks.v[i].seq == seq)
		return &s->marks.v[i];
	if (!vec_reserve(&s->marks, 1))
		return NULL;
	memmove(&s->marks.v[i + 1], &s->marks.v[i], (s->marks.n - i) * sizeof(s->marks.v[0]));
	s->marks.v[i] = (struct mark){ seq, NULL };
	s->marks.n++;
	return &s->marks.v[i];
}

void view_mark_toggle(struct view *s, uint64_t seq)
{
	size_t i = mark_place(s, seq);
	if (i < s->marks.n && s->marks.v[i].seq == seq) {
		free(s->marks.v[i].note);
		memmove(&s->marks.v[i], &s->marks.v[i + 1],
			(s->marks.n - i - 1) * sizeof(s->marks.v[0]));
		s->marks.n--;
		return;
	}
	mark_add(s, seq);
}

void view_mark_note(struct view *s, uint64_t seq, const char *note)
{
	struct mark *m = mark_add(s, seq);
	if (!m)
		return;
	free(m->note);
	m->note = note && *note ? strdup(note) : NULL;
}

bool view_has_threads(const struct view *s)
{
	return trace_n_threads(s->trace) > 1;
}

bool view_has_processes(const struct view *s)
{
	unsigned n = 0;
	for (uint32_t i = 0; i < trace_n_processes(s->trace) && n < 2; i++)
		n += trace_process(s->trace, i)->python_hex != 0;
	return n > 1;
}
