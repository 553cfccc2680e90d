/*
 * drain: rings → decoder. Slots are drained together in the order of their time stamps (what is
 * guaranteed: lineup.h); a record is copied out before it is looked at, and what the ring's owner
 * wrote is checked before it is followed.
 */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "recorder/decode.h"
#include "recorder/lineup.h"
#include "recorder/native.h"
#include "recorder/intake.h"
#include "recorder/recorder_private.h"
#include "stacks/image.h"
#include "system/procs.h"
#include "visit/ptrace.h"
#include "system/remote_mem.h"

enum {
	DRAIN_BYTES = 2 * 1024 * 1024, /* of one slot, before the poll loop has its turn */
	PUBLISH_BYTES = 64 * 1024,
	NAMES_GRACE_NS = 250 * 1000 * 1000,
	SPINS = 50,
};
/* within which what a processor has stored is there for all to see */
#define SLACK_NS  10000ull
#define HOLD_NS   100000000ull  /* for how long an event in flight is waited for */
#define FUTURE_NS 1000000000ull /* the clock of a target is not that far ahead of ours */
#define SETTLE_NS 5000000000ull
/* after which the poll loop has its turn, whatever a record costs */
#define ROUND_NS      200000000ull
#define MALFORMED_MAX 1000u /* records of one slot that make no sense: then it is given up */

/* ---- clients: who writes to a slot ---- */

/* Reading names takes some hundred reads of the target's memory, and a program can start thousands
 * of threads a second: no more than a quarter of the time, after a while of grace, goes into it. */
static bool may_read_names(struct recorder *r, uint64_t now)
{
	r->names_left_ns += (int64_t)((now - r->names_ns) / 4);
	if (!r->names_ns || r->names_left_ns > NAMES_GRACE_NS)
		r->names_left_ns = NAMES_GRACE_NS;
	r->names_ns = now;
	return r->names_left_ns > 0;
}

static bool thread_name(void *ctx, uint32_t tid, uint32_t *ret_host_tid, uint32_t *ret_ns_tid,
			uint32_t *ret_name)
{
	struct client *c = ctx;
	char name[256];
	uint32_t ns_pid = c->ns_pid;
	if (!*ret_host_tid || tid == *ret_host_tid)
		*ret_host_tid = identity_outer_tid(c->recorder, c->process, ns_pid, tid,
						   ret_ns_tid);
	if (!ret_name)
		return true;
	if (*ret_ns_tid == ns_pid) {
		*ret_name = writer_string(c->recorder->writer, "MainThread", 10);
		return true;
	}
	uint64_t now = monotonic_ns();
	if (!may_read_names(c->recorder, now))
		return false;
	bool is_root = c->process->pid == c->tap->link->pid;
	if (!c->mem && !is_root) {
		struct err *err = remote_mem_open(c->process->pid, &c->mem);
		err_destroy(err);
	}
	struct remote_mem *mem = is_root ? c->tap->link->mem : c->mem;
	if (mem && python_thread_name(remote_mem_reader(mem), &c->tap->link->runtime, tid,
				      &c->active, name, sizeof(name)))
		*ret_name = intake_string(c->recorder->writer, c->recorder->redactor, name,
					  strlen(name), false);
	c->recorder->names_left_ns -= (int64_t)(monotonic_ns() - now);
	return true;
}

/* Not in another pid namespace, whose thread ids mean nothing here. */
static bool thread_is_over(void *ctx, uint32_t tid)
{
	struct client *c = ctx;
	return syscall(SYS_tgkill, c->process->pid, (pid_t)tid, 0) < 0 && errno == ESRCH;
}

