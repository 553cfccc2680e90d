/*
 * programs: files of programs that are known to hold no Python, so that their next start need not
 * be examined.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/vec.h"

struct program {
	dev_t dev;
	ino_t inode;
	struct timespec mtime;
	uint64_t debug_off; /* of its loader's _dl_debug_state, from AT_BASE */
};
struct programs {
	VEC(struct program) known;
};

/* The program that a process runs. NULL if it is not known. Valid until the next call. */
const struct program *programs_find(const struct programs *p, pid_t pid);
/* The program that a process runs holds no Python. If memory is short it is not remembered. */
void programs_add(struct programs *p, pid_t pid, uint64_t debug_off);
/* It has loaded one: forget that. */
void programs_remove(struct programs *p, pid_t pid);
void programs_fini(struct programs *p);
