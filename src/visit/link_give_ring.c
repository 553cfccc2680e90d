/*
 * link_give_ring: see link_give_ring.h.
 */
#include "visit/link_give_ring.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/proc_status.h"
#include "python/python.h"
#include "system/maps.h"
#include "system/remote_mem.h"
#include "visit/attach.h"
#include "visit/attach_steps.h"
#include "visit/carrier.h"
#include "visit/link_presence.h"
#include "visit/one_thread.h"
#include "visit/probe_link.h"
#include "visit/remote_place.h"
#include "visit/remote_program.h"
#include "visit/remote_target.h"
#include "visit/seccomp.h"

/* The longest stop of a child. If its control group is frozen, it does not run at all. */
#define GIVE_TIMEOUT_NS 500000000ull

enum { OWN_SLOTS = 4, OWN_SLOTS_SEVERAL = 16 };

/* Make the child's link: it has everything at the addresses of its parent. The child is not
 * touched. */
static struct err *child_link(const struct link *of, pid_t child, uint64_t identity,
			      struct link **ret)
{
	struct link *l = calloc(1, sizeof(*l));
	if (!l || !(l->module_path = strdup(of->module_path))) {
		free(l);
		return err_no_memory();
	}
	*ret = l;
	l->pid = child;
	l->runtime = of->runtime;
	l->runtime.module.path = l->module_path;
	l->place = of->place;
	l->place.is_left = false;
	l->place.last_tid = 0;
	l->place.back = RADDR(0);
	l->abi = of->abi;
	l->n_lanes = of->n_lanes;
	l->base = of->base;
	l->blob_off = of->blob_off;
	l->shared_off = of->shared_off;
	l->state_off = of->state_off;
	l->blob_bytes = of->blob_bytes;
	l->blob_end = of->blob_end;
	l->entry = of->entry;
	l->identity = identity;
	l->is_unloadable = of->is_unloadable;
	/* Threads that run side by side have a slot each, and a quarter stays free (probe.c). */
	uint32_t n_slots = of->runtime.layout.free_threaded ? OWN_SLOTS_SEVERAL : OWN_SLOTS;
	ring_lay_out(&l->ring, n_slots < of->ring.n_slots ? n_slots : of->ring.n_slots,
		     of->ring.slot_data_bytes, of->ring.slot_data_bytes, of->ring.counts_off != 0);
	l->total_bytes = l->shared_off + l->ring.n_bytes;
	CHECK(l->total_bytes <= of->total_bytes);
	clock_gettime(CLOCK_REALTIME_COARSE, &l->since);
	l->since_ticks = of->since_ticks;
	return remote_mem_open(child, &l->mem);
}

/* Does the child have the probe that we know, in memory of its own, and is the place for our code
 * unchanged? If the child shared its parent's memory, the ring would be taken away from the
 * parent. */
static bool can_be_given(const struct link *of, const struct link *l, struct probe_context *ret_ctx)
{
	struct proc_status status;
	struct remote_mem *mem = NULL;
	uint64_t nonce = 0, own = 0, of_parent = 0;
	uint8_t code[REMOTE_PLACE_BYTES];
	raddr state = raddr_add(l->base, l->state_off + offsetof(struct probe_state, identity)),
	      in_ring = raddr_add(l->base, l->shared_off + offsetof(struct ring_shared, nonce));
	bool ok = remote_mem_read(l->mem, l->base, ret_ctx, sizeof(*ret_ctx)) &&
		  ret_ctx->magic == PROBE_MAGIC && ret_ctx->base == l->base.v &&
		  remote_mem_read(l->mem, in_ring, &nonce, sizeof(nonce)) && nonce == of->nonce &&
		  remote_mem_read(l->mem, state, &own, sizeof(own)) && own == l->identity;
	/* the module may have been unloaded before the fork */
	if (l->is_unloadable || l->place.is_unloadable)
		ok = ok && remote_mem_read(l->mem, l->place.code, code, l->place.n_bytes) &&
		     memcmp(code, l->place.before, l->place.n_bytes) == 0;
	if (!ok)
		return false;
	struct err *err = proc_status_read(l->pid, &status);
	if (!err)
		err = remote_mem_open(status.ppid, &mem);
	ok = !err && remote_mem_read(mem, state, &of_parent, sizeof(of_parent)) && of_parent != own;
	err_destroy(err);
	remote_mem_close(mem);
	return ok;
}

