/*
 * tripwire: see tripwire.h.
 */
#include "visit/tripwire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/proc_status.h"
#include "visit/ptrace.h"
#include "visit/check.h"
#include "visit/trial.h"

static unsigned n_wires; /* each is a descriptor of ours, and other modules need some too */

/* Choose a signal that the thread does not block and, better still, that its process does not
 * catch. A new thread blocks all signals for a moment (glibc 2.36 nptl/pthread_create.c). A thread
 * that keeps the signal blocked is noticed when it unblocks it. */
static int choose_signal(pid_t tid)
{
	/* signal(7): by default they are ignored. SIGCONT, which also ends a stop, is used only if
	 * the others are blocked: when PostgreSQL forks, it blocks every signal that can be blocked
	 * except that one (src/backend/libpq/pqsignal.c, pqinitmask()). */
	static const int ignored[] = { SIGURG, SIGWINCH, SIGCONT };
	struct proc_status status = { 0 };
	int found = 0;                         /* none yet */
	proc_thread_status(tid, tid, &status); /* if it is gone, tripwire_set() fails */
	for (size_t i = ARRAY_LEN(ignored); i-- > 0;) {
		uint64_t bit = 1ull << (ignored[i] - 1);
		if (!(status.sig_blocked & bit) &&
		    (!found || found == SIGCONT || !(status.sig_caught & bit)))
			found = ignored[i];
	}
	return found ? found : ignored[0];
}

/* tid 0: this thread. Returns a descriptor, or -1 with errno. */
static int breakpoint_open(pid_t tid, uint64_t address)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_X,
		.bp_addr = address,
		.bp_len = sizeof(long),
		.sample_period = 1,
		.wakeup_events = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	return (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

__attribute__((noinline)) static void reach(void)
{
	__asm__ volatile("" ::: "memory");
}

/* Some virtual machines take breakpoints and never report that one was reached. */
static bool does_report(void)
{
	static int known; /* 1 yes, -1 no */
	uint64_t n = 0;
	if (known)
		return known > 0;
	int fd = breakpoint_open(0, (uint64_t)(uintptr_t)reach);
	if (fd < 0)
		return true; /* not known: tripwire_set() says why it cannot set one */
	reach();
	known = read(fd, &n, sizeof(n)) == sizeof(n) && !n ? -1 : 1;
	close(fd);
	return known > 0;
}

struct err *tripwire_set(pid_t tid, uint64_t address, struct tripwire *ret)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && n_wires >= files.rlim_cur / 2)
		return err_sys(EMFILE, "%u threads are watched already", n_wires);
	if (!does_report())
		return err_sys(ENODEV, "this machine does not report that breakpoints are reached");
	int signal = choose_signal(tid);
	struct f_owner_ex owner = { F_OWNER_TID, tid };
	int fd = breakpoint_open(tid, address);
	if (fd == 0) { /* 0 means "none" */
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 1);
		close(0);
	}
	if (fd < 0 || fcntl(fd, F_SETOWN_EX, &owner) < 0 || fcntl(fd, F_SETSIG, signal) < 0 ||
	    fcntl(fd, F_SETFL, O_ASYNC) < 0) {
		struct err *err = err_sys(errno, "cannot watch thread %d", (int)tid);
		if (fd >= 0)
			close(fd);
		return err;
	}
	n_wires++;
	*ret = (struct tripwire){ fd, signal };
	return NULL;
}

void tripwire_clear(struct tripwire *w)
{
	if (!w->fd)
		return;
	close(w->fd);
	n_wires--;
	*w = (struct tripwire){ 0 };
}

bool tripwire_is_hit(const struct tripwire *w, pid_t tid, int status)
{
	siginfo_t info;
	if (!w->fd || ptrace_signal_of(status) != w->signal)
		return false;
	struct err *err = ptrace_get_signal(tid, &info);
	/* fs/fcntl.c, send_sigio_to_task */
	bool is_hit = !err && info.si_code == POLL_IN && info.si_fd == w->fd;
	err_destroy(err);
	return is_hit;
}

/* ---- what doctor says of it ---- */

static void check_tripwire(const struct check_facts *p, struct finding *f)
{
	if (p->trial->tripwire_errno == 0)
		return check_say(
		    f, CHECK_OK,
		    "perf_event_open can set them: a followed program that loads Python "
		    "late is noticed at that "
		    "moment");
	if (p->trial->tripwire_errno == ENODEV)
		return check_say(
		    f, CHECK_NOTE,
		    "this machine takes them, and does not report that one is reached: "
		    "a followed program that loads Python late is noticed some "
		    "milliseconds later");
	check_say(
	    f, CHECK_NOTE,
	    "perf_event_open cannot set them (%s): a followed program that loads Python late is "
	    "noticed some "
	    "milliseconds later",
	    strerror(p->trial->tripwire_errno));
	check_cure(f, "run as root, or with kernel.perf_event_paranoid at 2 or less; some virtual "
		      "machines have none");
}

const struct check tripwire_check = { "breakpoints", check_tripwire };
