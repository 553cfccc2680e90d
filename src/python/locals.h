/*
 * locals: the local variables of a frame, read from outside, as encoded values (base/value.h).
 *
 * They are right only if the thread does not run meanwhile, as with stack_walk.h. Whatever the
 * memory holds, an encoding ends: depth, number and size of values are bounded here, and what
 * cannot be read is UNREADABLE. Secrets are not removed: recorder/translate.h does that.
 */
#pragma once
#include <stdbool.h>

#include "base/mem_read.h"
#include "python/stack_walk.h"

struct python_runtime;
struct strbuf;

enum { LOCALS_BYTES_MAX = 1 << 16 }; /* most bytes of one frame's encoding */

/*
 * Append a DICT of name → value, in the order in which the code names them: parameters, local
 * variables, cells, free variables; of a module or class body, what it has bound so far, without
 * __names__. A variable without a value is left out. Objects of other types than None, bool, int,
 * float, str, bytes, tuple, list, dict, set and frozenset are OBJECT_AT without attributes. False:
 * nothing could be read, and nothing is appended.
 */
bool locals_encode(const struct mem_reader *mem, const struct python_runtime *rt,
		   const struct stack_frame *f, struct strbuf *to);
