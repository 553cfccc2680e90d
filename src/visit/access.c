/*
 * access: see access.h.
 *
 * For PTRACE_SEIZE and for process_vm_readv the kernel makes the same checks, in this order
 * (kernel/ptrace.c, __ptrace_may_access, Linux 6.12; ptrace(2), "Ptrace access mode checking"):
 *
 *   1. All of the target's real, effective and saved ids equal ours, or we have CAP_SYS_PTRACE in
 *      its user namespace.
 *   2. It is dumpable, or we have CAP_SYS_PTRACE.
 *   3. Security modules: commoncap (its permitted capabilities are among ours, or we have
 *      CAP_SYS_PTRACE), Yama, AppArmor, SELinux.
 *
 * The kernel returns EPERM for all of them, so the cause is found by making the same checks with
 * data from /proc.
 */
#include "visit/access.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "base/tr.h"
#include "probe/abi.h"
#include "python/hook_list.h"
#include "system/maps.h"
#include "system/proc_file.h"
#include "system/remote_errno.h"
#include "system/remote_io.h"
#include "system/remote_mem.h"
#include "visit/earlier_probe.h"
#include "visit/probe_link.h"
#include "visit/remote_target.h"
#include "visit/ring.h"
#include "visit/target_facts.h"
#include "visit/target_lock.h"
#include "visit/threads.h"

#define CAP_SYS_PTRACE_BIT (1ull << 19) /* linux/capability.h */
#define CAP_SYS_ADMIN_BIT  (1ull << 21)
#define HEARTBEAT_WAIT_NS  450000000 /* the recorder beats at least every 200 ms (probe/abi.h) */

/* ---- facts ---- */

static int yama_scope_read(void)
{
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = -1;
	if (!f)
		return -1;
	if (fscanf(f, "%d", &scope) != 1)
		scope = -1;
	fclose(f);
	return scope;
}

/* linux/proc_ns.h, PROC_USER_INIT_INO: the number of the machine's initial user namespace is
 * constant. */
static bool user_ns_is_first(void)
{
	char link[64];
	return proc_link_read(getpid(), "ns/user", link, sizeof(link)) > 0 &&
	       strcmp(link, "user:[4026531837]") == 0;
}

static int same_link(pid_t pid, const char *name)
{
	char ours[64], theirs[64];
	if (proc_link_read(getpid(), name, ours, sizeof(ours)) < 0 ||
	    proc_link_read(pid, name, theirs, sizeof(theirs)) < 0)
		return -1;
	return strcmp(ours, theirs) == 0;
}

/*
 * The permission is checked before the addresses are (mm/process_vm_access.c, process_vm_rw_core:
 * mm_access with PTRACE_MODE_ATTACH_REALCREDS, then the pages), so a read of address 1 fails with
 * EFAULT if it is allowed.
 */
static int try_to_read(pid_t pid)
{
	char byte;
	struct remote_io io = remote_io_of(pid);
	pid_t tid = proc_living_thread(pid);
	io.pid = tid ? tid : pid;
	if (remote_io_vm_read(&io, 1, &byte, 1) >= 0 || errno == EFAULT)
		return 0;
	return errno == ETIMEDOUT ? 0 : errno; /* the next read says why */
}

static void hooks_read(struct access_facts *f, const struct mem_reader *mem)
{
	raddr head = RADDR(f->runtime.layout.audit_head);
	struct hook_walk w = hook_walk_begin(mem, head, HOOK_LIST_MOST);
	while (hook_walk_next(&w) == HOOK_ENTRY) {
		struct hook_entry entry;
		raddr data;
		if (!mem_read(mem, w.entry, &entry, sizeof(entry)))
			return;
		bool is_probe = hook_is_probe(mem, &entry, &data);
		if (f->n_hooks < MAX_HOOKS)
			f->hooks[f->n_hooks] = (struct access_hook){ w.entry, RADDR(entry.fn), data,
								     is_probe };
		f->n_hooks++;
	}
}

