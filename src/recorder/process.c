/*
 * process: see process.h. /proc is read when a process is first seen; the rest is completed while
 * it lives and when it ends.
 */
#include "recorder/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/code_path.h"
#include "base/proc_status.h"
#include "base/strbuf.h"
#include "python/project.h"
#include "recorder/intake.h"
#include "recorder/recorder_private.h"
#include "recorder/unwatched.h"
#include "system/proc_file.h"
#include "system/remote_io.h"
#include "system/remote_mem.h"

struct process *process_find(struct recorder *r, pid_t pid)
{
	for (size_t i = r->processes.n; i-- > 0;)
		if (r->processes.v[i]->pid == pid && !r->processes.v[i]->ended)
			return r->processes.v[i];
	return NULL;
}

/* A file of /proc/PID of any length, malloc'ed; NULL if there is nothing. The kernel lets a program
 * be started with 6 MiB of words at most (fs/exec.c, bprm_stack_limits()); one that changes its own
 * can have more. */
static char *read_whole(pid_t pid, const char *name, size_t *ret_n, bool *ret_is_cut)
{
	enum { FIRST_BYTES = 8 << 10, MOST_BYTES = 8 << 20 };
	for (size_t cap = FIRST_BYTES;; cap *= 8) {
		cap = cap > MOST_BYTES ? MOST_BYTES : cap;
		char *text = malloc(cap);
		ssize_t n = text ? proc_file_read(pid, name, text, cap) : -1;
		bool is_full = n >= (ssize_t)cap - 1;
		if (n > 0 && (!is_full || cap == MOST_BYTES)) {
			*ret_n = (size_t)n;
			*ret_is_cut = is_full;
			return text;
		}
		free(text);
		if (n <= 0)
			return NULL;
	}
}

/* The environment it was started with (proc(5): what it has set since is not in there). */
static void take_environ(struct recorder *r, struct process *p)
{
	size_t n;
	bool is_cut;
	char *text = read_whole(p->pid, "environ", &n, &is_cut);
	if (text)
		p->info.environ = intake_environ(r->writer, r->redactor, text, n, is_cut);
	free(text);
}

/* Where its project is looked for by packages.c when its first frame is seen: a program that runs
 * for some milliseconds has ended by then. */
static void take_project_start(struct process *p, const char *words, size_t n, const char *cwd)
{
	struct strbuf start = { 0 };
	if (project_start(words, n, cwd, &start) && !start.failed) {
		free(p->project_start);
		p->project_start = strbuf_take(&start);
	}
	strbuf_fini(&start);
}

/* cwd: "" if it is not known. */
static void take_command(struct recorder *r, struct process *p, const char *cwd)
{
	size_t n;
	bool is_cut;
	uint32_t name = 0;
	char *text = read_whole(p->pid, "cmdline", &n, &is_cut);
	uint32_t argv = text ? intake_command(r->writer, r->redactor, text, n, is_cut, &name) : 0;
	if (argv) {
		p->info.argv = argv;
		p->info.name = name;
	}
	if (text)
		take_project_start(p, text, n, cwd);
	free(text);
}

/* Read what /proc says of it into the capture's record. A process that is already gone keeps what
 * is known. */
