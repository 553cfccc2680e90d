/*
 * threads: the threads of a process, as /proc shows them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct remote_target;

enum thread_rank { THREAD_EXACT = 0, THREAD_RUNS = 4, THREAD_SHOWS = 8 };
struct thread_place {
	pid_t tid;
	char state;   /* as in /proc/PID/stat */
	long syscall; /* number; -1 none; -2 running; -3 unknown */
	uint64_t args[6], sp, pc;
	int rank; /* how much of a stop the program sees: enum thread_rank, and values between */
};
/* The threads of a process as /proc shows them. Returns a malloc'ed list, with 0 threads if the
 * process is gone. ERR_SYS if a thread cannot be read, ERR_NO_MEMORY. */
MUST_CHECK struct err *threads_list(pid_t pid, struct thread_place **ret, size_t *ret_n);
/* false with errno: ENOENT or ESRCH if it is gone */
bool thread_place_read(pid_t pid, pid_t tid, struct thread_place *ret);
/* A seized thread is gone. If that is because it called exec(2), it is the first thread of its
 * process now, and still our tracee. (The first thread before it is a zombie until then.) */
bool thread_place_is_first_now(pid_t pid);
/* Fill in the ranks and sort by them: the threads whose stop shows least come first. */
void threads_sort(const struct remote_target *t, struct thread_place *threads, size_t n);
/* the best rank among its threads; THREAD_EXACT if it has none left */
int threads_best_rank(const struct remote_target *t);
/* A thread that has run for at least 0.2 ms without a sleep, and is still running. 0: none was seen
 * within timeout_ns. A thread that merely runs may have been woken up this moment, in a call that a
 * stop would end early. */
pid_t threads_find_busy(pid_t pid, uint64_t timeout_ns);
/* Is a thread ready to run but hardly gets a processor, or has one only now come to a stop that we
 * asked for? What it did not do in time, it may still do. Takes 20 ms. */
bool threads_any_starved(pid_t pid);
/* Does every thread wait in a call that a stop would end early, visibly to the program? */
bool threads_all_show(const struct remote_target *t);
/* Was the system call at pc made by CPython itself, as far as the stack shows? */
bool thread_is_called_by_python(const struct remote_target *t, uint64_t pc, uint64_t sp);
