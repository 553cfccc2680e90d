/*
 * proc_status: see proc_status.h.
 */
#include "base/proc_status.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/io.h"

/* Read the whole file, or cap - 1 bytes of it; a NUL is added. -1 with errno. */
static ssize_t text_read(const char *path, char *to, size_t cap)
{
	ssize_t n = io_read_now(path, 0, to, cap - 1);
	unsigned n_lent = n < 0 && errno == EMFILE ? descriptors_lend(1) : 0;
	if (n_lent)
		n = io_read_now(path, 0, to, cap - 1);
	descriptors_take_back(n_lent);
	if (n >= 0)
		to[n] = 0;
	return n;
}

/* The value of a line "Key:\tvalue" of a status file, or NULL. There is no newline before the first
 * line. */
static const char *status_line(const char *text, const char *key)
{
	size_t n = strlen(key);
	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, key, n) == 0 && p[n] == ':')
			return p + n + 1 + strspn(p + n + 1, "\t ");
	}
	return NULL;
}

static int status_int(const char *text, const char *key, int missing)
{
	const char *value = status_line(text, key);
	return value ? (int)strtol(value, NULL, 10) : missing;
}

/* A set of bits in hexadecimal; 0: missing. */
static uint64_t status_mask(const char *text, const char *key)
{
	const char *value = status_line(text, key);
	return value ? strtoull(value, NULL, 16) : 0;
}

/* A line such as "VmSize:\t   9480 kB", in bytes; 0: missing. */
static uint64_t status_bytes(const char *text, const char *key)
{
	const char *value = status_line(text, key);
	return value ? strtoull(value, NULL, 10) * 1024 : 0;
}

bool proc_status_parse(const char *text, struct proc_status *ret)
{
	struct proc_status s = { .seccomp = status_int(text, "Seccomp", -1) };
	const char *name = status_line(text, "Name"), *state = status_line(text, "State");
	const char *uid = status_line(text, "Uid"), *gid = status_line(text, "Gid");
	if (!name || !state || !uid || !gid || !status_line(text, "Tgid"))
		return false;
	snprintf(s.name, sizeof(s.name), "%.*s", (int)strcspn(name, "\n"), name);
	s.state = *state;
	s.tgid = status_int(text, "Tgid", 0);
	s.ppid = status_int(text, "PPid", 0);
	s.tracer_pid = status_int(text, "TracerPid", 0);
	s.n_threads = status_int(text, "Threads", 0);
	s.n_filters = status_int(text, "Seccomp_filters", -1);
	s.no_new_privs = status_int(text, "NoNewPrivs", 0) != 0;
	s.has_memory = status_line(text, "VmSize") != NULL;
	/* Kernels before 6.10 have no such line. There, kernel threads are recognised by their
	 * parent: all descend from kthreadd, which is process 2 of the first namespace. */
	s.is_kernel_thread = status_int(text, "Kthread",
					!s.has_memory && (s.ppid == 2 || s.tgid == 2)) != 0;
	for (int i = 0; i < 4; i++) {
		char *end;
		s.uid[i] = (uint32_t)strtoul(uid, &end, 10);
		uid = end;
		s.gid[i] = (uint32_t)strtoul(gid, &end, 10);
		gid = end;
	}
	/* proc(5): the pids from the reader's namespace inwards. Kernels before 4.1 have no such
	 * line. */
	const char *ns = status_line(text, "NSpid");
	s.ns_pid = status_int(text, "Pid", s.tgid);
	s.n_namespaces = 1;
	for (unsigned n = 0; ns && isdigit((unsigned char)*ns); ns += strspn(ns, "\t ")) {
		char *end;
		s.ns_pid = (int)strtol(ns, &end, 10);
		s.n_namespaces = ++n;
		ns = end;
	}
	s.cap_permitted = status_mask(text, "CapPrm");
	s.cap_effective = status_mask(text, "CapEff");
	s.sig_blocked = status_mask(text, "SigBlk");
	s.sig_caught = status_mask(text, "SigCgt");
	s.sig_pending = status_mask(text, "SigPnd");
	s.fd_size = status_int(text, "FDSize", 0);
	const char *sleeps = status_line(text, "voluntary_ctxt_switches");
	s.n_sleeps = sleeps ? strtoull(sleeps, NULL, 10) : UINT64_MAX;
	s.vm_bytes = status_bytes(text, "VmSize");
	s.data_bytes = status_bytes(text, "VmData");
	s.locked_bytes = status_bytes(text, "VmLck");
	*ret = s;
	return true;
}

/* The process that has a lease on the file; 0 if unknown. A line of /proc/locks: "1: LEASE ACTIVE
 * WRITE 4711 00:15:8123 0 EOF" (kernel fs/locks.c, lock_get_status). */
