/*
 * session: from the command line to a recorder at work, in this process (record) or in one of its
 * own (print, view, try).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "recorder/recorder.h"

struct options;
struct capture_filter;
struct until;

/* What a capture needs of the command line. */
struct capture_plan {
	struct recorder_options recorder;
	struct capture_filter *filter;
	struct until *until; /* --until; NULL: none */
	/* program to launch, NULL-terminated; NULL = attach to o->pids */
	char **argv;
	char **argv_script, *argv_own[2]; /* what of argv is ours */
};
MUST_CHECK struct err *capture_plan_make(const struct options *o, const char *path,
					 struct capture_plan *ret);
void capture_plan_fini(struct capture_plan *p);
/* Attach to all, or launch. */
/* May all processes that were named be attached to? Asked before a file of an earlier capture is
 * overwritten. */
MUST_CHECK struct err *capture_plan_check(const struct options *o);
MUST_CHECK struct err *capture_plan_start(const struct capture_plan *p, const struct options *o,
					  struct recorder *r, const struct follow_stdio *io);

/* ---- a recorder in a process of its own ---- */

struct session {
	pid_t pid; /* of the recorder; 0 once it was reaped */
	int control_fd;
	char *path;   /* of the capture, once it is finished */
	char *now_at; /* where it grows until then */
	char *folder; /* made for this capture alone; NULL: the usual one */
	/* what the program writes, with --no-tty; NULL: it goes elsewhere */
	struct new_file *output;
	bool is_temporary;          /* to be removed at the end */
	struct control_report last; /* newest report */
	unsigned n_reports;
	bool asked;       /* the recorder was told to leave: once is enough */
	bool ended;       /* the recorder has said goodbye, or is gone */
	bool is_finished; /* session_finish() was here */
	/* `end` is told: by the recorder, or, in session_finish(), of it */
	bool has_end;
	struct session_end end;
};

/* Start it and wait until it has attached or launched: an error it met is returned here. path:
 * where the capture goes, NULL = a fresh one under $XDG_CACHE_HOME/auditview. `io`: descriptors for
 * a launched program. */
MUST_CHECK struct err *session_start(const struct options *o, const char *path,
				     const struct follow_stdio *io, struct session **ret);
/* A descriptor that is the viewer's alone, and no recorder's that is started from now on. False:
 * memory is short. */
bool session_keep_from_recorders(int fd);
void session_close(int fd); /* close(2) of such a one; -1 is fine */
/* Take in reports without waiting. False when nothing was new. */
bool session_poll(struct session *s);
void session_request(struct session *s, enum control_request request);
/* Wait for news, at most timeout_ns; true if it has ended. A signal ends the wait early. */
bool session_wait(struct session *s, uint64_t timeout_ns);

/*
 * The one way to the end of a session: the recorder is asked to leave (unless it was, or ends by
 * itself: `waits`), waited for and reaped; then s->end holds what there is to say. If the recorder
 * died, the file is counted; if it does not answer, that is said. Signals that would end this
 * process are taken meanwhile: the first one ends the waiting for the program, a further one
 * hurries.
 */
void session_finish(struct session *s, bool waits);
/* What session_finish() found, on standard error. `path`: NULL if the capture is nobody's business.
 */
void session_say(const struct session_end *e, const char *path, bool is_quiet);
/* The output of the program takes its place; and the same, saying where it is. */
MUST_CHECK struct err *session_end_output(struct session *s);
void session_say_output(struct session *s, bool is_quiet);
/* Where the capture is: it has taken its place only if it is whole. */
const char *session_end_path(const struct session_end *e, const char *path, const char *now_at);
void session_destroy(struct session *s); /* finishes it, if that was not done; NULL is fine */
DEFINE_CLEANUP(session);

/* Until released SIGINT, SIGTERM, SIGHUP and SIGQUIT do not end this process, but for those that it
 * ignores; they end waits. The pair may be nested. */
void session_catch_signals(void);
void session_release_signals(void);
unsigned session_n_signals(void); /* that came since */
/* of these all but Ctrl-C and Ctrl-\ of the terminal, which the recorder got too and answers */
unsigned session_n_asked_to_end(void);
