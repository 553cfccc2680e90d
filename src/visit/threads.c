/*
 * threads: the state of the threads of a process, as /proc shows it: see threads.h.
 */
#include "visit/threads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/io.h"
#include "base/monotonic.h"
#include "base/proc_status.h"
#include "base/vec.h"
#include "stacks/image.h"
#include "system/maps.h"
#include "system/proc_file.h"
#include "system/remote_mem.h"
#include "visit/remote_target.h"

bool thread_place_read(pid_t pid, pid_t tid, struct thread_place *ret)
{
	char path[64], text[512];
	*ret = (struct thread_place){ .tid = tid, .state = '?', .syscall = -3 };
	if (!proc_state_read(pid, tid, &ret->state))
		return false;
	snprintf(path, sizeof(path), "task/%d/syscall", (int)tid);
	ssize_t n = proc_file_read(pid, path, text, sizeof(text));
	if (n <= 0)
		return true;
	unsigned long a[6], sp, pc;
	long nr;
	if (strncmp(text, "running", 7) == 0) {
		ret->syscall = -2;
	} else if (sscanf(text, "%ld %lx %lx %lx %lx %lx %lx %lx %lx", &nr, &a[0], &a[1], &a[2],
			  &a[3], &a[4], &a[5], &sp, &pc) == 9) {
		ret->syscall = nr;
		for (unsigned i = 0; i < 6; i++)
			ret->args[i] = a[i];
		ret->sp = sp;
		ret->pc = pc;
	} else if (sscanf(text, "%ld %lx %lx", &nr, &sp, &pc) == 3) {
		ret->syscall = -1;
		ret->sp = sp;
		ret->pc = pc;
	}
	return true;
}

struct err *threads_list(pid_t pid, struct thread_place **ret, size_t *ret_n)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	VEC(struct thread_place) list = { 0 };
	DIR *dir = opendir(path);
	struct err *err = dir || errno == ENOENT || errno == ESRCH
			      ? NULL
			      : err_sys(errno, "cannot list the threads of process %d", (int)pid);
	for (struct dirent *e; dir && !err && (e = readdir(dir));) {
		struct thread_place place;
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		if (tid <= 0)
			continue;
		bool is_read = thread_place_read(pid, tid, &place);
		/* Descriptors can run out. A thread that cannot be read must not count as gone: it
		 * may be in our code. */
		if (!is_read && errno != ENOENT && errno != ESRCH)
			err = err_sys(errno, "cannot read the state of thread %d of process %d",
				      (int)tid, (int)pid);
		else if (is_read && place.state != 'Z' && place.state != 'X' &&
			 !vec_push(&list, place))
			err = err_no_memory();
	}
	if (dir)
		closedir(dir);
	if (err) {
		vec_fini(&list);
		return err;
	}
	*ret = list.v;
	*ret_n = list.n;
	return NULL;
}

/* Time on a processor, in ns (kernel fs/proc/base.c, proc_pid_schedstat); UINT64_MAX if unknown. */
static uint64_t cpu_time_of(pid_t pid, pid_t tid)
{
	char path[64];
	unsigned long long ns;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)pid, (int)tid);
	FILE *f = io_fopen_now(path);
	bool is_read = f && fscanf(f, "%llu", &ns) == 1;
	if (f)
		fclose(f);
	return is_read ? ns : UINT64_MAX;
}

/* UINT64_MAX if unknown */
static uint64_t n_sleeps_of(pid_t pid, pid_t tid)
{
	struct proc_status status;
	return proc_thread_status(pid, tid, &status) ? status.n_sleeps : UINT64_MAX;
}

pid_t threads_find_busy(pid_t pid, uint64_t timeout_ns)
{
	enum { BUSY_NS = 200 * 1000 };
	struct thread_place *threads = NULL, again;
	size_t n = 0, n_running = 0;
	pid_t found = 0;
	err_destroy(threads_list(pid, &threads, &n));
	uint64_t(*before)[2] = calloc(n + 1, sizeof(*before));
	for (size_t i = 0; before && i < n; i++) {
		if (threads[i].syscall != -2)
			continue;
		threads[n_running].tid = threads[i].tid;
		before[n_running][0] = cpu_time_of(pid, threads[i].tid);
		before[n_running++][1] = n_sleeps_of(pid, threads[i].tid);
	}
	uint64_t deadline = monotonic_ns() + timeout_ns; /* reading them takes time of its own */
	while (n_running && !found && monotonic_ns() < deadline) {
		poll(NULL, 0, 1);
		for (size_t i = 0; i < n_running && !found; i++) {
			pid_t tid = threads[i].tid;
			uint64_t ns = cpu_time_of(pid, tid);
			bool is = ns != UINT64_MAX && before[i][0] != UINT64_MAX &&
				  ns - before[i][0] >= BUSY_NS &&
				  n_sleeps_of(pid, tid) == before[i][1] &&
				  thread_place_read(pid, tid, &again) && again.syscall == -2;
			found = is ? tid : 0;
		}
	}
	free(before);
	free(threads);
	return found;
}

