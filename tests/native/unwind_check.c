/*
 * unwind_check: stop a thread, copy its registers and stack as the probe would, continue it, and
 * unwind the copy.
 *
 *     unwind_check TID [--libunwind] [--names] [--debug FOLDER] [--slice BYTES] [--repeat N]
 *
 * Prints "frame PC SP NAME" a line, hexadecimal, innermost first, then "stop TEXT" and "evaluators
 * N PARTS": frames of the bytecode evaluator, and the parts that it was found to consist of. With
 * --libunwind the copy is also unwound by libunwind alone and must give the same. With --repeat the
 * time per walk of all three ways is printed, "cost FRAMES ROWS_NS CACHED_NS UNCACHED_NS COLD_NS";
 * the last is the first walk by rows, when there are none yet, of modules that other stacks have
 * used. It also prints "first MAPS_NS EVALUATOR_NS WALK_NS MODULES NAMES_NS": the costs that occur
 * once, when nothing is known, in the recorder's order. For a new process, the maps are read and
 * the evaluator is searched for, which opens the interpreter. Its first event needs the walk, for
 * which every other module is opened, measured and its tables read, and the names of its frames
 * with all symbol tables and debug files. Times are CPU time; the files are in the page cache.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arch/arch.h"
#include "stacks/evaluator.h"
#include "system/maps.h"
#include "system/remote_mem.h"
#include "stacks/symbols.h"
#include "stacks/unwinder.h"

#define MAX_SLICE (1u << 20)

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void check(struct err *err)
{
	if (err) {
		fprintf(stderr, "%s\n", err->message);
		exit(1);
	}
}

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static pid_t process_of(pid_t tid)
{
	char path[64], line[256];
	int pid = tid;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %d", &pid) == 1)
			break;
	if (f)
		fclose(f);
	return pid;
}

static struct arch_regs stop_and_read(pid_t tid)
{
	struct arch_regs regs;
	int status;
	if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0)
		fail("PTRACE_SEIZE");
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0)
		fail("PTRACE_INTERRUPT");
	if (waitpid(tid, &status, __WALL) < 0)
		fail("waitpid");
	if (arch_regs_read(tid, &regs) < 0)
		fail("reading the registers");
	return regs;
}

static double time_walks(struct unwinder *u, const struct record_native *r, const uint8_t *slice,
			 size_t n, int repeat)
{
	static struct unwind_frame frames[UNWIND_MAX_FRAMES];
	enum unwind_stop stop;
	unwinder_walk(u, r, true, slice, n, frames, UNWIND_MAX_FRAMES, &stop);
	double start = now_ns();
	for (int i = 0; i < repeat; i++)
		unwinder_walk(u, r, true, slice, n, frames, UNWIND_MAX_FRAMES, &stop);
	return (now_ns() - start) / repeat;
}

/* Find the evaluator in the module that has "python" in its name. */
static void find_evaluator(struct evaluator *e, struct modules *modules, struct symbols *symbols)
{
	for (size_t i = 0; i < modules_count(modules) && !e->n; i++)
		if (strstr(modules_get(modules, i)->name, "python"))
			evaluator_find(e, modules, symbols, modules_get(modules, i)->start);
}

static size_t count_open(struct modules *modules)
{
	size_t n = 0;
	for (size_t i = 0; i < modules_count(modules); i++)
		n += modules_get(modules, i)->image != NULL;
	return n;
}

static void time_first(pid_t pid, const struct remote_mem *mem,
		       const struct symbols_options *options, const struct record_native *r,
		       const uint8_t *slice, size_t n)
{
	static struct unwind_frame frames[UNWIND_MAX_FRAMES];
	struct image_store *store = image_store_create();
	struct modules *modules;
	struct unwinder *unwinder;
	struct symbols *symbols;
	struct symbol_info info;
	struct evaluator evaluator = { 0 };
	enum unwind_stop stop;
	double start = now_ns();
	check(modules_create(pid, remote_mem_reader(mem), store, &modules));
	check(unwinder_create(modules, &unwinder));
	check(unwinder_refresh(unwinder));
	check(symbols_create(modules, options, &symbols));
	double maps = now_ns();
	find_evaluator(&evaluator, modules, symbols);
	double met = now_ns();
	size_t n_open = count_open(modules);
	size_t n_frames = unwinder_walk(unwinder, r, true, slice, n, frames, UNWIND_MAX_FRAMES,
					&stop);
	double walk = now_ns();
	for (size_t i = 0; i < n_frames; i++)
		symbols_resolve(symbols, frames[i].lookup, frames[i].pc, &info);
	double names = now_ns();
	printf("first %.0f %.0f %.0f %zu %.0f\n", maps - start, met - maps, walk - met,
	       count_open(modules) - n_open, names - walk);
	symbols_destroy(symbols);
	unwinder_destroy(unwinder);
	modules_destroy(modules);
	image_store_destroy(store);
}

