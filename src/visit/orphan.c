/*
 * orphan: see orphan.h.
 */
#include "visit/orphan.h"

#include <poll.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "system/maps.h"
#include "system/remote_mem.h"
#include "visit/carrier.h"
#include "visit/entry_place.h"
#include "visit/mailbox.h"
#include "visit/one_thread.h"
#include "visit/probe_link.h"
#include "visit/ptrace.h"
#include "visit/remote_place.h"
#include "visit/remote_program.h"
#include "visit/remote_target.h"
#include "visit/threads_outside.h"

void orphan_keep(const struct link *l, struct remote_mem *mem)
{
	uint64_t pending = mailbox_word_pending(l->base.v);
	struct err *err = remote_mem_write(mem, entry_place_mailbox(l->entry), &pending,
					   sizeof(pending));
	if (err)
		log_debug("%s", err->message);
	err_destroy(err);
}

/* The stub leaves the base of the reservation in the mailbox. */
struct err *orphan_reclaim(struct link *l, const struct remote_target *t, uint64_t timeout_ns)
{
	guest_u64 word;
	if (!mailbox_read(l->mem, l->place.mailbox, &word))
		return NULL;
	uint64_t base = mailbox_reservation(word);
	const struct mapping *m = base ? maps_find(t->maps, RADDR(base)) : NULL;
	if (!m || m->start > base || m->inode)
		return NULL;
	/* A reservation is one contiguous run of mappings that ends with the shared ring. */
	uint64_t end = base, code = 0, code_end = 0;
	bool ring = false;
	for (size_t i = (size_t)(m - t->maps->v); i < t->maps->n && !ring; i++) {
		const struct mapping *next = &t->maps->v[i];
		if (i > (size_t)(m - t->maps->v) && next->start != end)
			return NULL;
		end = next->end;
		ring = next->shared;
		if (!ring && next->inode)
			return NULL;
		if (next->exec) {
			code = next->start;
			code_end = next->end;
		}
	}
	if (!ring)
		return NULL;
	struct probe_context ctx;
	bool may_come_back = remote_mem_read(l->mem, RADDR(base), &ctx, sizeof(ctx)) &&
			     ctx.magic == PROBE_MAGIC && ctx.base == base && ctx.abi >= 7 &&
			     ctx.abi <= PROBE_ABI;
	for (unsigned i = 0; code; i++) {
		bool outside = false;
		struct err *err = threads_outside_check(t, code, code_end, &outside);
		if (err && (err->code != ERR_TIMEOUT || i > 10))
			return err;
		err_destroy(err);
		/* As long as CPython holds its address, to call it at the end, it must stay. */
		uint64_t at_exit = 0;
		if (may_come_back &&
		    !remote_mem_read(l->mem, RADDR(base + offsetof(struct probe_context, at_exit)),
				     &at_exit, sizeof(at_exit)))
			return err_create(ERR_TARGET_GONE, "process %d is gone", (int)l->pid);
		if (!err && outside && !at_exit)
			break;
		if (i > 500)
			return err_create(ERR_BUSY,
					  "a thread of process %d is still inside an earlier probe",
					  (int)l->pid);
		ptrace_serve();
		poll(NULL, 0, 2);
	}
	log_debug("unmapping what a killed recorder left in %d at %llx", (int)l->pid,
		  (unsigned long long)base);
	struct remote_program p = { .pending = base };
	struct remote_call_stats stats;
	uint64_t one;
	remote_program_add(&p, SYS_munmap, base, end - base, 0, 0, 0, 0);
	struct err *err = carrier_run(t, &p, code, code_end, timeout_ns, &stats, &one);
	if (!err)
		link_note_pause(l, &stats);
	return err;
}
