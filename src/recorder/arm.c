/*
 * arm: the probe into processes as they appear: attached to, launched, forked, become another
 * program, finalised and started anew, unloaded and loaded again.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "recorder/decode.h"
#include "recorder/native.h"
#include "recorder/intake.h"
#include "recorder/recorder_private.h"
#include "recorder/relay.h"
#include "visit/access.h"
#include "system/maps.h"
#include "system/procs.h"
#include "visit/ptrace.h"
#include "system/remote_mem.h"

enum {
	CHECK_NS = 500 * 1000 * 1000,
	RELINK_NS = 4 * 1000 * 1000,
	MODULES_NS = 50 * 1000 * 1000,
	MODULES_EACH_NS = 3 * 1000 * 1000,
	LIBRARY_MIN_BYTES = 2 << 20,
	LOOKS = 7,
	DESCENDANT_ROUNDS = 100
};

void recorder_warn(struct recorder *r, enum note_kind kind, uint32_t process, const char *fmt, ...)
{
	struct strbuf text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	strbuf_addv(&text, fmt, ap);
	va_end(ap);
	struct note_info note = { .kind = kind,
				  .time_ns = clock_time_now(&r->clock),
				  .process = process,
				  .text = intake_string(r->writer, r->redactor, strbuf_str(&text),
							text.n, false) };
	writer_note(r->writer, &note);
	strbuf_fini(&text);
}

bool recorder_is_attached(void *ctx, pid_t pid)
{
	struct recorder *r = ctx;
	return follow_has(r->follow, pid);
}

/* ---- putting the probe in ---- */

static void filter_fill(struct recorder *r, struct tap *t)
{
	const char *name;
	for (size_t i = 0; r->options.wants && (name = r->options.known_name(i)) != NULL; i++) {
		uint32_t n = (uint32_t)strlen(name);
		if (t->n_verdicts <= VERDICT_COUNT / 2)
			t->n_verdicts += ring_add_verdict(
			    &t->link->ring, name_hash(name, n),
			    r->options.wants(r->options.wants_ctx, name, n));
	}
}

void tap_destroy(struct tap *t)
{
	if (!t)
		return;
	for (uint32_t k = 0; t->clients && k < t->n_slots; k++)
		client_remove(t, k);
	free(t->clients);
	free(t->asks);
	link_destroy(t->link);
	free(t);
}

static struct tap *tap_add(struct recorder *r, struct link *link, struct process *p)
{
	struct tap *t = calloc(1, sizeof(*t));
	if (t)
		t->clients = calloc(link->ring.n_slots, sizeof(*t->clients));
	if (!t || !t->clients || !vec_push(&r->taps, t)) {
		if (t)
			free(t->clients);
		free(t);
		return NULL;
	}
	t->link = link;
	t->process = p;
	t->n_slots = link->ring.n_slots;
	t->root_ns_pid = p->info.ns_pid;
	t->other_pid_ns = p->info.ns_pid != p->info.pid;
	if (!p->tap || p->tap->gone)
		p->tap = t;
	filter_fill(r, t);
	return t;
}

static bool is_armed(const struct recorder *r, pid_t pid, const struct python_runtime *rt)
{
	for (size_t i = 0; i < r->waiting.n; i++)
		if (r->waiting.v[i].link->pid == pid &&
		    r->waiting.v[i].link->runtime.layout.audit_head == rt->layout.audit_head)
			return true;
	for (size_t i = 0; i < r->taps.n; i++) {
		const struct tap *t = r->taps.v[i];
		if (!t->gone && t->link->pid == pid &&
		    t->link->runtime.layout.audit_head == rt->layout.audit_head)
			return true;
	}
	return false;
}

/* At the entry of a program that stays ours all threads that it will have are traced, so its probe
 * may read the TSC; in others not before they are followed: recorder_is_traced(). */
static struct err *link_up(struct recorder *r, pid_t pid, const struct python_runtime *rt,
			   pid_t at_entry, const struct probe_options *options, struct link **ret)
{
	struct probe_options o = *options;
	clock_tick(&r->clock, &o.tick);
	o.ticks_per_ns = clock_ticks_per_ns(&r->clock);
	if (!r->clock.use_tsc || !at_entry || !follow_keeps(r->follow, pid))
		o.flags |= PROBE_CLOCK_RING;
	return at_entry ? link_attach_at_entry(pid, at_entry, rt, &o, ret)
			: link_attach(pid, rt, &o, follow_has(r->follow, pid), ret);
}

