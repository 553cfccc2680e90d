/*
 * detach: check whether the probe is still linked, link it again, and take it out: see inject.h.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/vec.h"
#include "python/hook_list.h"
#include "visit/entry_place.h"
#include "visit/lazy_link.h"
#include "visit/inject.h"
#include "visit/inject_private.h"
#include "visit/leftover.h"
#include "visit/mailbox.h"
#include "system/maps.h"
#include "system/procs.h"
#include "visit/ptrace.h"
#include "system/remote_mem.h"
#include "visit/sigframe.h"
#include "visit/all_stop.h"
#include "visit/target_lock.h"

enum { DETACH_TRIES = 4 };
#define DETACH_STARVED_NS 20000000000ull /* on an overloaded machine */

/* ---- health ---- */

/* Another auditview may have taken our probe out, believing us dead, and put its own at the same
 * address. */
static bool ring_is_ours(const struct link *l, struct remote_mem *mem)
{
	uint64_t nonce;
	return remote_mem_read(
		   mem, raddr_add(l->base, l->shared_off + offsetof(struct ring_shared, nonce)),
		   &nonce, sizeof(nonce)) &&
	       nonce == l->nonce;
}

/* Is the reservation still ours? After an exec or dlclose, other things may be mapped at the old
 * addresses. */
static bool image_is_ours(struct link *l)
{
	struct probe_context ctx;
	return remote_mem_read(l->mem, l->base, &ctx, sizeof(ctx)) && ctx.magic == PROBE_MAGIC &&
	       ctx.base == l->base.v && ring_is_ours(l, l->mem);
}

enum link_health link_check(struct link *l)
{
	if (!image_is_ours(l))
		return LINK_GONE;
	raddr before;
	switch (hook_list_find(remote_mem_reader(l->mem), RADDR(l->runtime.layout.audit_head),
			       l->entry, &before)) {
	case HOOK_ENTRY: return LINK_OK;
	case HOOK_UNREADABLE: return LINK_UNLOADED;
	default: return LINK_UNLINKED;
	}
}

void link_target_module(const struct link *l, struct remote_target *t)
{
	t->unloadable = l->is_unloadable ? &l->runtime.module : NULL;
	t->fleeting = l->is_unloadable && !l->runtime.is_initialised ? &l->runtime.module : NULL;
	/* Our code is in another module, which the program may unload while its interpreter is
	 * alive. */
	if (t->place && t->place->is_unloadable &&
	    t->place->module.start.v != l->runtime.module.start.v)
		t->fleeting = l->is_unloadable ? &l->runtime.module : &t->place->module;
}

static struct err *link_again_locked(struct link *l, bool attached)
{
	CLEANUP(maps) struct maps *maps = NULL;
	if (!image_is_ours(l))
		return err_create(ERR_TARGET_GONE, "the probe in process %d is no longer ours",
				  (int)l->pid);
	struct err *err = maps_read(l->pid, &maps);
	if (err)
		return err;
	struct remote_target t = { .pid = l->pid,
				   .mem = l->mem,
				   .maps = maps,
				   .place = &l->place,
				   .attached = attached,
				   .filtered = threads_any_filtered(l->pid) };
	link_text_range(maps, &l->runtime.module, &t);
	/* Between two lives the application may unload Python, or may have done so. So everything
	 * is written by a stopped thread, after a check that all is as we know it. */
	python_runtime_refresh(remote_mem_reader(l->mem), &l->runtime);
	link_target_module(l, &t);
	t.to_link = &l->runtime; /* a whole life may have passed since the last look */
	struct remote_program p;
	struct remote_call_stats stats;
	uint64_t one;
	link_program(l, &p);
	err = remote_call_run(&t, &p, 0, 0, CALL_TIMEOUT_NS, &stats, &one);
	if (!err) {
		link_note_pause(l, &stats);
		l->linked = true;
	}
	return err;
}

struct err *link_again(struct link *l, bool attached)
{
	struct err *err = target_lock(l->pid, CALL_TIMEOUT_NS);
	if (err)
		return err;
	err = link_again_locked(l, attached);
	target_unlock(l->pid);
	return err;
}

/* ---- leaving ---- */

/* Has the process ended? That no thread of it can be read is not a proof: there may be no
 * descriptor left, or /proc hides the process. */
