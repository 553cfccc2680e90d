/*
 * access_checks: see access_checks.h.
 */
#include "visit/access_checks.h"

#include <stdio.h>
#include <string.h>

#include "base/proc_status.h"
#include "visit/access.h"
#include "visit/check.h"

#define CAP_SYS_ADMIN          21 /* linux/capability.h */
#define CAP_CHECKPOINT_RESTORE 40

static void check_yama(const struct check_facts *p, struct finding *f)
{
	bool is_capable = check_has_cap(p, CHECK_CAP_SYS_PTRACE);
	switch (p->facts->yama_scope) {
	case -1: return check_say(f, CHECK_OK, "no Yama in this kernel");
	case 0: return check_say(f, CHECK_OK, "0: a user may trace the own processes");
	case 1:
		check_say(f, is_capable ? CHECK_OK : CHECK_NO,
			  "1: without CAP_SYS_PTRACE only what auditview started itself");
		break;
	case 2:
		check_say(f, is_capable ? CHECK_OK : CHECK_NO, "2: with CAP_SYS_PTRACE only");
		break;
	default:
		check_say(f, CHECK_NO, "%d: no process may be traced until the next boot",
			  p->facts->yama_scope);
		check_cure(
		    f,
		    "write kernel.yama.ptrace_scope = 1 to a file in /etc/sysctl.d and boot again");
		return;
	}
	if (!is_capable)
		check_cure(f, "run as root: sudo auditview …; or, for all until boot: sysctl "
			      "kernel.yama.ptrace_scope=0; or launch the program: "
			      "auditview -- …");
}

const struct check access_checks_yama = { "ptrace_scope", check_yama };

static void check_capabilities(const struct check_facts *p, struct finding *f)
{
	bool ptrace = check_has_cap(p, CHECK_CAP_SYS_PTRACE),
	     admin = check_has_cap(p, CAP_SYS_ADMIN);
	check_say(f, ptrace ? CHECK_OK : CHECK_NOTE,
		  "CAP_SYS_PTRACE %s, CAP_SYS_ADMIN %s, CAP_CHECKPOINT_RESTORE %s",
		  ptrace ? "yes" : "no", admin ? "yes" : "no",
		  check_has_cap(p, CAP_CHECKPOINT_RESTORE) || admin ? "yes" : "no");
	if (!ptrace)
		check_cure(f,
			   "without CAP_SYS_PTRACE only the own processes can be attached to; sudo "
			   "has it");
}

const struct check access_checks_capabilities = { "capabilities", check_capabilities };

static void check_process(const struct check_facts *p, struct finding *f)
{
	const struct proc_status *s = &p->facts->status;
	switch (p->access->cause) {
	case ACCESS_NO_PROCESS:
	case ACCESS_LEASED:
	case ACCESS_STUCK:
	case ACCESS_IS_THREAD:
	case ACCESS_IS_SELF:
	case ACCESS_ZOMBIE:
	case ACCESS_KERNEL_THREAD:
		check_say(f, CHECK_NO, "%s", p->access->why);
		check_cure(f, "%s", p->access->cure);
		return;
	default: break;
	}
	if (s->state == 'T')
		return check_say(
		    f, CHECK_NOTE,
		    "%s, stopped by a signal: events come once it goes on (kill -CONT %d)", s->name,
		    p->facts->pid);
	check_say(f, CHECK_OK, "%s, %d thread%s", p->facts->exe[0] ? p->facts->exe : s->name,
		  s->n_threads, s->n_threads == 1 ? "" : "s");
}

const struct check access_checks_process = { "process", check_process };

static void check_permission(const struct check_facts *p, struct finding *f)
{
	if (!check_is_there(p))
		return;
	if (p->facts->read_errno == 0)
		return check_say(f, CHECK_OK, "the kernel lets us read and trace it");
	check_say(f, CHECK_NO, "%s", p->access->why);
	check_cure(f, "%s", p->access->cure);
}

const struct check access_checks_permission = { "permission", check_permission };

