/*
 * sigframe: where the signal handlers on a thread's stack will return to.
 *
 * Neither the program counter nor the registers of a thread in a signal handler show what it was
 * doing before. That is in the frame that the kernel has put on its stack, and the thread will
 * continue there, perhaps much later. Until then the code there must not be removed.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "python/python.h"

struct remote_mem;

struct code_range {
	uint64_t start, end; /* half-open, like the next range */
	/* a part of it in which a thread holds something (a lane) that has just been seen free; 0,
	 * 0: none */
	uint64_t held_start, held_end;
};

/* Will a signal handler of a thread return to an address in [start, end), or restore one into a
 * register? The thread is stopped or sleeps with its stack pointer at sp. Frames are recognised by
 * their form, so a stale frame in a dead part of the stack can be taken for a live one; this needs
 * a signal that arrived in that code before. A frame that returns to the held part is certainly
 * stale. */
bool sigframe_points_into(struct remote_mem *mem, raddr sp, const struct code_range *code);
