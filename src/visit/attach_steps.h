/*
 * attach_steps: the steps that all ways of attaching share: decide, reserve, fill.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "visit/one_thread.h"
#include "visit/remote_target.h"

struct link;
struct maps;
struct probe_options;
struct python_runtime;
struct target_facts;

/* One attach. Fields that are not set yet are zero; memfd is -1. */
struct attach {
	/* what is to be done: set by the caller */
	struct target_facts *facts;
	const struct python_runtime *runtime; /* one of the facts */
	const struct probe_options *options;
	bool is_attached; /* we trace all its threads already */
	/* what attach_prepare() decides */
	struct link *l;
	struct maps *maps;
	struct remote_target target;
	int memfd; /* -1: anonymous shared memory, opened through map_files */
	char memfd_path[64];
	bool is_locked;  /* the target locks its memory */
	uint32_t ns_pid; /* its pid as it sees it itself */
	/* how far it has come */
	struct remote_call_stats stats; /* of the last call */
	uint64_t base;                  /* of the reservation; 0: there is none yet */
	bool has_orphan;                /* the mailbox names that of an earlier auditview */
	bool is_done;                   /* nothing is left for the steps that follow */
};
/* Decide everything that can be decided without touching the target; a->l is the link to be
 * made. */
MUST_CHECK struct err *attach_prepare(struct attach *a);
/* does not free the link */
void attach_fini(struct attach *a);
/* The first call of a list that maps the ring: opens its memory if that is a file. *flags are those
 * of mmap(2), to which what this memory needs is added. Returns the bits of the operation of that
 * mmap. attach_close_ring() comes after it. */
uint64_t attach_open_ring(const struct attach *a, struct remote_program *p, uint64_t *flags);
void attach_close_ring(const struct attach *a, struct remote_program *p);
/* the calls that map the reservation */
void attach_map_program(const struct attach *a, struct remote_program *ret);
/* Everything between mapping and linking; the target runs meanwhile. */
MUST_CHECK struct err *attach_fill(struct attach *a, uint64_t base,
				   const struct remote_call_stats *stats);
/* Undo what failed at a thread that is at its stop: unlink, and unmap the reservation at `base`.
 * The program will run as if we had not been there, as far as possible. */
void attach_undo_at_stop(struct attach *a, uint64_t base);
