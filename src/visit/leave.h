/*
 * leave: take the probe out of every process that has it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct link;

struct detach_report {
	/* number of processes detached from: the target and its forked children */
	size_t n_processes;
	uint64_t pause_ns; /* longest stop of a thread during the leave */
	bool restored;
	bool is_unknown; /* not restored, or it could not be checked */
	char left[192];  /* if not restored: what is left and where, or what could not be checked */
};
/* Disarm every process that has the ring, unlink, wait until no thread is in the probe, unmap,
 * compare. The ring stays mapped here until link_destroy(), so that it can be drained. Takes up to
 * timeout_ns. `is_attached(ctx, pid)` tells whether we trace a process. */
void link_detach(struct link *l, bool (*is_attached)(void *ctx, pid_t pid), void *ctx,
		 uint64_t timeout_ns, struct detach_report *report);
