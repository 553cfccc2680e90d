/*
 * inject_private: what attaching and leaving share.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "visit/remote_call.h"

#define CALL_TIMEOUT_NS 2000000000ull
#define CALL_GRACE_NS   200000000ull /* for a thread on its way out of our code */

struct elf_module;
struct link;
struct maps;
struct probe_options;
struct python_runtime;
struct remote_mem;

/* Of tid in struct pthread on x86-64: glibc 2.31 … 2.43 nptl/descr.h; musl 1.2 and 1.1
 * src/internal/pthread_impl.h. Checked before it is used. All three write it anew in a forked
 * child. */
#define LINK_TID_OFFS 3
extern const uint32_t link_tid_offs[LINK_TID_OFFS];

/* What attaching needs besides the link. */
struct attach {
	struct link *l;
	struct maps *maps;
	const struct probe_options *options;
	struct remote_target target;
	int memfd; /* -1: anonymous shared memory, opened through map_files */
	char memfd_path[64];
	bool is_locked; /* it locks its memory */
};
/* All that can be decided without touching the target; a->l is the link to be. */
MUST_CHECK struct err *attach_prepare(struct attach *a, pid_t pid, const struct python_runtime *rt,
				      const struct probe_options *options, bool attached);
void attach_fini(struct attach *a);                                          /* not the link */
void attach_map_program(const struct attach *a, struct remote_program *ret); /* the reservation */
/* Everything between mapping and linking; the target runs. */
MUST_CHECK struct err *attach_fill(struct attach *a, uint64_t base,
				   const struct remote_call_stats *stats);

/* The ring was just opened: a new nonce, the present time, and let probes in. */
void link_begin_ring(struct link *l, const struct probe_options *options);
/* it is linked, and that it is ours nobody can dispute: we hold the lock */
void link_own(struct link *l);
/* by stores alone */
MUST_CHECK struct err *link_unlink_plain(const struct link *l, struct remote_mem *mem);
void link_note_pause(struct link *l, const struct remote_call_stats *stats); /* keep the longest */
/* munmap of the whole reservation */
void link_unmap_program(const struct link *l, struct remote_program *p);
/* Is no thread in the probe, and will none be: unlinked, it can go. ERR_TARGET_GONE when the memory
 * is no more: the process is ending, or a zombie that its parent has not fetched yet. */
MUST_CHECK struct err *link_check_left(const struct link *l, const struct remote_target *t,
				       bool *ret_left);
/* The reservation could not be unmapped: note it in the mailbox for the next auditview. */
void link_keep_orphan(const struct link *l, struct remote_mem *mem);
/* Unmap a reservation that only the mailbox tells of: a recorder was killed between mapping and
 * linking, or between unlinking and unmapping, or could not stop any thread when it left. */
MUST_CHECK struct err *link_reclaim_orphan(struct link *l, const struct remote_target *t,
					   uint64_t timeout_ns);
/* Fill our entry and put it first: cannot fail half-way. */
void link_program(const struct link *l, struct remote_program *p);
/* What the module of the runtime is to t: `unloadable`, `fleeting` or neither. */
void link_target_module(const struct link *l, struct remote_target *t);
/* The executable mapping of the module that holds the runtime, into t. */
void link_text_range(const struct maps *maps, const struct elf_module *module,
		     struct remote_target *t);
