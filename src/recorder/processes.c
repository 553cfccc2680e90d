/*
 * processes: see processes.h.
 */
#include "recorder/processes.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "recorder/client.h"
#include "recorder/drain.h"
#include "recorder/fd_names.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"
#include "recorder/waiting.h"
#include "visit/probe_link.h"
#include "visit/link_presence.h"

/* A process without a pidfd is asked for by its pid: descriptors were short, or the kernel has no
 * pidfd_open(2). */
static bool has_ended(const struct process *p)
{
	struct pollfd end = { .fd = p->pidfd, .events = POLLIN };
	return p->pidfd < 0 ? kill(p->pid, 0) < 0 && errno == ESRCH : poll(&end, 1, 0) > 0;
}

void processes_notice_ends(struct recorder *r)
{
	bool is_one_over = false;
	for (size_t i = 0; i < r->processes.n; i++) {
		struct process *p = r->processes.v[i];
		p->is_over = !p->ended && p->pid != r->launched_pid &&
			     !follow_has(r->follow, p->pid) && has_ended(p);
		is_one_over |= p->is_over;
	}
	if (!is_one_over)
		return;
	/* All of them had ended before this, so what they wrote comes before the notes of their
	 * ends. */
	drain_settle(r);
	for (size_t i = 0; i < r->processes.n; i++)
		if (r->processes.v[i]->is_over)
			process_ended(r, r->processes.v[i], -1);
}

bool processes_find_silent(struct recorder *r)
{
	bool found = false;
	for (size_t i = 0; i < r->taps.n && !r->options.only_targets; i++) {
		pid_t *pids = NULL;
		size_t n = 0;
		struct err *e = link_processes(r->taps.v[i]->link, &pids, &n);
		for (size_t k = 0; !e && k < n; k++)
			if (!process_find(r, pids[k])) {
				struct process *p = process_add(
				    r, pids[k], &r->taps.v[i]->link->runtime, PROCESS_FORKED);
				found = p != NULL;
				if (!p)
					continue;
				p->tap = r->taps.v[i];
				process_count_child(r, p);
			}
		err_destroy(e);
		free(pids);
	}
	return found;
}

static void process_destroy(struct process *p)
{
	if (p->pidfd >= 0)
		close(p->pidfd);
	free(p->package_folders);
	free(p->project_start);
	err_destroy(p->late);
	fd_names_fini(p);
	free(p);
}

/* The newest are kept, because a fork note may name them as parents. */
void processes_forget(struct recorder *r)
{
	for (size_t i = 0; i < r->processes.n; i++)
		r->processes.v[i]->is_needed = !r->processes.v[i]->ended ||
					       r->processes.v[i] == r->first ||
					       i + FORKS_MAX >= r->processes.n;
	for (size_t i = 0; i < r->waiting.n; i++)
		r->waiting.v[i].process->is_needed = true;
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		t->process->is_needed = true;
		for (uint32_t k = 0; k < t->n_slots; k++)
			if (t->clients[k])
				t->clients[k]->process->is_needed = true;
	}
	size_t n = 0;
	for (size_t i = 0; i < r->processes.n; i++) {
		struct process *p = r->processes.v[i];
		if (p->is_needed) {
			r->processes.v[n++] = p;
			continue;
		}
		process_destroy(p);
	}
	r->processes.n = n;
}

void processes_fini(struct recorder *r)
{
	for (size_t i = 0; i < r->processes.n; i++)
		process_destroy(r->processes.v[i]);
	vec_fini(&r->processes);
}