static void process_describe(struct recorder *r, struct process *p)
{
	char text[4096];
	struct proc_status status;
	struct err *err = proc_status_read(p->pid, &status);
	if (err) {
		err_destroy(err);
		return;
	}
	p->info.ppid = (uint32_t)status.ppid;
	p->info.ns_pid = (uint32_t)status.ns_pid;
	p->uid = status.uid[3];
	p->gid = status.gid[3];
	proc_start_ticks(p->pid, &p->info.start_ticks);
	ssize_t n = proc_link_read(p->pid, "exe", text, sizeof(text));
	if (n > 0)
		p->info.exe = intake_string(r->writer, r->redactor, text, (size_t)n, false);
	n = proc_link_read(p->pid, "cwd", text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	if (n > 0)
		p->info.cwd = intake_string(r->writer, r->redactor, text, (size_t)n, false);
	if (p->info.python_hex)
		take_environ(r, p);
	take_command(r, p, text);
}

static void take_version(struct recorder *r, struct process *p, const struct python_runtime *rt)
{
	p->info.python_hex = rt->layout.version_hex;
	p->info.python = writer_string(r->writer, rt->version, strlen(rt->version));
	p->info.flags |= rt->layout.free_threaded ? PROCESS_FREE_THREADED : 0;
	p->info.flags |= rt->layout.debug_build ? PROCESS_DEBUG_BUILD : 0;
}

void process_is_python(struct recorder *r, struct process *p, const struct python_runtime *rt)
{
	take_version(r, p, rt);
	process_describe(r, p);
	process_update(r, p);
}

/* A process in the list, still empty. NULL: memory is short. */
static struct process *add_empty(struct recorder *r, pid_t pid)
{
	struct process *p = calloc(1, sizeof(*p));
	if (!p || !vec_push(&r->processes, p)) {
		free(p);
		return NULL;
	}
	p->pid = pid;
	p->pidfd = -1;
	p->status = -1;
	return p;
}

struct process *process_add_gone(struct recorder *r, pid_t pid, const struct python_runtime *rt,
				 uint32_t flags)
{
	struct process *p = add_empty(r, pid);
	if (!p)
		return NULL;
	p->ended = true;
	uint64_t now = clock_time_now(&r->clock);
	p->info = (struct process_info){ .pid = (uint32_t)pid,
					 .ns_pid = (uint32_t)pid,
					 .start_ns = now,
					 .end_ns = now,
					 .exit_status = -1,
					 .flags = flags };
	take_version(r, p, rt);
	p->index = writer_process(r->writer, &p->info);
	r->recycle_due = true;
	return p;
}

/* Does a path mean the same file to the process as to us: one mount namespace, one root? What
 * cannot be read is no. */
static bool has_our_files(pid_t pid)
{
	char path[40], own[64], other[64];
	struct stat own_root, other_root;
	if (proc_link_read(getpid(), "ns/mnt", own, sizeof(own)) <= 0 ||
	    proc_link_read(pid, "ns/mnt", other, sizeof(other)) <= 0 || strcmp(own, other) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	struct remote_io io = remote_io_of(pid);
	return !stat("/", &own_root) && !remote_io_stat(&io, path, &other_root) &&
	       own_root.st_dev == other_root.st_dev && own_root.st_ino == other_root.st_ino;
}

bool process_may_read_tsc(const struct recorder *r, pid_t pid)
{
	return r->clock.use_tsc && follow_keeps(r->follow, pid);
}

struct process *process_add(struct recorder *r, pid_t pid, const struct python_runtime *rt,
			    uint32_t flags)
{
	struct process *p = add_empty(r, pid);
	if (!p)
		return NULL;
	/* The end of a process that is followed is reported by ptrace(2); without a pidfd, it is
	 * looked for twice a second. */
	if (!follow_has(r->follow, pid))
		p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	p->info = (struct process_info){
		.pid = (uint32_t)pid,
		.ns_pid = (uint32_t)pid,
		.start_ns = clock_time_now(&r->clock),
		.exit_status = -1,
		.flags = flags | (has_our_files(pid) ? 0 : PROCESS_OTHER_FILES) |
			 (process_may_read_tsc(r, pid) ? 0 : PROCESS_TICK_TIMES)
	};
	if (rt)
		take_version(r, p, rt);
	process_describe(r, p);
	p->index = writer_process(r->writer, &p->info);
	return p;
}

void process_update(struct recorder *r, struct process *p)
{
	writer_process_update(r->writer, p->index, &p->info);
}

void process_set_times(struct recorder *r, pid_t pid, bool are_exact)
{
	struct process *p = process_find(r, pid);
	if (!p || !(p->info.flags & PROCESS_TICK_TIMES) == are_exact)
		return;
	p->info.flags ^= PROCESS_TICK_TIMES;
	process_update(r, p);
}

void process_count_child(struct recorder *r, struct process *p)
{
	r->n_children += !p->is_counted;
	p->is_counted = true;
}

long process_sys_path(const struct process *p, const struct python_runtime *rt, char *to,
		      size_t cap)
{
	struct remote_mem *mem = NULL;
	struct err *err = remote_mem_open(p->pid, &mem);
	if (err) {
		err_destroy(err);
		return -1;
	}
	long n = python_sys_path_read(remote_mem_reader(mem), rt, to, cap);
	remote_mem_close(mem);
	return n;
}

/* sys.path and friends, once the interpreter knows them. */
void process_read_prefixes(struct recorder *r, struct process *p, const struct python_runtime *rt)
{
	char text[16384];
	if (p->info.prefixes || p->prefix_tries > 20)
		return;
	p->prefix_tries++;
	long n = process_sys_path(p, rt, text, sizeof(text));
	if (n <= 2)
		return;
	struct strbuf kept = { 0 };
	for (long i = 0; i < n && text[i]; i += (long)strlen(text + i) + 1) {
		/* sys.path begins with the script's own folder: that is the user's, not a
		 * library's, whatever it is called */
		if (strstr(text + i, "/lib/python3") || strstr(text + i, "/lib64/python3") ||
		    code_path_is_site(text + i, strlen(text + i)))
			strbuf_add(&kept, text + i, strlen(text + i) + 1);
	}
	if (kept.n && !kept.failed) {
		p->info.prefixes = intake_words(r->writer, kept.s, kept.n, 127);
		process_update(r, p);
	}
	strbuf_fini(&kept);
}

/* The record of this image is complete. */
static void close_record(struct recorder *r, struct process *p, int status)
{
	unwatched_add_late(r, p);
	p->ended = true;
	p->status = status;
	p->info.exit_status = status;
	p->info.end_ns = clock_time_now(&r->clock);
	if (p->pidfd >= 0)
		close(p->pidfd);
	p->pidfd = -1;
	process_update(r, p);
	r->recycle_due = true;
}

void process_ended(struct recorder *r, struct process *p, int status)
{
	if (p->ended)
		return;
	close_record(r, p, status);
	struct note_info note = { .kind = NOTE_EXITED,
				  .time_ns = p->info.end_ns,
				  .process = p->index,
				  .a = (uint64_t)(int64_t)status };
	writer_note(r->writer, &note);
}

void process_execed(struct recorder *r, struct process *p)
{
	if (p->ended)
		return;
	p->execed = true;
	close_record(r, p, -1);
	struct note_info note = { .kind = NOTE_EXEC,
				  .time_ns = p->info.end_ns,
				  .process = p->index };
	writer_note(r->writer, &note);
}

/* Not while it is ending: then its exit status is still to come. */
bool process_has_memory(pid_t pid)
{
	struct proc_status status;
	struct err *err = proc_status_read(pid, &status);
	bool has = !err && status.has_memory;
	err_destroy(err);
	return has;
}

bool process_is_followed(void *ctx, pid_t pid)
{
	struct recorder *r = ctx;
	return follow_has(r->follow, pid);
}
