/*
 * unwatched: processes that look like Python and are not watched, and why: PyPy, too old,
 * translated by an emulator, refused by the kernel. Each cause is reported when it is met and once
 * more at the end, however many processes have it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "recorder/self_tracing.h"

struct err;
struct process;
struct recorder;

struct unwatched {          /* one cause */
	char *cause, *text; /* malloc'ed: to compare, and for the user */
	pid_t first_pid, last_pid;
	unsigned n_processes;
};

/* A process that may be Python is not watched, for this reason. */
void unwatched_add(struct recorder *r, pid_t pid, const struct err *err);
/* A Python could not be watched when it started. The reason may pass, so it is tried again. Takes
 * err. */
void unwatched_set_late(struct recorder *r, struct process *p, struct err *err);
/* It is watched by now: what it raised before is missing. */
void unwatched_end_late(struct recorder *r, struct process *p);
/* It ends, or the recorder does, and it never was watched. */
void unwatched_add_late(struct recorder *r, struct process *p);
/* A process runs a program that cannot be followed, or whose children cannot. */
void unwatched_add_tracer(struct recorder *r, pid_t pid, enum self_tracing why);
/* A process that is not followed has executed another program. */
void unwatched_add_exec(struct recorder *r, pid_t pid);
/* A child was forked while descriptors were short. */
void unwatched_note_shortage(struct recorder *r);
/* Look at a followed program that did not start as a Python that can be watched: is it one that
 * cannot be, as an emulator that has loaded its guest, or a 32-bit program? is_last: the program
 * ends now. */
void unwatched_look(struct recorder *r, struct process *p, bool is_last);
/* Look at a process at its exec: has the kernel ignored the set-user-ID bit of its file, because of
 * us? */
void unwatched_look_for_lost_rights(struct recorder *r, pid_t pid);
/* The lines for the end, without a newline behind the last; "" if there is nothing to say. */
void unwatched_say(const struct recorder *r, char *to, size_t cap);
void unwatched_fini(struct recorder *r);
