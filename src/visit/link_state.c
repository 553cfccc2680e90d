/*
 * link_state: write into the probe's memory what the probe cannot find out without a system call,
 * or without reading the TSC.
 */
#include "visit/link_state.h"

#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/monotonic.h"
#include "base/proc_status.h"
#include "system/maps.h"
#include "system/remote_mem.h"
#include "visit/leftover.h"
#include "visit/link_presence.h"
#include "visit/probe_link.h"

const int32_t link_tid_offs[ARCH_N_TID_OFFS] = ARCH_TID_OFFS;

/* The memory of a process that has this link's probe at its place, as far as that memory says so.
 * The memory may be wrong; then only this process is harmed. NULL: no such probe, or the process is
 * gone. The caller closes it. */
static struct remote_mem *memory_of(const struct link *l, pid_t pid)
{
	struct remote_mem *mem = NULL;
	struct probe_context ctx;
	uint64_t nonce = 0;
	struct err *err = remote_mem_open(pid, &mem);
	raddr at = raddr_add(l->base, l->shared_off + offsetof(struct ring_shared, nonce));
	bool is_there = !err && remote_mem_read(mem, l->base, &ctx, sizeof(ctx)) &&
			ctx.magic == PROBE_MAGIC && ctx.base == l->base.v &&
			remote_mem_read(mem, at, &nonce, sizeof(nonce)) && nonce == l->nonce;
	err_destroy(err);
	if (is_there)
		return mem;
	remote_mem_close(mem);
	return NULL;
}

static void wrote(struct err *err, pid_t pid)
{
	if (err)
		log_debug("the probe in %d: %s", (int)pid, err->message);
	err_destroy(err);
}

uint64_t link_name_child(const struct link *l, pid_t child, uint32_t ns_pid, uint32_t ns_parent)
{
	struct probe_state state;
	uint64_t identity = 0;
	raddr at = raddr_add(l->base, l->state_off);
	/* The nonce is in the target's memory, and the target may have written it anywhere. Only
	 * the kernel proves that the child has our ring, with private memory before it. */
	CLEANUP(maps) struct maps *maps = NULL;
	struct remote_mem *mem = memory_of(l, child);
	struct err *err = mem ? maps_read(child, &maps) : NULL;
	if (mem && !err)
		err = kin_prove(l, child, mem, maps);
	if (err) {
		wrote(err, child);
		remote_mem_close(mem);
		return 0;
	}
	if (mem && remote_mem_read(mem, at, &state, sizeof(state)) && !state.identity) {
		state.identity = identity = (uint64_t)ns_pid << 32 | (uint32_t)monotonic_ns() | 1;
		state.parent_pid = ns_parent;
		state.is_known = 1;
		wrote(remote_mem_write(mem, at, &state, sizeof(state)), child);
	}
	remote_mem_close(mem);
	return identity;
}

struct err *link_set_clock(const struct link *l, pid_t pid, bool use_tsc)
{
	uint32_t flags = 0;
	raddr at = raddr_add(l->base, offsetof(struct probe_context, flags));
	struct remote_mem *mem = link_is_in(l, pid) ? memory_of(l, pid) : NULL;
	if (!mem || !remote_mem_read(mem, at, &flags, sizeof(flags))) {
		remote_mem_close(mem);
		return err_create(ERR_TARGET_GONE, "there is no probe of ours in process %d",
				  (int)pid);
	}
	uint32_t wanted = use_tsc ? flags & ~(uint32_t)PROBE_CLOCK_RING
				  : flags | PROBE_CLOCK_RING | PROBE_CLOCK_CHANGED;
	struct err *err = wanted == flags ? NULL
					  : remote_mem_write(mem, at, &wanted, sizeof(wanted));
	remote_mem_close(mem);
	return err;
}

void link_follow_children(const struct link *l, pid_t pid)
{
	uint32_t flags = 0;
	raddr at = raddr_add(l->base, offsetof(struct probe_context, flags));
	struct remote_mem *mem = link_is_in(l, pid) ? memory_of(l, pid) : NULL;
	if (mem && remote_mem_read(mem, at, &flags, sizeof(flags)) && flags & PROBE_ALONE) {
		flags &= ~(uint32_t)PROBE_ALONE;
		wrote(remote_mem_write(mem, at, &flags, sizeof(flags)), pid);
	}
	remote_mem_close(mem);
}

void link_learn_tid(const struct link *l, pid_t pid, guest_u64 thread)
{
	struct probe_context ctx;
	char task[64];
	struct remote_mem *mem = link_is_in(l, pid) ? memory_of(l, pid) : NULL;
	bool is_unknown = mem && remote_mem_read(mem, l->base, &ctx, sizeof(ctx)) &&
			  ctx.flags & PROBE_TID_UNKNOWN;
	for (size_t i = 0; is_unknown && i < ARCH_N_TID_OFFS; i++) {
		uint32_t tid = 0;
		if (!remote_mem_read(
			mem, RADDR(guest_shown64(thread) + (uint64_t)(int64_t)link_tid_offs[i]),
			&tid, sizeof(tid)))
			continue;
		/* In another pid namespace this number may be another thread's tid here: there only
		 * the main thread can be recognised. */
		struct proc_status status = { 0 };
		err_destroy(proc_status_read(pid, &status));
		snprintf(task, sizeof(task), "/proc/%d/task/%u", (int)pid, tid);
		if (tid != (uint32_t)status.ns_pid &&
		    (status.ns_pid != (int)pid || access(task, F_OK) < 0))
			continue;
		uint32_t flags = ctx.flags & ~(uint32_t)PROBE_TID_UNKNOWN;
		struct err *err = remote_mem_write(
		    mem, raddr_add(l->base, offsetof(struct probe_context, tid_off)),
		    &link_tid_offs[i], sizeof(link_tid_offs[i]));
		if (!err)
			err = remote_mem_write(
			    mem, raddr_add(l->base, offsetof(struct probe_context, flags)), &flags,
			    sizeof(flags));
		wrote(err, pid);
		break;
	}
	remote_mem_close(mem);
}
