/*
 * child: a program of our own on the other end of a pipe.
 */
#pragma once
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

/* Make a pipe and fork. *ret_pid is 0 in the child; both sides hold both ends, reading [0] and
 * writing [1]. `program` is for the message. */
MUST_CHECK struct err *child_fork(const char *program, int ret_fds[2], pid_t *ret_pid);
/* Wait for its end, whatever interrupts: the status of waitpid(2), or -1. */
int child_wait(pid_t pid);
