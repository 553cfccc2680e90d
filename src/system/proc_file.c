/*
 * proc_file: see proc_file.h.
 */
#include "system/proc_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/descriptors.h"
#include "base/proc_status.h"
#include "system/remote_io.h"

static bool is_among(const char *name, const char *const *names, size_t n)
{
	const char *slash = strrchr(name, '/'); /* task/TID/syscall */
	for (size_t i = 0; i < n; i++)
		if (strcmp(slash ? slash + 1 : name, names[i]) == 0)
			return true;
	return false;
}

/* Does the kernel wait for pages of the process or for its mmap_lock, or for the end of its exec,
 * to tell what is in there? (fs/proc/base.c, get_mm_cmdline(), environ_read(), auxv_open(),
 * proc_pid_syscall(); Linux 6.18: stat, wchan, attr/current) status, comm, statm, limits and cgroup
 * wait for nothing of it. */
static struct remote_io io_of(pid_t pid, const char *name)
{
	static const char *const pages[] = { "cmdline", "environ" };
	static const char *const exec[] = { "auxv", "syscall", "stat", "wchan", "current" };
	bool is_of_exec = is_among(name, exec, ARRAY_LEN(exec));
	struct remote_io io = { .pid = pid, .is_direct = true };
	if (strcmp(name, "stat") == 0) /* it is read of all processes of the machine */
		io = remote_io_unjudged(pid);
	else if (is_of_exec || is_among(name, pages, ARRAY_LEN(pages)))
		io = remote_io_of(pid);
	io.is_aside = true;
	io.is_of_exec = is_of_exec;
	return io;
}

static ssize_t file_read(pid_t pid, const char *name, char *to, size_t cap)
{
	char path[64];
	struct remote_io io = io_of(pid, name);
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	ssize_t n = remote_io_read_proc(&io, path, 0, to, cap - 1);
	unsigned n_lent = n < 0 && errno == EMFILE ? descriptors_lend(1) : 0;
	if (n_lent)
		n = remote_io_read_proc(&io, path, 0, to, cap - 1);
	descriptors_take_back(n_lent);
	if (n >= 0)
		to[n] = 0;
	return n;
}

/* Is this the content that the kernel shows for a thread without memory? */
static bool is_of_nothing(const char *name, const char *text, ssize_t n)
{
	return n <= 0 || (strcmp(name, "statm") == 0 && strncmp(text, "0 ", 2) == 0);
}

ssize_t proc_file_read(pid_t pid, const char *name, char *to, size_t cap)
{
	ssize_t n = file_read(pid, name, to, cap);
	int sys = errno;
	pid_t tid = is_of_nothing(name, to, n) ? proc_living_thread(pid) : pid;
	if (tid && tid != pid)
		return file_read(tid, name, to, cap);
	errno = sys;
	return n;
}

static ssize_t link_read(pid_t pid, const char *name, char *to, size_t cap)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	struct remote_io io = remote_io_of(pid);
	ssize_t n = remote_io_readlink(&io, path, to, cap - 1);
	if (n >= 0)
		to[n] = 0;
	return n;
}

ssize_t proc_link_read(pid_t pid, const char *name, char *to, size_t cap)
{
	ssize_t n = link_read(pid, name, to, cap);
	int sys = errno;
	pid_t tid = n < 0 ? proc_living_thread(pid) : pid;
	if (tid && tid != pid)
		return link_read(tid, name, to, cap);
	errno = sys;
	return n;
}

uint64_t proc_auxv_value(pid_t pid, uint64_t type)
{
	Elf64_auxv_t aux[64];
	ssize_t n = proc_file_read(pid, "auxv", (char *)aux, sizeof(aux));
	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(aux[0]); i++)
		if (aux[i].a_type == type)
			return aux[i].a_un.a_val;
	return 0;
}

/* proc(5): the command is in parentheses and may contain any byte, so fields are counted from the
 * last ")". */
bool proc_stat_read(pid_t pid, struct proc_stat *ret)
{
	char text[1024];
	if (proc_file_read(pid, "stat", text, sizeof(text)) < 0)
		return false;
	const char *p = strrchr(text, ')');
	unsigned long long user, system, start;
	int ppid;
	if (!p || sscanf(p + 1,
			 " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d "
			 "%*d %*d %llu",
			 &ppid, &user, &system, &start) != 4)
		return false;
	*ret = (struct proc_stat){ .ppid = ppid, .cpu_ticks = user + system, .start_ticks = start };
	return true;
}

