/*
 * procs: which Python processes run on this machine, and the descendants of a process.
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

struct maps;
struct remote_mem;
/* What an examination of a process begins with: its mappings with their modules, and its memory,
 * which is read at most EXAMINATION_READS times. The caller frees both, also after an error; they
 * are NULL if they could not be read. */
MUST_CHECK struct err *proc_examine(pid_t pid, struct maps **ret_maps, struct remote_mem **ret_mem);

/* All descendants of pid at this moment, parents before children, in a malloc'ed array; *ret_n may
 * be 0. The branch that contains the process `but` is left out (0: none). ERR_SYS if /proc cannot
 * be read, ERR_NO_MEMORY. */
MUST_CHECK struct err *proc_descendants(pid_t pid, pid_t but, pid_t **ret, size_t *ret_n);

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
	/* "gunicorn worker", "django runserver"; "" if it is of no framework that is known */
	char framework[48];
	/* the folder of its virtual environment, as its command line names it; "" */
	char venv[128];
};

struct procs;
MUST_CHECK struct err *procs_create(struct procs **ret);
void procs_destroy(struct procs *p);
DEFINE_CLEANUP(procs);

/* Read the list again. ERR_SYS if /proc cannot be read, ERR_NO_MEMORY. */
MUST_CHECK struct err *procs_update(struct procs *p);
/* In order of pid; borrowed until the next update. */
const struct proc *procs_get(const struct procs *p, size_t *ret_n);
