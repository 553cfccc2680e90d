/*
 * doctor: see doctor.h. To add a check: write a function that checks and reports, and add its row
 * to machine_checks[] or target_checks[]; text and JSON output follow.
 */
#include "commands/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/wrap.h"
#include "commands/json_writer.h"
#include "recorder/clock.h"
#include "visit/access.h"
#include "stacks/hooks.h"
#include "visit/inject.h"
#include "system/maps.h"
#include "system/procs.h"
#include "system/remote_mem.h"
#include "visit/trial.h"

#define CAP_SYS_PTRACE         19 /* linux/capability.h */
#define CAP_SYS_ADMIN          21
#define CAP_CHECKPOINT_RESTORE 40

enum finding_kind { FINDING_OK, FINDING_NOTE, FINDING_NO, FINDING_KIND_COUNT };
static const struct {
	const char *word, *color;
} kinds[] = {
	[FINDING_OK] = { "ok", "\033[32m" },
	[FINDING_NOTE] = { "note", "\033[33m" },
	[FINDING_NO] = { "no", "\033[1;31m" },
};
_Static_assert(ARRAY_LEN(kinds) == FINDING_KIND_COUNT, "a kind of finding without a word");

struct finding {
	enum finding_kind kind;
	char text[400]; /* "": nothing to report, the row is left out */
	char cure[600];
};

/* The facts that the checks use. */
struct patient {
	struct trial trial;        /* machine */
	struct access_facts facts; /* of the target; of ourselves for the machine */
	struct access access;      /* target */
	struct proc_status own;
};