static bool is_auditview_name(const char *comm)
{
	/* also "auditview-rec", the recorder of a viewer */
	return strncmp(comm, "auditview", 9) == 0;
}

static bool is_auditview(int pid)
{
	char name[64];
	return proc_file_read(pid, "comm", name, sizeof(name)) > 0 && is_auditview_name(name);
}

/* Is the recorder of a linked probe alive? Its pid may be meaningless here (another namespace); its
 * heartbeat is not. */
static void recorder_find_by_ring(struct access_facts *f, const struct mem_reader *mem)
{
	for (size_t i = 0; i < f->n_hooks && i < MAX_HOOKS; i++) {
		struct probe_context context;
		struct ring_shared shared;
		if (!f->hooks[i].is_probe ||
		    !mem_read(mem, f->hooks[i].data, &context, sizeof(context)) ||
		    context.abi != PROBE_ABI)
			continue;
		raddr at = RADDR(context.base + context.shared_off);
		size_t n = offsetof(struct ring_shared, verdicts);
		if (!mem_read(mem, at, &shared, n) || shared.magic != PROBE_MAGIC)
			continue;
		f->recorder_pid = (int)shared.recorder_pid;
		f->recorder_is_alive = f->recorder_pid == getpid()
					   ? ring_nonce_is_own(GUEST64(shared.nonce))
					   : is_auditview(f->recorder_pid);
		f->n_held = shared.n_held;
		f->held_tid = shared.held_tid;
		f->held_since_ns = shared.held_since_ns;
		if (earlier_probe_is_known_dead((pid_t)shared.recorder_pid, &context))
			return;
		uint32_t beat = shared.heartbeat;
		struct timespec wait = { .tv_nsec = HEARTBEAT_WAIT_NS };
		if (!f->recorder_is_alive && nanosleep(&wait, NULL) == 0 &&
		    mem_read(mem, at, &shared, n))
			f->recorder_is_alive = shared.heartbeat != beat;
		return;
	}
}

/* A lazy link that waits for its event has no ring yet, but its recorder holds the lock. */
static void recorder_find(struct access_facts *f, const struct mem_reader *mem)
{
	recorder_find_by_ring(f, mem);
	pid_t owner = f->n_hooks && !f->recorder_pid ? target_owner(f->pid) : 0;
	if (owner) {
		f->recorder_pid = owner;
		f->recorder_is_alive = true;
	}
}

/* Note a Python that cannot be watched, and the reason; the first reason found is kept. */
static void inside_unsupported(struct access_facts *f, const struct err *err)
{
	if (err->code != ERR_UNSUPPORTED || f->inside != INSIDE_NOTHING)
		return;
	f->inside = err->sys == ENOEXEC ? INSIDE_TRANSLATED : INSIDE_UNSUPPORTED;
	snprintf(f->inside_message, sizeof(f->inside_message), "%s", err->message);
	snprintf(f->inside_hint, sizeof(f->inside_hint), "%s", err->hint ? err->hint : "");
}

/* Note that the process could not be examined. */
static void inside_unknown(struct access_facts *f, const struct err *err)
{
	f->inside = INSIDE_UNKNOWN;
	f->is_leased = err->sys == EWOULDBLOCK;
	f->is_stuck = err->code == ERR_TIMEOUT;
	snprintf(f->inside_message, sizeof(f->inside_message), "%s", err->message);
	snprintf(f->inside_hint, sizeof(f->inside_hint), "%s", err->hint ? err->hint : "");
}

