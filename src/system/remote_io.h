/*
 * remote_io: read and write memory and files of another process, with a deadline.
 *
 * The kernel may wait without end for a page of that memory: the process can serve the page itself
 * (userfaultfd(2)), or map it from a file system that it serves itself (FUSE). The wait ends by
 * SIGKILL only (Linux 6.1 mm/gup.c, faultin_page: FAULT_FLAG_KILLABLE), or not at all
 * (fs/fuse/dev.c, request_wait_answer: a request that was sent is waited for). The same holds for
 * open(2), stat(2) and statfs(2) of its files, and for its files in /proc whose content the kernel
 * reads from its memory or below its mmap_lock: maps, cmdline, environ, map_files.
 *
 * An exec that does not end does the same to all that takes exec_update_lock (kernel/fork.c,
 * mm_access()): reads of its memory, and its files mem, maps, auxv, environ and syscall. On Linux
 * 6.18 stat, wchan, io, attr/current, the list of map_files, and all links (exe, cwd, root, ns, fd)
 * wait for it, too; status, comm, cmdline, statm, and the lists of task and fd do not. The exec
 * closes descriptors below that lock (fs/exec.c, begin_new_exec(), do_close_on_exec()), and a file
 * on FUSE is not closed before its server has answered.
 *
 * Hence another process of ours, the reader, does this. If it does not answer in time, it is killed
 * and abandoned, and the next request starts another one. It is a process because a thread that
 * cannot be killed would keep our process a zombie, with its descriptors and locks.
 *
 * A target that could attach to us needs none of this: it is read directly, at the cost of a system
 * call. Whether it could is asked through the reader, because the link of its user namespace waits
 * for an exec of it, too. Not for several threads.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct err;
struct statvfs;

struct remote_io {
	pid_t pid;
	bool is_direct; /* it is trusted: no deadline */
	/* what is read is not needed to examine the process: if it does not answer, its memory may
	 * be read all the same */
	bool is_aside;
	/* what is read waits for the end of an exec only: if it does not answer, nothing else of
	 * the process is asked for a while */
	bool is_of_exec;
};

/* Is the process trusted? It is if it could attach to this one: all its user and group ids are
 * ours, it has all capabilities that we have, and it is in our user namespace (kernel
 * kernel/ptrace.c, __ptrace_may_access; security/commoncap.c, cap_ptrace_access_check). */
struct remote_io remote_io_of(pid_t pid);
/* The same for a single short read: to find out whether the process is trusted would take longer.
 * It is read by the reader, unless it is known to be trusted, or there can be no reader
 * (RLIMIT_NPROC) and none was left behind. */
struct remote_io remote_io_unjudged(pid_t pid);

/*
 * As the system calls of that name: the result, or -1 with errno. ETIMEDOUT: it did not answer, or
 * had not answered earlier. Then `to` is not touched. At most REMOTE_IO_MAX_BYTES are transferred.
 * After a read of memory has failed so, all further reads of the process fail at once; a write is
 * still tried, because what we have written must be taken back. After a read with `is_of_exec` has
 * failed so, all reads of the process fail at once for EXEC_PAUSE_NS (remote_io.c), twice as long
 * after each further time: an exec of a large program can be slow, and ends.
 */
enum { REMOTE_IO_MAX_BYTES = 64 * 1024 };
ssize_t remote_io_vm_read(const struct remote_io *io, uint64_t at, void *to, size_t n_bytes);
ssize_t remote_io_pread(const struct remote_io *io, int fd, void *to, size_t n_bytes, uint64_t at);
ssize_t remote_io_pwrite(const struct remote_io *io, int fd, const void *from, size_t n_bytes,
			 uint64_t at);
ssize_t remote_io_read(const struct remote_io *io, int fd, void *to, size_t n_bytes);
int remote_io_stat(const struct remote_io *io, const char *path, struct stat *ret);
int remote_io_stat_exe(pid_t pid, struct stat *ret); /* of its program */
int remote_io_lstat(const struct remote_io *io, const char *path, struct stat *ret);
ssize_t remote_io_readlink(const struct remote_io *io, const char *path, char *to, size_t cap);
int remote_io_statvfs(const struct remote_io *io, const char *path, struct statvfs *ret);
/* Read a file of /proc/PID from `at` on, to its end or until `to` is full. */
ssize_t remote_io_read_proc(const struct remote_io *io, const char *path, uint64_t at, void *to,
			    size_t n_bytes);
/* Open a file of /proc/PID: as io_open_now(). */
int remote_io_open_proc(const struct remote_io *io, const char *path, int flags);
/* Open what /proc/PID/map_files names, to read and write it. ENOTSUP: it is no shared memory. */
int remote_io_open_shared(const struct remote_io *io, const char *path);
/* Open a regular file to read it; the descriptor can be read without a deadline. ENOTSUP: it is of
 * a file system that the process may serve itself (FUSE; overlayfs in a user namespace, which may
 * have FUSE below it). */
int remote_io_open_file(const struct remote_io *io, const char *path);

/* Has a read of its memory not been answered, or is an exec of it not over? The first is for this
 * process for good: a later process of the same number is another one. */
bool remote_io_is_stuck(pid_t pid);
/* Of a process that is stuck: ERR_TIMEOUT, why it cannot be examined, with what to do. */
struct err *remote_io_stuck_error(pid_t pid);
/* If the process is stuck, this is the reason for what failed: destroys `err`. Else returns it. */
struct err *remote_io_explain(pid_t pid, struct err *err);
