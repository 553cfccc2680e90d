/*
 * thread_rest: prove that a thread did not run while its memory was read, without stopping it.
 *
 * What a thread alone writes, such as its stack, is a consistent whole as long as the thread does
 * not run. The kernel tells enough to know that it did not:
 *
 *   A thread that sleeps has left the CPU when /proc/PID/task/TID/syscall shows its registers
 *   (Linux 6.1 lib/syscall.c, collect_syscall(), which calls wait_task_inactive()).
 *   A thread that is ready to run does not run while this process runs on the CPU that
 *   /proc/PID/task/TID/stat names for it. This process therefore moves to that CPU; only its own
 *   affinity changes.
 *
 * If both were so at a first and at a second moment, and the thread was not switched out in between
 * (the two counters at the end of /proc/PID/task/TID/status), it did not run in between.
 *
 * Some of these files wait for an exec of the process (remote_io.h), so the caller is a process
 * that may be abandoned, with a deadline. Its affinity stays changed.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct thread_rest {
	int status_fd, syscall_fd, stat_fd; /* -1: not open */
	int cpu;                            /* that this process is bound to; -1: to none */
	char state;                         /* as in `status`: R S D T t I */
	uint64_t n_switches;
	char syscall[160]; /* of a thread that sleeps, as the kernel wrote it; else "" */
};

/* False: there is no such thread, or its files cannot be opened. */
bool thread_rest_open(struct thread_rest *r, pid_t pid, pid_t tid);
void thread_rest_close(struct thread_rest *r);
/* Did it not run at this moment? If not, ask again. `cpu` of the last thread that was asked about
 * can be handed on. */
bool thread_rest_begin(struct thread_rest *r);
/* Has it not run since thread_rest_begin() said so? */
bool thread_rest_end(struct thread_rest *r);
