/*
 * follow: launch a program, trace processes across fork and exec, and report when a program is
 * about to run its first instruction.
 *
 * It does what ptrace(2) demands of a tracer: signals are passed on unchanged, group-stops stay in
 * force, new threads and children are resumed at once. The start of a program is noticed at the
 * last system calls of its loader (system/loader.h). All modules are mapped then, there is one
 * thread, and if we are killed the program continues. A program without Python may load one later.
 * This is noticed by a tripwire at the loader's _dl_debug_state (visit/tripwire.h), or, if the
 * kernel refuses that, has to be checked for (follow_is_blind()).
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
	/* Thread tid of pid is at the end of its loader's work, or at a later load of modules. No
	 * code of Python has run yet. Arm it if it is Python. is_complete: all modules are as the
	 * program will find them; else this is called again, when what cannot be armed now may be
	 * ready. Return true if nothing more is to be done with this program, false if it has no
	 * Python yet. */
	bool (*at_entry)(void *ctx, pid_t pid, pid_t tid, bool is_complete);
	void (*execed)(void *ctx, pid_t pid); /* the old program is gone */
	/* Called at the first stop of a child, and again at its parent's event if that comes later:
	 * then is_new is false. */
	void (*forked)(void *ctx, pid_t parent, pid_t child, bool is_new);
	/* A forked process is at its first stop, after forked() was called for it, so it can be
	 * made to make calls. Other newborn processes stay stopped meanwhile. May be NULL. */
	void (*born)(void *ctx, pid_t pid);
	void (*cloned)(void *ctx, pid_t pid, pid_t tid); /* a new thread; may be NULL */
	/* a followed or launched process has ended; status: as of wait(2) */
	void (*exited)(void *ctx, pid_t pid, int status);
	/* It runs a program that cannot be followed, or whose children cannot. It is detached from
	 * when its loader is done. */
	void (*unfollowed)(void *ctx, pid_t pid, enum self_tracing why);
	/* A followed process is about to end, and waits for this to return. Its memory and mappings
	 * are still there. Called for every process if wants_leaving is set, else for those in
	 * whose program at_entry() found nothing. NULL: not called. */
	void (*leaving)(void *ctx, pid_t pid);
	bool wants_leaving;
	/* SIGSEGV or SIGSYS is about to be delivered to thread tid of pid. Return true if the probe
	 * has caused it, so that the program does not get it. May be NULL. */
	bool (*faulted)(void *ctx, pid_t pid, pid_t tid, int signal);
};

MUST_CHECK struct err *follow_create(const struct follow_ops *ops, void *ctx, struct follow **ret);
/* Detaches from every tracee, then frees. */
void follow_destroy(struct follow *f);

/* Start a program for which launch_prepare() has been called. children: fork and exec of its
 * descendants are followed too; otherwise it is detached from as soon as at_entry() returns true.
 * The error names the program. */
MUST_CHECK struct err *follow_launch(struct follow *f, const struct launch *launch, bool children,
				     pid_t *ret_pid);
/* Seize all threads of a running process, to follow its children. awaits_python: it has no Python,
 * so at_entry() is called if it, or what it makes from now on, loads one. */
MUST_CHECK struct err *follow_seize(struct follow *f, pid_t pid, bool awaits_python);
/* Does a process without Python have a thread without a tripwire? What that thread loads is not
 * reported. */
bool follow_is_blind(const struct follow *f, pid_t pid);
/* Is the loader of its program still at work? Then its memory is not yet as the program will find
 * it. */
bool follow_is_starting(struct follow *f, pid_t pid);
/* A running process has the probe, so threads and processes that it makes need no tripwire. */
void follow_found_python(struct follow *f, pid_t pid);
/* Serve all stops and ends of tracees. Does not wait for more. */
void follow_poll(struct follow *f);
bool follow_has(const struct follow *f, pid_t pid); /* are threads of it tracees? */
/* will they be, after its program has started? */
bool follow_keeps(const struct follow *f, pid_t pid);
size_t follow_n_tracees(const struct follow *f);
/* Stop following: detach from every tracee, within timeout_ns. */
void follow_release(struct follow *f, uint64_t timeout_ns);
