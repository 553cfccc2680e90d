/*
 * probe_link: see probe_link.h.
 */
#include "visit/probe_link.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/monotonic.h"
#include "python/hook_list.h"
#include "system/maps.h"
#include "system/remote_mem.h"
#include "visit/carrier.h"
#include "visit/one_thread.h"
#include "visit/target_lock.h"

uint32_t link_filter(const struct probe_options *options)
{
	return (options->filter_on ? FILTER_VERDICTS : 0) |
	       (options->holds ? FILTER_VERDICTS | FILTER_HOLDS : 0);
}

void link_begin_ring(struct link *l, const struct probe_options *options)
{
	l->nonce = ring_nonce_new();
	ring_tick(&l->ring, &options->tick, options->ticks_per_ns);
	ring_begin(&l->ring, l->nonce, link_filter(options));
}

void link_own(struct link *l)
{
	l->linked = true;
	struct err *err = target_own(l->pid);
	l->owned = !err;
	if (err)
		log_debug("%s", err->message);
	err_destroy(err);
}

/* If the entry is not the first of the list, take it out behind its predecessor. Another thread may
 * be appending at the tail, so the successor is read again afterwards. */
struct err *link_unlink_plain(const struct link *l, struct remote_mem *mem)
{
	uint64_t next, again;
	raddr before;
	switch (hook_list_find(remote_mem_reader(mem), RADDR(l->runtime.layout.audit_head),
			       l->entry, &before)) {
	case HOOK_ENTRY: break;
	case HOOK_END: return NULL;
	case HOOK_UNREADABLE: return err_create(ERR_TARGET_GONE, "process is gone");
	default: return err_create(ERR_CORRUPT, "the list of audit hooks does not end");
	}
	do {
		if (!remote_mem_read(mem, l->entry, &next, sizeof(next)))
			return err_create(ERR_TARGET_GONE, "process is gone");
		struct err *err = remote_mem_write(mem, before, &next, sizeof(next));
		if (err)
			return err;
		if (!remote_mem_read(mem, l->entry, &again, sizeof(again)))
			return err_create(ERR_TARGET_GONE, "process is gone");
	} while (again != next);
	return NULL;
}

void link_note_pause(struct link *l, const struct remote_call_stats *stats)
{
	if (stats->pause_ns > l->pause_ns)
		l->pause_ns = stats->pause_ns;
	l->timeout_extended |= stats->timeout_extended;
}

void link_unmap_program(const struct link *l, struct remote_program *p)
{
	*p = (struct remote_program){ .pending = l->base.v };
	remote_program_add(p, SYS_munmap, l->base.v, l->total_bytes, 0, 0, 0, 0);
}

void link_program(const struct link *l, struct remote_program *p)
{
	*p = (struct remote_program){ .pending = l->base.v };
	remote_program_add(p, REMOTE_FLAG(REMOTE_STORE),
			   raddr_add(l->entry, offsetof(struct hook_entry, fn)).v,
			   l->base.v + l->blob_off, 0, 0, 0, 0);
	remote_program_add(p, REMOTE_FLAG(REMOTE_STORE),
			   raddr_add(l->entry, offsetof(struct hook_entry, user_data)).v, l->base.v,
			   0, 0, 0, 0);
	remote_program_add(p, REMOTE_FLAG(REMOTE_LINK), l->runtime.layout.audit_head, l->entry.v, 0,
			   0, 0, 0);
}

bool link_ring_is_ours(const struct link *l, struct remote_mem *mem)
{
	uint64_t nonce;
	return remote_mem_read(
		   mem, raddr_add(l->base, l->shared_off + offsetof(struct ring_shared, nonce)),
		   &nonce, sizeof(nonce)) &&
	       nonce == l->nonce;
}

void link_target_module(const struct link *l, struct remote_target *t)
{
	t->unloadable = l->is_unloadable ? &l->runtime.module : NULL;
	t->fleeting = l->is_unloadable && !l->runtime.is_initialised ? &l->runtime.module : NULL;
	/* Our code is in another module, which the program may unload while its interpreter is
	 * alive. */
	if (t->place && t->place->is_unloadable &&
	    t->place->module.start.v != l->runtime.module.start.v)
		t->fleeting = l->is_unloadable ? &l->runtime.module : &t->place->module;
	t->carrier = carrier_choose(t);
}

void link_text_range(const struct maps *maps, const struct elf_module *module,
		     struct remote_target *t)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct mapping *m = &maps->v[i];
		if (m->exec && m->start >= module->start.v && m->start < module->end.v) {
			t->text_start = m->start;
			t->text_end = m->end;
			return;
		}
	}
}
