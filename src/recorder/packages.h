/*
 * packages: which installed distributions the files of a process belong to.
 *
 * The capture has a list for each process, before the first event whose stack needs it. The list is
 * read when the first frame outside the standard library is seen, because sys.path is complete by
 * then. Each folder is read once for all processes that have our files, and once for each process
 * that has a root of its own. A confined process reads (base/confine.h). The recorder waits for it
 * for a bounded time only, and its heart beats meanwhile. Programs that only run the standard
 * library cost nothing.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/confine.h"
#include "base/strbuf.h"
#include "base/vec.h"

struct process;
struct python_runtime;
struct recorder;

struct package_folder {
	char *path;
	uint32_t root;        /* 0: our files; else index of the process + 1 */
	struct strbuf answer; /* of distributions_read(), empty if there was none */
};

struct packages {
	VEC(struct package_folder) folders; /* those that were read */
	uint64_t waited_ns;                 /* in all, for answers that were slow */
};

/* A frame of the process is in this file. rt: the runtime in it. */
void packages_see_file(struct recorder *r, struct process *p, const struct python_runtime *rt,
		       const char *file, size_t n_bytes);
/* A forked process has what its parent has. */
void packages_inherit(struct process *p, const struct process *parent);
void packages_fini(struct packages *p);
