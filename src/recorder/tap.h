/*
 * tap: one armed runtime as the recorder sees it: the link, its ring, and the clients that write to
 * it. Processes that were forked from the armed one share the ring; each writes to slots of its
 * own.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ask_seen;
struct client;
struct link;
struct process;
struct recorder;

struct tap {
	struct link *link;
	struct process *process; /* the one that was armed */
	struct client **clients; /* [n_slots]; NULL: nobody writes there */
	uint32_t n_slots;
	uint32_t seen_claims; /* ring_n_claims() when all slots were last seen */
	uint32_t n_verdicts;  /* in the ring */
	uint32_t root_ns_pid; /* pid that the armed process has of itself */
	bool other_pid_ns;    /* it is in another pid namespace */
	uint64_t n_unserved;  /* events of processes that found no slot, as last counted */
	/* the pid that the last false claim named, only for asking about it; 0 none */
	pid_t maybe_hidden;
	uint64_t n_false_claims; /* of slots */
	struct ask_seen *asks;   /* [RING_ASKS] (asks.c); NULL: nothing was asked yet */
	uint32_t n_asked;        /* ring_n_asked() when they were last read */
	bool has_asks;           /* some place was taken then */
	bool finalised;          /* its interpreter has ended: the hook may have to be put back */
	bool gone;               /* its program is over, or it was left */
	bool left;               /* the probe was taken out */
};

/* Take a link over, whose ring is mapped. Returns NULL if memory is short; the link is the caller's
 * then. */
struct tap *tap_add(struct recorder *r, struct link *link, struct process *p);
/* Say in the capture that it was attached to, and what the user should know of that. */
void tap_announce(struct recorder *r, const struct tap *t);
void tap_destroy(struct tap *t); /* with its link; NULL is ignored */

/* Does a process map the ring of a tap whose pid is not `but`, as a forked child maps its
 * parent's? */
bool taps_has_ring(const struct recorder *r, pid_t pid, pid_t but);
void taps_set_gone(struct recorder *r, pid_t pid);       /* those armed in that process */
void taps_set_state(struct recorder *r, uint32_t state); /* enum ring_state, in all rings */
/* Choose the clock of all threads of a process: only a thread that is traced may read the TSC
 * (probe/clock.h, rescue.c). */
void taps_set_clock(struct recorder *r, pid_t pid, bool is_traced);
/* Answer what threads ask, and show all probes that the recorder lives: they wait for room as long
 * as it does. now: as of monotonic_ns(). Cheap; call it often. */
void taps_beat(struct recorder *r, uint64_t now);
/* Move the clocks of all rings to the present, which is returned in ticks: no event that is stamped
 * from now on is older. */
uint64_t taps_tick(struct recorder *r);
/* Count the events of processes that found no slot: they are lost. */
void taps_count_unserved(struct recorder *r);
