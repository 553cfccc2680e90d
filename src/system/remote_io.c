/*
 * remote_io: see remote_io.h. One request at a time:
 *
 *   owner    request → memory   one byte, perhaps a descriptor → socket   waits, with a deadline
 *   reader                      reads the socket → system call → answer → memory, byte → socket
 *
 * The reader is a worker (base/worker.h).
 */
#include "system/remote_io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/monotonic.h"
#include "base/proc_status.h"
#include "base/worker.h"
#include "system/fault.h"

#define DEADLINE_NS 1000000000ull
#define SHORT_NS    250000000ull /* where several processes have not answered, and for writes */
/* A reader that is runnable has no processor on a busy machine: the target is not to blame. */
#define STARVED_NS 10000000000ull
/* What takes longer than SLOW_NS is a debt of its process. */
#define SLOW_NS     20000000ull
#define DEBT_MAX_NS 3000000000ull
/* A process whose exec has not ended is not asked for so long; each further time, twice as long. */
#define EXEC_PAUSE_NS 10000000000ull
#define SWEEP_NS      1000000000ull
enum {
	POLL_MS = 50,
	ABANDONED_MAX = 16, /* readers that cannot be killed */
	JUDGED_MAX = 1024,
	KNOWN_MAX = 64, /* processes that were slow or did not answer */
	SEVERAL = 3,
	HUNG_WRITES_MAX = 3,
	PATH_BYTES = 8192
};

enum op {
	OP_VM_READ,
	OP_PREAD,
	OP_PWRITE,
	OP_READ,
	OP_STAT,
	OP_LSTAT,
	OP_READLINK,
	OP_STATVFS,
	OP_READ_PROC,
	OP_OPEN_PROC,
	OP_OPEN_SHARED,
	OP_OPEN_FILE
};
enum kind { KIND_MEMORY, KIND_FILES, KIND_WRITE, KIND_EXEC };

struct request {
	enum op op;
	pid_t pid;
	int flags;
	uint64_t at;
	size_t n_bytes;
	ssize_t result; /* of the system call */
	int sys;        /* its errno */
	struct stat stat;
	struct statvfs fs;
	char path[PATH_BYTES];
	uint8_t bytes[REMOTE_IO_MAX_BYTES];
};

/* A process that was slow or did not answer. */
struct known {
	pid_t pid; /* 0: free */
	/* Its folder in /proc, if it did not answer; -1: it was only slow, or there was no
	 * descriptor. It is of this process, not of a later one of that number (fs/proc/base.c,
	 * proc_pid_instantiate()). */
	int folder_fd;
	uint64_t checked_ns;
	bool memory_is_stuck, files_are_stuck;
	uint64_t exec_until_ns, exec_pause_ns; /* it is not asked before */
	unsigned n_hung_writes;
	struct worker_debt debt;
};

/* Leaving goes through all processes of the machine, some times in a row. */
#define JUDGED_NS 100000000ull
struct judged {
	pid_t pid;
	bool is_direct;
	uint64_t at_ns;
};

/* Of this process. A forked child has no reader. */
static struct {
	pid_t owner;
	struct worker reader; /* its shared memory is a struct request */
	struct known known[KNOWN_MAX];
	unsigned next_known;
	uint64_t swept_ns;
	struct judged judged[JUDGED_MAX];
	/* ourselves */
	bool has_own;
	struct proc_status own;
	char own_ns[64];
} state = { .reader = WORKER_NONE };

static struct request *request(void)
{
	return state.reader.shared;
}

/* ---- in the reader ---- */

/* Does a line of a mountinfo file (proc(5)) have this mount id (0: any) and device? Where *dev is 0
 * it is set to that of the mount. */
static bool mountinfo_has(const char *path, uint64_t mount_id, dev_t *dev)
{
	char line[4096];
	FILE *f = fopen(path, "re");
	bool found = false;
	while (f && !found && fgets(line, sizeof(line), f)) {
		unsigned long long id;
		unsigned dev_major, dev_minor;
		if (sscanf(line, "%llu %*d %u:%u ", &id, &dev_major, &dev_minor) != 3)
			continue;
		dev_t its = makedev(dev_major, dev_minor);
		found = (!mount_id || id == mount_id) && (!*dev || its == *dev);
		if (found)
			*dev = its;
	}
	if (f)
		fclose(f);
	return found;
}

/* Is that file system mounted where we are, too? Then root, or a user by fusermount(1), has mounted
 * it. */
