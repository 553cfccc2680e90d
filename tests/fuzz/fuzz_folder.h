/*
 * fuzz_folder: a folder of this process, for code that reads by path. It is removed when the
 * process exits.
 */
#pragma once
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/strbuf.h"

static char fuzz_folder_path[512];

static inline void fuzz_folder_remove(void)
{
	static const char *const names[] = { "auditview/config",
					     "auditview/filters",
					     "auditview/history",
					     "auditview",
					     "a.avc.marks",
					     "a.avc",
					     "b.avc",
					     "" };
	char path[1024];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", fuzz_folder_path, names[i]);
		remove(path);
	}
}

/* The folder. At first it contains only "auditview", the folder of configuration and state: both
 * XDG variables name it. */
static inline const char *fuzz_folder(void)
{
	if (*fuzz_folder_path)
		return fuzz_folder_path;
	const char *above = getenv("TMPDIR");
	char own[1024];
	if (!above)
		above = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(fuzz_folder_path, sizeof(fuzz_folder_path), "%s/auditview-fuzz-XXXXXX", above);
	if (!mkdtemp(fuzz_folder_path))
		abort();
	snprintf(own, sizeof(own), "%s/auditview", fuzz_folder_path);
	if (mkdir(own, 0700) != 0 || setenv("XDG_CONFIG_HOME", fuzz_folder_path, 1) != 0 ||
	    setenv("XDG_STATE_HOME", fuzz_folder_path, 1) != 0 || atexit(fuzz_folder_remove) != 0)
		abort();
	return fuzz_folder_path;
}

/* fuzz_folder()/name; valid until the next call. */
static inline const char *fuzz_path(const char *name)
{
	static char path[1024];
	snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
	return path;
}

/* Write a file of fuzz_folder() that holds exactly these bytes. */
static inline void fuzz_file_write(const char *name, const void *bytes, size_t n)
{
	int fd = open(fuzz_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
		abort();
	close(fd);
}

/* Append the file to *to; nothing if there is no such file. */
static inline void fuzz_file_read(const char *name, struct strbuf *to)
{
	err_destroy(folder_read_file(fuzz_path(name), false, SIZE_MAX, to));
}

#define FUZZ_NO_SEEDS                                                                              \
	size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap)                                 \
	{                                                                                          \
		(void)number;                                                                      \
		(void)to;                                                                          \
		(void)cap;                                                                         \
		return 0;                                                                          \
	}
