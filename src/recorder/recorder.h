/*
 * recorder: rings → capture file. One thread, one poll loop; the only part that ptraces.
 *
 *     recorder_create → recorder_attach() / recorder_launch() → recorder_run() → recorder_destroy()
 *
 * It ends when every target has ended, when told to (signal, control socket, --duration, --limit),
 * or on an error that leaves nothing to do. However it ends, targets that live are left as they
 * were found.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "capture/writer.h"
#include "recorder/control.h"
#include "recorder/follow.h"
#include "recorder/holds.h"
#include "visit/probe_link.h"

struct new_file;
struct recorder;
struct turner;

struct recorder_options {
	struct new_file *file; /* the capture; the recorder takes it over */
	const char *path;      /* of the capture, as the user named it */
	struct turner *turner; /* NULL: there is one file; borrowed */
	/* flags: stack and drop mode; the clock flag is the recorder's own business */
	struct probe_options probe;
	bool follow; /* children across exec too */
	/* nothing is followed: forked children are left alone, too */
	bool only_targets;
	bool keep_secrets;           /* --no-redact */
	uint64_t duration_ns, limit; /* 0 = none */
	struct writer_gate until;    /* .fn NULL: none; says which event is the last (--until) */
	/* NULL: every event. Asked only with probe.filter_on. */
	bool (*wants)(void *ctx, const char *name, uint32_t n_bytes);
	void *wants_ctx;
	struct hold_options hold; /* needs probe.filter_on and known_name */
	/* the most that is kept of the variables of a held thread's frames; 0: they are not */
	uint32_t hold_locals_bytes;
	/* probe.counts: how often what was counted is written to the capture */
	uint64_t count_ns;
	/* The names that wants() is asked for before any event comes, so that no such event that is
	 * not wanted is written, waited for, or counted as lost. NULL behind the last. */
	const char *(*known_name)(size_t i);
	int control_fd; /* socket of the viewer; -1 none */
	/* the program has its own terminal: a SIGINT is for us alone */
	bool own_terminal;
	/* What becomes of a launched program when we end before it: waited for (but not after a
	 * signal), left, ended. */
	enum { RECORDER_WAIT, RECORDER_LEAVE, RECORDER_TERM, RECORDER_KILL } on_end;
};

MUST_CHECK struct err *recorder_create(const struct recorder_options *options,
				       struct recorder **ret);
void recorder_destroy(struct recorder *r); /* NULL is fine */
/* It will not run, for `err`: another target of the same command was refused. Those that were
 * attached to are left, and if one of them is not as it was, the error that is returned says that
 * too. Frees; r may be NULL. */
MUST_CHECK struct err *recorder_abandon(struct recorder *r, struct err *err);
DEFINE_CLEANUP(recorder);

/* Arm every runtime of a running process. The refusals of the design, each with cause and cure. */
MUST_CHECK struct err *recorder_attach(struct recorder *r, pid_t pid);
/* Launch a program and arm every Python in it from its first instruction. */
MUST_CHECK struct err *recorder_launch(struct recorder *r, char *const argv[], const char *user,
				       const struct follow_stdio *stdio);
/* Until the end, which *ret tells, a failure to write the capture file included (what was captured
 * before is kept). */
void recorder_run(struct recorder *r, struct session_end *ret);
