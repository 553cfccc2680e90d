/*
 * leftover: see leftover.h.
 */
#include "visit/leftover.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "arch/arch.h"
#include "base/guest.h"
#include "base/proc_status.h"
#include "system/maps.h"
#include "system/proc_file.h"
#include "system/remote_io.h"
#include "system/remote_mem.h"
#include "visit/entry_place.h"
#include "visit/lazy_link_code.h"
#include "visit/mailbox.h"
#include "visit/probe_link.h"
#include "visit/ptrace.h"

#define PRIVATE_MAX (64u << 20)  /* context, code and state of any probe that ever existed */
#define RING_MAX    (1ull << 37) /* 64 slots of 1 GiB */
#define LANES_MAX   64u
/* The kernel chooses where a reservation begins: at any page, also if its parts are at multiples of
 * PROBE_PAGE. */
#define SMALLEST_PAGE 4096u

/* A part of the reservation; [start, end) relative to its base. */
struct part {
	uint64_t start, end;
	bool write, exec;
};

/* Is all of it private anonymous memory with these rights? */
static bool is_private(const struct maps *maps, uint64_t base, const struct part *part)
{
	for (uint64_t at = base + part->start; at < base + part->end;) {
		const struct mapping *m = maps_find(maps, RADDR(at));
		if (!m || m->inode || m->shared || m->path[0] || !m->read ||
		    m->write != part->write || m->exec != part->exec)
			return false;
		at = m->end;
	}
	return true;
}

/* Is it anonymous shared memory, as a ring is? The kernel chooses both names; a file with such a
 * name is not on the device of anonymous memory. */
static bool may_be_ring(const struct mapping *m)
{
	return m->shared && m->read && m->write && !m->exec && m->deleted &&
	       (strcmp(m->path, "/dev/zero") == 0 ||
		strcmp(m->path, "/memfd:auditview-ring") == 0) &&
	       m->dev == ring_device();
}

/* The ring that is mapped at exactly [start, end); NULL if there is anything else. */
static const struct mapping *find_ring(const struct maps *maps, uint64_t start, uint64_t end)
{
	const struct mapping *m = maps_find(maps, RADDR(start));
	return m && m->start == start && m->end == end && may_be_ring(m) ? m : NULL;
}

/* The end of a part that starts at `start`: the start of the next part. */
static uint64_t end_of(uint64_t start, uint64_t other, uint64_t shared_off)
{
	return other > start && other < shared_off ? other : shared_off;
}

static const struct mapping *is_mapped(const struct link *l, const struct maps *maps)
{
	uint64_t base = l->base.v, first = l->blob_off < l->state_off ? l->blob_off : l->state_off;
	const struct part parts[] = {
		{ 0, first, .write = true },
		{ l->blob_off, end_of(l->blob_off, l->state_off, l->shared_off), .exec = true },
		{ l->state_off, end_of(l->state_off, l->blob_off, l->shared_off), .write = true },
	};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (!is_private(maps, base, &parts[i]))
			return NULL;
	return find_ring(maps, base + l->shared_off, base + l->total_bytes);
}

/* Take the numbers of a context, within bounds that every probe has kept to. */
static bool take_numbers(const struct probe_context *said, raddr base, struct link *l)
{
	uint64_t total, entry;
	uint32_t abi, lanes = 1, state, blob, shared;
	if (said->magic != PROBE_MAGIC || !guest_is64(GUEST64(said->base), base.v) ||
	    base.v % SMALLEST_PAGE || base.v >= ARCH_USER_END ||
	    !guest_take32(GUEST32(said->abi), PROBE_ABI_OLDEST, PROBE_ABI, &abi) ||
	    !guest_take32(GUEST32(said->shared_off), 3 * PROBE_PAGE, PRIVATE_MAX, &shared) ||
	    !guest_take32(GUEST32(said->state_off), PROBE_PAGE, shared - PROBE_PAGE, &state) ||
	    !guest_take32(GUEST32(said->blob_off), PROBE_PAGE, shared - PROBE_PAGE, &blob) ||
	    !guest_take64(GUEST64(said->total_bytes), (uint64_t)shared + PROBE_PAGE,
			  shared + RING_MAX, &total) ||
	    !guest_take64(GUEST64(said->entry), l->entry.v, l->entry.v, &entry))
		return false;
	if (abi >= 9 && !guest_take32(GUEST32(said->n_lanes), 1, LANES_MAX, &lanes))
		return false;
	uint64_t lanes_bytes = abi >= 9 ? offsetof(struct probe_state, lanes) +
					      lanes * sizeof(struct probe_lane)
					: 16;
	if (state % PROBE_PAGE || blob % PROBE_PAGE || shared % PROBE_PAGE || total % PROBE_PAGE ||
	    state == blob || base.v + total > ARCH_USER_END ||
	    lanes_bytes > end_of(state, blob, shared) - state)
		return false;
	l->base = base;
	l->abi = abi;
	l->n_lanes = lanes;
	l->state_off = state;
	l->blob_off = blob;
	l->blob_bytes = end_of(blob, state, shared) - blob;
	l->shared_off = shared;
	l->total_bytes = total;
	return true;
}