/* A link that has its ring. */
static bool armed(struct recorder *r, struct link *link, struct process *p)
{
	if (!tap_add(r, link, p))
		return false;
	follow_found_python(r->follow, link->pid);
	struct note_info note = { .kind = NOTE_ATTACHED,
				  .time_ns = clock_time_now(&r->clock),
				  .process = p->index,
				  .a = link->pause_ns };
	writer_note(r->writer, &note);
	if (link->left_alone[0])
		recorder_warn(r, NOTE_WARNING, p->index, "%s", link->left_alone);
	if (link->timeout_extended)
		recorder_warn(
		    r, NOTE_MESSAGE, p->index,
		    "a system call with a timeout was interrupted by attaching and started over");
	return true;
}

/* Of one that does not wait any more. */
static void missed(struct recorder *r, const struct waiting *w)
{
	if (w->link->n_missed)
		recorder_lost(r, LOSS_NOT_READY, w->process->index, w->link->n_missed,
			      clock_time_now(&r->clock), 0);
}

void recorder_wait_for_events(struct recorder *r)
{
	for (size_t i = r->waiting.n; i-- > 0;) {
		struct waiting w = r->waiting.v[i];
		struct err *err = w.process->ended ? err_create(ERR_TARGET_GONE, "it has ended")
						   : link_poll(w.link, recorder_is_attached, r);
		if (!err && link_is_waiting(w.link)) {
			if (w.link->waits_why[0] && !w.is_told)
				recorder_warn(r, NOTE_WARNING, w.process->index,
					      "recording has not begun: %s", w.link->waits_why);
			r->waiting.v[i].is_told = w.link->waits_why[0];
			continue;
		}
		missed(r, &w);
		/* its memory is gone, and with it what was counted last */
		if (err && w.link->has_come)
			r->end.is_loss_known = false;
		r->waiting.v[i] = r->waiting.v[--r->waiting.n];
		if (!err && !armed(r, w.link, w.process))
			err = err_no_memory();
		if (!err)
			continue;
		struct detach_report report;
		if (err->code != ERR_TARGET_GONE)
			recorder_warn(r, NOTE_WARNING, w.process->index, "not traced: %s",
				      err->message);
		link_detach(w.link, recorder_is_attached, r, 1000000000, &report);
		link_destroy(w.link);
		err_destroy(err);
	}
}

void recorder_stop_waiting(struct recorder *r, pid_t pid, struct detach_report *report)
{
	*report = (struct detach_report){ .restored = true };
	for (size_t i = r->waiting.n; i-- > 0;) {
		struct link *link = r->waiting.v[i].link;
		struct detach_report one;
		if (pid && link->pid != pid)
			continue;
		/* the newest count, if it can be had */
		link_count_missed(link);
		missed(r, &r->waiting.v[i]);
		link_detach(link, recorder_is_attached, r, 2000000000, &one);
		if (!one.restored)
			*report = one;
		link_destroy(link);
		r->waiting.v[i] = r->waiting.v[--r->waiting.n];
	}
}

/* Link every runtime that was found; the first failure counts only if none succeeds. */
struct err *recorder_arm(struct recorder *r, pid_t pid, pid_t at_entry, uint32_t flags,
			 bool *ret_any)
{
	struct remote_mem *mem = NULL;
	CLEANUP(maps) struct maps *maps = NULL;
	struct python_runtime *rts = NULL;
	size_t n = 0;
	*ret_any = false;
	struct err *err = remote_mem_open(pid, &mem), *first = NULL;
	if (!err)
		err = runtimes_find(pid, mem, &maps, &rts, &n);
	for (size_t i = 0; !err && i < n; i++) {
		struct link *link = NULL;
		if (is_armed(r, pid, &rts[i])) {
			*ret_any = true;
			continue;
		}
		struct err *e = link_up(r, pid, &rts[i], at_entry, &r->options.probe, &link);
		if (e && (e->sys == ENOMEM || e->sys == EAGAIN) &&
		    r->options.probe.slice_bytes == 0) {
			/* A limit of address space (RLIMIT_AS) or locked memory (mlockall): a small
			 * ring may still fit; the target waits more often. */
			struct probe_options small = r->options.probe;
			small.n_slots = 4;
			small.slot_data_bytes = RING_SLOT_MIN_BYTES;
			small.first_data_bytes = 0;
			err_destroy(e);
			e = link_up(r, pid, &rts[i], at_entry, &small, &link);
		}
		if (e) {
			if (first)
				err_destroy(e);
			else
				first = e;
			continue;
		}
		struct process *p = process_find(r, pid);
		if (!p)
			p = process_add(r, pid, &rts[i], flags);
		else if (!p->info.python_hex)
			process_is_python(r, p, &rts[i]);
		struct waiting waiting = { .link = link, .process = p };
		bool waits = link_is_waiting(link),
		     ok = p && (waits ? vec_push(&r->waiting, waiting) : armed(r, link, p));
		if (!ok) {
			struct detach_report report;
			link_detach(link, NULL, NULL, 1000000000, &report);
			link_destroy(link);
			err = err_no_memory();
			break;
		}
		if (!r->first)
			r->first = p;
		if (waits)
			recorder_warn(r, NOTE_MESSAGE, p->index,
				      "every thread waits in a call that attaching would end "
				      "early: recording begins with its next event");
		log_debug("armed %d: Python %s, %s", (int)pid, rts[i].version, rts[i].how);
		*ret_any = true;
	}
	if (first && *ret_any) {
		log_debug("one runtime of %d was not armed: %s", (int)pid, first->message);
		err_destroy(first);
		first = NULL;
	}
	free(rts);
	remote_mem_close(mem);
	if (err)
		err_destroy(first);
	return err ? err : first;
}

