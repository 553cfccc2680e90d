/*
 * boot: see boot.h. The mailbox of a reservation at `base`, in the order of time:
 *
 *   base + OPEN       the next event's thread shall make the calls
 *   base + PENDING    one is at it; or the reservation is nobody's any more (as with remote_call)
 *   base, 1, -errno   it has: mapped, unmapped, failed
 */
#include "visit/boot.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "visit/inject.h"
#include "visit/inject_private.h"
#include "visit/leftover.h"
#include "system/maps.h"
#include "system/procs.h"
#include "visit/ptrace.h"
#include "system/remote_errno.h"
#include "system/remote_mem.h"
#include "visit/still.h"
#include "visit/target_lock.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define OPEN    4ull
#define WAIT_NS 2000000u     /* an event's thread waits this long for us, once */
#define RACE_NS 1000000000u  /* after linking the list is looked at again */
#define FAR     (1ull << 30) /* from what the target has mapped */

/* made from arch/x86_64/boot.S; it ends with the data up to its calls */
extern const uint8_t boot_blob[];
extern const size_t boot_blob_bytes;

struct boot_data {
	uint64_t mailbox, entry, head, open, claimed, total_bytes, pid, wait_ns, n_ops;
	uint64_t path_bytes; /* of the path behind the calls, with its NUL; 0: none */
};

struct boot {
	struct attach attach;
	struct probe_options options;
	uint64_t started_ns;
};

struct entry {
	uint64_t next, fn, user_data, mailbox;
};

static size_t code_bytes(void)
{
	return boot_blob_bytes - sizeof(struct boot_data);
}

static size_t bytes_for(const struct remote_program *p)
{
	return boot_blob_bytes + p->n_ops * sizeof(struct remote_op) +
	       (p->path ? strlen(p->path) + 1 : 0);
}

size_t boot_bytes_at(const uint8_t *bytes)
{
	struct boot_data data;
	if (memcmp(bytes, boot_blob, code_bytes()) != 0)
		return 0;
	memcpy(&data, bytes + code_bytes(), sizeof(data));
	size_t n = boot_blob_bytes + data.n_ops * sizeof(struct remote_op) + data.path_bytes;
	return data.n_ops <= REMOTE_MAX_OPS && data.path_bytes <= REMOTE_PLACE_BYTES &&
		       n <= REMOTE_PLACE_BYTES
		   ? n
		   : 0;
}

void boot_destroy(struct boot *b)
{
	if (!b)
		return;
	attach_fini(&b->attach);
	free(b);
}

/* The code and its data, at place; no thread is stopped for it. */
static struct err *write_code(const struct link *l, struct remote_mem *mem, pid_t pid,
			      const struct remote_place *place,
			      const struct remote_program *program)
{
	struct proc_status status;
	struct err *err = proc_status_read(pid, &status);
	if (err)
		return err;
	struct boot_data data = { .mailbox = l->entry.v + offsetof(struct entry, mailbox),
				  .entry = l->entry.v,
				  .head = l->runtime.layout.audit_head,
				  .open = l->base.v | OPEN,
				  .claimed = l->base.v | REMOTE_PENDING,
				  .total_bytes = program->total_bytes,
				  .pid = (uint64_t)status.ns_pid,
				  .wait_ns = WAIT_NS,
				  .n_ops = program->n_ops,
				  .path_bytes = program->path ? strlen(program->path) + 1 : 0 };
	uint8_t bytes[REMOTE_PLACE_BYTES];
	struct remote_op ops[REMOTE_MAX_OPS];
	size_t n_ops = program->n_ops * sizeof(ops[0]), path_off = boot_blob_bytes + n_ops;
	CHECK(bytes_for(program) <= sizeof(bytes));
	memcpy(ops, program->ops, n_ops);
	for (size_t i = 0; program->path && i < program->n_ops; i++)
		for (size_t k = 0; k < ARRAY_LEN(ops[i].args); k++)
			if (ops[i].args[k] == REMOTE_PATH)
				ops[i].args[k] = place->code.v + path_off;
	memcpy(bytes, boot_blob, code_bytes());
	memcpy(bytes + code_bytes(), &data, sizeof(data));
	memcpy(bytes + boot_blob_bytes, ops, n_ops);
	if (program->path)
		memcpy(bytes + path_off, program->path, data.path_bytes);
	/* What stands there may be longer. Its rest goes with it: nobody would know of it should we
	 * be killed. */
	size_t n = bytes_for(program);
	if (n < place->n_bytes)
		memcpy(bytes + n, place->before + n, place->n_bytes - n);
	return remote_mem_write(mem, place->code, bytes, n < place->n_bytes ? place->n_bytes : n);
}

