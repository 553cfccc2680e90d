/*
 * follow: launch a program, stay with processes across fork and exec, tell when one is about to run
 * its first instruction.
 *
 * Everything ptrace(2) asks of a tracer that stays: signals pass through untouched, group stops
 * stay stops, new threads and children are let go at once. The start of a program is met at the
 * last system calls of its loader (system/loader.h): all modules are mapped then, one thread,
 * nothing can race, and should we be killed at any moment the program just goes on. A program
 * without Python may load one later: it is met at the loader's _dl_debug_state, by a tripwire
 * (visit/tripwire.h). Where the kernel will not have that, it has to be looked at
 * (follow_is_blind()).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "recorder/launch.h"
#include "recorder/self_tracing.h"

struct follow;

struct follow_ops {
	/* Thread tid of pid stands behind its loader's work, or at a later load of modules; nothing
	 * of Python has run yet. Arm it if it is Python. is_complete: all modules are as the
	 * program will find them; else this is called again, and what cannot be armed now may be by
	 * then. True: done with this image; false: no Python here yet. */
	bool (*at_entry)(void *ctx, pid_t pid, pid_t tid, bool is_complete);
	void (*execed)(void *ctx, pid_t pid); /* the old image is gone */
	/* Told when a child stops first, and again at its parent's event if that comes later: then
	 * is_new is false. */
	void (*forked)(void *ctx, pid_t parent, pid_t child, bool is_new);
	/* A forked process stands at its first stop, and forked() was told of it: it can be made to
	 * call. Other newborns stand still meanwhile. May be NULL. */
	void (*born)(void *ctx, pid_t pid);
	void (*cloned)(void *ctx, pid_t pid, pid_t tid); /* a new thread; may be NULL */
	/* a tracee or child process ended, wait(2) status */
	void (*exited)(void *ctx, pid_t pid, int status);
	/* It has become a program that cannot be followed, or whose children cannot: once its start
	 * is over it is let go. */
	void (*unfollowed)(void *ctx, pid_t pid, enum self_tracing why);
	/* A followed process is about to end; its memory and mappings are still there, it waits for
	 * this to return. Told of every process if wants_leaving is set, else of those in whose
	 * program at_entry() has found nothing. NULL: nobody needs to know. */
	void (*leaving)(void *ctx, pid_t pid);
	bool wants_leaving;
	/* Thread tid of pid stands before the delivery of SIGSEGV or SIGSYS. True: that was of our
	 * making, the program must not get it. May be NULL. */
	bool (*faulted)(void *ctx, pid_t pid, pid_t tid, int signal);
};

MUST_CHECK struct err *follow_create(const struct follow_ops *ops, void *ctx, struct follow **ret);
/* Lets every tracee go, then frees. */
void follow_destroy(struct follow *f);

/* Start a program, which launch_prepare() has been called for. With `children` fork and exec of its
 * descendants are followed too; otherwise it is let go as soon as at_entry() says so. The error
 * names the program. */
MUST_CHECK struct err *follow_launch(struct follow *f, const struct launch *launch, bool children,
				     pid_t *ret_pid);
/* Seize all threads of a running process, to follow its children. `awaits_python`: there is none in
 * it, and if one of the threads and processes that it makes from now on loads one, at_entry() is
 * told. */
MUST_CHECK struct err *follow_seize(struct follow *f, pid_t pid, bool awaits_python);
/* It awaits a libpython, and some thread of it cannot be met there: nobody will tell. */
bool follow_is_blind(const struct follow *f, pid_t pid);
/* It has executed a program that has not come to its entry point: what its memory shows is not yet
 * what the program will find there. */
bool follow_is_starting(struct follow *f, pid_t pid);
/* A running process has the probe: what it makes need not be watched for a libpython any more. */
void follow_found_python(struct follow *f, pid_t pid);
/* Handle what has happened; never waits. */
void follow_poll(struct follow *f);
bool follow_has(const struct follow *f, pid_t pid); /* are its threads ours? */
/* and will they stay so, once it has started? */
bool follow_keeps(const struct follow *f, pid_t pid);
size_t follow_n_tracees(const struct follow *f);
/* Stop following: every tracee is detached from, within timeout_ns. */
void follow_release(struct follow *f, uint64_t timeout_ns);
