/*
 * pane_inside: one import as a tree of modules, with what each cost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "base/utf8.h"
#include "model/arguments.h"
#include "model/group.h"
#include "model/import_cost.h"
#include "ui/area.h"
#include "ui/pane_host.h"

enum { MODULES_MAX = 5000 };
#define STARTED "python started"

struct module {
	uint64_t seq;    /* seq of its import event */
	uint32_t parent; /* index; UINT32_MAX: none */
	uint8_t depth;
	uint32_t n_events; /* events of this module and all below it */
	uint64_t begin_ns, end_ns;
	char *name;
	const char *from; /* ".pyc", ".py", "extension", "built in"; NULL: unknown */
	bool closed;
};

struct inside {
	struct pane pane;
	VEC(struct module) modules;
	VEC(uint32_t) lines; /* indices of modules */
	uint64_t head;
	bool by_time, is_ticked; /* times are right to a tick only */
};

typedef VEC(uint32_t) module_vec;

static struct err *open_inside(const struct pane_host *host, struct pane **ret)
{
	struct inside *p = calloc(1, sizeof(*p));
	if (!p)
		return err_no_memory();
	p->head = SELECTION_NONE;
	*ret = &p->pane;
	return NULL;
}

static void clear(struct inside *p)
{
	for (size_t i = 0; i < p->modules.n; i++)
		free(p->modules.v[i].name);
	p->modules.n = 0;
	p->lines.n = 0;
}

static void close_inside(struct pane *pane)
{
	struct inside *p = (struct inside *)pane;
	clear(p);
	vec_fini(&p->modules);
	vec_fini(&p->lines);
	free(p);
}

/* Return the first argument as text: a module name, or a path. */
static char *first_text(struct view *s, const struct event *e)
{
	struct arguments a;
	struct argument arg;
	struct strbuf b = { 0 };
	if (e->args) {
		arguments_init(&a, s->trace, e);
		if (arguments_next(&a, &arg) &&
		    (arg.value.tag == VALUE_STR || arg.value.tag == VALUE_STR_CUT))
			utf8_escape(&b, (const char *)arg.value.bytes, arg.value.n_bytes, 0);
	}
	return b.n ? strbuf_take(&b) : strdup("?");
}

static uint32_t module_of(const struct inside *p, uint64_t seq)
{
	for (size_t i = p->modules.n; i > 0; i--)
		if (p->modules.v[i - 1].seq == seq)
			return (uint32_t)i - 1;
	return UINT32_MAX;
}

/* Append the modules that `parent` imported (UINT32_MAX: those that no other module imported), the
 * first one last; ordered by time spent or by time of import. */
static bool add_below(const struct inside *p, uint32_t parent, module_vec *to)
{
	size_t first = to->n;
	for (uint32_t i = (uint32_t)p->modules.n; i-- > (parent == UINT32_MAX ? 0 : parent + 1);)
		if (p->modules.v[i].parent == parent && !vec_push(to, i))
			return false;
	if (p->by_time)
		for (size_t i = first + 1; i < to->n; i++)
			for (size_t k = i; k > first; k--) {
				const struct module *x = &p->modules.v[to->v[k - 1]],
						    *y = &p->modules.v[to->v[k]];
				uint64_t of_x = x->end_ns - x->begin_ns,
					 of_y = y->end_ns - y->begin_ns;
				/* the list is built backwards: ascending time, and of equal times
				 * the earlier one last */
				if (of_x < of_y || (of_x == of_y && to->v[k - 1] > to->v[k]))
					break;
				uint32_t t = to->v[k];
				to->v[k] = to->v[k - 1];
				to->v[k - 1] = t;
			}
	return true;
}

/* The capture decides how deep imports are nested, so they are not listed by recursion. */
static void lines_below(struct inside *p)
{
	module_vec waiting = { 0 };
	bool ok = add_below(p, UINT32_MAX, &waiting);
	while (ok && waiting.n) {
		uint32_t i = waiting.v[--waiting.n];
		ok = vec_push(&p->lines, i);
		if (ok && !p->modules.v[i].closed)
			ok = add_below(p, i, &waiting);
	}
	vec_fini(&waiting);
}

static void lines_make(struct inside *p)
{
	p->lines.n = 0;
	lines_below(p);
	list_set(&p->pane.list, p->lines.n, p->pane.n_lines - 1);
}

