/*
 * follow: see follow.h. There is a struct tracee for each thread that is followed (tracees.h). What
 * happens to it is classified first (stop.h); actions[] says what is done then. Stops that are
 * reported while the tracer waits for another thread may be deferred (deferred.h).
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/proc_status.h"
#include "base/vec.h"
#include "python/python.h"
#include "recorder/deferred.h"
#include "recorder/programs.h"
#include "recorder/stop.h"
#include "recorder/tracees.h"
#include "system/loader.h"
#include "system/proc_file.h"
#include "visit/interrupted.h"
#include "visit/ptrace.h"
#include "visit/hold.h"
#include "system/remote_mem.h"
#include "visit/tripwire.h"

enum {
	SETTLE_NS = 500 * 1000 * 1000,
	/* follow_poll() waits this long for the next call of a program that starts, */
	NEXT_CALL_NS = 100 * 1000,
	START_NS = 5 * 1000 * 1000, /* and this long for all of them */
	N_TOLD = 256
};

struct follow {
	struct follow_ops ops;
	struct ptrace_watch watch;
	void *ctx;
	struct tracees tracees;
	struct programs programs; /* without Python */
	struct deferred_stops deferred;
	struct self_tracing_cache self_tracing;
	/* the newest children whose first stop came before their parent's event; 0 none */
	pid_t told[N_TOLD];
	unsigned n_told; /* ever */
	bool is_bearing; /* ops.born() is running */
};

static void serve_others(void *ctx, pid_t waited_for);
static enum ptrace_verdict reported(void *ctx, pid_t tid, int status);
static bool take_deferred(void *ctx, pid_t tid, int *ret_status);
static unsigned long options_of(void *ctx, pid_t tid);
static void detach(struct follow *f, pid_t tid, int signal);
static void defer(struct follow *f, pid_t tid, int status);
static void log_failure(struct err *err);

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
	deferred_fini(&f->deferred);
	vec_fini(&f->self_tracing.known);
	tracees_fini(&f->tracees);
	programs_fini(&f->programs);
	free(f);
}

static struct tracee *find(const struct follow *f, pid_t tid)
{
	return tracees_find(&f->tracees, tid);
}

bool follow_has(const struct follow *f, pid_t pid)
{
	return f && tracees_of(&f->tracees, pid);
}

bool follow_keeps(const struct follow *f, pid_t pid)
{
	const struct tracee *t = f ? tracees_of(&f->tracees, pid) : NULL;
	return t && t->children;
}

size_t follow_n_tracees(const struct follow *f)
{
	return f ? tracees_count(&f->tracees) : 0;
}

static pid_t tgid_of(pid_t tid)
{
	struct proc_status status;
	return proc_thread_status(tid, tid, &status) ? status.tgid : tid;
}

static pid_t parent_of(pid_t tid)
{
	struct proc_status status;
	return proc_thread_status(tid, tid, &status) ? status.ppid : 0;
}

/* Is the thread still our tracee? Not if it has ended and was waited for. */
static bool is_traced_by_us(pid_t tid)
{
	struct proc_status status;
	return proc_thread_status(tid, tid, &status) && status.tracer_pid == (int)getpid();
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
	const struct follow *f = ctx;
	const struct tracee *t = find(f, tid);
	/* An unknown thread was made by a tracee, and has its options (include/linux/ptrace.h,
	 * ptrace_init_task()). */
	return !t ? trace_options(f, true, true) : t->traced ? options_for(f, t) : 0;
}

bool follow_is_blind(const struct follow *f, pid_t pid)
{
	return tracees_is_blind(&f->tracees, pid);
}

bool follow_is_starting(struct follow *f, pid_t pid)
{
	const struct tracee *t = find(f, pid); /* after an exec there is only the first thread */
	return t && t->starting;
}

static enum stop_kind classify(const struct tracee *t, pid_t tid, int status)
{
	return stop_classify(t ? &t->wire : NULL, tid, status);
}

/* ---- launching ---- */

