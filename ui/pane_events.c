/*
 * pane_events: the list of events. A row says when, in which thread, which event, with which
 * arguments, and from which caller.
 *
 * The cursor belongs to an event, not to a line number: if the event is still shown after a
 * filter or a fold, the cursor stays on it.
 */
#include "ui/pane_events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/monotonic.h"
#include "base/tr.h"
#include "model/first_seen.h"
#include "ui/area.h"
#include "ui/event_row.h"
#include "ui/events_facts.h"
#include "ui/hits.h"
#include "ui/now_lines.h"
#include "ui/pane_host.h"
#include "ui/text.h"

/* A hit that is found within this time is in the first frame after the key; frames are drawn within
 * 8 ms. */
enum { SEARCH_AT_ONCE_NS = 4000000 };

struct events {
	struct pane pane;
	struct row_look look;
	uint64_t cursor_seq; /* event (or the event after a note) under the cursor */
	uint32_t note;       /* note under the cursor, if on_note */
	bool on_note;
	unsigned generation;
	/* a search, done in slices */
	bool searching, search_back, wrapped;
	uint64_t search_at, search_from, n_searched;
	struct hits *hits;
};

static struct err *open_events(const struct pane_host *host, struct pane **ret)
{
	struct events *e = calloc(1, sizeof(*e));
	if (!e)
		return err_no_memory();
	e->hits = hits_create();
	if (!e->hits) {
		free(e);
		return err_no_memory();
	}
	*ret = &e->pane;
	return NULL;
}

static void close_events(struct pane *p)
{
	hits_destroy(((struct events *)p)->hits);
	free(p);
}

static bool line_at(struct events *e, uint64_t line, struct line *ret)
{
	return view_line(e->pane.host->view, line, ret);
}

/* Tell the other panes which event the cursor is on. */
static void cursor_moved(struct events *e)
{
	struct line line;
	const struct pane_host *host = e->pane.host;
	if (!e->pane.list.n || !line_at(e, e->pane.list.cursor, &line)) {
		host_set_cursor(host, SELECTION_NONE);
		return;
	}
	bool other_note = line.is_note && (!e->on_note || e->note != line.note);
	e->cursor_seq = line.seq;
	e->on_note = line.is_note;
	e->note = line.is_note ? line.note : 0;
	uint64_t seq = line.is_note ? SELECTION_NONE : line.seq;
	if (host->cursor_seq != seq || other_note)
		host_set_cursor(host, seq);
}

static void update_events(struct pane *p, unsigned changes)
{
	struct events *e = (struct events *)p;
	const struct pane_host *host = p->host;
	struct view *s = host->view;
	if (changes & (CHANGE_SIZE | CHANGE_EVENTS | CHANGE_FILTER))
		event_columns_size(&e->look.columns, host, e->pane.n_columns);
	e->look.time_mode = host->time_mode;
	hits_look(e->hits, &e->look);
	uint64_t offset = p->list.cursor - p->list.top;
	bool had_lines = p->list.n > 0;
	uint64_t n = view_n_lines(s);
	if (s->generation != e->generation || changes & CHANGE_FILTER) {
		/* Lines may have moved: keep the event under the cursor on its line of the screen.
		 */
		e->generation = s->generation;
		p->list.n = n;
		p->list.n_lines = p->n_lines;
		if (had_lines && n && !host->following) {
			uint64_t cursor = view_line_of(s, e->cursor_seq);
			p->list.cursor = cursor;
			p->list.top = cursor > offset ? cursor - offset : 0;
		}
	}
	list_set(&p->list, n, p->n_lines);
	if (host->following && n)
		list_go(&p->list, n - 1);
	cursor_moved(e);
}

/* ---- drawing ---- */

/* A column whose text `add` appends. */
static void put_dim(struct area a, int y, int x, int width, struct view *s, const struct event *e,
		    void (*add)(struct strbuf *to, struct view *s, const struct event *e))
{
	struct strbuf b = { 0 };
	add(&b, s, e);
	area_put_cut(a, y, x, width, ROLE_DIM, strbuf_str(&b));
	strbuf_fini(&b);
}

