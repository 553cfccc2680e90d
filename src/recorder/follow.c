/*
 * follow: see follow.h. One line per thread that is ours; a process is told by its tgid.
 */
#include "recorder/follow.h"
#include "arch/arch.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/vec.h"
#include "python/python.h"
#include "system/loader.h"
#include "system/maps.h"
#include "system/procs.h"
#include "visit/ptrace.h"
#include "visit/remote_call.h"
#include "system/remote_mem.h"
#include "visit/tripwire.h"

enum {
	SETTLE_NS = 500 * 1000 * 1000,
	/* follow_poll() stays this long for the next call of a program that starts, */
	NEXT_CALL_NS = 100 * 1000,
	START_NS = 5 * 1000 * 1000, /* and this long for all of them */
	N_TOLD = 256
};

struct tracee {
	pid_t tid, tgid;
	uint64_t breakpoint;  /* where one is wanted; 0 nowhere */
	struct tripwire wire; /* which is this; none: it is blind */
	bool starting;        /* it stops at every system call until it is past its loader */
	struct loader loader;
	bool has_python; /* the breakpoint has led to one; it stays, for the next */
	bool children;   /* descendants are followed */
	bool is_alone;   /* it is to be let go when it has started: self_tracing.h */
	bool is_unclear; /* at_entry() has found nothing in its program yet: leaving() is told */
	/* ours by fork: its end is reported even when it is no tracee any more */
	bool launched;
	bool traced;
	bool newborn;      /* has not come to its first stop yet */
	bool is_told;      /* its parent's event came before that: `inherits` is right */
	uint64_t inherits; /* where it gets a breakpoint then; 0 nowhere */
	bool stopped;      /* in a group stop (PTRACE_LISTEN) */
};

struct image { /* a program file known to hold no Python */
	dev_t dev;
	ino_t inode;
	struct timespec mtime;
	uint64_t debug_off; /* of its loader's _dl_debug_state, from AT_BASE */
};

struct stop { /* taken from the kernel, not served yet: the thread stands still */
	pid_t tid;
	int status;
};

struct follow {
	struct follow_ops ops;
	struct ptrace_watch watch;
	void *ctx;
	VEC(struct tracee) tracees;
	VEC(struct image) boring;
	VEC(struct stop) deferred;
	struct self_tracing_cache self_tracing;
	/* children whose first stop came before their parent's event, the newest; 0 none */
	pid_t told[N_TOLD];
	unsigned n_told; /* ever */
	bool is_bearing; /* ops.born() is at work */
};

static void serve_others(void *ctx, pid_t waited_for);
static enum ptrace_verdict reported(void *ctx, pid_t tid, int status);
static bool take_deferred(void *ctx, pid_t tid, int *ret_status);
static unsigned long options_of(void *ctx, pid_t tid);
static void let_go(struct follow *f, pid_t tid, int signal);
static void went_on(struct err *err);

struct err *follow_create(const struct follow_ops *ops, void *ctx, struct follow **ret)
{
	struct follow *f = calloc(1, sizeof(*f));
	if (!f)
		return err_no_memory();
	f->ops = *ops;
	f->ctx = ctx;
	f->watch = (struct ptrace_watch){ serve_others, reported, options_of, take_deferred, f };
	ptrace_set_watch(&f->watch);
	*ret = f;
	return NULL;
}

void follow_destroy(struct follow *f)
{
	if (!f)
		return;
	follow_release(f, 200000000);
	ptrace_set_watch(NULL);
	for (size_t i = 0; i < f->tracees.n; i++)
		tripwire_clear(&f->tracees.v[i].wire);
	vec_fini(&f->deferred);
	vec_fini(&f->self_tracing.known);
	vec_fini(&f->tracees);
	vec_fini(&f->boring);
	free(f);
}

static struct tracee *find(const struct follow *f, pid_t tid)
{
	for (size_t i = 0; i < f->tracees.n; i++)
		if (f->tracees.v[i].tid == tid)
			return &f->tracees.v[i];
	return NULL;
}

bool follow_has(const struct follow *f, pid_t pid)
{
	for (size_t i = 0; f && i < f->tracees.n; i++)
		if (f->tracees.v[i].tgid == pid && f->tracees.v[i].traced)
			return true;
	return false;
}