struct err *follow_launch(struct follow *f, const struct launch *launch, bool children,
			  pid_t *ret_pid)
{
	pid_t pid;
	int go, report;
	struct err *err = launch_fork(launch, &pid, &go, &report);
	if (err)
		return err;
	err = ptrace_seize(pid, trace_options(f, children, true));
	struct tracee t = {
		.tid = pid, .tgid = pid, .children = children, .launched = true, .traced = true
	};
	if (!err && !vec_push(&f->tracees, t))
		err = err_no_memory();
	if (err) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, __WALL);
		close(go);
		close(report);
		return err;
	}
	*ret_pid = pid; /* it may end before this returns */
	close(go);      /* the program may start */
	/* The report pipe is closed by a successful exec. Its stop must be served meanwhile. */
	fcntl(report, F_SETFL, O_NONBLOCK);
	for (;;) {
		int code = 0;
		ssize_t n = read(report, &code, sizeof(code));
		if (n == (ssize_t)sizeof(code)) {
			close(report);
			waitpid(pid, NULL, __WALL);
			struct tracee *dead = find(f, pid);
			if (dead)
				tracees_drop(&f->tracees, dead);
			return launch_error(launch, code);
		}
		if (n == 0)
			break;
		follow_poll(f);
		struct timespec ms = { 0, 200000 };
		nanosleep(&ms, NULL);
	}
	close(report);
	return NULL;
}

struct err *follow_seize(struct follow *f, pid_t pid, bool awaits_python)
{
	char path[64];
	uint64_t awaited = awaits_python ? loader_debug_state(pid) : 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	/* New threads may start while the list is read: repeat until a round finds none. */
	for (unsigned round = 0, found = 1; found && round < 100; round++) {
		found = 0;
		DIR *dir = opendir(path);
		if (!dir && errno == ENOENT)
			return NULL; /* it has ended, which is reported elsewhere */
		if (!dir)
			return err_sys(errno, "cannot follow process %d", (int)pid);
		for (struct dirent *e; (e = readdir(dir));) {
			pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
			struct tracee *known = find(f, tid);
			if (tid <= 0 || (known && known->traced))
				continue;
			struct err *err = ptrace_seize(tid, trace_options(f, true, tid == pid));
			/* EPERM also means that a thread is our tracee already: made by one that
			 * is. */
			if (err && err->code == ERR_DENIED && is_traced_by_us(tid)) {
				err_destroy(err);
				err = NULL;
				/* Or it did not stop in time for an earlier request. It is followed
				 * from now on; its options are set at that stop. */
				hold_take_pending(tid);
			}
			if (err && err->code == ERR_TARGET_GONE) {
				err_destroy(err);
				continue;
			}
			struct tracee t = {
				.tid = tid, .tgid = pid, .children = true, .traced = true
			};
			t.launched = known && known->launched; /* it was detached from before */
			if (!err && known)
				*known = t;
			else if (!err && !vec_push(&f->tracees, t))
				err = err_no_memory();
			if (err) {
				closedir(dir);
				return err;
			}
			if (awaited)
				tracee_set_breakpoint(
				    known ? known : &f->tracees.v[f->tracees.n - 1], awaited);
			found = 1;
		}
		closedir(dir);
	}
	return NULL;
}

/* ---- entry points ---- */

/* at_entry() is done with the program, so leaving() need not be called. tid: a thread of it that is
 * stopped. */
static void set_clear(struct follow *f, pid_t tid)
{
	struct tracee *t = find(f, tid), *first = t ? find(f, t->tgid) : NULL;
	if (!first || !first->is_unclear)
		return;
	first->is_unclear = false;
	if (first == t) /* else one PTRACE_EVENT_EXIT comes, and is ignored */
		log_failure(ptrace_set_options(tid, options_for(f, t)));
}

/* Its program is armed. Returns true if the thread was detached from. */
static bool detach_armed(struct follow *f, struct tracee *t)
{
	if (t->children)
		return false;
	detach(f, t->tid, 0);
	return true;
}

