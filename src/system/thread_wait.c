/*
 * thread_wait: see thread_wait.h.
 *
 * To add a system call: a row in calls[]. One that has no row is shown by its number.
 */
#include "system/thread_wait.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/attr.h"
#include "base/io.h"

enum call_kind {
	CALL_PLAIN,      /* the words alone */
	CALL_DESCRIPTOR, /* the first argument is a descriptor, which the words are about */
	CALL_EPOLL,      /* the same, and what it watches is counted */
	CALL_POLL,       /* the second argument is a number of descriptors */
	CALL_SELECT,     /* the first argument is 0 if it only sleeps */
	CALL_CHILD,      /* the first argument is the pid of a child, or -1 */
	CALL_FUTEX,
};

static const struct {
	long number;
	enum call_kind kind;
	const char *words;
} calls[] = {
	{ SYS_read, CALL_DESCRIPTOR, "reading" },
	{ SYS_pread64, CALL_DESCRIPTOR, "reading" },
	{ SYS_readv, CALL_DESCRIPTOR, "reading" },
	{ SYS_preadv, CALL_DESCRIPTOR, "reading" },
	{ SYS_recvfrom, CALL_DESCRIPTOR, "receiving from" },
	{ SYS_recvmsg, CALL_DESCRIPTOR, "receiving from" },
	{ SYS_write, CALL_DESCRIPTOR, "writing" },
	{ SYS_pwrite64, CALL_DESCRIPTOR, "writing" },
	{ SYS_writev, CALL_DESCRIPTOR, "writing" },
	{ SYS_pwritev, CALL_DESCRIPTOR, "writing" },
	{ SYS_sendto, CALL_DESCRIPTOR, "sending to" },
	{ SYS_sendmsg, CALL_DESCRIPTOR, "sending to" },
	{ SYS_accept, CALL_DESCRIPTOR, "waiting for a connection to" },
	{ SYS_accept4, CALL_DESCRIPTOR, "waiting for a connection to" },
	{ SYS_connect, CALL_DESCRIPTOR, "connecting" },
	{ SYS_fsync, CALL_DESCRIPTOR, "waiting until on disk:" },
	{ SYS_fdatasync, CALL_DESCRIPTOR, "waiting until on disk:" },
	{ SYS_flock, CALL_DESCRIPTOR, "waiting for a lock of" },
	{ SYS_epoll_pwait, CALL_EPOLL, "in epoll_pwait" },
	{ SYS_ppoll, CALL_POLL, "in ppoll" },
	{ SYS_pselect6, CALL_SELECT, "in pselect" },
	{ SYS_epoll_wait, CALL_EPOLL, "in epoll_wait" },
	{ SYS_poll, CALL_POLL, "in poll" },
	{ SYS_select, CALL_SELECT, "in select" },
	{ SYS_pause, CALL_PLAIN, "waiting for a signal" },
	{ SYS_rt_sigsuspend, CALL_PLAIN, "waiting for a signal" },
	{ SYS_rt_sigtimedwait, CALL_PLAIN, "waiting for a signal" },
	{ SYS_futex, CALL_FUTEX, "waiting for a lock" },
	{ SYS_nanosleep, CALL_PLAIN, "sleeping" },
	{ SYS_clock_nanosleep, CALL_PLAIN, "sleeping" },
	{ SYS_wait4, CALL_CHILD, "waiting for a child" },
	{ SYS_waitid, CALL_PLAIN, "waiting for a child" },
	{ SYS_restart_syscall, CALL_PLAIN, "in a call that was interrupted" },
};

bool thread_call_parse(const char *line, struct thread_call *ret)
{
	struct thread_call c = { 0 };
	unsigned long long a[6] = { 0 };
	int n = sscanf(line, "%ld %llx %llx %llx %llx %llx %llx", &c.number, &a[0], &a[1], &a[2],
		       &a[3], &a[4], &a[5]);
	if (n < 1 || (c.number >= 0 && n != 7))
		return false;
	for (size_t i = 0; c.number >= 0 && i < ARRAY_LEN(a); i++)
		c.args[i] = a[i];
	*ret = c;
	return true;
}

bool thread_call_futex(const struct thread_call *c, uint64_t *ret_address)
{
	if (c->number != SYS_futex)
		return false;
	*ret_address = c->args[0];
	return true;
}

/* What a descriptor is: a path; "socket:[123]" and the like as the kernel writes them. */
static void add_descriptor(char *to, size_t cap, const char *words, pid_t pid, uint64_t fd)
{
	char link[64], name[PATH_MAX];
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, (int)fd);
	ssize_t n = readlink(link, name, sizeof(name) - 1);
	if (n > 0)
		snprintf(to, cap, "%s %.*s", words, (int)n, name);
	else
		snprintf(to, cap, "%s descriptor %d", words, (int)fd);
}

/* Linux 6.1 fs/eventpoll.c, ep_show_fdinfo(): a line "tfd: …" for each descriptor. */
static unsigned epoll_count(pid_t pid, uint64_t fd)
{
	char path[64], text[16384];
	unsigned n = 0;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, (int)fd);
	ssize_t n_bytes = io_read_now(path, 0, text, sizeof(text) - 1);
	text[n_bytes > 0 ? n_bytes : 0] = 0;
	for (const char *at = text; (at = strstr(at, "tfd:")); at++)
		n++;
	return n;
}

static void add_count(char *to, size_t cap, const char *words, uint64_t n)
{
	snprintf(to, cap, "%s, on %llu descriptor%s", words, (unsigned long long)n,
		 n == 1 ? "" : "s");
}

void thread_call_describe(const struct thread_call *c, pid_t pid, char *to, size_t cap)
{
	size_t i = 0;
	while (i < ARRAY_LEN(calls) && calls[i].number != c->number)
		i++;
	if (c->number < 0) {
		snprintf(to, cap, "waiting in the kernel, outside a system call");
		return;
	}
	if (i == ARRAY_LEN(calls)) {
		snprintf(to, cap, "in system call %ld", c->number);
		return;
	}
	switch (calls[i].kind) {
	case CALL_DESCRIPTOR: add_descriptor(to, cap, calls[i].words, pid, c->args[0]); break;
	case CALL_EPOLL: add_count(to, cap, calls[i].words, epoll_count(pid, c->args[0])); break;
	case CALL_POLL:
		if (c->args[1])
			add_count(to, cap, calls[i].words, c->args[1]);
		else
			snprintf(to, cap, "sleeping");
		break;
	case CALL_SELECT: snprintf(to, cap, "%s", c->args[0] ? calls[i].words : "sleeping"); break;
	case CALL_CHILD:
		if ((int32_t)c->args[0] > 0)
			snprintf(to, cap, "%s, %d", calls[i].words, (int)(int32_t)c->args[0]);
		else
			snprintf(to, cap, "%s", calls[i].words);
		break;
	case CALL_FUTEX:
	case CALL_PLAIN: snprintf(to, cap, "%s", calls[i].words); break;
	}
}
