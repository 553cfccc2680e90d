/*
 * merge: Python frames and native frames of one event as one stack.
 *
 * Native frame k owns the stack [sp of k, sp of k + 1). One run of the evaluator
 * (_PyEval_EvalFrameDefault) is one native frame; the Python frames of that run take its place.
 * Which run a Python frame belongs to is told by anchors that the probe puts into the record
 * (probe/frames.c), innermost first:
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
 * frames_end counts recorded Python frames, so runs whose frames were cut off have none. Only
 * addresses in [record_native.sp, end of the stack) are anchors. The rules were checked on 130 000
 * anchors of 3.10-3.15 (each inside exactly one native frame, an evaluator) and 12 471 stacks of
 * 3.8 and 3.9.
 *
 * Whatever does not fit leaves all frames in the list: never an error.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/abi.h"
#include "stacks/unwind.h"

enum merge_class {                      /* of one native frame, bits */
		   MERGE_EVALUATOR = 1, /* evaluator_contains() */
		   /* code of the greenlet module: beyond it, further out, the stack is somebody
		      else's */
		   MERGE_GREENLET = 2,
		   MERGE_HANDLER = 4 /* "_TAIL_CALL_…": a handler that runs in the evaluator's stead
					(tail-call builds) */
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
	MERGE_MARK_STOP,     /* the native part ends here: unwind_stop_text(stop) */
	MERGE_MARK_GREENLET, /* what follows on the C stack belongs to another greenlet */
	MERGE_MARK_UNPLACED  /* the Python frames that follow could not be placed */
};
struct merge_item {
	uint8_t kind;   /* enum merge_kind */
	uint32_t index; /* of the Python or native frame; enum merge_mark */
};

enum merge_flag { MERGE_CUT = 1 /* EVENT_NATIVE_CUT */, MERGE_UNMERGED = 2 /* EVENT_UNMERGED */ };

/* Room that merge_stacks() needs: every frame of both kinds, and marks. */
#define MERGE_MAX_ITEMS(n_python, n_native) ((size_t)(n_python) + (n_native) + 4)

/* Write the merged stack, innermost first, and return the number of items; *ret_flags: enum
 * merge_flag. */
size_t merge_stacks(const struct merge_input *in, struct merge_item *items, uint32_t *ret_flags);