void client_refresh(struct tap *t, uint32_t slot_index)
{
	struct client *c = t->clients[slot_index];
	c->active = 0;     /* found anew: an interpreter may have ended and another begun */
	if (c->is_further) /* the first of them looks after the threads of all */
		return;
	bool is_drained = true;
	for (uint32_t k = 0; k < t->n_slots; k++)
		if (t->clients[k] && t->clients[k]->process == c->process &&
		    t->clients[k]->birth == c->birth)
			is_drained &= guest_is64(ring_slot_head(&t->link->ring, k),
						 t->clients[k]->tail);
	decoder_refresh_threads(c->decoder, is_drained);
}

bool client_wants(void *ctx, const char *name, uint32_t n)
{
	struct client *c = ctx;
	struct recorder *r = c->recorder;
	if (!r->options.wants)
		return true;
	bool wanted = r->options.wants(r->options.wants_ctx, name, n);
	/* From now on the probe knows: the table is open addressing, filled by us alone, never
	 * full. */
	uint64_t hash = name_hash(name, n);
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		if (t->n_verdicts <= VERDICT_COUNT / 2)
			t->n_verdicts += ring_add_verdict(&t->link->ring, hash, wanted);
	}
	return wanted;
}

static bool was_ours(const struct recorder *r, const struct tap *t, pid_t pid)
{
	for (size_t i = r->processes.n; i-- > 0;)
		if (r->processes.v[i]->pid == pid && r->processes.v[i]->tap == t)
			return true;
	return false;
}

/* Does it descend from the process of this tap? The parent's own slot may not have been looked
 * at yet. */
static bool is_family(const struct recorder *r, const struct tap *t, pid_t pid)
{
	size_t i = r->n_forks;
	while (pid != t->link->pid && !was_ours(r, t, pid)) {
		/* Upwards, and backwards in time: it ends. */
		while (i > 0 && r->n_forks - i < MAX_FORK_NOTES &&
		       r->forks[(i - 1) % MAX_FORK_NOTES].pid != pid)
			i--;
		if (i == 0 || r->n_forks - i >= MAX_FORK_NOTES)
			return false;
		pid = r->forks[--i % MAX_FORK_NOTES].ppid;
	}
	return true;
}

/* The newest fork of that process by that parent, as they know themselves, of a family that writes
 * to this tap. */
static const struct fork_note *fork_find(const struct recorder *r, const struct tap *t,
					 uint32_t ns_pid, uint32_t ns_parent)
{
	for (size_t i = r->n_forks; i-- > 0 && r->n_forks - i <= MAX_FORK_NOTES;) {
		const struct fork_note *f = &r->forks[i % MAX_FORK_NOTES];
		if (!f->is_thread && f->ns_pid == ns_pid && f->ns_ppid == ns_parent &&
		    is_family(r, t, f->ppid))
			return f;
	}
	return NULL;
}

/* The process that claimed a slot, by the pid it knows of itself; 0: it has ended. */
static pid_t host_pid(struct recorder *r, struct tap *t, uint32_t ns_pid, uint32_t ns_parent)
{
	if (ns_pid == t->root_ns_pid)
		return t->link->pid;
	/* A child can be in a pid namespace of its own even if its parent is in ours: only who has
	 * the ring counts. */
	if (!t->other_pid_ns && link_is_in(t->link, (pid_t)ns_pid))
		return (pid_t)ns_pid;
	/* It names as its parent one of ours: it is in our namespace, and short-lived. Looking at
	 * every process of the machine for each of thousands such would take longer than they live.
	 */
	if (!t->other_pid_ns && ns_parent && was_ours(r, t, (pid_t)ns_parent))
		return 0;
	const struct fork_note *fork = fork_find(r, t, ns_pid, ns_parent);
	if (fork)
		return fork->pid;
	pid_t *pids = NULL, found = 0;
	size_t n = 0;
	struct err *err = link_processes(t->link, &pids, &n);
	for (size_t i = 0; !err && i < n && !found; i++) {
		struct proc_status status;
		struct err *e = proc_status_read(pids[i], &status);
		if (!e && (uint32_t)status.ns_pid == ns_pid)
			found = pids[i];
		err_destroy(e);
	}
	err_destroy(err);
	free(pids);
	return found;
}

