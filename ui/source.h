/*
 * source: source files of the target, read from this machine's disk.
 *
 * The path comes from the target or from a capture: only a regular file is ever opened, never a
 * device or a FIFO. If a process sees other files than we do (a container, a chroot), the file is
 * looked up below /proc/PID/root, which no link can leave, as long as that process lives;
 * afterwards it is not found. A child reads it (source_reader.h), because that may never end.
 *
 * A file is looked up by the name in the code object, then below the folders of :source, by ever
 * shorter tails of its path. The last few files are kept. Their contents are the target's and
 * hostile: escape them before drawing.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/source_reader.h"

struct source_file {
	char *path; /* as the caller asked for it */
	struct source_root root;
	bool is_foreign; /* it was found below the root of another process */
	bool is_silent;  /* where it was looked for there was no answer */
	char *found;     /* where it is; NULL: not found */
	char *text;      /* NUL-terminated */
	size_t n_bytes;
	uint32_t *line_at; /* [n_lines + 1] offsets of lines */
	uint32_t n_lines;
	uint64_t modified_ns; /* CLOCK_REALTIME */
};

/* Never NULL unless memory is short; `found` is NULL if there is no such file. Valid until four
 * other files were asked for. cwd (may be NULL) is where relative names start. */
const struct source_file *source_get(const char *path, const char *cwd, struct source_root root,
				     char *const *dirs, size_t n_dirs);
/* Return line number `line` (from 1) without its newline; "" and 0 beyond the end. */
const char *source_line(const struct source_file *f, uint32_t line, size_t *ret_n_bytes);
void source_forget(void); /* free all, so that files are read again */
