/*
 * join: the pieces of a flight recorder → one capture.
 *
 * Pieces are captures of one recorder, one after the other, on one time axis. A process or thread
 * that several of them describe is one in the result.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct new_file;

/* For join_follow(): where the pieces are. */
struct join_feed {
	/* The path of the piece after `after`, of the oldest if that is NULL; malloc'ed. NULL: it
	 * is not there yet. */
	char *(*next)(void *ctx, const char *after);
	bool (*is_wanted)(void *ctx); /* asked some times a second: go on? */
	void *ctx;
};

struct join_options {
	/* All events of piece i are in the file, and were given to the kernel. May be NULL. */
	void (*done)(void *ctx, size_t i);
	void *ctx;
};

/* Write the pieces, oldest first, to `file`. Takes over `file` and all fds, also on failure; an fd
 * may be -1: that piece is gone, and left out. `names` are for messages. A piece that cannot be
 * read is left out as well, and a note in the result says so. */
MUST_CHECK struct err *join_write(const int *fds, const char *const *names, size_t n,
				  struct new_file *file, const struct join_options *options,
				  uint64_t *ret_n_events);

/* Write the pieces to `file` while the recorder writes them, until its last one is complete; events
 * are in the file some 50 ms after they are in a piece. A piece that is removed before it could be
 * opened is left out, and a note says so. Takes over `file`, also on failure. */
MUST_CHECK struct err *join_follow(const struct join_feed *feed, struct new_file *file);
