/*
 * native: see native.h.
 */
#include "recorder/native.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "base/log.h"
#include "base/vec.h"
#include "capture/writer.h"
#include "probe/abi.h"
#include "stacks/evaluator.h"
#include "stacks/merge.h"
#include "stacks/modules.h"
#include "system/remote_mem.h"
#include "stacks/symbols.h"
#include "stacks/unwinder.h"

/* A native frame as the capture has it. */
struct named_pc {
	uint8_t class;  /* bits of enum merge_class */
	uint32_t frame; /* id in the capture */
};

/* A frame of a stack, and the stack that ends with it. */
struct stack_node {
	uint32_t frame, stack;
};

struct native_context {
	struct native_options o;
	struct remote_mem *mem; /* NULL: the process was gone before it could be opened */
	struct mem_reader reader;
	struct modules *modules;
	struct unwinder *unwinder;
	struct symbols *symbols;
	struct evaluator evaluator;
	uint64_t generation; /* of the unwinder's maps that the names below are of */
	VEC(struct named_pc) names;
	/* pc → index in names + 1: [1] of those that are looked up as they are, [0] at pc - 1 */
	struct hash_map names_by_pc[2];
	struct unwind_frame frames[UNWIND_MAX_FRAMES];
	uint8_t classes[UNWIND_MAX_FRAMES];
	uint32_t ids[UNWIND_MAX_FRAMES];
	VEC(struct merge_item) items;
	unsigned n_further; /* users besides the first */
	/* the stack before this one, outermost first: most of it comes again */
	VEC(struct stack_node) last;
};

static bool read_memory(void *ctx, raddr from, void *to, size_t n)
{
	struct native_context *native = ctx;
	return native->mem && remote_mem_read(native->mem, from, to, n);
}

struct err *native_context_create(const struct native_options *options, struct native_context **ret)
{
	CLEANUP(native_context) struct native_context *n = calloc(1, sizeof(*n));
	if (!n)
		return err_no_memory();
	n->o = *options;
	n->o.parent = NULL; /* used here only */
	n->o.alive(n->o.ctx);
	err_destroy(remote_mem_open(options->pid, &n->mem));
	n->reader = (struct mem_reader){ .read = read_memory, .ctx = n };
	struct err *err = modules_create(options->pid, &n->reader, options->store, &n->modules);
	if (!err)
		err = unwinder_create(n->modules, &n->unwinder);
	if (!err)
		err = symbols_create(n->modules, &(struct symbols_options){ 0 }, &n->symbols);
	if (err)
		return err;
	/* Not lazily: a short-lived process may be gone when its first record is looked at. */
	err = unwinder_refresh(n->unwinder);
	if (err && options->parent) {
		err_destroy(err);
		err = modules_copy(n->modules, options->parent->modules);
	} else if (options->parent) {
		modules_adopt_images(n->modules, options->parent->modules);
	}
	n->o.alive(n->o.ctx);
	err_destroy(err); /* without maps every stack is cut after its first frame, and says so */
	if (options->parent && options->parent->evaluator.n)
		n->evaluator =
		    options->parent->evaluator; /* a fork: the same image at the same place */
	else
		evaluator_find(&n->evaluator, n->modules, n->symbols, options->runtime);
	unwinder_set_evaluator(n->unwinder, &n->evaluator, options->minor >= 13);
	*ret = take_ptr(n);
	return NULL;
}

struct native_context *native_context_ref(struct native_context *n)
{
	if (n)
		n->n_further++;
	return n;
}

