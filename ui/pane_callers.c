/*
 * pane_callers: which functions cause which events: stacks merged by function, with counts; t
 * reverses the tree.
 *
 * The tree is made in slices and shown when it is complete; so are the children of a line that is
 * opened.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "model/calltree.h"
#include "model/group.h"
#include "ui/area.h"
#include "ui/pane_host.h"

#define NODE_REST UINT32_MAX

struct node_line {
	/* NODE_REST: the events that no other line counts, so that the lines add up */
	uint32_t node;
	uint8_t depth;
	bool is_open;
};

struct callers {
	struct pane pane;
	struct calltree *tree;
	struct calltree *next; /* the tree that is being made */
	double done;           /* the finished part of it, 0…1 */
	unsigned generation;   /* the generation of the filter that next or tree is made for */
	uint32_t way;          /* the last opened line on the way that most events take */
	int way_left;          /* the number of further lines to open on the way */
	enum calltree_direction direction;
	bool with_library;
	VEC(struct node_line) lines;
	/* events without a line: they have no stack, or no frame of it is left */
	uint64_t rest;
	VEC(uint32_t) opened;
	uint64_t built_events, next_events;
	bool stale;
};

static struct err *open_callers(const struct pane_host *host, struct pane **ret)
{
	struct callers *c = calloc(1, sizeof(*c));
	if (!c)
		return err_no_memory();
	c->stale = true;
	*ret = &c->pane;
	return NULL;
}

static void close_callers(struct pane *p)
{
	struct callers *c = (struct callers *)p;
	calltree_destroy(c->tree);
	calltree_destroy(c->next);
	vec_fini(&c->lines);
	vec_fini(&c->opened);
	free(c);
}

static bool is_open(const struct callers *c, uint32_t node)
{
	for (size_t i = 0; i < c->opened.n; i++)
		if (c->opened.v[i] == node)
			return true;
	return false;
}

static void add_children(struct callers *c, uint32_t node, unsigned depth)
{
	const uint32_t *children = NULL;
	uint32_t n = 0;
	struct err *err = calltree_is_expanded(c->tree, node)
			      ? calltree_children(c->tree, node, &children, &n)
			      : NULL;
	if (err) {
		err_destroy(err);
		return;
	}
	for (uint32_t i = 0; i < n && c->lines.n < 20000; i++) {
		bool open = depth < 60 && is_open(c, children[i]);
		struct node_line l = { children[i], (uint8_t)(depth < 60 ? depth : 60), open };
		if (!vec_push(&c->lines, l))
			return;
		if (open)
			add_children(c, children[i], depth + 1);
	}
}

static void lines_make(struct callers *c)
{
	c->lines.n = 0;
	if (c->tree)
		add_children(c, CALLTREE_ROOT, 0);
	c->rest = c->tree && calltree_is_expanded(c->tree, CALLTREE_ROOT)
		      ? calltree_node_get(c->tree, CALLTREE_ROOT)->total
		      : 0;
	for (size_t i = 0; i < c->lines.n; i++)
		if (!c->lines.v[i].depth)
			c->rest -= calltree_node_get(c->tree, c->lines.v[i].node)->total;
	if (c->rest && !vec_push(&c->lines, ((struct node_line){ .node = NODE_REST })))
		c->rest = 0;
	list_set(&c->pane.list, c->lines.n, c->pane.n_lines - 1);
}

/* Begin to make another tree. The old one is shown until the new one is complete, unless
 * `forget`. */
static void restart(struct callers *c, bool forget)
{
	const struct pane_host *host = c->pane.host;
	calltree_destroy(c->next);
	c->next = NULL;
	c->stale = false;
	c->done = 0;
	c->generation = host->view->filter_generation;
	if (forget) {
		calltree_destroy(c->tree);
		c->tree = NULL;
		c->opened.n = 0;
		lines_make(c);
	}
	struct calltree_options options = { .direction = c->direction,
					    .hide_library = !c->with_library,
					    .hide_native = true,
					    .n_rows = host->view->n_events };
	struct err *err = calltree_begin(host->view->trace, &options, &c->next);
	if (err)
		host_flash_err(host, err);
	c->next_events = host->view->n_events;
}

