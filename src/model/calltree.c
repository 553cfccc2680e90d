/*
 * calltree: see calltree.h.
 *
 *   events ─ count by stack id ─▶ counts per stack ─ merge nodes by function ─▶ top-down tree
 *                                                                               ("paths"), complete
 *
 * The paths are made in order of stack ids: a parent has a smaller id. The bottom-up tree is made
 * of the same paths, read from their inner ends; its nodes hold the list of (path, events) that
 * they stand for, and their children are made on demand.
 *
 * Long work is done in slices (calltree_step(), calltree_expand()); each stage stores how far it
 * has come.
 */
#include "model/calltree.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "base/monotonic.h"
#include "base/vec.h"
#include "model/group.h"
#include "model/selection.h"
#include "model/trace.h"

struct path { /* one node of the top-down tree */
	uint32_t frame, parent;
	uint64_t self, total;
};

struct end {           /* bottom-up: a path, and how many events come this way */
	uint32_t path; /* the next caller */
	uint64_t n;
};

struct node {
	struct calltree_node view;
	uint32_t path;        /* top-down */
	VEC(struct end) ends; /* bottom-up */
	uint32_t *children;
	uint32_t n_children;
	bool expanded;
};

enum stage {
	STAGE_COUNT,
	STAGE_FUNCTIONS,
	STAGE_PATHS,
	STAGE_SELF,
	STAGE_TOTAL,
	STAGE_LINK,
	STAGE_ENDS,
	STAGE_DONE
};

struct calltree {
	struct trace *trace;
	struct calltree_options options;
	struct selection *sel;       /* a copy; NULL = all */
	VEC(struct path) paths;      /* [0] is the root */
	VEC(uint32_t) path_of_stack; /* [n_stacks + 1] */
	/* frames of one function and file share a number > 0; 0 = left out */
	VEC(uint32_t) function_of_frame;
	VEC(uint32_t) first_frame;            /* by that number */
	uint32_t *first_child, *next_sibling; /* of paths, for top-down expansion */
	VEC(struct node *) nodes;
	/* progress */
	enum stage stage;
	uint64_t at; /* how far the stage is: row, frame, stack or path */
	/* counts of the trace when the tree was begun; later additions are left out */
	uint64_t n_rows;
	uint32_t n_stacks, n_frames;
	uint64_t *count_of_stack; /* [n_stacks + 1], up to STAGE_SELF */
	struct hash_map pairs;    /* of the stage: two numbers → a third */
	/* the node whose children are being made */
	bool is_expanding;
	uint32_t expanding;
	size_t first_child_node; /* its children are the nodes from here on */
	uint32_t next_path;      /* top-down: the next child */
	size_t next_end;         /* bottom-up */
};

/* Is the time over? Reads the clock once in some hundred calls. */
struct pace {
	uint64_t until_ns;
	unsigned n;
	bool over;
};

static struct pace pace_of(uint64_t budget_ns)
{
	return (struct pace){ .until_ns = budget_ns == UINT64_MAX ? UINT64_MAX
								  : monotonic_ns() + budget_ns };
}

static bool is_over(struct pace *p, unsigned cost)
{
	p->n += cost;
	if (p->n >= 1024 && p->until_ns != UINT64_MAX) {
		p->n = 0;
		p->over = monotonic_ns() >= p->until_ns;
	}
	return p->over;
}

/* ---- merging ---- */

static bool is_left_out(const struct calltree *c, uint32_t frame)
{
	enum frame_origin origin = trace_frame_origin(c->trace, frame);
	if (c->options.hide_library)
		return origin != FRAME_ORIGIN_USER;
	return c->options.hide_native &&
	       (origin == FRAME_ORIGIN_NATIVE || origin == FRAME_ORIGIN_MARK);
}

/* Each stage returns true when it is done or memory is short (*ok), false when the time is over. */

static bool rows_count(struct calltree *c, const struct selection *sel, uint64_t end,
		       struct pace *p, struct err **ret_err)
{
	if (end > c->n_rows)
		end = c->n_rows;
	while (c->at < end && !p->over) {
		uint64_t to = (c->at | (TRACE_CHUNK - 1)) + 1;
		*ret_err = group_count(c->trace, sel, c->at, to < end ? to : end, GROUP_STACK, NULL,
				       c->n_stacks + 1, c->count_of_stack);
		if (*ret_err)
			return true;
		c->at = to < end ? to : end;
		is_over(p, 1024);
	}
	return c->at == c->n_rows;
}