bool leftover_prove(struct link *l, const struct probe_context *said, raddr base,
		    const struct maps *maps)
{
	struct link proved = *l;
	if (!take_numbers(said, base, &proved))
		return false;
	const struct mapping *ring = is_mapped(&proved, maps);
	if (!ring)
		return false;
	proved.ring.dev = ring->dev;
	proved.ring.inode = ring->inode;
	/* kin_prove() needs a copy: when it examines other processes, the named process may have
	 * been left already. */
	proved.earlier_code = malloc(proved.blob_bytes);
	if (!proved.earlier_code || !remote_mem_read(l->mem, raddr_add(base, proved.blob_off),
						     proved.earlier_code, proved.blob_bytes)) {
		free(proved.earlier_code);
		return false;
	}
	*l = proved;
	return true;
}

/* ---- what nothing names ---- */

/* Is a recorder still at work on this ring, or does an entry or a mailbox still name it? */
static bool is_in_use(const struct link *stray)
{
	struct ring_shared shared;
	struct entry_place entry;
	raddr at = raddr_add(stray->base, stray->shared_off);
	if (!remote_mem_read(stray->mem, at, &shared, sizeof(shared)))
		return true;
	pid_t recorder = (pid_t)shared.recorder_pid; /* only a hint: earlier_probe.c */
	if (recorder > 0 && (kill(recorder, 0) == 0 || errno == EPERM))
		return true;
	if (remote_mem_read(stray->mem, stray->entry, &entry, sizeof(entry)) &&
	    (lazy_link_base_of(entry.hook.user_data) == stray->base.v ||
	     mailbox_names(GUEST64(entry.mailbox), stray->base.v)))
		return true;
	uint32_t beat = shared.heartbeat;
	for (unsigned i = 0; i < 50; i++) {
		ptrace_serve();
		poll(NULL, 0, 10);
		if (!remote_mem_read(stray->mem, at, &shared, sizeof(shared)) ||
		    shared.heartbeat != beat)
			return true;
	}
	return false;
}

bool leftover_find_stray(const struct link *l, const struct maps *maps, raddr *ret_base)
{
	for (size_t i = 2; i < maps->n; i++) {
		if (!may_be_ring(&maps->v[i]))
			continue;
		size_t code = i - 1; /* the state is between them */
		while (code > 0 && maps->v[code].end == maps->v[code + 1].start &&
		       !maps->v[code].exec && !maps->v[code].path[0])
			code--;
		struct probe_context said;
		raddr base = RADDR(maps->v[code].start - PROBE_BLOB_OFF);
		struct link stray = { .pid = l->pid, .mem = l->mem };
		if (!maps->v[code].exec || maps->v[code].start < PROBE_BLOB_OFF ||
		    !remote_mem_read(l->mem, base, &said, sizeof(said)))
			continue;
		stray.entry = RADDR(said.entry);
		if (!leftover_prove(&stray, &said, base, maps))
			continue;
		free(stray.earlier_code);
		if (is_in_use(&stray))
			continue;
		*ret_base = base;
		return true;
	}
	return false;
}