static void finish(struct callers *c)
{
	calltree_destroy(c->tree);
	c->tree = c->next;
	c->next = NULL;
	c->built_events = c->next_events;
	c->opened.n = 0;
	c->way = CALLTREE_ROOT;
	c->way_left = c->direction == CALLTREE_TOP_DOWN ? 4 : 1;
	lines_make(c);
	host_redraw(c->pane.host);
}

/* Make the children of one line, for budget_ns at most. Returns true if they are complete. */
static bool expand(struct callers *c, uint32_t node, uint64_t budget_ns)
{
	if (calltree_is_expanded(c->tree, node))
		return true;
	struct err *err = calltree_expand(c->tree, node, budget_ns);
	if (err) {
		host_flash_err(c->pane.host, err);
		return true;
	}
	if (calltree_is_expanded(c->tree, node)) {
		lines_make(c);
		host_redraw(c->pane.host);
	}
	return calltree_is_expanded(c->tree, node);
}

/* Return true if there is more to do. */
static bool go_on(struct callers *c, uint64_t budget_ns)
{
	const struct pane_host *host = c->pane.host;
	struct view *s = host->view;
	if (c->stale || c->generation != s->filter_generation)
		restart(c, c->generation != s->filter_generation);
	if (c->next) {
		struct err *err = calltree_step(c->next, s->run ? s->shown : NULL,
						view_n_decided(s), budget_ns, &c->done);
		if (err) {
			host_flash_err(host, err);
			calltree_destroy(c->next);
			c->next = NULL;
			return false;
		}
		host_redraw(host);
		/* the filter is still at work: its next slice continues the tree */
		if (c->done < 1)
			return view_n_decided(s) >= c->next_events || c->done >= 0.5;
		finish(c);
		return true;
	}
	if (!c->tree)
		return false;
	if (!expand(c, c->way, budget_ns))
		return true;
	/* open the lines of the way that most events take, down to where it branches */
	if (c->way_left) {
		const uint32_t *children = NULL;
		uint32_t n = 0;
		struct err *err = calltree_children(c->tree, c->way, &children, &n);
		err_destroy(err);
		c->way_left = n ? c->way_left - 1 : 0;
		if (n && vec_reserve(&c->opened, 1)) {
			c->way = children[0];
			c->opened.v[c->opened.n++] = c->way;
			lines_make(c);
		}
		return true;
	}
	for (size_t i = 0; i < c->opened.n; i++)
		if (!expand(c, c->opened.v[i], budget_ns))
			return true;
	return false;
}

static void update_callers(struct pane *p, unsigned changes)
{
	struct callers *c = (struct callers *)p;
	p->list.n_head = 1;
	uint64_t budget_ns = 3000000;
	if (changes & (CHANGE_FILTER | CHANGE_SIZE)) /* most trees are complete in that time */
		for (int i = 0; i < 16 && go_on(c, budget_ns); i++)
			if (c->next)
				break;
	list_set(&p->list, c->lines.n, p->n_lines - 1);
}

static bool work_callers(struct pane *p, uint64_t budget_ns)
{
	struct callers *c = (struct callers *)p;
	bool more = go_on(c, budget_ns);
	list_set(&p->list, c->lines.n, p->n_lines - 1);
	return more;
}

