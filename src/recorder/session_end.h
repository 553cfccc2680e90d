/*
 * session_end: how a session ended. One struct of facts, and the only functions that put it into
 * words and into an exit status.
 *
 * Each fact comes from the part that knows it: the recorder says what it left and lost, the writer
 * says what the file holds. If the recorder died before it could say anything, the process that
 * started it says so (session_end_died()). A fact that was not reported is unknown: every zero
 * means "not known", and nothing is ever concluded from a zero.
 *
 * The struct has no pointers: it travels over the control socket as it is.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct strbuf;

enum end_answer { END_UNKNOWN, END_NO, END_YES };

/* Why recording stopped. */
enum end_stop {
	END_STOP_UNKNOWN,
	END_STOP_TARGET_ENDED,
	/* by the viewer: the user left the screen, or it is over for another reason of the viewer's
	 */
	END_STOP_ASKED,
	END_STOP_SIGNAL,
	END_STOP_LIMIT,        /* --limit */
	END_STOP_DURATION,     /* --duration */
	END_STOP_UNTIL,        /* --until */
	END_STOP_WRITE_FAILED, /* the capture cannot be written any more */
	END_STOP_VIEWER_DIED,
	END_STOP_RECORDER_DIED,
	END_STOP_RECORDER_SILENT, /* it lives and does not answer: stopped, or it hangs */
	END_STOP_COUNT
};

/* Why an event that was raised while we recorded is not in the file. */
enum end_loss {
	/* the probe might not wait (--may-drop, a seccomp filter), or had given up on a silent
	   recorder */
	LOSS_RING_FULL,
	/* there was no part of the ring for its process, or no lane for its thread */
	LOSS_NO_SLOT,
	LOSS_MALFORMED, /* its record is malformed: the target wrote over it */
	LOSS_TORN,      /* its process was killed while it was being written down */
	LOSS_UNWRITTEN, /* the file could not be written */
	LOSS_NOT_READY, /* the probe was not mapped yet (visit/lazy_link.h) */
	LOSS_COUNT
};

struct end_target {
	int32_t pid;
	uint8_t restored; /* enum end_answer */
	uint8_t pad[3];
	/* not restored, or not known: what is left, or what could not be looked at */
	char left[192];
};
#define END_TARGETS_MAX 8 /* of those that are told one by one: not restored, or not known */

struct session_end {
	uint8_t stop;         /* enum end_stop */
	uint8_t is_launched;  /* the target was started by us */
	uint8_t target_ended; /* enum end_answer; of the first target */
	uint8_t restored;     /* enum end_answer; of all targets together */
	uint8_t is_counted;   /* n_events is known */
	/* lost[] is all that was lost; else it is what is known of it */
	uint8_t is_loss_known;
	uint8_t is_file_whole;      /* enum end_answer; the capture was closed as it should be */
	uint8_t are_children_known; /* n_children is known */
	/* the capture went into a pipe whose reader has left: the rest is no loss */
	uint8_t reader_left;
	uint8_t target_execed;     /* it runs another program, which is not watched */
	uint8_t has_action_failed; /* --do: a command failed, or could not be run */
	/* the program that we started is a Python that we can watch, and it was not watched */
	uint8_t is_launched_unwatched;
	/* wait(2) status of the first target; -1 not known, or it still runs */
	int32_t exit_status;
	/* wait(2) status of the recorder, when it died; -1 not known */
	int32_t recorder_status;
	int32_t recorder_pid; /* of one that does not answer; 0 else */
	int32_t keeper_pid;   /* holds the terminal of the program that lives on; 0 none */
	int32_t target_pid;   /* the first target; 0 there was none */
	/* that the file holds (at the end), or that were taken so far (in a report) */
	uint64_t n_events;
	uint64_t n_counted;        /* events that the probe counted; they are not among n_events */
	uint64_t lost[LOSS_COUNT]; /* events, by enum end_loss */
	uint64_t n_children;       /* whose events are in the capture */
	/* that were seen to be started, and whose events are not */
	uint64_t n_children_not_followed;
	/* --hold: threads that were held, and for how long at most; those that should have been,
	 * and could not */
	uint64_t n_held, held_ns, n_not_held;
	uint64_t pause_ns; /* longest that a thread of a target stood still for us */
	/* processes that are not restored, or of which that is not known */
	uint32_t n_left, n_left_unknown;
	struct end_target targets[END_TARGETS_MAX];
	char write_error[256]; /* why the file is not whole; "" if it is, or if that is unknown */
	char write_hint[160];
	char unwatched[640]; /* which Pythons were not watched, and why: lines; "" none */
};

/* Nothing is known yet. */
void session_end_init(struct session_end *e);
/* Add what became of one process; `left`: what is left of us in it, or what could not be checked.
 * Called for every target: a session without any counts as restored. */
void session_end_add_target(struct session_end *e, pid_t pid, enum end_answer restored,
			    const char *left);
/* The recorder has reported nothing, so everything that it knows is unknown. It has died with this
 * status of wait(2), -1 unknown; or, if silent_pid is not 0, it lives and does not answer. */
void session_end_died(struct session_end *e, int status, pid_t silent_pid);
/* What the file really holds, as a reader counted it. */
void session_end_count(struct session_end *e, uint64_t n_events);

uint64_t session_end_n_lost(const struct session_end *e); /* as far as known */
/* "the ring was full", for notes and for the goodbye line. */
const char *session_end_loss_text(enum end_loss loss);

/* The goodbye line, without a newline. `path`: the capture, NULL: it is not named.
 * "1 204 311 events, 0 lost, 3 children, longest pause 0.3 ms, target restored: yes, FILE" */
void session_end_add_line(const struct session_end *e, const char *path, struct strbuf *to);
/* The part of it that begins with "target restored: ". */
void session_end_add_restored(const struct session_end *e, struct strbuf *to);
/* The text for standard error, in which every line begins with "auditview: ": all lines, or only
 * what went wrong if is_quiet. */
void session_end_add_all(const struct session_end *e, const char *path, bool is_quiet,
			 struct strbuf *to);

/* Exit status for main. If a launched program has ended: its own (128 + N for a signal), but never
 * 0 if we failed. Else 0 if all went well, 1 if something failed: the file is not whole, a target
 * is not restored or that is unknown, the recorder died. */
int session_end_status(const struct session_end *e);
bool session_end_failed(const struct session_end *e);
