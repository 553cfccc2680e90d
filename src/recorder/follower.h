/*
 * follower: what the recorder does when follow.h reports that a process was forked, has called
 * exec, stands at an entry, or ends.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"

struct recorder;

/* Make r->follow. Its reports come from follow_poll(), and from every wait for a thread
 * (visit/ptrace.h, ptrace_serve()). */
MUST_CHECK struct err *follower_create(struct recorder *r);