void native_context_destroy(struct native_context *n)
{
	if (!n || n->n_further-- > 0)
		return;
	if (n->unwinder) {
		const struct unwind_counts *c = unwinder_counts(n->unwinder);
		log_debug(
		    "native stacks of %d: %llu walks, %llu frames, %llu rows, %llu steps by "
		    "libunwind, %llu trampolines, %llu frame "
		    "pointers, %llu evaluators found, maps read %llu times",
		    (int)n->o.pid, (unsigned long long)c->n_walks, (unsigned long long)c->n_frames,
		    (unsigned long long)c->n_rows, (unsigned long long)c->n_libunwind_steps,
		    (unsigned long long)c->n_trampolines, (unsigned long long)c->n_frame_pointers,
		    (unsigned long long)c->n_evaluators_found, (unsigned long long)c->n_refreshes);
	}
	symbols_destroy(n->symbols);
	unwinder_destroy(n->unwinder);
	modules_destroy(n->modules);
	remote_mem_close(n->mem);
	vec_fini(&n->items);
	vec_fini(&n->last);
	vec_fini(&n->names);
	for (unsigned i = 0; i < 2; i++)
		hash_map_fini(&n->names_by_pc[i]);
	free(n);
}

void native_context_turn(struct native_context *n)
{
	n->last.n = 0;
}

void native_context_refresh(struct native_context *n)
{
	err_destroy(unwinder_refresh(n->unwinder)); /* gone after all: what is known stays */
}

/* ---- names ---- */

static uint32_t text(struct native_context *n, const char *s)
{
	return s ? writer_string(n->o.writer, s, strlen(s)) : 0;
}

static bool has_prefix(const char *s, const char *prefix)
{
	return s && !strncmp(s, prefix, strlen(prefix));
}

static void name_pc(struct native_context *n, const struct unwind_frame *frame,
		    struct named_pc *ret)
{
	struct symbol_info s;
	n->o.alive(n->o.ctx);
	ret->class = 0;
	if (evaluator_contains(&n->evaluator, frame->lookup))
		ret->class |= MERGE_EVALUATOR;
	/* JIT code, a trampoline; its address means nothing later */
	if (!symbols_resolve(n->symbols, frame->lookup, frame->pc, &s))
		s = (struct symbol_info){ .function = "<generated code>" };
	if (has_prefix(s.function, "_TAIL_CALL_"))
		ret->class |= MERGE_HANDLER;
	if (has_prefix(s.module, "_greenlet."))
		ret->class |= MERGE_GREENLET;
	struct frame_info info = {
		.kind = FRAME_NATIVE,
		.function = text(n, s.function),
		.module = text(n, s.module),
		.file = text(n, s.file),
		.line = s.line,
		.offset = s.offset,
	};
	ret->frame = writer_frame(n->o.writer, &info);
}

#define MAX_NAMES (1u << 20)

static void names_forget(struct native_context *n)
{
	n->names.n = 0;
	for (unsigned i = 0; i < 2; i++)
		hash_map_clear(&n->names_by_pc[i]);
}

/* NULL when memory is short. Until the next call. */
static const struct named_pc *name_find(struct native_context *n, const struct unwind_frame *frame)
{
	struct hash_map *by_pc = &n->names_by_pc[frame->pc == frame->lookup];
	uint32_t known = hash_map_get(by_pc, frame->pc);
	if (known)
		return &n->names.v[known - 1];
	if (n->names.n >= MAX_NAMES)
		names_forget(n);
	struct named_pc name;
	name_pc(n, frame, &name);
	uint32_t *at = hash_map_place(by_pc, frame->pc);
	if (!at || !vec_push(&n->names, name))
		return NULL;
	*at = (uint32_t)n->names.n;
	return &n->names.v[n->names.n - 1];
}

static uint32_t mark(struct native_context *n, enum merge_mark kind, const char *stop)
{
	static const char *const texts[] = {
		[MERGE_MARK_GREENLET] =
		    "what lies further out on this stack belongs to another greenlet",
		[MERGE_MARK_UNPLACED] =
		    "Python frames that could not be placed among the native ones",
	};
	struct frame_info info = { .kind = FRAME_MARK,
				   .function = text(n,
						    kind == MERGE_MARK_STOP ? stop : texts[kind]) };
	return writer_frame(n->o.writer, &info);
}

/* ---- a stack ---- */

/* Something may be mapped after these: look at the maps again soon. */
static bool event_maps(const struct record_event *e)
{
	const char *name = (const char *)(e + 1);
	return (e->name_bytes == 6 && !memcmp(name, "import", 6)) ||
	       (e->name_bytes == 13 && !memcmp(name, "ctypes.dlopen", 13));
}

