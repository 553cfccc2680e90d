/*
 * remote_errno: see remote_errno.h. To add a cause, write a function that proves it and writes the
 * hint, and add its row to causes[].
 */
#include "system/remote_errno.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "base/proc_status.h"
#include "system/maps.h"
#include "system/proc_file.h"

enum {
	OUR_MAPPINGS = 8
}; /* those of a reservation, and those that it splits (attach_steps.c, attach_map_program) */
#define UNLIMITED     UINT64_MAX
#define MIB           (1u << 20)
#define PRIVATE_BYTES (128u << 10) /* the least private and writable memory that we need */

struct facts {
	pid_t pid;
	int sys;
	uint64_t n_bytes;
	bool by_path;
	struct proc_status status;
	size_t n_mappings;
	struct remote_shortage found;
};

static void PRINTF_LIKE(2, 3) why(struct facts *f, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(f->found.why, sizeof(f->found.why), fmt, ap);
	va_end(ap);
}

static void PRINTF_LIKE(2, 3) cure(struct facts *f, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(f->found.cure, sizeof(f->found.cure), fmt, ap);
	va_end(ap);
}

/* The soft limit with this name in /proc/PID/limits; UNLIMITED also if it cannot be read. */
static uint64_t limit_of(pid_t pid, const char *name)
{
	char text[4096], *end;
	if (proc_file_read(pid, "limits", text, sizeof(text)) <= 0)
		return UNLIMITED;
	const char *line = strstr(text, name);
	if (!line)
		return UNLIMITED;
	uint64_t value = strtoull(line + strlen(name), &end, 10);
	return end == line + strlen(name) ? UNLIMITED : value; /* "unlimited" is not a number */
}

/* The number behind `key` in a file that describes the machine; `none` if it is missing. */
static uint64_t machine_number(const char *path, const char *key, uint64_t none)
{
	char line[256];
	FILE *f = io_fopen_now(path);
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0) {
			none = strtoull(line + strlen(key), NULL, 10);
			break;
		}
	if (f)
		fclose(f);
	return none;
}

static bool is_map_count(struct facts *f)
{
	uint64_t most = machine_number("/proc/sys/vm/max_map_count", "", UNLIMITED);
	if (f->n_mappings + OUR_MAPPINGS <= most)
		return false;
	why(f, "it has %zu of at most %llu mappings (vm.max_map_count)", f->n_mappings,
	    (unsigned long long)most);
	cure(f, "sysctl vm.max_map_count=%llu", (unsigned long long)(most + 1024));
	return true;
}

static bool is_address_space(struct facts *f)
{
	uint64_t most = limit_of(f->pid, "Max address space"), used = f->status.vm_bytes;
	if (most == UNLIMITED || used + f->n_bytes <= most)
		return false;
	why(f,
	    "its address space is limited (RLIMIT_AS): %llu of %llu MiB are used, %llu more are "
	    "needed",
	    (unsigned long long)(used / MIB), (unsigned long long)(most / MIB),
	    (unsigned long long)((f->n_bytes + MIB - 1) / MIB));
	cure(f, "give it more room (prlimit --pid %d --as=…), or use a smaller --ring-size",
	     (int)f->pid);
	return true;
}

static bool is_data(struct facts *f)
{
	uint64_t most = limit_of(f->pid, "Max data size"), used = f->status.data_bytes;
	if (most == UNLIMITED || used + PRIVATE_BYTES <= most)
		return false;
	why(f, "its data is limited (RLIMIT_DATA): %llu of %llu MiB are used",
	    (unsigned long long)(used / MIB), (unsigned long long)(most / MIB));
	cure(f, "give it more room (prlimit --pid %d --data=…)", (int)f->pid);
	return true;
}

/* Pages of shared memory are accounted if they are mapped without MAP_NORESERVE, and always if
 * overcommit_memory is 2. */
static bool is_overcommit(struct facts *f)
{
	uint64_t most = machine_number("/proc/meminfo", "CommitLimit:", UNLIMITED),
		 used = machine_number("/proc/meminfo", "Committed_AS:", 0);
	if (machine_number("/proc/sys/vm/overcommit_memory", "", 0) != 2 ||
	    (used * 1024 + f->n_bytes) / 1024 <= most)
		return false;
	why(f,
	    "the machine promises no more memory than it has (vm.overcommit_memory is 2): %llu of "
	    "%llu MiB are promised",
	    (unsigned long long)(used / 1024), (unsigned long long)(most / 1024));
	cure(f, "use a smaller --ring-size");
	return true;
}

/* A process that has locked nothing yet may have asked that all later memory be locked
 * (mlockall(2), MCL_FUTURE). For an anonymous mapping, EAGAIN means just this (mmap(2)). The amount
 * needed is then unknown: for a moment, all mapped memory counts. */
