/*
 * thread_wait: in words, where a thread waits: "reading /path", "in epoll_wait, on 3 descriptors".
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A line of /proc/PID/task/TID/syscall (proc(5)). */
struct thread_call {
	long number; /* -1: it waits outside a system call, for a page of memory for example */
	uint64_t args[6];
};
/* False: the line is not one of a thread that waits. */
bool thread_call_parse(const char *line, struct thread_call *ret);

/* Is it a wait for a lock in memory, and at which address? */
bool thread_call_futex(const struct thread_call *c, uint64_t *ret_address);
/* The words, at most cap - 1 bytes. Descriptors are looked up in /proc/PID/fd, which waits for an
 * exec of the process; what they name may hold any byte. */
void thread_call_describe(const struct thread_call *c, pid_t pid, char *to, size_t cap);
