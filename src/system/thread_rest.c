/*
 * thread_rest: see thread_rest.h.
 */
#include "system/thread_rest.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

static int file_open(pid_t pid, pid_t tid, const char *name)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
	return io_open_now(path, O_RDONLY);
}

bool thread_rest_open(struct thread_rest *r, pid_t pid, pid_t tid)
{
	*r = (struct thread_rest){ .cpu = -1,
				   .status_fd = file_open(pid, tid, "status"),
				   .syscall_fd = file_open(pid, tid, "syscall"),
				   .stat_fd = file_open(pid, tid, "stat") };
	if (r->status_fd >= 0 && r->syscall_fd >= 0 && r->stat_fd >= 0)
		return true;
	thread_rest_close(r);
	return false;
}

void thread_rest_close(struct thread_rest *r)
{
	int *fds[] = { &r->status_fd, &r->syscall_fd, &r->stat_fd };
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static bool file_text(int fd, char *to, size_t cap)
{
	ssize_t n = pread(fd, to, cap - 1, 0);
	to[n > 0 ? n : 0] = 0;
	return n > 0;
}

static bool status_number(const char *text, const char *name, uint64_t *ret)
{
	const char *at = strstr(text, name);
	if (!at)
		return false;
	*ret = strtoull(at + strlen(name), NULL, 10);
	return true;
}

/* State and number of switches. The text ends with the counters; a thread that is in thousands of
 * groups has a longer one, and no proof. */
static bool status_read(const struct thread_rest *r, char *ret_state, uint64_t *ret_switches)
{
	char text[8192];
	uint64_t own, forced;
	const char *state;
	if (!file_text(r->status_fd, text, sizeof(text)) || !(state = strstr(text, "\nState:\t")) ||
	    !status_number(text, "\nvoluntary_ctxt_switches:", &own) ||
	    !status_number(text, "\nnonvoluntary_ctxt_switches:", &forced))
		return false;
	*ret_state = state[8];
	*ret_switches = own + forced;
	return true;
}

/* The CPU of a thread: field 39 of stat, the 37th behind the name, which may hold anything. */
static int cpu_of(const struct thread_rest *r)
{
	char text[1024];
	const char *at;
	if (!file_text(r->stat_fd, text, sizeof(text)) || !(at = strrchr(text, ')')))
		return -1;
	for (int field = 2; field < 39; field++)
		if (!(at = strchr(at + 1, ' ')))
			return -1;
	return atoi(at + 1);
}

static bool move_to(struct thread_rest *r, int cpu)
{
	cpu_set_t set;
	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return false;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	bool ok = sched_setaffinity(0, sizeof(set), &set) == 0;
	r->cpu = ok ? cpu : -1;
	return ok;
}

static bool sleeps_in(const struct thread_rest *r, char *to, size_t cap)
{
	/* "running" also for a thread that is ready to run (fs/proc/base.c, proc_pid_syscall) */
	return file_text(r->syscall_fd, to, cap) && to[0] != 'r';
}

bool thread_rest_begin(struct thread_rest *r)
{
	r->syscall[0] = 0;
	/* The counters come first: a switch between them and the first moment only costs an
	 * attempt. */
	if (!status_read(r, &r->state, &r->n_switches))
		return false;
	if (r->state != 'R')
		return sleeps_in(r, r->syscall, sizeof(r->syscall));
	int cpu = cpu_of(r);
	if (cpu >= 0 && cpu == r->cpu)
		return true;
	(void)move_to(r, cpu);
	return false;
}

bool thread_rest_end(struct thread_rest *r)
{
	char text[sizeof(r->syscall)], state;
	uint64_t n_switches;
	if (r->state != 'R' ? !sleeps_in(r, text, sizeof(text)) || strcmp(text, r->syscall) != 0
			    : cpu_of(r) != r->cpu)
		return false;
	return status_read(r, &state, &n_switches) && n_switches == r->n_switches;
}