/* What prevents an attach to a Python although it may be traced. */
static void obstacles_read(struct access_facts *f, const struct target_facts *t)
{
	struct remote_target target = { .pid = f->pid, .mem = t->mem, .maps = t->maps };
	hooks_read(f, remote_mem_reader(t->mem));
	recorder_find(f, remote_mem_reader(t->mem));
	f->is_blocked = blocked_find(f->pid, &f->blocked);
	/* Under a filter, the thread of the next event may not make our calls (lazy_link.h). */
	link_text_range(t->maps, &t->runtimes[0].module, &target);
	f->waits_visibly = f->status.seccomp > 0 && threads_all_show(&target);
	struct remote_shortage shortage;
	if (remote_errno_foresee(&f->status, t->maps->n, LINK_LEAST_BYTES,
				 !ring_can_open_map_files(), &shortage)) {
		memcpy(f->no_room, shortage.why, sizeof(f->no_room));
		memcpy(f->no_room_cure, shortage.cure, sizeof(f->no_room_cure));
	}
}

static struct err *inside_read(struct access_facts *f, struct target_facts **ret)
{
	struct target_facts *t = NULL;
	struct err *err = target_facts_read(f->pid, &f->status, &t);
	if (err) {
		if (err->code == ERR_NO_MEMORY && !err->sys)
			return err;
		inside_unknown(f, err);
		err_destroy(err);
		return NULL;
	}
	f->inside = t->n_runtimes ? INSIDE_PYTHON : INSIDE_NOTHING;
	f->n_modules = t->maps->n_modules;
	f->n_runtimes = t->n_runtimes;
	if (t->why)
		inside_unsupported(f, t->why);
	if (t->incomplete && (f->inside == INSIDE_NOTHING || t->incomplete->code == ERR_TIMEOUT))
		inside_unknown(f, t->incomplete);
	if (f->inside == INSIDE_NOTHING) {
		err = target_facts_none(t);
		inside_unsupported(f, err);
		err_destroy(err);
	}
	if (f->inside == INSIDE_PYTHON) {
		f->runtime = t->runtimes[0];
		f->runtime.module.path = ""; /* `t` owns the path */
		obstacles_read(f, t);
	}
	*ret = t;
	return NULL;
}

/* Find the process that traces it. An auditview that attaches or leaves traces a thread only for a
 * moment, so wait for that. */
static void read_tracer(struct access_facts *f)
{
	for (unsigned i = 0; f->status.tracer_pid && i < 20; i++) {
		struct timespec moment = { .tv_nsec = 5000000 };
		if (proc_file_read(f->status.tracer_pid, "comm", f->tracer_name,
				   sizeof(f->tracer_name)) <= 0)
			f->tracer_name[0] = 0;
		f->tracer_name[strcspn(f->tracer_name, "\n")] = 0;
		if (!is_auditview_name(f->tracer_name))
			return;
		nanosleep(&moment, NULL);
		/* if it is gone, the old status stays */
		err_destroy(proc_status_read(f->pid, &f->status));
	}
}

struct err *access_facts_read(pid_t pid, struct access_facts *ret,
			      struct target_facts **ret_examined)
{
	struct access_facts f = { .pid = pid,
				  .own_pid = getpid(),
				  .yama_scope = yama_scope_read() };
	struct proc_status own;
	struct err *err = proc_status_read(getpid(), &own);
	if (!err) {
		f.own_cap_effective = own.cap_effective;
		f.own_cap_permitted = own.cap_permitted;
		f.own_seccomp = own.seccomp;
	}
	err_destroy(err);
	f.own_uid = getuid();
	f.own_gid = getgid();
	f.own_user_ns_is_first = user_ns_is_first();
	f.can_suspend_seccomp = access("/proc/sys/kernel/ns_last_pid", F_OK) ==
				0; /* the file exists with CONFIG_CHECKPOINT_RESTORE */

