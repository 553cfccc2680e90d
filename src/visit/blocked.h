/*
 * blocked: why no thread of a process can be stopped, or would continue after a stop.
 *
 *   frozen   by a cgroup. Freezer of version 1: there is no stop at all. cgroup.freeze of version
 *            2: the thread stops, but what we make it do waits until it is thawed
 *   vfork    its threads wait for a child that was made with vfork(2) and has neither ended nor
 *            called exec: this wait of the kernel cannot be interrupted (kernel/fork.c,
 *            wait_for_vfork_done)
 *   disk     its threads wait for a device or a file system (state D)
 *
 * Only /proc and the cgroup file systems are read. One thread that is not blocked is enough to
 * attach, unless the whole process is frozen.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct blocked {
	char why[200]; /* "it is frozen by its control group (/shop)" */
	char cure[160];
};

/* Is every thread blocked, now and a moment (up to 60 ms) later? */
bool blocked_find(pid_t pid, struct blocked *ret);

struct check;
/* What doctor says of it (check.h). */
extern const struct check blocked_check;