int main(int argc, char **argv)
{
	static struct unwind_frame frames[UNWIND_MAX_FRAMES], other[UNWIND_MAX_FRAMES];
	bool compare = false, names = false;
	size_t limit = MAX_SLICE;
	const char *debug_folder = NULL;
	int repeat = 0;
	pid_t tid = argc > 1 ? atoi(argv[1]) : 0;
	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "--libunwind"))
			compare = true;
		else if (!strcmp(argv[i], "--names"))
			names = true;
		else if (!strcmp(argv[i], "--slice") && i + 1 < argc)
			limit = strtoul(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--debug") && i + 1 < argc)
			debug_folder = argv[++i];
		else if (!strcmp(argv[i], "--repeat") && i + 1 < argc)
			repeat = atoi(argv[++i]);
	}
	if (!tid || limit > MAX_SLICE)
		return 2;
	pid_t pid = process_of(tid);
	struct remote_mem *mem;
	struct maps *maps;
	struct modules *modules;
	struct unwinder *unwinder;
	struct symbols *symbols;
	check(remote_mem_open(pid, &mem));
	check(maps_read(pid, &maps));
	struct image_store *store = image_store_create();
	check(modules_create(pid, remote_mem_reader(mem), store, &modules));
	check(unwinder_create(modules, &unwinder));
	check(symbols_create(modules, &(struct symbols_options){ .debug_folder = debug_folder },
			     &symbols));

	struct arch_regs regs = stop_and_read(tid);
	const struct mapping *stack = maps_find(maps, RADDR(arch_sp(&regs)));
	uint8_t *slice = malloc(MAX_SLICE);
	size_t n = stack ? stack->end - arch_sp(&regs) : 0;
	if (n > limit)
		n = limit;
	if (!n || !mem_read(remote_mem_reader(mem), RADDR(arch_sp(&regs)), slice, n))
		fail("reading the stack");
	if (ptrace(PTRACE_DETACH, tid, 0, 0) < 0)
		fail("PTRACE_DETACH");

	struct record_native r = {
		arch_pc(&regs), arch_sp(&regs), arch_frame_pointer(&regs), { 0 }
	};
	arch_saved(&regs, r.saved);
	enum unwind_stop stop, other_stop;
	size_t n_frames = unwinder_walk(unwinder, &r, true, slice, n, frames, UNWIND_MAX_FRAMES,
					&stop);
	for (size_t i = 0; i < n_frames; i++) {
		struct symbol_info s = { 0 };
		if (names)
			symbols_resolve(symbols, frames[i].lookup, frames[i].pc, &s);
		printf("frame %" PRIx64 " %" PRIx64 " %s %s %s:%u\n", frames[i].pc, frames[i].sp,
		       s.function ? s.function : "?", s.module ? s.module : "?",
		       s.file ? s.file : "?", s.line);
	}
	printf("stop %s\n", unwinder_stop_text(stop));
	struct evaluator evaluator = { 0 };
	find_evaluator(&evaluator, modules, symbols);
	size_t n_evaluators = 0;
	for (size_t i = 0; i < n_frames; i++)
		n_evaluators += evaluator_contains(&evaluator, frames[i].lookup);
	printf("evaluators %zu %u", n_evaluators, evaluator.n);
	for (uint32_t i = 0; i < evaluator.n; i++) {
		struct symbol_info s;
		symbols_resolve(symbols, evaluator.ranges[i].start, evaluator.ranges[i].start, &s);
		printf(" %s", s.function ? s.function : "?");
	}
	printf("\n");
	int status = 0;
	if (compare && unwinder_use_libunwind_only(unwinder, true, true)) {
		size_t n_other = unwinder_walk(unwinder, &r, true, slice, n, other,
					       UNWIND_MAX_FRAMES, &other_stop);
		for (size_t i = 0; i < n_other || i < n_frames; i++) {
			bool same = i < n_other && i < n_frames && frames[i].pc == other[i].pc &&
				    frames[i].sp == other[i].sp;
			if (!same) {
				printf("libunwind differs at frame %zu of %zu: %" PRIx64 " %" PRIx64
				       ", stop %s\n",
				       i, n_other, i < n_other ? other[i].pc : 0,
				       i < n_other ? other[i].sp : 0,
				       unwinder_stop_text(other_stop));
				status = 1;
				break;
			}
		}
	}
	if (repeat) {
		unwinder_use_libunwind_only(unwinder, false, false);
		double rows = time_walks(unwinder, &r, slice, n, repeat), cached = 0, uncached = 0;
		if (unwinder_use_libunwind_only(unwinder, true, true)) {
			cached = time_walks(unwinder, &r, slice, n, repeat / 4 + 1);
			unwinder_use_libunwind_only(unwinder, true, false);
			uncached = time_walks(unwinder, &r, slice, n, repeat / 16 + 1);
		}
		/* The first walk of all: every row has to be made. (The maps are read when a
		 * process is new.) */
		struct unwinder *cold = NULL;
		err_destroy(unwinder_create(modules, &cold));
		if (cold)
			err_destroy(unwinder_refresh(cold));
		double first = now_ns();
		if (cold)
			unwinder_walk(cold, &r, true, slice, n, other, UNWIND_MAX_FRAMES,
				      &other_stop);
		first = now_ns() - first;
		unwinder_destroy(cold);
		printf("cost %zu %.0f %.0f %.0f %.0f\n", n_frames, rows, cached, uncached, first);
		time_first(pid, mem, &(struct symbols_options){ .debug_folder = debug_folder }, &r,
			   slice, n);
	}
	symbols_destroy(symbols);
	unwinder_destroy(unwinder);
	modules_destroy(modules);
	image_store_destroy(store);
	maps_destroy(maps);
	remote_mem_close(mem);
	free(slice);
	return status;
}
