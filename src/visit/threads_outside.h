/*
 * threads_outside: is no thread of a process in our code?
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct code_range;
struct remote_target;

/* Is no thread's pc, or another register, inside [start, end), and will no signal handler return
 * there (sigframe.h)? Running threads are stopped for a moment to find out. */
MUST_CHECK struct err *threads_outside_check(const struct remote_target *t, uint64_t start,
					     uint64_t end, bool *ret_outside);
MUST_CHECK struct err *threads_outside_check_range(const struct remote_target *t,
						   const struct code_range *code,
						   bool *ret_outside);
