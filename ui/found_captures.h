/*
 * found_captures: the captures that were kept ($XDG_CACHE_HOME/auditview), newest first, for the
 * start page. Names and times are read at once; what is in a capture is read later, one at a time.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct found_capture {
	char *path;
	char *name; /* of the program; of the file while it was not read; escaped */
	uint64_t bytes;
	time_t when;
	/* when is_read: */
	uint64_t events, lost, age_ns;
	char what[80]; /* "network 135, files 124, code 42" */
	bool is_read, is_complete;
	bool is_lesson; /* a run of a lesson or of `auditview try` */
};

struct found_captures {
	struct found_capture *v;
	size_t n, cap;
	char *folder; /* NULL: unknown */
};

/* List the folder again. What was read of a file that has not changed since is kept. */
void found_captures_list(struct found_captures *c);
/* Read the first one that was not read; false: all are. */
bool found_captures_read(struct found_captures *c);
void found_captures_fini(struct found_captures *c);