/* The loader has come so far that Python can be found, and no code of it has run. Returns true if
 * the thread was detached from. */
static bool at_start(struct follow *f, struct tracee *t, bool all_complete)
{
	pid_t tid = t->tid;
	const struct program *known = t->is_alone ? NULL : programs_find(&f->programs, t->tgid);
	/* it had no Python at its last start: wait for what it loads later */
	if (known) {
		t->starting = !all_complete;
		if (all_complete)
			tracee_set_breakpoint(t,
					      proc_auxv_value(t->tgid, AT_BASE) + known->debug_off);
		return false;
	}
	bool done = f->ops.at_entry(f->ctx, t->tgid, tid, all_complete);
	t = find(f, tid);
	/* it has called exec meanwhile, and is stopped there */
	if (!t || deferred_has(&f->deferred, tid))
		return true;
	t->starting = !done && !all_complete;
	if (done) {
		set_clear(f, tid);
		return detach_armed(f, t);
	}
	if (t->is_alone && all_complete) {
		detach(f, tid, 0);
		return true;
	}
	/* No Python yet. If the program loads libpython later, the breakpoint is hit. */
	uint64_t next = all_complete ? loader_debug_state(t->tgid) : 0;
	if (!next)
		return false;
	tracee_set_breakpoint(t, next);
	uint64_t loader_base = proc_auxv_value(t->tgid, AT_BASE);
	if (loader_base && next > loader_base)
		programs_add(&f->programs, t->tgid, next - loader_base);
	return false;
}

/* At the breakpoint: the set of modules has changed. Returns true if the thread was detached
 * from. */
static bool at_breakpoint(struct follow *f, struct tracee *t)
{
	pid_t tid = t->tid;
	bool done = f->ops.at_entry(f->ctx, t->tgid, tid, loader_is_at_rest(t->tgid));
	t = find(f, tid);
	if (!t || deferred_has(&f->deferred, tid) || !done)
		return !t || deferred_has(&f->deferred, tid);
	/* The program may unload it, and load it or another one again. So may its next run. */
	programs_remove(&f->programs, t->tgid);
	t->has_python = true;
	set_clear(f, tid);
	if (t->children)
		return false;
	tracee_set_breakpoint(t, 0);
	return detach_armed(f, t);
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

static void log_failure(struct err *err)
{
	if (err && err->code != ERR_TARGET_GONE)
		log_debug("%s", err->message);
	err_destroy(err);
}

static void resume(const struct follow *f, pid_t tid, int signal)
{
	const struct tracee *t = find(f, tid);
	struct err *err = NULL;
	/* the thread must not stay stopped, whatever the error was */
	for (unsigned try = 0; try < 2; try++) {
		err_destroy(err);
		err = t && t->starting ? ptrace_continue_to_syscall(tid, signal)
				       : ptrace_continue(tid, signal);
		if (!err || err->code == ERR_TARGET_GONE)
			break;
	}
	log_failure(err);
}

static void at_syscall(struct follow *f, struct tracee *t, int status)
{
	struct arch_regs regs;
	pid_t tid = t->tid;
	struct err *err = t->starting ? ptrace_get_regs(tid, &regs) : NULL;
	if (err) {
		log_failure(err);
		return resume(f, tid, 0);
	}
	bool is_over = t->starting && arch_call_is_over(&regs);
	if (t->starting && !is_over) /* at the end of the call the register may hold the result */
		t->first_arg = arch_call_arg(&regs, 0);
	enum loader_stage stage = is_over ? loader_stage(&t->loader, t->tgid, &regs, t->first_arg)
					  : LOADER_WORKS;
	if (stage == LOADER_WORKS || !at_start(f, t, stage == LOADER_DONE))
		resume(f, tid, 0);
}

/* Returns false if the thread is not a tracee any more. */
static bool first_stop(struct follow *f, struct tracee *t, int status)
{
	pid_t tid = t->tid;
	bool is_born = t->tgid == tid && t->children && f->ops.born && !f->is_bearing &&
		       classify(t, tid, status) == STOP_EVENT;
	t->newborn = false;
	if (!t->is_told) /* then its parent is still at its event */
		t->inherits = tracees_awaited(&f->tracees,
					      t->tgid == t->tid ? parent_of(t->tid) : t->tgid);
	if (t->inherits)
		tracee_set_breakpoint(t, t->inherits);
	if (!is_born)
		return true;
	f->is_bearing = true;
	f->ops.born(f->ctx, tid);
	f->is_bearing = false;
	return find(f, tid) != NULL;
}

void follow_found_python(struct follow *f, pid_t pid)
{
	tracees_found_python(&f->tracees, pid);
}

/* Was the child reported at its first stop? */
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
		/* A short-lived child can have ended and been dropped before its parent's event
		 * is served. */
		uint64_t inherits = tracees_awaited(&f->tracees, parent);
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
	log_failure(err);
}

