/*
 * arm: put the probe into processes: those that the user named, and their descendants.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct process;
struct recorder;

/* Link every runtime of a process that is not linked yet; the first failure counts only if none
 * succeeds. at_entry: the thread that is stopped by us before any code of Python has run; 0: there
 * is none. flags: enum process_flag, if the process is not known yet. *ret_any: at least one is
 * linked now. */
MUST_CHECK struct err *arm_process(struct recorder *r, pid_t pid, pid_t at_entry, uint32_t flags,
				   bool *ret_any);
/* Arm a process that the user named, and follow it if children are followed. */
MUST_CHECK struct err *arm_target(struct recorder *r, pid_t pid);
/* Follow a process from now on: what it forks and executes, and the children that it has. These are
 * armed if they are Python. */
MUST_CHECK struct err *arm_follow(struct recorder *r, pid_t pid);
/* Arm a process again that was left for a while. */
MUST_CHECK struct err *arm_again(struct recorder *r, struct process *p);
