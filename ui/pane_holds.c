/*
 * pane_holds: the threads that are held now, and the holds with their counts.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hold_list.h"
#include "base/tr.h"
#include "base/utf8.h"
#include "ui/area.h"
#include "ui/pane_host.h"

enum { HEAD_MAX = 3, COUNT_COLUMNS = 10, SINCE_COLUMN = 8 };

static uint32_t n_held(const struct hold_list *l)
{
	return l->n_held < HELD_SHOWN ? l->n_held : HELD_SHOWN;
}

/* The first lines are threads that are held, the others are holds. NULL: it is none of these. */
static const struct held_row *held_at(const struct hold_list *l, uint64_t i)
{
	return i < n_held(l) ? &l->held[i] : NULL;
}

static const struct hold_row *hold_at(const struct hold_list *l, uint64_t i)
{
	return i >= n_held(l) && i - n_held(l) < l->n ? &l->v[i - n_held(l)] : NULL;
}

/* The lines above the first entry: what they are, and of a thread that is held what waits for it,
 * and who can take over. */
static int n_head(const struct hold_list *l)
{
	return n_held(l) ? HEAD_MAX : HEAD_MAX - 1;
}

static struct err *open_holds(const struct pane_host *host, struct pane **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return err_no_memory();
	return NULL;
}

static void close_holds(struct pane *p)
{
	free(p);
}

static void update_holds(struct pane *p, unsigned changes)
{
	const struct hold_list *l = view_holds(p->host->view);
	p->list.n_head = n_head(l);
	list_set(&p->list, (uint64_t)n_held(l) + l->n, p->n_lines - n_head(l));
}

/* What else stands still because of it. */
static const char *waits_for(const struct view *s, const struct held_row *h)
{
	const struct process_info *i = trace_process(s->trace, h->process);
	return i && i->flags & PROCESS_FREE_THREADED ? tr("free-threaded: the other threads run on")
						     : tr("a thread that is held keeps the GIL: "
							  "the other Python threads wait for it");
}

/* A process has one tracer. */
static void add_hand_over(const struct held_row *h, struct strbuf *to)
{
	if (h->is_traced)
		strbuf_adds(
		    to, tr("no debugger can attach: auditview follows it (--no-follow allows it)"));
	else
		strbuf_addf(to, tr("a debugger can take it over: gdb -p %d"), (int)h->pid);
}

static void add_held(const struct pane_host *host, const struct held_row *h, struct strbuf *to)
{
	struct view *s = host->view;
	struct event e;
	strbuf_addf(to, tr("hold %u  %d "), h->hold, (int)h->tid);
	if (h->seq < s->n_events && trace_event(s->trace, h->seq, &e)) {
		event_text_thread(to, s, e.thread, 20);
		strbuf_addf(to, tr(" of %d  before "), (int)h->pid);
		event_text_name(to, s, e.name);
		strbuf_addc(to, ' ');
		event_text_gist(to, s, &e, 60);
	} else {
		strbuf_addf(to, tr("of %d"), (int)h->pid);
	}
}

static void add_hold(const struct hold_row *h, struct strbuf *to)
{
	utf8_escape(to, h->text, strlen(h->text), 0);
	if (h->flags & HOLD_IS_ONCE)
		strbuf_adds(to, tr("  (once)"));
	if (h->n_to_ignore)
		strbuf_addf(to, tr("  (the next %llu are ignored)"),
			    (unsigned long long)h->n_to_ignore);
}

static void draw_hold(const struct hold_row *h, struct area a, int y)
{
	const uint64_t counts[] = { h->n_matched, h->n_ignored, h->n_held };
	struct strbuf b = { 0 };
	int room = a.n_columns - 3 * COUNT_COLUMNS - 1;
	area_put(a, y, 2, 3, ROLE_TEXT, h->flags & HOLD_IS_OFF ? "[ ]" : "[x]");
	strbuf_addf(&b, "%u", h->id);
	area_put_right(a, y, 6, 3, ROLE_DIM, strbuf_str(&b));
	strbuf_clear(&b);
	add_hold(h, &b);
	area_put_cut(a, y, 10, room - 11, ROLE_TEXT, strbuf_str(&b));
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		strbuf_clear(&b);
		text_count(&b, counts[i], COUNT_COLUMNS - 1);
		area_put_right(a, y, room + (int)i * COUNT_COLUMNS, COUNT_COLUMNS, ROLE_DIM,
			       strbuf_str(&b));
	}
	strbuf_fini(&b);
}

static void draw_held(const struct pane_host *host, const struct held_row *h, struct area a, int y)
{
	struct strbuf b = { 0 };
	text_age(&b, host->now_ns > h->since_ns ? host->now_ns - h->since_ns : 0);
	area_put(a, y, 2, 1, ROLE_TROUBLE, "‖");
	area_put_right(a, y, 4, SINCE_COLUMN - 3, ROLE_TEXT, strbuf_str(&b));
	strbuf_clear(&b);
	add_held(host, h, &b);
	area_put_cut(a, y, SINCE_COLUMN + 2, -1, ROLE_TEXT, strbuf_str(&b));
	strbuf_fini(&b);
}

