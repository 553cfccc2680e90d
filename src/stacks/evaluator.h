/*
 * evaluator: where CPython's bytecode evaluator is in the target's code, split-off parts included.
 *
 * _PyEval_EvalFrameDefault is exported by every build, but compilers move parts of it elsewhere
 * without an exported name. In gcc 16 builds of 3.14 no return address of a running evaluator is
 * inside the function itself. A part is recognised in the unwind table: it is a function that the
 * evaluator's direct jumps enter in the middle several times, and that jumps back into the
 * evaluator. On 3.8-3.15, with a threshold of three, this finds exactly the ".cold" parts that
 * debug files name.
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

/* Search the module that covers `address` (the one that holds _PyRuntime) and add the ranges found.
 * Returns false if it has no evaluator. */
bool evaluator_find(struct evaluator *e, struct modules *modules, struct symbols *symbols,
		    uint64_t address);

static inline bool evaluator_contains(const struct evaluator *e, uint64_t pc)
{
	for (uint32_t i = 0; i < e->n; i++)
		if (pc >= e->ranges[i].start && pc < e->ranges[i].end)
			return true;
	return false;
}
