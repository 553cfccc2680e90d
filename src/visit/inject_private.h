/*
 * inject_private: what attaching and leaving have in common.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "visit/remote_call.h"

#define CALL_TIMEOUT_NS 2000000000ull
#define CALL_GRACE_NS   200000000ull /* for a thread that is leaving our code */

struct elf_module;
struct link;
struct maps;
struct probe_options;
struct python_runtime;
struct remote_mem;

/* Possible offsets of tid in struct pthread on x86-64: glibc 2.31 … 2.43 nptl/descr.h; musl 1.2 and
 * 1.1 src/internal/pthread_impl.h. An offset is checked before it is used. All three C libraries
 * update tid in a forked child. */
#define LINK_TID_OFFS 3
extern const uint32_t link_tid_offs[LINK_TID_OFFS];

/* What attaching needs in addition to the link. */
struct attach {
	struct link *l;
	struct maps *maps;
	const struct probe_options *options;
	struct remote_target target;
	int memfd; /* -1: anonymous shared memory, opened through map_files */
	char memfd_path[64];
	bool is_locked; /* the target locks its memory */
};
/* Decide everything that can be decided without touching the target; a->l is the link to be
 * made. */
MUST_CHECK struct err *attach_prepare(struct attach *a, pid_t pid, const struct python_runtime *rt,
				      const struct probe_options *options, bool attached);
/* does not free the link */
void attach_fini(struct attach *a);
/* The attach has ended: *ret is its link, or the link is freed if there is an error. Returns err. */
MUST_CHECK struct err *attach_end(struct attach *a, struct err *err, struct link **ret);
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

/* Begin a ring that was just opened: set a new nonce and the present time, and let probes in. */
void link_begin_ring(struct link *l, const struct probe_options *options);
/* it is linked; no other recorder can claim it, because we hold the lock */
void link_own(struct link *l);
/* unlink by plain stores */
MUST_CHECK struct err *link_unlink_plain(const struct link *l, struct remote_mem *mem);
/* keep the longest pause */
void link_note_pause(struct link *l, const struct remote_call_stats *stats);
/* munmap of the whole reservation */
void link_unmap_program(const struct link *l, struct remote_program *p);
/* Is no thread in the probe, and will none enter it? The probe must be unlinked. ERR_TARGET_GONE if
 * the memory is gone: the process is ending, or a zombie that its parent has not reaped yet. */
MUST_CHECK struct err *link_check_left(const struct link *l, const struct remote_target *t,
				       bool *ret_left);
/* The reservation could not be unmapped: note it in the mailbox for the next auditview. */
void link_keep_orphan(const struct link *l, struct remote_mem *mem);
/* Unmap a reservation that only the mailbox names: a recorder was killed between mapping and
 * linking, or between unlinking and unmapping, or could not stop any thread when it left. */
MUST_CHECK struct err *link_reclaim_orphan(struct link *l, const struct remote_target *t,
					   uint64_t timeout_ns);
/* Fill our entry and link it as the first: this cannot fail half-way. */
void link_program(const struct link *l, struct remote_program *p);
/* Set t->unloadable and t->fleeting for the module of the runtime; both stay NULL if it cannot be
 * unloaded. */
void link_target_module(const struct link *l, struct remote_target *t);
/* Set the text range of t to the executable mapping of the module that holds the runtime. */
void link_text_range(const struct maps *maps, const struct elf_module *module,
		     struct remote_target *t);
