/*
 * pane_arguments: the event's arguments as a typed tree, and below it what the catalogue and the
 * capture know: what the event means, what raises it, what came before and comes next, how often
 * this value occurs.
 *
 * Lines are made once per event and kept as text; drawing only places them.
 */
#include "ui/pane_arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "base/wrap.h"
#include "ui/area.h"
#include "ui/argument_tree.h"
#include "ui/pane_events.h"
#include "ui/pane_host.h"
#include "ui/text.h"

struct arguments_pane {
	struct pane pane;
	struct argument_tree tree; /* and below it what is known of the event */
	uint64_t seq;
	uint64_t n_startup; /* events of the folded start-up that is explained; 0: none is */
	uint32_t n_args;
	size_t n_tree; /* the first n_tree lines are the tree */
	int name_w, type_w;
};

static struct err *open_arguments(const struct pane_host *host, struct pane **ret)
{
	struct arguments_pane *a = calloc(1, sizeof(*a));
	if (!a)
		return err_no_memory();
	a->seq = SELECTION_NONE;
	*ret = &a->pane;
	return NULL;
}

static void close_arguments(struct pane *p)
{
	struct arguments_pane *a = (struct arguments_pane *)p;
	argument_tree_fini(&a->tree);
	free(a);
}

static void info(struct arguments_pane *a, const char *name, const char *text, uint64_t go,
		 const char *term)
{
	struct argument_line line = { .is_info = true, .go = go };
	line.name = name ? strdup(name) : NULL;
	line.value = strdup(text);
	line.term = term ? strdup(term) : NULL;
	argument_tree_add(&a->tree, line);
}

/* Break text into lines of at most `width` cells. */
static void info_wrapped(struct arguments_pane *a, const char *text, int width, int max_lines)
{
	for (int i = 0; i < max_lines && *text; i++) {
		size_t n = wrap_line(text, (size_t)width);
		if (!n)
			n = text_head(text, strlen(text), width);
		char *line = strndup(text, n);
		if (line)
			info(a, NULL, line, SELECTION_NONE, NULL);
		free(line);
		text += n + strspn(text + n, " ");
	}
}

/* Find the previous or next shown event of the same thread; the search is bounded. */
static uint64_t neighbour(struct view *s, const struct event *e, bool after, struct event *ret)
{
	uint64_t at = e->seq;
	for (int i = 0; i < 2000; i++) {
		if (after ? at + 1 >= s->n_events : at == 0)
			return SELECTION_NONE;
		at = after ? at + 1 : at - 1;
		if (trace_event(s->trace, at, ret) && ret->thread == e->thread)
			return at;
	}
	return SELECTION_NONE;
}

/* One line of the story: an event, and when it was. The time is whole; the event gets the rest. */
static void add_step(struct arguments_pane *a, const char *name, const struct event *e,
		     const char *when)
{
	enum { VALUE_X = 11, GIST_MIN = 8 };
	struct view *s = a->pane.host->view;
	struct strbuf b = { 0 };
	event_text_name(&b, s, e->name);
	size_t before = b.n;
	int room = a->pane.n_columns - VALUE_X - text_width(strbuf_str(&b), b.n) - 1 -
		   text_width(when, strlen(when));
	if (room >= GIST_MIN) {
		strbuf_addc(&b, ' ');
		event_text_gist(&b, s, e, room);
		if (b.n == before + 1)
			strbuf_cut(&b, before); /* an event without arguments */
	}
	strbuf_adds(&b, when);
	info(a, name, strbuf_str(&b), e->seq, NULL);
	strbuf_fini(&b);
}

/* The time between two events of one thread. Where times advance with the kernel's tick, a shorter
 * one than a tick is not known. */
static void add_distance(struct strbuf *to, const struct view *s, const struct event *first,
			 const struct event *second, const char *before, const char *after)
{
	uint64_t ns = second->time_ns > first->time_ns ? second->time_ns - first->time_ns : 0;
	bool is_ticked = trace_is_ticked(s->trace, first->process);
	bool is_known = !is_ticked || ns >= PROCESS_TICK_NS;
	strbuf_adds(to, is_known ? before : ", ");
	text_span(to, ns, is_ticked);
	strbuf_adds(to, is_known ? after : "");
}

