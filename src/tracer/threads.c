/*
 * threads: what the threads of a process are doing, as /proc tells: see remote_call.h.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/vec.h"
#include "tracer/remote_call.h"

bool thread_place_read(pid_t pid, pid_t tid, struct thread_place *ret)
{
	char path[64], text[512];
	*ret = (struct thread_place){ .tid = tid, .state = '?', .syscall = -3 };
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	char *paren = strrchr(text, ')');
	if (paren && paren[1] == ' ')
		ret->state = paren[2];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)pid, (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return true;
	text[n] = 0;
	unsigned long a[6], sp, pc;
	long nr;
	if (strncmp(text, "running", 7) == 0) {
		ret->syscall = -2;
	} else if (sscanf(text, "%ld %lx %lx %lx %lx %lx %lx %lx %lx", &nr, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &sp,
			  &pc) == 9) {
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
	for (struct dirent *e; dir && (e = readdir(dir));) {
		struct thread_place place;
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		if (tid <= 0 || !thread_place_read(pid, tid, &place) || place.state == 'Z' || place.state == 'X')
			continue;
		if (!vec_push(&list, place)) {
			closedir(dir);
			vec_fini(&list);
			return err_no_memory();
		}
	}
	if (dir)
		closedir(dir);
	*ret = list.v;
	*ret_n = list.n;
	return NULL;
}

/* How little it shows when this thread is interrupted, 0 best (which calls restart by themselves was measured: signal(7)
 * and its kernel sources name them). */
static int thread_rank(const struct thread_place *p)
{
	if (p->state == 'D' || p->state == 't')
		return 9;
	switch (p->syscall) {
	case SYS_futex:
	case SYS_poll:
	case SYS_ppoll:
	case SYS_select:
	case SYS_pselect6:
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
	case SYS_wait4:
	case SYS_waitid:
	case SYS_pause:
	case SYS_rt_sigsuspend:
	case SYS_flock: return 0;
	case SYS_read: return 1; /* of a pipe or terminal; a socket may have a timeout */
	case -2: return 2;
	case SYS_accept:
	case SYS_accept4:
	case SYS_recvfrom:
	case SYS_recvmsg: return 3;
	case -1: return 4;
	case SYS_epoll_wait:
	case SYS_epoll_pwait: return 5;
	default: return 6;
	}
}

static int compare_rank(const void *a, const void *b)
{
	return thread_rank(a) - thread_rank(b);
}

void threads_sort(struct thread_place *threads, size_t n)
{
	if (n)
		qsort(threads, n, sizeof(*threads), compare_rank);
}