static void build(struct inside *p)
{
	struct view *s = p->pane.host->view;
	struct fold fold;
	struct event head, e;
	clear(p);
	p->head = p->pane.host->cursor_seq;
	if (p->head == SELECTION_NONE || !folds_find_member(s->folds, p->head, &fold) ||
	    !trace_event(s->trace, fold.head, &head))
		return;
	p->head = fold.head;
	p->is_ticked = trace_is_ticked(s->trace, head.process);
	uint32_t import_name = trace_name_find(s->trace, "import", 6),
		 open_name = trace_name_find(s->trace, "open", 4);
	uint32_t current = UINT32_MAX;
	if (fold.kind ==
	    FOLD_STARTUP) { /* its first event is no import; all imports are below it */
		struct module m = { .seq = fold.head,
				    .parent = UINT32_MAX,
				    .begin_ns = head.time_ns,
				    .end_ns = head.time_ns,
				    .name = strdup(STARTED) };
		if (!vec_push(&p->modules, m)) {
			free(m.name);
			return;
		}
		current = 0;
	}
	for (uint64_t seq = fold.head; seq <= fold.last && p->modules.n < MODULES_MAX; seq++) {
		struct fold other;
		if (!trace_event(s->trace, seq, &e) || e.thread != head.thread)
			continue;
		if (seq != fold.head &&
		    !(folds_find_member(s->folds, seq, &other) && other.head == fold.head))
			continue;
		bool is_root = seq == fold.head && fold.kind != FOLD_STARTUP;
		uint64_t cause = seq == fold.head ? SELECTION_NONE : relation_cause(s->trace, seq);
		uint32_t parent = cause == SELECTION_NONE ? (is_root ? UINT32_MAX
							     : fold.kind == FOLD_STARTUP ? 0
											 : current)
							  : module_of(p, cause);
		if (parent == UINT32_MAX && !is_root)
			parent = 0;
		if (e.name == import_name) {
			struct module m = { .seq = seq,
					    .parent = parent,
					    .begin_ns = e.time_ns,
					    .end_ns = e.time_ns,
					    .name = first_text(s, &e) };
			m.depth = parent == UINT32_MAX
				      ? 0
				      : (uint8_t)(p->modules.v[parent].depth < 50
						      ? p->modules.v[parent].depth + 1
						      : 50);
			m.closed = m.depth >= 3;
			if (!vec_push(&p->modules, m)) {
				free(m.name);
				return;
			}
			current = (uint32_t)p->modules.n - 1;
			parent = current;
			/* the import event of an extension module carries its file (CPython
			 * Python/importdl.c) */
			struct arguments a;
			struct argument arg;
			arguments_init(&a, s->trace, &e);
			for (int i = 0; i < 2 && arguments_next(&a, &arg); i++) {
				if (i == 1 && arg.value.tag == VALUE_STR)
					p->modules.v[current].from = tr("extension");
				arguments_skip(&a, &arg);
			}
		} else if (e.name == open_name && parent != UINT32_MAX &&
			   (parent || fold.kind != FOLD_STARTUP) && !p->modules.v[parent].from) {
			char *path = first_text(s, &e);
			size_t n = path ? strlen(path) : 0;
			if (n > 4 && !strcmp(path + n - 4, ".pyc"))
				p->modules.v[parent].from = ".pyc";
			else if (n > 3 && !strcmp(path + n - 3, ".py"))
				p->modules.v[parent].from = ".py";
			else if (n > 3 && !strcmp(path + n - 3, ".so"))
				p->modules.v[parent].from = tr("extension");
			free(path);
		}
		for (uint32_t m = parent; m != UINT32_MAX; m = p->modules.v[m].parent) {
			p->modules.v[m].n_events++;
			if (e.time_ns > p->modules.v[m].end_ns)
				p->modules.v[m].end_ns = e.time_ns;
		}
		if (seq % 1024 == 0)
			trace_trim(s->trace);
	}
	/* an extension module raises a second import event of its own name: one line is enough */
	lines_make(p);
}

static void update_inside(struct pane *pane, unsigned changes)
{
	struct inside *p = (struct inside *)pane;
	struct fold fold;
	uint64_t seq = pane->host->cursor_seq;
	if (seq != SELECTION_NONE && folds_find_member(pane->host->view->folds, seq, &fold) &&
	    fold.head != p->head)
		build(p);
	list_set(&pane->list, p->lines.n, pane->n_lines - 1);
}

