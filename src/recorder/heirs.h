/*
 * heirs: followed processes that have the ring of their parent, and when the next of them gets its
 * own.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct recorder;
struct tap;

struct heir {
	pid_t pid;
	struct tap *tap;
	uint64_t identity; /* abi.h, probe_state */
};

/* A child was forked with the ring of this tap. identity 0: it has none, and is not noted. */
void heirs_add(struct recorder *r, struct tap *t, pid_t pid, uint64_t identity);
/* A forked process is at its first stop: give it rings of its own in place of those that are more
 * than half full. Waits for that process; others may come and go meanwhile. */
void heirs_give_rings(struct recorder *r, pid_t pid);
void heirs_forget(struct recorder *r, pid_t pid); /* it has ended, or runs another program */
void heirs_forget_tap(struct recorder *r, const struct tap *t);
void heirs_forget_ended(struct recorder *r); /* those whose end was not reported */
