/*
 * blocked: why no thread of a process can be brought to a stop, or would go on after one.
 *
 *   frozen   by a cgroup (freezer of version 1: no stop at all; cgroup.freeze of version 2: it
 * stops, but what it is sent to do waits until it is thawed) vfork    its threads wait for a child
 * that was made with vfork(2) and has neither ended nor called exec: the kernel waits without
 * listening (kernel/fork.c, wait_for_vfork_done) disk     its threads wait for a device or a file
 * system (state D)
 *
 * Only read from /proc and the cgroup file systems. A thread that is none of these is enough to be
 * attached to, except where the whole process is frozen.
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