static void put_number(struct area a, int y, int x, int width, uint64_t n)
{
	char text[32];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	area_put_right(a, y, x, width, ROLE_DIM, text);
}

static void put_time(const struct events *e, struct area a, int y, uint64_t ns, uint64_t before)
{
	struct strbuf b = { 0 };
	event_text_time(&b, e->pane.host->view, ns, before, e->pane.host->time_mode,
			e->look.columns.decimals);
	if (e->look.columns.time_w)
		area_put_right(a, y, e->look.columns.time, e->look.columns.time_w, ROLE_DIM,
			       strbuf_str(&b));
	strbuf_fini(&b);
}

static void draw_note(const struct events *e, struct area a, int y, uint32_t id)
{
	const struct pane_host *host = e->pane.host;
	const struct trace_note *n = trace_note_get(host->view->trace, id);
	struct strbuf b = { 0 };
	text_note(&b, host->view, n);
	int x = 3;
	if (n->note.kind == NOTE_LOST) {
		x += area_put(a, y, x, -1, ROLE_DIM, "─ ─ ");
		x += area_put(a, y, x, -1, ROLE_TROUBLE, "[lost]");
		x += area_put(a, y, x, -1, ROLE_TEXT, " ");
		x += area_put_cut(a, y, x, -1, ROLE_TEXT, strbuf_str(&b));
		area_put(a, y, x, -1, ROLE_DIM, " ─ ─");
	} else {
		put_time(e, a, y, n->note.time_ns, 0);
		x = e->look.columns.event;
		x += area_put(a, y, x, -1, ROLE_DIM, "── ");
		x += area_put_cut(a, y, x, -1, ROLE_TEXT, strbuf_str(&b));
		area_put(a, y, x, -1, ROLE_DIM, " ──");
	}
	strbuf_fini(&b);
}

/* Words in brackets are drawn in reverse. There are none for an event that another hook vetoed:
 * hooks are called in the order they were added, and the first one that raises ends the round
 * (CPython v3.13.0 Python/sysmodule.c, sys_audit_tstate). A hook that is called before it does not
 * learn of the veto, and a hook after it is not called at all. */
static void put_args(struct area a, int y, int x, int limit, const char *text, bool is_own)
{
	static const char *const words[] = { "[cut]", "[lost]", "[unknown]" };
	int used = area_put_cut(a, y, x, limit, ROLE_TEXT, text);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strncmp(text, words[i], strlen(words[i])) && used >= (int)strlen(words[i]))
			area_mark(a, y, x, (int)strlen(words[i]), 0, ROLE_TROUBLE);
	if (is_own && used >= (int)strlen(EVENT_TEXT_OWN))
		area_mark(a, y, x, (int)strlen(EVENT_TEXT_OWN), 0, ROLE_DIM);
}

