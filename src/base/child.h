/*
 * child: run a program of our own and read its output through a pipe.
 */
#pragma once
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

/* Make a pipe and fork. *ret_pid is 0 in the child. Both sides have both ends open: [0] to read,
 * [1] to write. `program` names the program in the error message. */
MUST_CHECK struct err *child_fork(const char *program, int ret_fds[2], pid_t *ret_pid);
/* In a child that works for its owner: what the terminal's keys send is for the owner, which ends
 * the child; an output without a reader is an error; the other signals have their default. */
void child_leave_keys(void);
/* Wait until the child ends; restarted after EINTR. Returns the status of waitpid(2), or -1. */
int child_wait(pid_t pid);