	if (ret_examined)
		*ret_examined = NULL;
	err = proc_status_read(pid, &f.status);
	f.exists = !err;
	if (err && (err->sys == EMFILE || err->sys == ENFILE))
		return err; /* ours is what is short, and of the process nothing is known */
	if (err && err->sys == EWOULDBLOCK)
		inside_unknown(&f, err);
	err_destroy(err);
	if (!f.exists || f.status.tgid != pid || !f.status.has_memory) {
		*ret = f;
		return NULL;
	}
	char path[64];
	struct stat file;
	/* fs/proc/base.c, task_dump_owner: root owns the files of a process that is not dumpable;
	 * the folder /proc/PID itself always belongs to the process's user. */
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f.files_are_roots = stat(path, &file) == 0 && file.st_uid == 0 && f.status.uid[1] != 0;
	f.has_exe = proc_link_read(pid, "exe", f.exe, sizeof(f.exe)) > 0;
	if (!f.has_exe)
		f.exe[0] = 0;
	read_tracer(&f);
	if (proc_file_read(pid, "attr/current", f.label, sizeof(f.label)) > 0)
		f.label[strcspn(f.label, "\n")] = 0;
	f.same_user_ns = same_link(pid, "ns/user");
	f.in_container = f.status.n_namespaces > 1 || same_link(pid, "ns/mnt") == 0 ||
			 same_link(pid, "ns/pid") == 0;
	f.read_errno = try_to_read(pid);
	CLEANUP(target_facts) struct target_facts *examined = NULL;
	err = f.read_errno == 0 ? inside_read(&f, &examined) : NULL;
	if (err)
		return err;
	*ret = f;
	if (ret_examined)
		*ret_examined = take_ptr(examined);
	return NULL;
}

/* ---- judgement ---- */

static void PRINTF_LIKE(4, 5) say(struct access *a, enum access_verdict verdict,
				  enum access_cause cause, const char *fmt, ...)
{
	va_list ap;
	a->verdict = verdict;
	a->cause = cause;
	va_start(ap, fmt);
	vsnprintf(a->why, sizeof(a->why), fmt, ap);
	va_end(ap);
}

static void PRINTF_LIKE(2, 3) cure(struct access *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(a->cure, sizeof(a->cure), fmt, ap);
	va_end(ap);
}

static void PRINTF_LIKE(2, 3) note(struct access *a, const char *fmt, ...)
{
	va_list ap;
	size_t n = strlen(a->note);
	if (n && n + 3 < sizeof(a->note)) {
		memcpy(a->note + n, "; ", 3);
		n += 2;
	}
	va_start(ap, fmt);
	vsnprintf(a->note + n, sizeof(a->note) - n, fmt, ap);
	va_end(ap);
}

