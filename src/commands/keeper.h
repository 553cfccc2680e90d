/*
 * keeper: keeps the terminal of a launched program open when the screen ends before the program.
 *
 * The program's terminal is a pseudo-terminal whose master is ours. When the last process that has
 * the master open ends, the kernel hangs the terminal up: the program gets SIGHUP, and its output
 * fails (pty(7), tty_ioctl(4)). So a small process has the master open too, from the start. It
 * sleeps while the viewer reads the terminal. When the viewer has ended, for any reason, it reads
 * and discards what the program writes, and ends when no process has the terminal open any more.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct keeper {
	pid_t pid; /* 0: none */
	int fd;    /* while it is open the viewer reads the terminal; -1 closed */
};
#define KEEPER_NONE ((struct keeper){ .fd = -1 })

MUST_CHECK struct err *keeper_start(int master_fd, struct keeper *ret);
void keeper_take_over(struct keeper *k); /* the viewer no longer reads the terminal */
/* Does the keeper still have a program to keep the terminal for? If so, it runs on independently;
 * if not, it is reaped. */
bool keeper_lives(struct keeper *k);
