/*
 * attach_steps: see attach_steps.h.
 */
#include "visit/attach_steps.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/proc_status.h"
#include "python/hook_list.h"
#include "python/python.h"
#include "system/maps.h"
#include "system/remote_mem.h"
#include "visit/carrier.h"
#include "visit/entry_place.h"
#include "visit/link_state.h"
#include "visit/one_thread.h"
#include "visit/orphan.h"
#include "visit/probe_link.h"
#include "visit/remote_place.h"
#include "visit/remote_program.h"
#include "visit/remote_target.h"
#include "visit/ring.h"
#include "visit/seccomp.h"
#include "visit/stub.h"
#include "visit/target_facts.h"

extern const uint8_t probe_blob[];
extern const size_t probe_blob_bytes;

#define LANE_DATA_BYTES (4u << 20)

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) & ~(to - 1);
}

/* ---- what is found out from a stopped thread ---- */

static bool thread_u32_is(const struct link *l, const struct remote_call_stats *stats, int32_t off,
			  uint32_t value)
{
	uint32_t have = 0;
	return remote_mem_read(l->mem, RADDR(stats->thread_pointer + (uint64_t)(int64_t)off), &have,
			       sizeof(have)) &&
	       have == value;
}

static void find_thread_offsets(const struct link *l, const struct remote_call_stats *stats,
				struct probe_context *ctx)
{
	/* the tid as the thread itself sees it */
	struct proc_status status;
	uint32_t tid = stats->ns_tid ? stats->ns_tid : (uint32_t)stats->tid;
	if (!stats->ns_tid && proc_thread_status(l->pid, stats->tid, &status))
		tid = (uint32_t)status.ns_pid;
	for (size_t i = 0; stats->thread_pointer && i < ARRAY_LEN(link_tid_offs) && !ctx->tid_off;
	     i++)
		if (thread_u32_is(l, stats, link_tid_offs[i], tid))
			ctx->tid_off = (uint32_t)link_tid_offs[i];
	for (int32_t off = -4; stats->thread_pointer && off >= ARCH_THREAD_FIRST && !ctx->tid_off;
	     off -= 4)
		if (thread_u32_is(l, stats, off, tid))
			ctx->tid_off = (uint32_t)off;
	if (!ctx->tid_off)
		ctx->flags |= PROBE_TID_UNKNOWN;
}

/* Find {stackblock, stackblock_size} in struct pthread, for native stacks. In the main thread these
 * are a zero followed by the value of __libc_stack_end; in another thread a block that contains its
 * stack pointer (glibc, nptl/descr.h). */
static void find_stack_offsets(const struct link *l, const struct maps *maps,
			       const struct remote_call_stats *stats, struct probe_context *ctx)
{
	uint64_t stack_end = 0;
	const struct mem_reader *mem = remote_mem_reader(l->mem);
	for (size_t i = 0; i < maps->n_modules && !stack_end; i++) {
		raddr at;
		uint64_t size;
		if (elf_symbol_find(mem, &maps->modules[i], "__libc_stack_end", &at, &size))
			mem_read_u64(mem, at, &stack_end);
	}
	ctx->stack_end = stack_end;
	if (!stack_end || !stats->thread_pointer)
		return;
	/* At the entry point of a program, sp equals stack_end. */
	bool is_main = stats->sp <= stack_end && stack_end - stats->sp <= 64u << 20;
	uint64_t all[(ARCH_THREAD_END - ARCH_STACK_OFFS_FIRST) / 8];
	raddr first = RADDR(stats->thread_pointer + (uint64_t)(int64_t)ARCH_STACK_OFFS_FIRST);
	bool is_read = remote_mem_read(l->mem, first, all, sizeof(all));
	for (size_t i = 0; i + 1 < ARRAY_LEN(all); i++) {
		const uint64_t *words = all + i;
		/* memory may begin just where the struct does */
		if (!is_read && !remote_mem_read(l->mem, raddr_add(first, i * 8), all + i, 16))
			continue;
		bool fits = is_main ? words[0] == 0 && words[1] == stack_end
				    : words[0] && words[0] <= stats->sp &&
					  stats->sp - words[0] < words[1] &&
					  stats->thread_pointer >= words[0] &&
					  stats->thread_pointer - words[0] < words[1] &&
					  words[0] % 4096 == 0;
		if (fits) {
			ctx->stackblock_off = (uint32_t)(ARCH_STACK_OFFS_FIRST + (int32_t)i * 8);
			return;
		}
	}
}

