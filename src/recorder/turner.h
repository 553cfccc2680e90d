/*
 * turner: a capture in several files, one after the other (-C, -G, -W), as tcpdump and sysdig have
 * it.
 *
 *   -o run.avc  ─▶  run_20261128T225501Z_000001.avc, run_20261128T231502Z_000002.avc, …
 *
 * Or the flight recorder (--keep): such files are pieces, of which the newest are kept, and one
 * capture is made of them when it is wanted.
 *
 * Each file is a whole capture. Its name has the time at which it begins, in UTC, and its number,
 * so the order of names is the order of time: the time is the wall clock at the start plus the time
 * since, and never goes back.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct new_file;
struct recorder;
struct strbuf;
struct turner;

struct turner_options {
	const char *path;   /* as the user named it; borrowed */
	uint64_t max_bytes; /* a file ends with the block that reaches this size; 0 = none */
	uint64_t max_ns;    /* and after this time, if it has an event; 0 = none */
	uint64_t max_files; /* only the newest are kept; 0 = all */
	/* --keep: the newest events, at least this many bytes of them or this long; 0 = no. The
	 * other limits are not used then. */
	uint64_t keep_bytes, keep_ns;
	/* With --keep, in a process of its own: make the capture `path` of the pieces, oldest
	 * first. It has no caller to return an error to, so it reports what went wrong: to the
	 * viewer on the control socket answer_fd, or, if that is -1, on standard error. */
	void (*snapshot)(const char *const *pieces, const int *fds, size_t n, const char *path,
			 int answer_fd);
};

MUST_CHECK struct err *turner_create(const struct turner_options *options, struct turner **ret);
void turner_destroy(struct turner *t); /* NULL is fine */
DEFINE_CLEANUP(turner);

/* Make the next file, and remove the oldest if there are too many. Errors: of new_file_open(). */
MUST_CHECK struct err *turner_open(struct turner *t, struct new_file **ret);
/* The pieces that are there, oldest first; borrowed until the next turn. NULL behind the last. */
struct err *turner_pieces(const struct turner *t, const char ***ret);
bool turner_keeps(const struct turner *t); /* is it a flight recorder? NULL is fine: no */
/* With --keep: begin the next piece, and make a capture of the others. What is still in the rings
 * is not in it: call drain_settle() before. path: NULL for a name with the time of day. answer_fd:
 * as above. False: there is nothing to make it of, or it cannot be made. */
bool turner_snapshot(struct recorder *r, const char *path, int answer_fd);
/* "run_…_000001.avc", or "run_…_000001.avc to run_…_000009.avc (9 files)": those that are there. */
void turner_add_names(const struct turner *t, struct strbuf *to);

/* Does nothing unless the recorder has a turner and its file is full or old enough. A failure
 * breaks the writer. */
void turner_check(struct recorder *r, uint64_t now_ns);