static bool is_mounted_here(pid_t pid, int fd)
{
	struct statx st;
	char path[48];
	dev_t dev = 0;
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
	return statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) == 0 && st.stx_mask & STATX_MNT_ID &&
	       mountinfo_has(path, st.stx_mnt_id, &dev) && dev &&
	       mountinfo_has("/proc/self/mountinfo", 0, &dev);
}

/* Everybody can mount FUSE and overlayfs, in a user namespace (kernel fs/fuse/inode.c,
 * fs/overlayfs/super.c: FS_USERNS_MOUNT), and the second may have the first below it. */
static int open_file(pid_t pid, const char *path, bool is_shared_memory)
{
	struct statfs fs;
	struct stat st;
	char again[48];
	int place = open(path, O_PATH | O_CLOEXEC), fd = -1;
	if (place < 0)
		return -1;
	errno = ENOTSUP;
	if (fstatfs(place, &fs) == 0 && fs.f_type != FUSE_SUPER_MAGIC &&
	    (!is_shared_memory || fs.f_type == TMPFS_MAGIC) &&
	    (fs.f_type != OVERLAYFS_SUPER_MAGIC || is_mounted_here(pid, place)) &&
	    fstat(place, &st) == 0 && S_ISREG(st.st_mode)) {
		snprintf(again, sizeof(again), "/proc/self/fd/%d", place);
		fd = io_open_now(again, (is_shared_memory ? O_RDWR : O_RDONLY) | O_NOCTTY);
	}
	int sys = errno;
	close(place);
	errno = sys;
	return fd;
}

/* *ret_fd: a descriptor to be passed, or -1. */
static ssize_t obey(struct request *s, int fd, int *ret_fd)
{
	struct iovec local = { .iov_base = s->bytes, .iov_len = s->n_bytes };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)s->at, .iov_len = s->n_bytes };
	switch (s->op) {
	case OP_VM_READ: return process_vm_readv(s->pid, &local, 1, &remote, 1, 0);
	case OP_PREAD: return pread(fd, s->bytes, s->n_bytes, (off_t)s->at);
	case OP_PWRITE: return pwrite(fd, s->bytes, s->n_bytes, (off_t)s->at);
	case OP_READ: return read(fd, s->bytes, s->n_bytes);
	case OP_READ_PROC: return io_read_now(s->path, s->at, s->bytes, s->n_bytes);
	case OP_STAT: return stat(s->path, &s->stat);
	case OP_LSTAT: return lstat(s->path, &s->stat);
	case OP_READLINK: return readlink(s->path, (char *)s->bytes, s->n_bytes);
	case OP_STATVFS: return statvfs(s->path, &s->fs);
	case OP_OPEN_PROC: *ret_fd = io_open_now(s->path, s->flags); break;
	case OP_OPEN_SHARED: *ret_fd = open_file(s->pid, s->path, true); break;
	case OP_OPEN_FILE: *ret_fd = open_file(s->pid, s->path, false); break;
	}
	return *ret_fd < 0 ? -1 : 0;
}

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* One byte, with a descriptor if pass ≥ 0. */
static bool send_byte(int fd, int pass)
{
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union control control = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (pass >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass, sizeof(pass));
	}
	while (sendmsg(fd, &m, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return false;
	return true;
}

/* As recvmsg(2): 1, 0 at the end, or -1 with errno. *ret_fd: a descriptor that came, or -1. */
static ssize_t receive_byte(int fd, int *ret_fd, int flags)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union control control = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	*ret_fd = -1;
	ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | flags);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
	return n;
}

static void reader_serve(int fd, pid_t owner, void *shared)
{
	struct request *s = shared;
	int given;
	for (ssize_t n; (n = receive_byte(fd, &given, 0)) != 0;) {
		int pass = -1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || !worker_begin(owner))
			break;
		s->result = obey(s, given, &pass);
		s->sys = errno;
		worker_end();
		if (given >= 0)
			close(given);
		if (!send_byte(fd, pass))
			break;
		if (pass >= 0)
			close(pass);
	}
}

/* ---- the owner's side ---- */

/* Forget what belongs to the process that this one was forked from. */
static void own_state(void)
{
	if (state.owner == getpid())
		return;
	worker_forget(&state.reader);
	memset(state.reader.abandoned, 0, sizeof(state.reader.abandoned));
	memset(state.judged, 0, sizeof(state.judged));
	/* Its descriptors are not closed: this process may have closed them, and used the numbers
	 * again. */
	memset(state.known, 0, sizeof(state.known));
	state.owner = getpid();
}

