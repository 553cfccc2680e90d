/*
 * doctor: see doctor.h. A check belongs to the file of its mechanism (visit/check.h); here are
 * those of none. To add one, name it in machine_checks[] or target_checks[]; text and JSON output
 * follow.
 */
#include "commands/doctor.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/proc_status.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/wrap.h"
#include "commands/json_writer.h"
#include "recorder/clock.h"
#include "stacks/audit_hooks.h"
#include "system/proc_file.h"
#include "system/proc_name.h"
#include "system/procs.h"
#include "system/remote_mem.h"
#include "visit/access.h"
#include "visit/access_checks.h"
#include "visit/blocked.h"
#include "visit/check.h"
#include "visit/earlier_probe.h"
#include "visit/ring.h"
#include "visit/seccomp.h"
#include "visit/target_facts.h"
#include "visit/trial.h"
#include "visit/tripwire.h"

static const struct {
	const char *word, *color;
} kinds[] = {
	[CHECK_OK] = { "ok", "\033[32m" },
	[CHECK_NOTE] = { "note", "\033[33m" },
	[CHECK_NO] = { "no", "\033[1;31m" },
};
_Static_assert(ARRAY_LEN(kinds) == CHECK_KIND_COUNT, "a kind of finding without a word");

/* The facts that the checks use. */
struct patient {
	struct trial trial;            /* machine */
	struct access_facts facts;     /* of the target; of ourselves for the machine */
	struct access access;          /* target */
	struct target_facts *examined; /* target; NULL if it could not be examined */
	struct proc_status own;
	struct check_facts known; /* these, for the checks */
};

/* ---- the machine ---- */

