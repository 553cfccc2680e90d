/*
 * launch: see launch.h.
 */
#include "recorder/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/accounts.h"
#include "base/inherited.h"
#include "recorder/relay.h"

static int stream_of(const struct follow_stdio *io, int fd)
{
	int given = fd == 0 ? io->in : fd == 1 ? io->out : io->err;
	return given >= 0 ? given : fd;
}

struct err *launch_prepare(struct launch *l)
{
	int terminals[3], n_terminals = 0;
	l->own_session = false;
	l->relay = NULL;
	if (!l->user)
		return NULL;
	if (!accounts_find_name(l->user))
		return err_with_hint(
		    err_create(ERR_USAGE, "cannot run as \"%s\": there is no such user", l->user),
		    "-u takes a name from /etc/passwd");
	if (l->io.terminal >= 0)
		return NULL;
	l->own_session = true;
	for (int fd = 0; fd <= 2; fd++)
		if (isatty(stream_of(&l->io, fd)))
			terminals[n_terminals++] = stream_of(&l->io, fd);
	return n_terminals
		   ? relay_create(terminals, n_terminals, isatty(stream_of(&l->io, 0)), &l->relay)
		   : NULL;
}

void launch_settle(struct launch *l, bool has_started)
{
	if (l->relay)
		relay_close_slave(l->relay);
	if (!has_started) {
		relay_destroy(l->relay);
		l->relay = NULL;
	}
}

/* ---- in the child ---- */

static void fail(int report, int code)
{
	if (write(report, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(126);
}

static void become(const char *user, int report)
{
	const struct passwd *pw = accounts_find_name(user);
	if (!pw)
		fail(report, -1);
	/* A terminal that was made for it is its own, as that of a login is: it may open it by
	 * name. */
	for (int fd = 0; fd <= 2; fd++)
		if (isatty(fd) && tcgetsid(fd) == getpid() && fchown(fd, pw->pw_uid, (gid_t)-1) < 0)
			break;
	if (accounts_set_groups(pw) < 0 || setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0)
		fail(report, errno);
	setenv("HOME", pw->pw_dir, 1);
	setenv("USER", pw->pw_name, 1);
	setenv("LOGNAME", pw->pw_name, 1);
	setenv("SHELL", pw->pw_shell && pw->pw_shell[0] ? pw->pw_shell : "/bin/sh", 1);
}

static void take_terminal(const struct launch *l)
{
	int slave = l->io.terminal >= 0 ? l->io.terminal : l->relay ? relay_slave(l->relay) : -1;
	if (l->own_session || slave >= 0)
		setsid();
	if (slave >= 0)
		ioctl(slave, TIOCSCTTY, 0);
	for (int fd = 0; fd <= 2 && slave >= 0; fd++)
		if (l->io.terminal >= 0 || isatty(stream_of(&l->io, fd)))
			dup2(slave, fd);
	if (slave > 2)
		close(slave);
}

/* A stream that is given and is another one's number must not be overwritten before it is copied:
 * none of the callers has such. */
static unsigned take_streams(const struct launch *l)
{
	unsigned given = l->io.terminal >= 0 ? 7 : 0;
	const int from[] = { l->io.in, l->io.out, l->io.err };
	for (int fd = 0; fd <= 2; fd++) {
		if (from[fd] < 0)
			continue;
		if (!(l->relay &&
		      isatty(from[fd]))) /* else it has the terminal of its own by now */
			dup2(from[fd], fd);
		given |= 1u << fd;
	}
	return given;
}

/* In the child: wait until `go` is closed, then become the program. If that cannot be done, an int
 * is written to `report`: errno, or -1 if there is no such user. */
static NORETURN void run_child(const struct launch *l, int go, int report)
{
	char c;
	while (read(go, &c, 1) < 0 && errno == EINTR)
		;
	take_terminal(l);
	unsigned given = take_streams(l);
	/* Limits may be raised by the privileged alone, and a policy of the scheduler may be. */
	inherited_restore(given, l->may_outlive_us);
	if (l->user)
		become(l->user, report);
	execvp(l->argv[0], l->argv);
	int code = errno;
	if (write(report, &code, sizeof(code)) < 0)
		_exit(127);
	_exit(127);
}

struct err *launch_fork(const struct launch *l, pid_t *ret_pid, int *ret_go, int *ret_report)
{
	int go[2], report[2];
	if (pipe2(go, O_CLOEXEC) < 0)
		return err_sys(errno, "cannot launch %s", l->argv[0]);
	if (pipe2(report, O_CLOEXEC) < 0) {
		int sys = errno;
		close(go[0]), close(go[1]);
		return err_sys(sys, "cannot launch %s", l->argv[0]);
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(go[1]);
		run_child(l, go[0], report[1]);
	}
	struct err *err = pid < 0 ? err_sys(errno, "cannot launch %s", l->argv[0]) : NULL;
	close(go[0]);
	close(report[1]);
	if (err) {
		close(go[1]);
		close(report[0]);
		return err;
	}
	*ret_pid = pid;
	*ret_go = go[1];
	*ret_report = report[0];
	return NULL;
}

struct err *launch_error(const struct launch *l, int report)
{
	const char *program = l->argv[0];
	if (report == -1)
		return err_create(ERR_USAGE, "cannot run as %s: no such user", l->user);
	struct err *err = err_sys(report, "cannot run %s", program);
	return report == ENOENT && !strchr(program, '/')
		   ? err_with_hint(err, "it was looked for in PATH; a path must contain a slash")
		   : err;
}
