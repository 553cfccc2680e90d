/*
 * lazy_link: see lazy_link.h. The dead bytes of a module's text hold the hook, and behind it the
 * place of the stub (stub.h), because the hook must stay while the stub runs. The hook's
 * flags are in the entry's user data, beside the base of the reservation (enum lazy_link_flag).
 * Only the stub writes to the mailbox behind the entry.
 */
#include "visit/lazy_link.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/log.h"
#include "system/maps.h"
#include "system/remote_errno.h"
#include "system/remote_mem.h"
#include "visit/attach_steps.h"
#include "visit/carrier.h"
#include "visit/entry_place.h"
#include "visit/lazy_link_code.h"
#include "visit/leave.h"
#include "visit/leftover.h"
#include "visit/mailbox.h"
#include "visit/one_thread.h"
#include "visit/orphan.h"
#include "visit/probe_link.h"
#include "visit/ptrace.h"
#include "visit/quiet.h"
#include "visit/remote_place.h"
#include "visit/remote_program.h"
#include "visit/remote_target.h"
#include "visit/seccomp.h"
#include "visit/stub.h"
#include "visit/target_lock.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define RACE_NS 1000000000u  /* after linking, the list is checked again */
#define FAR     (1ull << 30) /* distance from everything that the target has mapped */
#define TRY_NS  200000000u   /* for one call of the thread that the hook holds */
#define HOLD_NS 197000000u   /* the first hook holds a thread at most about so long */
/* how long events pass before a thread is held again, if no call could be made */
#define AGAIN_MIN_NS 100000000ull
#define AGAIN_MAX_NS 10000000000ull

struct lazy_link {
	struct attach attach;
	struct probe_options options;
	struct remote_place stub;       /* behind the hook */
	struct remote_call_stats stats; /* of the last call that was attempted */
	uint64_t started_ns, again_ns, backoff_ns;
	bool has_orphan; /* the reservation of an earlier auditview must still be unmapped */
};

void lazy_link_destroy(struct lazy_link *b)
{
	if (!b)
		return;
	attach_fini(&b->attach);
	free(b);
}

/* Write the code and its data to `place`; no thread is stopped for it. */
static struct err *write_code(const struct link *l, struct remote_mem *mem,
			      const struct remote_place *place)
{
	struct lazy_link_data data = { .entry = l->entry.v,
				       .head = l->runtime.layout.audit_head,
				       .spins = arch_hook_turns(HOLD_NS) };
	uint8_t bytes[REMOTE_PLACE_BYTES];
	CHECK(place->n_bytes >= lazy_link_blob_bytes && place->n_bytes <= sizeof(bytes));
	/* Code that is there already may be longer. Its rest is cleared too, because nothing would
	 * tell of it if we were killed. */
	memcpy(bytes, place->before, place->n_bytes);
	memcpy(bytes, lazy_link_blob, lazy_link_code_bytes());
	memcpy(bytes + lazy_link_code_bytes(), &data, sizeof(data));
	return remote_mem_write(mem, place->code, bytes, place->n_bytes);
}

/* The place of the stub, behind the hook. */
static struct remote_place stub_place(const struct remote_place *hook)
{
	struct remote_place stub = *hook;
	stub.code = raddr_add(hook->code, lazy_link_hook_bytes());
	stub.n_bytes = stub_bytes();
	memset(stub.before, 0, sizeof(stub.before));
	memcpy(stub.before, hook->before + lazy_link_hook_bytes(), stub.n_bytes);
	stub.is_left = false;
	stub.last_tid = 0;
	stub.back = RADDR(0);
	return stub;
}

/* The hook and its stub are cleared as one. */
static void keep_back(struct remote_place *hook, const struct remote_place *stub)
{
	if (stub->back.v) {
		hook->back = stub->back;
		memcpy(hook->back_before, stub->back_before, sizeof(stub->back_before));
	}
}

static struct err *write_word(const struct link *l, struct remote_mem *mem, size_t off,
			      uint64_t value)
{
	return remote_mem_write(mem, raddr_add(l->entry, off), &value, sizeof(value));
}

/* An address in the widest gap, where nothing is mapped and nothing will soon grow into. 0: no gap
 * is wide enough. */
static uint64_t choose_base(const struct maps *maps, uint64_t n_bytes)
{
	uint64_t widest = 0, base = 0;
	for (size_t i = 0; i + 1 < maps->n; i++) {
		uint64_t start = maps->v[i].end, end = maps->v[i + 1].start;
		if (end < start || end > ARCH_USER_END || end - start <= widest)
			continue;
		widest = end - start;
		base = widest > n_bytes + 2 * FAR ? end - FAR - n_bytes : 0;
	}
	return base & ~(uint64_t)(PROBE_PAGE - 1);
}