bool follow_keeps(const struct follow *f, pid_t pid)
{
	for (size_t i = 0; f && i < f->tracees.n; i++)
		if (f->tracees.v[i].tgid == pid && f->tracees.v[i].traced)
			return f->tracees.v[i].children;
	return false;
}

size_t follow_n_tracees(const struct follow *f)
{
	size_t n = 0;
	for (size_t i = 0; f && i < f->tracees.n; i++)
		n += f->tracees.v[i].traced;
	return n;
}

static void drop(struct follow *f, struct tracee *t)
{
	tripwire_clear(&t->wire);
	*t = f->tracees.v[--f->tracees.n];
}

/* The number behind `key` ("Tgid:") in the status of a thread, which need not be the first of its
 * process; `none` without. */
static int status_number(pid_t tid, const char *key, int none)
{
	char path[64], line[256];
	size_t n_key = strlen(key);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	FILE *f = io_fopen_now(path);
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, n_key) == 0) {
			none = atoi(line + n_key);
			break;
		}
	if (f)
		fclose(f);
	return none;
}

static pid_t tgid_of(pid_t tid)
{
	return status_number(tid, "Tgid:", tid);
}

/* Are we its tracer still? Not if it has ended and we have been told. */
static bool is_traced_by_us(pid_t tid)
{
	return status_number(tid, "TracerPid:", 0) == (int)getpid();
}

static unsigned long trace_options(const struct follow *f, bool children, bool is_first)
{
	/* at_exit() */
	unsigned long o = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC |
			  (f->ops.wants_leaving || !is_first ? PTRACE_O_TRACEEXIT : 0);
	if (children)
		o |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
	return o;
}

static unsigned long options_for(const struct follow *f, const struct tracee *t)
{
	return trace_options(f, t->children, t->tid == t->tgid) |
	       (t->is_unclear ? PTRACE_O_TRACEEXIT : 0);
}

static unsigned long options_of(void *ctx, pid_t tid)
{
	const struct tracee *t = find(ctx, tid);
	/* Not heard of yet: made by one that is ours, with its options (kernel/fork.c,
	 * ptrace_init_task). */
	return !t ? trace_options(ctx, true, true) : t->traced ? options_for(ctx, t) : 0;
}

/* ---- breakpoints ---- */

/* 0: clear it. The thread may run. Where the kernel will not have a wire it stays blind, and its
 * process is looked at from time to time (arm.c, modules_look): a debug register of ptrace(2) would
 * kill it, should we be killed. */
static void set_breakpoint(struct tracee *t, uint64_t address)
{
	tripwire_clear(&t->wire);
	struct err *err = address ? tripwire_set(t->tid, address, &t->wire) : NULL;
	if (err)
		log_debug("breakpoint in %d: %s", (int)t->tid, err->message);
	err_destroy(err);
	t->breakpoint = address;
}

bool follow_is_blind(const struct follow *f, pid_t pid)
{
	for (size_t i = 0; i < f->tracees.n; i++)
		if (f->tracees.v[i].tgid == pid && f->tracees.v[i].breakpoint &&
		    !f->tracees.v[i].wire.fd)
			return true;
	return false;
}

bool follow_is_starting(struct follow *f, pid_t pid)
{
	const struct tracee *t = find(f, pid); /* who executes is the first thread from then on */
	return t && t->starting;
}

static bool is_at_breakpoint(const struct tracee *t, int status)
{
	return t && tripwire_is_hit(&t->wire, t->tid, status);
}

/* ---- launching ---- */

