/*
 * unwind: from registers and a copy of the stack to the frames of one thread, long after it went
 * on.
 *
 * An unwinder belongs to one process. It keeps a row (cfi.h) for every pc met, so that a warm walk
 * is a hash look-up and three loads a frame. What a row cannot say is left to libunwind (if built
 * with it), one step at a time. Frames without call frame information are crossed where that is
 * certain: perf trampolines of CPython 3.12+ (their two instructions behind the call are
 * recognised), JIT code kept with frame pointers. The stack is read from the slice alone; code and
 * tables from the modules. Everything is hostile: a walk always ends and never reads outside the
 * slice.
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
	UNWIND_SLICE,    /* the slice ends here: the stack goes on */
	UNWIND_NO_ROW,   /* no call frame information for this pc, or a register it needs is lost */
	UNWIND_NO_GROWTH, /* the stack pointer did not grow: garbage */
	UNWIND_LIMIT,     /* as many frames as there was room for */
	UNWIND_STOP_COUNT
};
const char *unwind_stop_text(
    enum unwind_stop stop); /* "complete", "the copied part of the stack ends here", … */

struct unwind_frame {
	uint64_t pc;
	uint64_t sp; /* frame k owns the stack [sp of k, sp of k + 1) */
	/* pc, or pc - 1 where pc is a return address: what to look names up with */
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
 * innermost first, into `frames` and returns their number (at least 1 when max is). pc_is_exact:
 * regs->pc is an interrupted instruction, not a return address (registers of a stopped thread).
 * Maps are read again when a pc lies in nothing known; in vain at most 8 times, and then once in 20
 * ms.
 */
size_t unwinder_walk(struct unwinder *u, const struct record_native *regs, bool pc_is_exact,
		     const uint8_t *slice, size_t n_bytes, struct unwind_frame *frames, size_t max,
		     enum unwind_stop *ret_stop);

/* Where the bytecode evaluator is: helps to cross perf trampolines that are no longer there, and,
 * where the evaluator may call code that it has made (CPython 3.13 and later), that code. `e` must
 * outlive the unwinder. */
void unwinder_set_evaluator(struct unwinder *u, const struct evaluator *e, bool has_jit);

/* Something was or will be mapped or unmapped (dlopen, import of an extension): read the maps again
 * before one of the next walks, at most every 20 ms. */
void unwinder_maps_changed(struct unwinder *u);

/* Read the maps now. ERR_TARGET_GONE and the like; then what is known stays. */
MUST_CHECK struct err *unwinder_refresh(struct unwinder *u);

/* Grows whenever the maps were found changed: names of pcs got before may be wrong since. */
uint64_t unwinder_generation(const struct unwinder *u);

const struct unwind_counts *unwinder_counts(const struct unwinder *u);

/* For tests and measurements: leave every step to libunwind. False if built without it. */
bool unwinder_use_libunwind_only(struct unwinder *u, bool on, bool caching);
