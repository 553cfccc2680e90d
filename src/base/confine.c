/*
 * confine: see confine.h.
 */
#include "base/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/monotonic.h"
#include "base/proc_status.h"
#include "base/strbuf.h"

enum { ABANDONED_MAX = 4, CPU_SECONDS_MAX = 10 };

struct request { /* in shared memory */
	struct confine_whom whom;
	confine_fn *fn; /* the worker is forked, so the address is the same */
	size_t n_question;
	size_t n_answer; /* written by the worker: hostile */
	char question[CONFINE_QUESTION_BYTES];
	char answer[CONFINE_ANSWER_BYTES];
};

/* ---- in the worker ---- */

static bool is_in_our_user_ns(pid_t pid)
{
	char path[40], own[64] = "", its[64] = "";
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	return readlink("/proc/self/ns/user", own, sizeof(own) - 1) > 0 &&
	       readlink(path, its, sizeof(its) - 1) > 0 && strcmp(own, its) == 0;
}

/* Keep of our capabilities those in `keep` (bit by number, capabilities(7)). */
static bool limit_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2];
	if (syscall(SYS_capget, &head, sets) < 0)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		sets[i].permitted &= (uint32_t)(keep >> (32 * i));
		sets[i].effective = sets[i].permitted;
		sets[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, sets) == 0;
}

static bool become(uint32_t uid, uint32_t gid, uint64_t keep)
{
	if (geteuid() != uid || getegid() != gid || getuid() != uid) {
		/* Supplementary groups are left out: that is less than the target has. */
		if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
		    setresuid(uid, uid, uid) < 0)
			return false;
	}
	return geteuid() == uid && getegid() == gid && limit_capabilities(keep);
}

/* The root folder of the target, with its rights from here on; -1: that is not possible. */
static int enter(const struct confine_whom *whom)
{
	char path[40];
	struct proc_status status;
	const struct rlimit cpu = { CPU_SECONDS_MAX, CPU_SECONDS_MAX };
	uint32_t uid = whom->uid, gid = whom->gid;
	uint64_t keep = 0;
	int root = -1;
	setrlimit(RLIMIT_CPU, &cpu);
	/* Our memory is copied into this process: the target, whose user it gets, may not read
	 * it. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	struct err *err = proc_status_read(whom->pid, &status);
	if (!err && status.has_memory) {
		snprintf(path, sizeof(path), "/proc/%d/root", (int)whom->pid);
		root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		uid = status.uid[3];
		gid = status.gid[3];
		keep = is_in_our_user_ns(whom->pid) ? status.cap_effective : 0;
	}
	if (root < 0 && whom->has_our_root) {
		uid = whom->uid;
		gid = whom->gid;
		keep = 0;
		root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	err_destroy(err);
	if (root >= 0 && !become(uid, gid, keep)) {
		close(root);
		root = -1;
	}
	return root;
}

int confine_open(int root_fd, const char *path, int flags)
{
	/* openat2(2) refuses flags that O_PATH would ignore */
	if (!(flags & O_PATH))
		flags |= O_NONBLOCK | O_NOCTTY;
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	return (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
}

bool confine_read_file(int root_fd, const char *path, size_t max_bytes, struct strbuf *to)
{
	struct stat st;
	char bytes[16384];
	int fd = confine_open(root_fd, path, O_RDONLY);
	bool ok = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= 0 &&
		  (uint64_t)st.st_size <= max_bytes;
	for (size_t done = 0; ok;) {
		ssize_t n = read(fd, bytes, sizeof(bytes));
		ok = n >= 0 && (size_t)n <= max_bytes - done;
		if (n <= 0 || !ok)
			break;
		strbuf_add(to, bytes, (size_t)n);
		done += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	return ok && !to->failed;
}

static void serve(int fd, pid_t owner, void *shared)
{
	struct request *r = shared;
	struct strbuf answer = { 0 };
	char byte;
	if (recv(fd, &byte, 1, 0) != 1 || !worker_begin(owner))
		return;
	int root = enter(&r->whom);
	if (!worker_begin(owner)) /* a change of ids has reset it: prctl(2), PR_SET_PDEATHSIG */
		return;
	if (root < 0)
		return;
	r->fn(root, r->question, r->n_question, &answer);
	if (answer.failed || answer.n > sizeof(r->answer))
		return;
	memcpy(r->answer, strbuf_str(&answer), answer.n);
	r->n_answer = answer.n;
	(void)!send(fd, "", 1, MSG_NOSIGNAL);
	strbuf_fini(&answer);
	close(root);
}

/* ---- the owner's side ---- */

static bool is_running(const struct confine *c)
{
	return c->worker.pid != 0;
}

static void stop(struct confine *c)
{
	worker_abandon(&c->worker, true);
}

bool confine_start(struct confine *c, const struct confine_whom *whom, confine_fn *fn,
		   const char *question, size_t n_bytes, uint64_t timeout_ns)
{
	if (is_running(c) || n_bytes > CONFINE_QUESTION_BYTES ||
	    !worker_start(&c->worker, sizeof(struct request), ABANDONED_MAX, serve))
		return false;
	struct request *r = c->worker.shared;
	r->whom = *whom;
	r->fn = fn;
	r->n_question = n_bytes;
	memcpy(r->question, question, n_bytes);
	c->deadline_ns = monotonic_ns() + timeout_ns;
	if (send(c->worker.fd, "", 1, MSG_NOSIGNAL) == 1)
		return true;
	stop(c);
	return false;
}

enum confine_state confine_wait(struct confine *c, int timeout_ms, struct strbuf *to)
{
	struct pollfd ready = { .fd = c->worker.fd, .events = POLLIN };
	char byte;
	if (!is_running(c))
		return CONFINE_FAILED;
	int n = poll(&ready, 1, timeout_ms);
	if (n <= 0) {
		if (monotonic_ns() < c->deadline_ns)
			return CONFINE_WORKS;
		stop(c);
		return CONFINE_FAILED;
	}
	enum confine_state state = CONFINE_FAILED;
	if (recv(c->worker.fd, &byte, 1, MSG_DONTWAIT) == 1) {
		const struct request *r = c->worker.shared;
		size_t n_answer = __atomic_load_n(&r->n_answer, __ATOMIC_ACQUIRE);
		if (n_answer <= sizeof(r->answer)) {
			strbuf_add(to, r->answer, n_answer);
			state = CONFINE_ANSWERED;
		}
	}
	stop(c);
	return state;
}
