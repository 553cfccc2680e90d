/*
 * leave: see leave.h. One process is left in steps: leave_steps[].
 */
#include "visit/leave.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/log.h"
#include "base/proc_status.h"
#include "python/hook_list.h"
#include "system/maps.h"
#include "system/proc_file.h"
#include "system/remote_io.h"
#include "system/remote_mem.h"
#include "visit/carrier.h"
#include "visit/entry_place.h"
#include "visit/lazy_link.h"
#include "visit/lazy_link_code.h"
#include "visit/leftover.h"
#include "visit/link_presence.h"
#include "visit/mailbox.h"
#include "visit/one_thread.h"
#include "visit/probe_link.h"
#include "visit/ptrace.h"
#include "visit/quiet.h"
#include "visit/remote_place.h"
#include "visit/remote_program.h"
#include "visit/remote_target.h"
#include "visit/seccomp.h"
#include "visit/stub.h"
#include "visit/target_lock.h"
#include "visit/threads.h"

enum { DETACH_TRIES = 4 };
#define DETACH_STARVED_NS 20000000000ull /* on an overloaded machine */
#define LAZY_NS           2000000000ull  /* for an event to come, at least */

/* ---- the steps ---- */

enum entry_found {
	/* dlclose(3) may have unmapped the module, and with it entry, head and place */
	ENTRY_GONE,
	/* It is not linked yet, because the attach failed; or no longer linked, because a leave
	 * failed, or because the child was forked by a process that we were just leaving. The
	 * reservation is still there. */
	ENTRY_HALF,
	ENTRY_LINKED
};

/* The leave of one process. */
struct leave {
	struct link *l;
	pid_t pid;
	uint64_t deadline; /* monotonic */
	struct maps *maps;
	struct remote_mem *mem;
	/* its place is NULL until it is known that the process has our probe */
	struct remote_target t;
	struct remote_call_stats stats;
	uint64_t pause_ns; /* the longest stop */
	enum entry_found found;
	bool is_unmapped;
	bool was_lazy; /* unlink_lazily() was called */
	bool is_done;  /* nothing is left for the steps that follow */
};

struct leave_step {
	const char *name;
	struct err *(*run)(struct leave *v);
	/* called if this step or a later one failed with `why`; NULL: there is nothing to undo */
	void (*undo)(struct leave *v, const struct err *why);
	/* If we are killed in this step, the target has this. It runs on in any case. */
	const char *killed;
};

static uint64_t time_left(const struct leave *v)
{
	uint64_t now = monotonic_ns();
	return v->deadline > now ? v->deadline - now : 0;
}

static raddr field_of(const struct link *l, size_t off)
{
	return raddr_add(l->entry, off);
}

/* Run a list of calls in a thread that is outside of the probe. */
static struct err *run_calls(struct leave *v, const struct remote_program *program,
			     uint64_t timeout_ns)
{
	uint64_t one, blob = v->l->base.v + v->l->blob_off;
	v->stats = (struct remote_call_stats){ 0 };
	/* The steps before may have used up the time, or we were kept from running ourselves: what
	 * has been begun is tried all the same. */
	if (timeout_ns < CALL_GRACE_NS)
		timeout_ns = CALL_GRACE_NS;
	struct err *err = carrier_run(&v->t, program, blob, blob + v->l->blob_bytes, timeout_ns,
				      &v->stats, &one);
	if (v->stats.pause_ns > v->pause_ns)
		v->pause_ns = v->stats.pause_ns;
	return err;
}

static struct err *unlink_by_stores(void *ctx)
{
	const struct leave *v = ctx;
	return link_unlink_plain(v->l, v->mem);
}

static struct err *look(struct leave *v)
{
	struct link *l = v->l;
	struct err *err = remote_mem_open(v->pid, &v->mem);
	if (!err)
		err = maps_read(v->pid, &v->maps);
	if (!err && v->pid != l->pid) /* a process that shares the ring with it, or seems to */
		err = kin_prove(l, v->pid, v->mem, v->maps);
	if (err)
		return err;
	v->t.mem = v->mem;
	v->t.maps = v->maps;
	v->t.place = &l->place;
	v->t.filtered = seccomp_any_filter(v->pid);
	/* another recorder has taken it out before we had the lock */
	if (l->nonce && !link_ring_is_ours(l, v->mem) &&
	    link_presence_proved(l, v->pid) != LINK_IN) {
		v->is_done = true;
		/* or we have, in an earlier try that then failed */
		return lazy_link_is_hook(l, v->mem) ? lazy_link_finish(l, &v->t) : NULL;
	}
	link_text_range(v->maps, &l->runtime.module, &v->t);
	return NULL;
}

