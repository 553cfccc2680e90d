/*
 * forks: the newest forks and clones that the follower saw in other pid namespaces. A child may
 * have ended before its slot is read; then only the note tells its pid.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fork_note {
	pid_t pid, ppid;
	/* in the child's innermost namespace; ns_ppid is 0 if the parent is not in it */
	uint32_t ns_pid, ns_ppid;
	bool is_thread; /* pid is a thread of ppid */
};
#define FORKS_MAX 1024

struct forks {
	struct fork_note *v; /* [FORKS_MAX], a circular buffer; NULL: nothing was added yet */
	size_t n;            /* ever added */
};

/* If memory is short the note is not added. */
void forks_add(struct forks *f, const struct fork_note *note);
/* Note number i, counted from 0 for the first that was added. NULL if it was overwritten. */
const struct fork_note *forks_at(const struct forks *f, size_t i);
void forks_fini(struct forks *f);