/* What unwinds a process's native stacks; NULL when they are not wanted (or memory is short: Python
 * frames remain). */
static struct native_context *native_for(struct recorder *r, const struct tap *t, pid_t pid)
{
	struct native_context *native = NULL;
	if (!(r->options.probe.flags & PROBE_STACK_NATIVE) ||
	    (!r->images && !(r->images = image_store_create())))
		return NULL;
	struct native_options o = {
		.pid = pid,
		.store = r->images,
		.writer = r->writer,
		.minor = t->link->runtime.layout.minor,
		.runtime = t->link->runtime.module.start.v,
		.python_frames = r->options.probe.flags & PROBE_STACK_PYTHON,
	};
	for (uint32_t k = 0; k < t->n_slots && !o.parent; k++) /* a fork shares its mappings */
		o.parent = t->clients[k] ? t->clients[k]->native : NULL;
	struct err *err = native_context_create(&o, &native);
	if (err)
		log_debug("native stacks of %d: %s", (int)pid, err->message);
	err_destroy(err);
	return native;
}

/* Can a process that is gone have had this number? Only those have the ring that were forked after
 * it was mapped. While another has the number that was there before, none of them can. */
static bool may_have_been(const struct tap *t, pid_t pid)
{
	uint64_t start_ticks;
	if (proc_start_ticks(pid, &start_ticks))
		return start_ticks >= t->link->since_ticks;
	/* asked last: a zombie may be reaped meanwhile */
	return kill(pid, 0) < 0 && errno == ESRCH;
}

/*
 * The process image behind a slot; one that was not met before gets a line of its own. What a slot
 * says of its owner is a claim: a living process is taken for its owner only if the kernel says
 * that it has the ring, or we have seen its fork. *ret_false: the claim cannot be true. NULL and
 * not that: memory is short.
 */
static struct process *process_of(struct recorder *r, struct tap *t, const struct ring_claim *claim,
				  uint32_t ns_pid, bool *ret_false)
{
	uint32_t birth = guest_shown32(claim->birth), parent_pid = guest_shown32(claim->parent_pid);
	/* One of its other slots told already who it is, even if it is gone by now. */
	for (size_t i = r->processes.n; i-- > 0;) {
		struct process *p = r->processes.v[i];
		if (p->tap == t && p->slot_pid == ns_pid && p->slot_birth == birth)
			return p;
	}
	pid_t pid = host_pid(r, t, ns_pid, parent_pid);
	if (!pid && !t->other_pid_ns && !may_have_been(t, (pid_t)ns_pid)) {
		*ret_false = true;
		return NULL;
	}
	struct process *p = process_find(r, pid ? pid : (pid_t)ns_pid);
	if (p && !pid && p->tap != t)
		p = NULL; /* somebody else has that number now, or has it elsewhere */
	if (!p) {
		bool is_gone = !pid && kill((pid_t)ns_pid, 0) == 0;
		p = (is_gone ? process_add_gone : process_add)(r, pid ? pid : (pid_t)ns_pid,
							       &t->link->runtime, PROCESS_FORKED);
		if (!p)
			return NULL;
		p->tap = t;
		if (!p->info.ppid || !p->info.name) { /* gone already */
			const struct fork_note *fork = fork_find(r, t, ns_pid, parent_pid);
			p->info.ppid = fork ? (uint32_t)fork->ppid : parent_pid;
			p->info.ns_pid = ns_pid;
			p->info.name = t->process->info.name;
			p->info.argv = t->process->info.argv;
			p->info.exe = t->process->info.exe;
			p->info.cwd = t->process->info.cwd;
			p->info.environ = t->process->info.environ;
		}
		p->info.prefixes = t->process->info.prefixes;
		process_update(r, p);
	}
	if (p->tap == t) {
		p->slot_pid = ns_pid;
		p->slot_birth = birth;
	}
	return p;
}