static pid_t lease_holder(const char *path)
{
	char line[256];
	struct stat file;
	FILE *f = stat(path, &file) == 0 ? io_fopen_now("/proc/locks") : NULL;
	pid_t found = 0;
	for (unsigned n = 0; f && !found && n < 20000 && fgets(line, sizeof(line), f); n++) {
		int pid;
		unsigned dev_major, dev_minor;
		unsigned long long inode;
		if (sscanf(line, "%*d: LEASE %*s %*s %d %x:%x:%llu", &pid, &dev_major, &dev_minor,
			   &inode) == 4 &&
		    dev_major == major(file.st_dev) && dev_minor == minor(file.st_dev) &&
		    inode == file.st_ino)
			found = pid;
	}
	if (f)
		fclose(f);
	return found;
}

struct err *proc_open_error(int sys, const char *path)
{
	char seconds[16] = "", holder[48] = "a process";
	if (sys != EWOULDBLOCK)
		return err_sys(sys, "cannot open %s", path);
	pid_t pid = lease_holder(path);
	if (pid)
		snprintf(holder, sizeof(holder), "process %d", (int)pid);
	FILE *f = io_fopen_now("/proc/sys/fs/lease-break-time");
	if (!f || !fgets(seconds, sizeof(seconds), f))
		strcpy(seconds, "45"); /* the default at boot (fs/locks.c, lease_break_time) */
	if (f)
		fclose(f);
	seconds[strcspn(seconds, "\n")] = 0;
	struct err *err = err_create(
	    ERR_BUSY, "cannot open %s: %s holds a lease on it (fcntl F_SETLEASE)", path, holder);
	if (err->code == ERR_BUSY)
		err->sys = EWOULDBLOCK;
	return err_with_hint(err,
			     "try again: the kernel ends a lease %s seconds after another "
			     "process has tried to open the file; or end %s",
			     seconds, holder);
}

bool proc_state_read(pid_t pid, pid_t tid, char *ret)
{
	char path[64], text[512];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)tid);
	int fd = io_open_now(path, O_RDONLY);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	int sys = n < 0 ? errno : ESRCH;
	close(fd);
	text[n > 0 ? n : 0] = 0;
	const char *state = strstr(text, "\nState:\t"); /* a name has no newline: it is escaped */
	if (state)
		*ret = state[strlen("\nState:\t")];
	errno = sys;
	return state;
}

/* 0 if there is no such thread. */
static char state_of(pid_t pid, pid_t tid)
{
	char state;
	return proc_state_read(pid, tid, &state) ? state : 0;
}

pid_t proc_living_thread(pid_t pid)
{
	char path[48], state = state_of(pid, pid);
	pid_t found = 0;
	if (state && state != 'Z' && state != 'X')
		return pid;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *dir = state ? opendir(path) : NULL;
	for (struct dirent *e; dir && !found && (e = readdir(dir));) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		state = tid > 0 && tid != pid ? state_of(pid, tid) : 0;
		if (state && state != 'Z' && state != 'X')
			found = tid;
	}
	if (dir)
		closedir(dir);
	return found;
}

struct err *proc_status_read(pid_t pid, struct proc_status *ret)
{
	char text[8192], path[48];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (text_read(path, text, sizeof(text)) < 0)
		return errno == ENOENT || errno == ESRCH
			   ? err_create(ERR_TARGET_GONE, "no process %d", pid)
			   : proc_open_error(errno, path);
	if (!proc_status_parse(text, ret))
		return err_create(ERR_CORRUPT,
				  "cannot read /proc/%d/status: expected lines such as \"Tgid:\"",
				  pid);
	/* If the first thread has ended, another thread still has the process's memory and
	 * credentials. */
	pid_t tid = ret->has_memory || ret->is_kernel_thread ? pid : proc_living_thread(pid);
	struct proc_status of;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	if (tid && tid != pid && text_read(path, text, sizeof(text)) > 0 &&
	    proc_status_parse(text, &of)) {
		/* the last number of that NSpid is the thread's, not the process's */
		of.ns_pid = ret->ns_pid;
		*ret = of;
	}
	return NULL;
}

bool proc_status_read_path(const char *path, struct proc_status *ret)
{
	char text[32768];
	return text_read(path, text, sizeof(text)) > 0 && proc_status_parse(text, ret);
}

bool proc_thread_status(pid_t pid, pid_t tid, struct proc_status *ret)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)tid);
	return proc_status_read_path(path, ret);
}

bool proc_parent_read(pid_t pid, pid_t *ret)
{
	char path[32], text[1024];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	const char *line = text_read(path, text, sizeof(text)) < 0 ? NULL : strstr(text, "\nPPid:");
	if (line)
		*ret = (pid_t)strtol(line + strlen("\nPPid:"), NULL, 10);
	return line;
}

bool proc_is_traced_by_us(pid_t pid)
{
	struct proc_status status;
	struct err *err = proc_status_read(pid, &status);
	bool is = !err && status.tracer_pid == (int)getpid();
	err_destroy(err);
	return is;
}
