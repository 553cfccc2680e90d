/*
 * identity: which thread of which process an event is of, by the pids and tids of the recorder's
 * own pid namespace.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

struct process;
struct recorder;

/* The tid of a thread of p in our namespace. tid: as the C library in p has it; ns_pid: the pid
 * that p has of itself. Returns 0 if the thread has ended and is unknown. *ret_ns_tid: its tid in
 * its own namespace, which differs from `tid` where the C library is mistaken. */
uint32_t identity_outer_tid(struct recorder *r, const struct process *p, uint32_t ns_pid,
			    uint32_t tid, uint32_t *ret_ns_tid);
/* A thread was made in a followed process. */
void identity_note_thread(struct recorder *r, pid_t pid, pid_t tid);
