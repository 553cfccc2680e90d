/*
 * pane_callers: who causes what: stacks merged by function, with counts; t turns the tree over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/calltree.h"
#include "model/group.h"
#include "ui/ui.h"

struct node_line {
	uint32_t node;
	uint8_t depth;
	bool is_open;
};

struct callers {
	struct pane pane;
	struct calltree *tree;
	enum calltree_direction direction;
	bool with_library;
	VEC(struct node_line) lines;
	VEC(uint32_t) opened;
	uint64_t built_events;
	bool stale;
	uint64_t built_at_ns;
};

static struct err *open_callers(struct ui *ui, struct pane **ret)
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
	struct err *err = calltree_children(c->tree, node, &children, &n);
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
	list_set(&c->pane.list, c->lines.n, c->pane.n_lines - 1);
}

static void build(struct callers *c)
{
	struct ui *ui = c->pane.ui;
	calltree_destroy(c->tree);
	c->tree = NULL;
	c->opened.n = 0;
	struct calltree_options options = { .direction = c->direction, .hide_library = !c->with_library, .hide_native = true };
	struct err *err = calltree_create(ui->s->trace, ui->s->run ? ui->s->shown : NULL, &options, &c->tree);
	if (err) {
		ui_flash_err(ui, err);
		return;
	}
	c->stale = false;
	c->built_events = ui->s->n_events;
	c->built_at_ns = ui->now_ns;
	/* open the way along which most happens, down to where it parts */
	uint32_t node = CALLTREE_ROOT;
	for (int i = 0; i < 12; i++) {
		const uint32_t *children = NULL;
		uint32_t n = 0;
		err = calltree_children(c->tree, node, &children, &n);
		if (err) {
			err_destroy(err);
			break;
		}
		if (!n || i >= (c->direction == CALLTREE_TOP_DOWN ? 4 : 1))
			break;
		node = children[0];
		if (!vec_push(&c->opened, node))
			break;
	}
	lines_make(c);
}

static void update_callers(struct pane *p, unsigned changes)
{
	struct callers *c = (struct callers *)p;
	if (changes & CHANGE_FILTER)
		c->stale = true;
	if (c->stale)
		build(c);
	list_set(&p->list, c->lines.n, p->n_lines - 1);
}

static void draw_callers(const struct pane *p, struct area a)
{
	const struct callers *c = (const struct callers *)p;
	struct view *s = p->ui->s;
	bool focus = ui_focused(p->ui) == p;
	int at_x = a.n_columns * 28 / 80, count_x = at_x + 15, pct_x = count_x + 9, bar_x = pct_x + 5;
	int bar_w = a.n_columns >= 100 ? 16 : 8, place_w = count_x - at_x;
	if (a.n_columns >= 100) {
		place_w = 24;
		count_x = at_x + 26;
		pct_x = count_x + 10;
		bar_x = pct_x + 5;
	}
	area_put(a, 0, 4, -1, ROLE_DIM, "function");
	area_put(a, 0, at_x, -1, ROLE_DIM, "at");
	area_put_right(a, 0, count_x, 9, ROLE_FOCUS, "events▾");
	area_put_right(a, 0, pct_x, 4, ROLE_DIM, "%");
	area_put(a, 0, bar_x + bar_w + 1, -1, ROLE_DIM, "self");
	const struct calltree_node *root = c->tree ? calltree_node_get(c->tree, CALLTREE_ROOT) : NULL;
	uint64_t total = root ? root->total : 0;
	if (!c->lines.n) {
		area_put(a, 2, 2, -1, ROLE_TEXT, "no stack was taken");
		area_put(a, 3, 2, -1, ROLE_DIM, "this capture was made with --stack off, or nothing is shown");
	}
	for (int y = 0; y < p->list.n_lines && p->list.top + (uint64_t)y < c->lines.n; y++) {
		const struct node_line *l = &c->lines.v[p->list.top + (uint64_t)y];
		const struct calltree_node *n = calltree_node_get(c->tree, l->node);
		struct frame_info f = { 0 };
		struct strbuf b = { 0 };
		int x = 2 + l->depth * 2;
		if (x > at_x - 10)
			x = at_x - 10;
		if (n->has_children)
			area_put(a, y + 1, x, 1, ROLE_DIM, l->is_open ? "▾" : "▸");
		bool has_frame = n->frame && trace_frame(s->trace, n->frame, &f);
		bool user = has_frame && trace_frame_origin(s->trace, n->frame) == FRAME_ORIGIN_USER;
		if (has_frame)
			text_string(&b, s->trace, f.function);
		else
			strbuf_adds(&b, "(no stack, or library only)");
		area_put_cut(a, y + 1, x + 2, at_x - x - 3, user ? ROLE_TEXT : ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		if (has_frame) {
			struct frame_info place = f;
			place.line = f.first_line;
			frame_text_place(&b, s, &place);
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
		search_mark(&p->ui->search, a, y + 1);
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
	if (open < 0)
		open = !l->is_open;
	if (!open && !l->is_open) { /* to the caller's line */
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
		c->direction = c->direction == CALLTREE_TOP_DOWN ? CALLTREE_BOTTOM_UP : CALLTREE_TOP_DOWN;
		p->list.cursor = 0;
		build(c);
		return true;
	case ACTION_FOLD:
		c->with_library = !c->with_library;
		p->list.cursor = 0;
		build(c);
		ui_flash(p->ui, c->with_library ? "library frames too" : "your own frames only");
		return true;
	default: return false;
	}
}

static void title_callers(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct callers *c = (const struct callers *)p;
	strbuf_adds(subject, p->ui->s->filter_text);
	strbuf_adds(facts, c->direction == CALLTREE_TOP_DOWN ? "top-down" : "bottom-up");
	if (c->tree) {
		strbuf_adds(facts, " · ");
		strbuf_add_count(facts, calltree_node_get(c->tree, CALLTREE_ROOT)->total);
		strbuf_adds(facts, " events");
	}
	if (c->built_events != p->ui->s->n_events) {
		strbuf_adds(facts, " · +");
		strbuf_add_count(facts, p->ui->s->n_events - c->built_events);
		strbuf_adds(facts, " since");
	}
	strbuf_adds(facts, " · t turns it over");
}

static bool term_callers(const struct pane *p, struct strbuf *to)
{
	const struct callers *c = (const struct callers *)p;
	const struct node_line *l = current(p);
	struct view *s = p->ui->s;
	struct frame_info f;
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
	if (entry >= c->lines.n || !trace_frame(p->ui->s->trace, calltree_node_get(c->tree, c->lines.v[entry].node)->frame, &f))
		return;
	text_string(to, p->ui->s->trace, f.function);
	strbuf_addc(to, ' ');
	text_string(to, p->ui->s->trace, f.file);
}

const struct pane_ops pane_callers_ops = {
	.open = open_callers, .close = close_callers, .update = update_callers, .draw = draw_callers, .act = act_callers,
	.title = title_callers, .term = term_callers, .line = line_callers,
};
