/*
 * source_reader: read a file that a target or a capture has named.
 *
 * Such a name may lead to a file system that never answers (FUSE, a dead NFS server), and to ask
 * for the root of a process waits for an exec of it (system/remote_io.h). So a child of the screen
 * opens and reads the file. The screen waits for it with a deadline, and does not ask again where
 * there was no answer. The child ends soon after its last file.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SOURCE_BYTES_MAX = 8 << 20 };

/* Where the file names of a process lead. */
struct source_root {
	bool is_ours;         /* to the files that we see */
	unsigned pid;         /* else to the files that this process sees; 0: nowhere */
	uint64_t start_ticks; /* it was started then (proc(5), stat, field 22); 0: unknown */
};

enum source_answer {
	SOURCE_READ,
	SOURCE_ABSENT, /* no regular file of this name, or a longer one than SOURCE_BYTES_MAX */
	SOURCE_SILENT  /* its file system or its process does not answer, or did not earlier */
};

/* *ret_text: its bytes and a NUL, from malloc. */
enum source_answer source_reader_read(const char *path, struct source_root root, char **ret_text,
				      size_t *ret_n_bytes, uint64_t *ret_modified_ns);
/* End the child, and forget where there was no answer. */
void source_reader_forget(void);