/* Another slot of the same process image: what is known of threads and mappings is shared. */
static struct client *client_kin(const struct tap *t, const struct client *c)
{
	for (uint32_t k = 0; k < t->n_slots; k++) {
		struct client *other = t->clients[k];
		if (other && other->process == c->process && other->birth == c->birth)
			return other;
	}
	return NULL;
}

/* A slot whose owner says that it is somebody else: its events belong to nobody that we know. */
static void refuse_claim(struct recorder *r, struct tap *t, uint32_t slot_index,
			 const struct ring_claim *claim)
{
	ring_slot_give_up(&t->link->ring, slot_index);
	/* Or it is who it says, and /proc hides it from us (proc(5), hidepid): then nobody can tell
	 * whether it is restored. */
	if (!t->other_pid_ns)
		t->maybe_hidden = (pid_t)guest_shown32(claim->pid);
	r->end.is_loss_known = false; /* what it writes there is not read */
	if (t->n_false_claims++ == 0)
		recorder_warn(r, NOTE_WARNING, t->process->index,
			      "something in it writes events under the number of process %u, which "
			      "does not have its ring: they are left out",
			      guest_shown32(claim->pid));
}

static struct client *client_add(struct recorder *r, struct tap *t, uint32_t slot_index)
{
	const struct ring_claim claim = ring_slot_claim(&t->link->ring, slot_index);
	bool is_false = false;
	struct client *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->recorder = r;
	c->tap = t;
	c->birth = guest_shown32(claim.birth);
	if (!guest_take32(claim.pid, 1, INT32_MAX, &c->ns_pid))
		is_false = true;
	else
		c->process = process_of(r, t, &claim, c->ns_pid, &is_false);
	if (is_false) {
		free(c);
		refuse_claim(r, t, slot_index, &claim);
		return NULL;
	}
	struct client *kin = c->process ? client_kin(t, c) : NULL;
	c->is_further = kin != NULL;
	if (c->process && guest_is32(claim.tid, 0))
		link_learn_tid(t->link, c->process->pid, claim.thread);
	c->muted = r->options.only_targets && c->process && c->process->info.flags & PROCESS_FORKED;
	if (kin)
		c->native = native_context_ref(kin->native);
	else if (c->process)
		c->native = native_for(r, t, c->process->pid);
	struct decoder_options o = { .writer = r->writer,
				     .minor = t->link->runtime.layout.minor,
				     .process = c->process ? c->process->index : 0,
				     .redactor = r->redactor,
				     .thread_name = thread_name,
				     .thread_is_over = c->process &&
							       c->process->pid == (pid_t)c->ns_pid
							   ? thread_is_over
							   : NULL,
				     .wants = client_wants,
				     .ctx = c,
				     .native = c->native,
				     .kin = kin ? kin->decoder : NULL };
	struct err *err = c->process ? decoder_create(&o, &c->decoder) : err_no_memory();
	if (err) {
		err_destroy(err);
		native_context_destroy(c->native);
		free(c);
		return NULL;
	}
	t->clients[slot_index] = c;
	/* It came and went before it could be looked at. Of one that is followed the end, and its
	 * status, is still to be told. */
	/* else descriptors are short */
	bool is_gone = c->process->pidfd < 0 && kill(c->process->pid, 0) < 0 && errno == ESRCH;
	if (is_gone && !c->process->ended && !follow_has(r->follow, c->process->pid))
		process_ended(r, c->process, -1);
	return c;
}

void client_remove(struct tap *t, uint32_t slot_index)
{
	struct client *c = t->clients[slot_index];
	if (!c)
		return;
	decoder_destroy(c->decoder);
	native_context_destroy(c->native);
	remote_mem_close(c->mem);
	free(c);
	t->clients[slot_index] = NULL;
}

/* ---- draining ---- */

/* An image is over when its process is, when it made room for another by exec, or when it was left.
 * The exec of the one that was armed says nothing of its forked children: they go on writing. */