/* False with errno. */
static bool start(void)
{
	const struct timeval timeout = { .tv_usec = POLL_MS * 1000 };
	own_state();
	if (state.reader.pid)
		return true;
	if (!worker_start(&state.reader, sizeof(struct request), ABANDONED_MAX, reader_serve))
		return false;
	setsockopt(state.reader.fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	return true;
}

/* Is it still the process that the entry is of? Nothing here waits for an exec of it, as a read of
 * its start time does. */
static bool known_is_of_it(const struct known *k)
{
	if (k->folder_fd < 0)
		return kill(k->pid, 0) == 0 || errno != ESRCH;
	return faccessat(k->folder_fd, "status", F_OK, 0) == 0 ||
	       (errno != ENOENT && errno != ESRCH);
}

static void known_remove(struct known *k)
{
	if (k->pid && k->folder_fd >= 0)
		close(k->folder_fd);
	k->pid = 0;
}

/* Processes that have ended keep no descriptor of ours. */
static void known_sweep(void)
{
	uint64_t now = monotonic_ns();
	if (now - state.swept_ns < SWEEP_NS)
		return;
	state.swept_ns = now;
	for (unsigned i = 0; i < KNOWN_MAX; i++)
		if (state.known[i].pid && !known_is_of_it(&state.known[i]))
			known_remove(&state.known[i]);
}

/* The entry of a process, NULL without. */
static struct known *known_find(pid_t pid)
{
	own_state();
	known_sweep();
	for (unsigned i = 0; i < KNOWN_MAX; i++) {
		struct known *k = &state.known[i];
		uint64_t now;
		if (k->pid != pid)
			continue;
		now = monotonic_ns();
		if (now - k->checked_ns < 100000000)
			return k;
		k->checked_ns = now;
		if (known_is_of_it(k))
			return k;
		known_remove(k);
	}
	return NULL;
}

static struct known *known_add(pid_t pid)
{
	struct known *k = known_find(pid);
	if (k)
		return k;
	k = &state.known[state.next_known++ % KNOWN_MAX];
	known_remove(k);
	*k = (struct known){ .pid = pid, .checked_ns = monotonic_ns(), .folder_fd = -1 };
	return k;
}

static bool exec_is_stuck(const struct known *k)
{
	return k->exec_until_ns && monotonic_ns() < k->exec_until_ns;
}

static bool may_ask(pid_t pid, enum kind kind)
{
	const struct known *k = known_find(pid);
	if (!k)
		return true;
	if (kind == KIND_WRITE)
		return k->n_hung_writes < HUNG_WRITES_MAX;
	return !exec_is_stuck(k) && (kind == KIND_EXEC    ? true
				     : kind == KIND_FILES ? !k->files_are_stuck
							  : !k->memory_is_stuck);
}

static void note_stuck(pid_t pid, enum kind kind)
{
	char path[32];
	struct known *k = known_add(pid);
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (k->folder_fd < 0)
		k->folder_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	k->files_are_stuck |= kind == KIND_FILES;
	k->memory_is_stuck |= kind == KIND_MEMORY || kind == KIND_WRITE;
	k->n_hung_writes += kind == KIND_WRITE;
	if (kind == KIND_EXEC) {
		k->exec_pause_ns = k->exec_pause_ns ? 2 * k->exec_pause_ns : EXEC_PAUSE_NS;
		k->exec_until_ns = monotonic_ns() + k->exec_pause_ns;
	}
	log_debug("process %d does not answer a request for its %s (operation %d, %#llx)", (int)pid,
		  kind == KIND_FILES  ? "files"
		  : kind == KIND_EXEC ? "state"
				      : "memory",
		  request() ? (int)request()->op : -1,
		  request() ? (unsigned long long)request()->at : 0ull);
}

static void note_slow(pid_t pid, enum kind kind, uint64_t took)
{
	struct known *k = known_add(pid);
	if (worker_debt_add(&k->debt, took) > DEBT_MAX_NS)
		note_stuck(pid, kind);
}

static uint64_t deadline_of(pid_t pid, enum kind kind)
{
	unsigned n = 0;
	for (unsigned i = 0; i < KNOWN_MAX; i++)
		n += state.known[i].pid && state.known[i].pid != pid &&
		     (state.known[i].memory_is_stuck || state.known[i].files_are_stuck ||
		      state.known[i].exec_until_ns);
	return n >= SEVERAL || kind == KIND_WRITE ? SHORT_NS : DEADLINE_NS;
}

/* The request that stands in request(). *ret_fd may be NULL. */
static ssize_t ask(pid_t pid, enum kind kind, int pass, int *ret_fd)
{
	uint64_t deadline = deadline_of(pid, kind), took = 0;
	int came = -1, denied = fault_before(FAULT_ASK);
	if (denied) {
		errno = denied;
		return -1;
	}
	ssize_t n = send_byte(state.reader.fd, pass) ? -1 : 0;
	fault_after(FAULT_ASK);
	while (n < 0) {
		uint64_t begin = monotonic_ns();
		n = receive_byte(state.reader.fd, &came, 0);
		/* A wait that lasts much longer than its timeout was not a wait: we were stopped
		 * (SIGSTOP), or had no processor. The answer may have come long ago. */
		uint64_t waited = monotonic_ns() - begin;
		took += waited < 2 * POLL_MS * 1000000ull ? waited : POLL_MS * 1000000ull;
		if (n < 0 && took >= deadline)
			n = receive_byte(state.reader.fd, &came, MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			n = 0;
		if (n < 0 && took >= deadline &&
		    (took >= STARVED_NS || !worker_is_runnable(&state.reader))) {
			note_stuck(pid, kind);
			worker_abandon(&state.reader, true);
			errno = ETIMEDOUT;
			return -1;
		}
	}
	if (n == 0) { /* it was killed */
		worker_abandon(&state.reader, false);
		errno = EIO;
		return -1;
	}
	if (took > SLOW_NS && !worker_is_runnable(&state.reader))
		note_slow(pid, kind, took);
	if (ret_fd)
		*ret_fd = came;
	else if (came >= 0)
		close(came);
	errno = request()->sys;
	if (ret_fd && came < 0 && request()->result >= 0) {
		errno = EMFILE; /* it was sent, and we have no room for it */
		return -1;
	}
	return request()->result;
}

/* NULL with errno: it is not asked. */
static struct request *begin(const struct remote_io *io, enum kind kind, enum op op)
{
	if (!may_ask(io->pid, kind)) {
		errno = ETIMEDOUT;
		return NULL;
	}
	if (!start())
		return NULL;
	request()->op = op;
	request()->pid = io->pid;
	return request();
}

static enum kind kind_of(const struct remote_io *io)
{
	return io->is_of_exec ? KIND_EXEC : io->is_aside ? KIND_FILES : KIND_MEMORY;
}

static ssize_t transfer(const struct remote_io *io, enum op op, int fd, void *to, const void *from,
			size_t n_bytes, uint64_t at)
{
	enum kind kind = from ? KIND_WRITE : kind_of(io);
	struct request *s = begin(io, kind, op);
	if (!s)
		return -1;
	s->at = at;
	s->n_bytes = n_bytes < REMOTE_IO_MAX_BYTES ? n_bytes : REMOTE_IO_MAX_BYTES;
	n_bytes = s->n_bytes;
	if (from)
		memcpy(s->bytes, from, n_bytes);
	ssize_t n = ask(io->pid, kind, fd, NULL);
	if (n > 0 && to)
		memcpy(to, s->bytes, (size_t)n < n_bytes ? (size_t)n : n_bytes);
	return n;
}

ssize_t remote_io_vm_read(const struct remote_io *io, uint64_t at, void *to, size_t n_bytes)
{
	struct iovec local = { .iov_base = to, .iov_len = n_bytes };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)at, .iov_len = n_bytes };
	return io->is_direct ? process_vm_readv(io->pid, &local, 1, &remote, 1, 0)
			     : transfer(io, OP_VM_READ, -1, to, NULL, n_bytes, at);
}