struct err *follow_launch(struct follow *f, const struct launch *launch, bool children,
			  pid_t *ret_pid)
{
	char *const *argv = launch->argv;
	int go[2], report[2];
	if (pipe2(go, O_CLOEXEC) < 0)
		return err_sys(errno, "cannot launch %s", argv[0]);
	if (pipe2(report, O_CLOEXEC) < 0) {
		int sys = errno;
		close(go[0]), close(go[1]);
		return err_sys(sys, "cannot launch %s", argv[0]);
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(go[1]);
		launch_child(launch, go[0], report[1]);
	}
	close(go[0]);
	close(report[1]);
	struct err *err = pid < 0 ? err_sys(errno, "cannot launch %s", argv[0])
				  : ptrace_seize(pid, trace_options(f, children, true));
	struct tracee t = {
		.tid = pid, .tgid = pid, .children = children, .launched = true, .traced = true
	};
	if (!err && !vec_push(&f->tracees, t))
		err = err_no_memory();
	if (err) {
		if (pid > 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, __WALL);
		}
		close(go[1]);
		close(report[0]);
		return err;
	}
	close(go[1]); /* end of file is the signal to go */
	/* The report pipe closes at a successful exec; the exec stop must be served meanwhile. */
	fcntl(report[0], F_SETFL, O_NONBLOCK);
	for (;;) {
		int code = 0;
		ssize_t n = read(report[0], &code, sizeof(code));
		if (n == (ssize_t)sizeof(code)) {
			close(report[0]);
			waitpid(pid, NULL, __WALL);
			struct tracee *dead = find(f, pid);
			if (dead)
				drop(f, dead);
			if (code == -1)
				return err_create(ERR_USAGE, "cannot run as %s: no such user",
						  launch->user);
			err = err_sys(code, "cannot run %s", argv[0]);
			return code == ENOENT && !strchr(argv[0], '/')
				   ? err_with_hint(
					 err,
					 "it was looked for in PATH; a path must contain a slash")
				   : err;
		}
		if (n == 0)
			break;
		follow_poll(f);
		struct timespec ms = { 0, 200000 };
		nanosleep(&ms, NULL);
	}
	close(report[0]);
	*ret_pid = pid;
	return NULL;
}

static bool is_ending(pid_t tid)
{
	struct thread_place at;
	return !thread_place_read(tid, tid, &at) || at.state == 'Z' || at.state == 'X';
}

/* Address of the loader's _dl_debug_state, which it calls whenever the set of modules changes
 * (glibc elf/dl-debug.c). */
static uint64_t debug_state_of(pid_t pid)
{
	struct remote_mem *mem = NULL;
	CLEANUP(maps) struct maps *maps = NULL;
	uint64_t found = 0, base = proc_auxv_value(pid, AT_BASE),
		 in = base ? base : proc_auxv_value(pid, AT_PHDR);
	struct err *err = remote_mem_open(pid, &mem);
	if (!err)
		err = maps_read(pid, &maps);
	if (!err) {
		remote_mem_limit(mem, EXAMINATION_READS);
		err = maps_find_modules(maps, remote_mem_reader(mem));
	}
	for (size_t i = 0; !err && !found && i < maps->n_modules; i++) {
		raddr at;
		uint64_t size;
		/* others may have a function of that name */
		if (in < maps->modules[i].start.v || in >= maps->modules[i].end.v)
			continue;
		if (elf_symbol_find(remote_mem_reader(mem), &maps->modules[i], "_dl_debug_state",
				    &at, &size))
			found = at.v;
	}
	err_destroy(err);
	remote_mem_close(mem);
	return found;
}

struct err *follow_seize(struct follow *f, pid_t pid, bool awaits_python)
{
	char path[64];
	uint64_t awaited = awaits_python ? debug_state_of(pid) : 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	/* New threads may start while the list is read: go on until a round finds none. */
	for (unsigned round = 0, found = 1; found && round < 100; round++) {
		found = 0;
		DIR *dir = opendir(path);
		if (!dir && errno == ENOENT)
			return NULL; /* it has ended: whoever watches it is told */
		if (!dir)
			return err_sys(errno, "cannot follow process %d", (int)pid);
		for (struct dirent *e; (e = readdir(dir));) {
			pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
			struct tracee *known = find(f, tid);
			if (tid <= 0 || (known && known->traced))
				continue;
			struct err *err = ptrace_seize(tid, trace_options(f, true, tid == pid));
			/* EPERM is also said of a thread that is ending, and of one that is ours:
			 * cloned by one that we have. */
			if (err && err->code == ERR_DENIED && is_traced_by_us(tid)) {
				err_destroy(err);
				err = NULL;
				/* Or it would not stop for what was asked of it before: now it is
				 * ours, with options from that stop on. */
				remote_call_take_pending(tid);
			}
			if (err && (err->code == ERR_TARGET_GONE ||
				    (err->code == ERR_DENIED && is_ending(tid)))) {
				err_destroy(err);
				continue;
			}
			struct tracee t = {
				.tid = tid, .tgid = pid, .children = true, .traced = true
			};
			t.launched = known && known->launched; /* one that was let go before */
			if (!err && known)
				*known = t;
			else if (!err && !vec_push(&f->tracees, t))
				err = err_no_memory();
			if (err) {
				closedir(dir);
				return err;
			}
			if (awaited)
				set_breakpoint(known ? known : &f->tracees.v[f->tracees.n - 1],
					       awaited);
			found = 1;
		}
		closedir(dir);
	}
	return NULL;
}