static bool client_is_over(struct client *c)
{
	return c->process->ended ||
	       (c->tap->gone && (c->tap->left || c->process->pid == c->tap->link->pid));
}

struct drain {
	struct tap *tap;
	struct client *c;
	uint32_t slot;
	uint64_t tail, head, published; /* head: checked */
	uint64_t time;      /* of the next record, in ticks; 0 if its own makes no sense */
	struct record next; /* its size is checked */
};

static void drain_publish(struct drain *d)
{
	guest_u64 head;
	if (ring_slot_consume(&d->tap->link->ring, d->slot, d->tail, &head)) {
		d->c->was_woken = true;
		d->c->woken_head = head;
	}
	d->published = d->tail;
}

/* One more record that made no sense. No probe writes such: the target has written over the ring,
 * and spoils what is shown of it. If it does not stop, nothing more is read there. */
static void client_malformed(struct client *c, uint32_t slot)
{
	if (++c->n_bad < MALFORMED_MAX || c->is_given_up)
		return;
	c->is_given_up = true;
	ring_slot_give_up(&c->tap->link->ring, slot);
}

/* Copy the next record's head out; false when there is none left, or the ring makes no sense (it is
 * then skipped to its head). Times after `future` are not believed. */
static bool drain_next(struct drain *d, uint64_t future)
{
	while (d->tail < d->head) {
		if (!ring_record_check(&d->tap->link->ring, d->slot, d->tail, d->head, &d->next)) {
			client_malformed(d->c, d->slot);
			d->tail = d->head;
			return false;
		}
		if (d->next.type != RECORD_PAD) {
			d->time = d->next.tsc;
			if (d->time > future)
				d->time = 0;
			return true;
		}
		d->tail += d->next.size;
	}
	return false;
}

static void drain_end(struct drain *d)
{
	if (d->published != d->tail)
		drain_publish(d);
	d->c->tail = d->tail;
}

/* Capture time of a guest's time: one that lies in the future is that of the moment it was seen. */
static uint64_t time_of(const struct recorder *r, const struct client *c, guest_u64 ticks)
{
	uint64_t now = clock_time_now(&r->clock),
		 time = clock_time_of(&r->clock, guest_shown64(ticks));
	return time > now + FUTURE_NS ? now : time;
}

/* Was the last event taken that is wanted (--limit, --until)? Nothing that comes after it is lost. */
static bool is_last_taken(const struct recorder *r)
{
	return r->limit_reached || writer_is_over(r->writer);
}

/* The last event was taken, from the slot of `from`. What was dropped in a slot was dropped when its
 * ring was full, after all that the ring held: where there are records yet to be taken, which are
 * younger than that event, it is younger too; and so it is in that event's own slot. Else it is
 * counted now. */
static void count_earlier_losses(struct recorder *r, const struct client *from)
{
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		for (uint32_t k = 0; k < t->n_slots; k++) {
			struct client *c = t->clients[k];
			if (!c || c == from ||
			    !guest_is64(ring_slot_head(&t->link->ring, k), c->tail))
				continue;
			uint64_t n = guest_growth(ring_slot_n_dropped(&t->link->ring, k), c->n_lost,
						  LOST_MAX);
			if (n)
				recorder_lost(r, LOSS_RING_FULL, c->process->index, n,
					      clock_time_now(&r->clock), 0);
			c->n_lost += n;
		}
	}
}