/* ---- other processes ---- */

static bool is_same_program(pid_t a, pid_t b)
{
	struct stat of_a, of_b;
	return remote_io_stat_exe(a, &of_a) == 0 && remote_io_stat_exe(b, &of_b) == 0 &&
	       of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

static bool has_same_credentials(pid_t a, pid_t b)
{
	struct proc_status of_a, of_b;
	struct err *err = proc_status_read(a, &of_a);
	if (!err)
		err = proc_status_read(b, &of_b);
	bool same = !err && memcmp(of_a.uid, of_b.uid, sizeof(of_a.uid)) == 0 &&
		    memcmp(of_a.gid, of_b.gid, sizeof(of_a.gid)) == 0 &&
		    of_a.cap_permitted == of_b.cap_permitted;
	err_destroy(err);
	return same;
}

static bool is_code_same(const struct link *l, struct remote_mem *mem)
{
	uint8_t *theirs = malloc(l->blob_bytes);
	bool same = theirs && l->earlier_code &&
		    remote_mem_read(mem, raddr_add(l->base, l->blob_off), theirs, l->blob_bytes) &&
		    memcmp(theirs, l->earlier_code, l->blob_bytes) == 0;
	free(theirs);
	return same;
}

/* For an earlier probe: we did not see its ring being made, so the ring may be memory that other
 * processes had before. */
static const char *why_no_kin(const struct link *l, pid_t pid, struct remote_mem *mem)
{
	struct probe_context said;
	struct link own = { .entry = l->entry };
	if (!remote_mem_read(mem, l->base, &said, sizeof(said)) ||
	    !take_numbers(&said, l->base, &own))
		return "it has no context of a probe";
	if (own.abi != l->abi || own.n_lanes != l->n_lanes || own.state_off != l->state_off ||
	    own.blob_off != l->blob_off || own.shared_off != l->shared_off ||
	    own.total_bytes != l->total_bytes)
		return "its context differs";
	if (!is_code_same(l, mem))
		return "its code differs";
	if (!has_same_credentials(pid, l->pid) || !is_same_program(pid, l->pid))
		return "it has other credentials or runs another program";
	return NULL;
}

struct err *kin_prove(const struct link *l, pid_t pid, struct remote_mem *mem,
		      const struct maps *maps)
{
	const struct mapping *ring = is_mapped(l, maps);
	const char *why = !ring || ring->dev != l->ring.dev || ring->inode != l->ring.inode
			      ? "its mappings differ"
			  : l->nonce ? NULL
				     : why_no_kin(l, pid, mem);
	if (why)
		return err_create(ERR_CORRUPT,
				  "cannot prove that process %d has the probe of process %d (%s): "
				  "it is left alone",
				  (int)pid, (int)l->pid, why);
	return NULL;
}

/* ---- before there is a ring ---- */

static bool descends_from(pid_t pid, pid_t ancestor)
{
	struct proc_status status;
	for (unsigned i = 0; i < 64 && pid > 1; i++) {
		if (pid == ancestor)
			return true;
		struct err *err = proc_status_read(pid, &status);
		pid = err ? 0 : status.ppid;
		err_destroy(err);
	}
	return false;
}

bool kin_is_forked_since(const struct link *l, pid_t pid, raddr code, const struct maps *of_parent)
{
	uint64_t start_ticks;
	CLEANUP(maps) struct maps *maps = NULL;
	if (!proc_start_ticks(pid, &start_ticks) || start_ticks < l->since_ticks)
		return false;
	/* its parent may have ended */
	if (!descends_from(pid, l->pid) && !has_same_credentials(pid, l->pid))
		return false;
	struct err *err = maps_read(pid, &maps);
	const struct mapping *a = err ? NULL : maps_find(maps, code),
			     *b = maps_find(of_parent, code);
	const struct mapping *entry = err ? NULL : maps_find(maps, l->entry);
	bool same = a && b && a->start == b->start && a->end == b->end && a->dev == b->dev &&
		    a->inode == b->inode && a->offset == b->offset && a->exec && !a->shared &&
		    entry && !entry->shared && entry->write;
	err_destroy(err);
	return same;
}
