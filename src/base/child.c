/*
 * child: see child.h.
 */
#include "base/child.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"

struct err *child_fork(const char *program, int ret_fds[2], pid_t *ret_pid)
{
	int fds[2];
	if (pipe(fds) < 0)
		return err_sys(errno, "cannot make a pipe");
	pid_t pid = fork();
	if (pid < 0) {
		int sys = errno;
		close(fds[0]);
		close(fds[1]);
		return err_sys(sys, "cannot start %s", program);
	}
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	*ret_pid = pid;
	return NULL;
}

void child_leave_keys(void)
{
	static const int ignored[] = { SIGINT, SIGQUIT, SIGHUP, SIGPIPE, SIGXFSZ };
	static const int normal[] = { SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGCHLD };
	sigset_t none;
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(normal); i++)
		signal(normal[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int child_wait(pid_t pid)
{
	int status = -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}