static bool is_over(pid_t pid)
{
	char text[64];
	struct proc_status status;
	if (kill(pid, 0) < 0 && errno == ESRCH)
		return true;
	/* An ending process gives its memory back before it becomes a zombie (kernel v6.1
	 * kernel/exit.c, do_exit(): exit_mm() comes before exit_files() and exit_notify()). */
	struct err *err = proc_status_read(pid, &status);
	bool is_ending = !err && !status.has_memory;
	err_destroy(err);
	if (is_ending)
		return true;
	return !proc_living_thread(pid) && proc_file_read(pid, "stat", text, sizeof(text)) > 0;
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
		return LINK_UNKNOWN;
	return ring_is_ours(l, l->mem) ? LINK_IN : LINK_OUT;
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
	if (stat(range, &st) == 0 && (st.st_ino != l->ring.inode || st.st_dev != l->ring.dev))
		return LINK_OUT;
	/* ESRCH: a kernel thread, or a thread that has ended: it has no memory */
	if (lstat(range, &st) < 0 && (errno == ENOENT || errno == ESRCH)) {
		tid = proc_living_thread(pid);
		if (!tid)
			return presence_by_memory(l, pid);
		if (tid == pid && access("/proc/self/map_files", F_OK) == 0) {
			snprintf(range, sizeof(range), "/proc/%d/map_files", (int)pid);
			/* hidepid (proc(5)): it may be there nevertheless */
			return lstat(range, &st) == 0 ? LINK_OUT : presence_by_memory(l, pid);
		}
	}
	CLEANUP(maps) struct maps *maps = NULL;
	struct err *err = maps_read(tid, &maps);
	/* retry once, whatever the error was */
	if (err && err->code != ERR_TARGET_GONE && err->code != ERR_NOT_FOUND) {
		err_destroy(err);
		err = maps_read(tid, &maps);
	}
	bool is_read = !err;
	const struct mapping *m = err ? NULL : maps_find(maps, RADDR(l->base.v + l->shared_off));
	err_destroy(err);
	if (!is_read)
		return presence_by_memory(l, pid);
	return m && m->shared && m->inode == l->ring.inode && m->dev == l->ring.dev ? LINK_IN
										    : LINK_OUT;
}

bool link_is_in(const struct link *l, pid_t pid)
{
	return link_presence(l, pid) == LINK_IN;
}

