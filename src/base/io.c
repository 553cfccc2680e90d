/*
 * io: see io.h.
 */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

bool io_read_at(int fd, void *to, size_t n_bytes, uint64_t offset)
{
	uint8_t *p = to;
	while (n_bytes) {
		ssize_t n = pread(fd, p, n_bytes, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = 0;
		if (n <= 0)
			return false;
		p += n;
		offset += (uint64_t)n;
		n_bytes -= (size_t)n;
	}
	return true;
}

bool io_write(int fd, const void *from, size_t n_bytes)
{
	const uint8_t *p = from;
	while (n_bytes) {
		ssize_t n = write(fd, p, n_bytes);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd wait = { .fd = fd, .events = POLLOUT };
			poll(&wait, 1, -1);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		p += n;
		n_bytes -= (size_t)n;
	}
	return true;
}

int io_open_now(const char *path, int flags)
{
	return open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

int io_open_input(const char *path)
{
	struct stat st;
	/* O_NONBLOCK would open a FIFO without its writer, and reading would end at once. A FIFO
	 * takes no lease (kernel v6.1 fs/locks.c, generic_setlease(): regular files only). */
	if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
		return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int fd = io_open_now(path, O_RDONLY);
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
	if (flags >= 0)
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	return fd;
}

FILE *io_fopen_now(const char *path)
{
	int fd = io_open_now(path, O_RDONLY);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	if (fd >= 0 && !f)
		close(fd);
	return f;
}
