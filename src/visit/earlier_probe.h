/*
 * earlier_probe: is there a probe already in a runtime, and is its recorder alive?
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct probe_context;
struct python_runtime;
struct remote_mem;

/* Is there a probe in this runtime already? Returns its context, and whether its recorder is alive
 * (pid in *ret_recorder). */
enum probe_presence { PROBE_NONE, PROBE_LEFT_ENTRY, PROBE_DEAD_RECORDER, PROBE_LIVE_RECORDER };
enum probe_presence earlier_probe_find(struct remote_mem *mem, const struct python_runtime *rt,
				       pid_t *ret_recorder, struct probe_context *ret_context);

/* Has a recorder already been found dead behind a probe at the same place? A killed recorder may
 * leave a ring in hundreds of forked processes, and listening for its heartbeat takes half a second
 * each time. Processes forked from one another have the same addresses, and no other recorder works
 * at the same place under the same pid. */
bool earlier_probe_is_known_dead(pid_t recorder, const struct probe_context *ctx);

struct check;
/* What doctor says of it (check.h). */
extern const struct check earlier_probe_check;