/* Make the entry the first of the list, by two stores. */
static struct err *link_plain(const struct link *l, struct remote_mem *mem, uint64_t fn,
			      uint64_t user_data)
{
	struct hook_entry entry = { .fn = fn, .user_data = user_data };
	if (!remote_mem_read(mem, RADDR(l->runtime.layout.audit_head), &entry.next,
			     sizeof(entry.next)))
		return err_create(ERR_TARGET_GONE, "process %d is gone", (int)l->pid);
	if (entry.next == l->entry.v)
		return NULL;
	struct err *err = remote_mem_write(mem, l->entry, &entry, sizeof(entry));
	if (!err)
		err = remote_mem_write(mem, RADDR(l->runtime.layout.audit_head), &l->entry,
				       sizeof(uint64_t));
	return err;
}

/* Find a place in the module of the runtime, or in one that cannot be unloaded: no thread is
 * stopped here, so the place cannot be checked and written in one step. */
static struct err *find_place(const struct link *l, struct remote_mem *mem, const struct maps *maps,
			      size_t n_bytes, struct remote_place *ret)
{
	struct err *err = remote_place_find(l->pid, mem, maps, l->runtime.module.start, n_bytes,
					    ret);
	if (!err && ret->is_unloadable && ret->module.start.v != l->runtime.module.start.v)
		err = err_create(
		    ERR_UNSUPPORTED,
		    "no module that process %d cannot unload has %zu unused bytes behind its code",
		    (int)l->pid, n_bytes);
	return err;
}

struct err *lazy_link_start(struct attach *a, bool has_orphan)
{
	struct link *l = a->l;
	uint64_t base = choose_base(a->maps, l->total_bytes);
	if (!base)
		return err_create(ERR_UNSUPPORTED, "the address space of process %d has no room",
				  (int)l->pid);
	l->base = RADDR(base);
	struct err *err = find_place(l, l->mem, a->maps, lazy_link_place_bytes(), &l->place);
	if (!err && l->place.is_left)
		err = remote_place_wait(&a->target, CALL_TIMEOUT_NS);
	if (err)
		return err;
	struct lazy_link *b = calloc(1, sizeof(*b));
	if (!b)
		return err_no_memory();
	/* find_place() may have set another mailbox */
	l->place.mailbox = entry_place_mailbox(l->entry);
	err = write_code(l, l->mem, &l->place);
	if (!err)
		err = link_plain(l, l->mem, l->place.code.v, l->base.v);
	l->place.is_left = true;
	if (err) {
		struct err *e = lazy_link_take_out_left(l);
		if (!e)
			e = carrier_settle(&a->target, CALL_GRACE_NS);
		err_destroy(e);
		free(b);
		return err;
	}
	b->started_ns = monotonic_ns();
	b->options = *a->options;
	b->attach = *a;
	b->attach.options = &b->options;
	b->attach.facts = NULL; /* these are the caller's */
	b->attach.runtime = NULL;
	b->stub = stub_place(&l->place);
	b->has_orphan = has_orphan;
	a->maps = NULL; /* it belongs to the link now, */
	a->memfd = -1;  /* and so does this */
	l->lazy_link = b;
	link_own(l);
	log_debug("process %d is armed at its next event: a stop would show in every thread",
		  (int)l->pid);
	return NULL;
}

bool link_is_waiting(const struct link *l)
{
	return l->lazy_link != NULL;
}

/* ---- take the first hook out ---- */

struct err *lazy_link_take_out_left(const struct link *l)
{
	struct entry_place entry;
	if (!remote_mem_read(l->mem, l->entry, &entry, sizeof(entry)) || !entry.hook.fn)
		return NULL;
	struct err *err = link_unlink_plain(l, l->mem);
	if (!err && entry.hook.fn != l->runtime.layout.fn_neutral)
		err = write_word(l, l->mem, offsetof(struct hook_entry, fn),
				 l->runtime.layout.fn_neutral);
	if (!err && entry.hook.user_data)
		err = write_word(l, l->mem, offsetof(struct hook_entry, user_data), 0);
	return err;
}

static struct err *take_out_left(void *link)
{
	return lazy_link_take_out_left(link);
}