/* Was the signal that is to be delivered caused by the probe? */
static bool is_our_fault(const struct follow *f, const struct tracee *t, int status)
{
	int signal = ptrace_signal_of(status);
	return (signal == SIGSEGV || signal == SIGSYS) && f->ops.faulted &&
	       f->ops.faulted(f->ctx, t->tgid, t->tid, signal);
}

/*
 * A traced thread that has ended exists until its tracer has waited for it, and its process counts
 * it meanwhile. CPython warns of a fork in a process with more than one thread in /proc/self/stat
 * (3.12+, Modules/posixmodule.c, warn_about_fork_with_threads()), and an exec waits for the thread.
 * So it is detached from before it ends. The first thread stays, because its end is that of the
 * process.
 */
static void at_exit(struct follow *f, struct tracee *t, int status)
{
	pid_t tid = t->tid;
	if (tid != t->tgid)
		return detach(f, tid, 0);
	if (f->ops.leaving)
		f->ops.leaving(f->ctx, tid);
	resume(f, tid, 0);
}

/* Does its new program trace, or what it starts? Then it is not followed. */
static void look_for_self_tracing(struct follow *f, struct tracee *t)
{
	enum self_tracing kind = t->children ? self_tracing_of(&f->self_tracing, t->tgid)
					     : TRACES_NOTHING;
	t->is_alone = kind != TRACES_NOTHING;
	if (!t->is_alone)
		return;
	t->children = false;
	log_failure(ptrace_set_options(t->tid, options_for(f, t)));
	if (f->ops.unfollowed)
		f->ops.unfollowed(f->ctx, t->tgid, kind);
}

static void at_tripwire(struct follow *f, struct tracee *t, int status)
{
	pid_t tid = t->tid;
	struct err *err = ptrace_breakpoint_settle(tid, SETTLE_NS);
	if (err) {
		t = find(f, tid);
		if (t && err->code == ERR_TIMEOUT)
			t->is_settling = true;
		return log_failure(err);
	}
	t = find(f, tid); /* other threads were served meanwhile */
	if (t && !at_breakpoint(f, t))
		resume(f, tid, 0);
}

static void at_signal(struct follow *f, struct tracee *t, int status)
{
	pid_t tid = t->tid;
	resume(f, tid, is_our_fault(f, t, status) ? 0 : WSTOPSIG(status));
}

/* Options may be others than they should be: it was seized for something else, or was given up
 * while its filter was suspended. */
static void mend_options(const struct follow *f, const struct tracee *t)
{
	log_failure(ptrace_set_options(t->tid, options_for(f, t)));
}

static void at_group_stop(struct follow *f, struct tracee *t, int status)
{
	mend_options(f, t);
	t->stopped = true;
	log_failure(ptrace_listen(t->tid));
}

static void at_event_stop(struct follow *f, struct tracee *t, int status)
{
	pid_t tid = t->tid;
	mend_options(f, t);
	bool was_settling = t->is_settling;
	t->is_settling = false;
	if (!was_settling || !at_breakpoint(f, t))
		resume(f, tid, 0);
}