static void check_kernel(const struct check_facts *p, struct finding *f)
{
	struct utsname u;
	unsigned major = 0, minor = 0;
	(void)p;
	if (uname(&u) != 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return check_say(f, CHECK_NOTE, "version unknown");
	bool is_known = strcmp(u.machine, ARCH_NAME) == 0;
	/* 4.14 has MADV_WIPEONFORK (madvise(2)), by which the probe notices a fork. */
	bool is_new = major > 4 || (major == 4 && minor >= 14);
	check_say(f, is_known && is_new ? CHECK_OK : CHECK_NO, "Linux %s, %s", u.release,
		  u.machine);
	if (!is_known)
		check_cure(f, "auditview is built for %s; captures can be looked at anywhere",
			   ARCH_NAME);
	else if (!is_new)
		check_cure(f, "Linux 4.14 or later is needed");
}
static const struct check kernel = { "kernel", check_kernel };

static void check_container(const struct check_facts *p, struct finding *f)
{
	char cgroup[4096], name[64] = "";
	bool is_named = proc_file_read(1, "cgroup", cgroup, sizeof(cgroup)) > 0 &&
			proc_container_name(cgroup, name, sizeof(name));
	bool is_docker = access("/.dockerenv", F_OK) == 0,
	     is_podman = access("/run/.containerenv", F_OK) == 0;
	bool is_kubernetes = getenv("KUBERNETES_SERVICE_HOST") != NULL;
	if (!is_named && !is_docker && !is_podman && !is_kubernetes)
		return check_say(f, p->facts->own_user_ns_is_first ? CHECK_OK : CHECK_NOTE, "%s",
				 p->facts->own_user_ns_is_first
				     ? "auditview runs in none"
				     : "auditview runs in a user namespace of its own");
	check_say(f, CHECK_NOTE,
		  "auditview runs in one (%s): it sees the processes of this container alone",
		  is_kubernetes ? "kubernetes"
		  : is_named    ? name
		  : is_docker   ? "docker"
				: "podman");
	check_cure(
	    f,
	    "to see more: Docker --pid=host, or --pid=container:NAME of the target's; Kubernetes "
	    "shareProcessNamespace: true, or kubectl debug --target=CONTAINER --profile=sysadmin");
}
static const struct check container = { "container", check_container };

static void check_terminal(const struct check_facts *p, struct finding *f)
{
	const char *codeset = nl_langinfo(CODESET), *term = getenv("TERM");
	(void)p;
	bool is_utf8 = strcmp(codeset, "UTF-8") == 0;
	check_say(f, is_utf8 ? CHECK_OK : CHECK_NOTE, "%s, text is %s",
		  term ? term : "TERM is not set", codeset);
	if (!is_utf8)
		check_cure(f, "set LANG=C.UTF-8 to see lines and names as they are");
}
static const struct check terminal = { "terminal", check_terminal };

/* ---- one process ---- */

static void check_target_container(const struct check_facts *p, struct finding *f)
{
	const struct access_facts *a = p->facts;
	char cgroup[4096], name[64] = "";
	if (!check_is_there(p) || !a->in_container)
		return;
	bool is_named = proc_file_read(a->pid, "cgroup", cgroup, sizeof(cgroup)) > 0 &&
			proc_container_name(cgroup, name, sizeof(name));
	check_say(f, CHECK_OK, "%s%s%s, its pid there is %d: nothing needs to be put into it",
		  is_named ? "in " : "in other namespaces", is_named ? name : "", "",
		  a->status.ns_pid);
}
static const struct check target_container = { "container", check_target_container };

/* In this order they are reported. */
static const struct check *const machine_checks[] = {
	&kernel,
	&trial_check_ptrace,
	&trial_check_read,
	&access_checks_yama,
	&access_checks_capabilities,
	&container,
	&seccomp_check_own,
	&trial_check_write,
	&ring_check,
	&tripwire_check,
	&seccomp_check_suspend,
	&clock_check,
	&terminal,
};
static const struct check *const target_checks[] = {
	&access_checks_process,  &access_checks_permission, &access_checks_user,
	&access_checks_dumpable, &access_checks_tracer,     &seccomp_check_target,
	&access_checks_python,   &access_checks_layout,     &blocked_check,
	&access_checks_room,     &earlier_probe_check,      &target_container,
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
	if (f->cure[0] && f->kind != CHECK_OK) {
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
	const char *color = a->verdict == ACCESS_READY ? kinds[CHECK_OK].color
						       : kinds[CHECK_NO].color;
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
	json_writer_text(json, "cure", f->kind == CHECK_OK ? "" : f->cure);
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
	const struct target_facts *t = p->examined;
	struct err *err = NULL;
	for (size_t i = 0; !err && i < t->n_runtimes; i++) {
		size_t first = ret->n;
		const struct python_runtime *rt = &t->runtimes[i];
		err = audit_hooks_read(t->pid, remote_mem_reader(t->mem), rt, ret);
		const char *slash = strrchr(rt->module.path, '/');
		for (size_t k = first; t->n_runtimes > 1 && k < ret->n; k++)
			snprintf(ret->v[k].runtime, sizeof(ret->v[k].runtime), "%s",
				 slash ? slash + 1 : rt->module.path);
	}
	return err;
}

/* One run of the checks. */
struct report {
	pid_t pid; /* 0: the machine */
	struct patient patient;
	struct audit_hooks hooks;
	const struct check *const *checks;
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
		err = access_facts_read(r->pid ? r->pid : getpid(), &p->facts,
					r->pid ? &p->examined : NULL);
	if (err)
		return err;
	if (r->pid)
		access_judge(&p->facts, &p->access);
	else
		trial_run(&p->trial);
	p->known = (struct check_facts){ &p->trial, &p->facts, &p->access, &p->own };
	r->checks = r->pid ? target_checks : machine_checks;
	r->n_checks = r->pid ? ARRAY_LEN(target_checks) : ARRAY_LEN(machine_checks);
	r->is_ready = true;
	for (size_t i = 0; i < r->n_checks; i++) {
		struct finding *f = &r->found[i];
		r->checks[i]->look(&p->known, f);
		r->is_ready = r->is_ready && (!f->text[0] || f->kind != CHECK_NO);
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
			add_finding(to, r->checks[i]->name, &r->found[i], style);
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
			json_finding(&json, r->checks[i]->name, &r->found[i]);
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
	target_facts_destroy(report.patient.examined);
	if (!err)
		*ret_is_ready = report.is_ready;
	return err;
}