/* Take the hook out of the process that waits, or of a child that was forked meanwhile. */
static struct err *cancel_in(const struct link *l, pid_t pid, struct remote_mem *mem, bool attached)
{
	struct link copy = *l;
	CLEANUP(maps) struct maps *maps = NULL;
	struct remote_target t = { .pid = pid,
				   .mem = mem,
				   .place = &copy.place,
				   .attached = attached,
				   .filtered = seccomp_any_filter(pid) };
	struct entry_place entry;
	copy.mem = mem;
	copy.place.is_left = true;
	if (l->lazy_link)
		keep_back(&copy.place, &l->lazy_link->stub);
	struct err *err = maps_read(pid, &maps);
	if (!err && (!remote_mem_read(mem, l->entry, &entry, sizeof(entry)) ||
		     lazy_link_base_of(entry.hook.user_data) != l->base.v))
		/* the module was unloaded with entry, list and code; what is there now is not
		 * ours */
		return NULL;
	t.maps = maps;
	if (!err) {
		python_runtime_refresh(remote_mem_reader(mem), &copy.runtime);
		link_target_module(&copy, &t);
		err = carrier_act(&t, take_out_left, &copy);
	}
	if (!err)
		err = remote_place_wait(&t, CALL_TIMEOUT_NS);
	if (!err && !remote_mem_read(mem, l->entry, &entry, sizeof(entry)))
		err = err_create(ERR_TARGET_GONE, "process %d is gone", (int)pid);
	if (!err &&
	    guest_is64(GUEST64(entry.mailbox),
		       mailbox_word_done(l->base.v))) { /* an event came at the last moment */
		struct remote_program p;
		struct remote_call_stats stats;
		uint64_t one;
		link_text_range(maps, &l->runtime.module, &t);
		link_unmap_program(l, &p);
		err = carrier_run(&t, &p, 0, 0, CALL_TIMEOUT_NS, &stats, &one);
		if (!err)
			err = remote_place_wait(&t, CALL_TIMEOUT_NS);
	}
	if (!err)
		err = carrier_clear(&t);
	/* No thread that could write its flags is in the hook any more. */
	const uint64_t none[2] = { 0 };
	bool keeps_mailbox = pid == l->pid && l->lazy_link->has_orphan;
	const struct remote_store done = { raddr_add(l->entry,
						     offsetof(struct hook_entry, user_data)),
					   none, keeps_mailbox ? 8 : 16 };
	_Static_assert(offsetof(struct entry_place, mailbox) ==
			   offsetof(struct hook_entry, user_data) + 8,
		       "both are written at once");
	if (!err)
		err = carrier_store(&t, &done, 1);
	else if (err->code != ERR_TARGET_GONE)
		orphan_keep(l, mem);
	return err;
}

/* Children that were forked while their parent waited have the first hook, but not the ring by
 * which we would find them. */
static void cancel_in_children(const struct link *l, bool (*is_attached)(void *ctx, pid_t pid),
			       void *ctx)
{
	const struct maps *maps = l->lazy_link->attach.maps;
	DIR *proc = opendir("/proc");
	for (struct dirent *e; proc && (e = readdir(proc));) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		struct remote_mem *mem = NULL;
		struct entry_place entry;
		if (pid <= 0 || pid == getpid() || pid == l->pid)
			continue;
		struct err *err = remote_mem_open(pid, &mem);
		if (!err && remote_mem_read(mem, l->entry, &entry, sizeof(entry)) &&
		    entry.hook.fn == l->place.code.v &&
		    lazy_link_base_of(entry.hook.user_data) == l->base.v &&
		    kin_is_forked_since(l, pid, l->place.code, maps))
			err = cancel_in(l, pid, mem, is_attached && is_attached(ctx, pid));
		if (err)
			log_debug("child %d: %s", (int)pid, err->message);
		err_destroy(err);
		remote_mem_close(mem);
	}
	if (proc)
		closedir(proc);
}

void lazy_link_cancel(struct link *l, bool (*is_attached)(void *ctx, pid_t pid), void *ctx,
		      struct detach_report *report)
{
	*report = (struct detach_report){ .restored = true, .n_processes = 1 };
	struct err *err = target_lock_to_leave(l->pid, CALL_TIMEOUT_NS);
	if (!err) {
		err = cancel_in(l, l->pid, l->mem, is_attached && is_attached(ctx, l->pid));
		target_unlock(l->pid);
	}
	if (err && err->code != ERR_TARGET_GONE && err->code != ERR_NOT_FOUND) {
		report->restored = false;
		snprintf(report->left, sizeof(report->left), "process %d: %s", (int)l->pid,
			 err->message);
	}
	err_destroy(err);
	cancel_in_children(l, is_attached, ctx);
	lazy_link_destroy(l->lazy_link);
	l->lazy_link = NULL;
	l->linked = false;
}