/* ---- entry points ---- */

static bool image_of(pid_t pid, struct image *ret)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (stat(path, &st) < 0)
		return false;
	*ret = (struct image){ st.st_dev, st.st_ino, st.st_mtim, 0 };
	return true;
}

static struct image *boring_find(const struct follow *f, pid_t pid)
{
	struct image image;
	if (!image_of(pid, &image))
		return NULL;
	for (size_t i = 0; i < f->boring.n; i++) {
		struct image *b = &f->boring.v[i];
		if (b->dev == image.dev && b->inode == image.inode &&
		    b->mtime.tv_sec == image.mtime.tv_sec &&
		    b->mtime.tv_nsec == image.mtime.tv_nsec)
			return b;
	}
	return NULL;
}

/* at_entry() is done with its image: its end need not be told. tid: the thread that stands
 * still. */
static void is_clear(struct follow *f, pid_t tid)
{
	struct tracee *t = find(f, tid), *first = t ? find(f, t->tgid) : NULL;
	if (!first || !first->is_unclear)
		return;
	first->is_unclear = false;
	if (first == t) /* else the kernel will tell it once, and nobody asks then */
		went_on(ptrace_set_options(tid, options_for(f, t)));
}

/* Its image is armed. Returns true when the thread was let go for good. */
static bool let_go_armed(struct follow *f, struct tracee *t)
{
	if (t->children)
		return false;
	let_go(f, t->tid, 0);
	return true;
}

static bool is_deferred(const struct follow *f, pid_t tid)
{
	for (size_t i = 0; i < f->deferred.n; i++)
		if (f->deferred.v[i].tid == tid)
			return true;
	return false;
}

static void forget_deferred(struct follow *f, pid_t tid)
{
	size_t n = 0;
	for (size_t i = 0; i < f->deferred.n; i++)
		if (f->deferred.v[i].tid != tid)
			f->deferred.v[n++] = f->deferred.v[i];
	f->deferred.n = n;
}

/* Modules are complete, and nothing in them that matters has run. Returns true when the thread was
 * let go for good. */
static bool at_start(struct follow *f, struct tracee *t, bool all_complete)
{
	pid_t tid = t->tid;
	const struct image *known = t->is_alone ? NULL : boring_find(f, t->tgid);
	/* it had no Python at its last start: only what it loads later is of interest */
	if (known) {
		t->starting = !all_complete;
		if (all_complete)
			set_breakpoint(t, proc_auxv_value(t->tgid, AT_BASE) + known->debug_off);
		return false;
	}
	bool done = f->ops.at_entry(f->ctx, t->tgid, tid, all_complete);
	t = find(f, tid);
	/* it has become another program meanwhile, and stands there */
	if (!t || is_deferred(f, tid))
		return true;
	t->starting = !done && !all_complete;
	if (done) {
		is_clear(f, tid);
		return let_go_armed(f, t);
	}
	if (t->is_alone && all_complete) {
		let_go(f, tid, 0);
		return true;
	}
	/* No Python yet. If the program loads libpython later, a change of modules tells. */
	uint64_t next = all_complete ? debug_state_of(t->tgid) : 0;
	struct image image;
	if (!next)
		return false;
	set_breakpoint(t, next);
	uint64_t loader_base = proc_auxv_value(t->tgid, AT_BASE);
	if (loader_base && next > loader_base && image_of(t->tgid, &image) && f->boring.n < 4096) {
		image.debug_off = next - loader_base;
		if (!vec_push(&f->boring, image))
			log_debug("no memory to remember an image");
	}
	return false;
}

/* At a breakpoint of ours: the set of modules has changed. Returns true when the thread was let go
 * for good. */
static bool at_breakpoint(struct follow *f, struct tracee *t)
{
	pid_t tid = t->tid;
	bool done = f->ops.at_entry(f->ctx, t->tgid, tid, loader_is_at_rest(t->tgid));
	t = find(f, tid);
	if (!t || is_deferred(f, tid) || !done)
		return !t || is_deferred(f, tid);
	/* The application may unload it and load it, or another one, again. So may its next run. */
	struct image *mistaken = boring_find(f, t->tgid);
	if (mistaken)
		*mistaken = f->boring.v[--f->boring.n];
	t->has_python = true;
	is_clear(f, tid);
	if (t->children)
		return false;
	set_breakpoint(t, 0);
	return let_go_armed(f, t);
}