static void at_child(struct follow *f, struct tracee *t, int status)
{
	pid_t tid = t->tid;
	note_child(f, t, status >> 16);
	resume(f, tid, 0);
}

static void at_other(struct follow *f, struct tracee *t, int status)
{
	resume(f, t->tid, 0);
}

/* A new program begins. */
static void begin_program(struct follow *f, struct tracee *t)
{
	pid_t tid = t->tid;
	tripwire_clear(&t->wire);
	t->breakpoint = 0; /* a new program has no breakpoints */
	t->is_settling = false;
	t->inherits = 0;
	t->newborn = false;
	t->has_python = false;
	t->is_unclear = f->ops.leaving != NULL;
	t->tgid = tid;
	/* so far it has those of the thread that called exec */
	log_failure(ptrace_set_options(tid, options_for(f, t)));
	/* The vector of a 32-bit program has another form, so no entry is found in it. */
	t->starting = proc_auxv_value(tid, AT_ENTRY);
	struct err *err = t->starting ? loader_find(tid, &t->loader) : NULL;
	t->starting = t->starting && !err;
	if (err)
		log_debug("the start of %d is not watched: %s", (int)tid, err->message);
	err_destroy(err);
	look_for_self_tracing(f, t);
}

static void at_exec(struct follow *f, struct tracee *t, int status)
{
	pid_t tid = t->tid;
	/* The other threads have vanished without a report. The thread that called exec is the
	 * first one now (ptrace(2), "execve(2) under ptrace"). */
	for (size_t i = f->tracees.n; i-- > 0;)
		if (f->tracees.v[i].tgid == tid && f->tracees.v[i].tid != tid) {
			deferred_forget(&f->deferred, f->tracees.v[i].tid);
			tracees_drop(&f->tracees, &f->tracees.v[i]);
		}
	deferred_forget(&f->deferred, tid);
	f->ops.execed(f->ctx, tid);
	t = find(f, tid);
	if (t)
		begin_program(f, t);
	if (t && t->is_alone && !t->starting)
		return detach(f, tid, 0);
	resume(f, tid, 0);
}

/* ---- the same while the tracer waits for that thread: ptrace_pass() resumes it ---- */

static enum ptrace_verdict swallow(struct follow *f, struct tracee *t, int status)
{
	return PTRACE_SWALLOW;
}

/* The tracer waits for threads of processes that are armed already, so this change of modules need
 * not be examined. */
static enum ptrace_verdict pass_tripwire(struct follow *f, struct tracee *t, int status)
{
	struct err *err = ptrace_breakpoint_settle(t->tid, SETTLE_NS);
	bool is_another = err && err->sys == ESTALE;
	log_failure(err);
	return is_another ? PTRACE_ANOTHER : PTRACE_SWALLOW;
}

static enum ptrace_verdict pass_signal(struct follow *f, struct tracee *t, int status)
{
	return is_our_fault(f, t, status) ? PTRACE_SWALLOW : PTRACE_PASS;
}

static enum ptrace_verdict pass_child(struct follow *f, struct tracee *t, int status)
{
	note_child(f, t, status >> 16);
	return PTRACE_PASS;
}

static enum ptrace_verdict pass_exec(struct follow *f, struct tracee *t, int status)
{
	defer(f, t->tid, status);
	return PTRACE_ANOTHER;
}

static enum ptrace_verdict pass_exit(struct follow *f, struct tracee *t, int status)
{
	if (t->tid == t->tgid && f->ops.leaving)
		f->ops.leaving(f->ctx, t->tid);
	return PTRACE_PASS;
}

/* ---- what is done at each kind of stop ---- */

/*
 * serve   in follow_poll(): resume the thread, detach from it, or leave it as it is
 * pass    while the tracer waits for this thread to do something else (ptrace_watch.reported);
 *         NULL: PTRACE_PASS
 * defers  while the tracer waits for another thread: it is served later, because it takes the
 *         tracer's full attention
 */
