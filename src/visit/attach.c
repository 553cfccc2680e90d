/*
 * attach: see attach.h. A process is attached to in steps: attach_steps[], entry_steps[].
 */
#include "visit/attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "base/proc_status.h"
#include "probe/abi.h"
#include "python/hook_list.h"
#include "python/python.h"
#include "system/maps.h"
#include "system/proc_file.h"
#include "system/remote_errno.h"
#include "system/remote_mem.h"
#include "visit/attach_steps.h"
#include "visit/carrier.h"
#include "visit/earlier_probe.h"
#include "visit/lazy_link.h"
#include "visit/lazy_link_code.h"
#include "visit/leave.h"
#include "visit/leftover.h"
#include "visit/mailbox.h"
#include "visit/one_thread.h"
#include "visit/orphan.h"
#include "visit/probe_link.h"
#include "visit/remote_place.h"
#include "visit/remote_program.h"
#include "visit/remote_target.h"
#include "visit/target_facts.h"
#include "visit/target_lock.h"

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

/* ---- an earlier probe ---- */

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

/* What nothing names gets the name by which an orphan is found. */
static struct err *name_stray(struct link *l, const struct remote_target *t, bool is_next_event)
{
	guest_u64 word;
	raddr base;
	if (!mailbox_read(l->mem, l->place.mailbox, &word) || !guest_is64(word, 0) ||
	    !leftover_find_stray(l, t->maps, &base))
		return NULL;
	uint64_t pending = mailbox_word_pending(base.v);
	const struct remote_store name = { l->place.mailbox, &pending, sizeof(pending) };
	return is_next_event ? remote_mem_write(l->mem, name.to, name.bytes, name.n_bytes)
			     : carrier_store(t, &name, 1);
}

/* If no thread can be stopped, the orphan stays for now: lazy_link.c unmaps it when a thread
 * comes. */