/* Does a process have the ring of another, as a forked child has its parent's? `but`: a tap that
 * does not count, by its pid. */
static bool has_ring(const struct recorder *r, pid_t pid, pid_t but)
{
	for (size_t i = 0; i < r->taps.n; i++)
		if (r->taps.v[i]->link->pid != but && link_is_in(r->taps.v[i]->link, pid))
			return true;
	return false;
}

/* A process that is followed and has no Python yet: its place in the tree. NULL: memory is short.
 */
static struct process *host_add(struct recorder *r, pid_t pid)
{
	struct process *p = process_find(r, pid);
	p = p ? p : process_add(r, pid, NULL, PROCESS_ATTACHED);
	if (p)
		p->awaits_python = true;
	return p;
}

/* Arm a running process; why it cannot be done is the error. */
static struct err *descendant_arm(struct recorder *r, pid_t pid)
{
	struct access access;
	bool any;
	struct err *err = access_check(pid, &access);
	if (!err)
		err = access_to_err(&access);
	return err ? err : recorder_arm(r, pid, 0, PROCESS_ATTACHED, &any);
}

/* A child that was there before us. What keeps us out of it is noted, and no error. */
static void descendant_attach(struct recorder *r, pid_t pid)
{
	struct proc_status status;
	struct err *err = proc_status_read(pid, &status);
	if (!err && !status.has_memory)
		return;
	if (!err && !has_ring(r, pid, 0)) /* else forked since its parent was attached to */
		err = descendant_arm(r, pid);
	if (!err)
		r->n_children++;
	bool may_become_python = err && err->code == ERR_NOT_PYTHON;
	if (may_become_python) { /* a shell, say: its place in the tree, and its children */
		err_destroy(err);
		err = NULL;
		if (!host_add(r, pid))
			log_debug("no memory to note process %d", (int)pid);
	}
	if (!err)
		err = follow_seize(r->follow, pid, may_become_python);
	if (err && err->code != ERR_TARGET_GONE)
		recorder_unwatched(r, pid, err);
	else if (!err)
		recorder_is_traced(r, pid, true);
	err_destroy(err);
}

/* The children that a process to be followed has already. It is followed by now, so what it forks
 * from here on is ours from birth; what its children fork before we have them is found in the next
 * round. */
static struct err *descendants_attach(struct recorder *r, pid_t pid)
{
	struct err *err = NULL;
	for (unsigned round = 0, found = 1; !err && found && round < DESCENDANT_ROUNDS; round++) {
		pid_t *pids = NULL;
		size_t n = 0;
		/* we may have been started by the target */
		err = proc_descendants(pid, getpid(), &pids, &n);
		found = 0;
		for (size_t i = 0; !err && i < n; i++) {
			if (follow_has(r->follow, pids[i]))
				continue;
			descendant_attach(r, pids[i]);
			found += follow_has(r->follow, pids[i]);
		}
		free(pids);
	}
	return err;
}

struct err *recorder_follow(struct recorder *r, pid_t pid)
{
	const struct process *p = process_find(r, pid);
	struct err *err = follow_seize(r->follow, pid, p && !p->info.python_hex);
	if (!err)
		recorder_is_traced(r, pid, true);
	return err ? err : descendants_attach(r, pid);
}

/* With -f a program that is no Python may have children that are, or load one yet. */
static struct err *attach_to_host(struct recorder *r, pid_t pid)
{
	struct process *p = host_add(r, pid);
	if (!p)
		return err_no_memory();
	if (!r->first)
		r->first = p;
	recorder_warn(r, NOTE_MESSAGE, p->index,
		      "there is no CPython in it: its children are watched, and what it loads");
	return NULL;
}

/* One that was left for a while. What was followed before is followed again, also what is no
 * Python: a shell, say. */
