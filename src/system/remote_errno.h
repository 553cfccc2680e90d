/*
 * remote_errno: why did the kernel refuse a call that a thread of the target made for us?
 *
 * One errno has many causes, and a wrong one sends people to turn the wrong knob. So a cause is
 * named only if the numbers that /proc tells prove it (how much is used, what the limit is, what we
 * wanted); else the errno is left to speak for itself.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "probe/abi.h"

struct err;

/* What a link takes at least: four slots and what goes with them (recorder/arm.c, recorder_arm()).
 */
#define LINK_LEAST_BYTES (4 * (uint64_t)RING_SLOT_MIN_BYTES + (256u << 10))

struct remote_shortage {
	char why[160]; /* "it has 65530 of at most 65530 mappings (vm.max_map_count)" */
	char cure[160];
};
/* Would our calls fail now, for a limit whose numbers prove it? A limit on locked memory is not
 * among them: whether new memory will be locked (mlockall(2), MCL_FUTURE), /proc does not say. */
bool remote_errno_foresee(pid_t pid, uint64_t n_bytes, bool by_path, struct remote_shortage *ret);

/* err->sys is what the call failed with; `n_bytes` were to be mapped; by_path: a file of ours was
 * opened by its path first. Returns err, with a hint if the cause is known. */
struct err *remote_errno_explain(struct err *err, pid_t pid, uint64_t n_bytes, bool by_path);
