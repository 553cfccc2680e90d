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
		if (n < 0) {
			int sys = errno;
			errno = sys == EIO && io_is_hung_up(fd) ? EPIPE : sys;
			return false;
		}
		p += n;
		n_bytes -= (size_t)n;
	}
	return true;
}

bool io_is_hung_up(int fd)
{
	struct stat st;
	struct pollfd end = { .fd = fd, .events = POLLOUT };
	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && poll(&end, 1, 0) == 1 &&
	       end.revents & POLLHUP;
}

int io_open_now(const char *path, int flags)
{
	return open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static int input_open(const char *path)
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

struct err *io_open_input(const char *path, int *ret)
{
	int fd = input_open(path);
	if (fd < 0 && errno == EWOULDBLOCK)
		return err_with_hint(err_sys(errno, "cannot open %s", path),
				     "another process holds a lease on it");
	if (fd < 0)
		return err_sys(errno, "cannot open %s", path);
	*ret = fd;
	return NULL;
}

FILE *io_fopen_now(const char *path)
{
	int fd = io_open_now(path, O_RDONLY);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	if (fd >= 0 && !f)
		close(fd);
	return f;
}

ssize_t io_read_now(const char *path, uint64_t at, void *to, size_t n_bytes)
{
	size_t done = 0;
	int fd = io_open_now(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : 1;
	while (n > 0 && done < n_bytes) {
		n = pread(fd, (char *)to + done, n_bytes - done, (off_t)(at + done));
		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	int sys = errno;
	if (fd >= 0)
		close(fd);
	errno = sys;
	return n < 0 ? -1 : (ssize_t)done;
}
