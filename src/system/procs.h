/*
 * procs: which Python processes run on this machine, and what /proc says about a process.
 *
 * Nothing is stopped or changed. A process counts as Python if its program or one of its libraries
 * proves it. If we may not read its memory, it counts if its program is called python.
 * procs_update() can be called every few seconds: results for a process are kept as long as it runs
 * the same program.
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
	int ns_pid;              /* pid in the innermost namespace */
	unsigned n_namespaces;   /* number of pid namespaces from ours to its own; 1 = the same */
	uint32_t uid[4], gid[4]; /* real, effective, saved, file system */
	int n_threads;
	int seccomp; /* 0 none, 1 strict, 2 filter; -1 unknown */
	bool no_new_privs;
	bool has_memory; /* false: a kernel thread, a zombie, or a process that is exiting */
	bool is_kernel_thread;
	uint64_t cap_permitted, cap_effective;
};

/* Returns false if the text is not that of a status file. */
bool proc_status_parse(const char *text, struct proc_status *ret);
/* The error for open(2) of `path`, a file that may belong to another process, that failed with
 * errno `sys`. If a lease blocks us, sys of the error is EWOULDBLOCK, and the error says which
 * process has the lease and how long it can last. */
MUST_CHECK struct err *proc_open_error(int sys, const char *path);
/* ERR_TARGET_GONE if there is no such process. */
MUST_CHECK struct err *proc_status_read(pid_t pid, struct proc_status *ret);
/* Is the process, or the thread, a tracee of ours? False if it is gone. */
bool proc_is_traced_by_us(pid_t pid);

struct maps;
struct remote_mem;
/* What an examination of a process begins with: its mappings with their modules, and its memory,
 * which is read at most EXAMINATION_READS times. The caller frees both, also after an error; they
 * are NULL if they could not be had. */
MUST_CHECK struct err *proc_examine(pid_t pid, struct maps **ret_maps, struct remote_mem **ret_mem);

/* All descendants of pid at this moment, parents before children, in a malloc'ed array; *ret_n may
 * be 0. The branch that contains the process `but` is left out (0: none). ERR_SYS if /proc cannot
 * be read, ERR_NO_MEMORY. */
MUST_CHECK struct err *proc_descendants(pid_t pid, pid_t but, pid_t **ret, size_t *ret_n);

/* A thread through which the memory, files and namespaces of a process can be read, in /proc and by
 * process_vm_readv(2). If the first thread has ended, its own are gone although other threads may
 * still run. Usually returns pid itself; 0 if all threads have ended. */
pid_t proc_living_thread(pid_t pid);

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
/* Start time: clock ticks since boot, field 22 of /proc/PID/stat. Together with the pid it
 * identifies a process for ever. */
bool proc_start_ticks(pid_t pid, uint64_t *ret);
/* What a thread is doing now: the state letter of /proc/PID/task/TID/stat (proc(5)), and the number
 * of the system call that it sleeps in. The number is -1 if it sleeps in none or if we may not know
 * (that needs the right to attach). Returns false if there is no such thread. */
bool proc_thread_state(pid_t pid, pid_t tid, char *ret_state, long *ret_syscall);
/* Another number for each program that a process executes, unless its addresses are not randomised
 * (personality(2), ADDR_NO_RANDOMIZE): where the kernel placed the program and its 16 random bytes
 * (getauxval(3), AT_ENTRY, AT_RANDOM). 0: its auxiliary vector cannot be read. */
uint64_t proc_program_mark(pid_t pid);
/* has it called exec since it was forked? Everybody may read this */
bool proc_has_execed(pid_t pid);
/* "docker 3f2a9c1b04d5", "podman …", "kubernetes …", "lxc web1" from the text of /proc/PID/cgroup;
 * false if it names none. */
bool proc_container_name(const char *cgroup, char *to, size_t cap);

/* The name of a process for people, from the n bytes of /proc/PID/cmdline (NULs between words;
 * cmdline[n] must be NUL too): "app.py --fast", "-m http.server 8080", "gunicorn shop:app". "" if
 * there are no words. At most cap - 1 bytes; a cut name ends in "…". */
void proc_command_name(const char *cmdline, size_t n, char *to, size_t cap);

struct proc {
	int pid, ppid;
	int ns_pid; /* pid in its own pid namespace; = pid if that is ours */
	uint64_t start_ticks;
	uint32_t uid;
	int n_threads;
	char state;
	bool in_container;  /* its pid or mount namespace is not ours */
	bool is_readable;   /* we may read its memory */
	double cpu_percent; /* since the last update; the first time, since its start */
	uint64_t uptime_ns;
	char version[24]; /* "3.12.1", "3.12" if only names could be read, "" unknown */
	char user[33];
	char container[48]; /* "" if unknown or none */
	char command[256];
	char cwd[256]; /* "" if it cannot be read */
};

struct procs;
MUST_CHECK struct err *procs_create(struct procs **ret);
void procs_destroy(struct procs *p);
DEFINE_CLEANUP(procs);

/* Read the list again. ERR_SYS if /proc cannot be read, ERR_NO_MEMORY. */
MUST_CHECK struct err *procs_update(struct procs *p);
/* In order of pid; borrowed until the next update. */
const struct proc *procs_get(const struct procs *p, size_t *ret_n);
