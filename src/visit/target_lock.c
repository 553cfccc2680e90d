/*
 * target_lock: see target_lock.h.
 */
#include "visit/target_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/lock_holder.h"
#include "base/log.h"
#include "base/proc_status.h"
#include "base/vec.h"
#include "system/proc_file.h"
#include "system/remote_io.h"
#include "visit/ptrace.h"

enum {
	MAX_LOCK_LINES = 20000, /* of /proc/locks: any user can make it long */
	LOOK_EVERY_NS = 50000000,
	UNKNOWN_NS = 500000000 /* wait for a holder that cannot be seen */
};

/* Locks are nested only for the same process (to take over from a dead recorder), and only by one
 * thread. */
static struct {
	pid_t pid;
	int fd;
	unsigned depth; /* 0: not in use */
} held[4];

struct owned {
	pid_t pid;
	int fd;
	unsigned n;
};
static VEC(struct owned) owned;

/* Open a file of a process; two files are used for two locks. */
static struct err *open_file(pid_t pid, const char *name, int *ret_fd)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	*ret_fd = io_open_now(path, O_RDONLY);
	if (*ret_fd >= 0)
		return NULL;
	if (errno == ENOENT || errno == ESRCH)
		return err_create(ERR_TARGET_GONE, "no process %d", (int)pid);
	return proc_open_error(errno, path);
}

/* ---- the holder of a lock ---- */

enum holder {
	HOLDER_UNKNOWN,  /* it is in another pid namespace, or hidden (proc(5), hidepid) */
	HOLDER_FOREIGN,  /* it is not an auditview that may change the process */
	HOLDER_AUDITVIEW /* an auditview of root, or of our own user */
};

static bool proc_is_of_our_namespace(void)
{
	char self[16];
	ssize_t n = readlink("/proc/self", self, sizeof(self) - 1);
	if (n <= 0)
		return false;
	self[n] = 0;
	return strtol(self, NULL, 10) == getpid();
}

/* A process that has ended may have passed the lock on with its descriptor; an auditview does not
 * do that. A process can choose its own name and that of its program, but not its user. */
static enum holder judge(pid_t pid)
{
	char path[64], exe[PATH_MAX];
	struct stat its, ours;
	struct proc_status status;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (!proc_status_read_path(path, &status))
		return kill(pid, 0) < 0 && errno == ESRCH && proc_is_of_our_namespace()
			   ? HOLDER_FOREIGN
			   : HOLDER_UNKNOWN;
	if (!lock_holder_is_trusted(&status, geteuid()))
		return HOLDER_FOREIGN;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	struct remote_io io = remote_io_of(pid);
	if (remote_io_stat(&io, path, &its) == 0 && stat("/proc/self/exe", &ours) == 0 &&
	    its.st_dev == ours.st_dev && its.st_ino == ours.st_ino)
		return HOLDER_AUDITVIEW;
	ssize_t n = proc_link_read(pid, "exe", exe, sizeof(exe));
	/* it is root's program and we are not root */
	if (n < 0)
		return !strcmp(status.name, "auditview") ? HOLDER_AUDITVIEW : HOLDER_FOREIGN;
	const char *base = strrchr(exe, '/');
	base = base ? base + 1 : exe;
	return !strcmp(base, "auditview") || !strcmp(base, "auditview (deleted)") ? HOLDER_AUDITVIEW
										  : HOLDER_FOREIGN;
}

/* *ret_pid: the auditview. Several processes can hold the lock, because a shared lock is
 * possible. */
static enum holder find_holder(int fd, pid_t *ret_pid)
{
	struct stat file;
	char line[256];
	enum holder found = HOLDER_UNKNOWN;
	if (fstat(fd, &file) != 0)
		return HOLDER_UNKNOWN;
	FILE *locks = fopen("/proc/locks", "re");
	for (unsigned i = 0; locks && i < MAX_LOCK_LINES && fgets(line, sizeof(line), locks); i++) {
		pid_t pid;
		if (!lock_holder_parse(line, &file, &pid) || pid == getpid())
			continue;
		enum holder holder = pid > 0 ? judge(pid) : HOLDER_UNKNOWN;
		if (holder == HOLDER_AUDITVIEW) {
			*ret_pid = pid;
			found = holder;
			break;
		}
		if (holder == HOLDER_FOREIGN)
			found = holder;
	}
	if (locks)
		fclose(locks);
	return found;
}

