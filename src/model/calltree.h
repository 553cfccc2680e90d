/*
 * calltree: which functions cause the selected events.
 *
 * Stacks are merged by function and file (not by line). Top-down begins at the outermost frames and
 * continues with the functions that they called; bottom-up begins at the innermost frames and
 * continues with their callers. Children are computed on demand.
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
	/* a frame of this function (the first seen); 0 = no stack, or all its frames are left
	 * out */
	uint32_t frame;
	uint32_t parent; /* node index */
	/* events raised here or below (bottom-up: raised by the root's function by this path) */
	uint64_t total;
	/* events raised with this function innermost (bottom-up: stacks that begin here) */
	uint64_t self;
	bool has_children;
};

#define CALLTREE_ROOT 0u

/* Count `sel` (NULL = all) in slices: begin, then step for budget_ns at a time until *ret_done is
 * 1; no other function may be called before that. Rows added after begin are left out. `sel` must
 * be final below `end`, and at the last step below the number of rows. The trace must outlive the
 * tree; after a refresh make a new one. */
MUST_CHECK struct err *calltree_begin(struct trace *t, const struct calltree_options *options,
				      struct calltree **ret);
MUST_CHECK struct err *calltree_step(struct calltree *c, const struct selection *sel, uint64_t end,
				     uint64_t budget_ns, double *ret_done);
void calltree_destroy(struct calltree *c);
DEFINE_CLEANUP(calltree);
/* Node CALLTREE_ROOT is the root. Valid until the next calltree_children(). */
const struct calltree_node *calltree_node_get(const struct calltree *c, uint32_t node);
/* Children by falling total, then by order of appearance. The array belongs to the tree and lives
 * as long. */
MUST_CHECK struct err *calltree_children(struct calltree *c, uint32_t node, const uint32_t **ret,
					 uint32_t *ret_n);
/* Make the children for at most budget_ns; once calltree_is_expanded() is true, calltree_children()
 * returns immediately. */
MUST_CHECK struct err *calltree_expand(struct calltree *c, uint32_t node, uint64_t budget_ns);
bool calltree_is_expanded(const struct calltree *c, uint32_t node);
