/*
 * io: read(2) and write(2) until all is done.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* n_bytes from `offset` of a file; false with errno if it cannot be read, or ends before. errno is
 * 0 then. */
bool io_read_at(int fd, void *to, size_t n_bytes, uint64_t offset);

/* All of it, waiting where fd does not wait by itself; false with errno. SIGPIPE and SIGXFSZ are
 * the caller's matter. */
bool io_write(int fd, const void *from, size_t n_bytes);

/* open(2) of a file of another process, O_CLOEXEC. It never waits: the owner of a file, which a
 * process is of its files in /proc, can put a lease on it, and open(2) then waits for
 * /proc/sys/fs/lease-break-time seconds (fcntl(2), F_SETLEASE). -1 with errno; EWOULDBLOCK: a
 * lease. */
int io_open_now(const char *path, int flags);
/* The same to read lines; NULL with errno. */
FILE *io_fopen_now(const char *path);
