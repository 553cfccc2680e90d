/*
 * guard: see guard.h. The list of threads lies in shared memory; the end of us is the end of file of a pipe.
 */
#include "tracer/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sched.h>
#include <stdbool.h>
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
#include <time.h>
#include <unistd.h>

#include "tracer/ptrace.h"

enum {
	/* Thread ids are below PID_MAX_LIMIT (kernel include/linux/threads.h), whatever kernel.pid_max says now. */
	MAX_TIDS = 4 << 20,
	WORD_BITS = 64,
	N_WORDS = MAX_TIDS / WORD_BITS,
	LIST_BYTES = N_WORDS * 8,
	PATIENCE_NS = 1000000000, /* without anything done */
	NAP_NS = 100000,
	NAP_MAX_NS = 5000000,
};

struct guard {
	pid_t pid;
	int pipe;                 /* our end; nothing is ever written */
	uint64_t *tids;           /* [N_WORDS], shared: a bit for each thread there can be. What is not touched costs nothing */
};

/* ---- in the guard ---- */

#define DEBUG_REG(i) ((void *)(offsetof(struct user, u_debugreg) + (i) * sizeof(long)))

/* Requests are made directly: faults on purpose (fault injection) are the recorder's, not the guard's. */
static void clear_breakpoint(pid_t tid, int status)
{
	long signal = status >> 16 ? 0 : WSTOPSIG(status);
	if (signal == SIGTRAP && (ptrace(PTRACE_PEEKUSER, tid, DEBUG_REG(6), NULL) & 1))
		signal = 0;
	ptrace(PTRACE_POKEUSER, tid, DEBUG_REG(7), NULL);
	ptrace(PTRACE_POKEUSER, tid, DEBUG_REG(0), NULL);
	ptrace(PTRACE_DETACH, tid, NULL, (void *)signal);
}

/* Ask those in the list to stop; who has been asked, or is no more, leaves it. True: something was done. */
static bool ask_to_stop(uint64_t *tids, size_t *ret_n_left, size_t *n_asked)
{
	bool any = false;
	*ret_n_left = 0;
	for (size_t i = 0; i < N_WORDS; i++) {
		for (uint64_t left = tids[i]; left; left &= left - 1) {
			pid_t tid = (pid_t)(i * WORD_BITS) + __builtin_ctzll(left);
			/* Our end of the pipe is closed a moment before our tracees are free (kernel kernel/exit.c, do_exit: exit_files,
			 * exit_notify). */
			if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0 && errno != ESRCH) {
				++*ret_n_left;
				continue;
			}
			*n_asked += ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) == 0;
			tids[i] &= ~(left & -left);
			any = true;
		}
	}
	return any;
}

/*
 * All are asked first, and served as they stop: one in the middle of vfork(2), or waiting for a disk, keeps nobody waiting. Those
 * that have not stopped in the end are let go by the kernel as they are.
 *
 * This process sleeps while it waits, until a child of its stops or for a moment: it may have a real-time priority, and they need
 * the processor, perhaps this one.
 */
static void clear_all(uint64_t *tids)
{
	sigset_t stops;
	size_t n_left, n_asked = 0;
	struct timespec nap = { .tv_nsec = NAP_NS };
	uint64_t last = monotonic_ns();
	sigemptyset(&stops);
	sigaddset(&stops, SIGCHLD);
	for (;;) {
		bool any = ask_to_stop(tids, &n_left, &n_asked);
		int status;
		pid_t tid;
		while (n_asked && (tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
			if (WIFSTOPPED(status))
				clear_breakpoint(tid, status);
			n_asked--;
			any = true;
		}
		uint64_t now = monotonic_ns();
		if (any) {
			last = now;
			nap.tv_nsec = NAP_NS;
		}
		if ((!n_left && !n_asked) || now - last > PATIENCE_NS)
			return;
		sigtimedwait(&stops, NULL, &nap);
		if (nap.tv_nsec < NAP_MAX_NS)
			nap.tv_nsec *= 2;
	}
}

static NORETURN void guard_main(int pipe, uint64_t *tids)
{
	sigset_t all;
	char byte;
	sigfillset(&all);
	signal(SIGCHLD, SIG_DFL); /* ignored, it would not tell of stops */
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
	clear_all(tids);
	_exit(0);
}

/* ---- in ourselves ---- */

struct err *guard_create(struct guard **ret)
{
	int fds[2];
	struct guard *g = calloc(1, sizeof(*g));
	if (!g)
		return err_no_memory();
	void *shared = mmap(NULL, LIST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shared == MAP_FAILED || pipe2(fds, O_CLOEXEC) < 0) {
		struct err *err = err_sys(errno, "cannot start the guard of breakpoints");
		if (shared != MAP_FAILED)
			munmap(shared, LIST_BYTES);
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
	munmap(g->tids, LIST_BYTES);
	free(g);
}

void guard_add(struct guard *g, pid_t tid)
{
	if (g && tid > 0 && tid < MAX_TIDS)
		__atomic_fetch_or(&g->tids[tid / WORD_BITS], 1ull << tid % WORD_BITS, __ATOMIC_RELEASE);
}

void guard_remove(struct guard *g, pid_t tid)
{
	if (g && tid > 0 && tid < MAX_TIDS && __atomic_load_n(&g->tids[tid / WORD_BITS], __ATOMIC_RELAXED))
		__atomic_fetch_and(&g->tids[tid / WORD_BITS], ~(1ull << tid % WORD_BITS), __ATOMIC_RELEASE);
}