static uint32_t stack_of(struct native_context *n, const struct merge_input *in, const char *stop,
			 const uint32_t *python, uint32_t *flags)
{
	uint32_t merge_flags, stack = 0;
	if (!vec_reserve(&n->items, MERGE_MAX_ITEMS(in->n_python, in->n_native)))
		return 0;
	size_t n_items = merge_stacks(in, n->items.v, &merge_flags), n_known = n->last.n;
	if (!vec_reserve(&n->last, n_items > n_known ? n_items - n_known : 0))
		return 0;
	n->last.n = n_items;
	for (size_t i = n_items; i-- > 0;) {
		size_t depth = n_items - 1 - i;
		const struct merge_item *item = &n->items.v[i];
		uint32_t frame = item->kind == MERGE_PYTHON ? python[item->index]
				 : item->kind == MERGE_NATIVE
				     ? n->ids[item->index]
				     : mark(n, (enum merge_mark)item->index, stop);
		if (depth < n_known && n->last.v[depth].frame == frame) {
			stack = n->last.v[depth].stack;
			continue;
		}
		n_known = 0;
		stack = writer_stack(n->o.writer, stack, frame);
		n->last.v[depth] = (struct stack_node){ frame, stack };
	}
	*flags |= (merge_flags & MERGE_CUT ? (uint32_t)EVENT_NATIVE_CUT : 0) |
		  (merge_flags & MERGE_UNMERGED ? (uint32_t)EVENT_UNMERGED : 0);
	return stack;
}

uint32_t native_stack(struct native_context *n, const struct record_event *e, const uint8_t *bytes,
		      size_t n_bytes, const uint32_t *python, size_t n_python, uint32_t *flags)
{
	struct record_native regs;
	const struct record_anchor *anchors =
	    (const struct record_anchor *)(const void *)(bytes + sizeof(regs));
	size_t anchors_bytes = (size_t)e->n_anchors * sizeof(*anchors);
	if (n_bytes < sizeof(regs) || anchors_bytes > n_bytes - sizeof(regs) ||
	    e->slice_bytes > n_bytes - sizeof(regs) - anchors_bytes) {
		*flags |= (uint32_t)EVENT_NATIVE_CUT; /* all of it */
		uint32_t stack = 0;
		for (size_t i = n_python; i-- > 0;)
			stack = writer_stack(n->o.writer, stack, python[i]);
		return stack;
	}
	n->o.alive(n->o.ctx);
	memcpy(&regs, bytes, sizeof(regs));
	if (event_maps(e))
		unwinder_maps_changed(n->unwinder);
	enum unwind_stop stop;
	size_t n_frames = unwinder_walk(n->unwinder, &regs, false,
					bytes + sizeof(regs) + anchors_bytes, e->slice_bytes,
					n->frames, UNWIND_MAX_FRAMES, &stop);
	if (n->generation != unwinder_generation(n->unwinder)) {
		n->generation = unwinder_generation(n->unwinder);
		names_forget(n);
	}
	for (size_t i = 0; i < n_frames; i++) {
		const struct named_pc *named = name_find(n, &n->frames[i]);
		n->classes[i] = named ? named->class : 0;
		n->ids[i] = named ? named->frame : 0;
	}
	struct merge_input in = {
		.has_anchors = n->o.minor >= 10,
		.python_cut = e->r.flags & RECORD_STACK_CUT,
		.n_python = (uint32_t)n_python,
		.anchors = anchors,
		.n_anchors = e->n_anchors,
		.sp = regs.sp,
		.native = n->frames,
		.classes = n->classes,
		.n_native = (uint32_t)n_frames,
		.stop = stop,
	};
	if (!n->o.python_frames) {
		in.n_python = 0;
		in.n_anchors = 0;
	}
	return stack_of(
	    n, &in,
	    e->r.flags & RECORD_NO_SLICE
		? "this stack could not be copied: no thread's own, or an unknown C library"
		: unwinder_stop_text(stop),
	    python, flags);
}