uint64_t proc_program_mark(pid_t pid)
{
	return proc_auxv_value(pid, AT_RANDOM) ^ proc_auxv_value(pid, AT_ENTRY) << 16;
}

bool proc_has_execed(pid_t pid)
{
	/* kernel include/linux/sched.h, PF_FORKNOEXEC: set by fork, cleared by exec */
	enum { FORKED_NO_EXEC = 0x40 };
	char text[1024];
	unsigned flags;
	if (proc_file_read(pid, "stat", text, sizeof(text)) < 0)
		return false;
	/* proc(5): behind the command come state, ppid, pgrp, session, tty_nr, tpgid, flags */
	const char *p = strrchr(text, ')');
	return p && sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       !(flags & FORKED_NO_EXEC);
}

/* A process whose start time is known. */
struct started {
	pid_t pid;
	uint64_t folder_inode;
	struct timespec folder_ctime;
	uint64_t ticks;
};

/*
 * Which process has that number now? To ask this takes a microsecond and waits for nothing. The
 * inode of a folder /proc/PID is made for one process and numbered then; a later process of that
 * pid has another inode (kernel v6.1 fs/proc/base.c, proc_pid_make_inode(), pid_revalidate()). The
 * kernel may also drop the inode of a living process: then it looks like another one, and its start
 * time is read again. False if the folder cannot be seen (hidepid), or is of another file system
 * that is mounted there.
 */
static bool identify(pid_t pid, struct started *ret)
{
	static bool is_asked, is_proc;
	struct statfs fs;
	struct stat st;
	char path[32];
	if (!is_asked)
		is_proc = statfs("/proc", &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
	is_asked = true;
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (!is_proc || stat(path, &st) < 0)
		return false;
	*ret = (struct started){ .pid = pid,
				 .folder_inode = st.st_ino,
				 .folder_ctime = st.st_ctim };
	return true;
}

static bool is_same(const struct started *a, const struct started *b)
{
	return a->pid == b->pid && a->folder_inode == b->folder_inode &&
	       a->folder_ctime.tv_sec == b->folder_ctime.tv_sec &&
	       a->folder_ctime.tv_nsec == b->folder_ctime.tv_nsec;
}

bool proc_start_ticks(pid_t pid, uint64_t *ret)
{
	/* Whoever looks for the processes that have a ring asks for all processes of the machine,
	 * several times for each ring, and each may cost a round trip to the reader. */
	enum { STARTED_MAX = 4096 };
	static struct started known[STARTED_MAX];
	struct started *at = &known[(unsigned)pid % STARTED_MAX], now, then;
	struct proc_stat s;
	bool is_seen = identify(pid, &now);
	if (is_seen && is_same(at, &now)) {
		*ret = at->ticks;
		return true;
	}
	if (!proc_stat_read(pid, &s))
		return false;
	/* What was read may be of a process that has got the number just now. */
	if (is_seen && identify(pid, &then) && is_same(&now, &then)) {
		*at = now;
		at->ticks = s.start_ticks;
	}
	*ret = s.start_ticks;
	return true;
}

void proc_boot_id(char *to, size_t n_bytes)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, to, n_bytes - 1);
	if (fd >= 0)
		close(fd);
	to[n > 0 ? n : 0] = '\0';
	to[strspn(to, "0123456789abcdef-")] = '\0';
}

bool proc_thread_state(pid_t pid, pid_t tid, char *ret_state, long *ret_syscall)
{
	char name[48], text[256];
	if (!proc_state_read(pid, tid, ret_state))
		return false;
	*ret_syscall = -1;
	if (*ret_state != 'S')
		return true;
	snprintf(name, sizeof(name), "task/%d/syscall", tid);
	/* the file holds the number and the arguments, or "running", or "-1 SP PC" */
	if (file_read(pid, name, text, sizeof(text)) > 0 && *text >= '0' && *text <= '9')
		*ret_syscall = strtol(text, NULL, 10);
	return true;
}

bool proc_reads_file(pid_t pid, const char *path)
{
	char name[48], text[256], link[PATH_MAX];
	/* "0 0x3 …": the number of the call and its arguments, while the thread sleeps in it */
	if (file_read(pid, "syscall", text, sizeof(text)) <= 0 || *text < '0' || *text > '9')
		return false;
	char *end;
	if (strtol(text, &end, 10) != SYS_read)
		return false;
	snprintf(name, sizeof(name), "/proc/%d/fd/%lu", pid, strtoul(end, NULL, 16));
	ssize_t n = readlink(name, link, sizeof(link) - 1);
	return n > 0 && (size_t)n == strlen(path) && !memcmp(link, path, (size_t)n);
}
