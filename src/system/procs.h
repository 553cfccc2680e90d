/*
 * procs: which Python processes are running here, and what /proc says of a process.
 *
 * Nothing is stopped or changed. A process counts as Python when its program or one of its
 * libraries says so; a process we may not look into counts when its program is called python.
 * procs_update() is made to be called every few seconds: what was learnt of a process is kept as
 * long as its program stays the same.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

/* /proc/PID/status, as far as we need it. */
struct proc_status {
	char name[64]; /* comm, escaped as the kernel does */
	char state;    /* R S D T t Z X I P */
	int tgid, ppid, tracer_pid;
	int ns_pid;              /* pid in the innermost namespace */
	unsigned n_namespaces;   /* pid namespaces from ours to its own; 1 = the same */
	uint32_t uid[4], gid[4]; /* real, effective, saved, file system */
	int n_threads;
	int seccomp; /* 0 none, 1 strict, 2 filter; -1 not told */
	bool no_new_privs;
	bool has_memory; /* false: a kernel thread, a zombie, or on the way there */
	bool is_kernel_thread;
	uint64_t cap_permitted, cap_effective;
};

/* False if the text is not that of a status file. */
bool proc_status_parse(const char *text, struct proc_status *ret);
/* Why open(2) of `path`, a file that others may have, failed with errno `sys`. If a lease keeps us
 * from it, sys of the error is EWOULDBLOCK, and it says who has the lease and how long it can
 * last. */
MUST_CHECK struct err *proc_open_error(int sys, const char *path);
/* ERR_TARGET_GONE if there is no such process. */
MUST_CHECK struct err *proc_status_read(pid_t pid, struct proc_status *ret);

/* All that descend from pid now, parents before children, a malloc'ed array; *ret_n may be 0. Left
 * out is the branch that the process `but` belongs to (0: none). ERR_SYS if /proc cannot be read,
 * ERR_NO_MEMORY. */
MUST_CHECK struct err *proc_descendants(pid_t pid, pid_t but, pid_t **ret, size_t *ret_n);

/* A thread by which the memory, files and namespaces of a process can be looked at, in /proc and by
 * process_vm_readv(2): those of a first thread that has ended are gone, though others of its
 * threads go on. Mostly pid itself; 0 if all have ended. */
pid_t proc_living_thread(pid_t pid);
/* Path of a file of /proc/PID, for a process whose first thread may have ended. */
void proc_path(pid_t pid, const char *name, char *to, size_t cap);

/* The three that follow read what belongs to the process, whichever thread still lives. */
/* Read a small file of /proc/PID; returns bytes read (at most cap - 1; a NUL is added), or -1 with
 * errno. */
ssize_t proc_file_read(pid_t pid, const char *name, char *to, size_t cap);
/* The target of a link of /proc/PID ("exe", "cwd", "ns/mnt"); returns its length, or -1 with errno.
 */
ssize_t proc_link_read(pid_t pid, const char *name, char *to, size_t cap);
/* An entry of its auxiliary vector as the kernel made it; 0: none, or a 32-bit program's. */
uint64_t proc_auxv_value(pid_t pid, uint64_t type);
/* When it started: clock ticks since boot, field 22 of /proc/PID/stat. With the pid it names a
 * process for good. */
bool proc_start_ticks(pid_t pid, uint64_t *ret);
/* What a thread does now: the state letter of /proc/PID/task/TID/stat (proc(5)), and the number of the
 * system call it sleeps in, -1 if it sleeps in none or if that is not told (it needs the right to
 * attach). False: there is no such thread. */
bool proc_thread_state(pid_t pid, pid_t tid, char *ret_state, long *ret_syscall);
bool proc_has_execed(pid_t pid); /* since it was forked: proved by what everybody may read of it */
/* "docker 3f2a9c1b04d5", "podman …", "kubernetes …", "lxc web1" from the text of /proc/PID/cgroup;
 * false if it tells none. */
bool proc_container_name(const char *cgroup, char *to, size_t cap);

/* A process as people call it, from the n bytes of /proc/PID/cmdline (NULs between words,
 * cmdline[n] must be one too): "app.py --fast",
 * "-m http.server 8080", "gunicorn shop:app". "" if there are no words. Never longer than cap - 1;
 * what is cut ends in "…". */
void proc_command_name(const char *cmdline, size_t n, char *to, size_t cap);

struct proc {
	int pid, ppid;
	int ns_pid; /* inside its own pid namespace; = pid if that is ours */
	uint64_t start_ticks;
	uint32_t uid;
	int n_threads;
	char state;
	bool in_container;  /* another pid or mount namespace than ours */
	bool is_readable;   /* we may look into its memory */
	double cpu_percent; /* since the last update; at first since its start */
	uint64_t uptime_ns;
	char version[24]; /* "3.12.1", "3.12" when only names could be read, "" unknown */
	char user[33];
	char container[48]; /* "" if unknown or none */
	char command[256];
	char cwd[256]; /* "" if it cannot be read */
};

struct procs;
MUST_CHECK struct err *procs_create(struct procs **ret);
void procs_destroy(struct procs *p);
DEFINE_CLEANUP(procs);

/* Look again. ERR_SYS if /proc cannot be read, ERR_NO_MEMORY. */
MUST_CHECK struct err *procs_update(struct procs *p);
/* In order of pid, borrowed until the next update. */
const struct proc *procs_get(const struct procs *p, size_t *ret_n);
