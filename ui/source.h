/*
 * source: source files of the target, read from this machine's disk.
 *
 * The path comes from the target or out of a capture: only a regular file is ever opened, never a
 * device or a FIFO. Of a process whose files are others than ours (a container, a chroot) it is
 * looked for below /proc/PID/root, in which no link leads out, as long as that process lives; else
 * not at all.
 *
 * A file is looked for as the code object names it, then below the folders of :source, by ever
 * shorter tails of its path. The last few files are kept. Contents are the target's business and
 * hostile: escape before drawing.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the names of a process lead. */
struct source_root {
	bool is_ours; /* to our own files */
	unsigned pid; /* else to those of this process; 0: nowhere */
};

struct source_file {
	char *path; /* as asked for */
	struct source_root root;
	bool is_foreign; /* found below the root of another process */
	char *found;     /* where it is; NULL: nowhere */
	char *text;      /* NUL-terminated */
	size_t n_bytes;
	uint32_t *line_at; /* [n_lines + 1] offsets */
	uint32_t n_lines;
	uint64_t modified_ns; /* CLOCK_REALTIME */
};

/* Never NULL unless memory is short; found is NULL when there is no such file. Valid until four
 * other files were asked for. cwd (may be NULL) is where relative names start. */
const struct source_file *source_get(const char *path, const char *cwd, struct source_root root,
				     char *const *dirs, size_t n_dirs);
/* Line number `line` from 1; "" and 0 beyond the end. Without its newline. */
const char *source_line(const struct source_file *f, uint32_t line, size_t *ret_n_bytes);
void source_forget(void); /* free all, look again */
