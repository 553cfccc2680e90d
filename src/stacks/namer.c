/*
 * namer: see namer.h. This is the owner's side. It starts the process, asks, and waits for at most
 * WAIT_MS, and at most for its credit.
 */
#include "stacks/namer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/vec.h"
#include "stacks/namer_child.h"

/*
 * The process ends itself when it has used its CPU time (namer_child.c); on a busy machine that
 * takes longer than on an idle one. The recorder does nothing else while it waits. Its heartbeat is
 * due before each question (recorder/native.h), and the probe is patient for longer than one takes
 * (probe/patience.c).
 */
#define WAIT_MS      400
#define LEAST_MS     50 /* with less credit no question is asked */
#define START_MS     20 /* the least that starting the process costs */
#define MAX_FAILURES 2u /* of one file; a single one may be caused by a busy machine */

struct namer {
	int fd; /* the socket to the process; -1: not running */
	/* waiting time left, and when it was last updated (CLOCK_MONOTONIC) */
	int64_t credit_us, counted_us;
	uint64_t opened[NAMER_MAX_FILES]; /* ids of the files that the process has; a ring buffer */
	unsigned n_opened;
	VEC(uint64_t) failed; /* files that gave no answer, one entry for each time */
	struct namer_answer answer;
};

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct namer *namer_create(void)
{
	struct namer *n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->fd = -1;
	n->credit_us = NAMER_BURST_MS * 1000;
	n->counted_us = now_us();
	return n;
}

/* Add the credit for the time that has passed. False: there is too little to ask anything. */
static bool has_credit(struct namer *n)
{
	int64_t now = now_us();
	n->credit_us += (now - n->counted_us) / NAMER_SHARE;
	if (n->credit_us > NAMER_BURST_MS * 1000)
		n->credit_us = NAMER_BURST_MS * 1000;
	n->counted_us = now;
	return n->credit_us >= LEAST_MS * 1000;
}

/* Subtract the time since has_credit() was called. */
static void pay(struct namer *n)
{
	int64_t now = now_us();
	n->credit_us -= now - n->counted_us;
	n->counted_us = now;
}

static void stop(struct namer *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
	n->n_opened = 0;
}

void namer_destroy(struct namer *n)
{
	if (!n)
		return;
	stop(n);
	vec_fini(&n->failed);
	free(n);
}

/* Forks twice, so that init reaps the process. */
static bool start(struct namer *n)
{
	int fds[2];
	if (n->fd >= 0)
		return true;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return false;
	pid_t pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			close(fds[0]);
			namer_child_run(fds[1]);
		}
		_exit(0);
	}
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return false;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	n->credit_us -= START_MS * 1000;
	n->fd = fds[0];
	return true;
}

static bool ask(struct namer *n, const struct namer_request *r, int fd)
{
	size_t n_bytes = offsetof(struct namer_request, text) + r->n_text;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)r, .iov_len = n_bytes };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(n->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n_bytes;
}

/* The answer is as hostile as the input: the process may have been taken over. */
static bool answer_is_sound(const struct namer_answer *a, ssize_t n_bytes)
{
	size_t head = offsetof(struct namer_answer, text);
	return n_bytes >= (ssize_t)head && a->n_text == (size_t)n_bytes - head && a->n_text &&
	       a->n_text <= NAMER_TEXT_BYTES && !a->text[a->n_text - 1];
}

static bool hear(struct namer *n)
{
	int64_t now = now_us(),
		wait = n->credit_us < WAIT_MS * 1000 ? n->credit_us : WAIT_MS * 1000;
	for (int64_t end = now + wait; now < end; now = now_us()) {
		struct pollfd p = { .fd = n->fd, .events = POLLIN };
		if (poll(&p, 1, (int)((end - now) / 1000 + 1)) <= 0)
			continue;
		ssize_t got = recv(n->fd, &n->answer, sizeof(n->answer), MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		return answer_is_sound(&n->answer, got);
	}
	return false;
}

static unsigned count(const uint64_t *ids, size_t n, uint64_t id)
{
	unsigned found = 0;
	for (size_t i = 0; i < n; i++)
		found += ids[i] == id;
	return found;
}

/* Ask and read the answer. A process that does not answer is abandoned: it ends when it sees that
 * the socket is closed, or by its limits. */
static bool ask_and_hear(struct namer *n, const struct namer_request *r)
{
	bool is_heard = ask(n, r, -1) && hear(n);
	pay(n);
	if (is_heard)
		return n->answer.is_found;
	log_debug("the process that names native code gave no answer (%lld ms of waiting are left)",
		  (long long)n->credit_us / 1000);
	stop(n);
	if (r->kind == NAMER_LINE && !vec_push(&n->failed, r->file_id))
		log_debug("no memory to note a file without an answer");
	return false;
}

const char *namer_demangle(struct namer *n, const char *mangled)
{
	struct namer_request r = { .kind = NAMER_DEMANGLE };
	size_t n_text = strnlen(mangled, sizeof(r.text)) + 1;
	if (n_text > sizeof(r.text) || !has_credit(n) || !start(n))
		return NULL;
	r.n_text = (uint32_t)n_text;
	memcpy(r.text, mangled, n_text);
	return ask_and_hear(n, &r) ? n->answer.text : NULL;
}

bool namer_line(struct namer *n, uint64_t file_id, int fd, uint64_t vaddr, const char **ret_file,
		uint32_t *ret_line)
{
	struct namer_request r = { .kind = NAMER_OPEN, .file_id = file_id, .vaddr = vaddr };
	if (count(n->failed.v, n->failed.n, file_id) >= MAX_FAILURES || !has_credit(n) || !start(n))
		return false;
	unsigned n_there = n->n_opened < NAMER_MAX_FILES ? n->n_opened : NAMER_MAX_FILES;
	if (!count(n->opened, n_there, file_id)) {
		if (!ask(n, &r, fd)) {
			stop(n);
			return false;
		}
		n->opened[n->n_opened++ % NAMER_MAX_FILES] = file_id;
	}
	r.kind = NAMER_LINE;
	if (!ask_and_hear(n, &r))
		return false;
	*ret_file = n->answer.text;
	*ret_line = n->answer.line;
	return true;
}
