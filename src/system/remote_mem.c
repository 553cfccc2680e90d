/*
 * remote_mem: see remote_mem.h.
 */
#include "system/remote_mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "base/monotonic.h"
#include "base/proc_status.h"
#include "system/fault.h"
#include "system/page_cache.h"
#include "system/remote_io.h"

/* A process may drop its rights at any time, and is not trusted any more. */
#define TRUST_NS 100000000ull

struct remote_mem {
	pid_t pid;
	struct remote_io io;
	uint64_t trust_ns; /* CLOCK_MONOTONIC: time of the last trust check */
	int fd;            /* /proc/PID/mem, read and write if allowed */
	int write_errno;   /* why it could be opened for reading only; 0: for both */
	/* not permitted, not supported, or the first thread has ended: use fd only */
	bool no_vm_readv;
	uint64_t n_left; /* reads left before the limit of remote_mem_limit() */
	struct mem_reader reader, direct;
	struct page_cache *pages; /* NULL except during an examination */
};

static const struct remote_io *io_of(struct remote_mem *m)
{
	uint64_t now = m->io.is_direct ? monotonic_ns() : 0;
	if (m->io.is_direct && now - m->trust_ns >= TRUST_NS) {
		m->io = remote_io_of(m->pid);
		m->trust_ns = now;
	}
	return &m->io;
}

static bool read_fd(const struct remote_mem *m, raddr from, void *to, size_t n_bytes)
{
	size_t done = 0;
	while (done < n_bytes) {
		/* An address with the top bit set is not a file offset: pread returns EINVAL. */
		ssize_t n = remote_io_pread(&m->io, m->fd, (char *)to + done, n_bytes - done,
					    from.v + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static bool read_any(struct remote_mem *m, raddr from, void *to, size_t n_bytes)
{
	const struct remote_io *io = io_of(m);
	for (size_t done = 0; !m->no_vm_readv && done < n_bytes;) {
		size_t wanted = n_bytes - done;
		if (!io->is_direct && wanted > REMOTE_IO_MAX_BYTES)
			wanted = REMOTE_IO_MAX_BYTES;
		ssize_t n = remote_io_vm_read(io, from.v + done, (char *)to + done, wanted);
		if (n == (ssize_t)wanted) {
			done += wanted;
			if (done == n_bytes)
				return true;
			continue;
		}
		/* ESRCH: this thread has ended, but other threads of its process may live. The
		 * descriptor refers to their address space. */
		if (n < 0 && errno != EPERM && errno != ENOSYS && errno != EACCES && errno != ESRCH)
			return false;
		if (n >= 0)
			return false; /* a partial read: the rest is not mapped */
		m->no_vm_readv = true;
	}
	return read_fd(m, from, to, n_bytes);
}

/* One read of the process, whatever was read before. */
static bool direct_read(void *ctx, raddr from, void *to, size_t n_bytes)
{
	if (fault_before(FAULT_READ))
		return false;
	bool ok = read_any(ctx, from, to, n_bytes);
	fault_after(FAULT_READ);
	return ok;
}

bool remote_mem_read(struct remote_mem *m, raddr from, void *to, size_t n_bytes)
{
	if (from.v + n_bytes < from.v)
		return false;
	if (!n_bytes)
		return true;
	if (!m->n_left)
		return false;
	m->n_left--;
	return m->pages ? page_cache_read(m->pages, from, to, n_bytes)
			: direct_read(m, from, to, n_bytes);
}

static bool reader_read(void *ctx, raddr from, void *to, size_t n_bytes)
{
	return remote_mem_read(ctx, from, to, n_bytes);
}

/* Returns -1 with errno set; ESRCH: the thread no longer has memory. *ret_write_errno: why it was
 * opened for reading only; 0: for both. */
static int open_of(const struct remote_io *io, pid_t tid, int *ret_write_errno)
{
	char path[48], byte;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)tid);
	int fd = remote_io_open_proc(io, path, O_RDWR);
	*ret_write_errno = 0;
	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS)) {
		*ret_write_errno = errno;
		fd = remote_io_open_proc(io, path, O_RDONLY);
	}
	/* Kernels before 6.15 open this file even for a thread without memory; a read then returns
	 * 0 (fs/proc/base.c, mem_rw()). For a thread with memory it returns an error or one
	 * byte. */
	if (fd >= 0 && remote_io_pread(io, fd, &byte, 1, 0) == 0) {
		close(fd);
		errno = ESRCH;
		return -1;
	}
	return fd;
}

static struct err *open_failed(int sys, pid_t tid)
{
	char path[48];
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)tid);
	return proc_open_error(sys, path);
}