static struct err *write_word(const struct link *l, struct remote_mem *mem, size_t off,
			      uint64_t value)
{
	return remote_mem_write(mem, raddr_add(l->entry, off), &value, sizeof(value));
}

/* Where nothing is and nothing will grow into soon: the widest gap there is. 0: none that is wide
 * enough. */
static uint64_t choose_base(const struct maps *maps, uint64_t n_bytes)
{
	uint64_t widest = 0, base = 0;
	for (size_t i = 0; i + 1 < maps->n; i++) {
		uint64_t start = maps->v[i].end, end = maps->v[i + 1].start;
		if (end < start || end >> 47 || end - start <= widest)
			continue;
		widest = end - start;
		base = widest > n_bytes + 2 * FAR ? end - FAR - n_bytes : 0;
	}
	return base & ~(uint64_t)(PROBE_PAGE - 1);
}

/* The entry as the new first of the list, by two stores. */
static struct err *link_plain(const struct link *l, uint64_t fn)
{
	struct entry entry = { .fn = fn, .user_data = l->base.v };
	if (!remote_mem_read(l->mem, RADDR(l->runtime.layout.audit_head), &entry.next,
			     sizeof(entry.next)))
		return err_create(ERR_TARGET_GONE, "process %d is gone", (int)l->pid);
	if (entry.next == l->entry.v)
		return NULL;
	struct err *err = remote_mem_write(l->mem, l->entry, &entry,
					   offsetof(struct entry, mailbox));
	if (!err)
		err = remote_mem_write(l->mem, RADDR(l->runtime.layout.audit_head), &l->entry,
				       sizeof(uint64_t));
	return err;
}

/* In the module of the runtime, or one that stays: no thread is stopped here, so the place could
 * not be checked and written at once. */
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

struct err *boot_start(struct attach *a)
{
	struct link *l = a->l;
	struct remote_program p;
	attach_map_program(a, &p);
	uint64_t base = choose_base(a->maps, l->total_bytes);
	if (!base)
		return err_create(ERR_UNSUPPORTED, "the address space of process %d has no room",
				  (int)l->pid);
	l->base = RADDR(base);
	size_t reservation = 0;
	while (!(p.ops[reservation].op & REMOTE_FLAG(REMOTE_SAVE_BASE)))
		reservation++;
	p.ops[reservation].args[0] = base;
	p.ops[reservation].args[3] |= MAP_FIXED_NOREPLACE;
	struct err *err = find_place(l, l->mem, a->maps, bytes_for(&p), &l->place);
	if (!err && l->place.is_left)
		err = remote_place_wait(&a->target, CALL_TIMEOUT_NS);
	if (err)
		return err;
	struct boot *b = calloc(1, sizeof(*b));
	if (!b)
		return err_no_memory();
	err = write_code(l, l->mem, l->pid, &l->place, &p);
	if (!err)
		err = write_word(l, l->mem, offsetof(struct entry, mailbox), base | OPEN);
	if (!err)
		err = link_plain(l, l->place.code.v);
	l->place.is_left = true;
	if (err) {
		struct err *e = boot_take_out_left(l);
		if (!e)
			e = remote_place_wait(&a->target, CALL_GRACE_NS);
		if (!e)
			e = remote_place_clear(&a->target);
		err_destroy(e);
		free(b);
		return err;
	}
	b->started_ns = monotonic_ns();
	b->options = *a->options;
	b->attach = *a;
	b->attach.options = &b->options;
	a->maps = NULL; /* it is ours now, */
	a->memfd = -1;  /* and so is this */
	l->boot = b;
	link_own(l);
	log_debug("process %d is armed at its next event: a stop would show in every thread",
		  (int)l->pid);
	return NULL;
}

bool link_is_waiting(const struct link *l)
{
	return l->boot != NULL;
}

/* ---- taking the first hook out ---- */

struct err *boot_take_out_left(const struct link *l)
{
	struct entry entry;
	if (!remote_mem_read(l->mem, l->entry, &entry, sizeof(entry)) || !entry.fn)
		return NULL;
	struct err *err = link_unlink_plain(l, l->mem);
	if (!err && entry.fn != l->runtime.layout.fn_neutral)
		err = write_word(l, l->mem, offsetof(struct entry, fn),
				 l->runtime.layout.fn_neutral);
	if (!err && entry.user_data)
		err = write_word(l, l->mem, offsetof(struct entry, user_data), 0);
	return err;
}

static struct err *take_out_left(void *link)
{
	return boot_take_out_left(link);
}

