/*
 * trace_caller: whose code a frame is, and which frame of a stack is the user's own.
 *
 * The recorder stores for each process where its standard library and its site-packages are. Files
 * elsewhere are the user's, unless the path looks like such a folder: captures can lack these
 * prefixes, and imported captures always do.
 */
#include <stdlib.h>
#include <string.h>

#include "base/code_path.h"
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
	for (size_t i = 0; i < t->projects.n; i++)
		free(t->projects.v[i].s);
	vec_fini(&t->prefixes);
	vec_fini(&t->projects);
	package_fini(t);
}

#define PREFIXES_MAX     4096u
#define PROJECTS_MAX     256u
#define PREFIX_BYTES_MAX 4096u

/* Of all captures that this process opens (trace_add_mine()). */
static struct prefixes mine;

static bool is_below(const struct prefixes *of, const char *s, size_t n)
{
	for (size_t i = 0; i < of->n; i++)
		if (n > of->v[i].n && memcmp(s, of->v[i].s, of->v[i].n) == 0)
			return true;
	return false;
}

static void prefix_add(struct prefixes *to, const uint8_t *s, size_t n)
{
	while (n && s[n - 1] == '/')
		n--;
	if (n < 2 || n > PREFIX_BYTES_MAX || to->n >= PREFIXES_MAX)
		return; /* "/" would have all code below it */
	for (size_t i = 0; i < to->n; i++)
		if (to->v[i].n - 1 == n && memcmp(to->v[i].s, s, n) == 0)
			return;
	struct prefix prefix = { malloc(n + 1), n + 1 };
	if (!prefix.s)
		return;
	memcpy(prefix.s, s, n);
	prefix.s[n] = '/';
	if (!vec_push(to, prefix))
		free(prefix.s);
}

void trace_add_mine(const char *dir)
{
	prefix_add(&mine, (const uint8_t *)dir, strlen(dir));
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
			if (node.tag == VALUE_STR)
				prefix_add(&t->prefixes, node.bytes, node.n_bytes);
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
	if (is_below(&mine, s, n))
		return FRAME_ORIGIN_USER;
	if (code_path_site(s, n))
		return FRAME_ORIGIN_SITE;
	if (has_library_folder(s, n))
		return FRAME_ORIGIN_STDLIB;
	if (is_below(&t->prefixes, s, n))
		return FRAME_ORIGIN_STDLIB;
	/* a folder of distributions (pip install --target) that has no name of its own */
	bool is_elsewhere;
	return package_of_file(t, s, n, &is_elsewhere) && !is_elsewhere ? FRAME_ORIGIN_SITE
									: FRAME_ORIGIN_USER;
}

/* How much a frame of USER origin is the user's own. What is not below one of the folders that are
 * known to be is so only if nothing else on the stack is: a launcher, generated code, code in other
 * folders. If the user has said which folders they are, nothing else is. */
enum { RANK_NONE, RANK_PERHAPS, RANK_OWN };

static unsigned rank_of_file(struct trace *t, const char *s, size_t n)
{
	bool is_elsewhere = false, is_named = n && *s != '<';
	if (mine.n)
		return is_below(&mine, s, n) ? RANK_OWN : RANK_NONE;
	if (!is_named || code_path_is_launcher(s, n))
		return RANK_PERHAPS;
	if (*s != '/' || !t->projects.n || is_below(&t->projects, s, n) ||
	    (package_of_file(t, s, n, &is_elsewhere) && is_elsewhere))
		return RANK_OWN;
	return RANK_PERHAPS;
}

static void judge_again(struct trace *t)
{
	t->origin_of_frame.n = t->caller_of_stack.n = 0;
	t->n_callers_found++;
}

static void projects_update(struct trace *t)
{
	size_t n;
	if (t->n_mine != mine.n) { /* more were given since */
		t->n_mine = mine.n;
		judge_again(t);
	}
	if (t->n_project_records == t->n_process_records)
		return;
	t->n_project_records = t->n_process_records;
	for (size_t i = 0; i < t->processes.n && t->projects.n < PROJECTS_MAX; i++) {
		const char *s = trace_string(t, t->processes.v[i].project, &n);
		size_t n_before = t->projects.n;
		prefix_add(&t->projects, (const uint8_t *)s, n);
		if (t->projects.n > n_before) /* frames may be judged otherwise now */
			judge_again(t);
	}
}

unsigned trace_callers_found(struct trace *t)
{
	projects_update(t);
	return t->n_callers_found;
}

#define RANK_SHIFT 4 /* origin_of_frame: above the origin */

/* Origin + 1, and the rank above it. */
static uint8_t judge(struct trace *t, uint32_t frame)
{
	struct frame_info f;
	size_t n_bytes;
	if (frame < t->origin_of_frame.n && t->origin_of_frame.v[frame])
		return t->origin_of_frame.v[frame];
	prefixes_update(t);
	enum frame_origin origin;
	unsigned rank = RANK_NONE;
	if (!trace_frame(t, frame, &f) || f.kind == FRAME_MARK)
		origin = FRAME_ORIGIN_MARK;
	else if (f.kind == FRAME_NATIVE)
		origin = FRAME_ORIGIN_NATIVE;
	else {
		const char *file = trace_string(t, f.file, &n_bytes);
		origin = origin_of_file(t, file, n_bytes);
		if (origin == FRAME_ORIGIN_USER)
			rank = rank_of_file(t, file, n_bytes);
	}
	uint8_t judged = (uint8_t)((origin + 1) | rank << RANK_SHIFT);
	if (frame > trace_n_frames(t))
		return judged;
	if (frame >= t->origin_of_frame.n) {
		size_t more = trace_n_frames(t) + 1 - t->origin_of_frame.n;
		if (!vec_reserve(&t->origin_of_frame, more))
			return judged;
		memset(t->origin_of_frame.v + t->origin_of_frame.n, 0, more);
		t->origin_of_frame.n += more;
	}
	t->origin_of_frame.v[frame] = judged;
	return judged;
}

