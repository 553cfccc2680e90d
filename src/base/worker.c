/*
 * worker: see worker.h.
 */
#include "base/worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/monotonic.h"
#include "base/proc_status.h"

enum { PAYS = 50 };

/* ---- in the worker ---- */

static NORETURN void run(int fd, pid_t owner, void *shared, worker_fn *serve)
{
	prctl(PR_SET_NAME, "auditview-read");
	/* It keeps nothing of ours open or busy, should it outlive us. */
	if (fd > 0)
		(void)close_range(0, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, ~0u, 0);
	if (chdir("/") == 0)
		serve(fd, owner, shared);
	_exit(0);
}

bool worker_begin(pid_t owner)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return getppid() == owner;
}

void worker_end(void)
{
	prctl(PR_SET_PDEATHSIG, 0);
}

/* ---- the owner's side ---- */

static void reap(struct worker *w)
{
	for (unsigned i = 0; i < WORKER_ABANDONED_MAX; i++)
		if (w->abandoned[i] && waitpid(w->abandoned[i], NULL, WNOHANG) != 0)
			w->abandoned[i] = 0; /* or it was waited for elsewhere */
}

unsigned worker_n_abandoned(const struct worker *w)
{
	unsigned n = 0;
	for (unsigned i = 0; i < WORKER_ABANDONED_MAX; i++)
		n += w->abandoned[i] != 0;
	return n;
}

void worker_forget(struct worker *w)
{
	if (w->fd >= 0)
		close(w->fd);
	if (w->pidfd >= 0)
		close(w->pidfd);
	if (w->shared)
		munmap(w->shared, w->n_shared);
	w->fd = w->pidfd = -1;
	w->pid = 0;
	w->shared = NULL;
}

void worker_abandon(struct worker *w, bool is_alive)
{
	if (!w->pid)
		return;
	if (is_alive && w->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, w->pidfd, SIGKILL, NULL, 0);
	else if (is_alive)
		kill(w->pid, SIGKILL);
	for (unsigned i = 0; i < WORKER_ABANDONED_MAX; i++)
		if (!w->abandoned[i]) { /* worker_start() has seen that there is one */
			w->abandoned[i] = w->pid;
			break;
		}
	worker_forget(w);
	reap(w);
}

bool worker_start(struct worker *w, size_t n_shared, unsigned abandoned_max, worker_fn *serve)
{
	int fds[2];
	sigset_t all, before;
	reap(w);
	errno = EAGAIN;
	if (worker_n_abandoned(w) >= abandoned_max)
		return false;
	void *shared = mmap(NULL, n_shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			    0);
	if (shared == MAP_FAILED)
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		int sys = errno;
		munmap(shared, n_shared);
		errno = sys;
		return false;
	}
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t owner = getpid(), pid = fork();
	if (pid == 0)
		run(fds[1], owner, shared, serve);
	int sys = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(fds[1]);
	w->fd = fds[0];
	w->shared = shared;
	w->n_shared = n_shared;
	w->pid = pid;
	if (pid < 0) {
		worker_forget(w);
		errno = sys;
		return false;
	}
	w->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return true;
}

bool worker_is_runnable(const struct worker *w)
{
	char letter;
	return proc_state_read(w->pid, w->pid, &letter) && letter == 'R';
}

/* ---- slow answers ---- */

uint64_t worker_debt_add(struct worker_debt *d, uint64_t took_ns)
{
	uint64_t now = monotonic_ns(), paid = d->at_ns ? (now - d->at_ns) / PAYS : d->ns;
	d->ns = (d->ns > paid ? d->ns - paid : 0) + took_ns;
	d->at_ns = now;
	return d->ns;
}