static void add_story(struct arguments_pane *a, struct view *s, const struct event *e)
{
	struct event other;
	struct strbuf when = { 0 };
	uint64_t at = neighbour(s, e, false, &other);
	if (at != SELECTION_NONE) {
		add_distance(&when, s, &other, e, ", ", tr(" ago"));
		add_step(a, tr("before"), &other, strbuf_str(&when));
	}
	at = neighbour(s, e, true, &other);
	if (at != SELECTION_NONE) {
		strbuf_clear(&when);
		add_distance(&when, s, e, &other, ", +", "");
		add_step(a, tr("next"), &other, strbuf_str(&when));
	}
	at = relation_cause(s->trace, e->seq);
	if (at != SELECTION_NONE && trace_event(s->trace, at, &other))
		add_step(a, tr("part of"), &other, "");
	strbuf_fini(&when);
}

/* Measure how wide the columns of names and types are. */
static void measure(struct arguments_pane *a)
{
	a->name_w = 4;
	a->type_w = 0;
	for (size_t i = 0; i < a->n_tree; i++) {
		if (!a->tree.lines.v[i].is_value || argument_line_is_fold(&a->tree.lines.v[i]))
			continue;
		int w = a->tree.lines.v[i].indent * 2 +
			text_width(a->tree.lines.v[i].name ? a->tree.lines.v[i].name : "",
				   strlen(a->tree.lines.v[i].name ? a->tree.lines.v[i].name : ""));
		if (w > a->name_w)
			a->name_w = w;
		w = a->tree.lines.v[i].type
			? text_width(a->tree.lines.v[i].type, strlen(a->tree.lines.v[i].type))
			: 0;
		if (w > a->type_w)
			a->type_w = w;
	}
	int most = a->pane.n_columns / 3;
	if (a->name_w > most)
		a->name_w = most;
	if (a->type_w > 14)
		a->type_w = 14;
}

/* Add what the catalogue says of the event. */
static void add_facts(struct arguments_pane *a, const struct event *e)
{
	const struct name_facts *f = view_name(a->pane.host->view, e->name);
	int width = a->pane.n_columns - 2;
	bool roomy = a->pane.n_lines >= 10;
	if (roomy && a->tree.lines.n)
		info(a, NULL, "", SELECTION_NONE, NULL);
	if (!f->event) {
		info_wrapped(a,
			     f->is_own
				 ? tr("The program's own event: it raised it with sys.audit().")
				 : tr("Not in the catalogue: this Python may be newer than it."),
			     width, 3);
	} else {
		if (roomy)
			info_wrapped(a, tr(f->event->description), width, 3);
		if (f->event->raised_by && f->event->raised_by[0]) {
			struct strbuf b = { 0 };
			for (int i = 0; i < 3 && f->event->raised_by[i]; i++)
				strbuf_addf(&b, "%s%s", i ? "  " : "", f->event->raised_by[i]);
			info(a, tr("raised by"), strbuf_str(&b), SELECTION_NONE, NULL);
			strbuf_fini(&b);
		}
		char since[80];
		snprintf(since, sizeof(since), tr("3.%d    theme  %s%s"), f->event->since,
			 catalog_theme_name(f->theme),
			 f->event->documented ? "" : tr("    not documented"));
		info(a, tr("since"), since, SELECTION_NONE, NULL);
	}
}

/* Is the cursor on the folded start-up? Its first event says nothing to a newcomer. */
static bool is_folded_startup(const struct pane_host *host, struct fold *ret)
{
	const struct view *s = host->view;
	return host->cursor_seq != SELECTION_NONE && s->fold_on &&
	       folds_find(s->folds, host->cursor_seq, ret) && ret->kind == FOLD_STARTUP &&
	       ret->n_hidden && !folds_is_open(s->folds, ret->head);
}

static void explain_startup(struct arguments_pane *a, const struct fold *fold)
{
	struct strbuf b = { 0 };
	int width = a->pane.n_columns - 2;
	strbuf_adds(&b, tr("Python raised "));
	text_number_of(&b, fold->n_hidden + 1, tr("event"), tr("events"));
	strbuf_adds(&b,
		    tr(" before the first line of your program: it looked for its own files, and "
		       "imported what every program needs."));
	info_wrapped(a, strbuf_str(&b), width, 6);
	info(a, "Enter", tr("looks inside, by module"), SELECTION_NONE, NULL);
	info(a, "z", tr("shows each event in the list"), SELECTION_NONE, NULL);
	strbuf_fini(&b);
}