enum frame_origin trace_frame_origin(struct trace *t, uint32_t frame)
{
	package_refresh(t);
	projects_update(t);
	return (enum frame_origin)((judge(t, frame) & ((1 << RANK_SHIFT) - 1)) - 1);
}

static unsigned rank_of_frame(struct trace *t, uint32_t frame)
{
	return judge(t, frame) >> RANK_SHIFT;
}

/* Room for `want` numbers, new ones 0. */
static bool memo_extend(u32_vec *memo, size_t want)
{
	if (memo->n >= want)
		return true;
	size_t more = want - memo->n;
	if (!vec_reserve(memo, more))
		return false;
	memset(memo->v + memo->n, 0, more * sizeof(uint32_t));
	memo->n = want;
	return true;
}

uint32_t trace_stack_caller(struct trace *t, uint32_t stack)
{
	if (stack == 0 || stack > trace_n_stacks(t))
		return 0;
	package_refresh(t);
	projects_update(t);
	if (stack < t->caller_of_stack.n && t->caller_of_stack.v[stack])
		return t->caller_of_stack.v[stack] - 1;
	size_t n_stacks = (size_t)trace_n_stacks(t) + 1;
	uint32_t *memo = memo_extend(&t->caller_of_stack, n_stacks) ? t->caller_of_stack.v : NULL;
	/* found: the innermost that is the user's own; perhaps: the innermost that may be */
	uint32_t found = 0, perhaps = 0, at = stack, parent, frame, known, of_known;
	for (; trace_stack(t, at, &parent, &frame); at = parent) {
		unsigned rank;
		if (memo && memo[at]) { /* what is above it is known */
			known = memo[at] - 1;
			rank = trace_stack(t, known, &parent, &of_known)
				   ? rank_of_frame(t, of_known)
				   : RANK_NONE;
			found = rank == RANK_OWN ? known : 0;
			perhaps = perhaps ? perhaps : known;
			break;
		}
		rank = rank_of_frame(t, frame);
		perhaps = perhaps || rank != RANK_PERHAPS ? perhaps : at;
		found = rank == RANK_OWN ? at : 0;
		if (found)
			break;
	}
	/* Every node on the way has the same caller; if that may be only, those up to it. */
	uint32_t caller = found ? found : perhaps, last = found || !perhaps ? at : perhaps;
	for (uint32_t node = stack; memo && node; node = parent) {
		if (!memo[node])
			memo[node] = caller + 1;
		if (node == last || node == at || !trace_stack(t, node, &parent, &frame))
			break;
	}
	return caller;
}

uint32_t trace_caller(struct trace *t, uint32_t stack)
{
	uint32_t parent, frame;
	return trace_stack(t, trace_stack_caller(t, stack), &parent, &frame) ? frame : 0;
}

uint32_t trace_frame_package(struct trace *t, uint32_t frame)
{
	struct frame_info f;
	size_t n;
	bool is_elsewhere;
	enum frame_origin origin = trace_frame_origin(t, frame);
	if (frame < t->package_of_frame.n && t->package_of_frame.v[frame])
		return t->package_of_frame.v[frame] - 1;
	uint32_t package = 0;
	if ((origin == FRAME_ORIGIN_USER || origin == FRAME_ORIGIN_SITE) &&
	    trace_frame(t, frame, &f)) {
		const char *file = trace_string(t, f.file, &n);
		package = package_of_file(t, file, n, &is_elsewhere);
	}
	if (frame <= trace_n_frames(t) &&
	    memo_extend(&t->package_of_frame, (size_t)trace_n_frames(t) + 1))
		t->package_of_frame.v[frame] = package + 1;
	return package;
}

uint32_t trace_stack_package(struct trace *t, uint32_t stack)
{
	if (stack == 0 || stack > trace_n_stacks(t))
		return 0;
	package_refresh(t);
	size_t n_stacks = (size_t)trace_n_stacks(t) + 1;
	uint32_t *memo = memo_extend(&t->package_of_stack, n_stacks) ? t->package_of_stack.v : NULL;
	uint32_t found = 0, at = stack, parent, frame;
	while (trace_stack(t, at, &parent, &frame)) {
		if (memo && memo[at]) {
			found = memo[at] - 1;
			break;
		}
		enum frame_origin origin = trace_frame_origin(t, frame);
		if (origin == FRAME_ORIGIN_USER || origin == FRAME_ORIGIN_SITE) {
			found = trace_frame_package(t, frame);
			break;
		}
		at = parent;
	}
	for (uint32_t node = stack; memo && node; node = parent) {
		memo[node] = found + 1;
		if (node == at || !trace_stack(t, node, &parent, &frame))
			break;
	}
	return found;
}
