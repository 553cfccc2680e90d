/*
 * io: read(2) and write(2) until all bytes are transferred.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/err.h"

/* Read n_bytes from `offset` of a file. Returns false with errno set if the read fails, and with
 * errno 0 if the file ends early. */
bool io_read_at(int fd, void *to, size_t n_bytes, uint64_t offset);

/* Write all bytes; if fd is non-blocking, wait with poll(2). Returns false with errno set; EPIPE
 * also for a terminal that has hung up, which has no reader either. The caller handles SIGPIPE and
 * SIGXFSZ. */
bool io_write(int fd, const void *from, size_t n_bytes);

/* Is it a terminal that has hung up? Writing to it fails with EIO (kernel v6.1,
 * hung_up_tty_write()). */
bool io_is_hung_up(int fd);

/* open(2) for a file of another process, with O_CLOEXEC; never blocks. The owner of a file can put
 * a lease on it, and open(2) then blocks for /proc/sys/fs/lease-break-time seconds (fcntl(2),
 * F_SETLEASE); a process owns its own files in /proc. Returns -1 with errno set; EWOULDBLOCK means
 * a lease. */
int io_open_now(const char *path, int flags);
/* Open a file so, and read from `at` to its end or until `to` is full. Returns the number of bytes,
 * or -1 with errno set. */
ssize_t io_read_now(const char *path, uint64_t at, void *to, size_t n_bytes);
/* Open a file that the user named for reading, with O_CLOEXEC. For a FIFO it waits for a writer, as
 * a shell does; for a lease it does not wait. *ret is in blocking mode, and owned by the caller.
 * The error names the file. */
MUST_CHECK struct err *io_open_input(const char *path, int *ret);
/* The same as io_open_now() as a stream for reading lines; NULL with errno set. */
FILE *io_fopen_now(const char *path);