static void build(struct arguments_pane *a)
{
	const struct pane_host *host = a->pane.host;
	struct view *s = host->view;
	struct event e;
	argument_tree_clear(&a->tree);
	a->n_args = 0;
	a->n_tree = 0;
	uint32_t note;
	/* the cursor is on a note: show its text in full */
	const struct pane *list = host_pane(host, PANE_EVENTS);
	if (host->cursor_seq == SELECTION_NONE && list && pane_events_note(list, &note)) {
		struct strbuf b = { 0 };
		text_note(&b, s, trace_note_get(s->trace, note));
		info_wrapped(a, strbuf_str(&b), a->pane.n_columns - 2, 20);
		strbuf_fini(&b);
	}
	if (host->cursor_seq == SELECTION_NONE || !trace_event(s->trace, host->cursor_seq, &e))
		return;
	struct fold fold;
	a->n_startup = is_folded_startup(host, &fold) ? fold.n_hidden : 0;
	if (a->n_startup) {
		explain_startup(a, &fold);
		return;
	}
	if (e.args)
		a->n_args = argument_tree_build(&a->tree, s, &e, a->pane.n_columns);
	a->n_tree = a->tree.lines.n;
	measure(a);
	add_facts(a, &e);
	add_story(a, s, &e);
}

static void update_arguments(struct pane *p, unsigned changes)
{
	struct arguments_pane *a = (struct arguments_pane *)p;
	if (!(changes & (CHANGE_CURSOR | CHANGE_SIZE | CHANGE_FILTER)))
		return;
	bool other = a->seq != p->host->cursor_seq;
	a->seq = p->host->cursor_seq;
	build(a);
	list_set(&p->list, a->tree.lines.n, p->n_lines);
	if (other)
		list_go(&p->list, 0);
}

/* Folds are found in slices, so the start-up may become one when its event is shown already. */
static bool work_arguments(struct pane *p, uint64_t budget_ns)
{
	struct arguments_pane *a = (struct arguments_pane *)p;
	struct fold fold;
	uint64_t n = is_folded_startup(p->host, &fold) ? fold.n_hidden : 0;
	if (n != a->n_startup && a->seq == p->host->cursor_seq) {
		build(a);
		list_set(&p->list, a->tree.lines.n, p->n_lines);
		host_redraw(p->host);
	}
	return false;
}

/* The end of a path tells it from others; the end of a line of the story says when. */
static void put_value(struct area a, int y, int x, enum role role, const struct argument_line *l)
{
	bool middle = l->is_value ? text_is_path(l->value) : l->go != SELECTION_NONE;
	(middle ? area_put_middle : area_put_cut)(a, y, x, -1, role, l->value);
}

static void draw_arguments(const struct pane *p, struct area area)
{
	const struct arguments_pane *a = (const struct arguments_pane *)p;
	bool focus = pane_has_focus(p);
	bool wide = area.n_columns >= 58;
	int name_x = 3, value_x = name_x + a->name_w + 2, type_x = value_x;
	if (wide)
		value_x += a->type_w + 2;
	if (!a->tree.lines.n && p->host->cursor_seq == SELECTION_NONE)
		area_put(area, 0, 2, -1, ROLE_DIM, tr("no event under the cursor"));
	for (int y = 0; y < area.n_lines && p->list.top + (uint64_t)y < a->tree.lines.n; y++) {
		const struct argument_line *l = &a->tree.lines.v[p->list.top + (uint64_t)y];
		if (l->is_value) {
			int x = name_x + l->indent * 2;
			if (l->is_container)
				area_put(area, y, x - 2, 1, ROLE_DIM, l->is_open ? "▾" : "▸");
			if (l->sign)
				area_put(area, y, x - 2, 1, ROLE_TEXT, l->sign);
			if (argument_line_is_fold(l)) {
				area_put_cut(area, y, x, -1, ROLE_DIM, l->name);
				goto drawn;
			}
			area_put_cut(area, y, x, value_x - x - 1 < 4 ? 4 : type_x - x - 1,
				     l->is_dim ? ROLE_DIM : ROLE_TEXT, l->name);
			if (wide) {
				area_put_cut(area, y, type_x, a->type_w, ROLE_DIM, l->type);
				if (l->is_cut) {
					int used = area_put(area, y, value_x, 5, ROLE_TROUBLE,
							    "[cut]");
					put_value(area, y, value_x + used + 1, ROLE_TEXT, l);
				} else {
					put_value(area, y, value_x,
						  l->is_dim ? ROLE_DIM : ROLE_TEXT, l);
				}
			} else if (l->is_container || !*l->value) {
				int used = area_put_cut(area, y, value_x, -1, ROLE_TEXT, l->type);
				if (*l->value && (!l->is_open || l->is_summary))
					area_put_cut(area, y, value_x + used + 2, -1, ROLE_DIM,
						     l->value);
			} else {
				int x0 = value_x;
				if (l->is_cut)
					x0 += area_put(area, y, x0, 5, ROLE_TROUBLE, "[cut]") + 1;
				put_value(area, y, x0, l->is_dim ? ROLE_DIM : ROLE_TEXT, l);
			}
		} else {
			int x = 1 + l->indent * 2;
			if (l->name) {
				int used = area_put(area, y, x, -1, ROLE_DIM, l->name);
				x += l->indent  ? (used < 10 ? 11 : used + 1)
				     : used < 9 ? 10
						: used + 1;
			}
			put_value(area, y, x,
				  l->is_trouble ? ROLE_TROUBLE
				  : l->name     ? ROLE_TEXT
						: ROLE_DIM,
				  l);
		}
	drawn:
		search_mark(p->host->search, area, y);
		if (focus && p->list.top + (uint64_t)y == p->list.cursor) {
			area_put(area, y, 0, 1, ROLE_FOCUS, "▌");
			area_bar(area, y);
		}
	}
}