static uint64_t vdso_clock_gettime(const struct maps *maps, const struct mem_reader *mem)
{
	for (size_t i = 0; i < maps->n; i++) {
		if (strcmp(maps->v[i].path, "[vdso]") != 0)
			continue;
		struct elf_module vdso = { .start = RADDR(maps->v[i].start),
					   .end = RADDR(maps->v[i].end),
					   .base = RADDR(maps->v[i].start),
					   .path = "[vdso]" };
		raddr at;
		uint64_t size;
		if (elf_symbol_find(mem, &vdso, ARCH_VDSO_CLOCK, &at, &size))
			return at.v;
	}
	return 0;
}

/* ---- mapping, filling, linking ---- */

void attach_fini(struct attach *a)
{
	if (a->memfd >= 0)
		close(a->memfd);
	maps_destroy(a->maps);
}

/* Choose how many threads may raise events side by side, and the size of their slots. A
 * free-threaded process soon uses all its lanes, each with a slot. So large slots are quartered,
 * because all memory of a slot is allocated once it was written around one time. */
static void lanes_choose(struct link *l, const struct probe_options *o)
{
	const struct probe_layout *layout = &l->runtime.layout;
	bool several = (layout->free_threaded || layout->minor >= 12 /* PEP 684 */) &&
		       o->n_slots > PROBE_LANES;
	l->abi = PROBE_ABI;
	l->n_lanes = several ? PROBE_LANES : 1;
	uint64_t slot_data_bytes = o->slot_data_bytes;
	for (unsigned i = 0;
	     several && layout->free_threaded && i < 2 && slot_data_bytes > LANE_DATA_BYTES; i++)
		slot_data_bytes /= 2;
	/* If threads run side by side, no slot is special. */
	bool has_first = o->first_data_bytes && !layout->free_threaded;
	if (o->first_data_bytes && layout->free_threaded && o->flags & PROBE_ALONE)
		slot_data_bytes *= 2;
	ring_lay_out(&l->ring, o->n_slots, slot_data_bytes,
		     has_first ? o->first_data_bytes : slot_data_bytes, o->counts);
}

struct err *attach_prepare(struct attach *a)
{
	const struct python_runtime *rt = a->runtime;
	pid_t pid = a->facts->pid;
	if (!rt->slack_bytes)
		return err_create(
		    ERR_UNSUPPORTED,
		    "python %s and the C library of process %d leave no room for the hook's entry",
		    rt->version, (int)pid);
	struct link *l = a->l = calloc(1, sizeof(*l));
	if (!l || !(l->module_path = strdup(rt->module.path))) {
		free(l);
		a->l = NULL;
		return err_no_memory();
	}
	l->pid = pid;
	l->runtime = *rt;
	l->runtime.module.path = l->module_path;
	l->entry = rt->slack;
	l->place.mailbox = entry_place_mailbox(rt->slack);
	struct err *err = target_facts_refresh(a->facts);
	if (!err)
		err = remote_mem_dup(a->facts->mem, &l->mem);
	if (err)
		return err;
	a->maps = maps_ref(a->facts->maps);
	err = remote_place_find(pid, l->mem, a->maps, rt->module.start, stub_bytes(), &l->place);
	if (err)
		return err;
	l->place.mailbox = entry_place_mailbox(rt->slack);
	_Static_assert(sizeof(struct probe_context) <= PROBE_PAGE, "the context has one page");
	lanes_choose(l, a->options);
	l->blob_off = PROBE_BLOB_OFF;
	l->blob_bytes = round_up(probe_blob_bytes, PROBE_PAGE);
	memcpy(&l->blob_end, probe_blob + probe_blob_bytes - sizeof(l->blob_end),
	       sizeof(l->blob_end));
	l->state_off = l->blob_off + l->blob_bytes;
	l->shared_off = l->state_off + probe_state_bytes(l->n_lanes);
	l->total_bytes = l->shared_off + l->ring.n_bytes;
	a->target = (struct remote_target){ .pid = pid,
					    .mem = l->mem,
					    .maps = a->maps,
					    .place = &l->place,
					    .attached = a->is_attached,
					    .filtered = seccomp_any_filter(pid) };
	link_text_range(a->maps, &rt->module, &a->target);
	l->is_unloadable = remote_place_can_vanish(pid, remote_mem_reader(l->mem), a->maps,
						   &l->runtime.module);
	link_target_module(l, &a->target);
	/* New mappings may be locked too (mlockall(2), MCL_FUTURE). */
	a->is_locked = a->facts->status.locked_bytes != 0;
	a->ns_pid = (uint32_t)a->facts->status.ns_pid;
	struct timespec boot;
	clock_gettime(CLOCK_REALTIME_COARSE, &l->since);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
	l->since_ticks = (uint64_t)boot.tv_sec * hz + (uint64_t)boot.tv_nsec * hz / 1000000000u;
	if (!ring_can_open_map_files()) {
		err = ring_file_create(&l->ring, &a->memfd);
		if (err)
			return err;
		snprintf(a->memfd_path, sizeof(a->memfd_path), "/proc/%d/fd/%d", (int)getpid(),
			 a->memfd);
	}
	return NULL;
}