struct err *recorder_attach_again(struct recorder *r, struct process *p)
{
	bool any, is_own = p->tap && p->tap->link->pid == p->pid;
	struct err *err = NULL;
	if (is_own)
		err = recorder_arm(r, p->pid, 0, 0, &any);
	else if (r->options.follow &&
		 !has_ring(
		     r, p->pid,
		     0)) /* forked, and its parent may have ended; or another program by now */
		err = descendant_arm(r, p->pid);
	if (err && err->code == ERR_NOT_PYTHON && r->options.follow) {
		err_destroy(err);
		err = NULL;
		p->awaits_python = true;
	}
	return err || !r->options.follow || follow_has(r->follow, p->pid)
		   ? err
		   : recorder_follow(r, p->pid);
}

/* Not while it is ending: then its exit status is still to come. */
static bool process_has_memory(pid_t pid)
{
	struct proc_status status;
	struct err *err = proc_status_read(pid, &status);
	bool has = !err && status.has_memory;
	err_destroy(err);
	return has;
}

/* One attempt at a process that is not traced yet. *ret_was_looked_at: it was a Python that can be
 * attached to, or with `follow` any program, when it was looked at. */
static struct err *attach_once(struct recorder *r, pid_t pid, bool *ret_was_looked_at)
{
	struct access access;
	bool any, is_host;
	*ret_was_looked_at = false;
	struct err *err = access_check(pid, &access);
	if (err)
		return err;
	/* A probe whose recorder is dead is taken out by link_attach(). */
	is_host = r->options.follow && access.cause == ACCESS_NOT_PYTHON;
	/* or of our own earlier attempt */
	bool is_own = access.cause == ACCESS_ATTACHED && access.other_pid == getpid();
	err = is_host || is_own ? NULL : access_to_err(&access);
	if (err)
		return err;
	*ret_was_looked_at = true;
	err = is_host ? attach_to_host(r, pid) : recorder_arm(r, pid, 0, PROCESS_ATTACHED, &any);
	return err ? err_wrap(err, "cannot attach to %d", (int)pid) : NULL;
}

struct err *recorder_attach(struct recorder *r, pid_t pid)
{
	enum { TRIES = 10, PAUSE_MS = 20 };
	/* named twice, or a child of one that was named before it */
	if (follow_has(r->follow, pid) || has_ring(r, pid, 0)) {
		r->n_roots++;
		return NULL;
	}
	bool was_looked_at;
	uint64_t mark = proc_program_mark(pid);
	struct err *err = attach_once(r, pid, &was_looked_at);
	/* What was a Python and then none that we know is being loaded just now. What executed a
	 * program meanwhile made the visit fail at any step, and with any error. */
	for (unsigned i = 1; i < TRIES && err; i++) {
		poll(NULL, 0, PAUSE_MS); /* the execution may still go on */
		uint64_t now = proc_program_mark(pid);
		if (now == mark && !(was_looked_at && err->code == ERR_UNSUPPORTED))
			break;
		mark = now;
		err_destroy(err);
		err = attach_once(r, pid, &was_looked_at);
	}
	r->n_roots += was_looked_at;
	/* what it says is how far its memory had gone when we looked */
	if (err && was_looked_at && !process_has_memory(pid)) {
		err_destroy(err);
		err = err_create(ERR_TARGET_GONE, "cannot attach to %d: it has ended", (int)pid);
	}
	/* Not before: from then on every signal and child of the target needs an answer of ours. */
	return err || !r->options.follow ? err : recorder_follow(r, pid);
}

struct err *recorder_launch(struct recorder *r, char *const argv[], const char *user,
			    const struct follow_stdio *io)
{
	r->launching = true;
	r->n_roots++;
	r->launch = (struct launch){ .argv = argv,
				     .user = user,
				     .io = *io,
				     .may_outlive_us = r->options.own_terminal ||
						       r->options.on_end == RECORDER_LEAVE };
	struct err *err = launch_prepare(&r->launch);
	if (!err && r->launch.own_session)
		recorder_take_stops(r);
	if (!err)
		err = follow_launch(r->follow, &r->launch, r->options.follow, &r->launched_pid);
	launch_settle(&r->launch, !err);
	if (!err && r->launch.relay)
		relay_set_leader(r->launch.relay, r->launched_pid);
	return err;
}

