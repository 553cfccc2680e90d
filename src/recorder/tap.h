/*
 * tap: one armed runtime as the recorder sees it: the link, its ring, and the clients that write to
 * it. Processes that were forked from the armed one share the ring; each writes to slots of its
 * own.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "recorder/counts.h"

struct ask_seen;
struct client;
struct hold_seen;
struct link;
struct process;
struct recorder;

struct tap {
	struct link *link;
	struct process *process; /* the one that was armed */
	struct client **clients; /* [n_slots]; NULL: no client writes there */
	uint32_t n_slots;
	uint32_t seen_claims; /* ring_n_claims() when all slots were last seen */
	uint32_t n_verdicts;  /* in the ring */
	counted_names counted;
	bool are_verdicts_false; /* the target wrote over them, which was reported */
	uint32_t root_ns_pid;    /* pid that the armed process has of itself */
	bool other_pid_ns;       /* it is in another pid namespace */
	uint64_t n_unserved;     /* events of processes that found no slot, as last counted */
	/* the pid that the last false claim named, only for asking about it; 0 none */
	pid_t maybe_hidden;
	uint64_t n_false_claims; /* of slots */
	struct ask_seen *asks;   /* [RING_ASKS] (asks.c); NULL: nothing was asked yet */
	uint32_t n_asked;        /* ring_n_asked() when they were last read */
	bool has_asks;           /* some place is to be looked at again */
	struct hold_seen *holds; /* [RING_HOLDS] (recorder/holds.c); NULL: no thread waited yet */
	uint32_t n_holds;        /* ring_n_holds() when they were last read */
	uint32_t n_holds_missed;
	bool has_holds;      /* some place is to be looked at again */
	bool finalised;      /* its interpreter has ended: the hook may have to be put back */
	bool gone;           /* its program is over, or it was left */
	bool left;           /* the probe was taken out */
	bool is_overwritten; /* the target wrote over the probe's memory, which was reported */
};

/* Take a link over, whose ring is mapped. Returns NULL if memory is short; the link is the caller's
 * then. */
struct tap *tap_add(struct recorder *r, struct link *link, struct process *p);
/* If the target has written over the head of the ring, write it again; how many events are lost is
 * then unknown. */
void tap_check(struct recorder *r, struct tap *t);
/* The target has written over memory of the probe. */
void tap_note_overwritten(struct recorder *r, struct tap *t);
/* Note in the capture that it was attached to, and what the user should know about that. */
void tap_announce(struct recorder *r, const struct tap *t);
void tap_destroy(struct tap *t); /* with its link; NULL is ignored */