/* After any failure our code need not stay; but the process may be gone. */
static void take_code_back(struct leave *v, const struct err *why)
{
	(void)why;
	if (!v->t.place || lazy_link_is_hook(v->l, v->mem))
		return;
	err_destroy(carrier_settle(&v->t, CALL_GRACE_NS));
}

/* The module was unloaded: find another place for our code. */
static struct err *find_other_place(struct leave *v)
{
	struct link *l = v->l;
	struct err *err = maps_find_modules(v->maps, remote_mem_reader(v->mem));
	if (!err)
		err = remote_place_find(v->pid, v->mem, v->maps, RADDR(0), stub_bytes(), &l->place);
	if (err)
		return err;
	/* A module that is unloaded together with libpython may be gone by now: the maps may show a
	 * moment in between. */
	v->t.fleeting = l->place.is_unloadable ? &l->place.module : NULL;
	v->t.carrier = carrier_choose(&v->t);
	/* it was in the module; the maps will show the result */
	l->place.mailbox = RADDR(0);
	/* The list of functions that CPython would have called at its end went with the module. */
	uint64_t none = 0;
	return l->abi >= 7
		   ? remote_mem_write(v->mem,
				      raddr_add(l->base, offsetof(struct probe_context, at_exit)),
				      &none, sizeof(none))
		   : NULL;
}

static struct err *find_entry(struct leave *v)
{
	const struct link *l = v->l;
	const struct mapping *slack = maps_find(v->maps, l->entry);
	/* the entry may be in libc */
	const struct mapping *head = maps_find(v->maps, RADDR(l->runtime.layout.audit_head));
	v->found = ENTRY_GONE;
	if (slack && slack->write && head && head->write) {
		struct entry_place entry;
		if (!remote_mem_read(v->mem, l->entry, &entry, sizeof(entry)))
			return err_create(ERR_TARGET_GONE, "process %d is gone", (int)v->pid);
		if (lazy_link_base_of(entry.hook.user_data) == l->base.v)
			v->found = ENTRY_LINKED;
		else if (!entry.hook.user_data &&
			 (entry.hook.fn == l->runtime.layout.fn_neutral ||
			  mailbox_names(GUEST64(entry.mailbox), l->base.v)))
			v->found = ENTRY_HALF;
	}
	return v->found == ENTRY_GONE ? find_other_place(v) : NULL;
}

static struct err *disarm(struct leave *v)
{
	struct link *l = v->l;
	python_runtime_refresh(remote_mem_reader(v->mem), &l->runtime);
	if (v->found == ENTRY_GONE)
		return NULL;
	link_target_module(l, &v->t);
	return l->abi >= 7 ? quiet_wait_for_at_exit(l, &v->t, v->deadline) : NULL;
}

/* Every thread waits in a call that a stop would end early: the thread of the next event unmaps the
 * reservation. */
static struct err *unlink_lazily(struct leave *v)
{
	/* we may have been kept from running ourselves */
	if (time_left(v) < LAZY_NS)
		v->deadline = monotonic_ns() + LAZY_NS;
	uint64_t left = time_left(v);
	v->was_lazy = true;
	/* only the thread that is in our hook, in that module, will be stopped */
	v->t.unloadable = NULL;
	v->t.carrier = carrier_choose(&v->t);
	struct err *err = maps_find_modules(v->maps, remote_mem_reader(v->mem));
	return err ? err
		   : lazy_link_leave(v->l, &v->t, v->deadline - left / 8, &v->pause_ns,
				     &v->is_unmapped);
}

/* `err` of a list of calls: no thread could be made to make them, because all of them have come to
 * wait in calls that a stop would end early since the carrier was chosen. */
static bool do_all_wait_now(const struct leave *v, const struct err *err)
{
	return err && err->code == ERR_TIMEOUT && !v->was_lazy && !v->stats.tid &&
	       v->t.carrier == CARRIER_ONE_THREAD && carrier_is_next_event(&v->t);
}