bool recorder_at_entry(void *ctx, pid_t pid, pid_t tid, bool is_complete)
{
	struct recorder *r = ctx;
	const struct process *p = process_find(r, pid);
	bool any, is_forked = !p; /* else its exec was told: it has loaded a libpython since */
	/* A forked child has its parent's probe: it would be linked twice. */
	if ((!p || p->info.flags & PROCESS_FORKED) && has_ring(r, pid, pid))
		return true;
	uint32_t flags = is_forked                   ? PROCESS_FORKED
			 : r->launching && !r->first ? PROCESS_LAUNCHED
						     : PROCESS_EXECED;
	struct err *err = recorder_arm(r, pid, tid, flags, &any);
	/* The loader is at work, and may not have come to Python yet: the next stop will tell. */
	if (err && err->code == ERR_UNSUPPORTED && !is_complete) {
		log_debug("not armed yet in %d: %s", (int)pid, err->message);
		err_destroy(err);
		return any;
	}
	if (err && err->code != ERR_NOT_PYTHON && err->code != ERR_TARGET_GONE) {
		recorder_unwatched(r, pid, err);
		log_debug("not armed at entry of %d: %s", (int)pid, err->message);
	}
	bool not_python = err && err->code == ERR_NOT_PYTHON;
	err_destroy(err);
	return any || !not_python;
}

static void tap_gone(struct recorder *r, pid_t pid)
{
	for (size_t i = 0; i < r->taps.n; i++)
		if (r->taps.v[i]->link->pid == pid)
			r->taps.v[i]->gone = true;
}

void recorder_execed(void *ctx, pid_t pid)
{
	struct recorder *r = ctx;
	struct process *p = process_find(r, pid);
	struct detach_report report;
	recorder_stop_waiting(r, pid, &report);
	recorder_forget_heir(r, pid);
	if (p) { /* what the old image wrote comes before the note of its end */
		drain_settle(r);
		tap_gone(r, pid);
		process_execed(r, p);
	}
	/* Whatever runs now is seen; if it is Python its entry point will tell. */
	p = process_add(r, pid, NULL,
			r->launching && pid == r->launched_pid ? PROCESS_LAUNCHED : PROCESS_EXECED);
	if (!p)
		log_debug("no memory to note process %d", (int)pid);
	recorder_look_for_lost_rights(r, pid);
}

void recorder_forked(void *ctx, pid_t parent, pid_t child, bool is_new)
{
	struct recorder *r = ctx;
	r->n_children += is_new;
	struct proc_status status, of_parent;
	struct err *err = proc_status_read(child, &status);
	bool is_inner = !err && status.n_namespaces > 1;
	if (!err)
		err = proc_status_read(parent, &of_parent);
	/* the parent is in the child's pid namespace */
	bool is_beside = !err && status.n_namespaces == of_parent.n_namespaces;
	for (size_t i = 0; !err && i < r->taps.n; i++)
		if (!r->taps.v[i]->gone) {
			struct tap *t = r->taps.v[i];
			uint64_t identity = link_name_child(t->link, child, (uint32_t)status.ns_pid,
							    is_beside ? (uint32_t)of_parent.ns_pid
								      : 0);
			recorder_note_child(r, identity, child);
			recorder_note_heir(r, t, child, identity);
		}
	if (is_inner && !err && !r->forks)
		r->forks = calloc(MAX_FORK_NOTES, sizeof(*r->forks));
	if (is_inner && !err && r->forks) {
		r->forks[r->n_forks++ % MAX_FORK_NOTES] = (struct fork_note){
			.pid = child,
			.ppid = parent,
			.ns_pid = (uint32_t)status.ns_pid,
			.ns_ppid = is_beside ? (uint32_t)of_parent.ns_pid : 0
		};
	}
	err_destroy(err);
}

/* ---- a ring of its own for a forked child: heirs.c says when ---- */

/* Returns false when memory is short. */
static bool add_born(struct recorder *r, const struct tap *of, struct link *link)
{
	struct process *p = process_find(r, link->pid);
	if (!p)
		p = process_add(r, link->pid, &link->runtime, PROCESS_FORKED);
	if (!p || !tap_add(r, link, p))
		return false;
	p->info.prefixes = of->process->info.prefixes;
	process_update(r, p);
	follow_found_python(r->follow, link->pid);
	return true;
}

/* False: it keeps the ring that it was born with. */
static bool give_ring(struct recorder *r, const struct heir *heir)
{
	struct probe_options options = r->options.probe;
	struct link *link = NULL;
	struct detach_report report;
	bool is_out = false;
	clock_tick(&r->clock, &options.tick);
	options.ticks_per_ns = clock_ticks_per_ns(&r->clock);
	struct err *err = link_give_ring(heir->tap->link, heir->pid, heir->identity, &options,
					 &link, &is_out);
	if (!err && !add_born(r, heir->tap, link)) {
		is_out = true;
		link_detach(link, NULL, NULL, 1000000000, &report);
		link_destroy(link);
		err = err_no_memory();
	}
	/* Not heard of in time, it may be exchanged later, and nobody drains what the child has then. */
	bool is_unsure = err && (is_out || err->code == ERR_TIMEOUT);
	if (is_unsure && err->code != ERR_TARGET_GONE) {
		recorder_unwatched(r, heir->pid, err);
		r->end.is_loss_known = false; /* its events */
		r->end.n_children_not_followed++;
	}
	if (err)
		log_debug("no ring for %d: %s", (int)heir->pid, err->message);
	bool keeps = err && !is_out && err->code != ERR_TARGET_GONE;
	err_destroy(err);
	return !keeps;
}