uint64_t attach_open_ring(const struct attach *a, struct remote_program *p, uint64_t *flags)
{
	if (a->memfd < 0) {
		*flags |= MAP_ANONYMOUS;
		return 0;
	}
	p->path = a->memfd_path;
	remote_program_add(p, SYS_openat | REMOTE_FLAG(REMOTE_SAVE_FD), (uint64_t)AT_FDCWD,
			   REMOTE_PATH, O_RDWR | O_CLOEXEC, 0, 0, 0);
	return REMOTE_FLAG(REMOTE_FD_R8);
}

void attach_close_ring(const struct attach *a, struct remote_program *p)
{
	if (a->memfd >= 0)
		remote_program_add(p, SYS_close | REMOTE_FLAG(REMOTE_FD_RDI), 0, 0, 0, 0, 0, 0);
}

void attach_map_program(const struct attach *a, struct remote_program *p)
{
	const struct link *l = a->l;
	uint64_t base = REMOTE_FLAG(REMOTE_ADD_BASE), shared_bytes = l->total_bytes - l->shared_off;
	*p = (struct remote_program){ .total_bytes = l->total_bytes };
	uint64_t map_flags = MAP_SHARED | MAP_FIXED | MAP_NORESERVE;
	uint64_t map_fd = attach_open_ring(a, p, &map_flags);
	remote_program_add(p, SYS_mmap | REMOTE_FLAG(REMOTE_SAVE_BASE), 0, l->total_bytes,
			   PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, (uint64_t)-1, 0);
	/* Under mlockall(MCL_FUTURE) all of it would be touched and locked at once. Memory that
	 * cannot be accessed is not (mm/gup.c, populate_vma_page_range), so it is unlocked
	 * first. */
	uint64_t rw = PROT_READ | PROT_WRITE;
	remote_program_add(p, SYS_mmap | base | map_fd, l->shared_off, shared_bytes,
			   a->is_locked ? PROT_NONE : rw, map_flags, (uint64_t)-1, 0);
	attach_close_ring(a, p);
	if (a->is_locked) {
		remote_program_add(p, SYS_munlock | base, 0, l->total_bytes, 0, 0, 0, 0);
		remote_program_add(p, SYS_mprotect | base, l->shared_off, shared_bytes, rw, 0, 0,
				   0);
	}
	remote_program_add(p, SYS_madvise | base, l->shared_off, shared_bytes, MADV_DONTDUMP, 0, 0,
			   0);
	remote_program_add(p, SYS_mprotect | base, 0, l->blob_off, PROT_READ | PROT_WRITE, 0, 0, 0);
	remote_program_add(p, SYS_mprotect | base, l->state_off, l->shared_off - l->state_off,
			   PROT_READ | PROT_WRITE, 0, 0, 0);
	remote_program_add(p, SYS_madvise | base, l->state_off, l->shared_off - l->state_off,
			   MADV_WIPEONFORK, 0, 0, 0);
	/* A process can forbid itself to make memory executable, but not to map executable memory
	 * (prctl(2), PR_SET_MDWE; Linux 6.3 mm/mprotect.c, map_deny_write_exec). If memory is
	 * locked, a new mapping would be locked too. */
	if (a->is_locked)
		remote_program_add(p, SYS_mprotect | base, l->blob_off, l->blob_bytes,
				   PROT_READ | PROT_EXEC, 0, 0, 0);
	else
		remote_program_add(p, SYS_mmap | base, l->blob_off, l->blob_bytes,
				   PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				   (uint64_t)-1, 0);
}

/* Has another thread of it called exec since? The Python that was found is at its place no more. */
static bool has_another_program(const struct link *l)
{
	CLEANUP(maps) struct maps *maps = NULL;
	struct err *err = maps_read(l->pid, &maps);
	bool is_gone = err && err->code == ERR_TARGET_GONE;
	err_destroy(err);
	return is_gone || (maps && !maps_find(maps, l->runtime.module.start));
}