static struct err *unlink_by_call(struct leave *v)
{
	const struct link *l = v->l;
	/* if we are killed before the munmap, the next recorder finds it by this */
	struct remote_program p = { .base = l->base.v, .pending = l->base.v };
	remote_program_add(&p, REMOTE_FLAG(REMOTE_UNLINK), l->runtime.layout.audit_head, l->entry.v,
			   0, 0, 0, 0);
	struct err *err = run_calls(v, &p, time_left(v) / 2);
	if (do_all_wait_now(v, err)) {
		log_debug("unlinking at the next event: %s", err->message);
		err_destroy(err);
		return unlink_lazily(v);
	}
	if (err && err->sys == ENOENT) {
		err_destroy(err);
		err = carrier_act(&v->t, unlink_by_stores, v);
	}
	/* From here on the entry no longer names the reservation: if we are killed, the mailbox
	 * must. (It holds the answer of a call that failed.) */
	uint64_t pending = mailbox_word_pending(l->base.v);
	const uint64_t neutral[2] = { l->runtime.layout.fn_neutral, 0 };
	const struct remote_store stores[] = {
		{ l->place.mailbox, &pending, sizeof(pending) },
		/* a thread that has loaded our entry calls this instead; `next` stays */
		{ field_of(l, offsetof(struct hook_entry, fn)), &neutral[0], sizeof(neutral[0]) },
		{ field_of(l, offsetof(struct hook_entry, user_data)), &neutral[1],
		  sizeof(neutral[1]) },
	};
	return err ? err : carrier_store(&v->t, stores, ARRAY_LEN(stores));
}

static struct err *unlink_entry(struct leave *v)
{
	switch (v->found) {
	case ENTRY_GONE: return NULL;
	case ENTRY_HALF: return carrier_act(&v->t, unlink_by_stores, v);
	case ENTRY_LINKED: break;
	}
	return carrier_is_next_event(&v->t) ? unlink_lazily(v) : unlink_by_call(v);
}

static struct err *wait_until_quiet(struct leave *v)
{
	while (!v->is_unmapped) {
		bool is_quiet = false;
		struct err *err = quiet_check(v->l, &v->t, &is_quiet);
		if (err || is_quiet)
			return err;
		if (monotonic_ns() >= v->deadline)
			return err_create(ERR_TIMEOUT,
					  "a thread of process %d is still inside the probe",
					  (int)v->pid);
		ptrace_serve();
		poll(NULL, 0, 2);
	}
	return NULL;
}

static struct err *unmap(struct leave *v)
{
	struct remote_program p;
	if (v->is_unmapped)
		return NULL;
	/* the interpreter may have ended meanwhile, and the probe has then linked itself again */
	struct err *err = v->found == ENTRY_GONE ? NULL : carrier_act(&v->t, unlink_by_stores, v);
	link_unmap_program(v->l, &p);
	if (!err)
		err = run_calls(v, &p, v->was_lazy ? time_left(v) : time_left(v) / 2);
	v->is_unmapped = !err;
	if (v->found == ENTRY_GONE || !do_all_wait_now(v, err))
		return err;
	/* Nothing is linked any more, so the hook is linked by stores: no thread adds one. */
	log_debug("unmapping at the next event: %s", err->message);
	struct err *lazy = unlink_lazily(v);
	err_destroy(v->is_unmapped ? err : lazy);
	return v->is_unmapped ? lazy : err;
}

/* The call has failed, and its error is in the mailbox: name the reservation there again. */
static void note_reservation(struct leave *v, const struct err *why)
{
	uint64_t pending = mailbox_word_pending(v->l->base.v);
	const struct remote_store store = { entry_place_mailbox(v->l->entry), &pending,
					    sizeof(pending) };
	if (!v->is_unmapped && why->sys && v->found != ENTRY_GONE)
		err_destroy(carrier_store(&v->t, &store, 1));
}

/* Without a mailbox only the maps show that the call is done. */
static struct err *wait_until_unmapped(struct leave *v)
{
	for (unsigned i = 0; v->found == ENTRY_GONE && i < 1000; i++) {
		CLEANUP(maps) struct maps *later = NULL;
		struct err *err = maps_read(v->pid, &later);
		if (err || !maps_find(later, v->l->base))
			return err;
		ptrace_serve();
		poll(NULL, 0, 1);
	}
	return NULL;
}

/* The code's bytes are cleared last, when no thread is in them; the mailbox after them. */
static struct err *clear(struct leave *v)
{
	const uint64_t zero = 0;
	const struct remote_store done = { v->l->place.mailbox, &zero, sizeof(zero) };
	struct err *err = carrier_settle(&v->t, CALL_TIMEOUT_NS);
	return err || v->found == ENTRY_GONE ? err : carrier_store(&v->t, &done, 1);
}

/*
 * The steps in their order; an error ends them, and then the undo functions run from there
 * backwards. If we are killed, the next auditview finds what is left: by our entry, as long as it
 * names the reservation, after that by the mailbox.
 */
