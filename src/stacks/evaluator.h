/*
 * evaluator: where CPython's bytecode evaluator lies in the target's code, split-off parts
 * included.
 *
 * _PyEval_EvalFrameDefault is exported by every build, but compilers move parts of it elsewhere
 * under no exported name; on gcc 16 builds of 3.14 no return address of a running evaluator lies in
 * the function itself. A part is a function of the unwind table that the evaluator's direct jumps
 * enter in the middle several times and that jumps back into it. Tried on 3.8-3.15: exactly the
 * ".cold" parts that debug files name, and no other, with a threshold of three.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "stacks/symbols.h"

#define EVALUATOR_MAX_RANGES 16u

struct evaluator {
	uint32_t n;
	struct {
		uint64_t start, end; /* in the target, half-open */
	} ranges[EVALUATOR_MAX_RANGES];
};

/* Look in the module that covers `address` (that which holds _PyRuntime) and add what is found;
 * false if there is no evaluator. */
bool evaluator_find(struct evaluator *e, struct modules *modules, struct symbols *symbols,
		    uint64_t address);

static inline bool evaluator_contains(const struct evaluator *e, uint64_t pc)
{
	for (uint32_t i = 0; i < e->n; i++)
		if (pc >= e->ranges[i].start && pc < e->ranges[i].end)
			return true;
	return false;
}