struct err *link_processes(const struct link *l, pid_t **ret, size_t *ret_n)
{
	VEC(pid_t) pids = { 0 };
	DIR *proc = opendir("/proc");
	if (!proc)
		return err_sys(errno, "cannot list /proc");
	for (struct dirent *e; (e = readdir(proc));) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid <= 0 || pid == getpid())
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
	if (stat(range, &st) == 0) {
		ret->kind = RANGE_FILE;
		ret->dev = st.st_dev;
		ret->inode = st.st_ino;
	} else if (lstat(range, &st) < 0 && errno == ENOENT && proc_living_thread(pid) == pid) {
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

struct err *links_find_used(const struct link *const *links, size_t n, bool *ret_in_use)
{
	memset(ret_in_use, 0, n * sizeof(*ret_in_use));
	DIR *proc = n ? opendir("/proc") : NULL;
	if (n && !proc)
		return err_sys(errno, "cannot list /proc");
	for (struct dirent *e; proc && (e = readdir(proc));) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		struct at_range at = { 0 };
		for (size_t i = 0; i < n && pid > 0 && pid != getpid(); i++) {
			const struct link *l = links[i];
			if (ret_in_use[i])
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

/* If the entry is not the first of the list, take it out behind its predecessor. Another thread may
 * be appending at the tail, so the successor is read again afterwards. */
struct err *link_unlink_plain(const struct link *l, struct remote_mem *mem)
{
	uint64_t next, again;
	raddr before;
	switch (hook_list_find(remote_mem_reader(mem), RADDR(l->runtime.layout.audit_head),
			       l->entry, &before)) {
	case HOOK_ENTRY: break;
	case HOOK_END: return NULL;
	case HOOK_UNREADABLE: return err_create(ERR_TARGET_GONE, "process is gone");
	default: return err_create(ERR_CORRUPT, "the list of audit hooks does not end");
	}
	do {
		if (!remote_mem_read(mem, l->entry, &next, sizeof(next)))
			return err_create(ERR_TARGET_GONE, "process is gone");
		struct err *err = remote_mem_write(mem, before, &next, sizeof(next));
		if (err)
			return err;
		if (!remote_mem_read(mem, l->entry, &again, sizeof(again)))
			return err_create(ERR_TARGET_GONE, "process is gone");
	} while (again != next);
	return NULL;
}

/* Is no thread inside a lane of the probe, and will CPython not call the probe at its end?
 * ERR_TARGET_GONE if the memory is gone: the process is ending, or a zombie that its parent has not
 * reaped yet. */
static struct err *look_for_quiet(const struct link *l, struct remote_mem *mem, pid_t pid,
				  bool *ret_quiet)
{
	/* Until ABI 8 struct probe_state was one lane. */
	uint64_t first = l->state_off + (l->abi < 9 ? 8
						    : offsetof(struct probe_state, lanes) +
							  offsetof(struct probe_lane, lock));
	uint64_t at_exit = 0;
	bool quiet = true, there = true;
	for (uint32_t i = 0; there && quiet && i < l->n_lanes; i++) {
		uint32_t lock = 0;
		there = remote_mem_read(mem,
					raddr_add(l->base, first + i * sizeof(struct probe_lane)),
					&lock, sizeof(lock));
		quiet = lock == 0;
	}
	if (there && l->abi >= 7)
		there = remote_mem_read(mem,
					raddr_add(l->base, offsetof(struct probe_context, at_exit)),
					&at_exit, sizeof(at_exit));
	if (!there)
		return err_create(ERR_TARGET_GONE, "process %d is gone", (int)pid);
	*ret_quiet = quiet && at_exit == 0;
	return NULL;
}

/*
 * A thread in the probe's code is seen by its pc, and when that code calls functions outside of
 * itself the thread holds a lane (probe.c, probe_hook()). One check of the lanes and then one of
 * the threads may miss it: it is not in a lane yet, then in a call. A second check of the lanes may
 * miss it too: it has left its lane and is on its way out of the code. So the threads are checked
 * last, and everything is checked twice:
 *
 *   lanes 1   threads 1   lanes 2   threads 2
 *
 * No thread enters the probe any more. A thread that is in a call at threads 2 held no lane at
 * lanes 2, so it was in the code on its way to a lane then. It was there at threads 1, too, and was
 * seen.
 */
struct err *link_check_left(const struct link *l, const struct remote_target *t, bool *ret_left)
{
	uint64_t blob = l->base.v + l->blob_off;
	struct code_range code = { .start = blob, .end = blob + l->blob_bytes };
	/* A thread in the code of a lane, even under a signal handler, holds the lane, unless that
	 * handler has forked. */
	if (t->pid == l->pid) {
		code.held_start = blob + l->blob_end.lane_code;
		code.held_end = blob + l->blob_end.lane_code_end;
	}
	*ret_left = false;
	for (unsigned look = 0; look < 2; look++) {
		bool quiet = false, outside = false;
		struct err *err = look_for_quiet(l, t->mem, t->pid, &quiet);
		if (!err && quiet)
			err = threads_check_outside_of(t, &code, &outside);
		if (err && err->code != ERR_TIMEOUT)
			return err;
		outside &= !err;
		err_destroy(err);
		if (!outside)
			return NULL;
	}
	*ret_left = true;
	return NULL;
}

/* The place in _PyRuntime at which its list of functions to call at the end holds `fn`. Address 0:
 * none. */
static raddr at_exit_find(const struct link *l, struct remote_mem *mem, uint64_t fn)
{
	uint64_t words[512], size = 0;
	raddr runtime = { 0 };
	if (!elf_symbol_find(remote_mem_reader(mem), &l->runtime.module, "_PyRuntime", &runtime,
			     &size))
		return RADDR(0);
	for (uint64_t off = 0; off + 8 <= size; off += sizeof(words)) {
		size_t n = size - off < sizeof(words) ? (size_t)(size - off) / 8 : ARRAY_LEN(words);
		if (!remote_mem_read(mem, raddr_add(runtime, off), words, n * 8))
			return RADDR(0);
		for (size_t i = 0; i < n; i++)
			if (words[i] == fn)
				return raddr_add(runtime, off + i * 8);
	}
	return RADDR(0);
}

/*
 * An interpreter that is being finalised has a function of ours to call when everything is
 * finalised (probe.c, come_back()). Usually that takes milliseconds. If it takes longer, the
 * address is replaced by that of a function without side effects. The race:
 *
 *   CPython    1 reads the address   2 writes NULL over it   3 calls it
 *                                                              (ours then clears ctx.at_exit)
 *   we         a write the other address   b no thread has ours in a register
 *              c the other address is still there
 *
 * If 2 came after a, c fails; then ours will be called, and we wait for that. Between 1 and 2, b
 * fails.
 */
static struct err *wait_for_at_exit(struct link *l, const struct remote_target *t,
				    uint64_t deadline)
{
	enum { PATIENCE = 10, NOWHERE = 60 }; /* rounds of 2 ms */
	uint64_t fn = 0, is = 0, neutral = l->runtime.layout.fn_neutral,
		 blob = l->base.v + l->blob_off;
	raddr flag = raddr_add(l->base, offsetof(struct probe_context, at_exit)), place = { 0 };
	for (unsigned round = 0, nowhere = 0;; round++) {
		bool is_done = false, outside = false;
		if (!remote_mem_read(t->mem, flag, &fn, sizeof(fn)))
			return err_create(ERR_TARGET_GONE, "process %d is gone", (int)t->pid);
		if (!fn)
			return NULL;
		if (round >= PATIENCE && !place.v) {
			place = at_exit_find(l, t->mem, fn);
			const struct all_stop_store store = { place, &neutral, sizeof(neutral) };
			struct err *err = place.v ? all_stop_write(t, &store, 1) : NULL;
			if (err)
				return err;
		}
		struct err *err = round < PATIENCE ? NULL
						   : threads_check_outside(
							 t, blob, blob + l->blob_bytes, &outside);
		if (err && err->code != ERR_TIMEOUT)
			return err;
		err_destroy(err);
		if (outside && place.v)
			is_done = remote_mem_read(t->mem, place, &is, sizeof(is)) && is == neutral;
		/* it is being called at this moment, or was replaced by a recorder that was then
		 * killed */
		else if (outside)
			is_done = ++nowhere >= NOWHERE;
		if (is_done) {
			uint64_t none = 0;
			return remote_mem_write(t->mem, flag, &none, sizeof(none));
		}
		if (monotonic_ns() >= deadline)
			return err_create(ERR_TIMEOUT, "the interpreter of process %d is ending",
					  (int)t->pid);
		ptrace_serve();
		poll(NULL, 0, 2);
	}
}

void link_keep_orphan(const struct link *l, struct remote_mem *mem)
{
	uint64_t pending = mailbox_word_pending(l->base.v);
	struct err *err = remote_mem_write(mem, entry_place_mailbox(l->entry), &pending,
					   sizeof(pending));
	if (err)
		log_debug("%s", err->message);
	err_destroy(err);
}

struct unlinking {
	const struct link *l;
	struct remote_mem *mem;
};

static struct err *unlink_plain(void *ctx)
{
	const struct unlinking *here = ctx;
	return link_unlink_plain(here->l, here->mem);
}

static struct err *detach_locked(struct link *l, pid_t pid, bool attached, uint64_t deadline,
				 uint64_t *pause_ns)
{
	CLEANUP(maps) struct maps *maps = NULL;
	struct remote_mem *mem = NULL;
	struct remote_target t = { .pid = pid };
	struct err *err = remote_mem_open(pid, &mem);
	if (!err)
		err = maps_read(pid, &maps);
	if (!err && pid != l->pid) /* a process that shares the ring with it, or seems to */
		err = kin_prove(l, pid, mem, maps);
	if (err)
		goto out;
	t = (struct remote_target){ .pid = pid,
				    .mem = mem,
				    .maps = maps,
				    .place = &l->place,
				    .attached = attached,
				    .filtered = threads_any_filtered(pid) };
	/* another recorder has taken it out before we had the lock */
	if (l->nonce && !ring_is_ours(l, mem)) {
		/* or we have, in an earlier try that then failed */
		if (lazy_link_is_hook(l, mem))
			err = lazy_link_finish(l, &t);
		goto out;
	}
	link_text_range(maps, &l->runtime.module, &t);
	struct unlinking here = { l, mem };
	struct remote_call_stats stats = { 0 };
	struct remote_program p = { 0 };
	uint64_t one, blob = l->base.v + l->blob_off, blob_end = blob + l->blob_bytes;

	/* dlclose may have unmapped the module, and with it entry, head and place. */
	const struct mapping *slack = maps_find(maps, l->entry);
	/* the entry may be in libc */
	const struct mapping *head = maps_find(maps, RADDR(l->runtime.layout.audit_head));
	bool module_there = slack && slack->write && head && head->write, entry_there = false,
	     half_left = false;
	if (module_there) {
		struct entry_place entry;
		if (!remote_mem_read(mem, l->entry, &entry, sizeof(entry))) {
			err = err_create(ERR_TARGET_GONE, "process %d is gone", (int)pid);
			goto out;
		}
		entry_there = lazy_link_base_of(entry.hook.user_data) == l->base.v;
		/* Not linked yet, because the attach failed; or no longer linked, because a leave
		 * failed, or because the child was forked by a process that we were just leaving.
		 * The reservation is still there. */
		half_left = !entry.hook.user_data &&
			    (entry.hook.fn == l->runtime.layout.fn_neutral ||
			     mailbox_names(GUEST64(entry.mailbox), l->base.v));
		module_there = entry_there || half_left;
	}
	if (!module_there) {
		err = maps_find_modules(maps, remote_mem_reader(mem));
		if (!err)
			err = remote_place_find(pid, mem, maps, RADDR(0), remote_stub_bytes(),
						&l->place);
		if (err)
			goto out;
		/* A module that is unloaded together with libpython may be gone by now: the maps
		 * may show a moment in between. */
		t.fleeting = l->place.is_unloadable ? &l->place.module : NULL;
		/* it was in the module; the maps will show the result */
		l->place.mailbox = RADDR(0);
		/* The list of functions that CPython would have called at its end went with the
		 * module. */
		uint64_t none = 0;
		if (l->abi >= 7)
			err = remote_mem_write(
			    mem, raddr_add(l->base, offsetof(struct probe_context, at_exit)), &none,
			    sizeof(none));
		if (err)
			goto out;
	}
	python_runtime_refresh(remote_mem_reader(mem), &l->runtime);
	if (module_there)
		link_target_module(l, &t);
	bool unmapped = false;
	err = module_there && l->abi >= 7 ? wait_for_at_exit(l, &t, deadline) : NULL;
	if (err)
		goto out;
	if (entry_there && !t.fleeting && threads_all_show(&t)) {
		/* only the thread that is in our hook, in that module, will be stopped */
		t.unloadable = NULL;
		uint64_t now = monotonic_ns();
		err = maps_find_modules(maps, remote_mem_reader(mem));
		if (!err)
			err = lazy_link_leave(
			    l, &t, deadline > now ? deadline - (deadline - now) / 8 : now, pause_ns,
			    &unmapped);
		if (err)
			goto out;
	} else if (half_left) {
		err = all_stop_do(&t, unlink_plain, &here);
		if (err)
			goto out;
	} else if (entry_there) {
		/* if we are killed before the munmap, the next recorder finds it by this */
		p.base = p.pending = l->base.v;
		remote_program_add(&p, REMOTE_FLAG(REMOTE_UNLINK), l->runtime.layout.audit_head,
				   l->entry.v, 0, 0, 0, 0);
		uint64_t now = monotonic_ns();
		err = remote_call_run(&t, &p, blob, blob_end, deadline > now ? deadline - now : 0,
				      &stats, &one);
		if (stats.pause_ns > *pause_ns)
			*pause_ns = stats.pause_ns;
		if (err && err->sys == ENOENT) {
			err_destroy(err);
			err = all_stop_do(&t, unlink_plain, &here);
		}
		/* From here on the entry tells nobody of the reservation: the mailbox must, should
		 * we be killed. (The answer of a call that failed stands there.) */
		uint64_t pending = mailbox_word_pending(l->base.v);
		const uint64_t neutral[2] = { l->runtime.layout.fn_neutral, 0 };
		const struct all_stop_store stores[] = {
			{ l->place.mailbox, &pending, sizeof(pending) },
			/* a thread that has loaded our entry calls this instead; `next` stays */
			{ raddr_add(l->entry, offsetof(struct hook_entry, fn)), &neutral[0],
			  sizeof(neutral[0]) },
			{ raddr_add(l->entry, offsetof(struct hook_entry, user_data)), &neutral[1],
			  sizeof(neutral[1]) },
		};
		if (!err)
			err = all_stop_write(&t, stores, ARRAY_LEN(stores));
		if (err)
			goto out;
	}
	for (unsigned round = 0; !unmapped; round++) {
		bool has_left = false;
		err = link_check_left(l, &t, &has_left);
		if (err)
			goto out;
		if (has_left)
			break;
		if (monotonic_ns() >= deadline) {
			err = err_create(ERR_TIMEOUT,
					 "a thread of process %d is still inside the probe",
					 (int)pid);
			goto out;
		}
		ptrace_serve();
		poll(NULL, 0, 2);
	}
	/* the interpreter ended meanwhile, and the probe has linked itself again */
	if (module_there && !unmapped)
		err = all_stop_do(&t, unlink_plain, &here);
	link_unmap_program(l, &p);
	uint64_t now = monotonic_ns();
	if (!err && !unmapped)
		err = remote_call_run(&t, &p, blob, blob_end, deadline > now ? deadline - now : 0,
				      &stats, &one);
	if (err && err->sys && module_there) {
		uint64_t pending = mailbox_word_pending(l->base.v);
		const struct all_stop_store store = { entry_place_mailbox(l->entry), &pending,
						      sizeof(pending) };
		err_destroy(all_stop_write(&t, &store, 1));
	}
	for (unsigned i = 0; !err && !module_there && i < 1000; i++) {
		CLEANUP(maps) struct maps *later = NULL;
		err = maps_read(pid, &later);
		if (!err && !maps_find(later, l->base))
			break;
		ptrace_serve();
		poll(NULL, 0, 1);
	}
	if (stats.pause_ns > *pause_ns)
		*pause_ns = stats.pause_ns;
	/* The code's bytes are cleared last, when no thread is in them. */
	if (!err)
		err = remote_place_wait(&t, CALL_TIMEOUT_NS);
	if (!err)
		err = remote_place_clear(&t);
	uint64_t zero = 0;
	const struct all_stop_store done = { l->place.mailbox, &zero, sizeof(zero) };
	if (!err && module_there)
		err = all_stop_write(&t, &done, 1);
out:
	/* after any failure our code need not stay; but the process may be gone */
	if (err && t.place && !lazy_link_is_hook(l, mem)) {
		struct err *e = remote_place_wait(&t, CALL_GRACE_NS);
		if (!e)
			e = remote_place_clear(&t);
		err_destroy(e);
	}
	remote_mem_close(mem);
	return err;
}

static struct err *detach_one(struct link *l, pid_t pid, bool attached, uint64_t deadline,
			      uint64_t *pause_ns)
{
	uint64_t now = monotonic_ns();
	/* Half of the time may be spent on the lock; the rest is for leaving. */
	struct err *err = target_lock_to_leave(pid, deadline > now ? (deadline - now) / 2 : 0);
	if (err)
		return err;
	err = detach_locked(l, pid, attached, deadline, pause_ns);
	/* it is unloading Python: check again what is there */
	while (err && err->code == ERR_BUSY && monotonic_ns() < deadline) {
		err_destroy(err);
		ptrace_serve();
		poll(NULL, 0, 2);
		err = detach_locked(l, pid, attached, deadline, pause_ns);
	}
	target_unlock(pid);
	return err;
}

/* The ring is unmapped, but its first hook, or the hook for leaving (lazy_link.h), may still be
 * linked. */
static bool hook_is_left(const struct link *l, pid_t pid)
{
	struct remote_mem *mem = NULL;
	struct err *err = remote_mem_open(pid, &mem);
	bool is_left = !err && lazy_link_is_hook(l, mem);
	err_destroy(err);
	remote_mem_close(mem);
	return is_left;
}

/* It is unlinked, and the entry has no function of ours: only the reservation is left. */
static bool only_mapping_is_left(const struct link *l, pid_t pid)
{
	struct remote_mem *mem = NULL;
	struct hook_entry entry;
	struct err *err = remote_mem_open(pid, &mem);
	bool is = !err && remote_mem_read(mem, l->entry, &entry, sizeof(entry)) &&
		  !entry.user_data && entry.fn == l->runtime.layout.fn_neutral;
	err_destroy(err);
	remote_mem_close(mem);
	return is;
}

/* Detach one process; retry what fails temporarily. What stays is put into the report. */
static void leave_process(struct link *l, pid_t pid, bool attached, uint64_t deadline,
			  uint64_t patient_until, struct detach_report *report)
{
	report->n_processes++;
	for (unsigned try = 1;; try++) {
		ring_wake_all(&l->ring);
		struct err *err = detach_one(l, pid, attached, deadline, &report->pause_ns);
		/* It has ended, is a zombie, or is another program by now: there is no reservation,
		 * and nothing to restore. The error then only says how far its memory had gone. A
		 * process that is ending still has its mappings for a moment. */
		enum link_presence presence = err ? link_presence(l, pid) : LINK_OUT;
		bool is_done = !err || (presence == LINK_OUT && !hook_is_left(l, pid));
		uint64_t now = monotonic_ns();
		bool is_over = try >= DETACH_TRIES || now >= deadline ||
			       (err && err->code == ERR_CORRUPT);
		/* the user did not ask for that process */
		if (!is_done && err->code == ERR_CORRUPT && !l->nonce) {
			snprintf(l->left_alone, sizeof(l->left_alone), "%s", err->message);
			report->n_processes--;
			is_done = true;
		}
		if (!is_done && is_over && err->code == ERR_TIMEOUT && now < patient_until &&
		    threads_any_starved(pid)) {
			deadline = now + CALL_TIMEOUT_NS;
			try = 0;
		} else if (!is_done && is_over) {
			report->is_unknown = presence == LINK_UNKNOWN &&
					     (report->restored || report->is_unknown);
			report->restored = false;
			if (err->code == ERR_TIMEOUT && only_mapping_is_left(l, pid))
				snprintf(
				    report->left, sizeof(report->left),
				    "%s; %llu KiB of it stay mapped and unused until it ends or "
				    "auditview attaches again",
				    err->message, (unsigned long long)(l->total_bytes >> 10));
			else
				snprintf(report->left, sizeof(report->left), "process %d: %s%s",
					 (int)pid, err->message,
					 err->code == ERR_DENIED
					     ? "; root can check it, and take out what is left"
					 : err->code == ERR_TIMEOUT
					     ? "; the probe is disarmed, and attaching again takes "
					       "it out"
					     : "");
			is_done = true;
		}
		if (!is_done)
			log_debug("leaving %d, again: %s", (int)pid, err->message);
		err_destroy(err);
		if (is_done)
			return;
		poll(NULL, 0, 10 << try);
	}
}

void link_detach(struct link *l, bool (*is_attached)(void *ctx, pid_t pid), void *ctx,
		 uint64_t timeout_ns, struct detach_report *report)
{
	uint64_t deadline = monotonic_ns() + timeout_ns,
		 patient_until = monotonic_ns() + DETACH_STARVED_NS;
	if (link_is_waiting(l)) {
		lazy_link_cancel(l, is_attached, ctx, report);
		if (l->owned)
			target_disown(l->pid);
		l->owned = false;
		return;
	}
	*report = (struct detach_report){ .restored = true };
	if (l->ring.shared)
		ring_set_state(&l->ring, RING_OFF);
	else {
		uint32_t off = 0;
		struct err *e = remote_mem_write(
		    l->mem,
		    RADDR(l->base.v + l->shared_off + offsetof(struct ring_shared, enabled)), &off,
		    sizeof(off));
		err_destroy(e);
	}
	/* The process that we attached to comes first, so that it need not wait while we read all
	 * others. Then two rounds, because a child may be forked during the first. */
	if (link_presence(l, l->pid) != LINK_OUT)
		leave_process(l, l->pid, is_attached && is_attached(ctx, l->pid), deadline,
			      patient_until, report);
	bool is_first_left = report->restored;
	for (unsigned round = 0; round < 2; round++) {
		pid_t *pids = NULL;
		size_t n = 0;
		struct err *err = link_processes(l, &pids, &n);
		if (err) {
			report->restored = false;
			report->is_unknown = true;
			snprintf(report->left, sizeof(report->left),
				 "forked children of process %d: %s", (int)l->pid, err->message);
			err_destroy(err);
			break;
		}
		for (size_t i = 0; i < n; i++)
			if (pids[i] != l->pid || is_first_left) /* otherwise it was tried already */
				leave_process(l, pids[i], is_attached && is_attached(ctx, pids[i]),
					      deadline, patient_until, report);
		free(pids);
		if (!n)
			break;
	}
	if (report->pause_ns > l->pause_ns)
		l->pause_ns = report->pause_ns;
	l->is_left = !report->restored;
	l->linked = false;
	if (l->owned)
		target_disown(l->pid);
	l->owned = false;
}