static void draw_callers(const struct pane *p, struct area a)
{
	const struct callers *c = (const struct callers *)p;
	struct view *s = p->host->view;
	bool focus = pane_has_focus(p);
	int at_x = a.n_columns * 28 / 80, count_x = at_x + 15, pct_x = count_x + 9,
	    bar_x = pct_x + 5;
	int bar_w = a.n_columns >= 100 ? 16 : 8, place_w = count_x - at_x;
	if (a.n_columns >= 100) {
		place_w = 24;
		count_x = at_x + 26;
		pct_x = count_x + 10;
		bar_x = pct_x + 5;
	}
	area_put(a, 0, 4, -1, ROLE_DIM, tr("function"));
	area_put(a, 0, at_x, -1, ROLE_DIM, tr("at"));
	area_put_right(a, 0, count_x, 9, ROLE_FOCUS, tr("events▾"));
	area_put_right(a, 0, pct_x, 4, ROLE_DIM, "%");
	area_put(a, 0, bar_x + bar_w + 1, -1, ROLE_DIM, tr("self"));
	const struct calltree_node *root = c->tree ? calltree_node_get(c->tree, CALLTREE_ROOT)
						   : NULL;
	uint64_t total = root ? root->total : 0;
	if (!c->lines.n && (c->next || c->way_left)) {
		area_printf(a, 2, 2, -1, ROLE_TEXT, tr("counting %.0f %%"), c->done * 100);
	} else if (!c->lines.n) {
		area_put(a, 2, 2, -1, ROLE_TEXT, tr("no stack was taken"));
		area_put(a, 3, 2, -1, ROLE_DIM,
			 tr("this capture was made with --stack off, or nothing is shown"));
	}
	for (int y = 0; y < p->list.n_lines && p->list.top + (uint64_t)y < c->lines.n; y++) {
		const struct node_line *l = &c->lines.v[p->list.top + (uint64_t)y];
		const struct calltree_node rest = { .total = c->rest, .self = c->rest };
		const struct calltree_node *n = l->node == NODE_REST
						    ? &rest
						    : calltree_node_get(c->tree, l->node);
		struct frame_info f = { 0 };
		struct strbuf b = { 0 };
		int x = 2 + l->depth * 2;
		if (x > at_x - 10)
			x = at_x - 10;
		if (n->has_children)
			area_put(a, y + 1, x, 1, ROLE_DIM, l->is_open ? "▾" : "▸");
		bool has_frame = n->frame && trace_frame(s->trace, n->frame, &f);
		bool user = has_frame &&
			    trace_frame_origin(s->trace, n->frame) == FRAME_ORIGIN_USER;
		if (has_frame)
			text_string(&b, s->trace, f.function);
		else
			strbuf_adds(&b, c->with_library ? tr("(no stack)")
							: tr("(library only, or no stack)"));
		/* what has no place takes the room of the place, too */
		area_put_cut(a, y + 1, x + 2, at_x - x - 3 + (has_frame ? 0 : place_w + 1),
			     user ? ROLE_TEXT : ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		if (has_frame) {
			struct frame_info place = f;
			place.line = f.first_line;
			text_place(&b, s, &place);
			area_put_cut(a, y + 1, at_x, place_w, ROLE_DIM, strbuf_str(&b));
		}
		strbuf_clear(&b);
		text_count(&b, n->total, 9);
		area_put_right(a, y + 1, count_x, 9, ROLE_TEXT, strbuf_str(&b));
		double share = total ? (double)n->total / (double)total : 0;
		char pct[16];
		snprintf(pct, sizeof(pct), share < 0.005 ? "·" : "%.0f", share * 100);
		area_put_right(a, y + 1, pct_x, 4, ROLE_DIM, pct);
		strbuf_clear(&b);
		text_bar(&b, share, bar_w);
		area_put(a, y + 1, bar_x, bar_w, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		text_count(&b, n->self, 10);
		area_put(a, y + 1, bar_x + bar_w + 1, -1, ROLE_DIM, strbuf_str(&b));
		strbuf_fini(&b);
		search_mark(p->host->search, a, y + 1);
		if (p->list.top + (uint64_t)y == p->list.cursor) {
			area_put(a, y + 1, 0, 1, ROLE_FOCUS, focus ? "▌" : "▏");
			if (focus)
				area_bar(a, y + 1);
		}
	}
}

static const struct node_line *current(const struct pane *p)
{
	const struct callers *c = (const struct callers *)p;
	return p->list.cursor < c->lines.n ? &c->lines.v[p->list.cursor] : NULL;
}

static void set_open(struct callers *c, int open)
{
	const struct node_line *l = current(&c->pane);
	if (!l)
		return;
	if (l->node == NODE_REST) {
		host_flash(c->pane.host,
			   c->with_library
			       ? "no stack was taken with these"
			       : "no frame of yours was in these: z shows library frames too");
		return;
	}
	if (open < 0)
		open = !l->is_open;
	if (!open && !l->is_open) { /* go to the caller's line */
		for (uint64_t i = c->pane.list.cursor; i > 0; i--)
			if (c->lines.v[i - 1].depth < l->depth) {
				list_go(&c->pane.list, i - 1);
				return;
			}
		return;
	}
	if (open && !l->is_open && calltree_node_get(c->tree, l->node)->has_children) {
		uint32_t node = l->node;
		if (!vec_push(&c->opened, node))
			return;
	} else if (!open) {
		for (size_t i = 0; i < c->opened.n; i++)
			if (c->opened.v[i] == l->node)
				c->opened.v[i] = c->opened.v[--c->opened.n];
	}
	lines_make(c);
}

static bool act_callers(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct callers *c = (struct callers *)p;
	if (list_act(&p->list, action, count))
		return true;
	switch ((int)action) {
	case ACTION_OPEN: set_open(c, -1); return true;
	case ACTION_LEFT: set_open(c, 0); return true;
	case ACTION_RIGHT: set_open(c, 1); return true;
	case ACTION_CALLERS:
		c->direction = c->direction == CALLTREE_TOP_DOWN ? CALLTREE_BOTTOM_UP
								 : CALLTREE_TOP_DOWN;
		p->list.cursor = 0;
		restart(c, true);
		go_on(c, 3000000);
		return true;
	case ACTION_FOLD:
		c->with_library = !c->with_library;
		p->list.cursor = 0;
		restart(c, true);
		go_on(c, 3000000);
		host_flash(p->host,
			   c->with_library ? "library frames too" : "your own frames only");
		return true;
	default: return false;
	}
}

static void title_callers(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct callers *c = (const struct callers *)p;
	strbuf_adds(subject, p->host->view->filter_text);
	strbuf_adds(facts, c->direction == CALLTREE_TOP_DOWN ? tr("top-down") : tr("bottom-up"));
	if (c->tree) {
		strbuf_adds(facts, " · ");
		text_number_of(facts, calltree_node_get(c->tree, CALLTREE_ROOT)->total, tr("event"),
			       tr("events"));
	}
	if (c->tree && c->built_events != p->host->view->n_events) {
		strbuf_adds(facts, " · +");
		strbuf_add_count(facts, p->host->view->n_events - c->built_events);
		strbuf_adds(facts, tr(" since"));
	}
	strbuf_adds(facts, tr(" · t reverses it"));
}

static bool term_callers(const struct pane *p, struct strbuf *to)
{
	const struct callers *c = (const struct callers *)p;
	const struct node_line *l = current(p);
	struct view *s = p->host->view;
	struct frame_info f;
	if (l && l->node == NODE_REST) {
		strbuf_adds(to, c->with_library ? "not stack" : "not caller");
		return true;
	}
	if (!l || !trace_frame(s->trace, calltree_node_get(c->tree, l->node)->frame, &f))
		return false;
	size_t n;
	const char *text = trace_string(s->trace, f.function, &n);
	strbuf_adds(to, "stack.func == ");
	filter_quote(to, text, n);
	strbuf_adds(to, " and stack.file == ");
	text = trace_string(s->trace, f.file, &n);
	filter_quote(to, text, n);
	return true;
}

static void line_callers(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct callers *c = (const struct callers *)p;
	struct frame_info f;
	if (entry < c->lines.n && c->lines.v[entry].node == NODE_REST) {
		strbuf_adds(to,
			    c->with_library ? tr("(no stack)") : tr("(library only, or no stack)"));
		return;
	}
	if (entry >= c->lines.n ||
	    !trace_frame(p->host->view->trace,
			 calltree_node_get(c->tree, c->lines.v[entry].node)->frame, &f))
		return;
	text_string(to, p->host->view->trace, f.function);
	strbuf_addc(to, ' ');
	text_string(to, p->host->view->trace, f.file);
}

const struct pane_ops pane_callers_ops = {
	.open = open_callers,
	.close = close_callers,
	.update = update_callers,
	.draw = draw_callers,
	.act = act_callers,
	.title = title_callers,
	.term = term_callers,
	.line = line_callers,
	.work = work_callers,
};