/* clang-format off */
static const struct {
	void (*serve)(struct follow *f, struct tracee *t, int status);
	enum ptrace_verdict (*pass)(struct follow *f, struct tracee *t, int status);
	bool defers;
} actions[STOP_COUNT] = {
	[STOP_SYSCALL]    = { at_syscall,    swallow,       true },
	[STOP_BREAKPOINT] = { at_tripwire,   pass_tripwire, true },
	[STOP_TRAP]       = { at_signal,     pass_signal,   true },
	[STOP_SIGNAL]     = { at_signal,     pass_signal,   false },
	[STOP_GROUP]      = { at_group_stop, NULL,          false },
	[STOP_EVENT]      = { at_event_stop, NULL,          false },
	[STOP_CHILD]      = { at_child,      pass_child,    false },
	[STOP_EXEC]       = { at_exec,       pass_exec,     true },
	[STOP_EXIT]       = { at_exit,       pass_exit,     false },
	[STOP_OTHER]      = { at_other,      NULL,          false },
};
/* clang-format on */

static void handle_stop(struct follow *f, pid_t tid, int status)
{
	struct tracee *t = find(f, tid);
	/* it is not followed, and has stopped too late for an earlier request */
	if ((!t || !t->traced) && hold_take_pending(tid)) {
		return log_failure(ptrace_detach(tid, ptrace_signal_of(status)));
	}
	if (!t) { /* the first stop of a child can come before its parent's event */
		added(f, tid, tgid_of(tid), true);
		t = find(f, tid);
		if (!t)
			return log_failure(ptrace_detach(tid, 0));
		if (t->tgid == tid) /* it may even end before that event */
			f->told[f->n_told++ % N_TOLD] = tid;
		if (t->tgid == tid)
			f->ops.forked(f->ctx, parent_of(tid), tid, true);
	}
	t->stopped = false;
	if (t->newborn && !first_stop(f, t, status))
		return;
	t = find(f, tid);
	actions[classify(t, tid, status)].serve(f, t, status);
}

static void tracee_ended(struct follow *f, pid_t tid, int status)
{
	struct tracee *t = find(f, tid);
	deferred_forget(&f->deferred, tid);
	/* the end of the first thread is that of the process, and is reported last */
	if ((t ? t->tgid : tid) == tid)
		f->ops.exited(f->ctx, tid, status);
	t = find(f, tid);
	if (t)
		tracees_drop(&f->tracees, t);
}

/* ---- while the tracer waits for one thread ---- */

static void defer(struct follow *f, pid_t tid, int status)
{
	/* an exec ends all earlier stops of the process */
	if (status >> 16 == PTRACE_EVENT_EXEC)
		for (size_t i = 0; i < f->tracees.n; i++)
			if (f->tracees.v[i].tgid == tid)
				deferred_forget(&f->deferred, f->tracees.v[i].tid);
	if (!deferred_add(&f->deferred, tid, status))
		handle_stop(f, tid, status);
}

static bool take_deferred(void *ctx, pid_t tid, int *ret_status)
{
	struct follow *f = ctx;
	return deferred_take(&f->deferred, tid, ret_status);
}

/* While a newborn process gets its ring, another one has to wait: it gets its own ring next. The
 * first has not run yet, so it cannot be a parent in vfork(2) that depends on the other. */
static bool is_born_meanwhile(struct follow *f, pid_t tid)
{
	const struct tracee *t = f->is_bearing ? find(f, tid) : NULL;
	return f->is_bearing && (!t || t->newborn);
}

/* Does the stop take the tracer's full attention? */
static bool is_for_later(const struct follow *f, pid_t tid, int status)
{
	const struct tracee *t = find(f, tid);
	return actions[classify(t, tid, status)].defers || (t && t->is_settling);
}

/*
 * A parent in vfork(2) stops only after its child has called exec or ended, and the child, which is
 * a tracee from birth, has to be resumed for that. Stops that take the tracer's full attention are
 * deferred. That does not block the parent: it is released before the child stops at its exec
 * (kernel fs/exec.c, begin_new_exec(), calls exec_mmap() before the event).
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
		/* it was killed in between, and the wait has taken its status */
		if (!WIFSTOPPED(status))
			tracee_ended(f, what.si_pid, status);
		else if (is_for_later(f, what.si_pid, status) || is_born_meanwhile(f, what.si_pid))
			defer(f, what.si_pid, status);
		else
			handle_stop(f, what.si_pid, status);
	}
}

