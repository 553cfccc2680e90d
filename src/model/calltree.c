/*
 * calltree: see calltree.h.
 *
 *   events ─ count by stack id ─▶ counts per stack ─ merge nodes by function ─▶ top-down tree ("paths"), complete
 *
 * The paths are made in one go, in order of stack ids: a parent's is always older. The bottom-up tree is the same paths read
 * from their inner ends; its nodes keep the list of (path, events) they stand for, and their children are made when wanted.
 */
#include "model/calltree.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "model/group.h"
#include "model/selection.h"
#include "model/trace.h"

struct path {                 /* one node of the top-down tree */
	uint32_t frame, parent;
	uint64_t self, total;
};

struct end {                  /* bottom-up: so many events come this way */
	uint32_t path;        /* the caller to go on with */
	uint64_t n;
};

struct node {
	struct calltree_node view;
	uint32_t path;            /* top-down */
	VEC(struct end) ends;     /* bottom-up */
	uint32_t *children;
	uint32_t n_children;
	bool expanded;
};

struct calltree {
	struct trace *trace;
	struct calltree_options options;
	struct selection *sel;        /* a copy; NULL = all */
	VEC(struct path) paths;       /* [0] is the root */
	VEC(uint32_t) path_of_stack;  /* [n_stacks + 1] */
	VEC(uint32_t) function_of_frame; /* frames of one function and file have one number, > 0; 0 = left out */
	VEC(uint32_t) first_frame;    /* by that number */
	uint32_t *first_child, *next_sibling; /* of paths, for top-down expansion */
	VEC(struct node *) nodes;
};

/* ---- merging ---- */

struct pair_table {           /* (a, b) → u32, open addressing */
	struct pair_slot { uint32_t a, b, value; } *slots;
	uint32_t mask, n;
};