void recorder_born(void *ctx, pid_t pid)
{
	struct recorder *r = ctx;
	struct heir heir;
	VEC(struct heir) kept = { 0 };
	/* A process can have several runtimes, each with a ring. Others come and go in the list
	 * while the child is waited for. */
	while (!r->leaving && !r->detached && !r->want_detached &&
	       recorder_take_scarce(r, pid, &heir))
		if (!give_ring(r, &heir) && !vec_push(&kept, heir))
			log_debug("no memory to note that %d has a ring", (int)pid);
	for (size_t i = 0; i < kept.n; i++)
		recorder_note_heir(r, kept.v[i].tap, pid, kept.v[i].identity);
	vec_fini(&kept);
}

/* The last records need the mappings, which go with the process. */
void recorder_leaving(void *ctx, pid_t pid)
{
	struct recorder *r = ctx;
	struct process *p = process_find(r, pid);
	/* One that is killed while its loader works has not come to be anything. */
	if (p && !p->info.python_hex && !p->is_unwatched && !follow_is_starting(r->follow, pid))
		recorder_look_for_other(r, p, true);
	if (!(r->options.probe.flags & PROBE_STACK_NATIVE))
		return;
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		for (uint32_t k = 0; k < t->n_slots; k++)
			if (t->clients[k] && t->clients[k]->native &&
			    t->clients[k]->process->pid == pid)
				native_context_refresh(t->clients[k]->native);
	}
	drain_settle(r);
}

void recorder_exited(void *ctx, pid_t pid, int status)
{
	struct recorder *r = ctx;
	if (pid == r->launched_pid) {
		r->launched_ended = true;
		r->launched_status = status;
	}
	drain_settle(r);
	recorder_forget_heir(r, pid);
	struct process *p = process_find(r, pid);
	if (p)
		process_ended(r, p, status);
}

/* ---- what was armed, later ---- */

/* After Py_Finalize the list is empty, and the probe could not see to its coming back
 * (RECORD_COMES_BACK), so it would stay so: put the entry back once the interpreter is gone, and
 * the next Py_Initialize keeps it (Python/pystate.c, _PyRuntimeState_Init). Never earlier: the
 * teardown raises events too, for which there may be no thread state and no tuple any more. */
static void relink(struct recorder *r, struct tap *t)
{
	struct link *l = t->link;
	struct python_runtime now = l->runtime;
	uint64_t head = 0;
	if (t->gone || t->process->ended ||
	    !remote_mem_read(l->mem, RADDR(l->runtime.layout.audit_head), &head, sizeof(head)) ||
	    head)
		return;
	python_runtime_refresh(remote_mem_reader(l->mem), &now);
	if (now.is_finalising)
		return;
	struct err *err = python_runtime_find(remote_mem_reader(l->mem), &l->runtime.module, &now);
	if (!err && !now.is_finalising && now.is_relocated &&
	    now.layout.audit_head == l->runtime.layout.audit_head) {
		err = link_again(l, follow_has(r->follow, l->pid));
		if (!err)
			t->finalised = false;
	}
	if (err)
		log_debug("cannot link again in %d: %s", (int)l->pid, err->message);
	err_destroy(err);
}

/* Which files are mapped as code, and where. 0: not known. */
static uint64_t modules_hash(pid_t pid)
{
	CLEANUP(maps) struct maps *maps = NULL;
	uint64_t hash = 0;
	struct err *err = maps_read(pid, &maps);
	for (size_t i = 0; !err && i < maps->n; i++) {
		const struct mapping *m = &maps->v[i];
		const uint64_t words[] = { hash, m->start, m->dev, m->inode };
		if (m->exec && m->inode)
			hash = name_hash((const char *)words, sizeof(words));
	}
	err_destroy(err);
	return hash;
}

/* Another libpython may be loaded into a process we are in already, or the same one again, and
 * nothing tells us: a library of megabytes shows in the size of the address space, which costs
 * microseconds to read. (To look for Python takes 2 ms.) The more processes, the rarer. */