static const struct leave_step leave_steps[] = {
	/* clang-format off */
	{ "look",   look,                take_code_back,   "the probe, linked and disarmed" },
	{ "find",   find_entry,          NULL,             "the probe, linked and disarmed" },
	{ "disarm", disarm,              NULL,             "the probe, linked and disarmed" },
	{ "unlink", unlink_entry,        NULL,             "the reservation, named in the mailbox, and a stub" },
	{ "quiet",  wait_until_quiet,    NULL,             "the reservation, named in the mailbox" },
	{ "unmap",  unmap,               note_reservation, "the reservation, named in the mailbox, and a stub" },
	{ "settle", wait_until_unmapped, NULL,             "a stub in dead bytes" },
	{ "clear",  clear,               NULL,             "a stub in dead bytes, a word in the mailbox" },
	/* clang-format on */
};

static struct err *leave_locked(struct link *l, pid_t pid, bool attached, uint64_t deadline,
				uint64_t *pause_ns)
{
	struct leave v = { .l = l,
			   .pid = pid,
			   .deadline = deadline,
			   .t = { .pid = pid, .attached = attached },
			   .pause_ns = *pause_ns };
	struct err *err = NULL;
	size_t n = 0;
	while (!err && !v.is_done && n < ARRAY_LEN(leave_steps))
		err = leave_steps[n++].run(&v);
	if (err && n)
		log_debug("leaving process %d, step %s: %s (a kill in this step leaves %s)",
			  (int)pid, leave_steps[n - 1].name, err->message,
			  leave_steps[n - 1].killed);
	while (err && n--)
		if (leave_steps[n].undo)
			leave_steps[n].undo(&v, err);
	*pause_ns = v.pause_ns;
	maps_destroy(v.maps);
	remote_mem_close(v.mem);
	return err;
}

static struct err *detach_one(struct link *l, pid_t pid, bool attached, uint64_t deadline,
			      uint64_t *pause_ns)
{
	uint64_t now = monotonic_ns();
	/* Half of the time may be spent on the lock; the rest is for leaving. */
	struct err *err = target_lock_to_leave(pid, deadline > now ? (deadline - now) / 2 : 0);
	if (err)
		return err;
	err = leave_locked(l, pid, attached, deadline, pause_ns);
	/* it is unloading Python: check again what is there */
	while (err && err->code == ERR_BUSY && monotonic_ns() < deadline) {
		err_destroy(err);
		ptrace_serve();
		poll(NULL, 0, 2);
		err = leave_locked(l, pid, attached, deadline, pause_ns);
	}
	target_unlock(pid);
	return err;
}

/* The ring is unmapped, but its first hook, or the hook for leaving (lazy_link.h), may still be
 * linked. */
static bool hook_is_left(const struct link *l, pid_t pid)
{
	struct remote_mem *mem = NULL;
	struct err *err = remote_mem_open(pid, &mem);
	bool is_left = !err && lazy_link_is_hook(l, mem);
	err_destroy(err);
	remote_mem_close(mem);
	return is_left;
}

/* It is unlinked, and the entry has no function of ours: only the reservation is left. */
static bool only_mapping_is_left(const struct link *l, pid_t pid)
{
	struct remote_mem *mem = NULL;
	struct hook_entry entry;
	struct err *err = remote_mem_open(pid, &mem);
	bool is = !err && remote_mem_read(mem, l->entry, &entry, sizeof(entry)) &&
		  !entry.user_data && entry.fn == l->runtime.layout.fn_neutral;
	err_destroy(err);
	remote_mem_close(mem);
	return is;
}

/* The tracer of the process, if another program traces it; 0: none, or not known. */
static pid_t other_tracer(pid_t pid)
{
	struct proc_status status;
	struct err *err = proc_status_read(pid, &status);
	pid_t tracer = err || status.tracer_pid == getpid() ? 0 : status.tracer_pid;
	err_destroy(err);
	return tracer;
}

/* What was not taken out of the process, and why. */
static void say_left(const struct link *l, pid_t pid, const struct err *err, char *to, size_t cap)
{
	char name[32] = "";
	pid_t tracer = other_tracer(pid);
	if (err->code == ERR_TIMEOUT && only_mapping_is_left(l, pid)) {
		snprintf(to, cap,
			 "%s; %llu KiB of it stay mapped and unused until it ends or auditview "
			 "attaches again",
			 err->message, (unsigned long long)(l->total_bytes >> 10));
		return;
	}
	if (tracer) {
		proc_file_read(tracer, "comm", name, sizeof(name));
		name[strcspn(name, "\n")] = 0;
		snprintf(
		    to, cap,
		    "process %d: %s (%d) traces it; the probe is disarmed, and attaching again "
		    "takes it out",
		    (int)pid, name[0] ? name : "a process", (int)tracer);
		return;
	}
	snprintf(to, cap, "process %d: %s%s", (int)pid, err->message,
		 err->code == ERR_DENIED ? "; root can check it, and take out what is left"
		 : err->code == ERR_TIMEOUT
		     ? "; the probe is disarmed, and attaching again takes it out"
		     : "");
}

