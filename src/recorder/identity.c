/*
 * identity: see identity.h.
 *
 * The probe has the tid that the C library knows. In another pid namespace that differs from
 * ours. In a child that was made by a bare system call (clone(2) without the C library) it is the
 * tid of the thread that forked.
 */
#include "recorder/identity.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/proc_status.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"

static bool is_thread_of(pid_t pid, pid_t tid)
{
	return syscall(SYS_tgkill, pid, tid, 0) == 0 || errno == EPERM;
}

/* The tid that a thread has in its innermost namespace; 0: it has ended. */
static uint32_t inner_tid(pid_t pid, pid_t tid)
{
	struct proc_status status;
	return proc_thread_status(pid, tid, &status) ? (uint32_t)status.ns_pid : 0;
}

static uint32_t outer_tid_by_note(const struct recorder *r, pid_t pid, uint32_t ns_tid)
{
	const struct fork_note *f;
	for (size_t i = r->forks.n; i-- > 0 && (f = forks_at(&r->forks, i));)
		if (f->is_thread && f->ppid == pid && f->ns_pid == ns_tid)
			return (uint32_t)f->pid;
	return 0;
}

static uint32_t outer_tid_by_proc(pid_t pid, uint32_t ns_tid)
{
	enum { THREADS_MAX = 4096 };
	char path[48];
	uint32_t found = 0;
	unsigned n = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *dir = opendir(path);
	for (struct dirent *e; dir && !found && n < THREADS_MAX && (e = readdir(dir)); n++) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		if (tid > 0 && inner_tid(pid, tid) == ns_tid)
			found = (uint32_t)tid;
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Is the thread one of the process from which p was forked, or of another process that has the same
 * probe? The parent alone is not enough: with CLONE_PARENT it is the parent of the process that
 * forked (clone(2)). */
static bool is_thread_of_relative(struct recorder *r, const struct process *p, uint32_t tid)
{
	struct proc_status status;
	if (is_thread_of((pid_t)p->info.ppid, (pid_t)tid))
		return true;
	struct err *err = proc_status_read((pid_t)tid, &status);
	const struct process *of = err || status.tgid == p->pid ? NULL
								: process_find(r, status.tgid);
	err_destroy(err);
	return of && of->tap && of->tap == p->tap;
}

uint32_t identity_outer_tid(struct recorder *r, const struct process *p, uint32_t ns_pid,
			    uint32_t tid, uint32_t *ret_ns_tid)
{
	bool is_inner = p->info.ns_pid != p->info.pid;
	*ret_ns_tid = tid;
	if (tid == ns_pid)
		return p->info.pid;
	/* While a thread of its parent lives, no thread of p has the same tid. */
	bool is_forked = p->info.flags & PROCESS_FORKED && p->info.ppid;
	if (!is_inner && is_forked && !is_thread_of(p->pid, (pid_t)tid) &&
	    is_thread_of_relative(r, p, tid)) {
		*ret_ns_tid = ns_pid;
		return p->info.pid;
	}
	if (!is_inner)
		return tid;
	uint32_t found = outer_tid_by_note(r, p->pid, tid);
	found = found ? found : outer_tid_by_proc(p->pid, tid);
	if (!found && is_forked && (tid == p->info.ppid || is_thread_of_relative(r, p, tid))) {
		/* It was forked into its namespace by a bare call, and the C library has the tid
		 * that it had outside. */
		*ret_ns_tid = ns_pid;
		found = p->info.pid;
	}
	return found; /* 0: it has ended, and its start was not seen */
}

void identity_note_thread(struct recorder *r, pid_t pid, pid_t tid)
{
	const struct process *p = process_find(r, pid);
	if (!p || p->info.ns_pid == p->info.pid)
		return;
	uint32_t ns_tid = inner_tid(pid, tid);
	const struct fork_note note = {
		.pid = tid, .ppid = pid, .ns_pid = ns_tid, .is_thread = true
	};
	if (ns_tid)
		forks_add(&r->forks, &note);
}
