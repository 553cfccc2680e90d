/*
 * worker: a process of ours that makes system calls which may not return.
 *
 * The owner writes a request to memory that both share, then one byte to a socket, and waits with a
 * deadline. The worker answers in the same way. A worker that does not answer is killed and
 * abandoned: it is never waited for, because it may not be able to end, and it keeps its shared
 * memory, so a late answer reaches nobody. It is a process because a thread that cannot be killed
 * would keep the owner a zombie, with its descriptors and locks.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { WORKER_ABANDONED_MAX = 16 };

struct worker {
	pid_t pid; /* 0: there is none */
	int fd;    /* of the socket; -1 */
	int pidfd; /* -1 */
	void *shared;
	size_t n_shared;
	pid_t abandoned[WORKER_ABANDONED_MAX]; /* workers that cannot be killed; 0: free */
};
#define WORKER_NONE                                                                                \
	{                                                                                          \
		.fd = -1, .pidfd = -1                                                              \
	}

/* What a worker does: obey what comes through `fd` until the other end is closed, or it has nothing
 * more to do. It has no other descriptor, and all signals are blocked, because what the terminal
 * sends is for the owner. */
typedef void worker_fn(int fd, pid_t owner, void *shared);

/* Start one, with n_shared zeroed bytes of shared memory. False with errno: EAGAIN if abandoned_max
 * earlier ones (at most WORKER_ABANDONED_MAX) have not ended. There is none yet. */
bool worker_start(struct worker *w, size_t n_shared, unsigned abandoned_max, worker_fn *serve);
/* Kill it if it is alive, and go on without it. */
void worker_abandon(struct worker *w, bool is_alive);
/* Close what belongs to it: of another process, which this one was forked from. */
void worker_forget(struct worker *w);
/* Does it only lack a processor? */
bool worker_is_runnable(const struct worker *w);
/* Those that had not ended when one was started or abandoned last. */
unsigned worker_n_abandoned(const struct worker *w);

/* In the worker, around a request: if the owner ends meanwhile, so does a call that would not
 * return. False: it has ended already. Between two requests the end of the socket says so, and no
 * process that a signal has ended is left. */
bool worker_begin(pid_t owner);
void worker_end(void);

/* Each answer may come just before its deadline, so a target could always slow us down. The time
 * of its slow answers is a debt of the target, which decreases by one part in 50 of the time that
 * passes. */
struct worker_debt {
	uint64_t ns, at_ns;
};
/* Add what one answer took; returns the debt, in ns. */
uint64_t worker_debt_add(struct worker_debt *d, uint64_t took_ns);
