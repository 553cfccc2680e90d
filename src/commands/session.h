/*
 * session: from the command line to a running recorder, in this process (record) or in one of its
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
struct holder;
struct until;

/* What a capture needs from the command line. */
struct capture_plan {
	struct recorder_options recorder;
	struct capture_filter *filter;
	struct until *until;   /* --until; NULL: none */
	struct holder *holder; /* --hold; NULL: none */
	/* program to launch, NULL-terminated; NULL = attach to o->pids */
	char **argv;
	char **argv_script, *argv_own[2]; /* the part of argv that we allocated */
};
MUST_CHECK struct err *session_plan_make(const struct options *o, const char *path,
					 struct capture_plan *ret);
void session_plan_fini(struct capture_plan *p);
/* May all named processes be attached to? Called before the file of an earlier capture is
 * overwritten. */
MUST_CHECK struct err *session_plan_check(const struct options *o);
/* Attach to all, or launch. */
MUST_CHECK struct err *session_plan_start(const struct capture_plan *p, const struct options *o,
					  struct recorder *r, const struct follow_stdio *io);

/* ---- a recorder in a process of its own ---- */

struct session {
	pid_t pid; /* of the recorder; 0 after it was reaped */
	int control_fd;
	char *path;   /* of the finished capture */
	char *now_at; /* of the capture while it grows */
	char *folder; /* a folder for this capture alone; NULL: the usual folder */
	/* --keep: now_at is the first piece, and the capture `path` is made at the end */
	bool keeps;
	/* output of the program with --no-tty; NULL: it goes elsewhere */
	struct new_file *output;
	bool is_temporary;          /* to be removed at the end */
	bool is_counting;           /* the target counts its events; the capture has few */
	struct control_report last; /* newest report */
	unsigned n_reports;
	/* the answer to the latest CONTROL_DUMP, or why a hold was refused, until it is taken */
	bool has_answer, answer_failed;
	char answer[512];
	struct hold_list holds; /* as the recorder last told */
	bool asked;             /* the recorder was asked to leave; it is asked once */
	bool ended;             /* the recorder has reported its end, or has exited */
	bool is_finished;       /* session_finish() was called */
	/* `end` is filled: by the recorder, or by session_finish() */
	bool has_end;
	struct session_end end;
};

/* Start the recorder and wait until it has attached or launched; its error is returned here. path:
 * where the capture goes, NULL = a new file under $XDG_CACHE_HOME/auditview. `io`: descriptors for
 * a launched program. */
MUST_CHECK struct err *session_start(const struct options *o, const char *path,
				     const struct follow_stdio *io, struct session **ret);
/* Close this descriptor in every recorder that is started from now on. False: memory is short. */
bool session_keep_from_recorders(int fd);
void session_close(int fd); /* close(2) for such a descriptor; -1 is fine */
/* Read reports without waiting. False if there was none. */
bool session_poll(struct session *s);
void session_request(struct session *s, enum control_request request);
/* With --keep: ask for a capture of what is kept. The answer comes later. ERR_USAGE: the path is
 * too long. ERR_BUSY: the recorder does not read. */
MUST_CHECK struct err *session_dump(struct session *s, const char *path);
/* Change what is held: CONTROL_HOLD*, with the members of control_message. A refusal comes as an
 * answer; else s->holds changes. text: NULL for none. ERR_USAGE: it is too long. ERR_BUSY: the
 * recorder does not read. */
MUST_CHECK struct err *session_hold(struct session *s, enum control_request request,
				    uint64_t argument, uint32_t flags, const char *text);
/* Wait for a report, at most timeout_ns; true if the session has ended. A signal ends the wait
 * early. */
bool session_wait(struct session *s, uint64_t timeout_ns);

/*
 * The only way to end a session: asks the recorder to leave (unless it was asked, or `waits`: it
 * ends by itself), waits for it and reaps it; then s->end holds the facts. If the recorder died,
 * the events in the file are counted; if it does not answer, s->end says so. Signals that would end
 * this process are handled meanwhile: the first one ends the wait for the program, a further one
 * makes the recorder hurry.
 */
void session_finish(struct session *s, bool waits);
/* Print s->end on standard error. `path`: NULL if the capture is not to be mentioned. */
void session_say(const struct session_end *e, const char *path, bool is_quiet);
/* Give the output file of the program its final name, and print where it is. */
void session_say_output(struct session *s, bool is_quiet);
/* Where the capture is: it has its final name only if it is complete. */
const char *session_end_path(const struct session_end *e, const char *path, const char *now_at);
/* The same of a session; of what a flight recorder has left in pieces, the first that is there.
 * Borrowed. */
const char *session_place(struct session *s);
/* calls session_finish() if that was not done; NULL is fine */
void session_destroy(struct session *s);
DEFINE_CLEANUP(session);

/* Until released, SIGINT, SIGTERM, SIGHUP and SIGQUIT end waits and not this process; ignored
 * signals stay ignored. Calls may be nested. */
void session_catch_signals(void);
void session_release_signals(void);
unsigned session_n_signals(void); /* how many came since */
/* the same without Ctrl-C and Ctrl-\ from the terminal, which the recorder gets and handles too */
unsigned session_n_asked_to_end(void);