static bool act_arguments(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct arguments_pane *a = (struct arguments_pane *)p;
	if (list_act(&p->list, action, count))
		return true;
	const struct argument_line *l = p->list.cursor < a->tree.lines.n
					    ? &a->tree.lines.v[p->list.cursor]
					    : NULL;
	switch ((int)action) {
	case ACTION_LEFT:
	case ACTION_RIGHT:
		if (!l || !l->is_container || l->is_open == (action == ACTION_RIGHT))
			return true;
		__attribute__((fallthrough));
	case ACTION_OPEN:
	case ACTION_FOLD:
		if (l && l->go != SELECTION_NONE) {
			host_goto(p->host, l->go);
			return true;
		}
		if (l && l->is_container) {
			if (!argument_tree_flip(&a->tree, l->key))
				return true;
			build(a);
			list_set(&p->list, a->tree.lines.n, p->n_lines);
			return true;
		}
		if (l && l->is_value)
			host_open_page(p->host, PANE_BYTES);
		return true;
	case ACTION_COPY:
		if (l && l->value) {
			host_copy(p->host, l->value, strlen(l->value));
			return true;
		}
		return false;
	default: return false;
	}
}

static void title_arguments(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct arguments_pane *a = (const struct arguments_pane *)p;
	struct view *s = p->host->view;
	struct event e;
	(void)subject;
	if (p->host->cursor_seq == SELECTION_NONE ||
	    !trace_event(s->trace, p->host->cursor_seq, &e))
		return;
	struct fold fold;
	if (is_folded_startup(p->host, &fold)) {
		strbuf_adds(facts, tr("python started"));
		return;
	}
	event_text_name(facts, s, e.name);
	if (p->n_columns >= 60 && a->n_args)
		strbuf_addf(facts, tr(a->n_args == 1 ? " · %u argument" : " · %u arguments"),
			    a->n_args);
}

static bool term_arguments(const struct pane *p, struct strbuf *to)
{
	const struct arguments_pane *a = (const struct arguments_pane *)p;
	const struct argument_line *l = p->list.cursor < a->tree.lines.n
					    ? &a->tree.lines.v[p->list.cursor]
					    : NULL;
	if (!l || !l->term)
		return false;
	strbuf_adds(to, l->term);
	return true;
}

static void line_arguments(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct arguments_pane *a = (const struct arguments_pane *)p;
	if (entry >= a->tree.lines.n)
		return;
	const struct argument_line *l = &a->tree.lines.v[entry];
	if (l->name)
		strbuf_addf(to, "%s ", l->name);
	if (l->value)
		strbuf_adds(to, l->value);
}

bool pane_arguments_raw(const struct pane *p, struct raw_value *ret)
{
	const struct arguments_pane *a = (const struct arguments_pane *)p;
	/* take the value under the cursor, or else the first one that has bytes */
	for (size_t i = p->list.cursor < a->tree.lines.n ? p->list.cursor : 0, n = 0;
	     n < a->tree.lines.n; i = (i + 1) % a->tree.lines.n, n++) {
		const struct argument_line *l = &a->tree.lines.v[i];
		if (l->raw) {
			*ret = (struct raw_value){ l->name, l->raw, l->n_raw, l->full };
			return true;
		}
	}
	return false;
}

const struct pane_ops pane_arguments_ops = {
	.open = open_arguments,
	.close = close_arguments,
	.update = update_arguments,
	.draw = draw_arguments,
	.act = act_arguments,
	.title = title_arguments,
	.term = term_arguments,
	.line = line_arguments,
	.work = work_arguments,
};