static void modules_look(struct recorder *r, uint64_t now)
{
	uint64_t each = r->processes.n * (uint64_t)MODULES_EACH_NS;
	if (r->detached || r->leaving ||
	    now - r->modules_ns < (each > MODULES_NS ? each : MODULES_NS))
		return;
	r->modules_ns = now;
	for (size_t i = 0; i < r->processes.n; i++) {
		struct process *p = r->processes.v[i];
		char text[128];
		bool any;
		/* One that we armed ourselves, even if that Python has been unloaded since, or that
		 * was attached to without one. */
		bool is_ours = p->info.python_hex
				   ? !p->tap || p->tap->link->pid == p->pid
				   : p->awaits_python || follow_is_blind(r->follow, p->pid);
		bool is_other = !p->info.python_hex && !is_ours && !p->is_unwatched &&
				follow_has(r->follow, p->pid) &&
				!follow_is_starting(r->follow, p->pid);
		if (p->ended || (!is_ours && !is_other) ||
		    proc_file_read(p->pid, "statm", text, sizeof(text)) <= 0)
			continue;
		uint64_t vm_bytes = strtoull(text, NULL, 10) * 4096;
		uint64_t change = vm_bytes > p->vm_bytes ? vm_bytes - p->vm_bytes
							 : p->vm_bytes - vm_bytes;
		if (is_other) {
			if (change >= LIBRARY_MIN_BYTES || !p->vm_bytes || p->is_doubtful)
				recorder_look_for_other(r, p, false);
			p->vm_bytes = vm_bytes;
			continue;
		}
		if (change >= LIBRARY_MIN_BYTES) {
			uint64_t modules = modules_hash(p->pid);
			p->vm_bytes = vm_bytes;
			if (modules != p->modules_hash) {
				p->modules_hash = modules;
				p->n_looks = 0;
				p->look_ns = now;
			}
		}
		/* The first looks may come while the loader is still at it. */
		if (p->n_looks >= LOOKS || now < p->look_ns)
			continue;
		p->look_ns = now + ((uint64_t)MODULES_NS << p->n_looks++);
		struct err *err = recorder_arm(r, p->pid, 0, 0, &any);
		if (err && err->code == ERR_UNSUPPORTED && !p->info.python_hex)
			recorder_unwatched(r, p->pid, err);
		if (err)
			log_debug("looked for another Python in %d: %s", (int)p->pid, err->message);
		err_destroy(err);
	}
}

/* An application may start its next interpreter at any moment: look often. */
void recorder_relink(struct recorder *r, uint64_t now)
{
	if (now - r->relink_ns < RELINK_NS)
		return;
	r->relink_ns = now;
	for (size_t i = 0; i < r->taps.n; i++)
		if (r->taps.v[i]->finalised)
			relink(r, r->taps.v[i]);
	modules_look(r, now);
}

/* dlclose: hook entry and list went with the module; what is left is our reservation. */
static void unloaded(struct recorder *r, struct tap *t)
{
	struct detach_report report;
	drain_settle(r);
	t->gone = true;
	link_detach(t->link, recorder_is_attached, r, 1000000000, &report);
	t->left = report.restored; /* else once more when all is left */
	if (!t->left)
		log_debug("what the probe had in %d is not gone yet: %s", (int)t->link->pid,
			  report.left);
	recorder_warn(r, NOTE_MESSAGE, t->process->index, "Python was unloaded from the process");
	t->process->vm_bytes = t->process->modules_hash = 0;
	r->recycle_due = true;
}

/* A program may lock itself in after it was armed: then its threads do not sleep until there is
 * room, and lose events. */
static void notice_seccomp(struct process *p)
{
	struct proc_status status;
	struct err *err = p->is_filtered ? NULL : proc_status_read(p->pid, &status);
	p->is_filtered |= !err && status.seccomp > 0;
	err_destroy(err);
}

/* Is its ring of no use any more, if no forked child has it? Its image is over, and all is drained. */
static bool tap_may_be_over(const struct recorder *r, const struct tap *t)
{
	if (!t->process->ended && (!t->gone || r->want_detached))
		return false;
	for (uint32_t k = 0; k < t->n_slots; k++)
		if (t->clients[k])
			return false;
	return true;
}

/* A program that starts many short Pythons would else leave us with a ring, a memory file and a
 * lock of each. */
