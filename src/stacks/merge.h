/*
 * merge: Python frames and native frames of one event as one stack.
 *
 * Native frame k owns the stack [sp of k, sp of k + 1). One run of the evaluator
 * (_PyEval_EvalFrameDefault) is one native frame; the Python frames of that run take its place.
 * Anchors that the probe puts into the record (probe/frames.c) tell which run a Python frame
 * belongs to, innermost first:
 *
 *   version    anchor.sp_off: an address inside the     anchor.frames_end: behind
 *              run's C frame
 *   3.8, 3.9   no anchors; the i-th evaluator frame is the i-th Python frame (evaluator.h
 *              recognises them)
 *   3.10       the cframe (tstate->cframe, then         exactly one Python frame
 *              ->previous)
 *   3.11       the cframe                               the frame whose is_entry is set
 *   3.12+      the entry frame in the chain of Python   the Python frames before it
 *              frames, owner == 3
 *   (3.12, 3.13: FRAME_OWNED_BY_CSTACK; 3.14, 3.15: FRAME_OWNED_BY_INTERPRETER; owner 4 makes no
 *   anchor)
 *
 * frames_end counts recorded Python frames, so a run whose frames were cut off has none. Only
 * addresses in [record_native.sp, end of the stack) are anchors. The rules were checked on 130 000
 * anchors of 3.10-3.15 (each inside exactly one native frame, an evaluator) and 12 471 stacks of
 * 3.8 and 3.9.
 *
 * Input that does not fit these rules is never an error: all its frames stay in the list.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/abi.h"
#include "stacks/unwinder.h"

/* bits that describe one native frame */
enum merge_class {
	/* evaluator_contains() */
	MERGE_EVALUATOR = 1,
	/* code of the greenlet module: further out, the stack belongs to something else */
	MERGE_GREENLET = 2,
	/* "_TAIL_CALL_…": a handler that runs in place of the evaluator (tail-call builds) */
	MERGE_HANDLER = 4
};

struct merge_input {
	bool has_anchors; /* 3.10 and later */
	bool python_cut;  /* RECORD_STACK_CUT: there were more Python frames */
	uint32_t n_python;
	const struct record_anchor *anchors;
	uint32_t n_anchors;
	uint64_t sp; /* record_native.sp */
	const struct unwind_frame *native;
	const uint8_t *classes; /* [n_native], bits of enum merge_class */
	uint32_t n_native;
	enum unwind_stop stop;
};

enum merge_kind { MERGE_PYTHON, MERGE_NATIVE, MERGE_MARK };
enum merge_mark {
	MERGE_MARK_STOP,     /* the native part ends here: unwinder_stop_text(stop) */
	MERGE_MARK_GREENLET, /* the rest of the C stack belongs to another greenlet */
	MERGE_MARK_UNPLACED  /* the Python frames that follow could not be placed */
};
struct merge_item {
	uint8_t kind;   /* enum merge_kind */
	uint32_t index; /* index of the Python or native frame; or enum merge_mark */
};

enum merge_flag { MERGE_CUT = 1 /* EVENT_NATIVE_CUT */, MERGE_UNMERGED = 2 /* EVENT_UNMERGED */ };

/* The room that merge_stacks() needs: every frame of both kinds, and marks. */
#define MERGE_MAX_ITEMS(n_python, n_native) ((size_t)(n_python) + (n_native) + 4)

/* Write the merged stack, innermost first, and return the number of items; *ret_flags: enum
 * merge_flag. */
size_t merge_stacks(const struct merge_input *in, struct merge_item *items, uint32_t *ret_flags);
