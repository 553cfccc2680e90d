/*
 * process: what the recorder and the capture know of one program that one process runs. After an
 * exec the same pid has a new struct process.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "capture/writer.h"

struct err;
struct fd_names;
struct python_runtime;
struct recorder;
struct tap;

struct process {
	pid_t pid;
	int pidfd;             /* -1: it has ended, is followed, or the kernel has no pidfd */
	uint32_t index;        /* in the capture */
	bool ended;            /* the process has ended, or runs another program now */
	bool execed;           /* `ended`, because it runs another program now */
	bool is_needed;        /* scratch of processes_forget() */
	bool is_over;          /* scratch of processes_notice_ends() */
	int status;            /* as of wait(2); -1 unknown */
	unsigned prefix_tries; /* of process_read_prefixes() */
	bool is_filtered;      /* a seccomp filter was seen: its threads may not sleep */
	/* its address space when that last changed by much; 0: unknown */
	uint64_t vm_bytes;
	uint64_t modules_hash; /* of the modules that were mapped then */
	unsigned n_looks;      /* since then, for a libpython that was loaded late */
	uint64_t look_ns;      /* when the next look is due */
	bool is_unwatched;     /* it is a Python that cannot be watched, and that was reported */
	bool is_doubtful;      /* the last look found the same; reported if the next one does */
	bool awaits_python;    /* it was attached to, and had no Python then */
	bool is_counted;       /* among the children, though its fork was not reported */
	/* Its Python could not be watched when it started, because of this, and it is tried again
	 * (upkeep.c). Owned; NULL: no. */
	struct err *late;
	struct tap *tap; /* whose ring it writes to; NULL none */
	/* how its slots there name it (abi.h, ring_slot); 0: it has no slot yet */
	uint32_t slot_pid, slot_birth;
	uint32_t uid, gid;         /* with which it opens files; as of its first look */
	bool has_packages;         /* packages.c has asked for them */
	char *project_start;       /* where its project is looked for; malloc'ed; NULL: unknown */
	char *package_folders;     /* of packages.c: each ends with a NUL; malloc'ed */
	size_t n_package_folders;  /* bytes of them */
	struct fd_names *fd_names; /* of fd_names.c; NULL until it is needed */
	struct process_info info;
};

/* The running program of a process; NULL if it is unknown or has ended. */
struct process *process_find(struct recorder *r, pid_t pid);
/* rt: NULL if the process is not known to be Python. flags: enum process_flag. Returns NULL if
 * memory is short. */
struct process *process_add(struct recorder *r, pid_t pid, const struct python_runtime *rt,
			    uint32_t flags);
/* The same for a process that has ended, and whose pid another process may have by now. */
struct process *process_add_gone(struct recorder *r, pid_t pid, const struct python_runtime *rt,
				 uint32_t flags);
/* A Python was found in it. */
void process_is_python(struct recorder *r, struct process *p, const struct python_runtime *rt);
void process_update(struct recorder *r, struct process *p); /* p->info has changed */
/* Is it traced, and will it be, so that its probe may read the processor's clock? False, too, if
 * that cannot be trusted (probe/clock.h). */
bool process_may_read_tsc(const struct recorder *r, pid_t pid);
/* Its probe reads the processor's clock from now on, or no longer does (probe/clock.h). */
void process_set_times(struct recorder *r, pid_t pid, bool are_exact);
/* It is a child whose fork the follower did not report: count it, once. */
void process_count_child(struct recorder *r, struct process *p);
/* sys.path and the folder of the standard library, as python_sys_path_read() returns them. */
long process_sys_path(const struct process *p, const struct python_runtime *rt, char *to,
		      size_t cap);
/* Read the folders of sys.path into p->info, once the interpreter has them. rt: the runtime in
 * it. */
void process_read_prefixes(struct recorder *r, struct process *p, const struct python_runtime *rt);
/* status: as of wait(2), -1 unknown */
void process_ended(struct recorder *r, struct process *p, int status);
void process_execed(struct recorder *r, struct process *p); /* its program was replaced */
/* False if it has ended, also while its exit status is still to come. */
bool process_has_memory(pid_t pid);
/* For link_detach(): is the process followed? ctx: struct recorder. */
bool process_is_followed(void *ctx, pid_t pid);
