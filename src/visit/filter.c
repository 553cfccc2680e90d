/*
 * filter: the seccomp filters of threads, and how our calls are exempted from them.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "system/procs.h"
#include "visit/ptrace.h"
#include "visit/remote_call.h"
#include "visit/remote_call_private.h"

/* The number of a thread's filters; -1: unknown (before Linux 5.9). */
static int n_filters(pid_t tid)
{
	char text[4096];
	const char *line = proc_file_read(tid, "status", text, sizeof(text)) > 0
			       ? strstr(text, "\nSeccomp_filters:")
			       : NULL;
	return line ? atoi(line + strlen("\nSeccomp_filters:")) : -1;
}

bool thread_is_filtered(pid_t tid)
{
	struct proc_status status;
	struct err *err = proc_status_read(tid, &status);
	bool is = !err && status.seccomp > 0;
	err_destroy(err);
	return is;
}

/*
 * Suspend the filter of a stopped thread, so that it does not see our calls: they could be the
 * thread's last. A stopped thread cannot install a filter. If the kernel does not let us suspend it
 * (that takes CAP_SYS_ADMIN, and that we have no filter ourselves), our calls are made only under
 * filters that we have too: in a container whose filter all its processes inherit.
 */
struct err *filter_suspend(const struct remote_target *t, pid_t tid, unsigned long other_options,
			   bool *ret_has_one)
{
	*ret_has_one = thread_is_filtered(tid);
	if (!*ret_has_one)
		return NULL;
	struct err *err = ptrace_set_options(tid, other_options | PTRACE_O_SUSPEND_SECCOMP);
	if (!err || err->code == ERR_TARGET_GONE)
		return err;
	int theirs = n_filters(tid), ours = n_filters(getpid());
	if (ours > 0 ? theirs == ours : ours < 0 && thread_is_filtered(getpid())) {
		err_destroy(err);
		return NULL;
	}
	err = err_wrap(err, "the seccomp filter of thread %d of process %d cannot be suspended",
		       (int)tid, (int)t->pid);
	return err_with_hint(
	    err, "that takes CAP_SYS_ADMIN, and a kernel with CONFIG_CHECKPOINT_RESTORE");
}

/* For a followed thread that is stopped. A thread that is not followed gets its filter back when we
 * detach. */
void filter_restore(const struct remote_target *t, pid_t tid)
{
	if (t->attached)
		err_destroy(ptrace_set_options(tid, ptrace_options(tid)));
}

bool threads_any_filtered(pid_t pid)
{
	char path[64];
	bool found = thread_is_filtered(pid);
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *dir = found ? NULL : opendir(path);
	for (struct dirent *e; dir && !found && (e = readdir(dir));) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		found = tid > 0 && thread_is_filtered(tid);
	}
	if (dir)
		closedir(dir);
	return found;
}
