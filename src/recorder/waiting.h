/*
 * waiting: runtimes that are armed by the thread of their next event (visit/lazy_link.h). They
 * become taps when that event has come.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct detach_report;
struct link;
struct process;
struct recorder;

struct waiting {
	struct link *link;
	struct process *process;
	bool is_told; /* the reason why it still waits, though an event came, was reported */
};

/* Has the event of one of them come? */
void waiting_poll(struct recorder *r);
/* Leave those of one process; 0: all. *report: restored, or what one of them left behind. */
void waiting_stop(struct recorder *r, pid_t pid, struct detach_report *report);
