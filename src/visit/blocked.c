/*
 * blocked: see blocked.h.
 */
#include "visit/blocked.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "arch/arch.h"
#include "base/attr.h"
#include "base/err.h"
#include "system/proc_file.h"
#include "visit/threads.h"
#include "visit/check.h"
#include "visit/access.h"

enum { LOOKS = 4, LOOK_MS = 20 };

/* ---- frozen ---- */

/* Does a file of this control group contain `line`? The file system is searched where it is usually
 * mounted (systemd's layouts: unified, hybrid, of version 1). */
static bool group_file_says(const char *const *mounts, size_t n_mounts, const char *group,
			    const char *name, const char *line)
{
	char path[4400], text[256];
	for (size_t i = 0; i < n_mounts; i++) {
		snprintf(path, sizeof(path), "%s%s/%s", mounts[i], group, name);
		FILE *f = fopen(path, "re");
		bool says = false;
		while (f && !says && fgets(text, sizeof(text), f)) {
			text[strcspn(text, "\n")] = 0;
			says = strcmp(text, line) == 0;
		}
		if (f)
			fclose(f);
		if (says)
			return true;
	}
	return false;
}

/* /proc/PID/cgroup has a line for each hierarchy, "6:freezer:/shop"; that of version 2 is
 * "0::/shop" (cgroups(7)). */
static bool is_frozen(pid_t pid, char *group, size_t cap)
{
	static const char *const unified[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	static const char *const first[] = { "/sys/fs/cgroup/freezer" };
	char text[8192], *rest = text, *line;
	if (proc_file_read(pid, "cgroup", text, sizeof(text)) <= 0)
		return false;
	while ((line = strsep(&rest, "\n"))) {
		char *controllers = strchr(line, ':'),
		     *path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = 0;
		controllers++;
		bool is = controllers[0] ? strstr(controllers, "freezer") &&
					       group_file_says(first, ARRAY_LEN(first), path,
							       "freezer.state", "FROZEN")
					 : group_file_says(unified, ARRAY_LEN(unified), path,
							   "cgroup.events", "frozen 1");
		if (is) {
			snprintf(group, cap, "%s", path);
			return true;
		}
	}
	return false;
}

/* ---- threads ---- */

static bool makes_children(long syscall)
{
	return syscall == SYS_vfork || syscall == SYS_clone || syscall == SYS_clone3;
}

/* The newest child of a thread; 0: none, or unknown (needs CONFIG_PROC_CHILDREN). */
static pid_t child_of(pid_t pid, pid_t tid)
{
	char name[64], text[4096];
	snprintf(name, sizeof(name), "task/%d/children", (int)tid);
	ssize_t n = proc_file_read(pid, name, text, sizeof(text));
	while (n > 0 && text[n - 1] == ' ')
		text[--n] = 0;
	char *last = n > 0 ? strrchr(text, ' ') : NULL;
	return n > 0 ? (pid_t)strtol(last ? last + 1 : text, NULL, 10) : 0;
}

/* Are all threads in state D? *ret: one of them. */
static bool all_wait(pid_t pid, struct thread_place *ret)
{
	struct thread_place *threads = NULL;
	size_t n = 0;
	/* Most processes are decided by their first thread alone. It may have ended before the
	 * others. */
	if (thread_place_read(pid, pid, ret) && ret->state != 'D' && ret->state != 'Z')
		return false;
	struct err *err = threads_list(pid, &threads, &n);
	bool all = !err && n > 0;
	for (size_t i = 0; all && i < n; i++)
		all = threads[i].state == 'D';
	if (all)
		*ret = threads[0];
	err_destroy(err);
	free(threads);
	return all;
}

bool blocked_find(pid_t pid, struct blocked *ret)
{
	char group[128], wait[64] = "";
	struct thread_place at;
	struct blocked b = { .why = "" };
	if (is_frozen(pid, group, sizeof(group))) {
		snprintf(b.why, sizeof(b.why),
			 "its control group (%s) is frozen: no thread of it can be stopped", group);
		snprintf(b.cure, sizeof(b.cure),
			 "thaw it first (cgroup.freeze, freezer.state; docker unpause)");
		*ret = b;
		return true;
	}
	for (unsigned look = 0; look < LOOKS; look++) {
		if (look)
			poll(NULL, 0, LOOK_MS);
		if (!all_wait(pid, &at))
			return false;
	}
	if (makes_children(at.syscall)) {
		pid_t child = child_of(pid, at.tid);
		snprintf(b.why, sizeof(b.why),
			 "it waits for its vfork(2) child%s%.0d, and cannot be stopped until that "
			 "has ended or called exec",
			 child ? " " : "", (int)child);
		snprintf(b.cure, sizeof(b.cure), "try again then%s%.0d",
			 child ? "; to see what the child waits for: ps -o stat,wchan,args -p "
			       : "",
			 (int)child);
	} else {
		if (proc_file_read(pid, "wchan", wait, sizeof(wait)) <= 0 || strcmp(wait, "0") == 0)
			wait[0] = 0;
		snprintf(
		    b.why, sizeof(b.why),
		    "it cannot be stopped: it waits for a device or a file system (state D%s%s)",
		    wait[0] ? ", " : "", wait);
		snprintf(b.cure, sizeof(b.cure),
			 "try again when that has answered; the kernel's log may say what is wrong "
			 "with it");
	}
	*ret = b;
	return true;
}

/* ---- what doctor says of it ---- */

/* Can a thread be stopped, and can it make our calls? */
static void check_threads(const struct check_facts *p, struct finding *f)
{
	const struct access_facts *a = p->facts;
	if (!check_is_there(p) || a->inside != INSIDE_PYTHON)
		return;
	if (a->is_blocked || p->access->cause == ACCESS_WAITS) {
		check_say(f, CHECK_NO, "%s", a->is_blocked ? a->blocked.why : p->access->why);
		check_cure(f, "%s", a->is_blocked ? a->blocked.cure : p->access->cure);
	} else {
		check_say(
		    f, CHECK_OK,
		    "one is stopped for a moment; none, if all wait in calls that a stop would end "
		    "early");
	}
}

const struct check blocked_check = { "threads", check_threads };