/* ---- the lock ---- */

/* Every user can lock a file that it can read, so a lock alone decides nothing. Returns NULL to
 * continue, with the lock taken or ignored. */
static struct err *wait_for_lock(pid_t pid, int fd, uint64_t timeout_ns, bool is_leaving)
{
	uint64_t start = monotonic_ns(), look_at = 0;
	enum holder holder = HOLDER_UNKNOWN;
	pid_t other = 0;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int sys = errno;
		uint64_t now = monotonic_ns();
		if (sys != EINTR && sys != EWOULDBLOCK)
			return is_leaving ? NULL : err_sys(sys, "cannot lock process %d", (int)pid);
		if (sys == EWOULDBLOCK && now >= look_at) {
			holder = find_holder(fd, &other);
			look_at = monotonic_ns() + LOOK_EVERY_NS;
		}
		uint64_t patience = holder == HOLDER_UNKNOWN && timeout_ns > UNKNOWN_NS
					? UNKNOWN_NS
					: timeout_ns;
		if (now - start >= patience || holder == HOLDER_FOREIGN) {
			if (holder == HOLDER_AUDITVIEW && !is_leaving)
				return err_with_hint(
				    err_create(ERR_BUSY,
					       "another auditview (process %d) is attaching to "
					       "process %d, or leaving it",
					       (int)other, (int)pid),
				    "try again in a moment");
			log_debug("the lock of process %d is held by another and ignored",
				  (int)pid);
			return NULL;
		}
		ptrace_serve();
		poll(NULL, 0, 5);
	}
	return NULL;
}

static struct err *take(pid_t pid, uint64_t timeout_ns, bool is_leaving)
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
	err = wait_for_lock(pid, fd, timeout_ns, is_leaving);
	if (err) {
		close(fd);
		return err;
	}
	held[slot].pid = pid;
	held[slot].fd = fd;
	held[slot].depth = 1;
	return NULL;
}

struct err *target_lock(pid_t pid, uint64_t timeout_ns)
{
	return take(pid, timeout_ns, false);
}

struct err *target_lock_to_leave(pid_t pid, uint64_t timeout_ns)
{
	return take(pid, timeout_ns, true);
}

/* Closing alone is not enough: a process that we fork has the descriptor too, until it closes it,
 * and the lock with it (flock(2)). */
static void release(int fd)
{
	flock(fd, LOCK_UN);
	close(fd);
}

void target_unlock(pid_t pid)
{
	for (size_t i = 0; i < ARRAY_LEN(held); i++) {
		if (!held[i].depth || held[i].pid != pid)
			continue;
		if (--held[i].depth == 0)
			release(held[i].fd);
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
	pid_t other;
	int sys = flock(o.fd, LOCK_EX | LOCK_NB) < 0 ? errno : 0;
	if (sys && sys != EWOULDBLOCK)
		err = err_sys(sys, "cannot lock process %d", (int)pid);
	else if (sys && find_holder(o.fd, &other) == HOLDER_AUDITVIEW)
		err = err_create(ERR_BUSY, "process %d is traced by another auditview (process %d)",
				 (int)pid, (int)other);
	else if (!vec_push(&owned, o)) /* the lock of any other process means nothing */
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
	release(o->fd);
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

pid_t target_owner(pid_t pid)
{
	int fd;
	pid_t other = 0;
	struct err *err = open_file(pid, "status", &fd);
	if (err) {
		err_destroy(err);
		return 0;
	}
	bool is_one = find_holder(fd, &other) == HOLDER_AUDITVIEW;
	close(fd);
	return is_one ? other : 0;
}
