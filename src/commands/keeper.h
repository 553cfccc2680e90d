/*
 * keeper: holds the terminal of a program that was launched onto the screen, for when the screen is
 * gone and the program is not.
 *
 * The program's terminal is a pseudo-terminal whose master is ours. When the last process that has
 * the master ends, the kernel hangs the terminal up: the program gets SIGHUP, and its output fails
 * (pty(7), tty_ioctl(4)). So a small process has the master too, from the start, however the viewer
 * ends: it sleeps as long as the viewer has the terminal, then it reads what the program writes,
 * throws it away, and ends when nobody has the terminal open any more.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct keeper {
	pid_t pid; /* 0: none */
	int fd;    /* as long as it is open the viewer reads the terminal; -1 closed */
};
#define KEEPER_NONE ((struct keeper){ .fd = -1 })

MUST_CHECK struct err *keeper_start(int master_fd, struct keeper *ret);
void keeper_take_over(struct keeper *k); /* the viewer does not read the terminal any more */
/* Has it still somebody to keep the terminal for? Afterwards it is on its own. Reaps it if not. */
bool keeper_lives(struct keeper *k);