static void taps_remove_over(struct recorder *r)
{
	enum { MOST = 256 }; /* at a time */
	const struct link *links[MOST];
	size_t at[MOST], n = 0;
	bool is_used[MOST];
	for (size_t i = r->taps.n; i-- > 0 && n < MOST;)
		if (tap_may_be_over(r, r->taps.v[i])) {
			links[n] = r->taps.v[i]->link;
			at[n++] = i;
		}
	struct err *err = links_find_used(links, n, is_used);
	for (size_t i = 0; !err && i < n; i++) {
		struct tap *t = r->taps.v[at[i]];
		if (is_used[i])
			continue;
		if (t->link->pause_ns > r->pause_ns)
			r->pause_ns = t->link->pause_ns;
		r->n_unserved -= t->n_unserved;
		recorder_forget_heirs(r, t);
		for (size_t k = 0; k < r->processes.n; k++)
			if (r->processes.v[k]->tap == t)
				r->processes.v[k]->tap = NULL;
		r->taps.v[at[i]] = r->taps.v[--r->taps.n]; /* not one of at[i + 1 …] */
		tap_destroy(t);
	}
	err_destroy(err);
}

/* A program that starts processes without end must not fill our memory: those that are over, and
 * whose records are all taken, are in the capture. The newest are kept: a fork note may name them
 * as parents. */
static void processes_forget(struct recorder *r)
{
	for (size_t i = 0; i < r->processes.n; i++)
		r->processes.v[i]->is_needed = !r->processes.v[i]->ended ||
					       r->processes.v[i] == r->first ||
					       i + MAX_FORK_NOTES >= r->processes.n;
	for (size_t i = 0; i < r->waiting.n; i++)
		r->waiting.v[i].process->is_needed = true;
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		t->process->is_needed = true;
		for (uint32_t k = 0; k < t->n_slots; k++)
			if (t->clients[k])
				t->clients[k]->process->is_needed = true;
	}
	size_t n = 0;
	for (size_t i = 0; i < r->processes.n; i++) {
		struct process *p = r->processes.v[i];
		if (p->is_needed) {
			r->processes.v[n++] = p;
			continue;
		}
		if (p->pidfd >= 0)
			close(p->pidfd);
		free(p);
	}
	r->processes.n = n;
}

void recorder_count_unserved(struct recorder *r)
{
	uint64_t unserved = 0;
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		t->n_unserved += guest_growth(ring_n_unserved(&t->link->ring), t->n_unserved,
					      LOST_MAX);
		unserved += t->n_unserved;
	}
	if (unserved > r->n_unserved) {
		recorder_lost(r, LOSS_NO_SLOT, UINT32_MAX, unserved - r->n_unserved,
			      clock_time_now(&r->clock), 0);
		r->n_unserved = unserved;
	}
}

void recorder_check(struct recorder *r, uint64_t now)
{
	if (now - r->check_ns < CHECK_NS)
		return;
	r->check_ns = now;
	if (!r->leaving)
		descriptors_reserve();
	for (size_t i = 0; i < r->processes.n; i++) {
		struct process *p = r->processes.v[i];
		if (p->ended)
			continue;
		if (p->tap && !p->tap->gone)
			notice_seccomp(p);
		if (p->tap)
			process_read_prefixes(r, p, p->tap);
		/* wait_for_more() waits for some tens of processes only. */
		struct pollfd end = { .fd = p->pidfd, .events = POLLIN };
		bool is_ours = follow_has(r->follow, p->pid) || p->pid == r->launched_pid;
		if (!is_ours &&
		    (p->pidfd < 0 ? kill(p->pid, 0) < 0 && errno == ESRCH : poll(&end, 1, 0) > 0)) {
			drain_settle(r);
			process_ended(r, p, -1);
		}
	}
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		for (uint32_t k = 0; k < t->n_slots; k++)
			if (t->clients[k])
				client_refresh(t, k);
		if (t->gone || t->process->ended || r->leaving)
			continue;
		enum link_health health = link_check(t->link);
		if (health == LINK_UNLOADED && process_has_memory(t->link->pid)) {
			unloaded(r, t);
		} else if (health == LINK_GONE && process_has_memory(t->link->pid)) {
			t->gone = true; /* exec, without us being told: not followed */
			process_execed(r, t->process);
		} else if (health == LINK_UNLINKED && !t->finalised) {
			/* A hook that was being added to an empty list at that very moment, or
			 * somebody raised the event of the end by hand. Not while the interpreter
			 * ends. */
			struct python_runtime rt;
			struct err *err = python_runtime_find(remote_mem_reader(t->link->mem),
							      &t->link->runtime.module, &rt);
			/* Not initialised: unloaded and loaded again, at the same address, between
			 * two looks. */
			if (!err && !rt.is_finalising && (rt.is_initialised || rt.is_relocated))
				err = link_again(t->link, follow_has(r->follow, t->link->pid));
			err_destroy(err);
		}
	}
	recorder_count_unserved(r);
	recorder_forget_heirs(r, NULL);
	recycle_ended(r);
	taps_remove_over(r);
	processes_forget(r);
}