/* ---- stops ---- */

static void added(struct follow *f, pid_t tid, pid_t tgid, bool children)
{
	struct tracee *t = find(f, tid);
	if (t) {
		t->tgid = tgid;
		return;
	}
	struct tracee fresh = {
		.tid = tid, .tgid = tgid, .children = children, .traced = true, .newborn = true
	};
	if (!vec_push(&f->tracees, fresh))
		log_debug("no memory to follow %d", (int)tid);
}

static void went_on(struct err *err)
{
	if (err && err->code != ERR_TARGET_GONE)
		log_debug("%s", err->message);
	err_destroy(err);
}

static void go_on(const struct follow *f, pid_t tid, int signal)
{
	const struct tracee *t = find(f, tid);
	went_on(t && t->starting ? ptrace_continue_to_syscall(tid, signal)
				 : ptrace_continue(tid, signal));
}

static void at_syscall(struct follow *f, struct tracee *t)
{
	struct arch_regs regs;
	pid_t tid = t->tid;
	struct err *err = t->starting ? ptrace_get_regs(tid, &regs) : NULL;
	if (err)
		return went_on(err);
	bool is_over = t->starting && arch_call_is_over(&regs);
	enum loader_stage stage = is_over ? loader_stage(&t->loader, t->tgid, &regs) : LOADER_WORKS;
	if (stage == LOADER_WORKS || !at_start(f, t, stage == LOADER_DONE))
		go_on(f, tid, 0);
}

/* A thread that waits for a libpython to be loaded has the breakpoint for itself alone (kernel
 * arch/x86/kernel/process.c, copy_thread, gives a child none): those it makes, threads and forked
 * processes, may load it just as well. But not once there is one: it, and its children, have the
 * probe. Returns where threads made by that process get one; 0: nowhere. */
static uint64_t awaited_by(const struct follow *f, pid_t tgid)
{
	uint64_t address = 0;
	for (size_t i = 0; i < f->tracees.n; i++) {
		const struct tracee *of = &f->tracees.v[i];
		if (of->tgid != tgid)
			continue;
		if (of->has_python)
			return 0;
		if (!of->newborn && !address)
			address = of->breakpoint;
	}
	return address;
}

/* Returns false when the thread is ours no more. */
static bool first_stop(struct follow *f, struct tracee *t, int status)
{
	pid_t tid = t->tid;
	bool is_born = t->tgid == tid && t->children && f->ops.born && !f->is_bearing &&
		       status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) == SIGTRAP;
	t->newborn = false;
	if (!t->is_told) /* then its parent stands at its event yet */
		t->inherits = awaited_by(f, t->tgid == t->tid ? status_number(t->tid, "PPid:", 0)
							      : t->tgid);
	if (t->inherits)
		set_breakpoint(t, t->inherits);
	if (!is_born)
		return true;
	f->is_bearing = true;
	f->ops.born(f->ctx, tid);
	f->is_bearing = false;
	return find(f, tid) != NULL;
}

void follow_found_python(struct follow *f, pid_t pid)
{
	for (size_t i = 0; i < f->tracees.n; i++)
		if (f->tracees.v[i].tgid == pid)
			f->tracees.v[i].has_python = true;
}

/* Its first stop has told of it. */
static bool was_told(struct follow *f, pid_t child)
{
	for (size_t i = 0; i < N_TOLD; i++)
		if (f->told[i] == child) {
			f->told[i] = 0;
			return true;
		}
	return false;
}

/* At an event of fork, vfork or clone. */
static void note_child(struct follow *f, const struct tracee *t, int event)
{
	unsigned long message = 0;
	struct err *err = ptrace_event_message(t->tid, &message);
	if (!err && message) {
		pid_t child = (pid_t)message, parent = t->tgid;
		bool thread = event == PTRACE_EVENT_CLONE && tgid_of(child) == parent;
		/* A short-lived child can have come, gone and been dropped before its parent's
		 * event is seen. */
		uint64_t inherits = awaited_by(f, parent);
		if (find(f, child) || is_traced_by_us(child))
			added(f, child, thread ? parent : child, t->children);
		struct tracee *c = find(f, child);
		if (c && c->newborn) {
			c->is_told = true;
			c->inherits = inherits;
		}
		if (!thread)
			f->ops.forked(f->ctx, parent, child, !was_told(f, child));
		if (thread && f->ops.cloned)
			f->ops.cloned(f->ctx, parent, child);
	}
	went_on(err);
}