static struct err *reclaim_orphan(struct link *l, const struct remote_target *t,
				  bool *ret_has_orphan)
{
	guest_u64 word;
	bool is_next_event = carrier_is_next_event(t);
	struct err *err = name_stray(l, t, is_next_event);
	if (err)
		return err;
	*ret_has_orphan = is_next_event && mailbox_read(l->mem, l->place.mailbox, &word) &&
			  !guest_is64(word, 0);
	return *ret_has_orphan ? NULL : orphan_reclaim(l, t, CALL_TIMEOUT_NS);
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
	enum probe_presence presence = earlier_probe_find(l->mem, &l->runtime, &recorder, &old);
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

static bool is_attached_too(void *ctx, pid_t pid)
{
	(void)pid; /* the process or its children: all are followed, or none */
	return ((struct attach *)ctx)->target.attached;
}

/* ---- the steps ---- */

struct attach_step {
	const char *name;
	struct err *(*run)(struct attach *a);
	/* Called if this step or a later one failed with `why`. Returns `why`, with a hint on what
	 * is left. NULL: there is nothing to undo. */
	struct err *(*undo)(struct attach *a, struct err *why);
	const char *killed; /* what the target has if we are killed in this step */
};

/* Run the steps in their order; an error ends them, and then what was done is undone. */
static struct err *run_steps(struct attach *a, const struct attach_step *steps, size_t n_steps)
{
	struct err *err = NULL;
	size_t n = 0;
	while (!err && !a->is_done && n < n_steps)
		err = steps[n++].run(a);
	if (err && n)
		log_debug("attaching to process %d, step %s: %s (a kill in this step leaves %s)",
			  (int)a->facts->pid, steps[n - 1].name, err->message, steps[n - 1].killed);
	while (err && n--)
		if (steps[n].undo)
			err = steps[n].undo(a, err);
	return err;
}

/* Nothing is written yet, but what an earlier auditview has left is taken out. */
static struct err *look(struct attach *a)
{
	struct err *err = attach_prepare(a);
	if (!err && a->l->place.is_left) /* its answer may still come */
		err = remote_place_wait(&a->target, CALL_TIMEOUT_NS);
	if (!err)
		err = check_earlier(a->l, &a->target, &a->has_orphan);
	if (err || a->runtime->is_relocated)
		return err;
	return err_with_hint(err_create(ERR_BUSY,
					"process %d is loading Python at this very moment",
					(int)a->facts->pid),
			     "try again");
}

/* Remove the code of our calls. If a thread may still be in it, the code stays, and the next
 * auditview recognises it. */
static struct err *forget_code(struct attach *a, struct err *why)
{
	if (!a->l || !a->l->place.last_tid)
		return why;
	struct err *err = carrier_settle(&a->target, CALL_GRACE_NS);
	if (err)
		log_debug("%s", err->message);
	err_destroy(err);
	return why;
}

/* If every stop would be visible, the rest is done at the next event. */
static struct err *choose(struct attach *a)
{
	if (!carrier_is_next_event(&a->target))
		return a->has_orphan ? orphan_reclaim(a->l, &a->target, CALL_TIMEOUT_NS) : NULL;
	/* only the thread that is in our hook, in that module, will be stopped */
	a->target.unloadable = NULL;
	a->target.carrier = CARRIER_NEXT_EVENT;
	a->is_done = true;
	return lazy_link_start(a, a->has_orphan);
}

static struct err *reserve(struct attach *a)
{
	struct remote_program p;
	attach_map_program(a, &p);
	struct err *err = carrier_run(&a->target, &p, 0, 0, CALL_TIMEOUT_NS, &a->stats, &a->base);
	if (!err) {
		link_note_pause(a->l, &a->stats);
		return NULL;
	}
	bool late = err->code == ERR_TIMEOUT && a->l->place.last_tid;
	err = err_wrap(err, "cannot map memory in process %d", (int)a->facts->pid);
	err = remote_errno_explain(err, a->facts->pid, a->l->total_bytes, a->memfd >= 0);
	return late ? err_with_hint(err, "what it maps when it goes on is left there unused; the "
					 "next auditview takes it out")
		    : err;
}

static struct err *fill(struct attach *a)
{
	return attach_fill(a, a->base, &a->stats);
}

/* The entry has its function and its user data already. If we are killed between the two stores,
 * nothing is linked. */
static struct err *link_by_stores(struct attach *a)
{
	uint64_t head = 0;
	struct link *l = a->l;
	raddr at = RADDR(a->runtime->layout.audit_head);
	if (!remote_mem_read(l->mem, at, &head, sizeof(head)))
		return err_create(ERR_TARGET_GONE, "process %d is gone", (int)a->facts->pid);
	if (head == l->entry.v)
		return NULL;
	struct err *err = remote_mem_write(l->mem, l->entry, &head, sizeof(head));
	return err ? err : remote_mem_write(l->mem, at, &l->entry, sizeof(uint64_t));
}

static struct err *link_it(struct attach *a)
{
	struct remote_program p;
	struct remote_call_stats stats = { 0 };
	uint64_t one;
	link_program(a->l, &p);
	struct err *err = carrier_run(&a->target, &p, 0, 0, CALL_TIMEOUT_NS, &stats, &one);
	if (!err)
		link_note_pause(a->l, &stats);
	/* Since the reservation was mapped, every thread has come to wait in a call that a stop
	 * would end early. Then no thread adds a hook, and plain stores do (lazy_link.h). */
	if (err && err->code == ERR_TIMEOUT && a->target.carrier == CARRIER_ONE_THREAD &&
	    !stats.tid && carrier_is_next_event(&a->target)) {
		log_debug("linking by stores: %s", err->message);
		err_destroy(err);
		err = link_by_stores(a);
	}
	if (!err)
		link_own(a->l);
	return err;
}

/* Take out what is mapped and not linked; children that were forked meanwhile have it too. */
static struct err *take_out(struct attach *a, struct err *why)
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
		struct err *e = carrier_run(&a->target, &p, 0, 0, CALL_TIMEOUT_NS, &stats, &one);
		if (e) {
			report.restored = false;
			snprintf(report.left, sizeof(report.left), "%s", e->message);
			orphan_keep(l, l->mem);
		}
		err_destroy(e);
	}
	if (report.restored)
		return why;
	return err_with_hint(
	    why, "what was mapped is left there unused, the next auditview takes it out (%s)",
	    report.left);
}

