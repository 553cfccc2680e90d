/*
 * holds: threads that wait inside the hook, before the operation of their event happens (--hold).
 *
 * The probe knows names only. The thread of an event whose name may match waits until its record is
 * decoded (drain.h), and then either continues at once or is held. It is released when the user or
 * an action says so, when the recorder leaves or pauses, and, by the probe itself, when the
 * recorder dies (probe/hold.h). The operation happens in every case.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/vec.h"
#include "base/hold_list.h"

struct recorder;
struct snapshot_job;
struct tap;

/* A copy of the capture that can be read, up to the event in question. */
struct control_message;
struct hold_copy {
	int fd;
	uint64_t n_before; /* events in earlier files; another number: fd is another capture */
};

/* A thread that is held. */
struct hold_info {
	uint32_t process; /* index in the capture */
	pid_t pid, tid;   /* tid: 0 unknown */
	uint64_t seq;     /* of its event, in the copy */
	uint32_t hold;    /* which of them it matches: hold_row.id */
};

/* What hold_options.begin() returns instead of a descriptor. */
#define HOLD_KEEP     (-1) /* hold it until the recorder is told to release it */
#define HOLD_CONTINUE (-2)

/* Who decides. The functions belong to the owner of the recorder, which knows filters. */
struct hold_options {
	/* May an event of this name match? */
	bool (*may_match)(void *ctx, const struct hold_copy *copy, const char *name,
			  uint32_t n_bytes);
	/* Is its thread to be held? *ret: the id of the hold, 0 no. NULL: nothing is ever held. An
	 * error says why that cannot be known; then it is not held. */
	struct err *(*matches)(void *ctx, const struct hold_copy *copy, uint64_t seq,
			       uint32_t *ret);
	/* The thread is held from now on: do what is to be done. Returns HOLD_*, or a descriptor,
	 * which the recorder takes over, and which does not block: the thread is released when it
	 * has reached its end. A byte other than 0 says that the action failed. */
	int (*begin)(void *ctx, const struct hold_copy *copy, const struct hold_info *info);
	/* It is released. */
	void (*end)(void *ctx, const struct hold_info *info, uint64_t held_ns);
	/* Is there a hold that is on? */
	bool (*is_any)(void *ctx);
	/* A request of the viewer, CONTROL_HOLD*. NULL: it cannot be changed. */
	struct err *(*change)(void *ctx, const struct control_message *m);
	/* List the holds, at most HOLDS_MAX. */
	void (*list)(void *ctx, struct hold_list *to);
	/* Has what is held changed since this was last asked? Then names are asked for again. */
	bool (*has_changed)(void *ctx);
	void *ctx;
};

struct held {
	struct tap *tap;
	uint64_t ticket; /* of its place in the ring (abi.h, ring_hold) */
	uint32_t place;
	int fd;            /* an action is at work until its end; -1: none */
	bool has_failed;   /* the action said so */
	bool is_done;      /* it is released when its variables are read */
	uint8_t locals;    /* enum held_locals_state */
	uint64_t since_ns; /* monotonic */
	uint64_t n_before; /* events of earlier files, which info.seq does not count */
	struct hold_info info;
};

/* What one place of a ring was last seen to hold. */
struct hold_seen {
	uint64_t ticket, since_ns; /* since_ns: of holds.watched_ns */
};

struct holds {
	VEC(struct held) v;
	bool is_on;            /* there is a hold; a thread may wait for a decision even if not */
	bool was_on;           /* … or was */
	bool reads_names;      /* verdicts are read without any hold, too */
	struct hold_list told; /* what the viewer was last told */
	uint64_t hot_ns;       /* when a thread last began to wait, and … */
	uint64_t gap_ns;       /* how long after the one before */
	uint64_t look_ns;      /* when the places were last looked at, and … */
	uint64_t watched_ns;   /* for how long they have been, without the time of a stall */
	bool has_slack;        /* naps are exact */
	bool has_failed;       /* a match could not be decided, which was reported */
	bool has_refused;      /* a thread may not sleep, which was reported */
	bool has_no_locals;    /* variables could not be read, which was reported */
	/* it reads the variables of the thread that is HELD_LOCALS_READING; NULL: none */
	struct snapshot_job *job;
	uint64_t job_ns; /* its begin */
};

/* Called once, before targets are attached to. */
void holds_init(struct recorder *r);
/* A request of the viewer, CONTROL_HOLD*: from the next event on. */
MUST_CHECK struct err *holds_change(struct recorder *r, const struct control_message *m);
/* The list for the viewer. Returns false if it is the same as when this was last called. */
bool holds_report(struct recorder *r, struct hold_list *ret);
bool holds_are_on(const struct recorder *r);
/* The record at `tail` of a slot has RECORD_HOLD, and was taken: decide about the thread that waits
 * for that. is_written: it became the newest event of the capture. */
void holds_decide(struct recorder *r, struct tap *t, uint32_t slot, uint64_t tail, bool is_written);
/* Release the threads whose actions are done, and note those that continued by themselves. Cheap if
 * no thread waits. */
void holds_poll(struct recorder *r);
/* Release all that are held now. */
void holds_release(struct recorder *r);
/* Has a thread begun to wait for a decision within the last second? Then others may, and what takes
 * milliseconds keeps them waiting. */
bool holds_are_hot(const struct recorder *r);
/* Is an action of a held thread at work? */
bool holds_are_acting(const struct recorder *r);
/* Instead of sleeping in the poll loop: wait until a thread may need a decision, for at most
 * timeout_ms. */
void holds_wait(struct recorder *r, int timeout_ms);
void holds_fini(struct recorder *r);