/* Takes the descriptor. */
static struct err *create(const struct remote_io *io, int fd, int write_errno, bool no_vm_readv,
			  struct remote_mem **ret)
{
	struct remote_mem *m = calloc(1, sizeof(*m));
	if (!m) {
		close(fd);
		return err_no_memory();
	}
	m->pid = io->pid;
	m->io = *io;
	m->trust_ns = monotonic_ns();
	m->fd = fd;
	m->write_errno = write_errno;
	m->no_vm_readv = no_vm_readv;
	m->n_left = UINT64_MAX;
	m->reader = (struct mem_reader){ .read = reader_read, .ctx = m };
	m->direct = (struct mem_reader){ .read = direct_read, .ctx = m };
	*ret = m;
	return NULL;
}

struct err *remote_mem_open(pid_t pid, struct remote_mem **ret)
{
	pid_t tid = pid;
	int write_errno;
	struct remote_io io = remote_io_of(pid);
	if (remote_io_is_stuck(pid))
		return remote_io_stuck_error(pid);
	int fd = open_of(&io, pid, &write_errno);
	if (fd < 0 && errno == ESRCH) {
		tid = proc_living_thread(pid);
		fd = tid && tid != pid ? open_of(&io, tid, &write_errno) : -1;
		errno = fd < 0 ? ENOENT : 0;
	}
	if (fd < 0 && errno == ETIMEDOUT)
		return remote_io_stuck_error(pid);
	if (fd < 0 && errno == ENOENT)
		return err_create(ERR_TARGET_GONE, "there is no process %d", (int)pid);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return err_with_hint(
		    err_sys(errno, "cannot open the memory of process %d", (int)pid),
		    "run as the same user or with CAP_SYS_PTRACE; see also "
		    "/proc/sys/kernel/yama/ptrace_scope");
	if (fd < 0)
		return open_failed(errno, tid);
	return create(&io, fd, write_errno, tid != pid,
		      ret); /* `tid` may end before the other threads do */
}

struct err *remote_mem_dup(const struct remote_mem *m, struct remote_mem **ret)
{
	int fd = fcntl(m->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(errno, "cannot open the memory of process %d again", (int)m->pid);
	return create(&m->io, fd, m->write_errno, m->no_vm_readv, ret);
}

void remote_mem_limit(struct remote_mem *m, uint64_t n_reads)
{
	m->n_left = n_reads;
	page_cache_destroy(m->pages);
	m->pages = page_cache_create(&m->direct); /* NULL: it takes longer */
}

struct err *remote_mem_unlimit(struct remote_mem *m)
{
	bool is_spent = !m->n_left;
	m->n_left = UINT64_MAX;
	page_cache_destroy(m->pages);
	m->pages = NULL;
	if (remote_mem_is_stuck(m))
		return remote_io_stuck_error(m->pid);
	if (!is_spent)
		return NULL;
	return err_with_hint(err_create(ERR_UNSUPPORTED,
					"process %d cannot be examined: reading the tables of its "
					"ELF images takes too long",
					(int)m->pid),
			     "it maps very many images, or images whose symbol tables are damaged");
}

bool remote_mem_is_stuck(const struct remote_mem *m)
{
	return !m->io.is_direct && remote_io_is_stuck(m->pid);
}

const struct mem_reader *remote_mem_reader(const struct remote_mem *m)
{
	return &m->reader;
}

struct err *remote_mem_write(struct remote_mem *m, raddr to, const void *from, size_t n_bytes)
{
	size_t done = 0;
	int denied = fault_before(FAULT_WRITE);
	if (denied)
		return err_sys(denied, "cannot write %zu bytes to address %#llx of process %d",
			       n_bytes, (unsigned long long)to.v, (int)m->pid);
	if (m->write_errno)
		return err_with_hint(
		    err_sys(m->write_errno, "cannot open /proc/%d/mem to write to it", (int)m->pid),
		    "/proc is mounted read-only, or a sandbox (Landlock) or another security "
		    "module forbids it: run auditview outside of that");
	while (done < n_bytes) {
		ssize_t n = remote_io_pwrite(io_of(m), m->fd, (const char *)from + done,
					     n_bytes - done, to.v + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ETIMEDOUT)
			return remote_io_stuck_error(m->pid);
		if (n < 0)
			return err_with_at(
			    err_sys(errno, "cannot write %zu bytes to address %#llx of process %d",
				    n_bytes - done, (unsigned long long)(to.v + done), (int)m->pid),
			    to.v + done);
		if (n == 0) /* fs/proc/base.c, mem_rw: the process no longer has memory */
			return err_create(ERR_TARGET_GONE, "process %d is gone", (int)m->pid);
		done += (size_t)n;
	}
	fault_after(FAULT_WRITE);
	return NULL;
}

void remote_mem_close(struct remote_mem *m)
{
	if (!m)
		return;
	close(m->fd);
	page_cache_destroy(m->pages);
	free(m);
}