ssize_t remote_io_pread(const struct remote_io *io, int fd, void *to, size_t n_bytes, uint64_t at)
{
	return io->is_direct ? pread(fd, to, n_bytes, (off_t)at)
			     : transfer(io, OP_PREAD, fd, to, NULL, n_bytes, at);
}

ssize_t remote_io_pwrite(const struct remote_io *io, int fd, const void *from, size_t n_bytes,
			 uint64_t at)
{
	return io->is_direct ? pwrite(fd, from, n_bytes, (off_t)at)
			     : transfer(io, OP_PWRITE, fd, NULL, from, n_bytes, at);
}

ssize_t remote_io_read(const struct remote_io *io, int fd, void *to, size_t n_bytes)
{
	return io->is_direct ? read(fd, to, n_bytes)
			     : transfer(io, OP_READ, fd, to, NULL, n_bytes, 0);
}

/* The result; *ret_fd: a descriptor that came. */
static ssize_t ask_path(const struct remote_io *io, enum kind kind, enum op op, const char *path,
			int flags, int *ret_fd)
{
	struct request *s = strlen(path) < PATH_BYTES ? begin(io, kind, op) : NULL;
	if (!s)
		return -1;
	strcpy(s->path, path);
	s->flags = flags;
	return ask(io->pid, kind, -1, ret_fd);
}