/* The kernel returned EPERM: make its checks in its order. */
static void judge_denied(const struct access_facts *f, struct access *a)
{
	const struct proc_status *s = &f->status;
	bool has_cap = f->own_cap_effective & CAP_SYS_PTRACE_BIT, same_ids = true;
	for (int i = 0; i < 3; i++)
		same_ids = same_ids && s->uid[i] == f->own_uid && s->gid[i] == f->own_gid;
	if (f->read_errno == ENOSYS || (f->own_seccomp > 0 && has_cap)) {
		say(a, ACCESS_DENIED, ACCESS_SECURITY_MODULE,
		    "the sandbox that auditview runs in forbids tracing (seccomp)");
		cure(a, "run auditview on the host, or start the container with "
			"--cap-add=SYS_PTRACE --security-opt seccomp=unconfined");
	} else if (!has_cap && !same_ids) {
		say(a, ACCESS_DENIED, ACCESS_OTHER_USER,
		    "it runs as another user (uid %u, we are %u)", s->uid[1], f->own_uid);
		cure(
		    a,
		    "as root: sudo auditview -p %d; or as that user: sudo -u '#%u' auditview -p %d",
		    f->pid, s->uid[1], f->pid);
	} else if (!has_cap && f->files_are_roots) {
		say(a, ACCESS_DENIED, ACCESS_NON_DUMPABLE,
		    "it is not dumpable: it changed its user, holds capabilities of its file, or "
		    "asked for it (prctl PR_SET_DUMPABLE)");
		cure(a, "as root: sudo auditview -p %d", f->pid);
	} else if (!has_cap && (s->cap_permitted & ~f->own_cap_permitted)) {
		say(a, ACCESS_DENIED, ACCESS_CAPABILITIES,
		    "it holds capabilities that auditview does not have (%#llx)",
		    (unsigned long long)(s->cap_permitted & ~f->own_cap_permitted));
		cure(a, "as root: sudo auditview -p %d", f->pid);
	} else if (f->yama_scope == 3) {
		say(a, ACCESS_DENIED, ACCESS_YAMA,
		    "kernel.yama.ptrace_scope is 3: nobody may trace anything until the next boot");
		cure(a, "set kernel.yama.ptrace_scope to 2 or less in /etc/sysctl.d and boot "
			"again; this setting cannot be lowered");
	} else if (!has_cap && f->yama_scope == 2) {
		say(a, ACCESS_DENIED, ACCESS_YAMA,
		    "kernel.yama.ptrace_scope is 2: only root may trace");
		cure(a, "as root: sudo auditview -p %d", f->pid);
	} else if (!has_cap && f->yama_scope == 1) {
		say(a, ACCESS_DENIED, ACCESS_YAMA,
		    "kernel.yama.ptrace_scope is 1, and %d was not started by auditview", f->pid);
		cure(a,
		     "as root: sudo auditview -p %d; or, for all until boot: sysctl "
		     "kernel.yama.ptrace_scope=0; or launch it: auditview -- …",
		     f->pid);
	} else if (f->same_user_ns != 1 && !f->own_user_ns_is_first) {
		say(a, ACCESS_DENIED, ACCESS_USER_NAMESPACE,
		    "auditview runs in a user namespace, and %d is not inside it", f->pid);
		cure(a, "run auditview outside of the container, or in the same one as %d", f->pid);
	} else if (f->same_user_ns == 0) {
		say(a, ACCESS_DENIED, ACCESS_USER_NAMESPACE,
		    "it is in a user namespace in which auditview has no rights");
		cure(a, "as root of the machine: sudo auditview -p %d", f->pid);
	} else {
		say(a, ACCESS_DENIED, ACCESS_SECURITY_MODULE,
		    "the kernel forbids it although user, capabilities and Yama would allow it: a "
		    "security module%s%s%s",
		    f->label[0] ? " (its label: " : "", f->label, f->label[0] ? ")" : "");
		cure(a, "if auditview runs in a sandbox (Landlock), run it outside; else look for "
			"AppArmor or SELinux denials of ptrace in the kernel's log");
	}
}

/* Another auditview has it and holds threads: what the target's memory says of it is only shown. */
static void say_held(struct access *a, const struct access_facts *f)
{
	uint64_t now = monotonic_ns();
	say(a, ACCESS_BUSY, ACCESS_ATTACHED,
	    "an auditview is attached already (%d), and holds %s%u before its operation happens, "
	    "for %llu s",
	    a->other_pid, f->n_held > 1 ? "several threads, the first " : "thread ", f->held_tid,
	    now > f->held_since_ns ? (unsigned long long)((now - f->held_since_ns) / 1000000000u)
				   : 0ull);
	cure(a,
	     "continue it: kill -USR2 %d, or C on its screen; under a GIL the "
	     "other Python threads wait for it; %s",
	     a->other_pid,
	     f->status.tracer_pid == a->other_pid
		 ? "gdb cannot attach, because this auditview follows it (--no-follow allows it)"
		 : "gdb can attach meanwhile");
}

static void say_attached(struct access *a, const struct access_facts *f, int recorder_pid)
{
	a->other_pid = recorder_pid;
	if (f->n_held) {
		say_held(a, f);
		return;
	}
	say(a, ACCESS_BUSY, ACCESS_ATTACHED, "an auditview is attached already (%d)", recorder_pid);
	cure(a, "open its capture while it grows, or end it: kill -INT %d", recorder_pid);
}

