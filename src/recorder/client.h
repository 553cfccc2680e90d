/*
 * client: one claim of one slot of a ring: which program writes there, and what was decoded of it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/guest.h"
#include "recorder/counts.h"

struct decoder;
struct native_context;
struct process;
struct recorder;
struct remote_mem;
struct tap;

#define LOST_MAX (1ull << 40) /* events that a slot may say are lost at once */

struct client {
	struct recorder *recorder;
	struct tap *tap;
	struct process *process;
	struct decoder *decoder;
	struct remote_mem *mem;        /* for names of threads; NULL until it is needed */
	uint64_t active;               /* threading._active, as python_thread_name() found it */
	struct native_context *native; /* NULL: native stacks are not wanted */
	uint32_t ns_pid, birth;        /* of the claim */
	bool muted;                    /* a forked child, and only targets are recorded */
	bool is_further;               /* another client of the same program was there first */
	uint64_t tail;                 /* of the slot: all before it is taken */
	uint64_t n_lost;
	uint64_t n_bad, n_bad_told; /* malformed records, and how many of them were reported */
	bool torn;                  /* the event in which it was killed is counted */
	/* it had waited for room, and was woken when its head was `woken_head` */
	bool was_woken;
	guest_u64 woken_head;
	/* while the rest is drained: what is published behind it is not taken */
	uint64_t rest_until;
	counts_taken taken;    /* by counted name of the tap (counts.h) */
	uint64_t counted_ns;   /* monotonic_ns() when they were last taken; 0 never */
	uint64_t n_counted;    /* in all */
	bool are_counts_false; /* they made no sense, which was reported */
	bool is_given_up;      /* too many records were malformed: the slot is not read any more */
	/* an event in flight there (slot_look.writing), and when it was first seen */
	uint64_t flight, flight_ns;
};

/* Make the client of a slot that was claimed. Returns NULL if the claim is false or memory is
 * short. */
struct client *client_add(struct recorder *r, struct tap *t, uint32_t slot);
void client_remove(struct tap *t, uint32_t slot); /* nothing happens if there is none */
/* Does nothing write there any more: has its process ended or become another program, or was it
 * left? */
bool client_is_over(const struct client *c);
/* One more record was malformed. After too many of them the slot is not read any more. */
void client_malformed(struct client *c, uint32_t slot);
/* From time to time: which of its threads have ended, and which interpreter it runs. */
void client_refresh(struct tap *t, uint32_t slot);
/* Count what it lost and has not reported itself. */
void client_count_losses(struct recorder *r, struct tap *t, uint32_t slot);
/* Add what was decoded and lost to the totals of its process. */
void client_add_totals(struct recorder *r, const struct client *c);
/* Free the slots of programs that are over and drained. */
void client_recycle_ended(struct recorder *r);