static bool is_locked(struct facts *f)
{
	uint64_t most = limit_of(f->pid, "Max locked memory"), used = f->status.locked_bytes;
	bool is_proved = f->sys == EAGAIN ? most != UNLIMITED : used && used + f->n_bytes > most;
	if (!is_proved)
		return false;
	why(f,
	    "it locks its memory (mlockall), and may lock no more (RLIMIT_MEMLOCK): %llu of %llu "
	    "KiB are locked",
	    (unsigned long long)(used / 1024), (unsigned long long)(most / 1024));
	cure(f, "give it more room (prlimit --pid %d --memlock=…), or use a smaller --ring-size",
	     (int)f->pid);
	return true;
}

static bool is_descriptors(struct facts *f)
{
	char path[64];
	uint64_t most = limit_of(f->pid, "Max open files"), used = 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)f->pid);
	DIR *dir = opendir(path);
	for (struct dirent *e; dir && (e = readdir(dir));)
		used += e->d_name[0] != '.';
	if (dir)
		closedir(dir);
	if (used < most)
		return false;
	why(f, "it has %llu of at most %llu descriptors open (RLIMIT_NOFILE)",
	    (unsigned long long)used, (unsigned long long)most);
	cure(f, "as root none is needed; or prlimit --pid %d --nofile=…", (int)f->pid);
	return true;
}

static bool is_system_files(struct facts *f)
{
	why(f, "the machine's table of open files is full (fs.file-max)");
	cure(f, "close some, or raise fs.file-max");
	return true;
}

/* To follow /proc/PID/fd of a process is to read it as a tracer may, and for that a process in a
 * user namespace below ours has no capability, whoever it runs as (Linux v6.1 security/commoncap.c,
 * cap_ptrace_access_check()). */
static bool is_user_namespace(struct facts *f)
{
	char own[64] = "", its[64] = "";
	if (!f->by_path || proc_link_read(getpid(), "ns/user", own, sizeof(own)) <= 0 ||
	    proc_link_read(f->pid, "ns/user", its, sizeof(its)) <= 0 || strcmp(own, its) == 0)
		return false;
	why(f, "it is in a user namespace of its own, from which it cannot open our shared memory "
	       "by its path in /proc");
	cure(f, "as root no path is needed");
	return true;
}

static bool is_unreachable(struct facts *f)
{
	if (!f->by_path)
		return false;
	why(f, "it cannot open our shared memory by its path in /proc: another mount or pid "
	       "namespace, or /proc hides our process from it");
	cure(f, "as root no path is needed");
	return true;
}

static bool is_executable_forbidden(struct facts *f)
{
	if (f->by_path)
		return false;
	uint64_t enforced = machine_number("/sys/fs/selinux/enforce", "", 0);
	if (!enforced)
		return false;
	why(f, "SELinux may deny it new executable memory (execmem)");
	cure(f, "look for denials of execmem in the kernel's log");
	return true;
}

static const struct {
	int sys;
	bool (*is)(struct facts *f);
} causes[] = {
	{ ENOMEM, is_map_count },
	{ ENOMEM, is_address_space },
	{ ENOMEM, is_data },
	{ ENOMEM, is_overcommit },
	{ EAGAIN, is_locked },
	{ ENOMEM, is_locked },
	{ EMFILE, is_descriptors },
	{ ENFILE, is_system_files },
	{ EACCES, is_user_namespace },
	{ EPERM, is_user_namespace },
	{ ENOENT, is_unreachable },
	{ EACCES, is_unreachable },
	{ EACCES, is_executable_forbidden },
	{ EPERM, is_executable_forbidden },
};

/* What cannot be read proves nothing. */
static void read_use(struct facts *f)
{
	CLEANUP(maps) struct maps *maps = NULL;
	err_destroy(proc_status_read(f->pid, &f->status));
	err_destroy(maps_read(f->pid, &maps));
	f->n_mappings = maps ? maps->n : 0;
}

struct err *remote_errno_explain(struct err *err, pid_t pid, uint64_t n_bytes, bool by_path)
{
	struct facts f = {
		.pid = pid, .sys = err ? err->sys : 0, .n_bytes = n_bytes, .by_path = by_path
	};
	if (err)
		read_use(&f);
	for (size_t i = 0; err && i < ARRAY_LEN(causes); i++)
		if (causes[i].sys == err->sys && causes[i].is(&f))
			return err_with_hint(err, "%s: %s", f.found.why, f.found.cure);
	return err;
}

bool remote_errno_foresee(const struct proc_status *status, size_t n_mappings, uint64_t n_bytes,
			  bool by_path, struct remote_shortage *ret)
{
	struct facts f = { .pid = status->tgid,
			   .n_bytes = n_bytes,
			   .by_path = by_path,
			   .status = *status,
			   .n_mappings = n_mappings };
	if (!is_map_count(&f) && !is_address_space(&f) && !is_data(&f) && !is_overcommit(&f) &&
	    !(by_path && is_descriptors(&f)) && !is_user_namespace(&f))
		return false;
	*ret = f.found;
	return true;
}
