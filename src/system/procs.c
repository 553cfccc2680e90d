/*
 * procs: see procs.h.
 *
 * Most of the cost is reading /proc/PID/maps of the many processes that are not Python (0.05 to 1
 * ms each), so verdicts are cached per (pid, start time, program). "Not Python" is checked again
 * every RECHECK_UPDATES updates, because a program may load libpython at any time.
 */
#include "system/procs.h"

#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "python/python.h"
#include "system/maps.h"
#include "system/remote_mem.h"

#define RECHECK_UPDATES 5

/* ---- files of /proc ---- */

/* State of a thread as in /proc/PID/stat; 0 if there is no such thread. */
static char state_of(pid_t pid, pid_t tid)
{
	char path[64], text[512];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	int fd = io_open_now(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	const char *paren = strrchr(text, ')');
	return paren && paren[1] == ' ' ? paren[2] : 0;
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

static ssize_t file_read(pid_t pid, const char *name, char *to, size_t cap)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	int fd = io_open_now(path, O_RDONLY);
	if (fd < 0)
		return -1;
	size_t n = 0;
	while (n + 1 < cap) {
		ssize_t got = read(fd, to + n, cap - 1 - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int sys = errno;
			close(fd);
			errno = sys;
			return -1;
		}
		if (got == 0)
			break;
		n += (size_t)got;
	}
	close(fd);
	to[n] = 0;
	return (ssize_t)n;
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
	ssize_t n = readlink(path, to, cap - 1);
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
	s.ns_pid = s.tgid;
	s.n_namespaces = 1;
	for (unsigned n = 0; ns && isdigit((unsigned char)*ns); ns += strspn(ns, "\t ")) {
		char *end;
		s.ns_pid = (int)strtol(ns, &end, 10);
		s.n_namespaces = ++n;
		ns = end;
	}
	const char *permitted = status_line(text, "CapPrm"),
		   *effective = status_line(text, "CapEff");
	s.cap_permitted = permitted ? strtoull(permitted, NULL, 16) : 0;
	s.cap_effective = effective ? strtoull(effective, NULL, 16) : 0;
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

struct err *proc_status_read(pid_t pid, struct proc_status *ret)
{
	char text[8192], path[48];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (proc_file_read(pid, "status", text, sizeof(text)) < 0)
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
	if (tid && tid != pid && file_read(tid, "status", text, sizeof(text)) > 0 &&
	    proc_status_parse(text, &of)) {
		/* the last number of that NSpid is the thread's, not the process's */
		of.ns_pid = ret->ns_pid;
		*ret = of;
	}
	return NULL;
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

struct proc_stat {
	int ppid;
	uint64_t cpu_ticks, start_ticks;
};

/* proc(5): the command is in parentheses and may contain any byte, so fields are counted from the
 * last ")". */
static bool stat_read(pid_t pid, struct proc_stat *ret)
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

struct kin {
	pid_t pid, parent;
};

/* The child of `pid` that is `of` or an ancestor of `of`; 0: none. */
static pid_t branch_of(const struct kin *all, size_t n, pid_t pid, pid_t of)
{
	for (size_t steps = 0; of > 0 && steps <= n; steps++) {
		size_t i = 0;
		while (i < n && all[i].pid != of)
			i++;
		if (i == n)
			return 0;
		if (all[i].parent == pid)
			return of;
		of = all[i].parent;
	}
	return 0;
}

struct err *proc_descendants(pid_t pid, pid_t but, pid_t **ret, size_t *ret_n)
{
	VEC(struct kin) all = { 0 };
	VEC(pid_t) found = { 0 };
	bool is_short = false;
	DIR *dir = opendir("/proc");
	if (!dir)
		return err_sys(errno, "cannot list processes in /proc");
	for (struct dirent *entry; !is_short && (entry = readdir(dir)) != NULL;) {
		struct proc_stat stat;
		pid_t one = (pid_t)strtol(entry->d_name, NULL, 10);
		if (one > 0 && stat_read(one, &stat))
			is_short = !vec_push(&all, ((struct kin){ one, stat.ppid }));
	}
	closedir(dir);
	pid_t ours = branch_of(all.v, all.n, pid, but), parent = pid;
	for (size_t next = 0; !is_short; parent = found.v[next++]) {
		for (size_t i = 0; i < all.n && !is_short; i++)
			if (all.v[i].parent == parent && all.v[i].pid != ours)
				is_short = !vec_push(&found, all.v[i].pid);
		if (next >= found.n)
			break;
	}
	vec_fini(&all);
	if (is_short) {
		vec_fini(&found);
		return err_no_memory();
	}
	*ret = found.v;
	*ret_n = found.n;
	return NULL;
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

bool proc_start_ticks(pid_t pid, uint64_t *ret)
{
	struct proc_stat s;
	if (!stat_read(pid, &s))
		return false;
	*ret = s.start_ticks;
	return true;
}

bool proc_thread_state(pid_t pid, pid_t tid, char *ret_state, long *ret_syscall)
{
	char name[48], text[256];
	snprintf(name, sizeof(name), "task/%d/stat", tid);
	if (file_read(pid, name, text, sizeof(text)) <= 0)
		return false;
	const char *paren = strrchr(text, ')'); /* the name before it may contain any byte */
	if (!paren || paren[1] != ' ' || !paren[2])
		return false;
	*ret_state = paren[2];
	*ret_syscall = -1;
	if (*ret_state != 'S')
		return true;
	snprintf(name, sizeof(name), "task/%d/syscall", tid);
	/* the file holds the number and the arguments, or "running", or "-1 SP PC" */
	if (file_read(pid, name, text, sizeof(text)) > 0 && *text >= '0' && *text <= '9')
		*ret_syscall = strtol(text, NULL, 10);
	return true;
}

/* ---- containers ---- */

/*
 * A container runtime names the cgroup after the container. Seen with Docker 20-27, Podman 4,
 * containerd/CRI-O (cgroup v1 and v2, systemd and cgroupfs drivers), LXC 4:
 *
 *   /docker/<64 hex>   /system.slice/docker-<64 hex>.scope   /machine.slice/libpod-<64 hex>.scope
 *   /kubepods…/…/cri-containerd-<64 hex>.scope   /kubepods/burstable/pod<uid>/<64 hex>
 *   /lxc.payload.<name>   /lxc/<name>
 */
bool proc_container_name(const char *cgroup, char *to, size_t cap)
{
	static const struct {
		const char *mark, *name;
	} marks[] = { { "kubepods", "kubernetes" },
		      { "docker", "docker" },
		      { "libpod", "podman" },
		      { "crio", "cri-o" },
		      { "containerd", "containerd" } };
	const char *name = NULL;
	for (size_t i = 0; i < ARRAY_LEN(marks) && !name; i++)
		if (strstr(cgroup, marks[i].mark))
			name = marks[i].name;
	for (const char *p = cgroup; name && *p; p++) {
		size_t n = strspn(p, "0123456789abcdef");
		if (n == 64) {
			snprintf(to, cap, "%s %.12s", name, p);
			return true;
		}
		p += n ? n - 1 : 0;
	}
	const char *lxc = strstr(cgroup, "/lxc.payload.");
	size_t skip = strlen("/lxc.payload.");
	if (!lxc) {
		lxc = strstr(cgroup, "/lxc/");
		skip = strlen("/lxc/");
	}
	if (lxc) {
		snprintf(to, cap, "lxc %.*s", (int)strcspn(lxc + skip, "/\n"), lxc + skip);
		return true;
	}
	return false;
}

/* ---- name a process ---- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

/* "python", "python3.12", "pypy3", "python3.13t", "python3-dbg", "Python"; not "pythonista.sh" */
static bool is_python_name(const char *name)
{
	size_t n = strncasecmp(name, "python", 6) == 0 ? 6
		   : strncasecmp(name, "pypy", 4) == 0 ? 4
						       : 0;
	if (!n)
		return false;
	name += n;
	name += strspn(name, "0123456789.");
	return !*name || strcmp(name, "t") == 0 || strcmp(name, "d") == 0 ||
	       strcmp(name, "td") == 0 || strncmp(name, "-dbg", 4) == 0 ||
	       strncmp(name, "-intel64", 8) == 0;
}

static bool is_loader_name(const char *name)
{
	return strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld-musl", 7) == 0 ||
	       strcmp(name, "ld.so") == 0 || strncmp(name, "ld-2.", 5) == 0;
}

static const char *next_word(const char *p, const char *end)
{
	p += strnlen(p, (size_t)(end - p));
	return p < end ? p + 1 : end;
}

/* Append a word for display: without control characters, quoted if it has spaces; a quoted word
 * (program text) is cut after 40 bytes. */
static void add_word(struct strbuf *to, const char *word)
{
	size_t n = strlen(word);
	bool quote = n == 0 || strpbrk(word, " \t\n'\"");
	bool cut = quote && n > 40;
	for (n = cut ? 40 : n; cut && n && ((unsigned char)word[n] & 0xc0) == 0x80;)
		n--;
	if (to->n)
		strbuf_addc(to, ' ');
	if (quote)
		strbuf_addc(to, '"');
	utf8_escape(to, word, n, quote ? '"' : 0);
	if (cut)
		strbuf_adds(to, "…");
	if (quote)
		strbuf_addc(to, '"');
}

void proc_command_name(const char *cmdline, size_t n, char *to, size_t cap)
{
	const char *end = cmdline + n, *p = cmdline;
	struct strbuf b = { 0 };
	to[0] = 0;
	/* A process that has renamed itself ("gunicorn: master [shop:app]") leaves a single text,
	 * mostly padded with NULs. */
	bool is_renamed = p < end && strchr(p, ' ');
	for (const char *q = next_word(p, end); is_renamed && q < end; q++)
		is_renamed = *q == 0;
	if (is_renamed) {
		utf8_escape(&b, p, strlen(p), 0);
		goto done;
	}
	if (p < end && is_loader_name(base_name(p))) {
		/* ld.so(8): these options take a value; the others take none. */
		for (p = next_word(p, end); p < end && *p == '-'; p = next_word(p, end))
			if (strcmp(p, "--library-path") == 0 || strcmp(p, "--preload") == 0 ||
			    strcmp(p, "--argv0") == 0 || strcmp(p, "--audit") == 0 ||
			    strcmp(p, "--inhibit-rpath") == 0 ||
			    strcmp(p, "--glibc-hwcaps-prepend") == 0)
				p = next_word(p, end);
	}
	if (p >= end)
		goto done;
	const char *program = p;
	bool is_path = true; /* the first word shown is a path: only its last part is shown */
	if (is_python_name(base_name(program))) {
		/* Skip Python's options up to what it runs: -c and -m take everything that follows;
		 * -W, -X and one long option take a value. */
		for (p = next_word(p, end); p < end && *p == '-' && p[1]; p = next_word(p, end)) {
			if (p[1] == '-') {
				if (strcmp(p, "--check-hash-based-pycs") == 0)
					p = next_word(p, end);
				continue;
			}
			const char *letter = p + 1 + strcspn(p + 1, "cmWX");
			if (*letter == 'c' || *letter == 'm') {
				char option[3] = { '-', *letter, 0 };
				add_word(&b, option);
				is_path = false;
				if (letter[1])
					add_word(&b, letter + 1);
				p = next_word(p, end);
				break;
			}
			if (*letter && !letter[1])
				p = next_word(p, end);
		}
		if (p >= end && !b.n) {
			add_word(&b, base_name(
					 program)); /* interactive, or a script on standard input */
			goto done;
		}
	}
	for (; p < end; p = next_word(p, end), is_path = false)
		add_word(&b, is_path ? base_name(p) : p);
done:
	if (b.n < cap) {
		memcpy(to, strbuf_str(&b), b.n + 1);
	} else if (cap > 4) {
		size_t keep = cap - 4; /* "…" takes 3 bytes */
		while (keep && ((unsigned char)b.s[keep] & 0xc0) == 0x80)
			keep--;
		memcpy(to, b.s, keep);
		memcpy(to + keep, "…", 4);
	}
	strbuf_fini(&b);
}

/* ---- is it Python? ---- */

enum verdict { VERDICT_NO, VERDICT_YES };

struct known {
	int pid;
	uint64_t start_ticks;
	uint64_t exe_dev, exe_inode; /* 0 when it cannot be read */
	enum verdict verdict;
	unsigned age; /* updates since the verdict was found */
	bool is_readable;
	char version[24];
	uint64_t cpu_ticks;
	uint64_t seen_ns; /* CLOCK_BOOTTIME of cpu_ticks; 0 never */
};

struct user {
	uint32_t uid;
	char name[33];
};

struct procs {
	VEC(struct proc) shown;
	VEC(struct known) known; /* in order of pid */
	VEC(struct user) users;
	char ns_mnt[64], ns_pid[64];
};

/* "libpython3.12.so.1.0", "python3.12", ".../3.12.1/bin/python3": the longest "3.N[.M]" of the
 * path's tail. */
static void version_of_path(const char *path, char *to, size_t cap)
{
	to[0] = 0;
	for (const char *p = path; (p = strstr(p, "3.")) != NULL; p++) {
		size_t n = strspn(p, "0123456789.");
		while (n && p[n - 1] == '.')
			n--;
		bool is_word = p == path || !isdigit((unsigned char)p[-1]);
		if (is_word && n >= 3 && n < 8 && n > strlen(to))
			snprintf(to, cap, "%.*s", (int)n, p);
	}
}

bool proc_is_traced_by_us(pid_t pid)
{
	struct proc_status status;
	struct err *err = proc_status_read(pid, &status);
	bool is = !err && status.tracer_pid == (int)getpid();
	err_destroy(err);
	return is;
}

struct err *proc_examine(pid_t pid, struct maps **ret_maps, struct remote_mem **ret_mem)
{
	*ret_maps = NULL;
	*ret_mem = NULL;
	struct err *err = maps_read(pid, ret_maps);
	if (!err)
		err = remote_mem_open(pid, ret_mem);
	if (err)
		return err;
	remote_mem_limit(*ret_mem, EXAMINATION_READS);
	return maps_find_modules(*ret_maps, remote_mem_reader(*ret_mem));
}

static enum verdict look_inside(pid_t pid, struct known *k)
{
	struct maps *maps;
	struct remote_mem *mem;
	enum verdict verdict = VERDICT_NO;
	struct err *err = proc_examine(pid, &maps, &mem);
	if (err)
		goto done;
	k->is_readable = true;
	for (size_t i = 0; i < maps->n_modules && verdict == VERDICT_NO; i++) {
		const struct elf_module *module = &maps->modules[i];
		struct python_runtime rt;
		struct err *none = python_runtime_find(remote_mem_reader(mem), module, &rt);
		if (!none) {
			verdict = VERDICT_YES;
			snprintf(k->version, sizeof(k->version), "%s", rt.version);
		} else if (none->code == ERR_UNSUPPORTED) {
			verdict = VERDICT_YES; /* a Python that we cannot trace: its row says so */
			version_of_path(base_name(module->path), k->version, sizeof(k->version));
		}
		err_destroy(none);
	}
done:
	err_destroy(err);
	remote_mem_close(mem);
	maps_destroy(maps);
	return verdict;
}

static void judge(struct known *k, const struct proc_status *status)
{
	char exe[512] = "", cmdline[512];
	k->version[0] = 0;
	k->is_readable = false;
	k->verdict = VERDICT_NO;
	if (!status->has_memory)
		return;
	bool has_exe = proc_link_read(k->pid, "exe", exe, sizeof(exe)) > 0;
	if (has_exe)
		k->verdict = look_inside(k->pid, k);
	if (k->verdict == VERDICT_YES || k->is_readable)
		return;
	/* We may not read its memory: decide by the names. */
	ssize_t n = proc_file_read(k->pid, "cmdline", cmdline, sizeof(cmdline));
	const char *name = has_exe ? exe : n > 0 ? cmdline : status->name;
	if (is_python_name(base_name(name)) || is_python_name(status->name)) {
		k->verdict = VERDICT_YES;
		version_of_path(name, k->version, sizeof(k->version));
	}
}

/* ---- the list ---- */

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct err *procs_create(struct procs **ret)
{
	struct procs *p = calloc(1, sizeof(*p));
	if (!p)
		return err_no_memory();
	if (proc_link_read(getpid(), "ns/mnt", p->ns_mnt, sizeof(p->ns_mnt)) < 0)
		p->ns_mnt[0] = 0;
	if (proc_link_read(getpid(), "ns/pid", p->ns_pid, sizeof(p->ns_pid)) < 0)
		p->ns_pid[0] = 0;
	*ret = p;
	return NULL;
}

void procs_destroy(struct procs *p)
{
	if (!p)
		return;
	vec_fini(&p->shown);
	vec_fini(&p->known);
	vec_fini(&p->users);
	free(p);
}

static void user_name(struct procs *p, uint32_t uid, char to[33])
{
	for (size_t i = 0; i < p->users.n; i++) {
		if (p->users.v[i].uid == uid) {
			memcpy(to, p->users.v[i].name, sizeof(p->users.v[i].name));
			return;
		}
	}
	struct user user = { .uid = uid };
	char buffer[4096];
	struct passwd pw, *found = NULL;
	if (getpwuid_r(uid, &pw, buffer, sizeof(buffer), &found) == 0 && found)
		snprintf(user.name, sizeof(user.name), "%s", pw.pw_name);
	else
		snprintf(user.name, sizeof(user.name), "%u", uid);
	memcpy(to, user.name, sizeof(user.name));
	if (!vec_push(&p->users, user))
		return; /* the name is looked up again next time */
}

static bool is_in_container(const struct procs *p, pid_t pid, const struct proc_status *status)
{
	char ns[64];
	if (status->n_namespaces > 1)
		return true;
	if (proc_link_read(pid, "ns/pid", ns, sizeof(ns)) > 0 && p->ns_pid[0] &&
	    strcmp(ns, p->ns_pid) != 0)
		return true;
	return proc_link_read(pid, "ns/mnt", ns, sizeof(ns)) > 0 && p->ns_mnt[0] &&
	       strcmp(ns, p->ns_mnt) != 0;
}

static void describe(struct procs *p, const struct known *k, const struct proc_status *status,
		     struct proc *to)
{
	char text[4096];
	ssize_t n;
	*to = (struct proc){ .pid = k->pid,
			     .ppid = status->ppid,
			     .ns_pid = status->ns_pid,
			     .start_ticks = k->start_ticks,
			     .uid = status->uid[1],
			     .n_threads = status->n_threads,
			     .state = status->state,
			     .is_readable = k->is_readable };
	memcpy(to->version, k->version, sizeof(to->version));
	user_name(p, to->uid, to->user);
	n = proc_file_read(k->pid, "cmdline", text, sizeof(text));
	proc_command_name(text, n > 0 ? (size_t)n : 0, to->command, sizeof(to->command));
	if (!to->command[0])
		snprintf(to->command, sizeof(to->command), "[%s]", status->name);
	if (proc_link_read(k->pid, "cwd", to->cwd, sizeof(to->cwd)) < 0)
		to->cwd[0] = 0;
	to->in_container = is_in_container(p, k->pid, status);
	if (to->in_container && proc_file_read(k->pid, "cgroup", text, sizeof(text)) > 0 &&
	    !proc_container_name(text, to->container, sizeof(to->container)))
		to->container[0] = 0;
}

static void measure(struct known *k, const struct proc_stat *stat, struct proc *to)
{
	uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK), now = now_ns();
	uint64_t start_ns = stat->start_ticks * tick_ns;
	to->uptime_ns = now > start_ns ? now - start_ns : 0;
	uint64_t since = k->seen_ns ? k->seen_ns : start_ns;
	uint64_t used_ns = (stat->cpu_ticks - k->cpu_ticks) * tick_ns;
	to->cpu_percent = now > since ? 100.0 * (double)used_ns / (double)(now - since) : 0;
	k->cpu_ticks = stat->cpu_ticks;
	k->seen_ns = now;
}

static struct known *known_find(struct procs *p, int pid)
{
	size_t low = 0, high = p->known.n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (p->known.v[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->known.n && p->known.v[low].pid == pid ? &p->known.v[low] : NULL;
}

/* What is known about a process now. The verdict of the last update is reused if the process still
 * runs the same program. Returns false if the process is gone. */
static bool learn(struct procs *p, int pid, struct known *ret)
{
	char path[64];
	struct stat exe;
	struct proc_stat now;
	struct proc_status status;
	if (!stat_read(pid, &now))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	bool has_exe = stat(path, &exe) == 0;
	uint64_t dev = has_exe ? exe.st_dev : 0, inode = has_exe ? exe.st_ino : 0;
	const struct known *old = known_find(p, pid);
	bool is_same = old && old->start_ticks == now.start_ticks;
	struct known k = is_same ? *old
				 : (struct known){ .pid = pid, .start_ticks = now.start_ticks };
	if (!is_same || k.exe_dev != dev || k.exe_inode != inode ||
	    (k.verdict == VERDICT_NO && ++k.age >= RECHECK_UPDATES)) {
		struct err *err = proc_status_read(pid, &status);
		if (err) {
			err_destroy(err);
			return false;
		}
		k.exe_dev = dev;
		k.exe_inode = inode;
		k.age = 0;
		judge(&k, &status);
	}
	*ret = k;
	return true;
}

/* Fill one row for a process known to be Python; false if it is gone. */
static bool show(struct procs *p, struct known *k, struct proc *ret)
{
	struct proc_status status;
	struct proc_stat stat;
	struct err *err = proc_status_read(k->pid, &status);
	if (err) {
		err_destroy(err);
		return false;
	}
	if (!stat_read(k->pid, &stat))
		return false;
	describe(p, k, &status, ret);
	measure(k, &stat, ret);
	return true;
}

static int compare_known(const void *a, const void *b)
{
	const struct known *x = a, *y = b;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int compare_shown(const void *a, const void *b)
{
	const struct proc *x = a, *y = b;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

struct err *procs_update(struct procs *p)
{
	DIR *dir = opendir("/proc");
	if (!dir)
		return err_sys(errno, "cannot list processes in /proc");
	__typeof__(p->known) known = { 0 };
	__typeof__(p->shown) shown = { 0 };
	bool is_short = false;
	for (struct dirent *entry; !is_short && (entry = readdir(dir)) != NULL;) {
		struct known k;
		struct proc row;
		int pid = atoi(entry->d_name);
		if (pid <= 0 || pid == getpid() || !learn(p, pid, &k))
			continue;
		bool is_shown = k.verdict == VERDICT_YES && show(p, &k, &row);
		is_short = !vec_push(&known, k) || (is_shown && !vec_push(&shown, row));
	}
	closedir(dir);
	if (is_short) {
		vec_fini(&known);
		vec_fini(&shown);
		return err_no_memory();
	}
	/* The kernel lists pids in ascending order (fs/proc/base.c, next_tgid); the file systems
	 * that sandboxes put over /proc need not. */
	if (known.n)
		qsort(known.v, known.n, sizeof(*known.v), compare_known);
	if (shown.n)
		qsort(shown.v, shown.n, sizeof(*shown.v), compare_shown);
	vec_fini(&p->known);
	vec_fini(&p->shown);
	memcpy(&p->known, &known, sizeof(known));
	memcpy(&p->shown, &shown, sizeof(shown));
	return NULL;
}

const struct proc *procs_get(const struct procs *p, size_t *ret_n)
{
	*ret_n = p->shown.n;
	return p->shown.v;
}
