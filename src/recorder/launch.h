/*
 * launch: what a program that we launch is given: streams, terminal, user, and all that it would
 * have inherited without us.
 *
 * A program that runs as another user gets a session of its own, without our terminal: a program
 * that shares a terminal with a shell can type into it (TIOCSTI, tty_ioctl(4)), read what is typed,
 * and send signals to its foreground. If one of its streams is a terminal, it gets another in place
 * of it, and relay.h passes on what goes in and out.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct follow_stdio {
	int in, out, err; /* -1: as ours */
	int terminal;     /* slave of a pseudo-terminal that becomes the controlling one; -1 none */
};

struct launch {
	char *const *argv; /* looked up in PATH */
	const char *user;  /* NULL: as ours */
	struct follow_stdio io;
	bool may_outlive_us; /* it may be left running when we end */
	/* set by launch_prepare() */
	bool own_session; /* it is in no session with our terminal: signals from the keyboard reach
			     us alone, unless it has ... */
	struct relay *relay; /* ... a terminal in place of ours; NULL if not */
};

/* Check the user, and make what a program of another user needs. ERR_USAGE if there is no such
 * user. */
MUST_CHECK struct err *launch_prepare(struct launch *l);
/* Fork the process that becomes the program once *ret_go is closed. If that fails, an int can be
 * read from *ret_report, which is for launch_error(); end of file if the program has started. Both
 * descriptors are the caller's. */
MUST_CHECK struct err *launch_fork(const struct launch *l, pid_t *ret_pid, int *ret_go,
				   int *ret_report);
/* Why the program was not started. report: as it was read from *ret_report. Never NULL. */
MUST_CHECK struct err *launch_error(const struct launch *l, int report);
/* The program has started, or will not. In the parent. */
void launch_settle(struct launch *l, bool has_started);