static void PRINTF_LIKE(3, 4) say(struct finding *f, enum finding_kind kind, const char *fmt, ...)
{
	va_list ap;
	f->kind = kind;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

static void PRINTF_LIKE(2, 3) cure(struct finding *f, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(f->cure, sizeof(f->cure), fmt, ap);
	va_end(ap);
}

static bool has_cap(const struct patient *p, int cap)
{
	return p->own.cap_effective >> cap & 1;
}

static const char cure_in_container[] =
    "Docker: --cap-add=SYS_PTRACE (and --security-opt seccomp=unconfined before Linux 4.8); "
    "Kubernetes: securityContext: "
    "{capabilities: {add: [SYS_PTRACE]}}; or run auditview on the host, which sees every container";

/* ---- the machine ---- */

static void check_kernel(const struct patient *p, struct finding *f)
{
	struct utsname u;
	unsigned major = 0, minor = 0;
	(void)p;
	if (uname(&u) != 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return say(f, FINDING_NOTE, "version unknown");
	bool is_known = strcmp(u.machine, "x86_64") == 0;
	/* 4.14 has MADV_WIPEONFORK (madvise(2)), by which the probe notices a fork. */
	bool is_new = major > 4 || (major == 4 && minor >= 14);
	say(f, is_known && is_new ? FINDING_OK : FINDING_NO, "Linux %s, %s", u.release, u.machine);
	if (!is_known)
		cure(f, "auditview traces on x86-64 only; captures can be looked at anywhere");
	else if (!is_new)
		cure(f, "Linux 4.14 or later is needed");
}

static void check_ptrace(const struct patient *p, struct finding *f)
{
	const struct trial *t = &p->trial;
	if (t->fork_errno)
		return say(f, FINDING_NOTE, "not tried: %s", strerror(t->fork_errno));
	if (t->seize_errno == 0)
		return say(f, FINDING_OK, "a child of ours can be traced");
	say(f, FINDING_NO, "a child of ours cannot be traced: %s", strerror(t->seize_errno));
	cure(f, "%s",
	     p->own.seccomp > 0
		 ? cure_in_container
		 : "a security module or kernel.yama.ptrace_scope=3 forbids ptrace altogether");
}

static void check_readv(const struct patient *p, struct finding *f)
{
	if (p->trial.readv_errno == 0)
		return say(f, FINDING_OK, "process_vm_readv works");
	say(f, FINDING_NO, "process_vm_readv: %s", strerror(p->trial.readv_errno));
	cure(f, "%s", cure_in_container);
}

static void check_yama(const struct patient *p, struct finding *f)
{
	bool is_capable = has_cap(p, CAP_SYS_PTRACE);
	switch (p->facts.yama_scope) {
	case -1: return say(f, FINDING_OK, "no Yama in this kernel");
	case 0: return say(f, FINDING_OK, "0: a user may trace the own processes");
	case 1:
		say(f, is_capable ? FINDING_OK : FINDING_NO,
		    "1: without CAP_SYS_PTRACE only what auditview started itself");
		break;
	case 2: say(f, is_capable ? FINDING_OK : FINDING_NO, "2: with CAP_SYS_PTRACE only"); break;
	default:
		say(f, FINDING_NO, "%d: no process may be traced until the next boot",
		    p->facts.yama_scope);
		cure(
		    f,
		    "write kernel.yama.ptrace_scope = 1 to a file in /etc/sysctl.d and boot again");
		return;
	}
	if (!is_capable)
		cure(f, "run as root: sudo auditview …; or, for all until boot: sysctl "
			"kernel.yama.ptrace_scope=0; or launch the program: "
			"auditview -- …");
}

static void check_capabilities(const struct patient *p, struct finding *f)
{
	bool ptrace = has_cap(p, CAP_SYS_PTRACE), admin = has_cap(p, CAP_SYS_ADMIN);
	say(f, ptrace ? FINDING_OK : FINDING_NOTE,
	    "CAP_SYS_PTRACE %s, CAP_SYS_ADMIN %s, CAP_CHECKPOINT_RESTORE %s", ptrace ? "yes" : "no",
	    admin ? "yes" : "no", has_cap(p, CAP_CHECKPOINT_RESTORE) || admin ? "yes" : "no");
	if (!ptrace)
		cure(f, "without CAP_SYS_PTRACE only the own processes can be attached to; sudo "
			"has it");
}

static void check_container(const struct patient *p, struct finding *f)
{
	char cgroup[4096], name[64] = "";
	bool is_named = proc_file_read(1, "cgroup", cgroup, sizeof(cgroup)) > 0 &&
			proc_container_name(cgroup, name, sizeof(name));
	bool is_docker = access("/.dockerenv", F_OK) == 0,
	     is_podman = access("/run/.containerenv", F_OK) == 0;
	bool is_kubernetes = getenv("KUBERNETES_SERVICE_HOST") != NULL;
	if (!is_named && !is_docker && !is_podman && !is_kubernetes)
		return say(f, p->facts.own_user_ns_is_first ? FINDING_OK : FINDING_NOTE, "%s",
			   p->facts.own_user_ns_is_first
			       ? "auditview runs in none"
			       : "auditview runs in a user namespace of its own");
	say(f, FINDING_NOTE,
	    "auditview runs in one (%s): it sees the processes of this container alone",
	    is_kubernetes ? "kubernetes"
	    : is_named    ? name
	    : is_docker   ? "docker"
			  : "podman");
	cure(f,
	     "to see more: Docker --pid=host, or --pid=container:NAME of the target's; Kubernetes "
	     "shareProcessNamespace: true, or kubectl debug --target=CONTAINER --profile=sysadmin");
}

static void check_own_seccomp(const struct patient *p, struct finding *f)
{
	if (p->own.seccomp <= 0)
		return say(f, FINDING_OK, "auditview is not filtered");
	say(f, FINDING_NOTE,
	    "auditview itself is under a seccomp filter: targets under one of their own cannot be "
	    "attached to");
	cure(f, "Docker: --security-opt seccomp=unconfined; Kubernetes: securityContext: "
		"{seccompProfile: {type: Unconfined}}; or run "
		"auditview on the host");
}

static void check_force_write(const struct patient *p, struct finding *f)
{
	const struct trial *t = &p->trial;
	if (t->force_write_errno == 0)
		return say(f, FINDING_OK, "code can be written through /proc/PID/mem");
	if (t->seize_errno)
		return say(f, FINDING_NOTE, "not tried, for nothing can be traced");
	say(f, FINDING_NOTE,
	    "/proc/PID/mem does not take writes to read-only memory (%s); PTRACE_POKETEXT is used, "
	    "more slowly",
	    strerror(t->force_write_errno));
	cure(f, "boot with proc_mem.force_override=ptrace, or always (Linux 6.12 and later)");
}

static void check_map_files(const struct patient *p, struct finding *f)
{
	if (p->trial.map_files_errno == 0)
		return say(f, FINDING_OK, "the ring is shared through /proc/PID/map_files");
	if (p->trial.memfd_errno) {
		say(f, FINDING_NO,
		    "neither through /proc/PID/map_files (%s) nor through a memory file of ours "
		    "(%s)",
		    strerror(p->trial.map_files_errno), strerror(p->trial.memfd_errno));
		return cure(f, "run as root, or with CAP_CHECKPOINT_RESTORE (Linux 5.9 and later)");
	}
	say(f, FINDING_NOTE,
	    "/proc/PID/map_files cannot be opened (%s); the ring is shared through a memfd, which "
	    "uses a file descriptor "
	    "of the target for an instant",
	    strerror(p->trial.map_files_errno));
	cure(f, "run as root, or with CAP_CHECKPOINT_RESTORE (Linux 5.9 and later)");
}

static void check_tripwire(const struct patient *p, struct finding *f)
{
	if (p->trial.tripwire_errno == 0)
		return say(f, FINDING_OK,
			   "perf_event_open can set them: a followed program that loads Python "
			   "late is noticed at that "
			   "moment");
	say(f, FINDING_NOTE,
	    "perf_event_open cannot set them (%s): a followed program that loads Python late is "
	    "noticed some "
	    "milliseconds later",
	    strerror(p->trial.tripwire_errno));
	cure(f, "run as root, or with kernel.perf_event_paranoid at 2 or less; some virtual "
		"machines have none");
}

static void check_suspend_seccomp(const struct patient *p, struct finding *f)
{
	if (p->trial.suspend_seccomp_errno == 0)
		return say(f, FINDING_OK, "targets with a seccomp filter can be attached to");
	say(f, FINDING_NOTE, "targets with a seccomp filter cannot be attached to (%s)",
	    strerror(p->trial.suspend_seccomp_errno));
	cure(f, "run as root (CAP_SYS_ADMIN), not under a filter, on a kernel with "
		"CONFIG_CHECKPOINT_RESTORE");
}

static void check_clock(const struct patient *p, struct finding *f)
{
	enum { ROUNDS = 20000 };
	struct clock_map clock;
	(void)p;
	clock_init(&clock);
	uint64_t start = monotonic_ns(), last = start;
	for (int i = 0; i < ROUNDS; i++)
		last = monotonic_ns();
	unsigned long long cost_ns = (last - start) / ROUNDS;
	if (clock.use_tsc)
		return say(f, FINDING_OK,
			   "the processor's time stamp counter is invariant, and read directly "
			   "(clock_gettime: %llu ns)",
			   cost_ns);
	say(f, FINDING_NOTE,
	    "the time stamp counter cannot be trusted: each event asks clock_gettime, %llu ns",
	    cost_ns);
	if (cost_ns > 200)
		cure(f, "that is slow: the clock source of this machine needs a system call; which "
			"one, says "
			"/sys/devices/system/clocksource/clocksource0/current_clocksource");
}

static void check_terminal(const struct patient *p, struct finding *f)
{
	const char *codeset = nl_langinfo(CODESET), *term = getenv("TERM");
	(void)p;
	bool is_utf8 = strcmp(codeset, "UTF-8") == 0;
	say(f, is_utf8 ? FINDING_OK : FINDING_NOTE, "%s, text is %s",
	    term ? term : "TERM is not set", codeset);
	if (!is_utf8)
		cure(f, "set LANG=C.UTF-8 to see lines and names as they are");
}

/* ---- one process ---- */

static void check_process(const struct patient *p, struct finding *f)
{
	const struct proc_status *s = &p->facts.status;
	switch (p->access.cause) {
	case ACCESS_NO_PROCESS:
	case ACCESS_LEASED:
	case ACCESS_IS_THREAD:
	case ACCESS_IS_SELF:
	case ACCESS_ZOMBIE:
	case ACCESS_KERNEL_THREAD:
		say(f, FINDING_NO, "%s", p->access.why);
		cure(f, "%s", p->access.cure);
		return;
	default: break;
	}
	if (s->state == 'T')
		return say(f, FINDING_NOTE,
			   "%s, stopped by a signal: events come once it goes on (kill -CONT %d)",
			   s->name, p->facts.pid);
	say(f, FINDING_OK, "%s, %d thread%s", p->facts.exe[0] ? p->facts.exe : s->name,
	    s->n_threads, s->n_threads == 1 ? "" : "s");
}

static bool is_there(const struct patient *p)
{
	return p->facts.exists && p->facts.status.tgid == p->facts.pid &&
	       p->facts.status.has_memory;
}

static void check_permission(const struct patient *p, struct finding *f)
{
	if (!is_there(p))
		return;
	if (p->facts.read_errno == 0)
		return say(f, FINDING_OK, "the kernel lets us read and trace it");
	say(f, FINDING_NO, "%s", p->access.why);
	cure(f, "%s", p->access.cure);
}

static void check_user(const struct patient *p, struct finding *f)
{
	const struct proc_status *s = &p->facts.status;
	if (!is_there(p))
		return;
	bool is_same = true;
	for (int i = 0; i < 3; i++)
		is_same = is_same && s->uid[i] == p->facts.own_uid && s->gid[i] == p->facts.own_gid;
	bool is_capable = has_cap(p, CAP_SYS_PTRACE);
	say(f, is_same || is_capable ? FINDING_OK : FINDING_NO,
	    "it runs as uid %u, auditview as uid %u%s", s->uid[1], p->facts.own_uid,
	    is_capable ? " with CAP_SYS_PTRACE" : "");
	if (!is_same && !is_capable)
		cure(f, "as root: sudo auditview -p %d", p->facts.pid);
}

static void check_dumpable(const struct patient *p, struct finding *f)
{
	if (!is_there(p) || p->facts.status.uid[1] == 0)
		/* for root's processes this is unknown, and does not matter: only root gets here */
		return;
	bool is_capable = has_cap(p, CAP_SYS_PTRACE);
	if (!p->facts.files_are_roots)
		return say(f, FINDING_OK, "yes");
	say(f, is_capable ? FINDING_OK : FINDING_NO,
	    "no: it changed its user, or asked for it; CAP_SYS_PTRACE is needed");
	if (!is_capable)
		cure(f, "as root: sudo auditview -p %d", p->facts.pid);
}

static void check_tracer(const struct patient *p, struct finding *f)
{
	const struct access_facts *a = &p->facts;
	if (!is_there(p))
		return;
	if (!a->status.tracer_pid)
		return say(f, FINDING_OK, "no tracer is attached");
	say(f, FINDING_NO, "%s (%d) traces it",
	    a->tracer_name[0] ? a->tracer_name : "another tracer", a->status.tracer_pid);
	cure(f, "a process has one tracer at a time: end %s, or wait until it detaches",
	     a->tracer_name[0] ? a->tracer_name : "it");
}

static void check_seccomp(const struct patient *p, struct finding *f)
{
	if (!is_there(p))
		return;
	if (p->facts.status.seccomp <= 0)
		return say(f, FINDING_OK, "none");
	if (p->access.cause == ACCESS_SECCOMP) {
		say(f, FINDING_NO, "%s", p->access.why);
		cure(f, "%s", p->access.cure);
	} else {
		say(f, FINDING_NOTE,
		    "a filter, suspended while auditview attaches; the probe makes no system "
		    "calls, and counts losses "
		    "instead of waiting");
	}
}

static void check_python(const struct patient *p, struct finding *f)
{
	const struct access_facts *a = &p->facts;
	if (!is_there(p))
		return;
	switch (a->inside) {
	case INSIDE_UNKNOWN: say(f, FINDING_NOTE, "unknown: its memory cannot be read"); return;
	case INSIDE_NOTHING:
		say(f, FINDING_NO, "none of its %zu ELF modules has _PyRuntime", a->n_modules);
		cure(f, "auditview without arguments lists the Python processes");
		return;
	case INSIDE_UNSUPPORTED:
	case INSIDE_TRANSLATED:
		say(f, FINDING_NO, "%s", a->inside_message);
		cure(f, "%s", a->inside_hint);
		return;
	case INSIDE_PYTHON: break;
	}
	const struct probe_layout *l = &a->runtime.layout;
	say(f,
	    a->runtime.is_finalising    ? FINDING_NO
	    : a->runtime.is_initialised ? FINDING_OK
					: FINDING_NOTE,
	    "%s%s%s%s", a->runtime.version, l->free_threaded ? ", free-threaded" : "",
	    l->debug_build ? ", debug build" : "",
	    a->runtime.is_finalising    ? ", ending"
	    : a->runtime.is_initialised ? ""
					: ", not started");
	if (a->n_runtimes > 1) {
		size_t n = strlen(f->text);
		snprintf(f->text + n, sizeof(f->text) - n,
			 "; %zu interpreters' libraries in this process", a->n_runtimes);
	}
}

static void check_layout(const struct patient *p, struct finding *f)
{
	if (!is_there(p) || p->facts.inside != INSIDE_PYTHON)
		return;
	say(f, FINDING_OK, "%s", p->facts.runtime.how);
}

static void check_recorder(const struct patient *p, struct finding *f)
{
	const struct access_facts *a = &p->facts;
	if (!is_there(p) || a->inside != INSIDE_PYTHON)
		return;
	if (!a->recorder_pid)
		return say(f, FINDING_OK, "no auditview is attached");
	if (a->recorder_is_alive) {
		say(f, FINDING_NO, "an auditview is attached already (%d)", a->recorder_pid);
		cure(f, "open its capture while it grows, or end it: kill -INT %d",
		     a->recorder_pid);
	} else {
		say(f, FINDING_NOTE,
		    "an auditview that has died (%d) left its probe; it will be replaced",
		    a->recorder_pid);
	}
}

/* Can a thread be stopped, and can it make our calls? */
static void check_threads(const struct patient *p, struct finding *f)
{
	const struct access_facts *a = &p->facts;
	if (!is_there(p) || a->inside != INSIDE_PYTHON)
		return;
	if (a->is_blocked || p->access.cause == ACCESS_WAITS) {
		say(f, FINDING_NO, "%s", a->is_blocked ? a->blocked.why : p->access.why);
		cure(f, "%s", a->is_blocked ? a->blocked.cure : p->access.cure);
	} else {
		say(f, FINDING_OK,
		    "one is stopped for a moment; none, if all wait in calls that a stop would end "
		    "early");
	}
}

static void check_room(const struct patient *p, struct finding *f)
{
	const struct access_facts *a = &p->facts;
	if (!is_there(p) || a->inside != INSIDE_PYTHON)
		return;
	if (!a->no_room[0])
		return say(f, FINDING_OK, "no limit of it is in the way");
	say(f, FINDING_NO, "%s", a->no_room);
	cure(f, "%s", a->no_room_cure);
}

static void check_target_container(const struct patient *p, struct finding *f)
{
	const struct access_facts *a = &p->facts;
	char cgroup[4096], name[64] = "";
	if (!is_there(p) || !a->in_container)
		return;
	bool is_named = proc_file_read(a->pid, "cgroup", cgroup, sizeof(cgroup)) > 0 &&
			proc_container_name(cgroup, name, sizeof(name));
	say(f, FINDING_OK, "%s%s%s, its pid there is %d: nothing needs to be put into it",
	    is_named ? "in " : "in other namespaces", is_named ? name : "", "", a->status.ns_pid);
}

struct check {
	const char *name;
	void (*look)(const struct patient *p, struct finding *f);
};
static const struct check machine_checks[] = {
	{ "kernel", check_kernel },
	{ "ptrace", check_ptrace },
	{ "read memory", check_readv },
	{ "ptrace_scope", check_yama },
	{ "capabilities", check_capabilities },
	{ "container", check_container },
	{ "own seccomp", check_own_seccomp },
	{ "write memory", check_force_write },
	{ "share memory", check_map_files },
	{ "breakpoints", check_tripwire },
	{ "seccomp", check_suspend_seccomp },
	{ "clock", check_clock },
	{ "terminal", check_terminal },
};
static const struct check target_checks[] = {
	{ "process", check_process },   { "permission", check_permission },
	{ "user", check_user },         { "dumpable", check_dumpable },
	{ "tracer", check_tracer },     { "seccomp", check_seccomp },
	{ "python", check_python },     { "layout", check_layout },
	{ "threads", check_threads },   { "room", check_room },
	{ "recorder", check_recorder }, { "container", check_target_container },
};

/* ---- as text ---- */

static void add_finding(struct strbuf *to, const char *name, const struct finding *f,
			const struct doctor_style *style)
{
	enum { INDENT = 22 };
	unsigned width = style->width ? style->width : 100000;
	strbuf_addf(to, "  %s%-5s%s %-14s", style->color ? kinds[f->kind].color : "",
		    kinds[f->kind].word, style->color ? "\033[0m" : "", name);
	/* The bytes of the colour take no cells, so wrap_add() must not count the column. */
	struct strbuf paragraph = { 0 };
	wrap_add(&paragraph, f->text, INDENT, width);
	strbuf_adds(to, strbuf_str(&paragraph) + (paragraph.n > INDENT ? INDENT : 0));
	strbuf_fini(&paragraph);
	if (f->cure[0] && f->kind != FINDING_OK) {
		strbuf_add_repeat(to, ' ', INDENT);
		strbuf_adds(to, "cure: ");
		wrap_add(to, f->cure, INDENT + 6, width);
	}
}

static void add_hooks(struct strbuf *to, const struct audit_hooks *hooks)
{
	strbuf_addf(to, "\naudit hooks it has already: %zu\n", hooks->n);
	for (size_t i = 0; i < hooks->n; i++) {
		const struct audit_hook *h = &hooks->v[i];
		strbuf_addf(to, "  %-7s ", h->is_python ? "python" : "native");
		utf8_escape(to, h->name, strlen(h->name), 0);
		if (h->place[0]) {
			strbuf_adds(to, "  ");
			utf8_escape(to, h->place, strlen(h->place), 0);
		}
		if (h->is_python && h->interpreter)
			strbuf_addf(to, "  interpreter %llu", (unsigned long long)h->interpreter);
		if (h->runtime[0]) {
			strbuf_adds(to, "  of ");
			utf8_escape(to, h->runtime, strlen(h->runtime), 0);
		}
		strbuf_addc(to, '\n');
	}
	if (!hooks->native_is_whole)
		strbuf_adds(to, "  the list of native hooks could not be read to its end\n");
	if (!hooks->python_is_known)
		strbuf_adds(to, "  where this version keeps its Python hooks is not known\n");
}

static void add_verdict(struct strbuf *to, const struct access *a, const struct doctor_style *style)
{
	const char *color = a->verdict == ACCESS_READY ? kinds[FINDING_OK].color
						       : kinds[FINDING_NO].color;
	strbuf_addf(to, "%s%s%s", style->color ? color : "", access_verdict_name(a->verdict),
		    style->color ? "\033[0m" : "");
	if (a->verdict == ACCESS_READY) {
		strbuf_addf(to, ": auditview -p %d\n", a->pid);
	} else {
		strbuf_addf(to, ": %s\n", a->why);
		if (a->cure[0])
			strbuf_addf(to, "cure: %s\n", a->cure);
	}
	if (a->note[0])
		strbuf_addf(to, "note: %s\n", a->note);
}

/* Append every Python process to the text, or to the JSON if that is not NULL. */
static struct err *add_processes(struct strbuf *to, struct json_writer *json)
{
	CLEANUP(procs) struct procs *procs = NULL;
	struct err *err = procs_create(&procs);
	if (!err)
		err = procs_update(procs);
	if (err)
		return err;
	size_t n;
	const struct proc *rows = procs_get(procs, &n);
	if (json)
		json_writer_open(json, "processes", '[');
	else
		strbuf_addf(to, "\npython processes: %zu\n", n);
	for (size_t i = 0; i < n; i++) {
		struct access a;
		err = access_check(rows[i].pid, &a);
		if (err)
			return err;
		if (json) {
			json_writer_open(json, NULL, '{');
			json_writer_number(json, "pid", rows[i].pid);
			json_writer_text(json, "python", rows[i].version);
			json_writer_text(json, "command", rows[i].command);
			json_writer_text(json, "verdict", access_verdict_name(a.verdict));
			json_writer_text(json, "why", a.why);
			json_writer_close(json, '}');
			continue;
		}
		strbuf_addf(to, "  %7d %-10s %-12s %s\n", rows[i].pid,
			    rows[i].version[0] ? rows[i].version : "?",
			    access_verdict_name(a.verdict), rows[i].command);
		if (a.verdict != ACCESS_READY)
			strbuf_addf(to, "%32s%s\n", "", a.why);
	}
	if (json)
		json_writer_close(json, ']');
	return NULL;
}

/* ---- as JSON ---- */

static void json_hooks(struct json_writer *json, const struct audit_hooks *hooks)
{
	json_writer_open(json, "hooks", '[');
	for (size_t i = 0; i < hooks->n; i++) {
		const struct audit_hook *h = &hooks->v[i];
		char address[32];
		snprintf(address, sizeof(address), "%#llx", (unsigned long long)h->address.v);
		json_writer_open(json, NULL, '{');
		json_writer_text(json, "kind", h->is_python ? "python" : "native");
		json_writer_text(json, "name", h->name);
		json_writer_text(json, "place", h->place);
		json_writer_text(json, "address", address);
		if (h->is_python)
			json_writer_number(json, "interpreter", (int64_t)h->interpreter);
		if (h->runtime[0])
			json_writer_text(json, "runtime", h->runtime);
		json_writer_close(json, '}');
	}
	json_writer_close(json, ']');
}

static void json_finding(struct json_writer *json, const char *name, const struct finding *f)
{
	json_writer_open(json, NULL, '{');
	json_writer_text(json, "name", name);
	json_writer_text(json, "finding", kinds[f->kind].word);
	json_writer_text(json, "text", f->text);
	json_writer_text(json, "cure", f->kind == FINDING_OK ? "" : f->cure);
	json_writer_close(json, '}');
}

static void json_access(struct json_writer *json, pid_t pid, const struct access *a)
{
	json_writer_number(json, "pid", pid);
	json_writer_text(json, "verdict", access_verdict_name(a->verdict));
	json_writer_text(json, "cause", access_cause_name(a->cause));
	json_writer_text(json, "why", a->why);
	json_writer_text(json, "cure", a->cure);
	json_writer_text(json, "note", a->note);
	json_writer_text(json, "python", a->version);
}

/* ---- the report ---- */

static struct err *hooks_of(const struct patient *p, struct audit_hooks *ret)
{
	struct remote_mem *mem = NULL;
	CLEANUP(maps) struct maps *maps = NULL;
	struct python_runtime *runtimes = NULL;
	size_t n = 0;
	struct err *err = remote_mem_open(p->facts.pid, &mem);
	if (!err)
		err = runtimes_find(p->facts.pid, mem, &maps, &runtimes, &n);
	for (size_t i = 0; !err && i < n; i++) {
		size_t first = ret->n;
		err = audit_hooks_read(p->facts.pid, remote_mem_reader(mem), &runtimes[i], ret);
		const char *slash = strrchr(runtimes[i].module.path, '/');
		for (size_t k = first; n > 1 && k < ret->n; k++)
			snprintf(ret->v[k].runtime, sizeof(ret->v[k].runtime), "%s",
				 slash ? slash + 1 : runtimes[i].module.path);
	}
	free(runtimes);
	remote_mem_close(mem);
	return err;
}

/* One run of the checks. */
struct report {
	pid_t pid; /* 0: the machine */
	struct patient patient;
	struct audit_hooks hooks;
	const struct check *checks;
	struct finding found[ARRAY_LEN(machine_checks) > ARRAY_LEN(target_checks)
				 ? ARRAY_LEN(machine_checks)
				 : ARRAY_LEN(target_checks)];
	size_t n_checks;
	bool is_ready;
};

static struct err *examine(struct report *r)
{
	struct patient *p = &r->patient;
	struct err *err = proc_status_read(getpid(), &p->own);
	if (!err)
		err = access_facts_read(r->pid ? r->pid : getpid(), &p->facts);
	if (err)
		return err;
	if (r->pid)
		access_judge(&p->facts, &p->access);
	else
		trial_run(&p->trial);
	r->checks = r->pid ? target_checks : machine_checks;
	r->n_checks = r->pid ? ARRAY_LEN(target_checks) : ARRAY_LEN(machine_checks);
	r->is_ready = true;
	for (size_t i = 0; i < r->n_checks; i++) {
		struct finding *f = &r->found[i];
		r->checks[i].look(p, f);
		r->is_ready = r->is_ready && (!f->text[0] || f->kind != FINDING_NO);
	}
	if (r->pid)
		r->is_ready = p->access.verdict == ACCESS_READY;
	return r->pid && p->facts.inside == INSIDE_PYTHON ? hooks_of(p, &r->hooks) : NULL;
}

static struct err *report_text(struct report *r, const struct doctor_style *style,
			       struct strbuf *to)
{
	if (r->pid)
		strbuf_addf(to, "process %d\n", (int)r->pid);
	else
		strbuf_addf(to, "auditview %s on this machine\n", AUDITVIEW_VERSION);
	for (size_t i = 0; i < r->n_checks; i++)
		if (r->found[i].text[0])
			add_finding(to, r->checks[i].name, &r->found[i], style);
	if (!r->pid)
		return add_processes(to, NULL);
	add_verdict(to, &r->patient.access, style);
	if (r->patient.facts.inside == INSIDE_PYTHON)
		add_hooks(to, &r->hooks);
	return NULL;
}

static struct err *report_json(struct report *r, struct strbuf *to)
{
	struct json_writer json = { .to = to };
	struct err *err = NULL;
	json_writer_open(&json, NULL, '{');
	json_writer_number(&json, "v", 1);
	json_writer_word(&json, "ready", r->is_ready ? "true" : "false");
	json_writer_open(&json, "checks", '[');
	for (size_t i = 0; i < r->n_checks; i++)
		if (r->found[i].text[0])
			json_finding(&json, r->checks[i].name, &r->found[i]);
	json_writer_close(&json, ']');
	if (r->pid) {
		json_access(&json, r->pid, &r->patient.access);
		json_hooks(&json, &r->hooks);
	} else {
		err = add_processes(to, &json);
	}
	json_writer_close(&json, '}');
	strbuf_addc(to, '\n');
	return err;
}

struct err *doctor_report(pid_t pid, const struct doctor_style *style, struct strbuf *to,
			  bool *ret_is_ready)
{
	struct report report = {
		.pid = pid,
		.hooks = { .native_is_whole = true, .python_is_known = true },
	};
	struct err *err = examine(&report);
	if (!err)
		err = style->json ? report_json(&report, to) : report_text(&report, style, to);
	if (!err && to->failed)
		err = err_no_memory();
	audit_hooks_fini(&report.hooks);
	if (!err)
		*ret_is_ready = report.is_ready;
	return err;
}
