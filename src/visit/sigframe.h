/*
 * sigframe: where signal handlers on a thread's stack will go back to.
 *
 * A thread in a handler is not where its program counter says, nor do the registers tell: what it
 * was doing lies in the frame that the kernel has put on its stack, and there it will be again,
 * perhaps much later. Code must not be taken away before.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "python/python.h"

struct remote_mem;

struct code_range {
	uint64_t start, end; /* half-open, as the next */
	/* a part of it in which a thread holds what has just been seen to be free: 0, 0 none */
	uint64_t held_start, held_end;
};

/* Does one of the handlers of a thread, which stands still or sleeps with its stack pointer at sp,
 * go back to an address in [start, end), or have one in a register? Frames are known by their
 * looks: of a stack's dead parts one can be taken for alive, for which a signal must have come in
 * that code before. One that goes back to the held part is dead for sure. */
bool sigframes_point_into(struct remote_mem *mem, raddr sp, const struct code_range *code);