bool threads_any_starved(pid_t pid)
{
	enum { LOOK_MS = 20, FAIR_SHARE = 4 };
	struct thread_place *threads = NULL, again;
	size_t n = 0;
	bool any = false;
	err_destroy(threads_list(pid, &threads, &n));
	uint64_t *before = calloc(n + 1, sizeof(*before));
	for (size_t i = 0; i < n; i++)
		any |= threads[i].state == 't'; /* it has just reached our stop */
	for (size_t i = 0; before && i < n; i++)
		before[i] = threads[i].state == 'R' ? cpu_time_of(pid, threads[i].tid) : UINT64_MAX;
	if (before && !any)
		poll(NULL, 0, LOOK_MS);
	for (size_t i = 0; before && i < n && !any; i++) {
		uint64_t now = before[i] == UINT64_MAX ? UINT64_MAX
						       : cpu_time_of(pid, threads[i].tid);
		any = now != UINT64_MAX && now - before[i] < LOOK_MS * 1000000u / FAIR_SHARE &&
		      thread_place_read(pid, threads[i].tid, &again) && again.state == 'R';
	}
	free(before);
	free(threads);
	return any;
}

/* ---- what the program sees of a stop ---- */

/* Has the socket a timeout (SO_RCVTIMEO or SO_SNDTIMEO)? With one the call ends early with EINTR,
 * without one it restarts (Linux v6.1 net/core/sock.c, sock_intr_errno). The socket itself is asked
 * (pidfd_getfd(2), Linux 5.6); if that is not possible, it may have one. */
static bool socket_may_time_out(pid_t pid, uint64_t fd, int option)
{
	char name[32], what[64];
	snprintf(name, sizeof(name), "fd/%d", (int)fd);
	ssize_t n = proc_link_read(pid, name, what, sizeof(what));
	if (n < 7 || memcmp(what, "socket:", 7) != 0)
		return false;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int own = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, (int)fd, 0);
	struct timeval timeout = { 0, 1 };
	socklen_t size = sizeof(timeout);
	if (own >= 0 && getsockopt(own, SOL_SOCKET, option, &timeout, &size) < 0)
		timeout.tv_usec = 1;
	if (own >= 0)
		close(own);
	if (pidfd >= 0)
		close(pidfd);
	return timeout.tv_sec || timeout.tv_usec;
}

/* The return address by which a thread at pc leaves the module that pc is in; 0: its frames cannot
 * be unwound. /proc shows only the stack pointer and pc, and frames of system call wrappers need no
 * other register. */
static uint64_t caller_of_module(const struct remote_target *t, const struct mapping *at,
				 uint64_t pc, uint64_t sp)
{
	enum { FRAMES_MAX = 8 };
	const struct mapping *header = NULL;
	for (size_t i = 0; i < t->maps->n && !header; i++)
		if (at->inode && t->maps->v[i].dev == at->dev && t->maps->v[i].inode == at->inode &&
		    !t->maps->v[i].offset)
			header = &t->maps->v[i];
	struct image *image = header ? image_of_memory(remote_mem_reader(t->mem),
						       RADDR(header->start), header->path)
				     : NULL;
	const struct cfi_table *table = image ? image_cfi(image) : NULL;
	struct cfi_scratch scratch = { 0 };
	uint64_t found = 0, lookup = pc,
		 bias = image ? image_bias_at(image, RADDR(header->start)) : 0;
	for (unsigned i = 0; table && !found && i < FRAMES_MAX; i++) {
		struct cfi_row row;
		if (cfi_row_find(&image->reader, table, lookup - bias, pc - bias, &scratch, &row) !=
			CFI_OK ||
		    row.cfa_deref || row.cfa_reg != CFI_SP || row.cfa_off < 8 ||
		    row.rules[CFI_PC].place != CFI_AT_CFA || row.rules[CFI_PC].off != -8)
			break;
		sp += (uint64_t)row.cfa_off;
		if (!remote_mem_read(t->mem, RADDR(sp - 8), &pc, sizeof(pc)))
			break;
		lookup = pc - 1; /* the address of the call */
		const struct mapping *m = maps_find(t->maps, RADDR(pc));
		if (!m || m->dev != at->dev || m->inode != at->inode)
			found = pc;
	}
	cfi_scratch_fini(&scratch);
	image_unref(NULL, image);
	return found;
}

/* Is the caller of libc's wrapper CPython itself, or its select module? CPython follows PEP 475 and
 * computes the rest of its timeout after EINTR; restarting the call would lengthen it. The caller
 * is found by the return address outside of libc, from libc's call frame information; without that
 * information, by the nearest word of the stack that looks like one (the wrappers of glibc 2.41 and
 * later leave old ones in between). */
