/*
 * upkeep: is everything that is armed as the recorder believes? A program may end its interpreter
 * and start it anew, unload Python and load it again, put a seccomp filter on itself, or call exec
 * unseen.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct recorder;
struct tap;

/* now: as of monotonic_ns(). Both do nothing until their time has come: call them in every turn of
 * the loop. */
/* every 4 ms: runtimes that were finalised or unloaded and may be back */
void upkeep_relink(struct recorder *r, uint64_t now);
/* Has a process that is not followed executed another program? If so, what it had is over, and a
 * note says so. */
bool upkeep_notice_exec(struct recorder *r, struct tap *t);
void upkeep_check(struct recorder *r, uint64_t now); /* twice a second: everything else */
