/*
 * keeper: see keeper.h.
 */
#include "commands/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands/session.h"

enum { KEEPER_MASTER = 3, KEEPER_VIEWER = 4 }; /* its descriptors */

/* Give up everything inherited from the viewer: descriptors, terminal, working directory, signal
 * handlers. */
static void become_keeper(int master_fd, int viewer_fd)
{
	sigset_t none;
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid(); /* keys and hang-ups of the viewer's terminal must not reach it */
	prctl(PR_SET_NAME, "auditview-tty");
	if (chdir("/") != 0)
		_exit(1);
	/* Move the descriptors out of the way first. */
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int master = fcntl(master_fd, F_DUPFD_CLOEXEC, 10),
	    viewer = fcntl(viewer_fd, F_DUPFD_CLOEXEC, 10);
	if (null_fd < 0 || master < 0 || viewer < 0)
		_exit(1);
	for (int fd = 0; fd < 3; fd++)
		dup2(null_fd, fd);
	dup2(master, KEEPER_MASTER);
	dup2(viewer, KEEPER_VIEWER);
	close_range(KEEPER_VIEWER + 1, ~0u, 0);
}

static NORETURN void keep(void)
{
	char c, text[4096];
	/* The pipe is never written to: end of file means that the viewer has ended, for any
	 * reason. */
	while (read(KEEPER_VIEWER, &c, 1) < 0 && errno == EINTR)
		;
	close(KEEPER_VIEWER);
	for (;;) {
		ssize_t n = read(KEEPER_MASTER, text, sizeof(text));
		if (n > 0 || (n < 0 && errno == EINTR))
			continue;
		if (n == 0 || errno != EAGAIN) /* EIO: no process has the other side open */
			_exit(0);
		struct pollfd p = { .fd = KEEPER_MASTER, .events = POLLIN };
		poll(&p, 1, -1);
	}
}

struct err *keeper_start(int master_fd, struct keeper *ret)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(errno, "cannot start the keeper of the program's terminal");
	pid_t pid = fork();
	if (pid == 0) {
		become_keeper(master_fd, fds[0]);
		keep();
	}
	int sys = errno;
	close(fds[0]);
	if (pid < 0) {
		close(fds[1]);
		return err_sys(sys, "cannot start the keeper of the program's terminal");
	}
	*ret = (struct keeper){ pid, fds[1] };
	return NULL;
}

void keeper_take_over(struct keeper *k)
{
	session_close(k->fd);
	k->fd = -1;
}

bool keeper_lives(struct keeper *k)
{
	keeper_take_over(k);
	/* If no process has the terminal open, the keeper ends within moments. */
	for (unsigned i = 0; k->pid > 0 && i < 20; i++) {
		pid_t pid = waitpid(k->pid, NULL, WNOHANG);
		if (pid == k->pid || (pid < 0 && errno != EINTR))
			k->pid = 0;
		else
			poll(NULL, 0, 5);
	}
	return k->pid > 0;
}