/* Is a signal that is to be delivered one that the probe has caused? */
static bool is_our_fault(const struct follow *f, const struct tracee *t, int status)
{
	int signal = ptrace_signal_of(status);
	return (signal == SIGSEGV || signal == SIGSYS) && f->ops.faulted &&
	       f->ops.faulted(f->ctx, t->tgid, t->tid, signal);
}

/*
 * A traced thread that has ended stays until its tracer has reaped it. Its process would count it
 * meanwhile: CPython warns of a fork in a process with more than one thread by what /proc/self/stat
 * says (3.12+, Modules/posixmodule.c, warn_about_fork_with_threads()), and an exec waits for it. So
 * it is let go before it ends. The first thread's end is that of the process, or of what others see
 * of it.
 */
static void at_exit(struct follow *f, struct tracee *t)
{
	pid_t tid = t->tid;
	if (tid != t->tgid)
		return let_go(f, tid, 0);
	if (f->ops.leaving)
		f->ops.leaving(f->ctx, tid);
	go_on(f, tid, 0);
}

/* At its exec. */
static void look_for_self_tracing(struct follow *f, struct tracee *t)
{
	enum self_tracing kind = t->children ? self_tracing_of(&f->self_tracing, t->tgid)
					     : TRACES_NOTHING;
	t->is_alone = kind != TRACES_NOTHING;
	if (!t->is_alone)
		return;
	t->children = false;
	went_on(ptrace_set_options(t->tid, options_for(f, t)));
	if (f->ops.unfollowed)
		f->ops.unfollowed(f->ctx, t->tgid, kind);
}

static void handle_stop(struct follow *f, pid_t tid, int status)
{
	struct tracee *t = find(f, tid);
	int event = status >> 16, signal = WSTOPSIG(status);
	/* not followed: it only stopped too late for what was asked of it */
	if ((!t || !t->traced) && remote_call_take_pending(tid)) {
		return went_on(ptrace_detach(tid, ptrace_signal_of(status)));
	}
	if (!t) { /* a child's first stop can come before its parent's event */
		added(f, tid, tgid_of(tid), true);
		t = find(f, tid);
		if (!t)
			return went_on(ptrace_detach(tid, 0));
		if (t->tgid == tid) /* and it can have ended before its parent's event */
			f->told[f->n_told++ % N_TOLD] = tid;
		if (t->tgid == tid)
			f->ops.forked(f->ctx, status_number(tid, "PPid:", 0), tid, true);
	}
	t->stopped = false;
	if (t->newborn && !first_stop(f, t, status))
		return;
	t = find(f, tid);
	switch (event) {
	case 0:
		if (ptrace_is_syscall_stop(status))
			return at_syscall(f, t);
		if (is_at_breakpoint(t, status)) {
			struct err *err = ptrace_breakpoint_settle(tid, SETTLE_NS);
			if (err)
				return went_on(err);
			t = find(f, tid); /* others were served meanwhile */
			if (t && !at_breakpoint(f, t))
				go_on(f, tid, 0);
			return;
		}
		return go_on(f, tid, is_our_fault(f, t, status) ? 0 : signal);
	case PTRACE_EVENT_STOP:
		/* Seized for something else, or given up while its filter was suspended: as they
		 * should be again. */
		went_on(ptrace_set_options(tid, options_for(f, t)));
		if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN ||
		    signal == SIGTTOU) {
			t->stopped = true;
			return went_on(ptrace_listen(tid));
		}
		return go_on(f, tid, 0);
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE: note_child(f, t, event); return go_on(f, tid, 0);
	case PTRACE_EVENT_EXEC: {
		/* The other threads are gone without a word; the thread that called exec now is the
		 * leader. */
		for (size_t i = f->tracees.n; i-- > 0;)
			if (f->tracees.v[i].tgid == tid && f->tracees.v[i].tid != tid) {
				forget_deferred(f, f->tracees.v[i].tid);
				drop(f, &f->tracees.v[i]);
			}
		forget_deferred(f, tid);
		f->ops.execed(f->ctx, tid);
		t = find(f, tid);
		if (t) {
			tripwire_clear(&t->wire);
			t->breakpoint = 0; /* the new image starts with clean debug registers */
			t->inherits = 0;
			t->newborn = false;
			t->has_python = false;
			t->is_unclear = f->ops.leaving != NULL;
			t->tgid = tid;
			/* those of the thread that called exec */
			went_on(ptrace_set_options(tid, options_for(f, t)));
			/* 32-bit programs have a vector of another form, in which there is no entry
			 * point for us. */
			t->starting = proc_auxv_value(tid, AT_ENTRY);
			struct err *err = t->starting ? loader_find(tid, &t->loader) : NULL;
			t->starting = t->starting && !err;
			if (err)
				log_debug("the start of %d is not watched: %s", (int)tid,
					  err->message);
			err_destroy(err);
			look_for_self_tracing(f, t);
			if (t->is_alone && !t->starting)
				return let_go(f, tid, 0);
		}
		return go_on(f, tid, 0);
	}
	case PTRACE_EVENT_EXIT: return at_exit(f, t);
	default: return go_on(f, tid, 0);
	}
}

