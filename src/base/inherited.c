/*
 * inherited: see inherited.h.
 */
#include "base/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/proc_status.h"

enum { N_SIGNALS = 64, KERNEL_SIGSET_BYTES = 8, RESET_ON_FORK = 1 };

/* linux/sched/types.h, in the size of its first version; glibc before 2.41 has no declaration. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static struct {
	bool is_noted;
	bool closed[3];
	int n_table; /* descriptors for which the table has room */
	bool is_ignored[N_SIGNALS + 1];
	uint64_t mask; /* from the system call: the C library hides two of its own signals */
	/* the pending signals that were sent to the thread, not to the process */
	uint64_t thread_pending;
	siginfo_t pending[N_SIGNALS];
	unsigned n_pending;
	int death_signal, is_subreaper;
	struct rlimit limits[RLIM_NLIMITS];
	bool has_scheduling;
	struct scheduling scheduling;
	int nice;                   /* sched_getattr() does not report it for a real-time policy */
	struct itimerval timers[3]; /* ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF */
	struct timespec when;
} noted;

static uint64_t bit_of(int signal)
{
	return 1ull << (signal - 1);
}

static void note_pending(uint64_t of_thread)
{
	uint64_t pending = 0;
	struct timespec none = { 0, 0 };
	noted.n_pending = 0;
	if (syscall(SYS_rt_sigpending, &pending, KERNEL_SIGSET_BYTES) < 0 || !pending)
		return;
	/* The others are pending for the process (proc(5), SigPnd and ShdPnd). */
	noted.thread_pending = of_thread;
	while (noted.n_pending < N_SIGNALS &&
	       syscall(SYS_rt_sigtimedwait, &pending, &noted.pending[noted.n_pending], &none,
		       KERNEL_SIGSET_BYTES) > 0)
		noted.n_pending++;
}

/* A process may send a signal with any siginfo to itself (kernel/signal.c, do_rt_sigqueueinfo). */
static void send_pending(void)
{
	for (unsigned i = 0; i < noted.n_pending; i++) {
		siginfo_t *info = &noted.pending[i];
		if (noted.thread_pending & bit_of(info->si_signo))
			syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid),
				info->si_signo, info);
		else
			syscall(SYS_rt_sigqueueinfo, getpid(), info->si_signo, info);
	}
}

void inherited_note(void)
{
	for (int fd = 0; fd <= 2; fd++)
		noted.closed[fd] = fcntl(fd, F_GETFD) < 0 && errno == EBADF;
	struct proc_status own = { 0 };
	if (!proc_status_read_path("/proc/thread-self/status", &own))
		own = (struct proc_status){ 0 };
	noted.n_table = own.fd_size;
	for (int s = 1; s <= N_SIGNALS; s++) {
		struct sigaction act;
		noted.is_ignored[s] = sigaction(s, NULL, &act) == 0 && act.sa_handler == SIG_IGN;
	}
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &noted.mask, KERNEL_SIGSET_BYTES);
	note_pending(own.sig_pending);
	prctl(PR_GET_PDEATHSIG, &noted.death_signal);
	prctl(PR_GET_CHILD_SUBREAPER, &noted.is_subreaper);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (getrlimit((__rlimit_resource_t)i, &noted.limits[i]) < 0)
			noted.limits[i] = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	noted.has_scheduling = syscall(SYS_sched_getattr, 0, &noted.scheduling,
				       sizeof(noted.scheduling), 0) == 0;
	noted.nice = getpriority(PRIO_PROCESS, 0);
	for (int i = 0; i < 3; i++) {
		const struct itimerval off = { { 0, 0 }, { 0, 0 } };
		setitimer((__itimer_which_t)i, &off, &noted.timers[i]);
	}
	clock_gettime(CLOCK_MONOTONIC, &noted.when);
	noted.is_noted = true;
}

bool inherited_was_closed(int fd)
{
	return noted.closed[fd];
}

static void start_timers(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t passed_us = (now.tv_sec - noted.when.tv_sec) * 1000000 +
			    (now.tv_nsec - noted.when.tv_nsec) / 1000;
	for (int i = 0; i < 3; i++) {
		struct itimerval t = noted.timers[i];
		int64_t left_us = t.it_value.tv_sec * 1000000 + t.it_value.tv_usec;
		if (!left_us)
			continue;
		if (i == ITIMER_REAL) /* the other timers count the CPU time of the process */
			left_us = left_us > passed_us ? left_us - passed_us : 1;
		t.it_value.tv_sec = left_us / 1000000;
		t.it_value.tv_usec = left_us % 1000000;
		setitimer((__itimer_which_t)i, &t, NULL);
	}
}

void inherited_put_back(void)
{
	if (!noted.is_noted)
		return;
	start_timers();
	send_pending();
	noted.n_pending = 0;
	memset(noted.timers, 0, sizeof(noted.timers));
}

/* exec resets handlers to the default and keeps ignored signals ignored (signal(7)). */
static void restore_signals(void)
{
	uint64_t all = ~0ull;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, KERNEL_SIGSET_BYTES);
	for (int s = 1; s <= N_SIGNALS; s++) {
		struct sigaction act, ignore = { .sa_handler = SIG_IGN },
				      plain = { .sa_handler = SIG_DFL };
		if (sigaction(s, NULL, &act) < 0)
			continue;
		if (noted.is_ignored[s] != (act.sa_handler == SIG_IGN))
			sigaction(s, noted.is_ignored[s] ? &ignore : &plain, NULL);
	}
	send_pending();
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &noted.mask, NULL, KERNEL_SIGSET_BYTES);
}

/* fork shrinks the table to what is in use (kernel fs/file.c, dup_fd()). */
static void grow_table(void)
{
	const struct rlimit *limit = &noted.limits[RLIMIT_NOFILE];
	rlim_t last = (rlim_t)noted.n_table - 1;
	if (noted.n_table <= 64 || !limit->rlim_cur)
		return;
	if (last >= limit->rlim_cur)
		last = limit->rlim_cur - 1;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
	    high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, (int)last);
	if (high >= 0)
		close(high);
	if (fd >= 0)
		close(fd);
}

void inherited_restore(unsigned given_streams, bool may_outlive_us)
{
	if (!noted.is_noted)
		return;
	grow_table();
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit now;
		if (getrlimit((__rlimit_resource_t)i, &now) == 0 &&
		    memcmp(&now, &noted.limits[i], sizeof(now)) != 0)
			setrlimit((__rlimit_resource_t)i, &noted.limits[i]);
	}
	/* With this flag a child falls back to the default policy (kernel/sched/core.c,
	 * sched_fork()). */
	if (noted.has_scheduling && noted.scheduling.flags & RESET_ON_FORK) {
		setpriority(PRIO_PROCESS, 0, noted.nice);
		syscall(SYS_sched_setattr, 0, &noted.scheduling, 0);
	}
	if (noted.is_subreaper)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (noted.death_signal && !may_outlive_us)
		prctl(PR_SET_PDEATHSIG, noted.death_signal);
	for (int fd = 0; fd <= 2; fd++)
		if (noted.closed[fd] && !(given_streams >> fd & 1))
			close(fd);
	start_timers();
	restore_signals();
}
