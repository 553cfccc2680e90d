/*
 * relay: see relay.h.
 */
#include "recorder/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"

enum { QUIET_MS = 30, FINISH_MS = 2000, CHUNK = 4096 };

struct relay {
	int slave, control; /* control: the pid of the leader goes out, one byte comes back when all
			       is done */
};

struct pump {
	int master, control, in,
	    out; /* in: -1 when nothing is read; out: -1 when the output is thrown away */
	int signals;
	pid_t leader, owner;
	unsigned n_interrupts;
	bool is_raw, is_plain; /* is_plain: what goes out is not processed by our terminal either */
	struct termios saved;
	char typed[CHUNK]; /* that the program has not taken yet */
	size_t n_typed;
};

/* ---- the process that relays ---- */

static void set_raw(struct pump *p)
{
	struct termios raw;
	/* In the background the terminal belongs to another job, and changing it would stop us
	 * (tcsetattr(3), SIGTTOU). */
	if (p->in < 0 || p->is_raw || tcgetpgrp(p->in) != getpgrp() ||
	    tcgetattr(p->in, &p->saved) < 0)
		return;
	raw = p->saved;
	cfmakeraw(&raw);
	if (!p->is_plain)
		raw.c_oflag = p->saved.c_oflag; /* others of our job may write lines to it */
	p->is_raw = tcsetattr(p->in, TCSADRAIN, &raw) == 0;
}

static void set_saved(struct pump *p)
{
	if (p->is_raw && tcgetpgrp(p->in) == getpgrp())
		tcsetattr(p->in, TCSADRAIN, &p->saved);
	p->is_raw = false;
}

static void copy_size(const struct pump *p, int from)
{
	struct winsize size;
	if (from >= 0 && ioctl(from, TIOCGWINSZ, &size) == 0)
		ioctl(p->master, TIOCSWINSZ, &size);
}

/* Ctrl-Z at the program itself. Its process group has no parent in its session, so the kernel
 * ignores SIGTSTP there (kernel/signal.c, get_signal(): is_current_pgrp_orphaned()). */
static void stop_job(struct pump *p)
{
	set_saved(p);
	if (p->leader > 0)
		kill(-p->leader, SIGSTOP);
	kill(0, SIGTSTP); /* blocked here */
	kill(getpid(), SIGSTOP);
	set_raw(p);
	copy_size(p, p->in);
	if (p->leader > 0)
		kill(-p->leader, SIGCONT);
}

/* What a key means is told by the program's terminal, whose settings the master shows. */
static void notice_keys(struct pump *p, const char *typed, size_t n)
{
	struct termios t;
	if (tcgetattr(p->master, &t) < 0 || !(t.c_lflag & ISIG))
		return;
	for (size_t i = 0; i < n; i++) {
		cc_t key = (cc_t)typed[i];
		if (key == t.c_cc[VINTR] && ++p->n_interrupts > 1)
			kill(p->owner, SIGINT);
		if (key == t.c_cc[VSUSP] && p->leader > 0 && tcgetpgrp(p->master) == p->leader)
			stop_job(p);
	}
}

/* False: our terminal is gone, and so is the program's, as it would be without us. */
static bool take_input(struct pump *p)
{
	if (tcgetpgrp(p->in) != getpgrp())
		return true;
	set_raw(p);
	ssize_t n = read(p->in, p->typed, sizeof(p->typed));
	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	p->n_typed = (size_t)n;
	notice_keys(p, p->typed, p->n_typed);
	return true;
}

static void give_input(struct pump *p)
{
	ssize_t n = write(p->master, p->typed, p->n_typed);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	size_t done = n > 0 ? (size_t)n : p->n_typed;
	for (size_t i = done; i < p->n_typed; i++)
		p->typed[i - done] = p->typed[i];
	p->n_typed -= done;
}

static void write_all(int fd, const char *from, size_t n)
{
	while (n) {
		ssize_t m = write(fd, from, n);
		if (m < 0 && errno == EAGAIN)
			poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
		else if (m < 0 && errno != EINTR)
			return;
		from += m > 0 ? m : 0;
		n -= m > 0 ? (size_t)m : 0;
	}
}

/* Both terminals process output: what the program's has made of a newline, ours would make once
 * more. Where the program's does not (full-screen programs), ours must not. */
static size_t adapt_output(struct pump *p, char *text, size_t n)
{
	struct termios inner, outer;
	size_t kept = 0;
	bool is_plain = tcgetattr(p->master, &inner) == 0 && !(inner.c_oflag & OPOST);
	if (is_plain != p->is_plain && p->is_raw) {
		set_saved(p);
		p->is_plain = is_plain;
		set_raw(p);
	}
	p->is_plain = is_plain;
	if (is_plain || tcgetattr(p->out, &outer) < 0 ||
	    (outer.c_oflag & (OPOST | ONLCR)) != (OPOST | ONLCR))
		return n;
	for (size_t i = 0; i < n; i++)
		if (text[i] != '\r' || i + 1 == n || text[i + 1] != '\n')
			text[kept++] = text[i];
	return kept;
}

