/*
 * outflow: see outflow.h.
 */
#include "capture/outflow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

void outflow_init(struct outflow *o, int fd)
{
	struct stat st;
	*o = (struct outflow){ .fd = fd, .is_direct = true };
	if (fstat(fd, &st) != 0)
		return;
	if (S_ISSOCK(st.st_mode)) {
		o->is_socket = true;
		o->is_direct = false;
	} else if (S_ISFIFO(st.st_mode)) {
		/* O_NONBLOCK belongs to the open file, which other processes share; opened again
		 * through /proc the same pipe has a second one (proc(5), /proc/PID/fd). */
		char path[32];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (own < 0)
			return;
		o->fd = own;
		o->is_own = true;
		o->is_direct = false;
	}
}

void outflow_fini(struct outflow *o)
{
	if (o->is_own)
		close(o->fd);
	strbuf_fini(&o->queue);
	*o = (struct outflow){ .fd = -1 };
}

size_t outflow_n_waiting(const struct outflow *o)
{
	return o->queue.n - o->at;
}

/* write what can be written now; the same result */
static int outflow_push(struct outflow *o)
{
	while (o->at < o->queue.n) {
		const char *p = o->queue.s + o->at;
		size_t left = o->queue.n - o->at;
		ssize_t n = o->is_socket ? send(o->fd, p, left, MSG_DONTWAIT | MSG_NOSIGNAL)
					 : write(o->fd, p, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return errno;
		o->at += (size_t)n;
	}
	/* move the rest up now and then, so that a queue that is never empty stays small */
	if (o->at == o->queue.n) {
		strbuf_clear(&o->queue);
	} else if (o->at > o->queue.n / 2) {
		memmove(o->queue.s, o->queue.s + o->at, o->queue.n - o->at);
		strbuf_cut(&o->queue, o->queue.n - o->at);
	} else {
		return 0;
	}
	o->at = 0;
	return 0;
}

int outflow_add(struct outflow *o, const void *bytes, size_t n)
{
	if (o->is_direct)
		return io_write(o->fd, bytes, n) ? 0 : errno;
	strbuf_add(&o->queue, bytes, n);
	return o->queue.failed ? ENOMEM : outflow_push(o);
}