static enum ptrace_verdict reported(void *ctx, pid_t tid, int status)
{
	struct follow *f = ctx;
	struct tracee *t = find(f, tid);
	enum stop_kind kind = classify(t, tid, status);
	return t && actions[kind].pass ? actions[kind].pass(f, t, status) : PTRACE_PASS;
}

void follow_poll(struct follow *f)
{
	struct deferred_stop s;
	while (deferred_take_first(&f->deferred, &s)) /* to serve one may defer another */
		handle_stop(f, s.tid, s.status);
	/* While its loader works, a program makes a call every few microseconds, which is less than
	 * it takes to sleep. */
	uint64_t begin = monotonic_ns(), last = 0;
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);
		if (tid < 0 || (tid == 0 && !tracees_any_starting(&f->tracees)))
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
		/* other work has its turn, even if programs start without end */
		if (now - begin > START_NS)
			return;
	}
}

/* A thread that is not stopped cannot be detached from: it did not come out of our calls in time
 * (at_stop.h). It is detached from when it stops. */
static void detach_later(pid_t tid)
{
	if (!is_traced_by_us(tid) || !hold_add_pending(tid))
		return;
	struct err *err = ptrace_interrupt(tid);
	if (err)
		hold_take_pending(tid); /* it has ended, and is only not reaped yet */
	err_destroy(err);
}

/* Detach from a stopped thread, and leave nothing of ours in it. */
static void detach(struct follow *f, pid_t tid, int signal)
{
	struct tracee *t = find(f, tid);
	if (t && t->breakpoint)
		tracee_set_breakpoint(t, 0);
	struct err *err = ptrace_detach(tid, signal);
	if (err && err->code == ERR_TARGET_GONE)
		detach_later(tid);
	log_failure(err);
	if (t && t->launched)
		t->traced = false;
	else if (t)
		tracees_drop(&f->tracees, t);
}

static void detach_deferred(struct follow *f)
{
	struct deferred_stop s;
	while (deferred_take_last(&f->deferred, &s)) {
		struct tracee *t = find(f, s.tid);
		detach(f, s.tid,
		       classify(t, s.tid, s.status) == STOP_BREAKPOINT
			   ? 0
			   : ptrace_signal_of(s.status));
	}
}

void follow_release(struct follow *f, uint64_t timeout_ns)
{
	uint64_t deadline = monotonic_ns() + timeout_ns;
	detach_deferred(f);
	/* Children that are forked meanwhile are added to the end of the list. */
	for (size_t i = 0; i < f->tracees.n;) {
		struct tracee *t = &f->tracees.v[i];
		pid_t tid = t->tid;
		/* while this one is waited for, others are served, and the list may change */
		pid_t tgid = t->tgid;
		bool group_stopped;
		if (!t->traced) {
			i++;
			continue;
		}
		uint64_t now = monotonic_ns();
		interrupted_note(tid);
		struct err *err = ptrace_stop_for_change(
		    tid, deadline > now ? deadline - now : 1000000, &group_stopped);
		if (!err) {
			log_failure(hold_repair_call(tgid, tid));
			detach(f, tid, 0);
		} else if (err->code == ERR_TIMEOUT && !hold_add_pending(tid))
			log_debug("thread %d stays seized until we end", (int)tid);
		err_destroy(err);
		detach_deferred(f);
		t = find(f, tid);
		if (t && t->launched) {
			tracee_set_breakpoint(t, 0);
			t->traced = false;
		} else if (t) /* it has ended, or is detached from when it stops */
			tracees_drop(&f->tracees, t);
		if (i < f->tracees.n && f->tracees.v[i].tid == tid)
			i++;
	}
}
