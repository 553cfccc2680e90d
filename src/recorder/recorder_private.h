/*
 * recorder_private: the state of a recorder, shared by the files of this folder. What belongs to
 * one part is declared in the header of that part.
 */
#pragma once
#include <poll.h>
#include <signal.h>

#include "base/vec.h"
#include "capture/writer.h"
#include "recorder/asks.h"
#include "recorder/clock.h"
#include "recorder/drain.h"
#include "recorder/follow.h"
#include "recorder/forks.h"
#include "recorder/heirs.h"
#include "recorder/holds.h"
#include "recorder/packages.h"
#include "recorder/phase.h"
#include "recorder/recorder.h"
#include "recorder/session_end.h"
#include "recorder/tap.h"
#include "recorder/unwatched.h"
#include "recorder/waiting.h"
#include "recorder/wanted.h"

struct image_store;
struct process;
struct redactor;

struct recorder {
	struct recorder_options options;
	struct clock_map clock;
	struct writer *writer;
	struct redactor *redactor; /* NULL: secrets are kept */
	struct follow *follow;
	struct image_store *images; /* ELF files of native stacks, shared by all processes */
	VEC(struct tap *) taps;
	VEC(struct waiting) waiting;
	VEC(struct process *) processes;
	VEC(struct unwatched) unwatched;
	VEC(struct heir) heirs;
	struct forks forks;
	struct asks asks;
	struct holds holds;
	VEC(struct other_name) other_names; /* wanted.h */
	struct draining draining;
	struct packages packages;
	struct process *first; /* the first target */
	unsigned n_roots, n_interrupts;
	struct launch launch; /* of the program that was launched */
	enum { LAUNCHED_NONE, LAUNCHED_STARTS, LAUNCHED_RUNS, LAUNCHED_ENDED } launched;
	pid_t launched_pid;  /* 0 none */
	int launched_status; /* as of wait(2), once it has ended */
	enum phase phase;
	bool is_told_to_end; /* by a signal or the viewer: no launched program is waited for */
	bool is_paused;      /* rings are held, at the viewer's request */
	bool viewer_left;    /* the viewer has said that it leaves */
	bool recycle_due;    /* client_recycle_ended() has something to do */
	bool masked;         /* old_mask is to be restored */
	int signal_fd;
	sigset_t signals, old_mask; /* signals: those that signal_fd reports */
	uint64_t started_ns, heartbeat_ns, check_ns, report_ns, relink_ns, modules_ns;
	uint64_t counts_ns; /* monotonic_ns() when counters were last read */
	uint64_t n_unserved, n_children;
	bool has_noted_shortage;     /* of descriptors */
	uint64_t sockets_ns;         /* monotonic_ns() when lists of sockets were last wanted, */
	int64_t sockets_left_ns;     /* and for how long they may be read now */
	uint64_t names_ns;           /* monotonic_ns() when names of threads were last read, */
	int64_t names_left_ns;       /* and for how long that may be done now */
	uint64_t pause_ns;           /* the longest of the taps that are over */
	VEC(struct pollfd) poll_fds; /* scratch of wait_for_more() */
	/* what is known of the end so far; losses are counted here (notes_add_lost()) */
	struct session_end end;
};