/* ---- continue when an event comes ---- */

static bool list_holds(const struct link *l)
{
	raddr before;
	return hook_list_find(remote_mem_reader(l->mem), RADDR(l->runtime.layout.audit_head),
			      l->entry, &before) == HOOK_ENTRY;
}

/* This is set before anything else is checked: a held thread continues, and none is held from then
 * on. */
static struct err *set_flags(const struct link *l, uint8_t flags)
{
	/* write one byte: the count beside it belongs to the target */
	return remote_mem_write(l->mem, raddr_add(l->entry, offsetof(struct hook_entry, user_data)),
				&flags, sizeof(flags));
}

/* No call could be made. Events pass without us, and after a while one is held again. */
static void wait_longer(struct link *l, struct err *why)
{
	struct lazy_link *b = l->lazy_link;
	uint64_t now = monotonic_ns();
	b->backoff_ns = b->backoff_ns ? b->backoff_ns * 2 : AGAIN_MIN_NS;
	if (b->backoff_ns > AGAIN_MAX_NS)
		b->backoff_ns = AGAIN_MAX_NS;
	b->again_ns = now + b->backoff_ns;
	if (why->code == ERR_DENIED && !l->waits_why[0])
		snprintf(l->waits_why, sizeof(l->waits_why), "%s", why->message);
	log_debug("process %d, at its next event: %s", (int)l->pid, why->message);
	err_destroy(why);
	err_destroy(set_flags(l, LAZY_LINK_GO_ON));
}

/* Map the reservation, by a call of the thread that the hook holds, or of another thread whose stop
 * is not visible. */
static struct err *map_now(struct link *l, bool attached, bool is_held)
{
	struct lazy_link *b = l->lazy_link;
	struct remote_target *t = &b->attach.target;
	struct remote_program p;
	struct maps *maps = NULL;
	size_t reservation = 0;
	uint64_t base;
	struct err *err = maps_read(l->pid, &maps);
	if (!err)
		err = maps_find_modules(maps, remote_mem_reader(l->mem));
	if (err) {
		maps_destroy(maps);
		return err;
	}
	maps_destroy(b->attach.maps);
	b->attach.maps = maps;
	t->maps = maps;
	t->place = &b->stub;
	t->attached = attached;
	t->carrier = CARRIER_NEXT_EVENT;
	t->is_held = is_held;
	if (b->has_orphan) {
		err = orphan_reclaim(l, t, TRY_NS);
		if (err)
			return err;
		b->has_orphan = false;
	}
	attach_map_program(&b->attach, &p);
	while (!(p.ops[reservation].op & REMOTE_FLAG(REMOTE_SAVE_BASE)))
		reservation++;
	p.ops[reservation].args[0] = l->base.v;
	p.ops[reservation].args[3] |= MAP_FIXED_NOREPLACE;
	err = carrier_run(t, &p, 0, 0, TRY_NS, &b->stats, &base);
	return remote_errno_explain(err, l->pid, l->total_bytes, b->attach.memfd >= 0);
}

/* The ring is mapped: do the rest. */
static struct err *complete(struct link *l, bool (*is_attached)(void *ctx, pid_t pid), void *ctx)
{
	struct lazy_link *b = l->lazy_link;
	link_note_pause(l, &b->stats);
	keep_back(&l->place, &b->stub);
	struct err *err = attach_fill(&b->attach, l->base.v, &b->stats);
	if (err)
		return err;
	link_count_missed(l);
	cancel_in_children(l, is_attached, ctx);
	lazy_link_destroy(b);
	l->lazy_link = NULL;
	return NULL;
}

static void take_missed(struct link *l, const struct entry_place *entry)
{
	l->n_missed = entry->hook.user_data >> LAZY_LINK_MISSED_SHIFT;
	l->missed_is_known = l->n_missed < LAZY_LINK_MISSED_MAX;
}

void link_count_missed(struct link *l)
{
	struct entry_place entry;
	if (!l->lazy_link)
		return;
	l->missed_is_known = false;
	if (remote_mem_read(l->mem, l->entry, &entry, sizeof(entry)) &&
	    lazy_link_base_of(entry.hook.user_data) == l->base.v)
		take_missed(l, &entry);
}

