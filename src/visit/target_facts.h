/*
 * target_facts: what a process is, found once and handed from step to step.
 *
 *   access    judges whether the process can be attached to
 *   arm       goes through its runtimes
 *   attach    finds the places for entry and code, and stops it
 *
 * Nothing is stopped or changed. The facts are as old as the examination; what can change between
 * two steps is checked again by the step that relies on it (remote_target_check(), for modules that
 * the program can unload).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/proc_status.h"
#include "python/python.h"

struct maps;
struct remote_mem;

struct target_facts {
	pid_t pid;
	struct proc_status status;
	/* of the program that was examined, also if the process has called exec since */
	struct remote_mem *mem;
	struct maps *maps, *examined; /* with their modules: the newest, those with the runtimes */
	uint64_t read_ns;             /* CLOCK_MONOTONIC: when status and maps were read */
	struct python_runtime *runtimes; /* module.path is borrowed from `examined` */
	size_t n_runtimes;
	struct err *why; /* why a Python cannot be watched: the first such module; NULL none */
	struct err *incomplete; /* not all could be read: remote_mem_unlimit(); NULL all was */
};

/* Examine a process. The status is `status`, or is read where that is NULL. ERR_TARGET_GONE,
 * ERR_DENIED, ERR_TIMEOUT, ERR_UNSUPPORTED, ERR_NO_MEMORY. It is no error if there is no
 * runtime. */
MUST_CHECK struct err *target_facts_read(pid_t pid, const struct proc_status *status,
					 struct target_facts **ret);
/* Why there is no runtime: the facts have none. ERR_NOT_PYTHON; ERR_UNSUPPORTED, ERR_TIMEOUT with
 * the cause. */
MUST_CHECK struct err *target_facts_none(struct target_facts *f);
/* For a step that comes after a wait: read status and maps again if they are older than a moment.
 * The runtimes stay as they were found. */
MUST_CHECK struct err *target_facts_refresh(struct target_facts *f);
void target_facts_destroy(struct target_facts *f); /* NULL is fine */
DEFINE_CLEANUP(target_facts);