static void draw_inside(const struct pane *pane, struct area a)
{
	const struct inside *p = (const struct inside *)pane;
	bool focus = pane_has_focus(pane);
	int wide = a.n_columns > 80 ? (a.n_columns - 80) / 2 : 0;
	if (wide > 40)
		wide = 40;
	int count_x = 32 + wide, ms_x = count_x + 8, bar_x = ms_x + 9, from_x = bar_x + 14;
	area_put(a, 0, 3, -1, ROLE_DIM, tr("module"));
	area_put_right(a, 0, count_x, 7, ROLE_DIM, tr("events"));
	area_put_right(a, 0, ms_x, 8, p->by_time ? ROLE_FOCUS : ROLE_DIM,
		       p->by_time ? "ms▾" : "ms");
	area_put(a, 0, from_x, -1, ROLE_DIM, tr("loaded from"));
	if (!p->lines.n) {
		area_put(a, 2, 2, -1, ROLE_TEXT, tr("no import is under the cursor"));
		return;
	}
	double total = (double)(p->modules.v[0].end_ns - p->modules.v[0].begin_ns);
	for (int y = 0; y < pane->list.n_lines && pane->list.top + (uint64_t)y < p->lines.n; y++) {
		uint32_t i = p->lines.v[pane->list.top + (uint64_t)y];
		const struct module *m = &p->modules.v[i];
		struct strbuf b = { 0 };
		int x = 3 + m->depth * 2;
		if (x > count_x - 12)
			x = count_x - 12;
		bool has_children = false;
		for (size_t k = i + 1; k < p->modules.n && !has_children; k++)
			has_children = p->modules.v[k].parent == i;
		if (has_children)
			area_put(a, y + 1, x, 1, ROLE_DIM, m->closed ? "▸" : "▾");
		area_put_middle(a, y + 1, x + 2, count_x - x - 3, ROLE_TEXT,
				m->name ? m->name : "?");
		text_count(&b, m->n_events, 7);
		area_put_right(a, y + 1, count_x, 7, ROLE_TEXT, strbuf_str(&b));
		double ns = (double)(m->end_ns - m->begin_ns);
		strbuf_clear(&b);
		import_cost_add_ms(&b, m->end_ns - m->begin_ns, p->is_ticked, 1);
		area_put_right(a, y + 1, ms_x, 8, ROLE_TEXT, strbuf_str(&b));
		strbuf_clear(&b);
		text_bar(&b, total > 0 ? ns / total : 0, 13);
		area_put(a, y + 1, bar_x, 13, ROLE_DIM, strbuf_str(&b));
		if (m->from)
			area_put(a, y + 1, from_x, -1, ROLE_DIM, m->from);
		strbuf_fini(&b);
		search_mark(pane->host->search, a, y + 1);
		if (pane->list.top + (uint64_t)y == pane->list.cursor) {
			area_put(a, y + 1, 0, 1, ROLE_FOCUS, focus ? "▌" : "▏");
			if (focus)
				area_bar(a, y + 1);
		}
	}
}

static struct module *current_module(const struct pane *pane)
{
	const struct inside *p = (const struct inside *)pane;
	return pane->list.cursor < p->lines.n ? &p->modules.v[p->lines.v[pane->list.cursor]] : NULL;
}

static bool act_inside(struct pane *pane, enum action action, uint64_t count, const char *text)
{
	struct inside *p = (struct inside *)pane;
	if (list_act(&pane->list, action, count))
		return true;
	struct module *m = current_module(pane);
	switch ((int)action) {
	case ACTION_OPEN:
		if (m && m->closed) {
			m->closed = false;
			lines_make(p);
		} else if (m) { /* go to its event in the list */
			uint64_t seq = m->seq;
			host_close_pages(pane->host, ALL_PAGES);
			host_goto(pane->host, seq);
		}
		return true;
	case ACTION_LEFT:
	case ACTION_RIGHT:
		if (m) {
			m->closed = action == ACTION_LEFT;
			lines_make(p);
		}
		return true;
	case ACTION_SORT:
		p->by_time = !p->by_time;
		lines_make(p);
		return true;
	case ACTION_FOLD: {
		uint64_t head = p->head;
		host_close_pages(pane->host, ALL_PAGES);
		if (!folds_is_open(pane->host->view->folds, head))
			view_fold_toggle(pane->host->view, head);
		host_changed(pane->host, CHANGE_FILTER);
		return true;
	}
	default: return false;
	}
}

static void title_inside(const struct pane *pane, struct strbuf *subject, struct strbuf *facts)
{
	const struct inside *p = (const struct inside *)pane;
	if (!p->modules.n)
		return;
	const char *name = p->modules.v[0].name ? p->modules.v[0].name : "";
	strbuf_addf(subject, "%s%s", strcmp(name, STARTED) ? "import " : "", name);
	text_number_of(facts, p->modules.v[0].n_events, tr("event"), tr("events"));
	strbuf_adds(facts, ", ");
	text_span(facts, p->modules.v[0].end_ns - p->modules.v[0].begin_ns, p->is_ticked);
	strbuf_adds(facts, tr(" · Bksp back"));
}

static bool term_inside(const struct pane *pane, struct strbuf *to)
{
	const struct module *m = current_module(pane);
	if (!m || !m->name || !strcmp(m->name, STARTED))
		return false;
	strbuf_adds(to, "import.module == ");
	filter_quote(to, m->name, strlen(m->name));
	return true;
}

static void line_inside(const struct pane *pane, uint64_t entry, struct strbuf *to)
{
	const struct inside *p = (const struct inside *)pane;
	if (entry < p->lines.n && p->modules.v[p->lines.v[entry]].name)
		strbuf_adds(to, p->modules.v[p->lines.v[entry]].name);
}

const struct pane_ops pane_inside_ops = {
	.open = open_inside,
	.close = close_inside,
	.update = update_inside,
	.draw = draw_inside,
	.act = act_inside,
	.title = title_inside,
	.term = term_inside,
	.line = line_inside,
};