struct err *link_poll(struct link *l, bool (*is_attached)(void *ctx, pid_t pid), void *ctx)
{
	struct lazy_link *b = l->lazy_link;
	struct entry_place entry;
	if (!b)
		return NULL;
	/* what was counted last is gone with the memory, whatever has ended it */
	l->missed_is_known = false;
	if (!remote_mem_read(l->mem, l->entry, &entry, sizeof(entry)))
		return err_create(ERR_TARGET_GONE, "process %d is gone", (int)l->pid);
	if (lazy_link_base_of(entry.hook.user_data) != l->base.v)
		return err_create(ERR_TARGET_GONE, "the program of process %d is another one now",
				  (int)l->pid);
	take_missed(l, &entry);
	if (guest_is64(GUEST64(entry.mailbox),
		       mailbox_word_done(l->base.v))) /* of a call that we had given up */
		return complete(l, is_attached, ctx);
	if (b->again_ns) { /* when this time has passed, the next event is held again */
		bool is_due = monotonic_ns() >= b->again_ns;
		b->again_ns = is_due ? 0 : b->again_ns;
		return is_due ? set_flags(l, 0) : NULL;
	}
	if (!(entry.hook.user_data & (LAZY_LINK_CAME | LAZY_LINK_GO_ON))) {
		if (list_holds(l))
			return NULL;
		if (monotonic_ns() - b->started_ns > RACE_NS)
			return err_create(ERR_TARGET_GONE,
					  "the interpreter of process %d has ended", (int)l->pid);
		/* another hook was being added to the list at that moment */
		return link_plain(l, l->mem, l->place.code.v, l->base.v);
	}
	struct err *err = map_now(l, is_attached && is_attached(ctx, l->pid),
				  !(entry.hook.user_data & LAZY_LINK_GO_ON));
	if (!err)
		return complete(l, is_attached, ctx);
	/* the thread that came is no longer held */
	if (err->code == ERR_TIMEOUT && !b->stub.last_tid) {
		log_debug("process %d, at its next event: %s", (int)l->pid, err->message);
		err_destroy(err);
		return set_flags(l, 0);
	}
	/* that a thread is gone does not mean that its process is gone */
	bool may_be_tried_again = err->code == ERR_TIMEOUT || err->code == ERR_DENIED ||
				  err->code == ERR_BUSY ||
				  (err->code == ERR_TARGET_GONE && err->sys != ESTALE);
	if (!may_be_tried_again)
		return err;
	wait_longer(l, err);
	return NULL;
}

/* ---- leaving ---- */

static bool has_left(const struct link *l, const struct remote_target *t)
{
	bool has = false;
	struct err *err = quiet_check(l, t, &has);
	err_destroy(err);
	return has;
}

/* The hook is our own code, and that code will be removed. So a failure to unlink is retried: the
 * code must not be removed while it is linked. */
static struct err *take_out_for_good(const struct link *l, struct remote_mem *mem)
{
	struct link here = *l;
	here.mem = mem;
	struct err *err = lazy_link_take_out_left(&here);
	for (unsigned try = 0; err && err->code != ERR_TARGET_GONE && try < 4; try++) {
		err_destroy(err);
		poll(NULL, 0, 1 << try);
		err = lazy_link_take_out_left(&here);
	}
	return err;
}

bool lazy_link_is_hook(const struct link *l, struct remote_mem *mem)
{
	struct entry_place entry;
	return remote_mem_read(mem, l->entry, &entry, sizeof(entry)) &&
	       lazy_link_base_of(entry.hook.user_data) == l->base.v &&
	       entry.hook.fn - l->place.code.v < REMOTE_PLACE_BYTES;
}

/* For a process that no thread enters by the hook any more, and in whose hook no thread is. */
static struct err *forget_flags(const struct link *l, struct remote_mem *mem)
{
	return write_word(l, mem, offsetof(struct hook_entry, user_data), 0);
}

struct err *lazy_link_finish(struct link *l, const struct remote_target *t)
{
	struct err *err = take_out_for_good(l, t->mem);
	if (!err)
		err = carrier_settle(t, CALL_TIMEOUT_NS);
	if (!err)
		err = forget_flags(l, t->mem);
	if (!err)
		err = write_word(l, t->mem, offsetof(struct entry_place, mailbox), 0);
	return err;
}

/* Unmap the reservation as soon as there is a thread whose stop is not visible: the hook holds the
 * one that raises the next event. ERR_TIMEOUT: there was none until `deadline`. */
