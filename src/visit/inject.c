/*
 * inject: see inject.h. The steps of an attach, and what a SIGKILL of ours leaves behind at each
 * step:
 *
 *   look         maps, symbols, layout, earlier probe          nothing
 *   map          one stub: reserve, protect, share             an unused mapping
 *   fill         context, code, ring header                    an unused mapping
 *   link         one stub: compare-and-exchange of the head    an armed probe that disarms itself
 *                                                              when its ring is full and no
 *                                                              heartbeat comes; the next auditview
 *                                                              takes it out
 *
 * The steps of a leave: enabled = 0, unlink and neutralise the entry (one stub), wait until no
 * thread is in the probe, munmap (one stub), compare.
 */
#include "visit/inject.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/io.h"
#include "base/log.h"
#include "base/vec.h"
#include "python/hook_list.h"
#include "visit/lazy_link.h"
#include "visit/entry_place.h"
#include "system/fault.h"
#include "visit/inject_private.h"
#include "visit/leftover.h"
#include "visit/mailbox.h"
#include "system/maps.h"
#include "visit/native_code.h"
#include "system/procs.h"
#include "visit/ptrace.h"
#include "system/remote_errno.h"
#include "system/remote_mem.h"
#include "visit/all_stop.h"
#include "visit/target_lock.h"

extern const uint8_t probe_blob[];
extern const size_t probe_blob_bytes;

#define LANE_DATA_BYTES (4u << 20)

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) & ~(to - 1);
}

/* ---- runtimes ---- */

struct err *runtimes_find(pid_t pid, struct remote_mem *mem, struct maps **ret_maps,
			  struct python_runtime **ret, size_t *ret_n)
{
	CLEANUP(maps) struct maps *maps = NULL;
	struct err *err = maps_read(pid, &maps), *why = NULL;
	if (err)
		return err;
	remote_mem_limit(mem, EXAMINATION_READS);
	err = maps_find_modules(maps, remote_mem_reader(mem));
	if (err) {
		err_destroy(remote_mem_unlimit(mem));
		return err;
	}
	VEC(struct python_runtime) found = { 0 };
	for (size_t i = 0; i < maps->n_modules; i++) {
		struct python_runtime rt;
		struct err *e = runtime_find(pid, remote_mem_reader(mem), maps, i, &rt);
		if (e) {
			/* "Not in this module" is not worth reporting; "found, but not supported"
			 * is. */
			if (e->code != ERR_NOT_PYTHON && !why)
				why = e;
			else
				err_destroy(e);
			continue;
		}
		entry_place_find(pid, remote_mem_reader(mem), maps, found.n, &rt);
		if (!vec_push(&found, rt)) {
			vec_fini(&found);
			err_destroy(why);
			err_destroy(remote_mem_unlimit(mem));
			return err_no_memory();
		}
	}
	/* A runtime that was found before the limit was reached is still valid. */
	err = remote_mem_unlimit(mem);
	if (err && !found.n) {
		vec_fini(&found);
		err_destroy(why);
		return err;
	}
	err_destroy(err);
	if (!found.n) {
		vec_fini(&found);
		return why ? why : runtimes_find_none(pid, remote_mem_reader(mem), maps);
	}
	err_destroy(why);
	*ret = found.v;
	*ret_n = found.n;
	*ret_maps = take_ptr(maps);
	return NULL;
}

/* ---- an earlier probe ---- */