struct err *attach_fill(struct attach *a, uint64_t base, const struct remote_call_stats *stats)
{
	struct link *l = a->l;
	const struct probe_options *o = a->options;
	l->base = RADDR(base);
	CLEANUP(maps) struct maps *maps = NULL;
	struct err *err = maps_read(l->pid, &maps);
	if (!err)
		err = ring_open(&l->ring, l->pid, maps, base + l->shared_off, a->memfd, &l->since);
	if (err && has_another_program(l)) {
		err_destroy(err);
		err = err_create(ERR_TARGET_GONE, "process %d has executed another program",
				 (int)l->pid);
	}
	if (err)
		return err;
	link_begin_ring(l, o);

	struct probe_context ctx = {
		.magic = PROBE_MAGIC,
		.abi = PROBE_ABI,
		.flags = o->flags,
		.base = base,
		.state_off = (uint32_t)l->state_off,
		.blob_off = (uint32_t)l->blob_off,
		.shared_off = (uint32_t)l->shared_off,
		.n_lanes = l->n_lanes,
		.total_bytes = l->total_bytes,
		.entry = l->entry.v,
		.mailbox = l->place.mailbox.v,
		.string_bytes = o->string_bytes,
		.bulk_bytes = o->bulk_bytes,
		.max_frames = o->max_frames,
		.max_items = o->max_items,
		.slice_bytes = o->slice_bytes,
		.layout = l->runtime.layout,
		.slots_off = l->ring.slots_off,
		.slot_bytes = l->ring.slot_bytes,
		.slot_data_bytes = l->ring.slot_data_bytes,
		.first_extra_bytes = l->ring.first_extra_bytes,
		.ring_slots = l->ring.n_slots,
		.counts_off = l->ring.counts_off,
	};
	probe_context_complete(&ctx);
	static const char *const bulk[] = { "marshal.loads", "compile", "code.__new__" };
	for (size_t i = 0; i < ARRAY_LEN(bulk); i++)
		ctx.bulk_names[i] = name_hash(bulk[i], (uint32_t)strlen(bulk[i]));
	ctx.fn_clock_gettime = vdso_clock_gettime(a->maps, remote_mem_reader(l->mem));
	find_thread_offsets(l, stats, &ctx);
	if (o->flags & PROBE_STACK_NATIVE)
		find_stack_offsets(l, a->maps, stats, &ctx);
	ctx.pid = a->ns_pid;
	err = remote_mem_write(l->mem, RADDR(base), &ctx, sizeof(ctx));
	/* With its pid. In a forked child this is wiped: link_name_child(). */
	struct probe_state state = { .is_known = 1 };
	l->identity = state.identity = (uint64_t)a->ns_pid << 32 | (uint32_t)l->nonce | 1;
	if (!err)
		err = remote_mem_write(l->mem, RADDR(base + l->state_off), &state, sizeof(state));
	if (!err)
		err = one_thread_write(&a->target, RADDR(base + l->blob_off), probe_blob,
				       probe_blob_bytes);
	/* If the module may be unloaded at any moment, it is written only while a thread is
	 * stopped: link_program(). */
	if (err || a->target.fleeting)
		return err;
	struct hook_entry entry = { 0, base + l->blob_off, base };
	if (l->lazy_link) /* linked already: one store, and events go to the probe instead */
		return remote_mem_write(l->mem,
					raddr_add(l->entry, offsetof(struct hook_entry, fn)),
					&entry.fn, sizeof(entry.fn));
	const struct remote_store store = { l->entry, &entry, sizeof(entry) };
	return carrier_store(&a->target, &store, 1);
}

void attach_undo_at_stop(struct attach *a, uint64_t base)
{
	struct link *l = a->l;
	struct remote_call_stats stats = { 0 };
	struct remote_program p;
	struct hook_entry none = { 0 };
	uint64_t one, zero = 0;
	struct err *err = NULL;
	l->base = RADDR(base);
	descriptors_release();
	for (unsigned try = 0; try < 3; try++) {
		err_destroy(err);
		err = link_unlink_plain(l, l->mem);
		if (!err)
			err = remote_mem_write(l->mem, l->entry, &none, sizeof(none));
		if (!err)
			break;
	}
	for (unsigned try = 0; !err && try < 2; try++) {
		link_unmap_program(l, &p);
		err = carrier_run(&a->target, &p, 0, 0, CALL_TIMEOUT_NS, &stats, &one);
		if (!err || err->code == ERR_TARGET_GONE)
			break;
		err_destroy(err);
		err = NULL;
	}
	if (!err)
		err = remote_mem_write(l->mem, l->place.mailbox, &zero, sizeof(zero));
	else
		orphan_keep(l, l->mem);
	if (err)
		log_debug("left in process %d: %s", (int)l->pid, err->message);
	err_destroy(err);
}