int remote_io_stat(const struct remote_io *io, const char *path, struct stat *ret)
{
	if (io->is_direct)
		return stat(path, ret);
	int result = (int)ask_path(io, KIND_FILES, OP_STAT, path, 0, NULL);
	if (!result)
		*ret = request()->stat;
	return result;
}

int remote_io_stat_exe(pid_t pid, struct stat *ret)
{
	char path[32];
	struct remote_io io = remote_io_of(pid);
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return remote_io_stat(&io, path, ret);
}

int remote_io_lstat(const struct remote_io *io, const char *path, struct stat *ret)
{
	if (io->is_direct)
		return lstat(path, ret);
	int result = (int)ask_path(io, KIND_FILES, OP_LSTAT, path, 0, NULL);
	if (!result)
		*ret = request()->stat;
	return result;
}

ssize_t remote_io_readlink(const struct remote_io *io, const char *path, char *to, size_t cap)
{
	if (io->is_direct)
		return readlink(path, to, cap);
	struct request *s = strlen(path) < PATH_BYTES ? begin(io, KIND_EXEC, OP_READLINK) : NULL;
	if (!s)
		return -1;
	strcpy(s->path, path);
	cap = cap < REMOTE_IO_MAX_BYTES ? cap : REMOTE_IO_MAX_BYTES;
	s->n_bytes = cap;
	ssize_t n = ask(io->pid, KIND_EXEC, -1, NULL);
	if (n > (ssize_t)cap)
		n = (ssize_t)cap;
	if (n > 0)
		memcpy(to, s->bytes, (size_t)n);
	return n;
}

int remote_io_statvfs(const struct remote_io *io, const char *path, struct statvfs *ret)
{
	if (io->is_direct)
		return statvfs(path, ret);
	int result = (int)ask_path(io, KIND_FILES, OP_STATVFS, path, 0, NULL);
	if (!result)
		*ret = request()->fs;
	return result;
}

ssize_t remote_io_read_proc(const struct remote_io *io, const char *path, uint64_t at, void *to,
			    size_t n_bytes)
{
	enum kind kind = kind_of(io);
	if (io->is_direct)
		return io_read_now(path, at, to, n_bytes);
	for (size_t done = 0;;) {
		struct request *s = strlen(path) < PATH_BYTES ? begin(io, kind, OP_READ_PROC)
							      : NULL;
		if (!s)
			return -1;
		strcpy(s->path, path);
		s->at = at + done;
		s->n_bytes = n_bytes - done < REMOTE_IO_MAX_BYTES ? n_bytes - done
								  : REMOTE_IO_MAX_BYTES;
		size_t wanted = s->n_bytes;
		ssize_t n = ask(io->pid, kind, -1, NULL);
		if (n < 0)
			return -1;
		if ((size_t)n > wanted)
			n = (ssize_t)wanted;
		memcpy((char *)to + done, s->bytes, (size_t)n);
		done += (size_t)n;
		if ((size_t)n < wanted || done == n_bytes)
			return (ssize_t)done;
	}
}

int remote_io_open_proc(const struct remote_io *io, const char *path, int flags)
{
	int fd = -1;
	if (io->is_direct)
		return io_open_now(path, flags);
	return ask_path(io, kind_of(io), OP_OPEN_PROC, path, flags, &fd) < 0 ? -1 : fd;
}

int remote_io_open_shared(const struct remote_io *io, const char *path)
{
	int fd = -1;
	if (io->is_direct)
		return io_open_now(path, O_RDWR | O_NOCTTY);
	return ask_path(io, KIND_MEMORY, OP_OPEN_SHARED, path, 0, &fd) < 0 ? -1 : fd;
}