bool thread_is_called_by_python(const struct remote_target *t, uint64_t pc, uint64_t sp)
{
	uint64_t words[96];
	size_t n = ARRAY_LEN(words);
	const struct mapping *wrapper = t->maps ? maps_find(t->maps, RADDR(pc)) : NULL;
	if (!wrapper)
		return false;
	words[0] = caller_of_module(t, wrapper, pc, sp);
	if (words[0])
		n = 1;
	else if (!remote_mem_read(t->mem, RADDR(sp), words, sizeof(words)))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (words[i] >= t->text_start && words[i] < t->text_end)
			return true;
		const struct mapping *m = maps_find(t->maps, RADDR(words[i]));
		if (!m || !m->exec || m == wrapper)
			continue;
		const char *name = strrchr(m->path, '/');
		if (name && !t->text_end &&
		    (strncmp(name, "/libpython", 10) == 0 || strncmp(name, "/python", 7) == 0))
			return true;
		return name && strncmp(name, "/select.cpython-", 16) == 0;
	}
	return false;
}

/* How much the program sees if this thread is stopped. The calls that end early with EINTR were
 * measured (Linux 6.18), each with a cell in tests/e2e/check_signals.py; signal(7) names them
 * too. */
static int rank_of(const struct remote_target *t, const struct thread_place *p)
{
	bool is_finite = true;
	if (p->state == 'D' || p->state == 't')
		return THREAD_SHOWS - 1; /* it cannot be stopped now, but perhaps soon */
	if (p->state == 'T')
		return THREAD_RUNS; /* its call, if any, has ended already */
	switch (p->syscall) {
	case -2: return THREAD_RUNS;
	case -1:
	case -3: return THREAD_RUNS + 1;
	case SYS_futex:
	case SYS_poll:
	case SYS_ppoll:
	case SYS_select:
	case SYS_pselect6:
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
	case SYS_restart_syscall:
	case SYS_wait4:
	case SYS_waitid:
	case SYS_pause:
	case SYS_rt_sigsuspend:
	case SYS_flock: return THREAD_EXACT;
	case SYS_read:
	case SYS_readv:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_accept:
	case SYS_accept4:
		return socket_may_time_out(t->pid, p->args[0], SO_RCVTIMEO) ? THREAD_SHOWS
									    : THREAD_EXACT + 1;
	case SYS_write:
	case SYS_writev:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_connect:
		return socket_may_time_out(t->pid, p->args[0], SO_SNDTIMEO) ? THREAD_SHOWS
									    : THREAD_EXACT + 1;
	case SYS_epoll_wait:
	case SYS_epoll_pwait: is_finite = (int)p->args[3] > 0; break;
	case SYS_epoll_pwait2:
	case SYS_semtimedop: is_finite = p->args[3] != 0; break;
	case SYS_rt_sigtimedwait: is_finite = p->args[2] != 0; break;
	case SYS_semop: is_finite = false; break;
	case SYS_io_getevents:
	case SYS_io_pgetevents: is_finite = p->args[4] != 0; break;
	/* the entries that it has submitted cannot be submitted again */
	case SYS_io_uring_enter: return THREAD_SHOWS;
	default: return THREAD_EXACT + 3; /* it restarts, by the kernel or by us */
	}
	if (!is_finite)
		return THREAD_EXACT + 2; /* EINTR, but the same call can be made again */
	bool recomputes = p->syscall == SYS_epoll_wait || p->syscall == SYS_epoll_pwait ||
			  p->syscall == SYS_rt_sigtimedwait;
	return recomputes && thread_is_called_by_python(t, p->pc, p->sp) ? THREAD_EXACT + 2
									 : THREAD_SHOWS;
}

static int compare_rank(const void *a, const void *b)
{
	return ((const struct thread_place *)a)->rank - ((const struct thread_place *)b)->rank;
}

void threads_sort(const struct remote_target *t, struct thread_place *threads, size_t n)
{
	for (size_t i = 0; i < n; i++)
		threads[i].rank = rank_of(t, &threads[i]);
	if (n)
		qsort(threads, n, sizeof(*threads), compare_rank);
}

int threads_best_rank(const struct remote_target *t)
{
	struct thread_place *threads = NULL;
	size_t n = 0;
	struct err *err = threads_list(t->pid, &threads, &n);
	if (!err)
		threads_sort(t, threads, n);
	int rank = !err && n ? threads[0].rank : THREAD_EXACT;
	err_destroy(err);
	free(threads);
	return rank;
}

bool threads_all_show(const struct remote_target *t)
{
	return threads_best_rank(t) >= THREAD_SHOWS;
}

bool thread_place_is_first_now(pid_t pid)
{
	struct thread_place first = { .state = 'Z' };
	for (unsigned i = 0; i < 100 && first.state == 'Z'; i++) {
		if (i)
			poll(NULL, 0, 1);
		if (!thread_place_read(pid, pid, &first))
			return false;
	}
	return first.state != 'Z' && proc_is_traced_by_us(pid);
}
