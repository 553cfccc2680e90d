/*
 * procs: see procs.h.
 *
 * Most of the cost is reading /proc/PID/maps of the many processes that are not Python (0.05 to 1
 * ms each), so verdicts are cached per (pid, start time, program). "Not Python" is checked again
 * every RECHECK_UPDATES updates, because a program may load libpython at any time.
 */
#include "system/procs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/accounts.h"
#include "base/framework.h"
#include "base/proc_status.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "python/python.h"
#include "system/maps.h"
#include "system/proc_file.h"
#include "system/proc_name.h"
#include "system/remote_io.h"
#include "system/remote_mem.h"

#define RECHECK_UPDATES 5

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
		pid_t one = (pid_t)strtol(entry->d_name, NULL, 10), parent;
		if (one > 0 && proc_parent_read(one, &parent))
			is_short = !vec_push(&all, ((struct kin){ one, parent }));
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
			proc_name_version(proc_base_name(module->path), k->version,
					  sizeof(k->version));
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
	if (proc_name_is_python(proc_base_name(name)) || proc_name_is_python(status->name)) {
		k->verdict = VERDICT_YES;
		proc_name_version(name, k->version, sizeof(k->version));
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
	const struct passwd *found = accounts_find_uid(uid);
	if (found)
		snprintf(user.name, sizeof(user.name), "%s", found->pw_name);
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

/* words: its command line. What is kept of it is escaped. */
static void describe_program(struct proc *to, const char *words, size_t n)
{
	char exe[1024];
	const char *name, *role;
	struct strbuf b = { 0 };
	size_t n_venv;
	if (framework_find(words, n, &name, &role)) {
		strbuf_adds(&b, name);
		if (*role)
			strbuf_addc(&b, ' ');
		utf8_escape(&b, role, strnlen(role, 24), 0);
		snprintf(to->framework, sizeof(to->framework), "%s", strbuf_str(&b));
	}
	strbuf_clear(&b);
	if (proc_link_read(to->pid, "exe", exe, sizeof(exe)) > 0) {
		const char *venv = framework_venv(words, n, exe, &n_venv);
		utf8_escape(&b, venv, n_venv, 0);
		if (b.n < sizeof(to->venv))
			snprintf(to->venv, sizeof(to->venv), "%s", strbuf_str(&b));
	}
	strbuf_fini(&b);
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
	if (n > 0)
		describe_program(to, text, (size_t)n);
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
	struct stat exe;
	struct proc_stat now;
	struct proc_status status;
	if (!proc_stat_read(pid, &now))
		return false;
	bool has_exe = remote_io_stat_exe(pid, &exe) == 0;
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
	if (!proc_stat_read(k->pid, &stat))
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
