/*
 * event_row: see event_row.h.
 */
#include "ui/event_row.h"

#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/tr.h"
#include "base/utf8.h"
#include "model/selection.h"
#include "model/trace.h"
#include "model/trace_task.h"
#include "ui/text.h"
#include "ui/view.h"

/* What the head of a fold says, from the widest on; the last one fits everywhere. */
static const struct {
	int least;
	const char *text;
} startups[] = {
	{ 54, N_(" before your first line · Enter looks inside") },
	{ 47, N_(" before your first line · Enter opens") },
	{ 0, N_(" before your code · Enter opens") },
};
#define STARTED N_("python started")

bool row_look_is_same(const struct row_look *a, const struct row_look *b)
{
	const struct event_columns *x = &a->columns, *y = &b->columns;
	return a->time_mode == b->time_mode && x->decimals == y->decimals && x->names == y->names &&
	       x->function == y->function && x->args_w == y->args_w && x->thread_w == y->thread_w &&
	       x->caller_w == y->caller_w && x->event_w == y->event_w && x->host_w == y->host_w &&
	       x->task_w == y->task_w && x->package_w == y->package_w && !x->seq_w == !y->seq_w &&
	       !x->pid_w == !y->pid_w && !x->interp_w == !y->interp_w;
}

void event_row_task(struct strbuf *to, struct view *s, const struct event *e)
{
	struct trace_task task;
	if (trace_task(s->trace, e->task, &task))
		utf8_escape(to, task.name, task.n_name, 0);
}

void event_row_package(struct strbuf *to, struct view *s, const struct event *e)
{
	const struct trace_package *p = trace_package(s->trace,
						      trace_stack_package(s->trace, e->stack));
	if (p)
		utf8_escape(to, p->name, p->n_name, 0);
}

void event_row_host(struct strbuf *to, struct view *s, const struct event *e)
{
	size_t n;
	const char *host = trace_process_host(s->trace, e->process, &n);
	utf8_escape(to, n ? host : "unknown", n ? n : 7, 0);
}

void event_row_interp(struct strbuf *to, struct view *s, const struct event *e)
{
	const struct thread_info *thread = trace_thread(s->trace, e->thread);
	strbuf_addc(to, 'i');
	strbuf_add_u64(to, thread ? thread->interpreter : 0);
}

bool event_row_fold(struct view *s, uint64_t seq, struct fold *ret)
{
	return s->fold_on && folds_find(s->folds, seq, ret) && ret->n_hidden > 0;
}

void event_row_name(struct strbuf *to, struct view *s, const struct event *e,
		    const struct fold *fold)
{
	if (fold && fold->kind == FOLD_STARTUP)
		strbuf_adds(to, tr(STARTED));
	else
		event_text_name(to, s, e->name);
}

static void add_startup(struct strbuf *to, const struct fold *fold, int width)
{
	size_t i = 0;
	while (width < startups[i].least)
		i++;
	strbuf_add_count(to, fold->n_hidden + 1);
	strbuf_adds(to, tr(fold->n_hidden ? " events" : " event"));
	strbuf_adds(to, tr(startups[i].text));
}

/* "  ×12", "  +28, 84 ms" */
static void add_tail(struct strbuf *to, struct view *s, const struct event *e,
		     const struct fold *fold)
{
	if (fold->kind == FOLD_EQUAL) {
		strbuf_adds(to, "  ×");
		strbuf_add_count(to, fold->n_hidden + 1);
		return;
	}
	strbuf_adds(to, "  +");
	strbuf_add_count(to, fold->n_hidden);
	if (fold->span_ns) {
		strbuf_adds(to, ", ");
		text_span(to, fold->span_ns, trace_is_ticked(s->trace, e->process));
	}
}

void event_row_args(struct strbuf *to, struct view *s, const struct event *e,
		    const struct fold *fold, bool names, int width)
{
	struct strbuf tail = { 0 }, head = { 0 };
	bool is_startup = fold && fold->kind == FOLD_STARTUP;
	if (fold && !is_startup)
		add_tail(&tail, s, e, fold);
	int room = width - text_width(strbuf_str(&tail), tail.n);
	if (is_startup)
		add_startup(&head, fold, width);
	else if (!names || (fold && fold->kind == FOLD_IMPORT))
		event_text_gist(&head, s, e, room);
	else
		event_text_args(&head, s, e, room);
	if (fold)
		text_cut(to, strbuf_str(&head), head.n, room, false);
	else
		strbuf_add(to, strbuf_str(&head), head.n);
	strbuf_adds(to, strbuf_str(&tail));
	strbuf_fini(&head);
	strbuf_fini(&tail);
}

