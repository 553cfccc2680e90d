/*
 * remote_mem: see remote_mem.h.
 */
#include "system/remote_mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "system/fault.h"
#include "system/procs.h"

struct remote_mem {
	pid_t pid;
	int fd; /* /proc/PID/mem, read and write if allowed */
	/* not permitted, not supported, or the first thread has ended: use fd only */
	bool no_vm_readv;
	uint64_t n_left; /* reads left before the limit of remote_mem_limit() */
	struct mem_reader reader;
};

static bool read_fd(const struct remote_mem *m, raddr from, void *to, size_t n_bytes)
{
	size_t done = 0;
	while (done < n_bytes) {
		/* An address with the top bit set is not a file offset: pread returns EINVAL. */
		ssize_t n = pread(m->fd, (char *)to + done, n_bytes - done, (off_t)(from.v + done));
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
	if (!m->no_vm_readv) {
		struct iovec local = { .iov_base = to, .iov_len = n_bytes };
		struct iovec remote = { .iov_base = (void *)(uintptr_t)from.v, .iov_len = n_bytes };
		ssize_t n = process_vm_readv(m->pid, &local, 1, &remote, 1, 0);
		if (n == (ssize_t)n_bytes)
			return true;
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

bool remote_mem_read(struct remote_mem *m, raddr from, void *to, size_t n_bytes)
{
	if (from.v + n_bytes < from.v)
		return false;
	if (!n_bytes)
		return true;
	if (!m->n_left)
		return false;
	m->n_left--;
	if (fault_before(FAULT_READ))
		return false;
	bool ok = read_any(m, from, to, n_bytes);
	fault_after(FAULT_READ);
	return ok;
}

static bool reader_read(void *ctx, raddr from, void *to, size_t n_bytes)
{
	return remote_mem_read(ctx, from, to, n_bytes);
}

/* Returns -1 with errno set; ESRCH: the thread no longer has memory. */
static int open_of(pid_t tid)
{
	char path[48], byte;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)tid);
	int fd = io_open_now(path, O_RDWR);
	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS))
		fd = io_open_now(path, O_RDONLY);
	/* Kernels before 6.15 open this file even for a thread without memory; a read then returns
	 * 0 (fs/proc/base.c, mem_rw()). For a thread with memory it returns an error or one
	 * byte. */
	if (fd >= 0 && pread(fd, &byte, 1, 0) == 0) {
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

struct err *remote_mem_open(pid_t pid, struct remote_mem **ret)
{
	pid_t tid = pid;
	int fd = open_of(pid);
	if (fd < 0 && errno == ESRCH) {
		tid = proc_living_thread(pid);
		fd = tid && tid != pid ? open_of(tid) : -1;
		errno = fd < 0 ? ENOENT : 0;
	}
	if (fd < 0 && errno == ENOENT)
		return err_create(ERR_TARGET_GONE, "there is no process %d", (int)pid);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return err_with_hint(
		    err_sys(errno, "cannot open the memory of process %d", (int)pid),
		    "run as the same user or with CAP_SYS_PTRACE; see also "
		    "/proc/sys/kernel/yama/ptrace_scope");
	if (fd < 0)
		return open_failed(errno, tid);
	struct remote_mem *m = calloc(1, sizeof(*m));
	if (!m) {
		close(fd);
		return err_no_memory();
	}
	m->pid = pid;
	m->fd = fd;
	m->no_vm_readv = tid != pid; /* `tid` may end before the other threads do */
	m->n_left = UINT64_MAX;
	m->reader = (struct mem_reader){ .read = reader_read, .ctx = m };
	*ret = m;
	return NULL;
}

void remote_mem_limit(struct remote_mem *m, uint64_t n_reads)
{
	m->n_left = n_reads;
}

struct err *remote_mem_unlimit(struct remote_mem *m)
{
	bool is_spent = !m->n_left;
	m->n_left = UINT64_MAX;
	if (!is_spent)
		return NULL;
	return err_with_hint(err_create(ERR_UNSUPPORTED,
					"process %d cannot be examined: reading the tables of its "
					"ELF images takes too long",
					(int)m->pid),
			     "it maps very many images, or images whose symbol tables are damaged");
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
	while (done < n_bytes) {
		ssize_t n = pwrite(m->fd, (const char *)from + done, n_bytes - done,
				   (off_t)(to.v + done));
		if (n < 0 && errno == EINTR)
			continue;
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
	free(m);
}