static struct pair_slot *pair_find(struct pair_table *p, uint32_t a, uint32_t b)
{
	uint64_t h = ((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15ull;
	uint32_t at = (uint32_t)(h >> 32) & p->mask;
	while (p->slots[at].value && (p->slots[at].a != a || p->slots[at].b != b))
		at = (at + 1) & p->mask;
	return &p->slots[at];
}

static bool pair_reserve(struct pair_table *p)
{
	if (p->slots && p->n < p->mask / 2)
		return true;
	struct pair_table bigger = { .mask = p->slots ? 2 * p->mask + 1 : 1023, .n = p->n };
	bigger.slots = calloc((size_t)bigger.mask + 1, sizeof(*bigger.slots));
	if (!bigger.slots)
		return false;
	for (uint32_t i = 0; p->slots && i <= p->mask; i++)
		if (p->slots[i].value)
			*pair_find(&bigger, p->slots[i].a, p->slots[i].b) = p->slots[i];
	free(p->slots);
	*p = bigger;
	return true;
}

static bool is_left_out(const struct calltree *c, uint32_t frame)
{
	enum frame_origin origin = trace_frame_origin(c->trace, frame);
	if (c->options.hide_library)
		return origin != FRAME_ORIGIN_USER;
	return c->options.hide_native && (origin == FRAME_ORIGIN_NATIVE || origin == FRAME_ORIGIN_MARK);
}

static bool functions_number(struct calltree *c)
{
	uint32_t n_frames = trace_n_frames(c->trace);
	struct pair_table functions = { 0 };
	bool ok = vec_reserve(&c->function_of_frame, (size_t)n_frames + 1) && vec_push(&c->function_of_frame, 0) &&
		  vec_push(&c->first_frame, 0);
	for (uint32_t frame = 1; ok && frame <= n_frames; frame++) {
		struct frame_info f;
		uint32_t number = 0;
		trace_frame(c->trace, frame, &f);
		if (!is_left_out(c, frame)) {
			ok = pair_reserve(&functions);
			if (!ok)
				break;
			struct pair_slot *slot = pair_find(&functions, f.function, f.file ? f.file : f.module);
			if (!slot->value) {
				*slot = (struct pair_slot){ f.function, f.file ? f.file : f.module,
							    (uint32_t)c->first_frame.n };
				functions.n++;
				ok = vec_push(&c->first_frame, frame);
			}
			number = slot->value;
		}
		c->function_of_frame.v[c->function_of_frame.n++] = number;
	}
	free(functions.slots);
	return ok;
}

static bool paths_make(struct calltree *c, const uint64_t *count_of_stack)
{
	struct trace *t = c->trace;
	uint32_t n_stacks = trace_n_stacks(t);
	struct pair_table children = { 0 };
	struct path root = { 0 };
	bool ok = vec_reserve(&c->path_of_stack, (size_t)n_stacks + 1) && vec_push(&c->paths, root) &&
		  vec_push(&c->path_of_stack, 0);
	for (uint32_t id = 1; ok && id <= n_stacks;) {
		const struct stack_page *page = trace_stack_page(t, id);
		if (!page)
			ok = false;
		for (uint32_t i = 0; ok && i < page->n; i++) {
			uint32_t path = c->path_of_stack.v[page->parents[i]];
			uint32_t function = page->frames[i] < c->function_of_frame.n ? c->function_of_frame.v[page->frames[i]] : 0;
			if (function) {
				ok = pair_reserve(&children);
				if (!ok)
					break;
				struct pair_slot *slot = pair_find(&children, path, function);
				if (!slot->value) {
					struct path fresh = { .frame = c->first_frame.v[function], .parent = path };
					*slot = (struct pair_slot){ path, function, (uint32_t)c->paths.n };
					children.n++;
					ok = vec_push(&c->paths, fresh);
				}
				path = slot->value;
			}
			c->path_of_stack.v[c->path_of_stack.n++] = path;
		}
		if (ok)
			id = page->first + page->n;
		trace_trim(t);
	}
	free(children.slots);
	for (uint32_t id = 0; ok && id <= n_stacks; id++)
		c->paths.v[c->path_of_stack.v[id]].self += count_of_stack[id];
	for (size_t i = c->paths.n; ok && i-- > 0;) { /* children are younger than their parents */
		c->paths.v[i].total += c->paths.v[i].self;
		if (i)
			c->paths.v[c->paths.v[i].parent].total += c->paths.v[i].total;
	}
	return ok;
}

static bool siblings_link(struct calltree *c)
{
	c->first_child = calloc(c->paths.n, sizeof(uint32_t));
	c->next_sibling = calloc(c->paths.n, sizeof(uint32_t));
	if (!c->first_child || !c->next_sibling)
		return false;
	for (size_t i = c->paths.n; i-- > 1;) {
		if (c->paths.v[i].total == 0)
			continue;
		c->next_sibling[i] = c->first_child[c->paths.v[i].parent];
		c->first_child[c->paths.v[i].parent] = (uint32_t)i;
	}
	return true;
}

/* ---- nodes ---- */

static struct node *node_add(struct calltree *c, uint32_t parent)
{
	struct node *n = calloc(1, sizeof(*n));
	if (!n || !vec_push(&c->nodes, n)) {
		free(n);
		return NULL;
	}
	n->view.parent = parent;
	return n;
}

struct err *calltree_create(struct trace *t, const struct selection *sel, const struct calltree_options *options,
			    struct calltree **ret)
{
	CLEANUP(calltree) struct calltree *c = calloc(1, sizeof(*c));
	uint64_t *counts = calloc((size_t)trace_n_stacks(t) + 1, sizeof(*counts));
	if (!c || !counts) {
		free(counts);
		return err_no_memory();
	}
	c->trace = t;
	c->options = *options;
	struct err *err = sel ? selection_dup(sel, &c->sel) : NULL;
	if (!err)
		err = group_count(t, sel, 0, UINT64_MAX, GROUP_STACK, NULL, trace_n_stacks(t) + 1, counts);
	if (!err && (!functions_number(c) || !paths_make(c, counts) || !siblings_link(c)))
		err = err_no_memory();
	free(counts);
	if (err)
		return err;
	struct node *root = node_add(c, CALLTREE_ROOT);
	if (!root)
		return err_no_memory();
	root->view.total = c->paths.v[0].total;
	root->view.self = c->paths.v[0].self;
	root->view.has_children = root->view.total > root->view.self;
	for (uint32_t i = 1; options->direction == CALLTREE_BOTTOM_UP && i < c->paths.n; i++) {
		struct end end = { i, c->paths.v[i].self };
		if (end.n && !vec_push(&root->ends, end))
			return err_no_memory();
	}
	*ret = take_ptr(c);
	return NULL;
}

void calltree_destroy(struct calltree *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nodes.n; i++) {
		vec_fini(&c->nodes.v[i]->ends);
		free(c->nodes.v[i]->children);
		free(c->nodes.v[i]);
	}
	vec_fini(&c->nodes);
	selection_destroy(c->sel);
	vec_fini(&c->paths);
	vec_fini(&c->path_of_stack);
	vec_fini(&c->function_of_frame);
	vec_fini(&c->first_frame);
	free(c->first_child);
	free(c->next_sibling);
	free(c);
}

const struct calltree_node *calltree_node_get(const struct calltree *c, uint32_t node)
{
	return node < c->nodes.n ? &c->nodes.v[node]->view : NULL;
}

static bool expand_down(struct calltree *c, uint32_t index)
{
	uint32_t path = c->nodes.v[index]->path;
	for (uint32_t child = c->first_child[path]; child; child = c->next_sibling[child]) {
		struct node *n = node_add(c, index);
		if (!n)
			return false;
		const struct path *p = &c->paths.v[child];
		n->path = child;
		n->view.frame = p->frame;
		n->view.total = p->total;
		n->view.self = p->self;
		n->view.has_children = p->total > p->self;
	}
	return true;
}

/* Each end goes one caller up; ends that arrive at the same function make one child. */
static bool expand_up(struct calltree *c, uint32_t index)
{
	struct pair_table of_function = { 0 };
	bool ok = true;
	for (size_t i = 0; ok && i < c->nodes.v[index]->ends.n; i++) {
		struct end end = c->nodes.v[index]->ends.v[i];
		const struct path *p = &c->paths.v[end.path];
		if (end.path == 0)
			continue; /* it began here */
		ok = pair_reserve(&of_function);
		if (!ok)
			break;
		struct pair_slot *slot = pair_find(&of_function, p->frame, 0);
		if (!slot->value) {
			struct node *n = node_add(c, index);
			if (!n) {
				ok = false;
				break;
			}
			n->view.frame = p->frame;
			*slot = (struct pair_slot){ p->frame, 0, (uint32_t)c->nodes.n - 1 };
			of_function.n++;
		}
		struct node *n = c->nodes.v[slot->value];
		struct end further = { p->parent, end.n };
		n->view.total += end.n;
		if (p->parent == 0)
			n->view.self += end.n;
		else
			n->view.has_children = true;
		ok = vec_push(&n->ends, further);
	}
	free(of_function.slots);
	return ok;
}

struct by_total {
	uint64_t total;
	uint32_t node;
};

static int by_falling_total(const void *a, const void *b)
{
	const struct by_total *x = a, *y = b;
	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

struct err *calltree_children(struct calltree *c, uint32_t index, const uint32_t **ret, uint32_t *ret_n)
{
	*ret = NULL;
	*ret_n = 0;
	if (index >= c->nodes.n)
		return NULL;
	if (!c->nodes.v[index]->expanded) {
		size_t first = c->nodes.n;
		bool ok = c->options.direction == CALLTREE_TOP_DOWN ? expand_down(c, index) : expand_up(c, index);
		uint32_t n = (uint32_t)(c->nodes.n - first);
		uint32_t *children = malloc((n ? n : 1) * sizeof(*children));
		struct by_total *order = malloc((n ? n : 1) * sizeof(*order));
		if (!ok || !children || !order) {
			free(children);
			free(order);
			while (c->nodes.n > first) {
				struct node *half = c->nodes.v[--c->nodes.n];
				vec_fini(&half->ends);
				free(half);
			}
			return err_no_memory();
		}
		for (uint32_t i = 0; i < n; i++)
			order[i] = (struct by_total){ c->nodes.v[first + i]->view.total, (uint32_t)first + i };
		qsort(order, n, sizeof(*order), by_falling_total);
		for (uint32_t i = 0; i < n; i++)
			children[i] = order[i].node;
		free(order);
		c->nodes.v[index]->children = children;
		c->nodes.v[index]->n_children = n;
		c->nodes.v[index]->expanded = true;
	}
	*ret = c->nodes.v[index]->children;
	*ret_n = c->nodes.v[index]->n_children;
	return NULL;
}

/* ---- rows of a node ---- */

/* Functions from the root of the tree to the node, in that order. */
static bool chain_get(const struct calltree *c, uint32_t node, uint32_t **ret, uint32_t *ret_n)
{
	VEC(uint32_t) chain = { 0 };
	for (uint32_t at = node; at != CALLTREE_ROOT; at = c->nodes.v[at]->view.parent)
		if (!vec_push(&chain, c->nodes.v[at]->view.frame)) {
			vec_fini(&chain);
			return false;
		}
	for (size_t i = 0; i < chain.n / 2; i++) {
		uint32_t other = chain.v[i];
		chain.v[i] = chain.v[chain.n - 1 - i];
		chain.v[chain.n - 1 - i] = other;
	}
	*ret = chain.v;
	*ret_n = (uint32_t)chain.n;
	return true;
}

static void wanted_paths_down(const struct calltree *c, uint32_t path, uint8_t *wanted)
{
	wanted[path] = 1;
	for (size_t i = path + 1; i < c->paths.n; i++)
		wanted[i] |= wanted[c->paths.v[i].parent];
	if (path != 0)
		wanted[0] = 0;
}

static void wanted_paths_up(const struct calltree *c, const uint32_t *frames, uint32_t n_frames, uint8_t *wanted)
{
	for (uint32_t i = 1; i < c->paths.n; i++) {
		uint32_t at = i, k = 0;
		while (k < n_frames && at && c->paths.v[at].frame == frames[k]) {
			at = c->paths.v[at].parent;
			k++;
		}
		wanted[i] = k == n_frames;
	}
}

struct err *calltree_select(struct calltree *c, uint32_t node, struct selection **ret)
{
	struct trace *t = c->trace;
	CLEANUP(selection) struct selection *s = NULL;
	uint8_t *wanted = calloc(c->paths.n, 1);
	if (!wanted || node >= c->nodes.n) {
		free(wanted);
		return err_no_memory();
	}
	struct err *err = selection_create(trace_n_events(t), false, &s);
	if (node == CALLTREE_ROOT) {
		memset(wanted, 1, c->paths.n);
	} else if (!err && c->options.direction == CALLTREE_TOP_DOWN) {
		wanted_paths_down(c, c->nodes.v[node]->path, wanted);
	} else if (!err) {
		uint32_t *frames, n_frames;
		if (chain_get(c, node, &frames, &n_frames)) {
			wanted_paths_up(c, frames, n_frames, wanted);
			free(frames);
		} else {
			err = err_no_memory();
		}
	}
	for (uint32_t chunk = 0; !err && chunk < trace_n_chunks(t); chunk++) {
		const struct chunk *columns = trace_chunk(t, chunk);
		if (!columns) {
			err = err_no_memory();
			break;
		}
		uint64_t *words = selection_words(s) + columns->first_seq / 64;
		for (uint32_t i = 0; i < columns->n && columns->first_seq + i < selection_n_rows(s); i++) {
			uint32_t stack = columns->stack[i];
			uint64_t hit = stack < c->path_of_stack.n && wanted[c->path_of_stack.v[stack]];
			words[i / 64] |= hit << (i & 63);
		}
		trace_trim(t);
	}
	free(wanted);
	if (err)
		return err;
	if (c->sel)
		selection_and(s, c->sel);
	*ret = take_ptr(s);
	return NULL;
}
