/*
 * trace_caller: whose code a frame is, and which frame of a stack is the user's own.
 *
 * The recorder stores for each process where its standard library and its site-packages are. Files
 * elsewhere are the user's, unless the path looks like such a folder: captures can lack these
 * prefixes, and imported captures always do.
 */
#include <stdlib.h>
#include <string.h>

#include "model/trace_private.h"
#include "model/value_iter.h"

void caller_fini(struct trace *t)
{
	vec_fini(&t->origin_of_frame);
	vec_fini(&t->caller_of_stack);
	vec_fini(&t->import_root_of_stack);
	vec_fini(&t->import_innermost_of_stack);
	for (size_t i = 0; i < t->prefixes.n; i++)
		free(t->prefixes.v[i].s);
	vec_fini(&t->prefixes);
}

#define PREFIXES_MAX 4096u

static void prefix_add(struct trace *t, const uint8_t *s, size_t n)
{
	if (n < 2 || t->prefixes.n >= PREFIXES_MAX)
		return; /* "/" would make all code library code */
	for (size_t i = 0; i < t->prefixes.n; i++)
		if (t->prefixes.v[i].n - 1 == n && memcmp(t->prefixes.v[i].s, s, n) == 0)
			return;
	struct prefix prefix = { malloc(n + 1), n + 1 };
	if (!prefix.s)
		return;
	memcpy(prefix.s, s, n);
	prefix.s[n] = '/';
	if (!vec_push(&t->prefixes, prefix))
		free(prefix.s);
}

/* Add the prefixes of new processes. Earlier results stay: those frames were judged by their
 * paths. */
static void prefixes_update(struct trace *t)
{
	for (; t->n_prefix_processes < t->processes.n; t->n_prefix_processes++) {
		struct value_iter it;
		struct value_node node;
		value_iter_init(&it, t, t->processes.v[t->n_prefix_processes].prefixes, NULL, 0);
		while (value_iter_next(&it, &node))
			if (node.tag == VALUE_STR) {
				size_t n = node.n_bytes;
				while (n && node.bytes[n - 1] == '/')
					n--;
				prefix_add(t, node.bytes, n);
			}
	}
}

static bool contains(const char *s, size_t n, const char *what)
{
	return memmem(s, n, what, strlen(what)) != NULL;
}

static bool starts(const char *s, size_t n, const char *with)
{
	return n >= strlen(with) && memcmp(s, with, strlen(with)) == 0;
}

/* ".../lib/python3.11/…", also lib64, python3.13t */
static bool has_library_folder(const char *s, size_t n)
{
	const char *p = s, *end = s + n;
	while ((p = memmem(p, (size_t)(end - p), "/python3.", 9))) {
		bool in_lib = (p - s >= 4 && memcmp(p - 4, "/lib", 4) == 0) ||
			      (p - s >= 6 && memcmp(p - 6, "/lib64", 6) == 0);
		p += 9;
		const char *digits = p;
		while (p < end && *p >= '0' && *p <= '9')
			p++;
		if (p < end && *p == 't')
			p++;
		if (in_lib && p > digits && p < end && *p == '/')
			return true;
	}
	return false;
}

static enum frame_origin origin_of_file(struct trace *t, const char *s, size_t n)
{
	if (starts(s, n, "<frozen importlib") || contains(s, n, "/importlib/"))
		return FRAME_ORIGIN_IMPORT;
	if (starts(s, n, "<frozen "))
		return FRAME_ORIGIN_STDLIB;
	if (contains(s, n, "/site-packages/") || contains(s, n, "/dist-packages/"))
		return FRAME_ORIGIN_SITE;
	if (has_library_folder(s, n))
		return FRAME_ORIGIN_STDLIB;
	for (size_t i = 0; i < t->prefixes.n; i++)
		if (n > t->prefixes.v[i].n &&
		    memcmp(s, t->prefixes.v[i].s, t->prefixes.v[i].n) == 0)
			return FRAME_ORIGIN_STDLIB;
	return FRAME_ORIGIN_USER;
}

enum frame_origin trace_frame_origin(struct trace *t, uint32_t frame)
{
	struct frame_info f;
	size_t n_bytes;
	if (frame < t->origin_of_frame.n && t->origin_of_frame.v[frame])
		return (enum frame_origin)(t->origin_of_frame.v[frame] - 1);
	prefixes_update(t);
	enum frame_origin origin;
	if (!trace_frame(t, frame, &f) || f.kind == FRAME_MARK)
		origin = FRAME_ORIGIN_MARK;
	else if (f.kind == FRAME_NATIVE)
		origin = FRAME_ORIGIN_NATIVE;
	else {
		const char *file = trace_string(t, f.file, &n_bytes);
		origin = origin_of_file(t, file, n_bytes);
	}
	if (frame > trace_n_frames(t))
		return origin;
	if (frame >= t->origin_of_frame.n) {
		size_t more = trace_n_frames(t) + 1 - t->origin_of_frame.n;
		if (!vec_reserve(&t->origin_of_frame, more))
			return origin;
		memset(t->origin_of_frame.v + t->origin_of_frame.n, 0, more);
		t->origin_of_frame.n += more;
	}
	t->origin_of_frame.v[frame] = (uint8_t)(origin + 1);
	return origin;
}

static bool memo_reserve(struct trace *t)
{
	size_t want = (size_t)trace_n_stacks(t) + 1;
	if (t->caller_of_stack.n >= want)
		return true;
	size_t more = want - t->caller_of_stack.n;
	if (!vec_reserve(&t->caller_of_stack, more))
		return false;
	memset(t->caller_of_stack.v + t->caller_of_stack.n, 0, more * sizeof(uint32_t));
	t->caller_of_stack.n = want;
	return true;
}

uint32_t trace_stack_caller(struct trace *t, uint32_t stack)
{
	if (stack == 0 || stack > trace_n_stacks(t))
		return 0;
	if (stack < t->caller_of_stack.n && t->caller_of_stack.v[stack])
		return t->caller_of_stack.v[stack] - 1;
	uint32_t *memo = memo_reserve(t) ? t->caller_of_stack.v : NULL;
	uint32_t found = 0, at = stack, parent, frame;
	while (trace_stack(t, at, &parent, &frame)) {
		if (memo && memo[at]) {
			found = memo[at] - 1;
			break;
		}
		if (trace_frame_origin(t, frame) == FRAME_ORIGIN_USER) {
			found = at;
			break;
		}
		at = parent;
	}
	/* every node on the way has the same caller */
	for (uint32_t node = stack; memo && node && node != at; node = parent) {
		memo[node] = found + 1;
		if (!trace_stack(t, node, &parent, &frame))
			break;
	}
	if (memo && at)
		memo[at] = found + 1;
	return found;
}

uint32_t trace_caller(struct trace *t, uint32_t stack)
{
	uint32_t parent, frame;
	return trace_stack(t, trace_stack_caller(t, stack), &parent, &frame) ? frame : 0;
}
