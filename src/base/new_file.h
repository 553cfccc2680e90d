/*
 * new_file: a file that replaces another one only when it is finished.
 *
 * Every file that the user names for output goes through here: capture, export, print, import, and
 * what is saved from the screen. The rules:
 *
 *   absent or a regular file   written under a temporary name with mode 0600, renamed when finished
 *   FIFO, character device     opened and written, as a shell's > does; never removed or replaced
 *   "-", /dev/stdout, /dev/fd  standard output, or the descriptor of that number
 *   anything else              refused: symbolic links, directories, sockets, block devices
 *
 * The writer of a file holds a flock(2) on it, and on the file that it will replace, so one name
 * cannot have two writers.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct new_file;
struct strbuf;

enum new_file_flag {
	/* Others want to read the file while it grows. If the name is free, or is an empty file of
	 * ours, the file is written under its final name from the start; if it will replace an
	 * existing file, it grows under NAME.part. */
	NEW_FILE_GROWS = 1,
	/* The file is written at random offsets: FIFOs, devices and standard output are refused. */
	NEW_FILE_REGULAR = 2
};

/* Changes no existing file. Errors: ERR_BUSY if another process is writing it; ERR_DENIED,
 * ERR_NOT_FOUND, ERR_SYS; ERR_UNSUPPORTED if output cannot go there. A FIFO blocks until it has a
 * reader. */
MUST_CHECK struct err *new_file_open(const char *path, unsigned flags, struct new_file **ret);
/* The file is complete: rename it to its final name. Frees f, also on failure. If the rename fails,
 * a file that grew keeps its current name, and the error says so; any other file is removed.
 * ERR_NOT_FOUND: it is no longer under its current name, and nothing was renamed. */
MUST_CHECK struct err *new_file_finish(struct new_file *f);
/* Call new_file_finish() if `err` is NULL. After an error, a file that grew and is not empty is
 * kept and the hint says where; any other file is removed. Returns `err`, or the error of
 * finishing. Frees f; f may be NULL. */
MUST_CHECK struct err *new_file_end(struct new_file *f, struct err *err);
/* The file will never be complete, but its contents are worth keeping: it keeps its current name.
 * Frees f. */
void new_file_keep(struct new_file *f);
/* Remove the file; what it would have replaced is unchanged. Frees f; NULL is fine. */
void new_file_destroy(struct new_file *f);
DEFINE_CLEANUP(new_file);

/* Replace the file of this name by a text; after an error it is unchanged. `flags` as in
 * new_file_open(). ERR_NO_MEMORY also if text->failed. */
MUST_CHECK struct err *new_file_write(const char *path, unsigned flags, const struct strbuf *text);

int new_file_fd(const struct new_file *f); /* borrowed; readable too if it is a regular file */
const char *new_file_path(const struct new_file *f); /* as given; "standard output" for "-" */
/* path of the bytes while the file is unfinished */
const char *new_file_now_at(const struct new_file *f);
/* not a regular file of ours: cannot be read back or truncated */
bool new_file_is_stream(const struct new_file *f);
/* a non-empty file has the name and stays until the new file is finished */
bool new_file_replaces(const struct new_file *f);
bool new_file_is_stdout(const struct new_file *f);
bool new_file_is_terminal(const struct new_file *f);