/* From the process that waits, or a child that was forked while it did. */
static struct err *cancel_in(const struct link *l, pid_t pid, struct remote_mem *mem)
{
	struct link copy = *l;
	CLEANUP(maps) struct maps *maps = NULL;
	struct remote_target t = { .pid = pid,
				   .mem = mem,
				   .place = &copy.place,
				   .attached = l->boot->attach.target.attached };
	struct entry entry;
	copy.mem = mem;
	copy.place.is_left = true;
	struct err *err = maps_read(pid, &maps);
	if (!err && (!remote_mem_read(mem, l->entry, &entry, sizeof(entry)) ||
		     entry.user_data != l->base.v))
		return NULL; /* unloaded: entry, list and code went with the module, and what is
				there now is not ours */
	t.maps = maps;
	if (!err) {
		python_runtime_refresh(remote_mem_reader(mem), &copy.runtime);
		link_target_module(&copy, &t);
		err = still_do(&t, take_out_left, &copy);
	}
	if (!err)
		err = remote_place_wait(&t, CALL_TIMEOUT_NS);
	if (!err && !remote_mem_read(mem, l->entry, &entry, sizeof(entry)))
		err = err_create(ERR_TARGET_GONE, "process %d is gone", (int)pid);
	if (!err && entry.mailbox == l->base.v) { /* an event had come at the last moment */
		struct remote_program p;
		struct remote_call_stats stats;
		uint64_t one;
		link_text_range(maps, &l->runtime.module, &t);
		link_unmap_program(l, &p);
		err = remote_call_run(&t, &p, 0, 0, CALL_TIMEOUT_NS, &stats, &one);
		if (!err)
			err = remote_place_wait(&t, CALL_TIMEOUT_NS);
	}
	if (!err)
		err = remote_place_clear(&t);
	uint64_t none = 0;
	const struct still_store done = { raddr_add(l->entry, offsetof(struct entry, mailbox)),
					  &none, sizeof(none) };
	if (!err)
		err = still_write(&t, &done, 1);
	else if (err->code != ERR_TARGET_GONE)
		link_keep_orphan(l, mem);
	return err;
}

/* Children forked while their parent waited have the first hook, but not the ring by which we would
 * find them. */
static void cancel_in_children(const struct link *l)
{
	const struct maps *maps = l->boot->attach.maps;
	DIR *proc = opendir("/proc");
	for (struct dirent *e; proc && (e = readdir(proc));) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		struct remote_mem *mem = NULL;
		struct entry entry;
		if (pid <= 0 || pid == getpid() || pid == l->pid)
			continue;
		struct err *err = remote_mem_open(pid, &mem);
		if (!err && remote_mem_read(mem, l->entry, &entry, sizeof(entry)) &&
		    entry.fn == l->place.code.v && entry.user_data == l->base.v &&
		    kin_is_forked_since(l, pid, l->place.code, maps))
			err = cancel_in(l, pid, mem);
		if (err)
			log_debug("child %d: %s", (int)pid, err->message);
		err_destroy(err);
		remote_mem_close(mem);
	}
	if (proc)
		closedir(proc);
}

void boot_cancel(struct link *l, struct detach_report *report)
{
	*report = (struct detach_report){ .restored = true, .n_processes = 1 };
	struct err *err = target_lock_to_leave(l->pid, CALL_TIMEOUT_NS);
	if (!err) {
		err = cancel_in(l, l->pid, l->mem);
		target_unlock(l->pid);
	}
	if (err && err->code != ERR_TARGET_GONE && err->code != ERR_NOT_FOUND) {
		report->restored = false;
		snprintf(report->left, sizeof(report->left), "process %d: %s", (int)l->pid,
			 err->message);
	}
	err_destroy(err);
	cancel_in_children(l);
	boot_destroy(l->boot);
	l->boot = NULL;
	l->linked = false;
}

/* ---- going on ---- */

static bool list_holds(const struct link *l)
{
	uint64_t at = l->runtime.layout.audit_head, node = 0;
	for (unsigned i = 0;
	     i < 4096 && remote_mem_read(l->mem, RADDR(at), &node, sizeof(node)) && node;
	     i++, at = node)
		if (node == l->entry.v)
			return true;
	return false;
}

struct err *link_poll(struct link *l)
{
	struct boot *b = l->boot;
	struct entry entry;
	if (!b)
		return NULL;
	if (!remote_mem_read(l->mem, l->entry, &entry, sizeof(entry)))
		return err_create(ERR_TARGET_GONE, "process %d is gone", (int)l->pid);
	if (entry.user_data != l->base.v)
		return err_create(ERR_TARGET_GONE, "the program of process %d is another one now",
				  (int)l->pid);
	if ((int64_t)entry.mailbox < 0)
		return remote_errno_explain(err_sys((int)-(int64_t)entry.mailbox,
						    "a system call made in process %d failed",
						    (int)l->pid),
					    l->pid, l->total_bytes, b->attach.memfd >= 0);
	if (entry.mailbox != l->base.v) {
		if (list_holds(l))
			return NULL;
		if (monotonic_ns() - b->started_ns > RACE_NS)
			return err_create(ERR_TARGET_GONE,
					  "the interpreter of process %d has ended", (int)l->pid);
		/* another hook was being added to the list at that very moment */
		return link_plain(l, l->place.code.v);
	}
	uint64_t who[3];
	if (!remote_mem_read(l->mem, l->base, who, sizeof(who)))
		return err_create(ERR_TARGET_GONE, "process %d is gone", (int)l->pid);
	struct remote_call_stats stats = { .thread_pointer = who[0],
					   .sp = who[1],
					   .ns_tid = (uint32_t)who[2] };
	struct err *err = attach_fill(&b->attach, l->base.v, &stats);
	if (err)
		return err;
	cancel_in_children(l);
	boot_destroy(b);
	l->boot = NULL;
	return NULL;
}