static void judge_inside(const struct access_facts *f, struct access *a)
{
	switch (f->inside) {
	case INSIDE_UNKNOWN:
		if (f->is_stuck) {
			say(a, ACCESS_BUSY, ACCESS_STUCK, "%s", f->inside_message);
			cure(a, "%s", f->inside_hint);
			return;
		}
		say(a, ACCESS_DENIED, ACCESS_SECURITY_MODULE, "%s",
		    f->inside_message[0] ? f->inside_message : "its memory cannot be read");
		cure(a, "%s", f->inside_hint);
		return;
	case INSIDE_NOTHING:
		say(a, ACCESS_UNSUPPORTED, ACCESS_NOT_PYTHON,
		    "no CPython in it: none of the %zu ELF modules of %s has _PyRuntime",
		    f->n_modules, f->exe[0] ? f->exe : f->status.name);
		cure(a, "auditview without arguments lists the Python processes");
		return;
	case INSIDE_UNSUPPORTED:
	case INSIDE_TRANSLATED:
		say(a, ACCESS_UNSUPPORTED,
		    f->inside == INSIDE_TRANSLATED ? ACCESS_TRANSLATED : ACCESS_LAYOUT, "%s",
		    f->inside_message);
		cure(a, "%s", f->inside_hint);
		return;
	case INSIDE_PYTHON: break;
	}
	memcpy(a->version, f->runtime.version, sizeof(a->version));
	if (f->recorder_pid && f->recorder_is_alive) {
		say_attached(a, f, f->recorder_pid);
		return;
	}
	if (f->runtime.is_finalising) {
		say(a, ACCESS_UNSUPPORTED, ACCESS_FINALISED,
		    "its interpreter is ending: no more audit events will come");
		return;
	}
	if (f->recorder_pid)
		note(a, "an auditview that has died (%d) left its probe; it will be replaced",
		     f->recorder_pid);
	if (!f->runtime.is_initialised)
		note(a, "its interpreter is not started, or has ended");
	if (f->n_runtimes > 1)
		note(a, "%zu Python interpreters in one process", f->n_runtimes);
}