/* The next auditview finds a mapping by the mailbox, and a probe by our entry. */
static const struct attach_step attach_steps[] = {
	/* clang-format off */
	{ "look",    look,    forget_code, "nothing" },
	{ "choose",  choose,  NULL,        "nothing, or a hook that returns 0" },
	{ "reserve", reserve, NULL,        "an unused mapping" },
	{ "fill",    fill,    take_out,    "an unused mapping" },
	{ "link",    link_it, NULL,        "an armed probe; it disarms itself when its ring is full and no heartbeat comes" },
	/* clang-format on */
};

struct err *link_attach(struct target_facts *facts, size_t i, const struct probe_options *options,
			bool attached, struct link **ret)
{
	struct attach a = { .facts = facts,
			    .runtime = &facts->runtimes[i],
			    .options = options,
			    .is_attached = attached,
			    .memfd = -1 };
	struct err *err = target_lock(facts->pid, CALL_TIMEOUT_NS);
	if (err)
		return err;
	err = run_steps(&a, attach_steps, ARRAY_LEN(attach_steps));
	err = attach_end(&a, err, ret);
	target_unlock(facts->pid);
	return err;
}

/* ---- a program that is starting, or loading a module: its thread is at its stop ---- */

static struct err *look_at_entry(struct attach *a)
{
	pid_t recorder, tid = a->target.at_stop;
	struct err *err = attach_prepare(a);
	if (err)
		return err;
	a->target.fleeting = a->target.unloadable = NULL; /* the thread is stopped anyway */
	a->target.carrier = CARRIER_AT_STOP;
	a->target.at_stop = tid;
	enum probe_presence presence = earlier_probe_find(a->l->mem, a->runtime, &recorder, NULL);
	/* linked twice, the list would be endless */
	if (presence != PROBE_LIVE_RECORDER && presence != PROBE_DEAD_RECORDER)
		return NULL;
	return err_create(ERR_BUSY, "there is a probe in process %d already, of recorder %d",
			  (int)a->facts->pid, (int)recorder);
}

static struct err *reserve_at_entry(struct attach *a)
{
	struct remote_program p;
	attach_map_program(a, &p);
	struct err *err = carrier_run(&a->target, &p, 0, 0, CALL_TIMEOUT_NS, &a->stats, &a->base);
	return err ? remote_errno_explain(err, a->facts->pid, a->l->total_bytes, a->memfd >= 0)
		   : NULL;
}

static struct err *undo_at_entry(struct attach *a, struct err *why)
{
	if (a->base && why->code != ERR_TARGET_GONE)
		attach_undo_at_stop(a, a->base);
	return why;
}

/* No thread can be in the list yet. */
static struct err *link_at_entry(struct attach *a)
{
	struct err *err = link_by_stores(a);
	if (!err)
		link_own(a->l);
	return err;
}

static const struct attach_step entry_steps[] = {
	/* clang-format off */
	{ "look",    look_at_entry,    NULL,          "nothing" },
	{ "reserve", reserve_at_entry, undo_at_entry, "an unused mapping" },
	{ "fill",    fill,             NULL,          "an unused mapping" },
	{ "link",    link_at_entry,    NULL,          "an armed probe" },
	/* clang-format on */
};

struct err *link_attach_at_entry(struct target_facts *facts, size_t i, pid_t tid,
				 const struct probe_options *options, struct link **ret)
{
	struct attach a = { .facts = facts,
			    .runtime = &facts->runtimes[i],
			    .options = options,
			    .is_attached = true,
			    .target = { .at_stop = tid },
			    .memfd = -1 };
	return attach_end(&a, run_steps(&a, entry_steps, ARRAY_LEN(entry_steps)), ret);
}
