/*
 * self_tracing: programs that trace, and so cannot be traced by us, nor can what they start: a
 * thread has one tracer (ptrace(2)).
 */
#pragma once
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "base/vec.h"

enum self_tracing {
	TRACES_NOTHING,
	TRACES_CHILDREN, /* a debugger: it traces what it starts */
	TRACES_ITSELF    /* LeakSanitizer: a helper stops the threads of the program when that ends,
			    which fails with a tracer */
};

struct program_key {
	dev_t dev;
	ino_t inode;
	struct timespec mtime;
	enum self_tracing kind;
};
struct self_tracing_cache {
	VEC(struct program_key) known;
};

/* What the program of a process does, which has just called exec. Told by its name, by the symbols
 * and libraries of its file, and by what the environment has it load. */
enum self_tracing self_tracing_of(struct self_tracing_cache *cache, pid_t pid);
