/*
 * target_lock: see target_lock.h.
 */
#include "tracer/target_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/vec.h"
#include "tracer/ptrace.h"

/* Locks are taken one inside another for the same process only (taking over from a dead recorder), by one thread. */
static struct {
	pid_t pid;
	int fd;
	unsigned depth; /* 0: free */
} held[4];

struct owned {
	pid_t pid;
	int fd;
	unsigned n;
};
static VEC(struct owned) owned;

/* Two files of a process serve for two locks. */
static struct err *open_file(pid_t pid, const char *name, int *ret_fd)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*ret_fd >= 0)
		return NULL;
	if (errno == ENOENT || errno == ESRCH)
		return err_create(ERR_TARGET_GONE, "no process %d", (int)pid);
	return err_sys(errno, "cannot open %s", path);
}

struct err *target_lock(pid_t pid, uint64_t timeout_ns)
{
	size_t slot = ARRAY_LEN(held);
	for (size_t i = 0; i < ARRAY_LEN(held); i++) {
		if (held[i].depth && held[i].pid == pid) {
			held[i].depth++;
			return NULL;
		}
		if (!held[i].depth)
			slot = i;
	}
	CHECK(slot < ARRAY_LEN(held));
	int fd;
	struct err *err = open_file(pid, "stat", &fd);
	if (err)
		return err;
	uint64_t deadline = monotonic_ns() + timeout_ns;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int sys = errno;
		if (sys == EINTR || (sys == EWOULDBLOCK && monotonic_ns() < deadline)) {
			ptrace_serve();
			poll(NULL, 0, 5);
			continue;
		}
		close(fd);
		if (sys != EWOULDBLOCK)
			return err_sys(sys, "cannot lock process %d", (int)pid);
		return err_with_hint(err_create(ERR_BUSY, "another auditview is attaching to process %d, or leaving it", (int)pid),
				     "try again in a moment");
	}
	held[slot].pid = pid;
	held[slot].fd = fd;
	held[slot].depth = 1;
	return NULL;
}

void target_unlock(pid_t pid)
{
	for (size_t i = 0; i < ARRAY_LEN(held); i++) {
		if (!held[i].depth || held[i].pid != pid)
			continue;
		if (--held[i].depth == 0)
			close(held[i].fd);
		return;
	}
}

static struct owned *owned_find(pid_t pid)
{
	for (size_t i = 0; i < owned.n; i++)
		if (owned.v[i].pid == pid)
			return &owned.v[i];
	return NULL;
}

struct err *target_own(pid_t pid)
{
	struct owned *old = owned_find(pid);
	if (old) {
		old->n++;
		return NULL;
	}
	struct owned o = { .pid = pid, .n = 1 };
	struct err *err = open_file(pid, "status", &o.fd);
	if (err)
		return err;
	if (flock(o.fd, LOCK_EX | LOCK_NB) < 0)
		err = errno == EWOULDBLOCK ? err_create(ERR_BUSY, "process %d is traced by another auditview", (int)pid) :
					     err_sys(errno, "cannot lock process %d", (int)pid);
	else if (!vec_push(&owned, o))
		err = err_no_memory();
	if (err)
		close(o.fd);
	return err;
}

void target_disown(pid_t pid)
{
	struct owned *o = owned_find(pid);
	if (!o || --o->n)
		return;
	close(o->fd);
	*o = owned.v[--owned.n];
	if (!owned.n)
		vec_fini(&owned);
}

bool target_is_others(pid_t pid)
{
	if (owned_find(pid))
		return false;
	struct err *err = target_own(pid);
	bool is_others = err && err->code == ERR_BUSY;
	if (!err)
		target_disown(pid);
	err_destroy(err);
	return is_others;
}
