/*
 * dump_stacks: the stacks of a capture as text, for tests.
 *
 *     dump_stacks FILE [EVENT]
 *
 * "event NAME FLAGS", then a line a frame, innermost first: "P function file:line", "N function
 * module file:line", "M text". At the end "total EVENTS CUT UNMERGED".
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "model/trace.h"

#define MAX_FRAMES 20000u

static void print_text(struct trace *t, const char *before, uint32_t id)
{
	size_t n = 0;
	const char *s = id ? trace_string(t, id, &n) : NULL;
	printf("%s%.*s", before, s ? (int)n : 1, s ? s : "?");
}

static void print_stack(struct trace *t, uint32_t stack)
{
	static uint32_t frames[MAX_FRAMES];
	uint32_t n = trace_stack_frames(t, stack, frames, MAX_FRAMES);
	for (uint32_t i = 0; i < n && i < MAX_FRAMES; i++) {
		struct frame_info f;
		if (!trace_frame(t, frames[i], &f)) {
			printf("? unreadable frame %u\n", frames[i]);
			continue;
		}
		print_text(t,
			   f.kind == FRAME_PYTHON   ? "P "
			   : f.kind == FRAME_NATIVE ? "N "
						    : "M ",
			   f.function);
		if (f.kind == FRAME_NATIVE)
			print_text(t, " ", f.module);
		if (f.kind != FRAME_MARK) {
			print_text(t, " ", f.file);
			printf(":%u", f.line);
		}
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	struct trace *t;
	uint64_t n_cut = 0, n_unmerged = 0;
	if (argc < 2)
		return 2;
	struct err *err = trace_open(argv[1], NULL, &t);
	if (err) {
		fprintf(stderr, "%s\n", err->message);
		err_destroy(err);
		return 1;
	}
	for (uint64_t seq = 0; seq < trace_n_events(t); seq++) {
		struct event e;
		size_t n;
		if (!trace_event(t, seq, &e))
			continue;
		n_cut += (e.flags & EVENT_NATIVE_CUT) != 0;
		n_unmerged += (e.flags & EVENT_UNMERGED) != 0;
		const char *name = trace_name(t, e.name, &n);
		if (argc > 2 && (!name || n != strlen(argv[2]) || memcmp(name, argv[2], n) != 0))
			continue;
		printf("event %.*s %u\n", name ? (int)n : 1, name ? name : "?", e.flags);
		print_stack(t, e.stack);
	}
	printf("total %llu %llu %llu\n", (unsigned long long)trace_n_events(t),
	       (unsigned long long)n_cut, (unsigned long long)n_unmerged);
	trace_close(t);
	return 0;
}