static void tracee_ended(struct follow *f, pid_t tid, int status)
{
	struct tracee *t = find(f, tid);
	forget_deferred(f, tid);
	/* a process ends with its leader, reported after all other threads */
	if ((t ? t->tgid : tid) == tid)
		f->ops.exited(f->ctx, tid, status);
	t = find(f, tid);
	if (t)
		drop(f, t);
}

/* ---- while the tracer waits for one thread ---- */

static void defer(struct follow *f, pid_t tid, int status)
{
	struct stop s = { tid, status };
	/* where the process and its threads stood before is over */
	if (status >> 16 == PTRACE_EVENT_EXEC)
		for (size_t i = 0; i < f->tracees.n; i++)
			if (f->tracees.v[i].tgid == tid)
				forget_deferred(f, f->tracees.v[i].tid);
	if (!vec_push(&f->deferred, s))
		handle_stop(f, tid, status);
}

static bool take_deferred(void *ctx, pid_t tid, int *ret_status)
{
	struct follow *f = ctx;
	for (size_t i = 0; i < f->deferred.n; i++) {
		if (f->deferred.v[i].tid != tid)
			continue;
		*ret_status = f->deferred.v[i].status;
		f->deferred.n--;
		memmove(&f->deferred.v[i], &f->deferred.v[i + 1],
			(f->deferred.n - i) * sizeof(f->deferred.v[0]));
		return true;
	}
	return false;
}

/* One is waited for that was just born, so it is no parent in vfork(2), and the next can wait: else
 * it could not be given what its elder is given at this moment. */
static bool is_born_meanwhile(struct follow *f, pid_t tid)
{
	const struct tracee *t = f->is_bearing ? find(f, tid) : NULL;
	return f->is_bearing && (!t || t->newborn);
}

/*
 * A parent in vfork(2) stops only when its child has called exec or ended, and the child, ours from
 * birth, stands still until it is let go. What needs a tracer's full attention (exec, a breakpoint)
 * is put off: a child that has come to its exec has let its parent go already (kernel fs/exec.c,
 * begin_new_exec, before the event).
 */
static void serve_others(void *ctx, pid_t waited_for)
{
	struct follow *f = ctx;
	for (unsigned i = 0; i < 64; i++) {
		siginfo_t what = { .si_pid = 0 };
		int status;
		if (waitid(P_ALL, 0, &what, WSTOPPED | WNOHANG | WNOWAIT | __WALL) < 0 ||
		    !what.si_pid || what.si_pid == waited_for ||
		    waitpid(what.si_pid, &status, __WALL | WNOHANG) != what.si_pid)
			return;
		/* killed in between: its end is for follow_poll(), but it is reaped now */
		if (!WIFSTOPPED(status))
			tracee_ended(f, what.si_pid, status);
		else if (status >> 16 == PTRACE_EVENT_EXEC || ptrace_is_syscall_stop(status) ||
			 ptrace_signal_of(status) == SIGTRAP || is_born_meanwhile(f, what.si_pid) ||
			 is_at_breakpoint(find(f, what.si_pid), status))
			defer(f, what.si_pid, status);
		else
			handle_stop(f, what.si_pid, status);
	}
}

