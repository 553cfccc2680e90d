/*
 * calltree: who causes the selected events.
 *
 * Stacks are merged by function and file (not by line). Top-down starts at the outermost frames and
 * goes to those they called; bottom-up starts at the innermost and goes to their callers. Children
 * are worked out when asked for.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct calltree;
struct selection;
struct trace;

enum calltree_direction { CALLTREE_TOP_DOWN, CALLTREE_BOTTOM_UP };

struct calltree_options {
	enum calltree_direction direction;
	bool hide_library; /* leave out frames that are not of USER origin */
	bool hide_native;  /* leave out native frames and marks */
	uint64_t n_rows;   /* only rows [0, n); 0 = all */
};

struct calltree_node {
	/* a frame of this function (the first met); 0 = no stack, or nothing left of it */
	uint32_t frame;
	uint32_t parent; /* node index */
	/* events raised here or below (bottom-up: raised by the root's function, called this way)
	 */
	uint64_t total;
	/* events raised with this as innermost frame (bottom-up: stacks that begin here) */
	uint64_t self;
	bool has_children;
};

#define CALLTREE_ROOT 0u

/* Count `sel` (NULL = all). The trace must outlive the tree; after a refresh make a new one. */
MUST_CHECK struct err *calltree_create(struct trace *t, const struct selection *sel,
				       const struct calltree_options *options,
				       struct calltree **ret);
/* The same in slices: begin, then step for budget_ns at a time until *ret_done is 1; nothing else
 * may be asked before that. Rows that come after begin are left out. `sel` must be final below
 * `end`, and at the last step below the number of rows. */
MUST_CHECK struct err *calltree_begin(struct trace *t, const struct calltree_options *options,
				      struct calltree **ret);
MUST_CHECK struct err *calltree_step(struct calltree *c, const struct selection *sel, uint64_t end,
				     uint64_t budget_ns, double *ret_done);
void calltree_destroy(struct calltree *c);
DEFINE_CLEANUP(calltree);
/* Node CALLTREE_ROOT stands for everything. Valid until the next calltree_children(). */
const struct calltree_node *calltree_node_get(const struct calltree *c, uint32_t node);
/* Children by falling total (then by order of appearance). The array belongs to the tree and stays
 * until its end. */
MUST_CHECK struct err *calltree_children(struct calltree *c, uint32_t node, const uint32_t **ret,
					 uint32_t *ret_n);
/* Make the children for budget_ns at most; when calltree_is_expanded() says so, calltree_children()
 * has them at once. */
MUST_CHECK struct err *calltree_expand(struct calltree *c, uint32_t node, uint64_t budget_ns);
bool calltree_is_expanded(const struct calltree *c, uint32_t node);
/* Rows of `sel` below this node: fills `ret` (as long as the trace). */
MUST_CHECK struct err *calltree_select(struct calltree *c, uint32_t node, struct selection **ret);
