/*
 * new_file: a file that takes the place of another one only when it is finished.
 *
 * Every file that the user names for output goes through here: capture, export, print, import, and
 * what is saved from the screen. The rules:
 *
 *   absent or a regular file   written under a name of its own, mode 0600, and renamed when it is
 * finished FIFO, character device     opened and written into, as a shell's > does; never removed,
 * never renamed onto
 *   "-", /dev/stdout, /dev/fd  standard output, or the descriptor of that number
 *   all else                   refused: symbolic links, directories, sockets, block devices
 *
 * Whoever writes a file holds a flock(2) on it, and on the file that it will replace: two writers
 * of one name cannot be.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct new_file;

enum new_file_flag {
	/* Others want to read it while it grows. A name that was free, or an empty file of our own,
	 * is written at once under its final name; what replaces an existing file grows under
	 * NAME.part. */
	NEW_FILE_GROWS = 1,
	/* It is written at random places: FIFOs, devices and standard output are refused. */
	NEW_FILE_REGULAR = 2
};

/* Nothing that exists is changed by this. Errors: ERR_BUSY when somebody else is writing it;
 * ERR_DENIED, ERR_NOT_FOUND, ERR_SYS, ERR_UNSUPPORTED for what is no place for output. A FIFO waits
 * for its reader. */
MUST_CHECK struct err *new_file_open(const char *path, unsigned flags, struct new_file **ret);
/* It is complete: it takes its place. Frees, also on failure. A file that grew stays under the name
 * it has if it cannot take its place, and the error says so; any other is removed then. */
MUST_CHECK struct err *new_file_finish(struct new_file *f);
/* new_file_finish() if `err` is NULL. After an error: a file that grew and is not empty is kept,
 * and the hint says where; any other is removed. Returns `err`, or what went wrong with finishing.
 * Frees; f may be NULL. */
MUST_CHECK struct err *new_file_end(struct new_file *f, struct err *err);
/* It will never be complete, but what is in it is worth keeping: it stays under the name it has
 * now. Frees. */
void new_file_keep(struct new_file *f);
/* It is worth nothing: what was there before is as it was. Frees; NULL is fine. */
void new_file_destroy(struct new_file *f);
DEFINE_CLEANUP(new_file);

int new_file_fd(const struct new_file *f); /* borrowed; readable too where it is a regular file */
const char *
new_file_path(const struct new_file *f); /* as it was given; "standard output" for "-" */
const char *
new_file_now_at(const struct new_file *f); /* where the bytes are as long as it is not finished */
bool new_file_is_stream(
    const struct new_file *f); /* no regular file of ours: cannot be read back or cut */
bool new_file_replaces(const struct new_file *f); /* a file with contents is there, and stays until
						     the new one is finished */
bool new_file_is_stdout(const struct new_file *f);
bool new_file_is_terminal(const struct new_file *f);
