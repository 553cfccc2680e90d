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

static bool memo_reserve(struct trace *t)
{
	size_t want = (size_t)trace_n_stacks(t) + 1, n = t->import_root_of_stack.n;
	if (n >= want)
		return true;
	if (!vec_reserve(&t->import_root_of_stack, want - n))
		return false;
	memset(t->import_root_of_stack.v + n, 0, (want - n) * sizeof(uint32_t));
	t->import_root_of_stack.n = want;
	return true;
}

uint32_t import_stack_root(struct trace *t, uint32_t stack)
{
	if (stack == 0 || stack > trace_n_stacks(t))
		return 0;
	if (stack < t->import_root_of_stack.n && t->import_root_of_stack.v[stack])
		return t->import_root_of_stack.v[stack] - 1;
	if (!memo_reserve(t))
		return 0;
	uint32_t *memo = t->import_root_of_stack.v;
	/* up to the first node that is known, then down again */
	u32_vec path = { 0 };
	uint32_t at = stack, root = 0, parent, frame;
	while (at && !memo[at]) {
		if (!vec_push(&path, at) || !trace_stack(t, at, &parent, &frame))
			break;
		at = parent;
	}
	if (at && memo[at])
		root = memo[at] - 1;
	while (path.n) {
		at = path.v[--path.n];
		if (!trace_stack(t, at, &parent, &frame))
			break;
		root = root_step(t, root, parent, frame);
		memo[at] = root + 1;
	}
	vec_fini(&path);
	return root;
}

/* The node of the statement below the run of import frames that `at` is in; native frames may stand between. */
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

uint32_t import_stack_innermost(struct trace *t, uint32_t stack)
{
	uint32_t at = stack, parent, frame;
	while (trace_stack(t, at, &parent, &frame)) {
		if (trace_frame_origin(t, frame) == FRAME_ORIGIN_IMPORT)
			return statement_below(t, at);
		at = parent;
	}
	return 0;
}

bool import_stack_is_below(struct trace *t, uint32_t stack, uint32_t ancestor)
{
	uint32_t at = stack, parent, frame;
	enum frame_origin above = FRAME_ORIGIN_USER;
	if (ancestor == 0)
		return false;
	while (at > ancestor && trace_stack(t, at, &parent, &frame)) {
		enum frame_origin origin = trace_frame_origin(t, frame);
		if (origin != FRAME_ORIGIN_NATIVE)
			above = origin;
		at = parent;
	}
	return at == ancestor && at != stack && above == FRAME_ORIGIN_IMPORT;
}