/* False: no process has the program's terminal any more. */
static bool take_output(struct pump *p)
{
	char text[CHUNK];
	ssize_t n = read(p->master, text, sizeof(text));
	if (n > 0 && p->out >= 0)
		write_all(p->out, text, adapt_output(p, text, (size_t)n));
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* The owner has ended, or asks us to come to an end: what has been written is passed on, our
 * terminal is given back. */
static bool finish(struct pump *p)
{
	struct pollfd fd = { .fd = p->master, .events = POLLIN };
	bool is_open = true;
	for (unsigned i = 0; is_open && i < FINISH_MS && poll(&fd, 1, QUIET_MS) > 0; i++)
		is_open = take_output(p);
	set_saved(p);
	if (write(p->control, "", 1) < 0)
		p->in = -1; /* the other end is closed */
	close(p->control);
	p->control = p->in = p->out = -1;
	p->n_typed = 0;
	return is_open;
}

static bool take_control(struct pump *p)
{
	pid_t leader;
	if (recv(p->control, &leader, sizeof(leader), 0) != (ssize_t)sizeof(leader))
		return finish(p);
	p->leader = leader;
	return true;
}

static void take_signals(struct pump *p)
{
	struct signalfd_siginfo info;
	while (read(p->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGWINCH)
			copy_size(p, p->in >= 0 ? p->in : p->out);
		if (info.ssi_signo == SIGCONT && p->out >= 0)
			set_raw(p);
	}
}

static NORETURN void pump_run(struct pump *p)
{
	set_raw(p);
	for (;;) {
		bool wants_input = p->in >= 0 && !p->n_typed && tcgetpgrp(p->in) == getpgrp();
		struct pollfd fds[] = {
			{ .fd = p->master, .events = (short)(POLLIN | (p->n_typed ? POLLOUT : 0)) },
			{ .fd = wants_input ? p->in : -1, .events = POLLIN },
			{ .fd = p->control, .events = POLLIN },
			{ .fd = p->signals, .events = POLLIN },
		};
		/* In the background nothing tells when our terminal is ours again. */
		if (poll(fds, 4, p->in >= 0 && !wants_input ? 200 : -1) < 0 && errno != EINTR)
			break;
		if (fds[3].revents)
			take_signals(p);
		if (fds[0].revents & POLLOUT)
			give_input(p);
		if (fds[0].revents & (POLLIN | POLLHUP) && !take_output(p) && p->control < 0)
			break;
		if (fds[0].revents & POLLHUP && p->control >= 0 && !(fds[0].revents & POLLIN) &&
		    !fds[2].revents)
			poll(&fds[2], 1, 20); /* the program has ended, or has not started: the
						 owner will tell */
		if (fds[1].revents && !take_input(p)) {
			p->is_raw = false;
			break;
		}
		if (fds[2].revents && !take_control(p))
			break;
	}
	set_saved(p);
	_exit(0);
}

static NORETURN void relay_main(int master, int control, int in, int out, pid_t owner)
{
	struct pump p = {
		.master = master, .control = control, .in = in, .out = out, .owner = owner
	};
	sigset_t all, ours;
	prctl(PR_SET_NAME, "auditview-tty");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&ours);
	sigaddset(&ours, SIGWINCH);
	sigaddset(&ours, SIGCONT);
	p.signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
	pump_run(&p);
}

/* ---- its owner ---- */

struct err *relay_create(const int terminals[], int n, bool reads, struct relay **ret)
{
	int master, control[2], own = terminals[0], out = terminals[n > 1 ? 1 : 0];
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct termios settings;
	bool has_settings = tcgetattr(own, &settings) == 0;
	struct relay *r = calloc(1, sizeof(*r));
	if (!r)
		return err_no_memory();
	ioctl(own, TIOCGWINSZ, &size);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0) {
		free(r);
		return err_sys(errno, "cannot make a terminal for the program");
	}
	if (openpty(&master, &r->slave, NULL, has_settings ? &settings : NULL, &size) < 0) {
		struct err *err = err_sys(errno, "cannot make a terminal for the program");
		close(control[0]), close(control[1]);
		free(r);
		return err;
	}
	fcntl(master, F_SETFD, FD_CLOEXEC);
	fcntl(r->slave, F_SETFD, FD_CLOEXEC);
	pid_t owner = getpid(), pid = fork();
	if (pid == 0) {
		close(control[0]);
		close(r->slave);
		relay_main(master, control[1], reads ? own : -1, out, owner);
	}
	close(master);
	close(control[1]);
	r->control = control[0];
	if (pid < 0) {
		struct err *err = err_sys(errno, "cannot make a terminal for the program");
		relay_destroy(r);
		return err;
	}
	*ret = r;
	return NULL;
}

int relay_slave(const struct relay *r)
{
	return r->slave;
}

void relay_close_slave(struct relay *r)
{
	if (r->slave >= 0)
		close(r->slave);
	r->slave = -1;
}

void relay_set_leader(struct relay *r, pid_t leader)
{
	if (send(r->control, &leader, sizeof(leader), MSG_NOSIGNAL) < 0)
		log_debug("no process relays the terminal of %d", (int)leader);
}

void relay_destroy(struct relay *r)
{
	if (!r)
		return;
	relay_close_slave(r);
	shutdown(r->control, SHUT_WR);
	poll(&(struct pollfd){ .fd = r->control, .events = POLLIN }, 1, FINISH_MS + 1000);
	close(r->control);
	free(r);
}
