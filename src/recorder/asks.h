/*
 * asks: answer the threads of targets that ask whether a system call can kill them (abi.h,
 * ring_ask).
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/guest.h"

struct recorder;
struct tap;

/* a forked child that was told its identity, and may have no slot yet */
struct named_child {
	uint64_t identity; /* abi.h, probe_state */
	pid_t pid;
};
#define ASKS_CHILDREN_MAX 1024

struct asks {
	struct named_child *children; /* [ASKS_CHILDREN_MAX], a circular buffer; NULL: none yet */
	size_t n_children;            /* ever */
};

/* What one place of a ring was last seen to hold. */
struct ask_seen {
	uint64_t ticket, since_ns;
};

/* May a thread make a system call, so that it can sleep in the hook? Both numbers are as it gave
 * them. *ret_tid: its tid in our pid namespace, if it may. */
bool asks_may_sleep(struct recorder *r, const struct tap *t, guest_u64 identity, guest_u32 tid,
		    pid_t *ret_tid);
void asks_answer(struct recorder *r);
/* identity 0 is ignored. If memory is short the child is not known, and gets the answer no. */
void asks_note_child(struct recorder *r, uint64_t identity, pid_t pid);
void asks_fini(struct asks *a);