/* ---- leaving ---- */

static bool has_left(const struct link *l, const struct remote_target *t)
{
	bool has = false;
	struct err *err = link_check_left(l, t, &has);
	err_destroy(err);
	return has;
}

/* Our own code is the hook, and will go: whatever fails must be tried again, for it must not go
 * while it is. */
static struct err *take_out_for_good(const struct link *l, struct remote_mem *mem)
{
	struct link here = *l;
	here.mem = mem;
	struct err *err = boot_take_out_left(&here);
	for (unsigned try = 0; err && err->code != ERR_TARGET_GONE && try < 4; try++) {
		err_destroy(err);
		poll(NULL, 0, 1 << try);
		err = boot_take_out_left(&here);
	}
	return err;
}

bool boot_is_hook(const struct link *l, struct remote_mem *mem)
{
	struct entry entry;
	return remote_mem_read(mem, l->entry, &entry, sizeof(entry)) &&
	       entry.user_data == l->base.v && entry.fn - l->place.code.v < REMOTE_PLACE_BYTES;
}

struct err *boot_finish(struct link *l, const struct remote_target *t)
{
	struct err *err = take_out_for_good(l, t->mem);
	if (!err)
		err = remote_place_wait(t, CALL_TIMEOUT_NS);
	if (!err)
		err = remote_place_clear(t);
	if (!err)
		err = write_word(l, t->mem, offsetof(struct entry, mailbox), 0);
	return err;
}

struct err *boot_leave(struct link *l, const struct remote_target *t, uint64_t deadline,
		       bool *ret_done)
{
	struct remote_place place = l->place;
	struct remote_target here = *t;
	struct remote_program p;
	uint64_t mailbox = 0;
	*ret_done = false;
	here.place = &place;
	link_unmap_program(l, &p);
	struct err *err = find_place(l, t->mem, t->maps, bytes_for(&p), &place);
	if (!err && place.is_left)
		err = remote_place_wait(&here, CALL_TIMEOUT_NS);
	/* whoever clears it clears all of it */
	if (!err && place.code.v == l->place.code.v && l->place.n_bytes < place.n_bytes)
		l->place.n_bytes = place.n_bytes;
	if (!err)
		err = write_code(l, t->mem, t->pid, &place, &p);
	if (!err) /* not open yet: it keeps events out of the probe, no more */
		err = write_word(l, t->mem, offsetof(struct entry, mailbox),
				 l->base.v | REMOTE_PENDING);
	if (!err)
		err = write_word(l, t->mem, offsetof(struct entry, fn), place.code.v);
	if (err)
		return err;
	while (monotonic_ns() < deadline && !has_left(l, t))
		poll(NULL, 0, 2);
	if (has_left(l, t))
		err = write_word(l, t->mem, offsetof(struct entry, mailbox), l->base.v | OPEN);
	/* A thread that runs is on its way to an event, or to another call. */
	while (!err && mailbox != 1 && monotonic_ns() < deadline &&
	       threads_best_rank(t) >= THREAD_RUNS) {
		poll(NULL, 0, 1);
		if (!remote_mem_read(t->mem, raddr_add(l->entry, offsetof(struct entry, mailbox)),
				     &mailbox, sizeof(mailbox)))
			err = err_create(ERR_TARGET_GONE, "process %d is gone", (int)t->pid);
	}
	if (!err)
		err = take_out_for_good(l, t->mem);
	if (!err) /* then nobody can come any more, and what the mailbox says is final */
		err = remote_place_wait(&here, CALL_TIMEOUT_NS);
	if (!err && !remote_mem_read(t->mem, raddr_add(l->entry, offsetof(struct entry, mailbox)),
				     &mailbox, sizeof(mailbox)))
		err = err_create(ERR_TARGET_GONE, "process %d is gone", (int)t->pid);
	if (err)
		return err;
	*ret_done = mailbox == 1;
	if (!*ret_done)
		link_keep_orphan(l, t->mem);
	return remote_place_clear(&here);
}