static bool is_auditview_alive(pid_t pid)
{
	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

/* the last recorder that was found dead */
static struct {
	pid_t recorder;
	uint64_t base, entry;
} known_dead;

bool recorder_is_known_dead(pid_t recorder, const struct probe_context *ctx)
{
	return recorder > 0 && recorder == known_dead.recorder && ctx->base == known_dead.base &&
	       ctx->entry == known_dead.entry && !is_auditview_alive(recorder);
}

enum probe_presence probe_presence_find(struct remote_mem *mem, const struct python_runtime *rt,
					pid_t *ret_recorder, struct probe_context *ret_context)
{
	struct hook_entry entry;
	*ret_recorder = 0;
	if (!remote_mem_read(mem, rt->slack, &entry, sizeof(entry)) || !entry.fn)
		return PROBE_NONE;
	if (!entry.user_data)
		return PROBE_LEFT_ENTRY;
	struct probe_context ctx;
	struct ring_shared shared;
	raddr base = RADDR(lazy_link_base_of(entry.user_data));
	if (!remote_mem_read(mem, base, &ctx, sizeof(ctx)) || ctx.magic != PROBE_MAGIC ||
	    ctx.abi < PROBE_ABI_OLDEST || ctx.abi > PROBE_ABI || ctx.base != base.v)
		return PROBE_LEFT_ENTRY;
	if (ret_context)
		*ret_context = ctx;
	if (!remote_mem_read(mem, RADDR(ctx.base + ctx.shared_off), &shared, sizeof(shared)) ||
	    shared.magic != PROBE_MAGIC)
		return PROBE_DEAD_RECORDER;
	*ret_recorder = (pid_t)shared.recorder_pid;
	/* A live recorder beats, every 100 ms if it gets a processor; the probe waits for it for 2
	 * s (probe.c). Its pid is only a hint: another process can have it by now, and it may
	 * belong to another pid namespace. */
	bool is_alive = is_auditview_alive(*ret_recorder);
	unsigned patience = is_alive ? 250 : recorder_is_known_dead(*ret_recorder, &ctx) ? 0 : 50;
	uint32_t beat = shared.heartbeat;
	for (unsigned i = 0; i < patience; i++) {
		ptrace_serve();
		poll(NULL, 0, 10);
		if (!remote_mem_read(mem, RADDR(ctx.base + ctx.shared_off), &shared,
				     sizeof(shared)))
			return PROBE_DEAD_RECORDER;
		if (shared.heartbeat != beat)
			return PROBE_LIVE_RECORDER;
	}
	if (!is_alive) {
		known_dead.recorder = *ret_recorder;
		known_dead.base = ctx.base;
		known_dead.entry = ctx.entry;
	}
	return PROBE_DEAD_RECORDER;
}

/* ---- what is found out from a stopped thread ---- */

static void find_thread_offsets(const struct link *l, const struct remote_call_stats *stats,
				struct probe_context *ctx)
{
	/* The tid as the thread itself sees it: the last number of NSpid (proc(5)). */
	char path[64], line[256];
	uint32_t tid = stats->ns_tid ? stats->ns_tid : (uint32_t)stats->tid, have = 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)l->pid, (int)stats->tid);
	FILE *f = stats->ns_tid ? NULL : io_fopen_now(path);
	while (f && fgets(line, sizeof(line), f)) {
		char *last = strncmp(line, "NSpid:", 6) == 0 ? strrchr(line, '\t') : NULL;
		if (last)
			tid = (uint32_t)strtoul(last, NULL, 10);
	}
	if (f)
		fclose(f);
	for (size_t i = 0; stats->thread_pointer && i < LINK_TID_OFFS && !ctx->tid_off; i++)
		if (remote_mem_read(l->mem, RADDR(stats->thread_pointer + link_tid_offs[i]), &have,
				    sizeof(have)) &&
		    have == tid)
			ctx->tid_off = link_tid_offs[i];
	if (!ctx->tid_off)
		ctx->flags |= PROBE_TID_UNKNOWN;
}

/* Find {stackblock, stackblock_size} in struct pthread, for native stacks. In the main thread these
 * are a zero followed by the value of __libc_stack_end; in another thread a block that contains its
 * stack pointer (glibc, nptl/descr.h). */