void access_judge(const struct access_facts *f, struct access *ret)
{
	struct access a = { .pid = f->pid };
	const struct proc_status *s = &f->status;
	bool is_admin = f->own_cap_effective & CAP_SYS_ADMIN_BIT;
	if (f->is_leased) {
		say(&a, ACCESS_BUSY, ACCESS_LEASED, "%s", f->inside_message);
		cure(&a, "%s", f->inside_hint);
	} else if (!f->exists) {
		say(&a, ACCESS_UNSUPPORTED, ACCESS_NO_PROCESS, "no such process");
		cure(&a, "auditview without arguments lists the Python processes");
	} else if (s->tgid != f->pid) {
		a.other_pid = s->tgid;
		say(&a, ACCESS_UNSUPPORTED, ACCESS_IS_THREAD, "it is a thread of process %d",
		    s->tgid);
		cure(&a, "auditview -p %d", s->tgid);
	} else if (f->pid == f->own_pid) {
		say(&a, ACCESS_UNSUPPORTED, ACCESS_IS_SELF, "that is auditview itself");
	} else if (s->state == 'Z' || s->state == 'X') {
		say(&a, ACCESS_UNSUPPORTED, ACCESS_ZOMBIE,
		    "it has ended, and waits for its parent (%d) to notice", s->ppid);
	} else if (s->is_kernel_thread) {
		say(&a, ACCESS_UNSUPPORTED, ACCESS_KERNEL_THREAD, "it is a kernel thread (%s)",
		    s->name);
	} else if (!s->has_memory) {
		say(&a, ACCESS_UNSUPPORTED, ACCESS_NO_PROCESS, "it is ending just now");
	} else if (f->read_errno == ESRCH) {
		say(&a, ACCESS_UNSUPPORTED, ACCESS_NO_PROCESS, "it has ended just now");
	} else if (f->read_errno) {
		judge_denied(f, &a);
	} else if (s->tracer_pid && is_auditview_name(f->tracer_name)) {
		say_attached(&a, f, s->tracer_pid);
	} else if (s->tracer_pid) {
		a.other_pid = s->tracer_pid;
		say(&a, ACCESS_BUSY, ACCESS_TRACED, "%s (%d) traces it",
		    f->tracer_name[0] ? f->tracer_name : "another tracer", s->tracer_pid);
		cure(&a, "a process has one tracer at a time: end %s, or wait until it detaches",
		     f->tracer_name[0] ? f->tracer_name : "it");
	} else {
		judge_inside(f, &a);
		if (a.verdict == ACCESS_READY && s->seccomp == 1) {
			say(&a, ACCESS_UNSUPPORTED, ACCESS_SECCOMP,
			    "it is in strict seccomp mode: it may do nothing but read, write and "
			    "exit");
		} else if (a.verdict == ACCESS_READY && s->seccomp == 2) {
			if (is_admin && f->own_seccomp == 0 && f->can_suspend_seccomp) {
				note(&a, "it has a seccomp filter: the probe makes no system "
					 "calls, and counts losses instead of waiting");
			} else {
				say(&a, ACCESS_DENIED, ACCESS_SECCOMP,
				    "it has a seccomp filter that could kill it for what attaching "
				    "does, and auditview may not suspend it (%s)",
				    f->own_seccomp ? "auditview is filtered itself"
				    : !f->can_suspend_seccomp
					? "the kernel lacks CONFIG_CHECKPOINT_RESTORE"
					: "no CAP_SYS_ADMIN");
				cure(&a,
				     !f->own_seccomp && f->can_suspend_seccomp
					 ? "as root: sudo auditview -p %d"
					 : "run auditview on the host: auditview -p %d",
				     f->pid);
			}
		}
	}
	if (a.verdict == ACCESS_READY && f->is_blocked) {
		say(&a, ACCESS_BUSY, ACCESS_BLOCKED, "%s", f->blocked.why);
		cure(&a, "%s", f->blocked.cure);
	} else if (a.verdict == ACCESS_READY && f->no_room[0]) {
		say(&a, ACCESS_UNSUPPORTED, ACCESS_NO_ROOM, "%s", f->no_room);
		cure(&a, "%s", f->no_room_cure);
	} else if (a.verdict == ACCESS_READY && f->waits_visibly && s->seccomp == 2) {
		say(&a, ACCESS_BUSY, ACCESS_WAITS,
		    "every thread of it waits in a call that being stopped would end early, and "
		    "its seccomp filter leaves no other way");
		cure(&a, "try again while one of its threads does something else");
	}
	if (a.verdict == ACCESS_READY && (s->state == 'T' || s->state == 't'))
		note(&a, "stopped by a signal: events come once it goes on (kill -CONT %d)",
		     f->pid);
	if (f->in_container && s->ns_pid != f->pid)
		note(&a, "in a container, where its pid is %d: nothing needs to be put into it",
		     s->ns_pid);
	else if (f->in_container)
		note(&a, "in a container: nothing needs to be put into it");
	*ret = a;
}

static struct err *check_once(pid_t pid, struct access *ret, struct target_facts **ret_examined)
{
	struct access_facts facts;
	struct err *err = access_facts_read(pid, &facts, ret_examined);
	if (!err)
		access_judge(&facts, ret);
	return err;
}

struct err *access_examine(pid_t pid, struct access *ret, struct target_facts **ret_examined)
{
	enum { TRIES = 10, PAUSE_MS = 20 };
	uint64_t mark = proc_program_mark(pid);
	struct target_facts *examined = NULL;
	struct err *err = check_once(pid, ret, &examined);
	/* One that executes a program meanwhile shows half of each program, or none. */
	for (unsigned i = 1; i < TRIES && (err || ret->verdict != ACCESS_READY); i++) {
		uint64_t now = proc_program_mark(pid);
		if (now == mark)
			break;
		mark = now;
		err_destroy(err);
		target_facts_destroy(take_ptr(examined));
		poll(NULL, 0, PAUSE_MS); /* its loader may still be at work */
		err = check_once(pid, ret, &examined);
	}
	*ret_examined = examined;
	return err;
}