static void draw_event(const struct events *p, struct area a, int y, uint64_t seq,
		       uint64_t before_ns)
{
	const struct pane_host *host = p->pane.host;
	struct view *s = host->view;
	const struct event_columns *c = &p->look.columns;
	struct event e;
	if (!trace_event(s->trace, seq, &e))
		return;
	struct fold of_row;
	bool is_head = event_row_fold(s, seq, &of_row);
	bool is_open = is_head && folds_is_open(s->folds, seq);
	const struct fold *fold = is_head && !is_open ? &of_row : NULL;
	const struct mark *mark = view_mark(s, seq);
	const char *mark_sign = mark ? (mark->note ? "◈" : "◆") : NULL;
	const char *sign = is_head ? (is_open ? "▾" : "▸") : mark_sign;
	if (!sign && selection_has(first_seen_rows(s->first), seq))
		sign = "•";
	if (sign)
		area_put(a, y, 1, 1, is_head ? ROLE_DIM : ROLE_TEXT, sign);
	put_time(p, a, y, e.time_ns, before_ns);
	if (is_head && mark) /* beside the sign of the fold */
		area_put(a, y, 2, 1, ROLE_TEXT, mark_sign);
	struct strbuf b = { 0 };
	if (c->host_w)
		put_dim(a, y, c->host, c->host_w, s, &e, event_row_host);
	if (c->pid_w) {
		const struct process_info *process = trace_process(s->trace, e.process);
		put_number(a, y, c->pid, c->pid_w, process ? process->pid : 0);
	}
	if (c->seq_w)
		put_number(a, y, c->seq, c->seq_w, seq);
	if (c->interp_w) {
		event_row_interp(&b, s, &e);
		area_put_right(a, y, c->interp, c->interp_w, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
	}
	if (c->thread_w) {
		event_text_thread(&b, s, e.thread, c->thread_w);
		area_put(a, y, c->thread, c->thread_w, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
	}
	if (c->task_w)
		put_dim(a, y, c->task, c->task_w, s, &e, event_row_task);
	const struct name_facts *facts = view_name(s, e.name);
	event_row_name(&b, s, &e, fold);
	area_put_cut(a, y, c->event, c->event_w, facts->role, strbuf_str(&b));
	strbuf_clear(&b);
	if (c->package_w)
		put_dim(a, y, c->package, c->package_w, s, &e, event_row_package);
	int args_w = c->args_w;
	/* no code of the user has run yet, so there is no caller */
	bool is_startup = fold && fold->kind == FOLD_STARTUP;
	if (is_startup && c->caller_w)
		args_w = c->caller + c->caller_w - c->args;
	event_row_args(&b, s, &e, fold, c->names, args_w);
	put_args(a, y, c->args, args_w, strbuf_str(&b), facts->is_own);
	if (c->caller_w && !is_startup) {
		strbuf_clear(&b);
		event_row_caller(&b, s, &e, c);
		area_put(a, y, c->caller, c->caller_w, ROLE_DIM, strbuf_str(&b));
	}
	strbuf_fini(&b);
}

/* Until there is an event: what the program does meanwhile. */
static void draw_now(const struct pane_host *host, struct area a, int y)
{
	struct strbuf b = { 0 }, age = { 0 };
	now_line_vec lines = { 0 };
	now_age_text(&age, host);
	strbuf_addf(&b, tr("what it does now, read %s; @ shows all of it"), strbuf_str(&age));
	area_put_cut(a, y++, 2, -1, ROLE_DIM, strbuf_str(&b));
	now_lines_make(host->now, &lines);
	for (size_t i = 0; i < lines.n && y < a.n_lines; i++, y++)
		now_line_draw(host, &lines.v[i], a, y);
	vec_fini(&lines);
	strbuf_fini(&age);
	strbuf_fini(&b);
}

static void draw_empty(const struct events *e, struct area a)
{
	const struct pane_host *host = e->pane.host;
	struct view *s = host->view;
	if (s->filter && s->n_events) {
		if (s->filter_done < 1) {
			area_printf(a, 1, 2, -1, ROLE_TEXT,
				    tr("looking: %.0f %% of the events, none matches so far"),
				    s->filter_done * 100);
			return;
		}
		area_put(a, 1, 2, -1, ROLE_TEXT, tr("nothing matches"));
		int y = 3;
		size_t n_parts = 0;
		const struct filter_part *parts = s->why
						      ? filter_explanation_parts(s->why, &n_parts)
						      : NULL;
		bool asks_host = false;
		for (size_t i = 0; i < n_parts && y < a.n_lines - 2; i++, y++) {
			const struct filter_part *part = &parts[i];
			const char *term = s->filter_text + part->at;
			asks_host |= !part->n_events && part->n_bytes > 5 &&
				     !strncmp(term, "host", 4) && strchr(" =~", term[4]);
			struct strbuf b = { 0 };
			text_count(&b, part->n_events, 12);
			area_put_right(a, y, 2, 12, ROLE_DIM, strbuf_str(&b));
			strbuf_clear(&b);
			strbuf_adds(&b, i ? tr("and ") : "");
			strbuf_add(&b, s->filter_text + part->at, part->n_bytes);
			area_put_cut(a, y, 17, -1,
				     part->n_events || !s->why_done ? ROLE_TEXT : ROLE_FOCUS,
				     strbuf_str(&b));
			strbuf_fini(&b);
		}
		/* the word means another thing where events are about the network */
		if (asks_host)
			area_put_cut(a, y++, 17, -1, ROLE_DIM,
				     tr("host is the machine it ran on; peer is the other end"));
		area_put(a, y + 1, 2, -1, ROLE_DIM,
			 tr("= shows all again, f edits the filter, Bksp goes back"));
		return;
	}
	if (view_is_live(s)) {
		area_put(a, 1, 2, -1, ROLE_TEXT, tr("waiting for the first event"));
		area_put(a, 2, 2, -1, ROLE_DIM, tr("what the program does next appears here"));
		if (host->now)
			draw_now(host, a, 3);
	} else {
		area_put(a, 1, 2, -1, ROLE_TEXT, tr("this capture holds no event"));
		area_put(a, 2, 2, -1, ROLE_DIM,
			 tr("it ended before the program raised one; ! shows what was noted"));
	}
}

static void draw_events(const struct pane *p, struct area a)
{
	const struct events *e = (const struct events *)p;
	struct view *s = p->host->view;
	if (!p->list.n) {
		draw_empty(e, a);
		return;
	}
	bool focus = pane_has_focus(p);
	uint64_t before_ns = 0;
	struct line line;
	struct event event;
	if (p->list.top > 0 && view_line(s, p->list.top - 1, &line) &&
	    trace_event(s->trace, line.seq, &event))
		before_ns = event.time_ns;
	for (int y = 0; y < a.n_lines; y++) {
		if (!view_line(s, p->list.top + (uint64_t)y, &line))
			break;
		if (line.is_note)
			draw_note(e, a, y, line.note);
		else
			draw_event(e, a, y, line.seq, before_ns);
		if (!line.is_note && trace_event(s->trace, line.seq, &event))
			before_ns = event.time_ns;
		search_mark(p->host->search, a, y);
		if (p->list.top + (uint64_t)y == p->list.cursor) {
			area_put(a, y, 0, 1, ROLE_FOCUS, focus ? "▌" : "▏");
			if (focus)
				area_bar(a, y);
		}
	}
}

static void title_events(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct events *e = (const struct events *)p;
	uint64_t n = view_n_shown(p->host->view);
	struct events_facts f = { .pane = p,
				  .hits = e->hits,
				  .is_searching = e->searching,
				  .searched = n ? (double)e->n_searched / (double)n : 0,
				  .on_note = e->on_note };
	strbuf_adds(subject, p->host->view->filter_text);
	events_facts_add(&f, facts);
}

/* ---- actions ---- */

static void go_seq(struct events *e, uint64_t seq)
{
	const struct pane_host *host = e->pane.host;
	view_reveal(host->view, seq);
	e->generation = host->view->generation;
	list_set(&e->pane.list, view_n_lines(host->view), e->pane.n_lines);
	e->generation = host->view->generation;
	uint64_t line = view_line_of(host->view, seq);
	bool near = line >= e->pane.list.top && line < e->pane.list.top + (uint64_t)e->pane.n_lines;
	list_go(&e->pane.list, line);
	/* the row is not on this page: show the rows around it, too */
	if (!near && e->pane.n_lines > 4) {
		uint64_t third = (uint64_t)e->pane.n_lines / 3;
		e->pane.list.top = line > third ? line - third : 0;
		list_set(&e->pane.list, e->pane.list.n, e->pane.n_lines);
	}
	cursor_moved(e);
}

bool pane_events_is_searching(const struct pane *p)
{
	return p && ((const struct events *)p)->searching;
}

bool pane_events_hits(const struct pane *p, uint64_t *ret_n)
{
	const struct events *e = (const struct events *)p;
	uint64_t place;
	return hits_place(e->hits, p->host->view, p->host->search, 0, &place, ret_n);
}

void pane_events_search_stop(struct pane *p)
{
	struct events *e = (struct events *)p;
	if (e && e->searching) {
		e->searching = false;
		host_flash(p->host, "the search was stopped");
	}
}

bool pane_events_note(const struct pane *p, uint32_t *ret)
{
	struct line line;
	if (!p->list.n || !view_line(p->host->view, p->list.cursor, &line) || !line.is_note)
		return false;
	*ret = line.note;
	return true;
}

void pane_events_anchor(struct pane *p, uint64_t seq)
{
	if (seq != SELECTION_NONE)
		((struct events *)p)->cursor_seq = seq;
}

void pane_events_show(struct pane *p, uint64_t seq)
{
	host_follow(p->host, false);
	go_seq((struct events *)p, seq);
}

static void step_first(struct events *e, bool forward, uint64_t count)
{
	struct view *s = e->pane.host->view;
	struct selection *first = first_seen_rows(s->first);
	uint64_t at = e->cursor_seq;
	for (uint64_t i = 0; i < (count ? count : 1); i++) {
		uint64_t next = at;
		do {
			next = forward ? selection_next(first, next + 1)
			       : next  ? selection_prev(first, next - 1)
				       : SELECTION_NONE;
		} while (next != SELECTION_NONE && !selection_has(s->shown, next));
		if (next == SELECTION_NONE) {
			host_flash(e->pane.host, forward
						     ? "no later event is the first of its kind"
						     : "no earlier event is the first of its kind");
			break;
		}
		at = next;
	}
	if (at != e->cursor_seq)
		host_goto(e->pane.host, at);
}

static bool chunk_has_thread(struct trace *t, uint32_t i_chunk, uint32_t thread)
{
	struct chunk_summary s;
	if (!trace_chunk_summary(t, i_chunk, &s))
		return false;
	for (uint32_t i = 0; i < s.n_threads; i++)
		if (s.threads[i] == thread)
			return true;
	return false;
}

/* Return the next or previous row of this thread, at any distance: chunks without the thread are
 * skipped unread. */
static uint64_t row_of_thread(struct view *s, uint64_t at, uint32_t thread, bool forward)
{
	uint32_t looked_at = UINT32_MAX;
	for (;;) {
		if (!forward && !at)
			return SELECTION_NONE;
		at = forward ? selection_next(s->rows, at + 1) : selection_prev(s->rows, at - 1);
		if (at == SELECTION_NONE)
			return SELECTION_NONE;
		uint32_t i_chunk = (uint32_t)(at >> TRACE_CHUNK_SHIFT);
		uint64_t first = (uint64_t)i_chunk << TRACE_CHUNK_SHIFT;
		if (i_chunk != looked_at && !chunk_has_thread(s->trace, i_chunk, thread)) {
			at = forward ? first + TRACE_CHUNK - 1 : first;
			continue;
		}
		if (i_chunk != looked_at)
			trace_trim(s->trace);
		looked_at = i_chunk;
		const struct chunk *c = trace_chunk(s->trace, i_chunk);
		if (c && at - first < c->n && c->threads[c->thread[at - first]] == thread)
			return at;
	}
}

/* Go to the next or previous shown event of the same thread. */
static void step_story(struct events *e, bool forward, uint64_t count)
{
	const struct pane_host *host = e->pane.host;
	struct view *s = host->view;
	struct event here;
	if (e->on_note || !trace_event(s->trace, e->cursor_seq, &here)) {
		host_flash(host, "there is no event under the cursor");
		return;
	}
	uint64_t at = e->cursor_seq;
	for (uint64_t i = 0; i < (count ? count : 1); i++) {
		uint64_t next = row_of_thread(s, at, here.thread, forward);
		if (next == SELECTION_NONE) {
			host_flash(host, forward ? "no further event of this thread"
						 : "no earlier event of this thread");
			break;
		}
		at = next;
	}
	if (at == e->cursor_seq)
		return;
	host_follow(host, false);
	go_seq(e, at);
}

/* The next event of the search that may have a hit; SELECTION_NONE: there is none this way. */
static uint64_t next_candidate(struct events *e)
{
	struct view *s = e->pane.host->view;
	uint64_t at = hits_skip(e->hits, s, e->pane.host->search, e->search_at, !e->search_back);
	if (at == SELECTION_NONE)
		return at;
	return e->search_back ? selection_prev(s->shown, at) : selection_next(s->shown, at);
}

static bool work_search(struct events *e, uint64_t budget_ns)
{
	struct pane *p = &e->pane;
	struct view *s = p->host->view;
	uint64_t begin_ns = monotonic_ns();
	host_redraw(p->host); /* show the progress */
	for (;;) {
		if (++e->n_searched % 64 == 0)
			trace_trim(s->trace);
		/* the text of a line may take some µs */
		if (e->n_searched % 16 == 0 && monotonic_ns() - begin_ns >= budget_ns)
			return true;
		uint64_t at = next_candidate(e);
		if (at == SELECTION_NONE ||
		    (e->wrapped && (e->search_back ? at < e->search_from : at > e->search_from))) {
			if (!e->wrapped && at == SELECTION_NONE) { /* continue from the other end */
				e->wrapped = true;
				e->search_at = e->search_back ? s->n_events : 0;
				continue;
			}
			e->searching = false;
			host_flash(p->host, "no hit for %s", p->host->search->text);
			return false;
		}
		if (hits_has(e->hits, s, p->host->search, at)) {
			e->searching = false;
			host_follow(p->host, false);
			host_goto(p->host, at);
			if (e->wrapped)
				host_flash(p->host, e->search_back
							? "the search wrapped to the end"
							: "the search wrapped to the start");
			host_redraw(p->host);
			return false;
		}
		if (e->search_back && at == 0) {
			e->search_at = s->n_events;
			if (e->wrapped)
				e->search_from = UINT64_MAX; /* all rows were searched */
			e->wrapped = true;
			continue;
		}
		e->search_at = e->search_back ? at - 1 : at + 1;
	}
}

static void search_start(struct events *e, bool forward, bool from_here)
{
	struct view *s = e->pane.host->view;
	if (!search_is_on(e->pane.host->search)) {
		host_flash(e->pane.host, "nothing to look for yet: / asks");
		return;
	}
	e->searching = true;
	e->n_searched = 0;
	e->wrapped = false;
	e->search_back = !forward;
	e->search_from = e->cursor_seq;
	e->search_at = e->cursor_seq;
	if (!from_here) {
		e->search_at = forward         ? e->cursor_seq + 1
			       : e->cursor_seq ? e->cursor_seq - 1
					       : s->n_events;
	}
	work_search(e, SEARCH_AT_ONCE_NS);
}

static bool work_events(struct pane *p, uint64_t budget_ns)
{
	struct events *e = (struct events *)p;
	/* after the search the hits are counted, also if nothing else calls for work */
	if (e->searching)
		return work_search(e, budget_ns) || search_is_on(p->host->search);
	if (!search_is_on(p->host->search))
		return false;
	bool changed = false;
	bool more = hits_work(e->hits, p->host->view, p->host->search, budget_ns, &changed);
	if (changed)
		host_redraw(p->host);
	return more;
}

static void open_line(struct events *e)
{
	const struct pane_host *host = e->pane.host;
	struct fold fold;
	if (e->on_note) {
		host_open_page(host, PANE_MESSAGES);
		return;
	}
	if (host->view->fold_on && folds_find(host->view->folds, e->cursor_seq, &fold) &&
	    fold.n_hidden) {
		if (fold.kind != FOLD_EQUAL && !folds_is_open(host->view->folds, fold.head))
			host_open_page(host, PANE_INSIDE);
		else
			view_fold_toggle(host->view, e->cursor_seq);
		return;
	}
	/* the arguments get the focus: every value can be opened there */
	host_focus(host, PANE_ARGUMENTS);
}

static bool act_events(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct events *e = (struct events *)p;
	const struct pane_host *host = p->host;
	struct view *s = host->view;
	uint64_t before = p->list.cursor;
	if (action == ACTION_TOP || action == ACTION_BOTTOM)
		host_remember_place(host);
	if (list_act(&p->list, action, count)) {
		e->searching = false;
		if (action == ACTION_BOTTOM && !count && view_is_live(s))
			host_follow(host, true);
		else if (p->list.cursor < before || action == ACTION_UP || action == ACTION_TOP)
			host_follow(host, false);
		cursor_moved(e);
		return true;
	}
	switch ((int)action) {
	case ACTION_TOGGLE: /* mark it, and go to the next line */
		if (!e->on_note && host->cursor_seq != SELECTION_NONE) {
			view_mark_toggle(s, host->cursor_seq);
			host_keep_marks(host);
		}
		return act_events(p, ACTION_DOWN, 1, NULL);
	case ACTION_FOLLOW:
		host_follow(host, !host->following);
		if (host->following && p->list.n)
			list_go(&p->list, p->list.n - 1);
		if (!view_is_live(s))
			host_follow(host, false);
		cursor_moved(e);
		return true;
	case ACTION_FOLD:
		if (!e->on_note) {
			host_follow(host, false);
			view_fold_toggle(s, e->cursor_seq);
		}
		host_changed(host, CHANGE_FILTER);
		return true;
	case ACTION_FOLD_ALL:
		view_fold_all(s, !s->fold_on);
		host_changed(host, CHANGE_FILTER);
		return true;
	case ACTION_FIRST_NEXT:
	case ACTION_FIRST_PREV: step_first(e, action == ACTION_FIRST_NEXT, count); return true;
	case ACTION_STORY_NEXT:
	case ACTION_STORY_PREV: step_story(e, action == ACTION_STORY_NEXT, count); return true;
	case ACTION_HIT_NEXT: search_start(e, !host->search->backwards, false); return true;
	case ACTION_HIT_PREV: search_start(e, host->search->backwards, false); return true;
	case ACTION_SEARCH: /* the prompt has set the pattern */
		if (!text)
			return false;
		search_start(e, !host->search->backwards, true);
		return true;
	case ACTION_OPEN:
		open_line(e);
		host_changed(host, CHANGE_FILTER);
		return true;
	case ACTION_CANCEL:
		if (e->searching) {
			e->searching = false;
			return true;
		}
		return false;
	default: return false;
	}
}

static bool term_events(const struct pane *p, struct strbuf *to)
{
	const struct events *e = (const struct events *)p;
	struct event event;
	if (e->on_note || !p->list.n || !trace_event(p->host->view->trace, e->cursor_seq, &event) ||
	    !event.name)
		return false;
	size_t n;
	const char *name = trace_name(p->host->view->trace, event.name, &n);
	strbuf_adds(to, "event == ");
	filter_quote(to, name, n);
	return true;
}

static void line_events(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	struct line line;
	struct event event;
	if (!view_line(p->host->view, entry, &line))
		return;
	if (line.is_note)
		text_note(to, p->host->view, trace_note_get(p->host->view->trace, line.note));
	else if (trace_event(p->host->view->trace, line.seq, &event))
		event_text_line(to, p->host->view, &event);
}

const struct pane_ops pane_events_ops = {
	.open = open_events,
	.close = close_events,
	.update = update_events,
	.draw = draw_events,
	.act = act_events,
	.title = title_events,
	.term = term_events,
	.line = line_events,
	.work = work_events,
};