/* The new memory is mapped elsewhere first: if that fails, nothing has changed. A mapping with
 * MAP_FIXED can fail after the old memory is gone (mm/mmap.c, mmap_region). */
static void give_program(const struct attach *a, uint64_t old_total, struct remote_program *p)
{
	const struct link *l = a->l;
	uint64_t base = REMOTE_FLAG(REMOTE_ADD_BASE), at = l->base.v + l->shared_off,
		 n = l->ring.n_bytes;
	uint64_t flags = MAP_SHARED | MAP_NORESERVE;
	*p = (struct remote_program){ .total_bytes = n };
	uint64_t map_fd = attach_open_ring(a, p, &flags);
	remote_program_add(p, SYS_mmap | REMOTE_FLAG(REMOTE_SAVE_BASE) | map_fd, 0, n,
			   PROT_READ | PROT_WRITE, flags, (uint64_t)-1, 0);
	attach_close_ring(a, p);
	remote_program_add(p, SYS_mremap | base, 0, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, at, 0);
	if (old_total > l->total_bytes)
		remote_program_add(p, SYS_munmap, l->base.v + l->total_bytes,
				   old_total - l->total_bytes, 0, 0, 0, 0);
	remote_program_add(p, SYS_madvise, at, n, MADV_DONTDUMP, 0, 0, 0);
}

/* The child has the memory: write the new layout into its probe's context. */
static struct err *give_fill(struct attach *a, struct probe_context *ctx)
{
	struct link *l = a->l;
	uint64_t none = 0;
	CLEANUP(maps) struct maps *maps = NULL;
	struct err *err = maps_read(l->pid, &maps);
	if (!err)
		err = ring_open(&l->ring, l->pid, maps, l->base.v + l->shared_off, a->memfd,
				&l->since);
	if (err)
		return err;
	link_begin_ring(l, a->options);
	ctx->total_bytes = l->total_bytes;
	ctx->slots_off = l->ring.slots_off;
	ctx->slot_bytes = l->ring.slot_bytes;
	ctx->slot_data_bytes = l->ring.slot_data_bytes;
	ctx->first_extra_bytes = l->ring.first_extra_bytes;
	ctx->ring_slots = l->ring.n_slots;
	ctx->counts_off = l->ring.counts_off;
	ctx->pid = (uint32_t)(l->identity >> 32);
	err = remote_mem_write(l->mem, l->base, ctx, sizeof(*ctx));
	return err ? err : remote_mem_write(l->mem, l->place.mailbox, &none, sizeof(none));
}

struct err *link_give_ring(const struct link *of, pid_t child, uint64_t identity,
			   const struct probe_options *options, struct link **ret, bool *ret_is_out)
{
	struct attach a = { .options = options, .memfd = -1 };
	struct remote_call_stats stats = { 0 };
	struct remote_program p;
	struct probe_context ctx;
	uint64_t there;
	*ret_is_out = false;
	struct err *err = child_link(of, child, identity, &a.l);
	if (!err && !can_be_given(of, a.l, &ctx))
		err = err_create(ERR_UNSUPPORTED,
				 "process %d does not have the probe of its parent", (int)child);
	if (!err)
		err = maps_read(child, &a.maps);
	if (!err && !ring_can_open_map_files()) {
		err = ring_file_create(&a.l->ring, &a.memfd);
		snprintf(a.memfd_path, sizeof(a.memfd_path), "/proc/%d/fd/%d", (int)getpid(),
			 a.memfd);
	}
	if (err)
		goto out;
	a.target = (struct remote_target){ .carrier = CARRIER_AT_STOP,
					   .at_stop = child,
					   .pid = child,
					   .mem = a.l->mem,
					   .maps = a.maps,
					   .place = &a.l->place,
					   .attached = true,
					   .filtered = seccomp_any_filter(child) };
	link_text_range(a.maps, &a.l->runtime.module, &a.target);
	give_program(&a, of->total_bytes, &p);
	err = carrier_run(&a.target, &p, 0, 0, GIVE_TIMEOUT_NS, &stats, &there);
	if (!err)
		err = give_fill(&a, &ctx);
	if (!err) {
		link_own(a.l);
	} else if (err->code != ERR_TARGET_GONE && !link_is_in(of, child)) {
		*ret_is_out = true;
		a.l->total_bytes = of->total_bytes;
		attach_undo_at_stop(&a, a.l->base.v);
	}
out:
	return attach_end(&a, err, ret);
}
