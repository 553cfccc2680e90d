/*
 * spool: see spool.h.
 *
 * The copying process holds the write end of a pipe, `life`, of which we hold the read end: its end
 * says that nothing more will come. If copying failed, the process writes errno there first. Then
 * it changes an attribute of the file, which wakes up a reader that waits with inotify(7). If
 * no process has the read end any more, the copying process ends.
 */
#include "base/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/io.h"

enum { PIECE_BYTES = 256 << 10, PIPE_BYTES = 1 << 20 };

struct spool {
	int fd, life, watch; /* watch: of inotify, -1 none */
	pid_t pid;
	bool is_over;
	int sys;
};

int spool_file_open(const char *name)
{
	const char *own = getenv("TMPDIR");
	const char *const folders[] = { own && *own ? own : "/var/tmp", "/var/tmp", "/tmp" };
	int fd = -1;
	for (size_t i = 0; fd < 0 && i < ARRAY_LEN(folders); i++)
		fd = open(folders[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? memfd_create(name, MFD_CLOEXEC) : fd;
}

/* Wait until there is something to read, or the input has ended. False: no copy is needed any more,
 * because the read end of `life` is closed in all processes. */
static bool wait_for_input(int from, int life)
{
	struct pollfd fds[] = { { .fd = from, .events = POLLIN }, { .fd = life } };
	while (poll(fds, ARRAY_LEN(fds), -1) < 0)
		if (errno != EINTR)
			return true; /* read(2) waits, too */
	return !(fds[1].revents & POLLERR);
}

/* The copying process. */
static NORETURN void copy(int from, int to, int life, pid_t parent)
{
	char *piece = malloc(PIECE_BYTES);
	int sys = piece ? 0 : ENOMEM;
	child_leave_keys();
	prctl(PR_SET_NAME, "auditview-pipe");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it ended before that call */
		_exit(0);
	while (!sys && wait_for_input(from, life)) {
		ssize_t n = read(from, piece, PIECE_BYTES);
		/* EAGAIN: another process shares the pipe, made it non-blocking and has read from
		 * it */
		if (n < 0 && errno != EINTR && errno != EAGAIN) {
			/* a socket whose other end is gone has ended, too */
			sys = errno == ECONNRESET ? 0 : errno;
			break;
		} else if (n == 0) {
			break;
		} else if (n > 0 && !io_write(to, piece, (size_t)n)) {
			sys = errno;
		}
	}
	if (sys)
		(void)!write(life, &sys, sizeof(sys));
	close(life);
	fchmod(to, 0600);
	_exit(0);
}

struct err *spool_start(int from, const char *label, struct spool **ret)
{
	CLEANUP(spool) struct spool *s = calloc(1, sizeof(*s));
	int life[2];
	if (!s) {
		close(from);
		return err_no_memory();
	}
	*s = (struct spool){ .fd = spool_file_open("auditview-pipe"), .life = -1, .watch = -1 };
	struct err *err = s->fd < 0 ? err_sys(errno, "cannot make room for %s", label) : NULL;
	if (!err && pipe2(life, O_CLOEXEC) < 0)
		err = err_sys(errno, "cannot take in %s", label);
	if (err) {
		close(from);
		return err;
	}
	s->life = life[0];
	fcntl(s->life, F_SETFL, O_NONBLOCK);
	/* fewer changes between the two processes; if it is not allowed, the pipe stays as it is */
	fcntl(from, F_SETPIPE_SZ, PIPE_BYTES);
	pid_t parent = getpid();
	s->pid = fork();
	if (s->pid == 0) {
		close(life[0]);
		copy(from, s->fd, life[1], parent);
	}
	if (s->pid < 0)
		err = err_sys(errno, "cannot take in %s", label);
	close(life[1]);
	close(from);
	if (err)
		return err;
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	s->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (s->watch >= 0 && inotify_add_watch(s->watch, path, IN_MODIFY | IN_ATTRIB) < 0) {
		close(s->watch);
		s->watch = -1;
	}
	*ret = take_ptr(s);
	return NULL;
}

void spool_destroy(struct spool *s)
{
	if (!s)
		return;
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (s->life >= 0)
		close(s->life);
	if (s->watch >= 0)
		close(s->watch);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

void spool_forget(struct spool *s)
{
	s->pid = 0;
}

int spool_fd(const struct spool *s)
{
	return s->fd;
}

bool spool_is_over(struct spool *s)
{
	int sys;
	while (!s->is_over) {
		ssize_t n = read(s->life, &sys, sizeof(sys));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n == (ssize_t)sizeof(sys))
			s->sys = sys;
		else
			s->is_over = true;
	}
	return s->is_over;
}

int spool_errno(const struct spool *s)
{
	return s->sys;
}

void spool_wait(struct spool *s, int timeout_ms)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct pollfd fds[] = { { .fd = s->life, .events = POLLIN },
				{ .fd = s->watch, .events = POLLIN } };
	if (s->is_over)
		return;
	/* without inotify, look ten times a second */
	if (s->watch < 0 && (timeout_ms < 0 || timeout_ms > 100))
		timeout_ms = 100;
	if (poll(fds, ARRAY_LEN(fds), timeout_ms) > 0)
		while (s->watch >= 0 && read(s->watch, events, sizeof(events)) > 0)
			;
}

/* tee(2) copies from one pipe to another and takes nothing away. */
static int peek_pipe(int fd)
{
	int copy[2];
	unsigned char first = 0;
	ssize_t n;
	if (pipe2(copy, O_CLOEXEC) < 0)
		return -1;
	do {
		n = tee(fd, copy[1], 1, 0);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd wait = { .fd = fd, .events = POLLIN };
			poll(&wait, 1, -1);
			errno = EINTR;
		}
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		n = read(copy[0], &first, 1);
	close(copy[0]);
	close(copy[1]);
	return n == 1 ? first : -1;
}

int spool_peek(int fd)
{
	struct stat st;
	unsigned char first = 0;
	ssize_t n;
	if (fstat(fd, &st) != 0)
		return -1;
	if (S_ISFIFO(st.st_mode))
		return peek_pipe(fd);
	do
		n = S_ISSOCK(st.st_mode) ? recv(fd, &first, 1, MSG_PEEK) : pread(fd, &first, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1 ? first : -1;
}