/* Detach one process; retry what fails temporarily. What stays is put into the report. */
static void leave_process(struct link *l, pid_t pid, bool attached, uint64_t deadline,
			  uint64_t patient_until, struct detach_report *report)
{
	report->n_processes++;
	for (unsigned try = 1;; try++) {
		ring_wake_all(&l->ring);
		struct err *err = detach_one(l, pid, attached, deadline, &report->pause_ns);
		if (!err && l->nonce && link_presence_proved(l, pid) == LINK_IN)
			err = err_create(ERR_BUSY, "it has moved memory of the probe");
		err = remote_io_explain(pid, err);
		/* It has ended, is a zombie, or is another program by now: there is no reservation,
		 * and nothing to restore. The error then only says how far its memory had gone. A
		 * process that is ending still has its mappings for a moment. */
		enum link_presence presence = err ? link_presence(l, pid) : LINK_OUT;
		bool is_done = !err || (presence == LINK_OUT && !hook_is_left(l, pid));
		uint64_t now = monotonic_ns();
		/* a tracer may let it go soon */
		bool is_over = (try >= DETACH_TRIES && !(err && other_tracer(pid))) ||
			       now >= deadline || (err && err->code == ERR_CORRUPT);
		/* the user did not ask for that process */
		if (!is_done && err->code == ERR_CORRUPT && !l->nonce) {
			snprintf(l->left_alone, sizeof(l->left_alone), "%s", err->message);
			report->n_processes--;
			is_done = true;
		}
		if (!is_done && is_over && err->code == ERR_TIMEOUT && now < patient_until &&
		    threads_any_starved(pid)) {
			deadline = now + CALL_TIMEOUT_NS;
			try = 0;
		} else if (!is_done && is_over) {
			report->is_unknown = presence == LINK_UNKNOWN &&
					     (report->restored || report->is_unknown);
			report->restored = false;
			say_left(l, pid, err, report->left, sizeof(report->left));
			is_done = true;
		}
		if (!is_done)
			log_debug("leaving %d, again: %s", (int)pid, err->message);
		err_destroy(err);
		if (is_done)
			return;
		poll(NULL, 0, 10 << (try < DETACH_TRIES ? try : DETACH_TRIES));
	}
}

void link_detach(struct link *l, bool (*is_attached)(void *ctx, pid_t pid), void *ctx,
		 uint64_t timeout_ns, struct detach_report *report)
{
	uint64_t deadline = monotonic_ns() + timeout_ns,
		 patient_until = monotonic_ns() + DETACH_STARVED_NS;
	if (link_is_waiting(l)) {
		lazy_link_cancel(l, is_attached, ctx, report);
		if (l->owned)
			target_disown(l->pid);
		l->owned = false;
		return;
	}
	*report = (struct detach_report){ .restored = true };
	if (l->ring.shared)
		ring_set_state(&l->ring, RING_OFF);
	else {
		uint32_t off = 0;
		struct err *e = remote_mem_write(
		    l->mem,
		    RADDR(l->base.v + l->shared_off + offsetof(struct ring_shared, enabled)), &off,
		    sizeof(off));
		err_destroy(e);
	}
	/* The process that we attached to comes first, so that it need not wait while we read all
	 * others. Then two rounds, because a child may be forked during the first. */
	if (link_presence(l, l->pid) != LINK_OUT)
		leave_process(l, l->pid, is_attached && is_attached(ctx, l->pid), deadline,
			      patient_until, report);
	bool is_first_left = report->restored;
	for (unsigned round = 0; round < 2; round++) {
		pid_t *pids = NULL;
		size_t n = 0;
		struct err *err = link_processes(l, &pids, &n);
		if (err) {
			report->restored = false;
			report->is_unknown = true;
			snprintf(report->left, sizeof(report->left),
				 "forked children of process %d: %s", (int)l->pid, err->message);
			err_destroy(err);
			break;
		}
		for (size_t i = 0; i < n; i++)
			if (pids[i] != l->pid || is_first_left) /* otherwise it was tried already */
				leave_process(l, pids[i], is_attached && is_attached(ctx, pids[i]),
					      deadline, patient_until, report);
		free(pids);
		if (!n)
			break;
	}
	if (report->pause_ns > l->pause_ns)
		l->pause_ns = report->pause_ns;
	l->is_left = !report->restored;
	l->linked = false;
	if (l->owned)
		target_disown(l->pid);
	l->owned = false;
}
