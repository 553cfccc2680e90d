/*
 * remote_errno: why the kernel refused a call that a thread of the target made for us.
 *
 * One errno has many causes, and a wrong cause makes the user change the wrong setting. So a cause
 * is named only if numbers from /proc prove it (how much is used, what the limit is, what we
 * needed); otherwise only the errno is shown.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "probe/abi.h"

struct err;
struct proc_status;

/* The least memory that a link needs: four slots and what belongs to them (recorder/arm.c,
 * arm_process()). */
#define LINK_LEAST_BYTES (4 * (uint64_t)RING_SLOT_MIN_BYTES + (256u << 10))

struct remote_shortage {
	char why[160]; /* "it has 65530 of at most 65530 mappings (vm.max_map_count)" */
	char cure[160];
};
/* Would our calls fail now because of a limit, as numbers prove? The limit on locked memory is not
 * checked: /proc does not show whether new memory will be locked (mlockall(2), MCL_FUTURE).
 * n_mappings: of the process. */
bool remote_errno_foresee(const struct proc_status *status, size_t n_mappings, uint64_t n_bytes,
			  bool by_path, struct remote_shortage *ret);

/* err->sys is the errno that the call failed with; `n_bytes` were to be mapped; by_path: the call
 * opened a file of ours by its path first. Returns err, with a hint if the cause is known. */
struct err *remote_errno_explain(struct err *err, pid_t pid, uint64_t n_bytes, bool by_path);
