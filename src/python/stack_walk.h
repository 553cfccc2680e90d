/*
 * stack_walk: the Python frames of one thread, read from outside.
 *
 * The walk is right only if the thread does not run meanwhile: the caller proves that
 * (system/thread_rest.h). Whatever the memory holds, a walk ends, and reads nothing by an address
 * that was not checked to be a frame or a code object; what it found in the memory of a hostile
 * target may be nonsense.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem_read.h"

struct python_runtime;

struct stack_frame {
	uint64_t frame; /* address of the frame */
	uint64_t code;  /* address of the code object */
	uint32_t lasti; /* byte offset of the instruction, as line_table.h takes it */
};

enum stack_end {
	STACK_WHOLE,  /* the outermost frame was reached */
	STACK_CUT,    /* there are more than `cap` frames */
	STACK_BROKEN, /* what follows is no frame, cannot be read, or is not linked yet */
};

/* The frames of a thread state from the innermost one outwards, in to[0 … *ret_n), at most cap. */
enum stack_end stack_walk(const struct mem_reader *mem, const struct python_runtime *rt,
			  uint64_t tstate, struct stack_frame *to, size_t cap, size_t *ret_n);

enum { STACK_TEXT_BYTES = 1024 }; /* most of a name; a longer one is cut */
struct stack_code {
	char function[STACK_TEXT_BYTES + 1]; /* qualified from 3.11 on; WTF-8 */
	char file[STACK_TEXT_BYTES + 1];
	uint32_t line; /* 0: the instruction belongs to no line */
};
/* Name, file and line of a frame. False if its code object cannot be read. */
bool stack_frame_describe(const struct mem_reader *mem, const struct python_runtime *rt,
			  const struct stack_frame *f, struct stack_code *ret);