static void find_stack_offsets(const struct link *l, const struct maps *maps,
			       const struct remote_call_stats *stats, struct probe_context *ctx)
{
	uint64_t stack_end = 0, words[256];
	const struct mem_reader *mem = remote_mem_reader(l->mem);
	for (size_t i = 0; i < maps->n_modules && !stack_end; i++) {
		raddr at;
		uint64_t size;
		if (elf_symbol_find(mem, &maps->modules[i], "__libc_stack_end", &at, &size))
			mem_read_u64(mem, at, &stack_end);
	}
	ctx->stack_end = stack_end;
	if (!stack_end || !stats->thread_pointer ||
	    !remote_mem_read(l->mem, RADDR(stats->thread_pointer), words, sizeof(words)))
		return;
	/* At the entry point of a program, sp equals stack_end. */
	bool is_main = stats->sp <= stack_end && stack_end - stats->sp <= 64u << 20;
	for (uint32_t i = 0x600 / 8; i + 1 < ARRAY_LEN(words); i++) {
		bool fits = is_main ? words[i] == 0 && words[i + 1] == stack_end
				    : words[i] && words[i] <= stats->sp &&
					  stats->sp - words[i] < words[i + 1] &&
					  stats->thread_pointer >= words[i] &&
					  stats->thread_pointer - words[i] < words[i + 1] &&
					  words[i] % PROBE_PAGE == 0;
		if (fits) {
			ctx->stackblock_off = i * 8;
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
		if (elf_symbol_find(mem, &vdso, "__vdso_clock_gettime", &at, &size))
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

struct err *attach_end(struct attach *a, struct err *err, struct link **ret)
{
	if (err)
		link_destroy(a->l);
	else
		*ret = a->l;
	a->l = NULL;
	attach_fini(a);
	return err;
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
		     has_first ? o->first_data_bytes : slot_data_bytes);
}

/* Does the process lock memory (VmLck of /proc/PID/status)? If so, new mappings may be locked too
 * (mlockall(2), MCL_FUTURE). */
static bool locks_memory(pid_t pid)
{
	char text[4096];
	const char *line = proc_file_read(pid, "status", text, sizeof(text)) > 0
			       ? strstr(text, "\nVmLck:")
			       : NULL;
	return line && strtoull(line + 7, NULL, 10) != 0;
}

struct err *attach_prepare(struct attach *a, pid_t pid, const struct python_runtime *rt,
			   const struct probe_options *options, bool attached)
{
	*a = (struct attach){ .options = options, .memfd = -1 };
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
	struct err *err = remote_mem_open(pid, &l->mem);
	if (!err)
		err = maps_read(pid, &a->maps);
	if (!err)
		err = maps_find_modules(a->maps, remote_mem_reader(l->mem));
	if (!err)
		err = remote_place_find(pid, l->mem, a->maps, rt->module.start, remote_stub_bytes(),
					&l->place);
	if (err)
		return err;
	l->place.mailbox = entry_place_mailbox(rt->slack);
	_Static_assert(sizeof(struct probe_context) <= PROBE_PAGE, "the context has one page");
	lanes_choose(l, options);
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
					    .attached = attached,
					    .filtered = threads_any_filtered(pid) };
	link_text_range(a->maps, &rt->module, &a->target);
	l->is_unloadable = module_is_unloadable(pid, remote_mem_reader(l->mem), a->maps,
						&l->runtime.module);
	link_target_module(l, &a->target);
	a->is_locked = locks_memory(pid);
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
	remote_program_add(p, SYS_open | REMOTE_FLAG(REMOTE_SAVE_FD), REMOTE_PATH,
			   O_RDWR | O_CLOEXEC, 0, 0, 0, 0);
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

void link_begin_ring(struct link *l, const struct probe_options *options)
{
	if (getrandom(&l->nonce, sizeof(l->nonce), 0) != (ssize_t)sizeof(l->nonce) || !l->nonce)
		l->nonce = monotonic_ns() << 16 | (uint16_t)getpid();
	ring_tick(&l->ring, &options->tick, options->ticks_per_ns);
	ring_begin(&l->ring, l->nonce, options->filter_on);
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
	};
	probe_context_complete(&ctx);
	static const char *const bulk[] = { "marshal.loads", "compile", "code.__new__" };
	for (size_t i = 0; i < ARRAY_LEN(bulk); i++)
		ctx.bulk_names[i] = name_hash(bulk[i], (uint32_t)strlen(bulk[i]));
	ctx.fn_clock_gettime = vdso_clock_gettime(a->maps, remote_mem_reader(l->mem));
	find_thread_offsets(l, stats, &ctx);
	if (o->flags & PROBE_STACK_NATIVE)
		find_stack_offsets(l, a->maps, stats, &ctx);
	struct proc_status status;
	err = proc_status_read(l->pid, &status);
	ctx.pid = err ? 0 : (uint32_t)status.ns_pid;
	if (!err)
		err = remote_mem_write(l->mem, RADDR(base), &ctx, sizeof(ctx));
	/* With its pid. In a forked child this is wiped: link_name_child(). */
	struct probe_state state = { .is_known = 1 };
	l->identity = state.identity = err ? 0
					   : (uint64_t)status.ns_pid << 32 | (uint32_t)l->nonce | 1;
	if (!err)
		err = remote_mem_write(l->mem, RADDR(base + l->state_off), &state, sizeof(state));
	if (!err)
		err = remote_call_write(&a->target, RADDR(base + l->blob_off), probe_blob,
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
	const struct all_stop_store store = { l->entry, &entry, sizeof(entry) };
	return all_stop_write(&a->target, &store, 1);
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

/* The stub leaves the base of the reservation in the mailbox. */
struct err *link_reclaim_orphan(struct link *l, const struct remote_target *t, uint64_t timeout_ns)
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
		struct err *err = threads_check_outside(t, code, code_end, &outside);
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
	struct err *err = remote_call_run(t, &p, code, code_end, timeout_ns, &stats, &one);
	if (!err)
		link_note_pause(l, &stats);
	return err;
}

static struct err *err_already_traced(pid_t pid, pid_t recorder)
{
	if (!recorder)
		return err_create(ERR_BUSY, "process %d is already traced by another auditview",
				  (int)pid);
	struct err *err = err_create(ERR_BUSY,
				     "process %d is already traced by auditview (process %d)",
				     (int)pid, (int)recorder);
	char exe[256];
	ssize_t n = proc_link_read(recorder, "exe", exe, sizeof(exe) - 1);
	const char *name = n > 0 ? (exe[n] = 0, strrchr(exe, '/')) : NULL;
	/* The target claims this pid: it must not make the user kill another process. */
	return name && strcmp(name, "/auditview") == 0
		   ? err_with_hint(err, "end that one first: kill -INT %d", (int)recorder)
		   : err;
}

/* Do we trace its threads? Some children of an older probe's target may be traced, others not. */
static bool is_tracee(void *ctx, pid_t pid)
{
	(void)ctx;
	return proc_is_traced_by_us(pid);
}

/* If no thread can be stopped, the orphan stays for now: lazy_link.c unmaps it when a thread
 * comes. */
static struct err *reclaim_orphan(struct link *l, const struct remote_target *t,
				  bool *ret_has_orphan)
{
	guest_u64 word;
	*ret_has_orphan = !t->fleeting && threads_all_show(t) &&
			  mailbox_read(l->mem, l->place.mailbox, &word) && !guest_is64(word, 0);
	return *ret_has_orphan ? NULL : link_reclaim_orphan(l, t, CALL_TIMEOUT_NS);
}

static struct err *check_earlier(struct link *l, const struct remote_target *t,
				 bool *ret_has_orphan)
{
	*ret_has_orphan = false;
	pid_t recorder;
	struct probe_context old;
	if (target_is_others(l->pid)) {
		struct hook_entry entry = { 0 };
		uint32_t pid = 0;
		if (remote_mem_read(l->mem, l->entry, &entry, sizeof(entry)) && entry.user_data &&
		    remote_mem_read(l->mem, RADDR(lazy_link_base_of(entry.user_data)), &old,
				    sizeof(old)) &&
		    old.magic == PROBE_MAGIC)
			remote_mem_read(l->mem,
					RADDR(old.base + old.shared_off +
					      offsetof(struct ring_shared, recorder_pid)),
					&pid, sizeof(pid));
		return err_already_traced(l->pid, (pid_t)pid);
	}
	enum probe_presence presence = probe_presence_find(l->mem, &l->runtime, &recorder, &old);
	if (presence == PROBE_LIVE_RECORDER)
		return err_already_traced(l->pid, recorder);
	if (presence != PROBE_DEAD_RECORDER) {
		struct err *err = lazy_link_take_out_left(l);
		return err ? err : reclaim_orphan(l, t, ret_has_orphan);
	}
	log_debug("taking over from dead recorder %d in %d", (int)recorder, (int)l->pid);
	struct link old_link = { .pid = l->pid,
				 .mem = l->mem,
				 .runtime = l->runtime,
				 .place = l->place,
				 .entry = l->entry,
				 .is_unloadable = l->is_unloadable };
	CLEANUP(maps) struct maps *maps = NULL;
	struct err *err = maps_read(l->pid, &maps);
	if (err)
		return err;
	if (!leftover_prove(&old_link, &old, RADDR(old.base), maps)) {
		snprintf(l->left_alone, sizeof(l->left_alone),
			 "what looks like the probe of an earlier auditview in process %d is not "
			 "one: it is left alone",
			 (int)l->pid);
		err = lazy_link_take_out_left(l); /* its entry is where ours will be */
		return err ? err : reclaim_orphan(l, t, ret_has_orphan);
	}
	struct detach_report report;
	link_detach(&old_link, is_tracee, NULL, CALL_TIMEOUT_NS, &report);
	free(old_link.earlier_code);
	if (old_link.pause_ns > l->pause_ns)
		l->pause_ns = old_link.pause_ns;
	memcpy(l->left_alone, old_link.left_alone, sizeof(l->left_alone));
	if (!report.restored)
		return err_create(ERR_BUSY,
				  "process %d still holds an earlier auditview's probe: %s",
				  (int)l->pid, report.left);
	l->took_over = true;
	return NULL;
}

/* It is linked. No other recorder can claim it while we hold the lock, or while the process is
 * stopped at its entry. */
void link_own(struct link *l)
{
	l->linked = true;
	struct err *err = target_own(l->pid);
	l->owned = !err;
	if (err)
		log_debug("%s", err->message);
	err_destroy(err);
}

static bool is_attached_too(void *ctx, pid_t pid)
{
	(void)pid; /* the process or its children: all are followed, or none */
	return ((struct attach *)ctx)->target.attached;
}

/* Undo an attach that has mapped but not linked; children that were forked meanwhile have the
 * mapping too. Returns err, with what is left. */
static struct err *attach_undo(struct attach *a, struct err *err)
{
	struct link *l = a->l;
	struct detach_report report = { .restored = true };
	descriptors_release(); /* the failure may be a lack of descriptors */
	if (l->ring.inode) {
		link_detach(l, is_attached_too, a, CALL_TIMEOUT_NS, &report);
	} else {
		/* its ring could not be examined: no process can be found by it, and no thread can
		 * be in the probe */
		struct remote_program p;
		struct remote_call_stats stats;
		uint64_t one;
		link_unmap_program(l, &p);
		struct err *e = remote_call_run(&a->target, &p, 0, 0, CALL_TIMEOUT_NS, &stats,
						&one);
		if (e) {
			report.restored = false;
			snprintf(report.left, sizeof(report.left), "%s", e->message);
			link_keep_orphan(l, l->mem);
		}
		err_destroy(e);
	}
	if (report.restored)
		return err;
	return err_with_hint(
	    err, "what was mapped is left there unused, the next auditview takes it out (%s)",
	    report.left);
}

/* Remove the code of our calls. If a thread may still be in it, the code stays, and the next
 * auditview recognises it. */
static void attach_forget_code(struct attach *a)
{
	struct err *err = a->l->place.last_tid ? remote_place_wait(&a->target, CALL_GRACE_NS)
					       : NULL;
	if (!err && a->l->place.last_tid)
		err = remote_place_clear(&a->target);
	if (err)
		log_debug("%s", err->message);
	err_destroy(err);
}

struct err *link_attach(pid_t pid, const struct python_runtime *rt,
			const struct probe_options *options, bool attached, struct link **ret)
{
	struct attach a;
	struct remote_call_stats stats;
	uint64_t base = 0, one;
	bool has_orphan = false;
	struct err *err = target_lock(pid, CALL_TIMEOUT_NS);
	if (err)
		return err;
	err = attach_prepare(&a, pid, rt, options, attached);
	if (!err && a.l->place.is_left) /* its answer may be on its way to the mailbox */
		err = remote_place_wait(&a.target, CALL_TIMEOUT_NS);
	if (!err)
		err = check_earlier(a.l, &a.target, &has_orphan);
	if (!err && !rt->is_relocated)
		err = err_with_hint(err_create(ERR_BUSY,
					       "process %d is loading Python at this very moment",
					       (int)pid),
				    "try again");
	if (err)
		goto out;
	if (!a.target.fleeting && threads_all_show(&a.target)) {
		/* only the thread that is in our hook, in that module, will be stopped */
		a.target.unloadable = NULL;
		err = lazy_link_start(&a, has_orphan);
		goto out;
	}
	if (has_orphan) /* a thread is running by now */
		err = link_reclaim_orphan(a.l, &a.target, CALL_TIMEOUT_NS);
	if (err)
		goto out;
	struct remote_program p;
	attach_map_program(&a, &p);
	err = remote_call_run(&a.target, &p, 0, 0, CALL_TIMEOUT_NS, &stats, &base);
	if (err) {
		bool late = err->code == ERR_TIMEOUT && a.l->place.last_tid;
		err = err_wrap(err, "cannot map memory in process %d", (int)pid);
		err = remote_errno_explain(err, pid, a.l->total_bytes, a.memfd >= 0);
		if (late)
			err = err_with_hint(err, "what it maps when it goes on is left there "
						 "unused; the next auditview takes it out");
		goto out;
	}
	link_note_pause(a.l, &stats);
	err = attach_fill(&a, base, &stats);
	if (!err) {
		struct remote_program link;
		link_program(a.l, &link);
		err = remote_call_run(&a.target, &link, 0, 0, CALL_TIMEOUT_NS, &stats, &one);
		if (!err)
			link_note_pause(a.l, &stats);
	}
	if (err) {
		err = attach_undo(&a, err);
		goto out;
	}
	link_own(a.l);
out:
	if (err && a.l)
		attach_forget_code(&a);
	err = attach_end(&a, err, ret);
	target_unlock(pid);
	return err;
}

void link_destroy(struct link *l)
{
	if (!l)
		return;
	if (l->owned)
		target_disown(l->pid);
	if (l->is_left) /* addresses may be left, but memory is not */
		ring_drop_memory(&l->ring);
	ring_close(&l->ring);
	lazy_link_destroy(l->lazy_link);
	remote_mem_close(l->mem);
	free(l->module_path);
	free(l);
}