static enum ptrace_verdict reported(void *ctx, pid_t tid, int status)
{
	struct follow *f = ctx;
	struct tracee *t = find(f, tid);
	int event = status >> 16;
	if (!t)
		return PTRACE_PASS;
	switch (event) {
	case 0:
		if (ptrace_is_syscall_stop(status))
			return PTRACE_SWALLOW;
		if (is_at_breakpoint(t, status)) {
			/* Whoever waits here has the process armed already: this change of modules
			 * needs no look. */
			struct err *err = ptrace_breakpoint_settle(tid, SETTLE_NS);
			bool is_another = err && err->sys == ESTALE;
			went_on(err);
			return is_another ? PTRACE_ANOTHER : PTRACE_SWALLOW;
		}
		return is_our_fault(f, t, status) ? PTRACE_SWALLOW : PTRACE_PASS;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE: note_child(f, t, event); return PTRACE_PASS;
	case PTRACE_EVENT_EXEC: defer(f, tid, status); return PTRACE_ANOTHER;
	case PTRACE_EVENT_EXIT:
		if (tid == t->tgid && f->ops.leaving)
			f->ops.leaving(f->ctx, tid);
		return PTRACE_PASS;
	default: return PTRACE_PASS;
	}
}

static bool any_starting(const struct follow *f)
{
	for (size_t i = 0; i < f->tracees.n; i++)
		if (f->tracees.v[i].starting && !f->tracees.v[i].stopped)
			return true;
	return false;
}

void follow_poll(struct follow *f)
{
	while (f->deferred.n) { /* serving one may put another off */
		struct stop s = f->deferred.v[0];
		f->deferred.n--;
		memmove(f->deferred.v, f->deferred.v + 1, f->deferred.n * sizeof(s));
		handle_stop(f, s.tid, s.status);
	}
	/* A program on its way through its loader makes a call every few microseconds: that is
	 * quicker than going to sleep. */
	uint64_t begin = monotonic_ns(), last = 0;
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);
		if (tid < 0 || (tid == 0 && !any_starting(f)))
			return;
		uint64_t now = monotonic_ns();
		if (tid == 0) {
			last = last ? last : now;
			if (now - last > NEXT_CALL_NS || now - begin > START_NS)
				return;
			sched_yield();
			continue;
		}
		last = 0;
		if (WIFSTOPPED(status))
			handle_stop(f, tid, status);
		else
			tracee_ended(f, tid, status);
		/* where programs start without end, others have their turn */
		if (now - begin > START_NS)
			return;
	}
}

/* It stands still: let it go for good, without a trace of ours. */
static void let_go(struct follow *f, pid_t tid, int signal)
{
	struct tracee *t = find(f, tid);
	if (t && t->breakpoint)
		set_breakpoint(t, 0);
	went_on(ptrace_detach(tid, signal));
	if (t && t->launched)
		t->traced = false;
	else if (t)
		drop(f, t);
}

static void let_deferred_go(struct follow *f)
{
	while (f->deferred.n) {
		struct stop s = f->deferred.v[--f->deferred.n];
		struct tracee *t = find(f, s.tid);
		let_go(f, s.tid, is_at_breakpoint(t, s.status) ? 0 : ptrace_signal_of(s.status));
	}
}

void follow_release(struct follow *f, uint64_t timeout_ns)
{
	uint64_t deadline = monotonic_ns() + timeout_ns;
	let_deferred_go(f);
	/* Children that come meanwhile join the end of the list. */
	for (size_t i = 0; i < f->tracees.n;) {
		struct tracee *t = &f->tracees.v[i];
		pid_t tid = t->tid;
		/* others may be served while this one is waited for, and come and go in the list */
		pid_t tgid = t->tgid;
		bool group_stopped;
		if (!t->traced) {
			i++;
			continue;
		}
		uint64_t now = monotonic_ns();
		struct err *err = ptrace_stop_for_change(
		    tid, deadline > now ? deadline - now : 1000000, &group_stopped);
		if (!err) {
			went_on(remote_call_repair(tgid, tid));
			let_go(f, tid, 0);
		} else if (err->code == ERR_TIMEOUT && !remote_call_add_pending(tid))
			log_debug("thread %d stays seized until we end", (int)tid);
		err_destroy(err);
		let_deferred_go(f);
		t = find(f, tid);
		if (t && t->launched) {
			set_breakpoint(t, 0);
			t->traced = false;
		} else if (t) /* it ended, or will be let go when it stops */
			drop(f, t);
		if (i < f->tracees.n && f->tracees.v[i].tid == tid)
			i++;
	}
}