static void handle_record(struct recorder *r, struct drain *d, const struct record *head)
{
	const struct ring *ring = &d->tap->link->ring;
	uint64_t time = time_of(r, d->c, GUEST64(head->tsc));
	struct client *c = d->c;
	switch (head->type) {
	case RECORD_EVENT:
		if (is_last_taken(r) || c->muted)
			break;
		if (head->size < sizeof(struct record_event) || head->size > r->record_cap) {
			client_malformed(c, d->slot);
			break;
		}
		ring_record_read(ring, d->slot, d->tail, r->record, head->size);
		memcpy(r->record, head, sizeof(*head)); /* it may have changed meanwhile */
		/* not known yet, so it is one of the first: of the main thread */
		if (!((struct record_event *)r->record)->tid)
			((struct record_event *)r->record)->tid = c->ns_pid;
		if (!decoder_event(c->decoder, (struct record *)r->record, head->size, time))
			client_malformed(c, d->slot);
		if (r->options.limit && writer_n_events(r->writer) >= r->options.limit)
			r->limit_reached = true;
		if (is_last_taken(r))
			count_earlier_losses(r, c);
		break;
	case RECORD_LOST: {
		struct record_lost lost;
		uint64_t n;
		if (head->size >= sizeof(lost))
			ring_record_read(ring, d->slot, d->tail, &lost, sizeof(lost));
		if (head->size < sizeof(lost) ||
		    !guest_take64(GUEST64(lost.n_lost), 1, LOST_MAX, &n)) {
			client_malformed(c, d->slot);
			break;
		}
		uint64_t first = time_of(r, c, GUEST64(lost.first_tsc));
		if (is_last_taken(r))
			break;
		recorder_lost(r, LOSS_RING_FULL, c->process->index, n, time,
			      time > first ? time - first : 0);
		c->n_lost += n;
		break;
	}
	case RECORD_FINALISED: {
		struct note_info note = { .kind = NOTE_FINALISED,
					  .time_ns = time,
					  .process = c->process->index };
		writer_note(r->writer, &note);
		if (c->process->pid == d->tap->link->pid && !(head->flags & RECORD_COMES_BACK))
			d->tap->finalised = true;
		break;
	}
	default: client_malformed(c, d->slot); break;
	}
}

/* The client of a slot, new if there is somebody new. NULL: nobody has it. */
static struct client *client_of(struct recorder *r, struct tap *t, uint32_t k, bool claimed,
				bool *ret_saw_all)
{
	if (t->clients[k] || !claimed || !ring_slot_is_claimed(&t->link->ring, k))
		return t->clients[k];
	struct client *c = client_add(r, t, k);
	if (!c)
		*ret_saw_all = false; /* memory is short; the slot is looked at again */
	return c;
}

/* Is an event in flight there that is worth waiting for? */
static bool is_worth_waiting(struct client *c, const struct slot_look *look)
{
	uint64_t now = monotonic_ns();
	if (look->flight == UINT64_MAX || client_is_over(c))
		return false;
	if (c->flight != look->writing) {
		c->flight = look->writing;
		c->flight_ns = now;
	}
	return now - c->flight_ns < HOLD_NS;
}

uint64_t recorder_tick(struct recorder *r)
{
	struct ring_tick tick;
	uint64_t per_ns = clock_ticks_per_ns(&r->clock);
	clock_tick(&r->clock, &tick);
	for (size_t i = 0; i < r->taps.n; i++)
		ring_tick(&r->taps.v[i]->link->ring, &tick, per_ns);
	return tick.ticks;
}

/* Look at all slots: who has something is in r->drains. Returns what nothing younger than may be
 * taken (lineup.h). */
