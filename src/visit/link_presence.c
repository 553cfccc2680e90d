/*
 * link_presence: see link_presence.h.
 */
#include "visit/link_presence.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc_status.h"
#include "base/vec.h"
#include "system/maps.h"
#include "system/proc_file.h"
#include "system/remote_io.h"
#include "system/remote_mem.h"
#include "visit/probe_link.h"

/* The kernel numbers shared memory, so this is our ring wherever the target has moved it, and
 * whatever it has written into it. */
static bool has_ring(const struct link *l, const struct maps *maps)
{
	for (size_t i = 0; l->ring.inode && i < maps->n; i++)
		if (maps->v[i].shared && maps->v[i].inode == l->ring.inode &&
		    maps->v[i].dev == l->ring.dev)
			return true;
	return false;
}

/* Has the target unmapped the ring, and kept the rest of the reservation? Whoever else put a probe
 * there has a ring there. */
static bool has_only_code(const struct link *l, const struct maps *maps)
{
	struct probe_context ctx;
	const struct mapping *m = maps_find(maps, RADDR(l->base.v + l->shared_off));
	return l->nonce && !(m && m->shared) &&
	       remote_mem_read(l->mem, l->base, &ctx, sizeof(ctx)) && ctx.magic == PROBE_MAGIC &&
	       ctx.base == l->base.v;
}

/* Has the process ended, and was it waited for? */
static bool is_reaped(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

/* Has the process ended? That no thread of it can be read is not a proof: there may be no
 * descriptor left, or /proc hides the process. */
static bool is_over(pid_t pid)
{
	char text[64];
	struct proc_status status;
	if (is_reaped(pid))
		return true;
	/* An ending process gives its memory back before it becomes a zombie (kernel v6.1
	 * kernel/exit.c, do_exit(): exit_mm() comes before exit_files() and exit_notify()). */
	struct err *err = proc_status_read(pid, &status);
	bool is_ending = !err && !status.has_memory;
	err_destroy(err);
	if (is_ending)
		return true;
	if (!proc_living_thread(pid) && proc_file_read(pid, "stat", text, sizeof(text)) > 0)
		return true;
	/* Its parent may wait for it between these reads. Then they fail like those of a process
	 * that cannot be read. */
	return is_reaped(pid);
}

/* The mappings of the process cannot be read. The memory of the process that was armed is open
 * here, even if it could not be opened now. The descriptor refers to the address space of that time
 * (kernel fs/proc/base.c, mem_open): after an exec nothing of it is there. */
static enum link_presence presence_by_memory(const struct link *l, pid_t pid)
{
	if (is_over(pid))
		return LINK_OUT;
	if (pid != l->pid && proc_has_execed(pid)) /* only a fork passes the ring on */
		return LINK_OUT;
	if (pid != l->pid || !l->nonce)
		return is_over(pid) ? LINK_OUT : LINK_UNKNOWN;
	if (link_ring_is_ours(l, l->mem))
		return LINK_IN;
	uint8_t byte; /* memory that can be read may be the ring, with another number in it */
	errno = 0;
	if (remote_mem_read(l->mem, raddr_add(l->base, l->shared_off), &byte, sizeof(byte)) ||
	    errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EAGAIN)
		return LINK_UNKNOWN;
	return remote_mem_is_stuck(l->mem) ? LINK_UNKNOWN : LINK_OUT;
}

/* Read all mappings of the process, of which `tid` is a living thread. */
static enum link_presence presence_by_maps(const struct link *l, pid_t pid, pid_t tid)
{
	CLEANUP(maps) struct maps *maps = NULL;
	struct err *err = maps_read(tid, &maps);
	/* retry once, whatever the error was */
	if (err && err->code != ERR_TARGET_GONE && err->code != ERR_NOT_FOUND) {
		err_destroy(err);
		err = maps_read(tid, &maps);
	}
	bool is_read = !err;
	bool is_in = !err && (has_ring(l, maps) || (pid == l->pid && has_only_code(l, maps)));
	err_destroy(err);
	if (!is_read)
		return presence_by_memory(l, pid);
	return is_in ? LINK_IN : LINK_OUT;
}

enum link_presence link_presence(const struct link *l, pid_t pid)
{
	/* One look-up decides most processes: is a file mapped at exactly this range? (proc(5),
	 * map_files) */
	char range[96];
	struct stat st;
	pid_t tid = pid;
	snprintf(range, sizeof(range), "/proc/%d/map_files/%llx-%llx", (int)tid,
		 (unsigned long long)(l->base.v + l->shared_off),
		 (unsigned long long)(l->base.v + l->total_bytes));
	/* Forked children that have a ring of their own all have it at this range. If the kernel
	 * lets us follow the link, the file shows whose ring it is. */
	struct remote_io io = remote_io_of(pid);
	if (remote_io_stat(&io, range, &st) == 0 &&
	    (st.st_ino != l->ring.inode || st.st_dev != l->ring.dev))
		return LINK_OUT;
	/* ESRCH: a kernel thread, or a thread that has ended: it has no memory. All mappings are
	 * read of the process that was attached to, because it may have divided the range. */
	if (pid != l->pid && remote_io_lstat(&io, range, &st) < 0 &&
	    (errno == ENOENT || errno == ESRCH)) {
		tid = proc_living_thread(pid);
		if (!tid)
			return presence_by_memory(l, pid);
		if (tid == pid && access("/proc/self/map_files", F_OK) == 0) {
			snprintf(range, sizeof(range), "/proc/%d/map_files", (int)pid);
			/* hidepid (proc(5)): it may be there nevertheless */
			return lstat(range, &st) == 0 ? LINK_OUT : presence_by_memory(l, pid);
		}
	}
	return presence_by_maps(l, pid, tid);
}

enum link_presence link_presence_proved(const struct link *l, pid_t pid)
{
	pid_t tid = proc_living_thread(pid);
	return tid ? presence_by_maps(l, pid, tid) : presence_by_memory(l, pid);
}

bool link_is_in(const struct link *l, pid_t pid)
{
	return link_presence(l, pid) == LINK_IN;
}

/* When the process was started: proc_start_ticks(); 0: unknown. */
static uint64_t start_of(pid_t pid)
{
	uint64_t ticks;
	return proc_start_ticks(pid, &ticks) ? ticks : 0;
}

/* A process that was started before the ring was mapped was not forked with it. So one small file
 * decides most processes of the machine. */
static bool is_older(const struct link *l, pid_t pid, uint64_t start_ticks)
{
	return pid != l->pid && start_ticks && start_ticks < l->since_ticks;
}

struct err *link_processes(const struct link *l, pid_t **ret, size_t *ret_n)
{
	VEC(pid_t) pids = { 0 };
	DIR *proc = opendir("/proc");
	if (!proc)
		return err_sys(errno, "cannot list /proc");
	for (struct dirent *e; (e = readdir(proc));) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid <= 0 || pid == getpid() || is_older(l, pid, start_of(pid)))
			continue;
		if (link_is_in(l, pid) && !vec_push(&pids, pid)) {
			closedir(proc);
			vec_fini(&pids);
			return err_no_memory();
		}
	}
	closedir(proc);
	*ret = pids.v;
	*ret_n = pids.n;
	return NULL;
}

