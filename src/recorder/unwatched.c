/*
 * unwatched: see unwatched.h.
 */
#include "recorder/unwatched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/proc_status.h"
#include "base/strbuf.h"
#include "recorder/notes.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "system/maps.h"
#include "system/proc_file.h"
#include "system/remote_io.h"
#include "visit/target_facts.h"
#include "system/remote_mem.h"

enum { CAUSES_MAX = 16, CAUSES_SAID = 3 };

/* The cause without the process's number, which messages of ours may name: malloc'ed, NULL when
 * memory is short. */
static char *cause_of(const struct err *err, pid_t pid)
{
	char number[16];
	int n_number = snprintf(number, sizeof(number), "%d", (int)pid);
	char *text = strdup(err->message);
	for (char *at = text; at && (at = strstr(at, number)) != NULL;)
		memmove(at, at + n_number, strlen(at + n_number) + 1);
	return text;
}

/* `what` happens to the process, by this cause. False if that was known of it. */
static bool note_cause(struct recorder *r, pid_t pid, const char *what, const struct err *err)
{
	char *cause = cause_of(err, pid), name[64];
	if (!cause)
		return true;
	for (size_t i = 0; i < r->unwatched.n; i++) {
		struct unwatched *u = &r->unwatched.v[i];
		if (strcmp(u->cause, cause) != 0)
			continue;
		bool is_new = u->last_pid != pid;
		u->n_processes += is_new;
		u->last_pid = pid;
		free(cause);
		return is_new;
	}
	if (proc_file_read(pid, "comm", name, sizeof(name)) <= 0)
		name[0] = 0;
	name[strcspn(name, "\n")] = 0;
	struct strbuf text = { 0 };
	strbuf_addf(&text, "process %d", (int)pid);
	if (name[0])
		strbuf_addf(&text, " (%s)", name);
	strbuf_addf(&text, " %s: %s", what, err->message);
	notes_add(r, NOTE_WARNING, UINT32_MAX, "%s", strbuf_str(&text));
	struct unwatched u = { .cause = cause,
			       .text = strbuf_take(&text),
			       .first_pid = pid,
			       .last_pid = pid,
			       .n_processes = 1 };
	if (!u.text || r->unwatched.n >= CAUSES_MAX || !vec_push(&r->unwatched, u)) {
		free(u.text);
		free(u.cause);
	}
	return true;
}

void unwatched_add(struct recorder *r, pid_t pid, const struct err *err)
{
	bool is_new = note_cause(r, pid, "is not watched", err);
	bool is_child = pid != r->launched_pid && (!r->first || r->first->pid != pid);
	r->end.n_children_not_followed += is_new && is_child;
	r->end.is_loss_known = false; /* its events are not counted */
	/* a Python that is not supported is no failure of ours */
	r->end.is_launched_unwatched |= pid == r->launched_pid && err->code != ERR_UNSUPPORTED;
}

void unwatched_set_late(struct recorder *r, struct process *p, struct err *err)
{
	err_destroy(p->late);
	p->late = err;
	p->awaits_python = true;
	r->end.is_loss_known = false;
	notes_add(r, NOTE_WARNING, p->index, "it is not watched yet: %s", err->message);
}

void unwatched_end_late(struct recorder *r, struct process *p)
{
	if (!p->late)
		return;
	note_cause(r, p->pid, "was not watched when it started", p->late);
	err_destroy(p->late);
	p->late = NULL;
}

void unwatched_add_late(struct recorder *r, struct process *p)
{
	if (!p->late)
		return;
	unwatched_add(r, p->pid, p->late);
	err_destroy(p->late);
	p->late = NULL;
}

void unwatched_add_tracer(struct recorder *r, pid_t pid, enum self_tracing why)
{
	struct err *err = err_create(
	    ERR_UNSUPPORTED, why == TRACES_CHILDREN
				 ? "it is a debugger, which must be the one to trace what it starts"
				 : "LeakSanitizer in it must be the one to trace it");
	note_cause(r, pid, "is left alone once it has started, and what it starts is not followed",
		   err);
	err_destroy(err);
	/* there may be Pythons among what it starts */
	r->end.is_loss_known = false;
}

void unwatched_add_exec(struct recorder *r, pid_t pid)
{
	struct err *err = err_create(ERR_UNSUPPORTED,
				     "it has executed another program, and is not followed");
	note_cause(r, pid, "is not watched any more", err);
	err_destroy(err);
}

void unwatched_note_shortage(struct recorder *r)
{
	r->end.is_loss_known = false;
	if (!r->has_noted_shortage)
		notes_add(r, NOTE_WARNING, UINT32_MAX,
			  "too few files may be opened (ulimit -n): events of some children may be "
			  "missing, or be shown of another one");
	r->has_noted_shortage = true;
}

/* Is the file called as an interpreter is: python, python3, python3.13t? */
static bool is_named_python(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	return strncmp(name, "python", 6) == 0 && (!name[6] || (name[6] >= '0' && name[6] <= '9'));
}