struct err *access_check(pid_t pid, struct access *ret)
{
	CLEANUP(target_facts) struct target_facts *examined = NULL;
	return access_examine(pid, ret, &examined);
}

/* ---- names ---- */

static const char *const verdict_names[] = {
	[ACCESS_READY] = N_("ready"),
	[ACCESS_BUSY] = N_("busy"),
	[ACCESS_DENIED] = N_("denied"),
	[ACCESS_UNSUPPORTED] = N_("unsupported"),
};
_Static_assert(ARRAY_LEN(verdict_names) == ACCESS_VERDICT_COUNT, "a verdict without a name");

static const struct {
	const char *name;
	enum err_code code;
} causes[] = {
	[ACCESS_FINE] = { "fine", ERR_CODE_COUNT },
	[ACCESS_NO_PROCESS] = { "no-process", ERR_TARGET_GONE },
	[ACCESS_IS_THREAD] = { "thread", ERR_NOT_FOUND },
	[ACCESS_IS_SELF] = { "self", ERR_UNSUPPORTED },
	[ACCESS_KERNEL_THREAD] = { "kernel-thread", ERR_NOT_PYTHON },
	[ACCESS_ZOMBIE] = { "zombie", ERR_TARGET_GONE },
	[ACCESS_OTHER_USER] = { "other-user", ERR_DENIED },
	[ACCESS_CAPABILITIES] = { "capabilities", ERR_DENIED },
	[ACCESS_NON_DUMPABLE] = { "non-dumpable", ERR_DENIED },
	[ACCESS_USER_NAMESPACE] = { "user-namespace", ERR_DENIED },
	[ACCESS_YAMA] = { "yama", ERR_DENIED },
	[ACCESS_SECURITY_MODULE] = { "security-module", ERR_DENIED },
	[ACCESS_TRACED] = { "traced", ERR_BUSY },
	[ACCESS_SECCOMP] = { "seccomp", ERR_DENIED },
	[ACCESS_NOT_PYTHON] = { "not-python", ERR_NOT_PYTHON },
	[ACCESS_TRANSLATED] = { "translated", ERR_UNSUPPORTED },
	[ACCESS_LAYOUT] = { "layout", ERR_UNSUPPORTED },
	[ACCESS_FINALISED] = { "finalised", ERR_UNSUPPORTED },
	[ACCESS_BLOCKED] = { "blocked", ERR_BUSY },
	[ACCESS_NO_ROOM] = { "no-room", ERR_UNSUPPORTED },
	[ACCESS_WAITS] = { "waits", ERR_BUSY },
	[ACCESS_LEASED] = { "leased", ERR_BUSY },
	[ACCESS_STUCK] = { "no-answer", ERR_BUSY },
	[ACCESS_ATTACHED] = { "attached", ERR_BUSY },
};
_Static_assert(ARRAY_LEN(causes) == ACCESS_CAUSE_COUNT, "a cause without a name");

const char *access_verdict_name(enum access_verdict v)
{
	return verdict_names[v];
}

const char *access_cause_name(enum access_cause c)
{
	return causes[c].name;
}

struct err *access_to_err(const struct access *a)
{
	if (a->verdict == ACCESS_READY)
		return NULL;
	bool is_denied = a->verdict == ACCESS_DENIED;
	struct err *err = err_create(causes[a->cause].code, "cannot attach to %d: %s%s%s", a->pid,
				     is_denied ? "operation not permitted (" : "", a->why,
				     is_denied ? ")" : "");
	return a->cure[0] ? err_with_hint(err, "%s", a->cure) : err;
}