/* What a process has mapped at exactly the range of a ring. */
struct at_range {
	const struct link *of; /* any link with that range; NULL: not read yet */
	enum { RANGE_FREE, RANGE_FILE, RANGE_UNKNOWN } kind;
	uint64_t dev, inode;
};

static void look_at_range(const struct link *l, pid_t pid, struct at_range *ret)
{
	char range[96];
	struct stat st;
	*ret = (struct at_range){ .of = l, .kind = RANGE_UNKNOWN };
	snprintf(range, sizeof(range), "/proc/%d/map_files/%llx-%llx", (int)pid,
		 (unsigned long long)(l->base.v + l->shared_off),
		 (unsigned long long)(l->base.v + l->total_bytes));
	struct remote_io io = remote_io_of(pid);
	if (remote_io_stat(&io, range, &st) == 0) {
		ret->kind = RANGE_FILE;
		ret->dev = st.st_dev;
		ret->inode = st.st_ino;
	} else if (remote_io_lstat(&io, range, &st) < 0 && errno == ENOENT &&
		   proc_living_thread(pid) == pid) {
		/* hidepid, or a kernel without map_files: leave it to link_presence() */
		snprintf(range, sizeof(range), "/proc/%d/map_files", (int)pid);
		if (lstat(range, &st) == 0)
			ret->kind = RANGE_FREE;
	}
}

static bool is_same_range(const struct link *a, const struct link *b)
{
	return a && a->base.v == b->base.v && a->shared_off == b->shared_off &&
	       a->total_bytes == b->total_bytes;
}

struct err *link_find_used(const struct link *const *links, size_t n, bool *ret_in_use)
{
	memset(ret_in_use, 0, n * sizeof(*ret_in_use));
	DIR *proc = n ? opendir("/proc") : NULL;
	if (n && !proc)
		return err_sys(errno, "cannot list /proc");
	for (struct dirent *e; proc && (e = readdir(proc));) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		struct at_range at = { 0 };
		uint64_t ticks = pid > 0 ? start_of(pid) : 0;
		for (size_t i = 0; i < n && pid > 0 && pid != getpid(); i++) {
			const struct link *l = links[i];
			if (ret_in_use[i] || is_older(l, pid, ticks))
				continue;
			if (!is_same_range(at.of, l))
				look_at_range(l, pid, &at);
			ret_in_use[i] = at.kind == RANGE_FILE
					    ? at.inode == l->ring.inode && at.dev == l->ring.dev
					    : at.kind == RANGE_UNKNOWN && link_is_in(l, pid);
		}
	}
	if (proc)
		closedir(proc);
	return NULL;
}
