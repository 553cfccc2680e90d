/*
 * sigframe: where signal handlers on a thread's stack will go back to.
 *
 * A thread in a handler is not where its program counter says, nor do the registers tell: what it was doing lies in the frame that
 * the kernel has put on its stack, and there it will be again, perhaps much later. Code must not be taken away before.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "python/python.h"

struct remote_mem;

/* Does one of the handlers of a thread, which stands still or sleeps with its stack pointer at sp, go back to an address in
 * [start, end), or have one in a register? Frames are known by their looks: of a stack's dead parts one can be taken for alive,
 * for which a signal must have come in that code before. */
bool sigframes_point_into(struct remote_mem *mem, raddr sp, uint64_t start, uint64_t end);