static bool functions_number(struct calltree *c, struct pace *p, bool *ok)
{
	if (!c->at)
		*ok = vec_reserve(&c->function_of_frame, (size_t)c->n_frames + 1) &&
		      vec_push(&c->function_of_frame, 0) && vec_push(&c->first_frame, 0) &&
		      hash_map_reserve(&c->pairs, c->n_frames);
	while (*ok && c->at < c->n_frames && !is_over(p, 4)) {
		uint32_t frame = (uint32_t)++c->at, number = 0;
		struct frame_info f;
		trace_frame(c->trace, frame, &f);
		if (!is_left_out(c, frame)) {
			uint32_t *known = hash_map_place(
			    &c->pairs, hash_map_key(f.function, f.file ? f.file : f.module));
			*ok = known != NULL;
			if (!*ok)
				break;
			if (!*known) {
				*known = (uint32_t)c->first_frame.n;
				*ok = vec_push(&c->first_frame, frame);
			}
			number = *known;
		}
		c->function_of_frame.v[c->function_of_frame.n++] = number;
	}
	return !*ok || c->at == c->n_frames;
}

static bool path_add(struct calltree *c, uint32_t parent, uint32_t frame)
{
	uint32_t path = c->path_of_stack.v[parent];
	uint32_t function = frame < c->function_of_frame.n ? c->function_of_frame.v[frame] : 0;
	if (function) {
		uint32_t *child = hash_map_place(&c->pairs, hash_map_key(path, function));
		if (!child)
			return false;
		if (!*child) {
			struct path fresh = { .frame = c->first_frame.v[function], .parent = path };
			*child = (uint32_t)c->paths.n;
			if (!vec_push(&c->paths, fresh))
				return false;
		}
		path = *child;
	}
	c->path_of_stack.v[c->path_of_stack.n++] = path;
	return true;
}

static bool paths_make(struct calltree *c, struct pace *p, bool *ok)
{
	struct path root = { 0 };
	if (!c->at)
		*ok = vec_reserve(&c->path_of_stack, (size_t)c->n_stacks + 1) &&
		      vec_push(&c->paths, root) && vec_push(&c->path_of_stack, 0) &&
		      hash_map_reserve(&c->pairs, c->n_stacks);
	while (*ok && c->at < c->n_stacks && !p->over) {
		const struct stack_page *page = trace_stack_page(c->trace, (uint32_t)c->at + 1);
		if (!page)
			*ok = false;
		while (*ok && c->at < c->n_stacks && c->at + 1 < (uint64_t)page->first + page->n &&
		       !is_over(p, 4)) {
			uint32_t i = (uint32_t)c->at + 1 - page->first;
			*ok = path_add(c, page->parents[i], page->frames[i]);
			c->at += *ok;
		}
		trace_trim(c->trace);
	}
	return !*ok || c->at == c->n_stacks;
}

static bool self_add(struct calltree *c, struct pace *p)
{
	for (; c->at <= c->n_stacks && !is_over(p, 1); c->at++)
		c->paths.v[c->path_of_stack.v[c->at]].self += c->count_of_stack[c->at];
	return c->at > c->n_stacks;
}

/* Add totals from the youngest path on: children are younger than their parents. `at` counts the
 * paths done. */
static bool total_add(struct calltree *c, struct pace *p)
{
	for (; c->at < c->paths.n && !is_over(p, 1); c->at++) {
		size_t i = c->paths.n - 1 - c->at;
		c->paths.v[i].total += c->paths.v[i].self;
		if (i)
			c->paths.v[c->paths.v[i].parent].total += c->paths.v[i].total;
	}
	return c->at == c->paths.n;
}