void event_row_caller(struct strbuf *to, struct view *s, const struct event *e,
		      const struct event_columns *c)
{
	struct strbuf full = { 0 }, place = { 0 };
	event_text_caller(&full, s, e, c->function);
	size_t n_place = full.n;
	if (c->function && text_width(strbuf_str(&full), full.n) > c->caller_w) {
		event_text_caller(&place, s, e, false);
		n_place = place.n;
	}
	int room = c->caller_w - (n_place < full.n ? 2 : 0);
	if (text_width(strbuf_str(&full), n_place) > room)
		text_cut(to, strbuf_str(&full), n_place, c->caller_w, true);
	else
		text_cut(to, strbuf_str(&full), full.n, c->caller_w, false);
	strbuf_fini(&full);
	strbuf_fini(&place);
}

static uint64_t time_above(struct view *s, uint64_t seq)
{
	struct event e;
	uint64_t at = seq ? selection_prev(s->rows, seq - 1) : SELECTION_NONE;
	return at != SELECTION_NONE && trace_event(s->trace, at, &e) ? e.time_ns : 0;
}

/* Append what stands in a column of this width, and empty *part. */
static void add_part(struct strbuf *to, struct strbuf *part, int width)
{
	if (width)
		text_cut(to, strbuf_str(part), part->n, width, false);
	strbuf_adds(to, "  ");
	strbuf_clear(part);
}

/* The columns before the name. */
static void add_origin(struct strbuf *to, struct view *s, const struct event *e,
		       const struct row_look *look)
{
	const struct event_columns *c = &look->columns;
	enum { WHOLE = 64 };
	struct strbuf part = { 0 };
	uint64_t before = look->time_mode == TIME_DELTA ? time_above(s, e->seq) : 0;
	if (c->seq_w) {
		strbuf_add_u64(&part, e->seq);
		add_part(to, &part, WHOLE);
	}
	event_text_time(&part, s, e->time_ns, before, look->time_mode, c->decimals);
	add_part(to, &part, WHOLE);
	if (c->host_w) {
		event_row_host(&part, s, e);
		add_part(to, &part, c->host_w);
	}
	const struct process_info *p = trace_process(s->trace, e->process);
	if (c->pid_w && p) {
		strbuf_add_u64(&part, p->pid);
		add_part(to, &part, WHOLE);
	}
	if (c->interp_w) {
		event_row_interp(&part, s, e);
		add_part(to, &part, WHOLE);
	}
	if (c->thread_w) {
		event_text_thread(&part, s, e->thread, c->thread_w);
		add_part(to, &part, WHOLE);
	}
	if (c->task_w) {
		event_row_task(&part, s, e);
		add_part(to, &part, c->task_w);
	}
	strbuf_fini(&part);
}

void event_row_text(struct strbuf *to, struct view *s, const struct event *e,
		    const struct row_look *look)
{
	const struct event_columns *c = &look->columns;
	struct fold fold;
	struct strbuf part = { 0 };
	bool is_head = event_row_fold(s, e->seq, &fold);
	add_origin(to, s, e, look);
	for (int is_open = !is_head; is_open < 2; is_open++) {
		bool is_startup = !is_open && fold.kind == FOLD_STARTUP;
		event_row_name(&part, s, e, is_open ? NULL : &fold);
		add_part(to, &part, c->event_w);
		if (c->package_w) {
			event_row_package(&part, s, e);
			add_part(to, &part, c->package_w);
		}
		event_row_args(to, s, e, is_open ? NULL : &fold, c->names,
			       c->args_w + (is_startup && c->caller_w ? c->caller_w + 1 : 0));
		strbuf_adds(to, "  ");
		if (c->caller_w && !is_startup) {
			event_row_caller(to, s, e, c);
			strbuf_adds(to, "  ");
		}
	}
	/* what is found at 80 columns is found at 200 */
	if (c->names)
		event_text_gist(to, s, e, 1 << 20);
	strbuf_fini(&part);
}

bool event_row_fold_may_have(const char *word, size_t n)
{
	for (size_t i = 0; i < n; i++) /* "28", "84", "1m02s" */
		if (word[i] >= '0' && word[i] <= '9')
			return true;
	const char *const texts[] = { tr(STARTED),
				      tr(" events"),
				      tr(" event"),
				      tr(startups[0].text),
				      tr(startups[1].text),
				      tr(startups[2].text),
				      tr("within 10 ms"),
				      "ns",
				      "µs" };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (const char *p = texts[i]; *p; p++)
			if (!strncasecmp(p, word, n))
				return true;
	return false;
}
