/*
 * confine: a short-lived process of ours that reads files as another process would.
 *
 * The folders of a target are the target's: a symbolic link, a FIFO, a file system that it serves
 * itself, a file of any size. So what is read there is read by a worker (worker.h) that has given
 * up what the target does not have: its user and group are those of the target, its capabilities
 * are no more than the target's and none if the target is in another user namespace, and paths are
 * resolved below the target's root (openat2(2), RESOLVE_IN_ROOT: neither ".." nor an absolute link
 * leads out of it). The answer has a bound, and so has the time until it is there.
 *
 * Not for several threads.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/worker.h"

struct strbuf;

enum { CONFINE_QUESTION_BYTES = 64 << 10, CONFINE_ANSWER_BYTES = 2 << 20 };

struct confine {
	struct worker worker;
	uint64_t deadline_ns; /* as of monotonic_ns() */
};
#define CONFINE_NONE                                                                               \
	{                                                                                          \
		.worker = WORKER_NONE                                                              \
	}

/* What is done there: root_fd is the target's root folder (O_PATH). The answer is appended to *to;
 * what does not fit is left out as a whole. */
typedef void confine_fn(int root_fd, const char *question, size_t n_bytes, struct strbuf *to);

/* Whose rights and root are taken. */
struct confine_whom {
	pid_t pid;
	/* If the process has ended: it had our root folder, and these ids. */
	bool has_our_root;
	uint32_t uid, gid;
};

/* Start to answer a question, for at most timeout_ns. False if there can be no such process; then
 * nothing is to be stopped. One at a time for each struct. */
bool confine_start(struct confine *c, const struct confine_whom *whom, confine_fn *fn,
		   const char *question, size_t n_bytes, uint64_t timeout_ns);
enum confine_state {
	CONFINE_WORKS,
	CONFINE_ANSWERED, /* *to has the answer */
	CONFINE_FAILED    /* it may not, it does not answer, or it was killed */
};
/* Wait for at most timeout_ms. Unless it still works, it is stopped. The answer was written by a
 * process that read hostile bytes: it is hostile, too. */
enum confine_state confine_wait(struct confine *c, int timeout_ms, struct strbuf *to);

/* ---- in the process ---- */

/* Open a file or folder below root_fd to read it; never waits for the other end of a FIFO. Returns
 * -1 with errno. */
int confine_open(int root_fd, const char *path, int flags);
/* Append a regular file to *to; false if it cannot be read, or is larger than max_bytes. */
bool confine_read_file(int root_fd, const char *path, size_t max_bytes, struct strbuf *to);