/* Only a file called after Python is worth a closer look. */
static bool has_python_file(const struct maps *maps)
{
	static const char *const names[] = { "python", "libpython", "pypy", "libpypy" };
	for (size_t i = 0; i < maps->n; i++) {
		const char *slash = strrchr(maps->v[i].path, '/');
		for (size_t k = 0; slash && k < ARRAY_LEN(names); k++)
			if (strncmp(slash + 1, names[k], strlen(names[k])) == 0)
				return true;
	}
	return false;
}

/* What makes this process one that cannot be watched; NULL: nothing that is known. */
static struct err *find_other(pid_t pid, bool is_last)
{
	CLEANUP(maps) struct maps *maps = NULL;
	CLEANUP(target_facts) struct target_facts *facts = NULL;
	char exe[256];
	struct err *err = maps_read(pid, &maps);
	if (err && err->code == ERR_DENIED)
		return err_wrap(err, "whether it is a Python is not known");
	if (err || !has_python_file(maps)) {
		err_destroy(err);
		return NULL;
	}
	err = target_facts_read(pid, NULL, &facts);
	if (!err && !facts->n_runtimes)
		err = target_facts_none(facts);
	if (err && err->code == ERR_UNSUPPORTED)
		return err;
	bool is_none = err && err->code == ERR_NOT_PYTHON;
	err_destroy(err);
	/* A program of that name that becomes another one, a wrapper, is not asked at its end. */
	if (!is_last || !is_none || proc_link_read(pid, "exe", exe, sizeof(exe)) <= 0 ||
	    !is_named_python(exe))
		return NULL;
	return err_create(ERR_UNSUPPORTED,
			  "%s is called as a Python is, and no symbols of CPython are found in it",
			  exe);
}

void unwatched_look(struct recorder *r, struct process *p, bool is_last)
{
	struct err *err = find_other(p->pid, is_last);
	bool is_none = err && err->code != ERR_NO_MEMORY;
	p->is_unwatched = is_none && (p->is_doubtful || is_last);
	p->is_doubtful = is_none; /* it may have been in the middle of being loaded */
	if (p->is_unwatched)
		unwatched_add(r, p->pid, err);
	err_destroy(err);
}

/* The rights of a file's owner or group that the kernel has not given: fs/exec.c, bprm_fill_uid(),
 * and security/commoncap.c, cap_bprm_creds_from_file(): a tracer without CAP_SYS_PTRACE. */
static bool has_lost_rights(pid_t pid)
{
	char path[48];
	struct stat st;
	struct statvfs fs;
	struct proc_status status;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	struct remote_io io = remote_io_of(pid);
	if (remote_io_stat(&io, path, &st) < 0 || !(st.st_mode & (S_ISUID | S_ISGID)) ||
	    remote_io_statvfs(&io, path, &fs) < 0 || fs.f_flag & ST_NOSUID)
		return false;
	struct err *err = proc_status_read(pid, &status);
	bool is_lost = !err && !status.no_new_privs &&
		       ((st.st_mode & S_ISUID && status.uid[1] != st.st_uid) ||
			(st.st_mode & S_ISGID && st.st_mode & S_IXGRP &&
			 status.gid[1] != st.st_gid));
	err_destroy(err);
	return is_lost;
}

void unwatched_look_for_lost_rights(struct recorder *r, pid_t pid)
{
	if (!has_lost_rights(pid))
		return;
	struct err *err = err_create(ERR_DENIED,
				     "it is traced by a process that may not trace its owner");
	note_cause(r, pid, "runs without the rights of its set-user-ID or set-group-ID file", err);
	err_destroy(err);
}

void unwatched_say(const struct recorder *r, char *to, size_t cap)
{
	struct strbuf text = { 0 };
	for (size_t i = 0; i < r->unwatched.n && i < CAUSES_SAID; i++) {
		const struct unwatched *u = &r->unwatched.v[i];
		strbuf_addf(&text, "%s%s", i ? "\n" : "", u->text);
		if (u->n_processes > 1)
			strbuf_addf(&text, " (and %u more)", u->n_processes - 1);
	}
	if (r->unwatched.n > CAUSES_SAID)
		strbuf_addf(&text, "\n%zu more %s in the capture", r->unwatched.n - CAUSES_SAID,
			    r->unwatched.n == CAUSES_SAID + 1 ? "cause is" : "causes are");
	if (!r->unwatched.n && r->launched != LAUNCHED_NONE && !r->first)
		strbuf_adds(&text, "no CPython ran in it");
	snprintf(to, cap, "%s", strbuf_str(&text));
	strbuf_fini(&text);
}

void unwatched_fini(struct recorder *r)
{
	for (size_t i = 0; i < r->unwatched.n; i++) {
		free(r->unwatched.v[i].cause);
		free(r->unwatched.v[i].text);
	}
	vec_fini(&r->unwatched);
}