static uint64_t look_at_all(struct recorder *r, size_t *ret_n)
{
	uint64_t start = recorder_tick(r), hold = clock_ticks_of_ns(&r->clock, HOLD_NS), limit;
	size_t n = 0;
	bool may_wait = true;
	start -= clock_ticks_of_ns(&r->clock, SLACK_NS);
	limit = start;
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		const struct ring *ring = &t->link->ring;
		bool saw_all = true;
		guest_u32 claims = ring_n_claims(ring);
		for (uint32_t k = 0; k < t->n_slots; k++) {
			struct client *c = client_of(r, t, k, !guest_is32(claims, t->seen_claims),
						     &saw_all);
			if (!c || c->is_given_up)
				continue;
			struct slot_look look = slot_look(ring_slot_borrow(ring, k));
			struct drain d = {
				.tap = t, .c = c, .slot = k, .tail = c->tail, .published = c->tail
			};
			if (look.flight < limit && is_worth_waiting(c, &look))
				limit = look.flight;
			if (guest_is64(look.head, d.tail))
				continue;
			if (!ring_head_check(ring, k, look.head, d.tail, &d.head)) {
				/* The target wrote over it. Start again where it says it
				 * is: tails mean nothing to us but a place in the slot,
				 * wherever they are. */
				client_malformed(c, k);
				d.tail = guest_shown64(look.head) & ~7ull;
				drain_end(&d);
				continue;
			}
			if (r->is_resting && d.head > c->rest_until)
				d.head = c->rest_until > d.tail ? c->rest_until : d.tail;
			bool drops = r->options.probe.flags & PROBE_DROP || c->process->is_filtered;
			if (drops && d.head - d.tail > ring_slot_size(ring, k) / 4 * 3)
				may_wait = false;
			if (!vec_push(&r->drains, d)) {
				saw_all = false;
				break;
			}
			n++;
		}
		if (saw_all)
			t->seen_claims = guest_shown32(
			    claims); /* compared with the next, no more */
	}
	*ret_n = n;
	return !may_wait ? start : limit > start - hold ? limit : start - hold;
}

/* One round: take what has arrived in all slots, oldest first. Returns bytes taken; *ret_until: the
 * time up to which all has been taken. `rest`: whatever its time; nobody writes any more. */
static uint64_t drain_round(struct recorder *r, bool rest, uint64_t *ret_until)
{
	r->drains.n = r->lineup.n = 0;
	size_t n;
	uint64_t taken = 0, limit = look_at_all(r, &n),
		 future = clock_ticks(&r->clock) + clock_ticks_of_ns(&r->clock, FUTURE_NS);
	if (rest)
		limit = UINT64_MAX;
	for (size_t i = 0; i < n; i++)
		if (!drain_next(&r->drains.v[i], future) ||
		    !lineup_add(&r->lineup, r->drains.v[i].time, i))
			drain_end(&r->drains.v[i]);
	uint64_t budget = DRAIN_BYTES * (n ? n : 1), over_at = monotonic_ns() + ROUND_NS;
	bool is_late = false;
	const struct lineup_entry *first;
	for (unsigned turn = 1;
	     taken < budget && !is_late && (first = lineup_first(&r->lineup, limit)); turn++) {
		struct drain *d = &r->drains.v[first->item];
		/* a native stack of a module met for the first time takes its time */
		if (turn % 64 == 0) {
			uint64_t now = monotonic_ns();
			recorder_heartbeat(r, now);
			recorder_tick(r);
			is_late = now >= over_at;
		}
		handle_record(r, d, &d->next);
		d->tail += d->next.size;
		taken += d->next.size;
		if (d->tail - d->published >= PUBLISH_BYTES)
			drain_publish(d);
		if (drain_next(d, future)) {
			lineup_first_again(&r->lineup, d->time);
		} else {
			drain_end(d);
			lineup_first_done(&r->lineup);
		}
	}
	first = lineup_first(&r->lineup, UINT64_MAX);
	r->is_holding = first && taken < budget && !is_late;
	*ret_until = first && first->time <= limit ? (first->time ? first->time - 1 : 0) : limit;
	for (size_t i = 0; i < r->lineup.n; i++)
		drain_end(&r->drains.v[r->lineup.v[i].item]);
	if (taken && !r->unflushed_since)
		r->unflushed_since = monotonic_ns();
	return taken;
}

uint64_t drain_all(struct recorder *r)
{
	uint64_t until;
	return drain_round(r, false, &until);
}