static void check_user(const struct check_facts *p, struct finding *f)
{
	const struct proc_status *s = &p->facts->status;
	if (!check_is_there(p))
		return;
	bool is_same = true;
	for (int i = 0; i < 3; i++)
		is_same = is_same && s->uid[i] == p->facts->own_uid &&
			  s->gid[i] == p->facts->own_gid;
	bool is_capable = check_has_cap(p, CHECK_CAP_SYS_PTRACE);
	check_say(f, is_same || is_capable ? CHECK_OK : CHECK_NO,
		  "it runs as uid %u, auditview as uid %u%s", s->uid[1], p->facts->own_uid,
		  is_capable ? " with CAP_SYS_PTRACE" : "");
	if (!is_same && !is_capable)
		check_cure(f, "as root: sudo auditview -p %d", p->facts->pid);
}

const struct check access_checks_user = { "user", check_user };

static void check_dumpable(const struct check_facts *p, struct finding *f)
{
	if (!check_is_there(p) || p->facts->status.uid[1] == 0)
		/* for root's processes this is unknown, and does not matter: only root gets here */
		return;
	bool is_capable = check_has_cap(p, CHECK_CAP_SYS_PTRACE);
	if (!p->facts->files_are_roots)
		return check_say(f, CHECK_OK, "yes");
	check_say(f, is_capable ? CHECK_OK : CHECK_NO,
		  "no: it changed its user, or asked for it; CAP_SYS_PTRACE is needed");
	if (!is_capable)
		check_cure(f, "as root: sudo auditview -p %d", p->facts->pid);
}

const struct check access_checks_dumpable = { "dumpable", check_dumpable };

static void check_tracer(const struct check_facts *p, struct finding *f)
{
	const struct access_facts *a = p->facts;
	if (!check_is_there(p))
		return;
	if (!a->status.tracer_pid)
		return check_say(f, CHECK_OK, "no tracer is attached");
	check_say(f, CHECK_NO, "%s (%d) traces it",
		  a->tracer_name[0] ? a->tracer_name : "another tracer", a->status.tracer_pid);
	check_cure(f, "a process has one tracer at a time: end %s, or wait until it detaches",
		   a->tracer_name[0] ? a->tracer_name : "it");
}

const struct check access_checks_tracer = { "tracer", check_tracer };

static void check_python(const struct check_facts *p, struct finding *f)
{
	const struct access_facts *a = p->facts;
	if (!check_is_there(p))
		return;
	switch (a->inside) {
	case INSIDE_UNKNOWN: check_say(f, CHECK_NOTE, "unknown: its memory cannot be read"); return;
	case INSIDE_NOTHING:
		check_say(f, CHECK_NO, "none of its %zu ELF modules has _PyRuntime", a->n_modules);
		check_cure(f, "auditview without arguments lists the Python processes");
		return;
	case INSIDE_UNSUPPORTED:
	case INSIDE_TRANSLATED:
		check_say(f, CHECK_NO, "%s", a->inside_message);
		check_cure(f, "%s", a->inside_hint);
		return;
	case INSIDE_PYTHON: break;
	}
	const struct probe_layout *l = &a->runtime.layout;
	check_say(f,
		  a->runtime.is_finalising    ? CHECK_NO
		  : a->runtime.is_initialised ? CHECK_OK
					      : CHECK_NOTE,
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

const struct check access_checks_python = { "python", check_python };

static void check_layout(const struct check_facts *p, struct finding *f)
{
	if (!check_is_there(p) || p->facts->inside != INSIDE_PYTHON)
		return;
	check_say(f, CHECK_OK, "%s", p->facts->runtime.how);
}

const struct check access_checks_layout = { "layout", check_layout };

static void check_room(const struct check_facts *p, struct finding *f)
{
	const struct access_facts *a = p->facts;
	if (!check_is_there(p) || a->inside != INSIDE_PYTHON)
		return;
	if (!a->no_room[0])
		return check_say(f, CHECK_OK, "no limit of it is in the way");
	check_say(f, CHECK_NO, "%s", a->no_room);
	check_cure(f, "%s", a->no_room_cure);
}

const struct check access_checks_room = { "room", check_room };
