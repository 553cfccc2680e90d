/*
 * control: how a viewer talks to the recorder it started: fixed-size messages over a SOCK_SEQPACKET
 * pair.
 *
 * The recorder is a process of its own. If the socket closes (the viewer died), it leaves the
 * target cleanly and closes the file. Requests go to the recorder, reports come back; nothing waits
 * for an answer.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "recorder/session_end.h"

enum control_request {
	CONTROL_PAUSE = 1, /* hooks stay, events are not taken */
	CONTROL_RESUME,
	/* leave everything and finish; of a launched program --on-exit tells (wait: it runs on) */
	CONTROL_DETACH,
	CONTROL_TERM, /* send SIGTERM to the launched program, go on capturing its end */
	CONTROL_KILL,
	CONTROL_FOLLOW, /* follow children from now on */
	/* leave the targets, but stay: CONTROL_ATTACH goes back to those that live */
	CONTROL_LEAVE,
	CONTROL_ATTACH,
	/* leave everything, but wait for a launched program, whose exit status is ours */
	CONTROL_STOP,
	CONTROL_WAIT, /* the viewer is leaving: go on until the program ends */
	/* as CONTROL_DETACH, and a launched program runs on whatever --on-exit tells */
	CONTROL_RELEASE,
	/* with --keep: write what is kept to the capture `path`; the answer is a report */
	CONTROL_DUMP,
	CONTROL_CONTINUE, /* release the threads that are held */
	/* Hold threads of events that the filter `path` matches, from the next event on. argument:
	 * so many matches are ignored; flags: enum hold_flag. The answers to this and the next
	 * three are a hold_list, or a report if it is refused. */
	CONTROL_HOLD,
	CONTROL_HOLD_SWITCH, /* the hold `argument` (0: all) gets `flags` */
	CONTROL_HOLD_IGNORE, /* the hold `argument` ignores the next `flags` matches */
	CONTROL_HOLD_REMOVE  /* remove the hold `argument`; 0: all */
};

enum { CONTROL_PATH_BYTES = 1024 };

enum recorder_state {
	RECORDER_STARTING,
	RECORDER_LIVE,
	RECORDER_PAUSED,
	RECORDER_DETACHED,
	RECORDER_ENDED
};

struct control_message {
	uint32_t request; /* enum control_request */
	uint32_t flags;
	uint64_t argument;
	char path[CONTROL_PATH_BYTES]; /* NUL-terminated; relative to the folder of both */
};

struct control_report {
	uint32_t state; /* enum recorder_state */
	/* it never began: text and hint say why, and exit_status is the one for main */
	uint32_t failed;
	int32_t exit_status;
	/* it answers a CONTROL_DUMP: text says what was written; `failed`: why nothing was. The
	 * other members mean nothing. */
	uint32_t is_answer;
	/* as far as it is known; the last word once the state is RECORDER_ENDED */
	struct session_end end;
	char text[512];
	char hint[256];
};