void drain_settle(struct recorder *r)
{
	uint64_t now = clock_ticks(&r->clock), until, deadline = monotonic_ns() + SETTLE_NS;
	for (unsigned idle = 0;;) {
		uint64_t taken = drain_round(r, false, &until);
		if (until >= now || monotonic_ns() >= deadline)
			return;
		idle = taken ? 0 : idle + 1;
		recorder_heartbeat(r, monotonic_ns());
		/* somebody is in the middle of an event, and may need this processor */
		if (idle > SPINS)
			poll(NULL, 0, 1);
	}
}

/* Nobody should write any more. If somebody does, what it writes from now on is not waited for. */
void drain_rest(struct recorder *r)
{
	uint64_t until;
	drain_settle(r);
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		for (uint32_t k = 0; k < t->n_slots; k++)
			if (t->clients[k])
				t->clients[k]->rest_until = guest_shown64(ring_slot_head(
				    &t->link->ring, k)); /* a bound; it is checked in each round */
	}
	r->is_resting = true;
	while (drain_round(r, true, &until))
		;
	r->is_resting = false;
}

/* ---- slots of ended processes ---- */

void client_count_losses(struct recorder *r, struct tap *t, uint32_t k)
{
	const struct ring *ring = &t->link->ring;
	struct client *c = t->clients[k];
	uint64_t now = clock_time_now(&r->clock),
		 n = guest_growth(ring_slot_n_dropped(ring, k), c->n_lost, LOST_MAX);
	/* It ended, or was left, before it could say so itself. */
	if (n && !is_last_taken(r)) {
		recorder_lost(r, LOSS_RING_FULL, c->process->index, n, now, 0);
		c->n_lost += n;
	}
	/* An event in flight (abi.h, ring_slot.writing) of a process that is no more: it was killed
	 * in the middle of it. */
	const struct slot_look look = slot_look(ring_slot_borrow(ring, k));
	/* Or it waited for room for one, or had just been told that there is. Once recording was
	 * stopped, it gives up its event. */
	bool is_stopped = r->end.stop != END_STOP_UNKNOWN && r->end.stop != END_STOP_TARGET_ENDED;
	bool has_waited = !is_stopped && c->was_woken &&
			  guest_is64(look.head, guest_shown64(c->woken_head));
	bool is_in_flight = look.flight != UINT64_MAX || has_waited || ring_slot_waits(ring, k);
	if (c->process->ended && is_in_flight && !c->torn) {
		c->torn = true;
		recorder_lost(r, LOSS_TORN, c->process->index, 1, now, 0);
	}
	if (c->n_bad > c->n_bad_told) {
		recorder_lost(r, LOSS_MALFORMED, c->process->index, c->n_bad - c->n_bad_told, now,
			      0);
		recorder_warn(r, NOTE_WARNING, c->process->index,
			      "%llu malformed record%s of process %u left out%s",
			      (unsigned long long)(c->n_bad - c->n_bad_told),
			      c->n_bad - c->n_bad_told == 1 ? "" : "s", c->process->info.pid,
			      c->is_given_up ? "; what it wrote after them was not read" : "");
		c->n_bad_told = c->n_bad;
		/* how many were behind it in the part that was passed over nobody knows */
		r->end.is_loss_known = false;
	}
}

static void recycle(struct recorder *r, struct tap *t, uint32_t k)
{
	struct client *c = t->clients[k];
	if (!c->is_given_up && !guest_is64(ring_slot_head(&t->link->ring, k), c->tail)) {
		r->recycle_due = true;
		return;
	}
	client_count_losses(r, t, k);
	c->process->info.n_events += decoder_n_events(c->decoder);
	c->process->info.n_lost += c->n_lost;
	process_update(r, c->process);
	client_remove(t, k);
	ring_slot_free(&t->link->ring, k);
}

void recycle_ended(struct recorder *r)
{
	r->recycle_due = false;
	for (size_t i = 0; i < r->taps.n; i++)
		for (uint32_t k = 0; k < r->taps.v[i]->n_slots; k++)
			if (r->taps.v[i]->clients[k] && client_is_over(r->taps.v[i]->clients[k]))
				recycle(r, r->taps.v[i], k);
}
