/*
 * io: read(2) and write(2) until all is done.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* n_bytes from `offset` of a file; false with errno if it cannot be read, or ends before. errno is 0 then. */
bool io_read_at(int fd, void *to, size_t n_bytes, uint64_t offset);

/* All of it, waiting where fd does not wait by itself; false with errno. SIGPIPE and SIGXFSZ are the caller's matter. */
bool io_write(int fd, const void *from, size_t n_bytes);
