/*
 * guard: see guard.h. The list of threads lies in shared memory; the end of us is the end of file of a pipe.
 */
#include "tracer/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "tracer/ptrace.h"

enum { MAX_THREADS = 1024, PATIENCE_MS = 1000 };

struct guard {
	pid_t pid;
	int pipe;                 /* our end; nothing is ever written */
	pid_t *tids;              /* [MAX_THREADS], shared; 0: free */
};

/* ---- in the guard ---- */

#define DEBUG_REG(i) ((void *)(offsetof(struct user, u_debugreg) + (i) * sizeof(long)))

/* Requests are made directly: faults on purpose (fault injection) are the recorder's, not the guard's. */
static void clear_breakpoint(pid_t tid)
{
	/* Our end of the pipe is closed a moment before our tracees are free (kernel kernel/exit.c, do_exit: exit_files,
	 * exit_notify). */
	long seized = -1;
	uint64_t until = monotonic_ns() + PATIENCE_MS * 1000000ull;
	while (seized < 0 && monotonic_ns() < until) {
		seized = ptrace(PTRACE_SEIZE, tid, NULL, NULL);
		if (seized < 0 && errno == ESRCH)
			return;
		if (seized < 0)
			sched_yield();
	}
	if (seized < 0 || ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0)
		return;
	while (monotonic_ns() < until) {
		int status;
		pid_t got = waitpid(tid, &status, __WALL | WNOHANG);
		if (got < 0 || (got == tid && !WIFSTOPPED(status)))
			return;
		if (got == tid) {
			long signal = status >> 16 ? 0 : WSTOPSIG(status);
			if (signal == SIGTRAP && (ptrace(PTRACE_PEEKUSER, tid, DEBUG_REG(6), NULL) & 1))
				signal = 0;
			ptrace(PTRACE_POKEUSER, tid, DEBUG_REG(7), NULL);
			ptrace(PTRACE_POKEUSER, tid, DEBUG_REG(0), NULL);
			ptrace(PTRACE_DETACH, tid, NULL, (void *)signal);
			return;
		}
		sched_yield();
	}
}

static NORETURN void guard_main(int pipe, const pid_t *tids)
{
	sigset_t all;
	char byte;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL); /* the terminal's signals mean the others */
	prctl(PR_SET_NAME, "auditview-guard");
	/* It races with the program on its way to the breakpoint. Without the privilege it just runs as others do. */
	struct sched_param first = { .sched_priority = 1 };
	if (sched_setscheduler(0, SCHED_FIFO, &first) < 0)
		setpriority(PRIO_PROCESS, 0, -20);
	/* Whoever waits for an end of file of ours must not wait for us. The pipe becomes descriptor 0. */
	if (dup2(pipe, 0) < 0 || syscall(SYS_close_range, 1u, ~0u, 0u) < 0)
		for (int fd = 1; fd < 1024; fd++)
			close(fd);
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	for (size_t i = 0; i < MAX_THREADS; i++) {
		pid_t tid = __atomic_load_n(&tids[i], __ATOMIC_ACQUIRE);
		if (tid)
			clear_breakpoint(tid);
	}
	_exit(0);
}

/* ---- in ourselves ---- */

struct err *guard_create(struct guard **ret)
{
	int fds[2];
	struct guard *g = calloc(1, sizeof(*g));
	if (!g)
		return err_no_memory();
	void *shared = mmap(NULL, MAX_THREADS * sizeof(pid_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || pipe2(fds, O_CLOEXEC) < 0) {
		struct err *err = err_sys(errno, "cannot start the guard of breakpoints");
		if (shared != MAP_FAILED)
			munmap(shared, MAX_THREADS * sizeof(pid_t));
		free(g);
		return err;
	}
	g->tids = shared;
	g->pipe = fds[1];
	g->pid = fork();
	if (g->pid == 0) {
		close(fds[1]);
		guard_main(fds[0], g->tids);
	}
	int sys = errno;
	close(fds[0]);
	if (g->pid < 0) {
		guard_destroy(g);
		return err_sys(sys, "cannot start the guard of breakpoints");
	}
	*ret = g;
	return NULL;
}

void guard_destroy(struct guard *g)
{
	if (!g)
		return;
	close(g->pipe);
	if (g->pid > 0)
		while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
			;
	munmap(g->tids, MAX_THREADS * sizeof(pid_t));
	free(g);
}

void guard_add(struct guard *g, pid_t tid)
{
	pid_t *free_line = NULL;
	for (size_t i = 0; g && i < MAX_THREADS; i++) {
		if (g->tids[i] == tid)
			return;
		if (!g->tids[i] && !free_line)
			free_line = &g->tids[i];
	}
	if (free_line)
		__atomic_store_n(free_line, tid, __ATOMIC_RELEASE);
	else if (g)
		log_debug("more than %d breakpoints: that of %d is not guarded", MAX_THREADS, (int)tid);
}

void guard_remove(struct guard *g, pid_t tid)
{
	for (size_t i = 0; g && i < MAX_THREADS; i++)
		if (g->tids[i] == tid)
			__atomic_store_n(&g->tids[i], 0, __ATOMIC_RELEASE);
}
