/*
 * unwinder: from registers and a copy of the stack to the frames of one thread, long after the
 * thread has continued.
 *
 * An unwinder belongs to one process. It keeps a row (cfi.h) for every pc that it met, so a warm
 * walk costs one hash look-up and three loads for each frame. A step that a row cannot express is
 * left to libunwind (if built with it). Frames without call frame information are crossed where
 * that is certain: perf trampolines of CPython 3.12+ (recognised by the two instructions behind the
 * call), and JIT code that keeps frame pointers. The stack is read only from the slice; code and
 * tables are read from the modules. All input is hostile: a walk always ends and never reads
 * outside the slice.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "probe/abi.h"
#include "stacks/modules.h"

#define UNWIND_MAX_FRAMES 4096u

enum unwind_stop {
	UNWIND_COMPLETE, /* the outermost frame was reached: _start, clone, a pc of 0 */
	UNWIND_SLICE,    /* the slice ends here, but the stack continues */
	/* no call frame information for this pc, or a register that it needs is lost */
	UNWIND_NO_ROW,
	UNWIND_NO_GROWTH, /* the stack pointer did not grow: the data is garbage */
	UNWIND_LIMIT,     /* there is no room for more frames */
	UNWIND_STOP_COUNT
};
/* "complete", "the copied part of the stack ends here", … */
const char *unwinder_stop_text(enum unwind_stop stop);

struct unwind_frame {
	uint64_t pc;
	uint64_t sp; /* frame k owns the stack [sp of k, sp of k + 1) */
	/* pc, or pc - 1 if pc is a return address: use it to look up names */
	uint64_t lookup;
};

/* Counters since creation, for tests and doctor. */
struct unwind_counts {
	uint64_t n_walks, n_frames, n_rows, n_libunwind_steps, n_trampolines, n_frame_pointers,
	    n_evaluators_found, n_refreshes;
};

struct evaluator;
struct unwinder;

/* `modules` must outlive the unwinder. Nothing is read yet. */
MUST_CHECK struct err *unwinder_create(struct modules *modules, struct unwinder **ret);
void unwinder_destroy(struct unwinder *u);
DEFINE_CLEANUP(unwinder);

/*
 * Walk one stack: slice[0 … n_bytes) are the bytes from regs->sp on. Writes at most `max` frames,
 * innermost first, into `frames` and returns their number (at least 1 if max is). pc_is_exact:
 * regs->pc is an interrupted instruction, not a return address (registers of a stopped thread). If
 * a pc is in no known memory, the maps are read again; after 8 times without a change, only once in
 * 20 ms.
 */
size_t unwinder_walk(struct unwinder *u, const struct record_native *regs, bool pc_is_exact,
		     const uint8_t *slice, size_t n_bytes, struct unwind_frame *frames, size_t max,
		     enum unwind_stop *ret_stop);

/* Tell the unwinder where the bytecode evaluator is. This helps to cross perf trampolines that no
 * longer exist and, if the evaluator may call code that it has generated (CPython 3.13 and later),
 * that code. `e` must outlive the unwinder. */
void unwinder_set_evaluator(struct unwinder *u, const struct evaluator *e, bool has_jit);

/* Memory was or will be mapped or unmapped (dlopen, import of an extension): the maps are read
 * again before one of the next walks, at most every 20 ms. */
void unwinder_maps_changed(struct unwinder *u);

/* Read the maps now. If that fails (ERR_TARGET_GONE, …), the known maps stay. */
MUST_CHECK struct err *unwinder_refresh(struct unwinder *u);

/* A number that grows whenever the maps were found changed: names looked up before may be wrong
 * since. */
uint64_t unwinder_generation(const struct unwinder *u);

const struct unwind_counts *unwinder_counts(const struct unwinder *u);

/* For tests and measurements: use libunwind for every step. False if built without it. */
bool unwinder_use_libunwind_only(struct unwinder *u, bool on, bool caching);
