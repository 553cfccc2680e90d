/*
 * remote_program: a list of system calls and stores that a thread of the target does for us.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/mem_read.h"

enum remote_op_flag { /* ops.inc of src/arch */
		      REMOTE_ADD_BASE,
		      REMOTE_FD_R8,
		      REMOTE_FD_RDI,
		      REMOTE_SAVE_BASE,
		      REMOTE_SAVE_FD,
		      REMOTE_LINK,
		      REMOTE_UNLINK,
		      REMOTE_STORE
};
#define REMOTE_FLAG(f) (1ull << (32 + (f)))

struct remote_op {
	uint64_t op; /* system call number | REMOTE_FLAG()s */
	uint64_t args[6];
};
#define REMOTE_MAX_OPS 12

struct remote_program {
	struct remote_op ops[REMOTE_MAX_OPS];
	size_t n_ops;
	uint64_t base;        /* what the answer is when no call saves one (0: then it is 1) */
	uint64_t total_bytes; /* of the reservation, unmapped again when a later call fails */
	/* Until the answer comes the mailbox says that this is pending: the base of a reservation
	 * that the next auditview must find if we are killed; 0 none. */
	uint64_t pending;
	/* for an open: an op argument REMOTE_PATH is replaced by the address of this path; NULL =
	 * none */
	const char *path;
};
#define REMOTE_PATH 0x7061746870617468ull

void remote_program_add(struct remote_program *p, uint64_t op, uint64_t a0, uint64_t a1,
			uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

/* Bytes to be written into the target. */
struct remote_store {
	raddr to;
	const void *bytes;
	size_t n_bytes;
};
