/*
 * seccomp: see seccomp.h.
 */
#include "visit/seccomp.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "base/io.h"
#include "base/proc_status.h"
#include "visit/ptrace.h"
#include "visit/remote_target.h"
#include "visit/check.h"
#include "visit/trial.h"
#include "visit/access.h"

/* The number of a thread's filters; -1: unknown (before Linux 5.9). */
static int n_filters(pid_t tid)
{
	struct proc_status status;
	return proc_thread_status(tid, tid, &status) ? status.n_filters : -1;
}

bool seccomp_has_filter(pid_t tid)
{
	struct proc_status status;
	struct err *err = proc_status_read(tid, &status);
	bool is = !err && status.seccomp > 0;
	err_destroy(err);
	return is;
}

int seccomp_status_open(pid_t tid)
{
	char path[48];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	return io_open_now(path, O_RDONLY);
}

static struct err *find_filter(pid_t tid, int status_fd, struct seccomp_found *ret)
{
	char text[8192];
	struct proc_status status;
	ssize_t n = status_fd < 0 ? -1 : pread(status_fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = 0;
	struct err *err = proc_status_parse(text, &status) ? NULL : proc_status_read(tid, &status);
	if (err)
		return err;
	/* A thread in thousands of groups has more text before that line. */
	bool is_cut = n == sizeof(text) - 1 && status.seccomp < 0;
	ret->has_one = status.seccomp > 0 || is_cut;
	ret->may_come = !ret->has_one && status.n_threads != 1;
	return NULL;
}

/*
 * Suspend the filter of a stopped thread, so that it does not see our calls: they could be the
 * thread's last. A stopped thread cannot install a filter. If the kernel does not let us suspend it
 * (that takes CAP_SYS_ADMIN, and that we have no filter ourselves), our calls are made only under
 * filters that we have too: in a container whose filter all its processes inherit.
 *
 * Another thread, which is not stopped, may install a filter for all threads
 * (SECCOMP_FILTER_FLAG_TSYNC; kernel v6.1 kernel/seccomp.c, seccomp_sync_threads()) between this
 * check and our last call.
 *
 *   - A thread that stays traced until its list is done has filters suspended from the beginning,
 *     so a later one does not see our calls (__secure_computing() checks PT_SUSPEND_SECCOMP at each
 *     call). one_thread.c therefore keeps the thread if the process has another one, and takes it
 *     back at the end of its last call (at_stop.c): no call of the program is interrupted.
 *   - If every thread is stopped (all_stop.c, where the module can be unloaded), no thread is left
 *     that could install one.
 *   - Without CAP_SYS_ADMIN nothing is suspended, and only the second holds. Then the thread is not
 *     kept either: it would gain nothing.
 */
struct err *seccomp_suspend(const struct remote_target *t, pid_t tid, int status_fd,
			    unsigned long other_options, struct seccomp_found *ret)
{
	struct err *err = find_filter(tid, status_fd, ret);
	if (err || !ret->has_one)
		return err;
	err = ptrace_set_options(tid, other_options | PTRACE_O_SUSPEND_SECCOMP);
	if (!err || err->code == ERR_TARGET_GONE)
		return err;
	int theirs = n_filters(tid), ours = n_filters(getpid());
	if (ours > 0 ? theirs == ours : ours < 0 && seccomp_has_filter(getpid())) {
		err_destroy(err);
		return NULL;
	}
	err = err_wrap(err, "the seccomp filter of thread %d of process %d cannot be suspended",
		       (int)tid, (int)t->pid);
	return err_with_hint(
	    err, "that takes CAP_SYS_ADMIN, and a kernel with CONFIG_CHECKPOINT_RESTORE");
}

bool seccomp_suspend_later_one(pid_t tid, unsigned long other_options)
{
	struct err *err = ptrace_set_options(tid, other_options | PTRACE_O_SUSPEND_SECCOMP);
	bool is_suspended = !err;
	err_destroy(err);
	return is_suspended;
}

/* For a followed thread that is stopped. A thread that is not followed gets its filter back when we
 * detach. */
void seccomp_restore(const struct remote_target *t, pid_t tid)
{
	if (t->attached)
		err_destroy(ptrace_set_options(tid, ptrace_options(tid)));
}

bool seccomp_any_filter(pid_t pid)
{
	char path[64];
	bool found = seccomp_has_filter(pid);
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *dir = found ? NULL : opendir(path);
	for (struct dirent *e; dir && !found && (e = readdir(dir));) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		found = tid > 0 && seccomp_has_filter(tid);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* ---- what doctor says of it ---- */

static void check_own_seccomp(const struct check_facts *p, struct finding *f)
{
	if (p->own->seccomp <= 0)
		return check_say(f, CHECK_OK, "auditview is not filtered");
	check_say(
	    f, CHECK_NOTE,
	    "auditview itself is under a seccomp filter: targets under one of their own cannot be "
	    "attached to");
	check_cure(f, "Docker: --security-opt seccomp=unconfined; Kubernetes: securityContext: "
		      "{seccompProfile: {type: Unconfined}}; or run "
		      "auditview on the host");
}

const struct check seccomp_check_own = { "own seccomp", check_own_seccomp };

static void check_suspend_seccomp(const struct check_facts *p, struct finding *f)
{
	if (p->trial->suspend_seccomp_errno == 0)
		return check_say(f, CHECK_OK, "targets with a seccomp filter can be attached to");
	check_say(f, CHECK_NOTE, "targets with a seccomp filter cannot be attached to (%s)",
		  strerror(p->trial->suspend_seccomp_errno));
	check_cure(f, "run as root (CAP_SYS_ADMIN), not under a filter, on a kernel with "
		      "CONFIG_CHECKPOINT_RESTORE");
}

const struct check seccomp_check_suspend = { "seccomp", check_suspend_seccomp };

static void check_seccomp(const struct check_facts *p, struct finding *f)
{
	if (!check_is_there(p))
		return;
	if (p->facts->status.seccomp <= 0)
		return check_say(f, CHECK_OK, "none");
	if (p->access->cause == ACCESS_SECCOMP) {
		check_say(f, CHECK_NO, "%s", p->access->why);
		check_cure(f, "%s", p->access->cure);
	} else {
		check_say(f, CHECK_NOTE,
			  "a filter, suspended while auditview attaches; the probe makes no system "
			  "calls, and counts losses "
			  "instead of waiting");
	}
}

const struct check seccomp_check_target = { "seccomp", check_seccomp };