static struct err *unmap_by_then(const struct link *l, const struct remote_target *t,
				 uint64_t deadline, struct remote_call_stats *stats)
{
	struct link here = *l;
	struct remote_target now = *t;
	here.mem = t->mem;
	now.carrier = CARRIER_NEXT_EVENT;
	struct err *err = NULL;
	do {
		struct entry_place entry;
		struct remote_program p;
		uint64_t one;
		err_destroy(err);
		err = NULL;
		if (!remote_mem_read(t->mem, l->entry, &entry, sizeof(entry)))
			return err_create(ERR_TARGET_GONE, "process %d is gone", (int)t->pid);
		now.is_held = (entry.hook.user_data & (LAZY_LINK_CAME | LAZY_LINK_GO_ON)) ==
			      LAZY_LINK_CAME;
		link_unmap_program(l, &p);
		err = carrier_run(&now, &p, 0, 0, TRY_NS, stats, &one);
		if (!err)
			return NULL;
		if (err->code != ERR_TIMEOUT && err->code != ERR_BUSY && err->code != ERR_DENIED)
			return err;
		if (entry.hook.user_data &
		    LAZY_LINK_GO_ON) { /* the thread that came has continued */
			struct err *e = set_flags(&here, 0);
			err_destroy(err);
			err = e;
		}
		ptrace_serve();
		poll(NULL, 0, 1);
	} while (monotonic_ns() < deadline);
	return err ? err : err_create(ERR_TIMEOUT, "no event came");
}

/* Make the hook what events come to. It is linked by plain stores if our entry was taken out of the
 * list before: every thread waits, so none adds a hook. */
static struct err *enter(const struct link *l, struct remote_mem *mem, uint64_t fn,
			 uint64_t user_data)
{
	raddr before;
	if (hook_list_find(remote_mem_reader(mem), RADDR(l->runtime.layout.audit_head), l->entry,
			   &before) == HOOK_END)
		return link_plain(l, mem, fn, user_data);
	struct err *err = write_word(l, mem, offsetof(struct hook_entry, user_data), user_data);
	return err ? err : write_word(l, mem, offsetof(struct hook_entry, fn), fn);
}

struct err *lazy_link_leave(struct link *l, const struct remote_target *t, uint64_t deadline,
			    uint64_t *pause_ns, bool *ret_done)
{
	struct remote_place place = l->place, stub;
	struct remote_target hook = *t, call = *t;
	struct remote_call_stats stats = { 0 };
	*ret_done = false;
	hook.place = &place;
	call.place = &stub;
	struct err *err = find_place(l, t->mem, t->maps, lazy_link_place_bytes(), &place);
	if (!err && place.is_left)
		err = remote_place_wait(&hook, CALL_TIMEOUT_NS);
	/* clearing it must clear all of it */
	if (!err && place.code.v == l->place.code.v && l->place.n_bytes < place.n_bytes)
		l->place.n_bytes = place.n_bytes;
	place.mailbox = entry_place_mailbox(l->entry);
	stub = stub_place(&place);
	if (!err)
		err = write_code(l, t->mem, &place);
	if (!err)
		err = write_word(l, t->mem, offsetof(struct entry_place, mailbox),
				 mailbox_word_pending(l->base.v));
	/* The hook only keeps events out of the probe: no thread is held before the probe is
	 * empty. */
	if (!err)
		err = enter(l, t->mem, place.code.v, l->base.v | LAZY_LINK_GO_ON);
	if (err)
		return err;
	while (monotonic_ns() < deadline && !has_left(l, t))
		poll(NULL, 0, 2);
	if (has_left(l, t)) {
		err = unmap_by_then(l, &call, deadline, &stats);
		*ret_done = !err;
		*pause_ns = stats.pause_ns > *pause_ns ? stats.pause_ns : *pause_ns;
		if (err && err->code != ERR_TARGET_GONE) {
			log_debug("leaving process %d: %s", (int)t->pid, err->message);
			err_destroy(err);
			err = NULL;
		}
	}
	if (!err)
		err = take_out_for_good(l, t->mem);
	keep_back(&place, &stub);
	if (!err) /* from now on no thread can enter it */
		err = remote_place_wait(&hook, CALL_TIMEOUT_NS);
	if (!err)
		err = forget_flags(l, t->mem);
	if (err)
		return err;
	if (!*ret_done)
		orphan_keep(l, t->mem);
	return carrier_clear(&hook);
}