/* Nothing is held: how to hold something, if it can be done here. */
static void draw_empty(const struct view *s, struct area a)
{
	if (view_has_target(s)) {
		area_put(a, 1, 2, -1, ROLE_TEXT, tr("nothing is held"));
		area_put(
		    a, 2, 2, -1, ROLE_DIM,
		    tr("b on an event or a value, or :hold FILTER, stops a thread before the"));
		area_put(
		    a, 3, 2, -1, ROLE_DIM,
		    tr("operation happens: look at its stack and its locals, then C continues it"));
		return;
	}
	area_put(a, 1, 2, -1, ROLE_TEXT,
		 s->live ? tr("the program has ended: nothing can be held any more")
			 : tr("this is a capture: nothing runs, so nothing can be held"));
	area_put(a, 2, 2, -1, ROLE_DIM,
		 tr("while a program runs, a thread can be stopped before an operation happens:"));
	area_put(a, 3, 2, -1, ROLE_DIM,
		 tr("auditview -p PID or auditview -- program.py, then b on an event or a value"));
}

static void draw_holds(const struct pane *p, struct area a)
{
	const struct hold_list *l = view_holds(p->host->view);
	if (!l->n && !l->n_held) {
		draw_empty(p->host->view, a);
		return;
	}
	const struct held_row *first = held_at(l, 0);
	int head = n_head(l);
	if (first) {
		struct strbuf b = { 0 };
		add_hand_over(first, &b);
		area_put(a, 1, 2, -1, ROLE_DIM, waits_for(p->host->view, first));
		area_put_cut(a, 2, 2, -1, ROLE_DIM, strbuf_str(&b));
		strbuf_fini(&b);
	}
	area_put(a, 0, 10, -1, ROLE_DIM, tr("what is held before it happens"));
	area_put_right(a, 0, a.n_columns - 3 * COUNT_COLUMNS - 1, 3 * COUNT_COLUMNS, ROLE_DIM,
		       tr("matched   ignored      held"));
	for (int y = 0; y < p->list.n_lines; y++) {
		uint64_t i = p->list.top + (uint64_t)y;
		const struct held_row *held = held_at(l, i);
		const struct hold_row *hold = hold_at(l, i);
		if (held)
			draw_held(p->host, held, a, y + head);
		else if (hold)
			draw_hold(hold, a, y + head);
		else
			break;
		search_mark(p->host->search, a, y + head);
		if (i == p->list.cursor) {
			area_put(a, y + head, 0, 1, ROLE_FOCUS, "▌");
			area_bar(a, y + head);
		}
	}
}

static bool said(const struct pane_host *host, struct err *err)
{
	if (err)
		host_flash_err(host, err);
	return true;
}

static bool act_holds(struct pane *p, enum action action, uint64_t count, const char *text)
{
	const struct pane_host *host = p->host;
	const struct hold_list *l = view_holds(host->view);
	const struct app_live_ops *live = host->view->live;
	if (list_act(&p->list, action, count))
		return true;
	const struct held_row *held = held_at(l, p->list.cursor);
	const struct hold_row *hold = hold_at(l, p->list.cursor);
	uint64_t seq;
	switch ((int)action) {
	case ACTION_OPEN:
		if (!held || held->seq >= host->view->n_events)
			return false;
		seq = held->seq;
		host_close_pages(host, ALL_PAGES);
		host_goto(host, seq);
		return true;
	case ACTION_TOGGLE:
		return hold && said(host, live->hold_switch(host->view->live_ctx, hold->id,
							    hold->flags & HOLD_IS_OFF));
	case ACTION_EXCLUDE:
		if (!hold && live && view_holds(host->view)->n_held) {
			host_flash(host, "this is a thread: C continues it; - removes a hold");
			return true;
		}
		return hold && said(host, live->unhold(host->view->live_ctx, hold->id));
	case ACTION_HOLD_IGNORE:
		if (!hold || !text || strspn(text, "0123456789") != strlen(text))
			return false;
		return said(host, live->hold_ignore(host->view->live_ctx, hold->id,
						    (uint32_t)strtoul(text, NULL, 10)));
	default: return false;
	}
}

static void title_holds(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	(void)subject;
	const struct hold_list *l = view_holds(p->host->view);
	strbuf_addf(facts, tr(l->n == 1 ? "%u hold · %u held now" : "%u holds · %u held now"), l->n,
		    l->n_held);
}

static void line_holds(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct hold_list *l = view_holds(p->host->view);
	const struct held_row *held = held_at(l, entry);
	const struct hold_row *hold = hold_at(l, entry);
	if (held)
		add_held(p->host, held, to);
	else if (hold)
		add_hold(hold, to);
}

const struct pane_ops pane_holds_ops = {
	.open = open_holds,
	.close = close_holds,
	.update = update_holds,
	.draw = draw_holds,
	.act = act_holds,
	.title = title_holds,
	.line = line_holds,
};
