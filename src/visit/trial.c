/*
 * trial: see trial.h. Every wait has a deadline: the child is ours, so killing it ends any wait.
 */
#include "visit/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <string.h>

#include "base/err.h"
#include "visit/tripwire.h"
#include "visit/check.h"
#include "base/proc_status.h"

#ifndef PTRACE_O_SUSPEND_SECCOMP
#define PTRACE_O_SUSPEND_SECCOMP (1 << 21)
#endif
#define DEADLINE_MS 1000

/* Wait for a stop of the child, at most a second. Returns errno. */
static int wait_stop(pid_t child)
{
	for (int i = 0; i < DEADLINE_MS; i++) {
		int status;
		pid_t got = waitpid(child, &status, __WALL | WNOHANG);
		if (got < 0)
			return errno;
		if (got == child)
			return WIFSTOPPED(status) ? 0 : ECHILD;
		poll(NULL, 0, 1);
	}
	return ETIMEDOUT;
}

static int result(long value)
{
	return value < 0 ? errno : 0;
}

static int try_readv(pid_t child, const void *at)
{
	char byte;
	/* The address is the same in the child, which is a copy; iovec has no const. */
	struct iovec to = { &byte, 1 }, from = { (void *)(uintptr_t)at, 1 };
	return result(process_vm_readv(child, &to, 1, &from, 1, 0));
}

static int try_force_write(pid_t child, const char *page)
{
	char path[64], byte = 'x';
	snprintf(path, sizeof(path), "/proc/%d/mem", child);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno;
	int sys = result(pwrite(fd, &byte, 1, (off_t)(uintptr_t)page));
	close(fd);
	return sys;
}

static int try_map_files(pid_t child, const char *page, size_t n_bytes)
{
	char path[96];
	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", child, (unsigned long)page,
		 (unsigned long)(page + n_bytes));
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* A target would do the same: another process opens the file by our path. */
static int try_memfd(void)
{
	char path[64];
	int fd = memfd_create("auditview-trial", MFD_CLOEXEC), status = 0;
	if (fd < 0)
		return errno;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	pid_t child = fork();
	if (child == 0) {
		int other = open(path, O_RDWR | O_CLOEXEC);
		_exit(other < 0 ? errno : 0);
	}
	int sys = child < 0 ? errno : 0;
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	close(fd);
	return sys ? sys : WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
}

static void try_all(pid_t child, const char *page, const char *shared, size_t page_bytes,
		    struct trial *t)
{
	t->readv_errno = try_readv(child, page);
	t->map_files_errno = try_map_files(child, shared, page_bytes);
	t->seize_errno = result(ptrace(PTRACE_SEIZE, child, NULL, NULL));
	if (t->seize_errno == 0)
		t->seize_errno = result(ptrace(PTRACE_INTERRUPT, child, NULL, NULL));
	if (t->seize_errno == 0)
		t->seize_errno = wait_stop(child);
	if (t->seize_errno)
		return;
	t->force_write_errno = try_force_write(child, page);
	t->suspend_seccomp_errno = result(
	    ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)(uintptr_t)PTRACE_O_SUSPEND_SECCOMP));
	struct tripwire wire;
	struct err *err = tripwire_set(child, (uint64_t)(uintptr_t)page, &wire);
	t->tripwire_errno = !err ? 0 : err->sys ? err->sys : ENOSYS;
	if (!err)
		tripwire_clear(&wire);
	err_destroy(err);
}

void trial_run(struct trial *ret)
{
	struct trial t = { .seize_errno = ECANCELED,
			   .tripwire_errno = ECANCELED,
			   .suspend_seccomp_errno = ECANCELED,
			   .readv_errno = ECANCELED,
			   .force_write_errno = ECANCELED,
			   .map_files_errno = ECANCELED,
			   .memfd_errno = try_memfd() };
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	char *page = mmap(NULL, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *shared = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	pid_t child = page != MAP_FAILED && shared != MAP_FAILED ? fork() : -1;
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (child < 0) {
		t.fork_errno = errno;
	} else {
		try_all(child, page, shared, page_bytes, &t);
		kill(child, SIGKILL);
		while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
			;
	}
	if (page != MAP_FAILED)
		munmap(page, page_bytes);
	if (shared != MAP_FAILED)
		munmap(shared, page_bytes);
	*ret = t;
}

/* ---- what doctor says of it ---- */

static void check_ptrace(const struct check_facts *p, struct finding *f)
{
	const struct trial *t = p->trial;
	if (t->fork_errno)
		return check_say(f, CHECK_NOTE, "not tried: %s", strerror(t->fork_errno));
	if (t->seize_errno == 0)
		return check_say(f, CHECK_OK, "a child of ours can be traced");
	check_say(f, CHECK_NO, "a child of ours cannot be traced: %s", strerror(t->seize_errno));
	check_cure(
	    f, "%s",
	    p->own->seccomp > 0
		? check_cure_in_container
		: "a security module or kernel.yama.ptrace_scope=3 forbids ptrace altogether");
}

const struct check trial_check_ptrace = { "ptrace", check_ptrace };

static void check_readv(const struct check_facts *p, struct finding *f)
{
	if (p->trial->readv_errno == 0)
		return check_say(f, CHECK_OK, "process_vm_readv works");
	check_say(f, CHECK_NO, "process_vm_readv: %s", strerror(p->trial->readv_errno));
	check_cure(f, "%s", check_cure_in_container);
}

const struct check trial_check_read = { "read memory", check_readv };

static void check_force_write(const struct check_facts *p, struct finding *f)
{
	const struct trial *t = p->trial;
	if (t->force_write_errno == 0)
		return check_say(f, CHECK_OK, "code can be written through /proc/PID/mem");
	if (t->seize_errno)
		return check_say(f, CHECK_NOTE, "not tried, for nothing can be traced");
	check_say(
	    f, CHECK_NOTE,
	    "/proc/PID/mem does not take writes to read-only memory (%s); PTRACE_POKETEXT is used, "
	    "more slowly",
	    strerror(t->force_write_errno));
	check_cure(f, "boot with proc_mem.force_override=ptrace, or always (Linux 6.12 and later)");
}

const struct check trial_check_write = { "write memory", check_force_write };
