/*
 * proc_file: read files and links of /proc/PID.
 *
 * Some of them wait for the process: they are read with a deadline (remote_io.h).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The next three functions read the process's data through any thread that still lives. */
/* Read a small file in /proc/PID. Returns the number of bytes read (at most cap - 1; a NUL is
 * added), or -1 with errno set. */
ssize_t proc_file_read(pid_t pid, const char *name, char *to, size_t cap);
/* Read a link in /proc/PID ("exe", "cwd", "ns/mnt"). Returns the length of its target, or -1 with
 * errno set. */
ssize_t proc_link_read(pid_t pid, const char *name, char *to, size_t cap);
/* An entry of the auxiliary vector as the kernel made it; 0 if it is missing or the program is a
 * 32-bit one. */
uint64_t proc_auxv_value(pid_t pid, uint64_t type);
/* From /proc/PID/stat. */
struct proc_stat {
	int ppid;
	uint64_t cpu_ticks, start_ticks;
};
bool proc_stat_read(pid_t pid, struct proc_stat *ret);
/* Start time: clock ticks since boot, field 22 of /proc/PID/stat. Together with the pid it
 * identifies a process forever. It is remembered, so that to ask again is cheap. Not for several
 * threads. */
bool proc_start_ticks(pid_t pid, uint64_t *ret);
/* A random number that the kernel draws at each boot, as text of 36 characters (random(4)); "" if
 * /proc does not have it. */
void proc_boot_id(char *to, size_t n_bytes);
/* What a thread is doing now: its state as proc_state_read() tells it, and the number
 * of the system call that it sleeps in. The number is -1 if it sleeps in none or if we may not know
 * (that needs the right to attach). Returns false if there is no such thread. */
bool proc_thread_state(pid_t pid, pid_t tid, char *ret_state, long *ret_syscall);
/* Does the first thread of a process sleep in a read(2) of the file with this path? False also if
 * we may not know. */
bool proc_reads_file(pid_t pid, const char *path);
/* Another number for each program that a process executes, unless its addresses are not randomised
 * (personality(2), ADDR_NO_RANDOMIZE): where the kernel placed the program and its 16 random bytes
 * (getauxval(3), AT_ENTRY, AT_RANDOM). 0: its auxiliary vector cannot be read. */
uint64_t proc_program_mark(pid_t pid);
/* Has it called exec since it was forked? Any user may read this. */
bool proc_has_execed(pid_t pid);
