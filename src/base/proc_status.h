/*
 * proc_status: what /proc/PID/status says of a process or a thread.
 *
 * A read of it waits for nothing of the process: neither for its memory nor for the end of its exec
 * (system/remote_io.h). Hence it can be read of every process of the machine.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

/* The part of /proc/PID/status that we use. */
struct proc_status {
	char name[64]; /* comm, escaped as the kernel does */
	char state;    /* R S D T t Z X I P */
	int tgid, ppid, tracer_pid;
	int ns_pid;              /* pid in the innermost namespace; of a thread, its tid there */
	unsigned n_namespaces;   /* number of pid namespaces from ours to its own; 1 = the same */
	uint32_t uid[4], gid[4]; /* real, effective, saved, file system */
	int n_threads;
	int seccomp;   /* 0 none, 1 strict, 2 filter; -1 unknown */
	int n_filters; /* of seccomp; -1: unknown (before Linux 5.9) */
	bool no_new_privs;
	bool has_memory; /* false: a kernel thread, a zombie, or a process that is exiting */
	bool is_kernel_thread;
	uint64_t cap_permitted, cap_effective;
	uint64_t sig_blocked, sig_caught; /* bit signal - 1 */
	uint64_t sig_pending;             /* of the thread alone */
	int fd_size;                      /* descriptors for which the table has room */
	uint64_t n_sleeps;                /* voluntary context switches; UINT64_MAX: unknown */
	uint64_t vm_bytes, data_bytes, locked_bytes; /* VmSize, VmData, VmLck */
};

/* Returns false if the text is not that of a status file. */
bool proc_status_parse(const char *text, struct proc_status *ret);
/* ERR_TARGET_GONE if there is no such process. */
MUST_CHECK struct err *proc_status_read(pid_t pid, struct proc_status *ret);
/* The status of exactly this thread of pid, also if it is a zombie; pid may be tid itself. False:
 * there is no such thread. What stands behind the list of its groups may be cut off in a thread
 * that is in thousands of groups; it is then unknown, or 0. */
bool proc_thread_status(pid_t pid, pid_t tid, struct proc_status *ret);
/* The same from a path, such as "/proc/thread-self/status". */
bool proc_status_read_path(const char *path, struct proc_status *ret);
/* The state letter of a thread, from /proc/PID/task/TID/status (proc(5)). "stat" has it too, but to
 * read that waits for an exec of the process to end (Linux 6.18 fs/proc/array.c, do_task_stat():
 * exec_update_lock), and with a file system of its own a program can make that last forever. This
 * waits for nothing of the process. Returns false with errno: ENOENT or ESRCH, there is no such
 * thread. */
bool proc_state_read(pid_t pid, pid_t tid, char *ret);
/* The parent of a process; false if the process is gone. */
bool proc_parent_read(pid_t pid, pid_t *ret);
/* Is the process, or the thread, a tracee of ours? False if it is gone. */
bool proc_is_traced_by_us(pid_t pid);
/* A thread through which the memory, files and namespaces of a process can be read, in /proc and by
 * process_vm_readv(2). If the first thread has ended, its own are gone although other threads may
 * still run. Usually returns pid itself; 0 if all threads have ended. */
pid_t proc_living_thread(pid_t pid);

/* The error for open(2) of `path`, a file that may belong to another process, that failed with
 * errno `sys`. If a lease blocks us, sys of the error is EWOULDBLOCK, and the error says which
 * process has the lease and how long it can last. */
MUST_CHECK struct err *proc_open_error(int sys, const char *path);
