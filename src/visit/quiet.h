/*
 * quiet: is no thread in the probe any more, and will none enter it?
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct link;
struct remote_target;

/* The probe must be unlinked; then it can be unmapped. ERR_TARGET_GONE if the memory is gone: the
 * process is ending, or a zombie that its parent has not reaped yet. */
MUST_CHECK struct err *quiet_check(const struct link *l, const struct remote_target *t,
				   bool *ret_quiet);
/* Is a function of the probe in CPython's list of those that it calls at its end? That function
 * links the probe again. False also if the memory cannot be read. */
bool quiet_will_be_called(const struct link *l);
/* If the interpreter is being finalised, wait until CPython will no longer call the probe at its
 * end. ERR_TIMEOUT: it may still call it at `deadline` (monotonic); ERR_TARGET_GONE. */
MUST_CHECK struct err *quiet_wait_for_at_exit(struct link *l, const struct remote_target *t,
					      uint64_t deadline);