static bool siblings_link(struct calltree *c, struct pace *p, bool *ok)
{
	if (!c->at) {
		c->first_child = calloc(c->paths.n, sizeof(uint32_t));
		c->next_sibling = calloc(c->paths.n, sizeof(uint32_t));
		*ok = c->first_child && c->next_sibling;
	}
	for (; *ok && c->at + 1 < c->paths.n && !is_over(p, 1); c->at++) {
		size_t i = c->paths.n - 1 - c->at;
		if (c->paths.v[i].total == 0)
			continue;
		c->next_sibling[i] = c->first_child[c->paths.v[i].parent];
		c->first_child[c->paths.v[i].parent] = (uint32_t)i;
	}
	return !*ok || c->at + 1 >= c->paths.n;
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

static bool root_make(struct calltree *c, struct pace *p, bool *ok)
{
	struct node *root = c->nodes.n ? c->nodes.v[0] : node_add(c, CALLTREE_ROOT);
	*ok = root != NULL;
	if (!*ok)
		return true;
	root->view.total = c->paths.v[0].total;
	root->view.self = c->paths.v[0].self;
	root->view.has_children = root->view.total > root->view.self;
	for (; *ok && c->options.direction == CALLTREE_BOTTOM_UP && c->at + 1 < c->paths.n &&
	       !is_over(p, 1);
	     c->at++) {
		struct end end = { (uint32_t)c->at + 1, c->paths.v[c->at + 1].self };
		*ok = !end.n || vec_push(&root->ends, end);
	}
	return !*ok || c->options.direction != CALLTREE_BOTTOM_UP || c->at + 1 >= c->paths.n;
}

struct err *calltree_begin(struct trace *t, const struct calltree_options *options,
			   struct calltree **ret)
{
	CLEANUP(calltree) struct calltree *c = calloc(1, sizeof(*c));
	if (!c)
		return err_no_memory();
	c->trace = t;
	c->options = *options;
	c->n_rows = trace_n_events(t);
	if (options->n_rows && options->n_rows < c->n_rows)
		c->n_rows = options->n_rows;
	c->n_stacks = trace_n_stacks(t);
	c->n_frames = trace_n_frames(t);
	c->count_of_stack = calloc((size_t)c->n_stacks + 1, sizeof(*c->count_of_stack));
	if (!c->count_of_stack)
		return err_no_memory();
	*ret = take_ptr(c);
	return NULL;
}

struct err *calltree_step(struct calltree *c, const struct selection *sel, uint64_t end,
			  uint64_t budget_ns, double *ret_done)
{
	struct pace p = pace_of(budget_ns);
	struct err *err = NULL;
	bool ok = true, done = true;
	while (!err && ok && done && !p.over && c->stage < STAGE_DONE) {
		/* a stage that was entered makes progress: it is prepared while `at` is 0 */
		p.n = 0;
		switch (c->stage) {
		case STAGE_COUNT:
			done = rows_count(c, sel, end, &p, &err);
			if (done && !err && sel)
				err = selection_dup(sel, &c->sel);
			break;
		case STAGE_FUNCTIONS: done = functions_number(c, &p, &ok); break;
		case STAGE_PATHS: done = paths_make(c, &p, &ok); break;
		case STAGE_SELF: done = self_add(c, &p); break;
		case STAGE_TOTAL: done = total_add(c, &p); break;
		case STAGE_LINK: done = siblings_link(c, &p, &ok); break;
		case STAGE_ENDS: done = root_make(c, &p, &ok); break;
		case STAGE_DONE: break;
		}
		if (!done || err || !ok)
			break;
		if (c->stage == STAGE_FUNCTIONS || c->stage == STAGE_PATHS)
			hash_map_fini(&c->pairs);
		if (c->stage == STAGE_SELF) {
			free(c->count_of_stack);
			c->count_of_stack = NULL;
		}
		c->stage++;
		c->at = 0;
	}
	if (!err && !ok)
		err = err_no_memory();
	/* counting and making the paths take longest */
	double rows = c->n_rows ? (double)c->at / (double)c->n_rows : 1,
	       paths = c->n_stacks ? (double)c->at / c->n_stacks : 1;
	*ret_done = c->stage == STAGE_DONE    ? 1
		    : c->stage == STAGE_COUNT ? rows * 0.5
		    : c->stage < STAGE_PATHS  ? 0.5
		    : c->stage == STAGE_PATHS ? 0.5 + paths * 0.4
					      : 0.9;
	return err;
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
	free(c->count_of_stack);
	hash_map_fini(&c->pairs);
	free(c);
}

const struct calltree_node *calltree_node_get(const struct calltree *c, uint32_t node)
{
	return node < c->nodes.n ? &c->nodes.v[node]->view : NULL;
}

/* Make children of the node that is being expanded. True: all are made, or memory is short
 * (*ok). */

static bool expand_down(struct calltree *c, struct pace *p, bool *ok)
{
	while (c->next_path && !is_over(p, 8)) {
		struct node *n = node_add(c, c->expanding);
		*ok = n != NULL;
		if (!n)
			return true;
		const struct path *path = &c->paths.v[c->next_path];
		n->path = c->next_path;
		n->view.frame = path->frame;
		n->view.total = path->total;
		n->view.self = path->self;
		n->view.has_children = path->total > path->self;
		c->next_path = c->next_sibling[c->next_path];
	}
	return c->next_path == 0;
}

/* Move each end one caller up; ends that arrive at the same function make one child. */
static bool expand_up(struct calltree *c, struct pace *p, bool *ok)
{
	struct node *parent = c->nodes.v[c->expanding];
	for (; c->next_end < parent->ends.n && !is_over(p, 4); c->next_end++) {
		struct end end = parent->ends.v[c->next_end];
		const struct path *path = &c->paths.v[end.path];
		if (end.path == 0)
			continue; /* the stack begins here */
		uint32_t *child = hash_map_place(&c->pairs, path->frame);
		if (!child) {
			*ok = false;
			return true;
		}
		if (!*child) {
			struct node *n = node_add(c, c->expanding);
			if (!n) {
				*ok = false;
				return true;
			}
			n->view.frame = path->frame;
			*child = (uint32_t)c->nodes.n - 1;
		}
		struct node *n = c->nodes.v[*child];
		struct end further = { path->parent, end.n };
		n->view.total += end.n;
		if (path->parent == 0)
			n->view.self += end.n;
		else
			n->view.has_children = true;
		if (!vec_push(&n->ends, further)) {
			*ok = false;
			return true;
		}
	}
	return c->next_end == parent->ends.n;
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

/* All children are made: sort them. */
static bool children_order(struct calltree *c)
{
	struct node *parent = c->nodes.v[c->expanding];
	size_t first = c->first_child_node;
	uint32_t n = (uint32_t)(c->nodes.n - first);
	uint32_t *children = malloc((n ? n : 1) * sizeof(*children));
	struct by_total *order = malloc((n ? n : 1) * sizeof(*order));
	bool ok = children && order;
	for (uint32_t i = 0; ok && i < n; i++)
		order[i] = (struct by_total){ c->nodes.v[first + i]->view.total,
					      (uint32_t)first + i };
	if (ok)
		qsort(order, n, sizeof(*order), by_falling_total);
	for (uint32_t i = 0; ok && i < n; i++)
		children[i] = order[i].node;
	free(order);
	if (!ok) {
		free(children);
		return false;
	}
	parent->children = children;
	parent->n_children = n;
	parent->expanded = true;
	return true;
}

static void expand_begin(struct calltree *c, uint32_t index)
{
	c->is_expanding = true;
	c->expanding = index;
	c->first_child_node = c->nodes.n;
	c->next_path = c->options.direction == CALLTREE_TOP_DOWN
			   ? c->first_child[c->nodes.v[index]->path]
			   : 0;
	c->next_end = 0;
}

bool calltree_is_expanded(const struct calltree *c, uint32_t index)
{
	return index < c->nodes.n && c->nodes.v[index]->expanded;
}

struct err *calltree_expand(struct calltree *c, uint32_t index, uint64_t budget_ns)
{
	struct pace p = pace_of(budget_ns);
	while (index < c->nodes.n && !c->nodes.v[index]->expanded) {
		bool ok = true;
		/* else another expansion is in progress and is finished first */
		if (!c->is_expanding)
			expand_begin(c, index);
		if (!(c->options.direction == CALLTREE_TOP_DOWN ? expand_down(c, &p, &ok)
								: expand_up(c, &p, &ok)))
			return NULL;
		ok = ok && children_order(c);
		hash_map_fini(&c->pairs);
		c->is_expanding = false;
		if (ok)
			continue;
		while (c->nodes.n > c->first_child_node) {
			struct node *half = c->nodes.v[--c->nodes.n];
			vec_fini(&half->ends);
			free(half);
		}
		return err_no_memory();
	}
	return NULL;
}

struct err *calltree_children(struct calltree *c, uint32_t index, const uint32_t **ret,
			      uint32_t *ret_n)
{
	*ret = NULL;
	*ret_n = 0;
	struct err *err = calltree_expand(c, index, UINT64_MAX);
	if (err || index >= c->nodes.n)
		return err;
	*ret = c->nodes.v[index]->children;
	*ret_n = c->nodes.v[index]->n_children;
	return NULL;
}
