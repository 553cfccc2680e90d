/*
 * link_health: see link_health.h.
 */
#include "visit/link_health.h"

#include <stddef.h>

#include "python/hook_list.h"
#include "system/maps.h"
#include "system/remote_mem.h"
#include "visit/carrier.h"
#include "visit/link_presence.h"
#include "visit/one_thread.h"
#include "visit/probe_link.h"
#include "visit/remote_place.h"
#include "visit/remote_program.h"
#include "visit/remote_target.h"
#include "visit/seccomp.h"
#include "visit/target_lock.h"

/* Is the reservation still ours? After an exec or dlclose, other things may be mapped at the old
 * addresses. */
static bool image_is_ours(struct link *l)
{
	struct probe_context ctx;
	return remote_mem_read(l->mem, l->base, &ctx, sizeof(ctx)) && ctx.magic == PROBE_MAGIC &&
	       ctx.base == l->base.v && link_ring_is_ours(l, l->mem);
}

enum link_health link_check(struct link *l)
{
	raddr before;
	enum hook_step found = HOOK_UNREADABLE;
	bool is_ours = image_is_ours(l);
	if (is_ours)
		found = hook_list_find(remote_mem_reader(l->mem),
				       RADDR(l->runtime.layout.audit_head), l->entry, &before);
	if (found == HOOK_UNREADABLE && remote_mem_is_stuck(l->mem))
		return LINK_STUCK;
	if (!is_ours) {
		enum link_presence presence = link_presence_proved(l, l->pid);
		return presence == LINK_IN    ? LINK_OVERWRITTEN
		       : presence == LINK_OUT ? LINK_GONE
					      : LINK_OK; /* until it can be looked at again */
	}
	switch (found) {
	case HOOK_ENTRY: return LINK_OK;
	case HOOK_UNREADABLE: return LINK_UNLOADED;
	default: return LINK_UNLINKED;
	}
}

static struct err *link_again_locked(struct link *l, bool attached)
{
	CLEANUP(maps) struct maps *maps = NULL;
	if (!image_is_ours(l))
		return err_create(ERR_TARGET_GONE, "the probe in process %d is no longer ours",
				  (int)l->pid);
	struct err *err = maps_read(l->pid, &maps);
	if (err)
		return err;
	struct remote_target t = { .pid = l->pid,
				   .mem = l->mem,
				   .maps = maps,
				   .place = &l->place,
				   .attached = attached,
				   .filtered = seccomp_any_filter(l->pid) };
	link_text_range(maps, &l->runtime.module, &t);
	/* Between two lives the application may unload Python, or may have done so. So everything
	 * is written by a stopped thread, after a check that all is as we know it. */
	python_runtime_refresh(remote_mem_reader(l->mem), &l->runtime);
	link_target_module(l, &t);
	t.to_link = &l->runtime; /* a whole life may have passed since the last look */
	struct remote_program p;
	struct remote_call_stats stats;
	uint64_t one;
	link_program(l, &p);
	err = carrier_run(&t, &p, 0, 0, CALL_TIMEOUT_NS, &stats, &one);
	if (!err) {
		link_note_pause(l, &stats);
		l->linked = true;
	}
	return err;
}

struct err *link_again(struct link *l, bool attached)
{
	struct err *err = target_lock(l->pid, CALL_TIMEOUT_NS);
	if (err)
		return err;
	err = link_again_locked(l, attached);
	target_unlock(l->pid);
	return err;
}