int remote_io_open_file(const struct remote_io *io, const char *path)
{
	struct stat st;
	int fd = -1;
	if (!io->is_direct)
		return ask_path(io, KIND_FILES, OP_OPEN_FILE, path, 0, &fd) < 0 ? -1 : fd;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		errno = ENOTSUP;
		return -1;
	}
	return fd;
}

/* ---- trust ---- */

static bool all_are(const uint32_t ids[4], uint32_t id)
{
	return ids[0] == id && ids[1] == id && ids[2] == id && ids[3] == id;
}

/* Ourselves; false if /proc does not tell. */
static bool own_read(void)
{
	if (state.has_own && state.own.tgid == getpid() && state.own.uid[1] == geteuid())
		return true;
	ssize_t n = readlink("/proc/self/ns/user", state.own_ns, sizeof(state.own_ns) - 1);
	state.own_ns[n > 0 ? n : 0] = 0;
	struct err *err = proc_status_read(getpid(), &state.own);
	state.has_own = !err && state.own.tgid == getpid() && n > 0;
	err_destroy(err);
	return state.has_own;
}

/* This, too, waits for an exec of the process. If we cannot have a reader (RLIMIT_NPROC), and none
 * has been abandoned, it is read directly. */
static bool is_in_our_user_ns(pid_t pid)
{
	char path[32], ns[64];
	struct remote_io io = { .pid = pid };
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	ssize_t n = remote_io_readlink(&io, path, ns, sizeof(ns) - 1);
	if (n < 0 && errno != ETIMEDOUT && errno != EIO && !state.reader.pid &&
	    worker_n_abandoned(&state.reader) == 0)
		n = readlink(path, ns, sizeof(ns) - 1);
	ns[n > 0 ? n : 0] = 0;
	return n > 0 && strcmp(ns, state.own_ns) == 0;
}

static struct remote_io judge(pid_t pid)
{
	struct remote_io io = { .pid = pid };
	struct proc_status its;
	struct err *err = proc_status_read(pid, &its);
	if ((err && err->code == ERR_TARGET_GONE) ||
	    (!err && !its.has_memory && its.n_threads <= 1)) {
		/* There is nothing to wait for. If the first of several threads has ended, another
		 * one may have memory that was not found. */
		io.is_direct = true;
	} else if (!err && own_read()) {
		const struct proc_status *own = &state.own;
		io.is_direct = all_are(its.uid, own->uid[1]) && all_are(its.gid, own->gid[1]) &&
			       !(own->cap_permitted & ~its.cap_permitted) && is_in_our_user_ns(pid);
	}
	err_destroy(err);
	return io;
}

/* Is it known? */
static bool was_judged(pid_t pid, struct remote_io *ret)
{
	const struct judged *j = &state.judged[(unsigned)pid % JUDGED_MAX];
	own_state();
	*ret = (struct remote_io){ .pid = pid, .is_direct = true };
	if (pid == state.owner)
		return true;
	ret->is_direct = j->is_direct;
	return j->pid == pid && monotonic_ns() - j->at_ns < JUDGED_NS;
}

struct remote_io remote_io_unjudged(pid_t pid)
{
	struct remote_io io;
	if (!was_judged(pid, &io))
		io.is_direct = !start() && worker_n_abandoned(&state.reader) == 0;
	return io;
}

struct remote_io remote_io_of(pid_t pid)
{
	struct remote_io io;
	if (was_judged(pid, &io))
		return io;
	io = judge(pid);
	state.judged[(unsigned)pid % JUDGED_MAX] = (struct judged){ .pid = pid,
								    .is_direct = io.is_direct,
								    .at_ns = monotonic_ns() };
	log_debug("process %d is read %s", (int)pid, io.is_direct ? "directly" : "by a reader");
	return io;
}

/* ---- what is said of it ---- */

bool remote_io_is_stuck(pid_t pid)
{
	const struct known *k = known_find(pid);
	return k && (k->memory_is_stuck || exec_is_stuck(k));
}

struct err *remote_io_stuck_error(pid_t pid)
{
	return err_with_hint(
	    err_create(ERR_TIMEOUT, "the memory of process %d cannot be read: it does not answer",
		       (int)pid),
	    "the program serves pages of it itself (userfaultfd), or they are of a file system or "
	    "disk that does not answer (FUSE), or an exec of it does not end");
}

struct err *remote_io_explain(pid_t pid, struct err *err)
{
	if (!err || !remote_io_is_stuck(pid))
		return err;
	err_destroy(err);
	return remote_io_stuck_error(pid);
}
