/*
 * import_stack: see import_stack.h.
 */
#include "model/import_stack.h"

#include <string.h>

#include "model/trace_private.h"

static bool is_top_level(struct trace *t, uint32_t frame)
{
	struct frame_info f;
	size_t n;
	trace_frame(t, frame, &f);
	const char *function = trace_string(t, f.function, &n);
	return n == 8 && memcmp(function, "<module>", 8) == 0;
}

static uint32_t root_step(struct trace *t, uint32_t root_below, uint32_t parent, uint32_t frame)
{
	switch (trace_frame_origin(t, frame)) {
	case FRAME_ORIGIN_USER: return is_top_level(t, frame) ? root_below : 0;
	case FRAME_ORIGIN_IMPORT: return root_below ? root_below : parent;
	case FRAME_ORIGIN_STDLIB:
	case FRAME_ORIGIN_SITE:
	case FRAME_ORIGIN_NATIVE:
	case FRAME_ORIGIN_MARK:
	case FRAME_ORIGIN_COUNT: break;
	}
	return root_below;
}

/* Make room for every stack; new entries are unknown. NULL if memory is short. */
static uint32_t *memo_get(struct trace *t, u32_vec *memo)
{
	size_t want = (size_t)trace_n_stacks(t) + 1, n = memo->n;
	if (n < want) {
		if (!vec_reserve(memo, want - n))
			return NULL;
		memset(memo->v + n, 0, (want - n) * sizeof(uint32_t));
		memo->n = want;
	}
	return memo->v;
}

/* The node of the statement below the run of import frames that contains `at`; native frames may be
 * in between. */
static uint32_t statement_below(struct trace *t, uint32_t at)
{
	uint32_t parent, frame;
	while (trace_stack(t, at, &parent, &frame)) {
		enum frame_origin origin = trace_frame_origin(t, frame);
		if (origin != FRAME_ORIGIN_IMPORT && origin != FRAME_ORIGIN_NATIVE)
			return at;
		at = parent;
	}
	return 0;
}

static uint32_t innermost_step(struct trace *t, uint32_t innermost_below, uint32_t node,
			       uint32_t frame)
{
	return trace_frame_origin(t, frame) == FRAME_ORIGIN_IMPORT ? statement_below(t, node)
								   : innermost_below;
}

/* A property that depends on a node's own frame and its parent's value: go up to the first node
 * with a known value, then down again. */
static uint32_t inherited(struct trace *t, u32_vec *memo_vec, uint32_t stack, bool is_root)
{
	if (stack == 0 || stack > trace_n_stacks(t))
		return 0;
	uint32_t *memo = memo_get(t, memo_vec);
	if (!memo)
		return 0;
	u32_vec path = { 0 };
	uint32_t at = stack, value = 0, parent, frame;
	while (at && !memo[at]) {
		if (!vec_push(&path, at) || !trace_stack(t, at, &parent, &frame))
			break;
		at = parent;
	}
	if (at && memo[at])
		value = memo[at] - 1;
	while (path.n) {
		at = path.v[--path.n];
		if (!trace_stack(t, at, &parent, &frame))
			break;
		value = is_root ? root_step(t, value, parent, frame)
				: innermost_step(t, value, at, frame);
		memo[at] = value + 1;
	}
	vec_fini(&path);
	return value;
}

uint32_t import_stack_root(struct trace *t, uint32_t stack)
{
	const u32_vec *memo = &t->import_root_of_stack;
	return stack < memo->n && memo->v[stack]
		   ? memo->v[stack] - 1
		   : inherited(t, &t->import_root_of_stack, stack, true);
}

uint32_t import_stack_innermost(struct trace *t, uint32_t stack)
{
	const u32_vec *memo = &t->import_innermost_of_stack;
	return stack < memo->n && memo->v[stack]
		   ? memo->v[stack] - 1
		   : inherited(t, &t->import_innermost_of_stack, stack, false);
}

bool import_stack_is_below(struct trace *t, uint32_t stack, uint32_t ancestor)
{
	while (stack > ancestor) /* a statement has a smaller id than the stacks that it led to */
		stack = import_stack_innermost(t, stack);
	return stack == ancestor && ancestor != 0;
}

uint32_t import_stack_statement(struct trace *t, uint32_t stack)
{
	uint32_t parent, frame;
	if (trace_stack(t, stack, &parent, &frame) &&
	    trace_frame_origin(t, frame) == FRAME_ORIGIN_IMPORT)
		return import_stack_innermost(t, stack);
	return stack;
}
