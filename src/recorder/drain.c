/*
 * drain: rings → decoder. Slots are drained together in the order of their time stamps; a record is copied out before it
 * is looked at, and what the ring's owner wrote is checked before it is followed.
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "recorder/decode.h"
#include "recorder/native.h"
#include "recorder/recorder_private.h"
#include "tracer/image.h"
#include "tracer/procs.h"
#include "tracer/ptrace.h"
#include "tracer/remote_mem.h"

enum {
	DRAIN_BYTES = 2 * 1024 * 1024, /* of one slot, before the poll loop has its turn */
	PUBLISH_BYTES = 64 * 1024,
	NAMES_GRACE_NS = 250 * 1000 * 1000,
};

/* ---- clients: who writes to a slot ---- */

/* Reading names takes some hundred reads of the target's memory, and a program can start thousands of threads a second: no more
 * than a quarter of the time, after a while of grace, goes into it. */
static bool may_read_names(struct recorder *r, uint64_t now)
{
	r->names_left_ns += (int64_t)((now - r->names_ns) / 4);
	if (!r->names_ns || r->names_left_ns > NAMES_GRACE_NS)
		r->names_left_ns = NAMES_GRACE_NS;
	r->names_ns = now;
	return r->names_left_ns > 0;
}

static bool thread_name(void *ctx, uint32_t tid, uint32_t *ret_host_tid, uint32_t *ret_name)
{
	struct client *c = ctx;
	char name[256];
	uint32_t ns_pid = c->ns_pid;
	*ret_host_tid = tid;
	if (c->process->pid != (pid_t)ns_pid && tid == ns_pid)
		*ret_host_tid = (uint32_t)c->process->pid;
	if (tid == ns_pid) {
		*ret_name = writer_string(c->recorder->writer, "MainThread", 10);
		return true;
	}
	uint64_t now = monotonic_ns();
	if (!may_read_names(c->recorder, now))
		return false;
	if (!c->mem) {
		struct err *err = remote_mem_open(c->process->pid, &c->mem);
		err_destroy(err);
	}
	if (c->mem && python_thread_name(remote_mem_reader(c->mem), &c->source->link->runtime, tid, &c->active, name, sizeof(name)))
		*ret_name = writer_string(c->recorder->writer, name, strlen(name));
	c->recorder->names_left_ns -= (int64_t)(monotonic_ns() - now);
	return true;
}

/* Not in another pid namespace, whose thread ids mean nothing here. */
static bool thread_is_over(void *ctx, uint32_t tid)
{
	struct client *c = ctx;
	return syscall(SYS_tgkill, c->process->pid, (pid_t)tid, 0) < 0 && errno == ESRCH;
}

void client_refresh(struct source *s, uint32_t slot_index)
{
	struct client *c = s->clients[slot_index];
	c->active = 0; /* found anew: an interpreter may have ended and another begun */
	decoder_refresh_threads(c->decoder, c->tail == __atomic_load_n(&slot_at(s, slot_index)->head, __ATOMIC_ACQUIRE));
}

bool client_wants(void *ctx, const char *name, uint32_t n)
{
	struct client *c = ctx;
	struct recorder *r = c->recorder;
	if (!r->options.wants)
		return true;
	bool wanted = r->options.wants(r->options.wants_ctx, name, n);
	/* From now on the probe knows: the table is open addressing, filled by us alone, never full. */
	uint64_t hash = name_hash(name, n);
	for (size_t i = 0; i < r->sources.n; i++) {
		struct ring_shared *shared = r->sources.v[i]->link->ring.shared;
		if (r->sources.v[i]->n_verdicts > VERDICT_COUNT / 2)
			continue;
		for (uint32_t k = 0; k < VERDICT_COUNT; k++) {
			uint64_t *line = &shared->verdicts[(hash + k) % VERDICT_COUNT];
			if ((*line & ~3ull) == (hash & ~3ull) && *line)
				break;
			if (*line)
				continue;
			__atomic_store_n(line, (hash & ~3ull) | (wanted ? VERDICT_WANTED : VERDICT_UNWANTED), __ATOMIC_RELAXED);
			r->sources.v[i]->n_verdicts++;
			break;
		}
	}
	return wanted;
}

struct ring_slot *slot_at(const struct source *s, uint32_t i)
{
	return (struct ring_slot *)((uint8_t *)s->link->ring.shared + s->slots_off + (uint64_t)i * s->slot_bytes);
}

static bool was_ours(const struct recorder *r, const struct source *s, pid_t pid)
{
	for (size_t i = r->processes.n; i-- > 0;)
		if (r->processes.v[i]->pid == pid && r->processes.v[i]->source == s)
			return true;
	return false;
}

/* Does it descend from the process of this source? The parent's own slot may not have been looked at yet. */
static bool is_family(const struct recorder *r, const struct source *s, pid_t pid)
{
	size_t i = r->n_forks;
	while (pid != s->link->pid && !was_ours(r, s, pid)) {
		/* Upwards, and backwards in time: it ends. */
		while (i > 0 && r->n_forks - i < MAX_FORK_NOTES && r->forks[(i - 1) % MAX_FORK_NOTES].pid != pid)
			i--;
		if (i == 0 || r->n_forks - i >= MAX_FORK_NOTES)
			return false;
		pid = r->forks[--i % MAX_FORK_NOTES].ppid;
	}
	return true;
}

/* The newest fork of that process by that parent, as they know themselves, of a family that writes to this source. */
static const struct fork_note *fork_find(const struct recorder *r, const struct source *s, uint32_t ns_pid, uint32_t ns_parent)
{
	for (size_t i = r->n_forks; i-- > 0 && r->n_forks - i <= MAX_FORK_NOTES;) {
		const struct fork_note *f = &r->forks[i % MAX_FORK_NOTES];
		if (f->ns_pid == ns_pid && f->ns_ppid == ns_parent && is_family(r, s, f->ppid))
			return f;
	}
	return NULL;
}

/* The process that claimed a slot, by the pid it knows of itself; 0: it has ended. */
static pid_t host_pid(struct recorder *r, struct source *s, uint32_t ns_pid, uint32_t ns_parent)
{
	if (ns_pid == s->root_ns_pid)
		return s->link->pid;
	/* A child can be in a pid namespace of its own even if its parent is in ours: only who has the ring counts. */
	if (!s->other_pid_ns && link_is_in(s->link, (pid_t)ns_pid))
		return (pid_t)ns_pid;
	/* It names as its parent one of ours: it is in our namespace, and short-lived. Looking at every process of the machine
	 * for each of thousands such would take longer than they live. */
	if (!s->other_pid_ns && ns_parent && was_ours(r, s, (pid_t)ns_parent))
		return 0;
	const struct fork_note *fork = fork_find(r, s, ns_pid, ns_parent);
	if (fork)
		return fork->pid;
	pid_t *pids = NULL, found = 0;
	size_t n = 0;
	struct err *err = link_processes(s->link, &pids, &n);
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

/* What unwinds a process's native stacks; NULL when they are not wanted (or memory is short: Python frames remain). */
static struct native_context *native_for(struct recorder *r, const struct source *s, pid_t pid)
{
	struct native_context *native = NULL;
	if (!(r->options.probe.flags & PROBE_STACK_NATIVE) || (!r->images && !(r->images = image_store_create())))
		return NULL;
	struct native_options o = {
		.pid = pid,
		.store = r->images,
		.writer = r->writer,
		.minor = s->link->runtime.layout.minor,
		.runtime = s->link->runtime.module.start.v,
		.python_frames = r->options.probe.flags & PROBE_STACK_PYTHON,
	};
	for (uint32_t k = 0; k < s->n_slots && !o.parent; k++) /* a fork shares its mappings */
		o.parent = s->clients[k] ? s->clients[k]->native : NULL;
	struct err *err = native_context_create(&o, &native);
	if (err)
		log_debug("native stacks of %d: %s", (int)pid, err->message);
	err_destroy(err);
	return native;
}

static struct client *client_add(struct recorder *r, struct source *s, uint32_t slot_index)
{
	struct ring_slot *slot = slot_at(s, slot_index);
	uint32_t ns_pid = __atomic_load_n(&slot->pid, __ATOMIC_ACQUIRE);
	struct client *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->recorder = r;
	c->source = s;
	c->ns_pid = ns_pid;
	c->claimed_tsc = slot->claimed_tsc;
	pid_t pid = host_pid(r, s, ns_pid, (uint32_t)slot->parent_pid);
	c->process = process_find(r, pid ? pid : (pid_t)ns_pid);
	if (c->process && !pid && c->process->source != s)
		c->process = NULL; /* somebody else has that number now, or has it elsewhere */
	if (!c->process) {
		bool is_gone = !pid && kill((pid_t)ns_pid, 0) == 0;
		c->process = (is_gone ? process_add_gone : process_add)(r, pid ? pid : (pid_t)ns_pid, &s->link->runtime,
									PROCESS_FORKED);
		if (c->process) {
			c->process->source = s;
			if (!c->process->info.ppid || !c->process->info.name) { /* gone already */
				const struct fork_note *fork = fork_find(r, s, ns_pid, (uint32_t)slot->parent_pid);
				c->process->info.ppid = fork ? (uint32_t)fork->ppid : (uint32_t)slot->parent_pid;
				c->process->info.ns_pid = ns_pid;
				c->process->info.name = s->process->info.name;
				c->process->info.argv = s->process->info.argv;
				c->process->info.exe = s->process->info.exe;
				c->process->info.cwd = s->process->info.cwd;
				c->process->info.environ = s->process->info.environ;
			}
			c->process->info.prefixes = s->process->info.prefixes;
			process_update(r, c->process);
			r->n_children++;
		}
	}
	c->muted = r->options.only_targets && c->process && c->process->info.flags & PROCESS_FORKED;
	if (c->process)
		c->native = native_for(r, s, c->process->pid);
	struct decoder_options o = { .writer = r->writer,
				     .minor = s->link->runtime.layout.minor,
				     .process = c->process ? c->process->index : 0,
				     .redact = !r->options.keep_secrets,
				     .thread_name = thread_name,
				     .thread_is_over = c->process && c->process->pid == (pid_t)ns_pid ? thread_is_over : NULL,
				     .wants = client_wants,
				     .ctx = c,
				     .native = c->native };
	struct err *err = c->process ? decoder_create(&o, &c->decoder) : err_no_memory();
	if (err) {
		err_destroy(err);
		native_context_destroy(c->native);
		free(c);
		return NULL;
	}
	s->clients[slot_index] = c;
	/* It came and went before it could be looked at. Of one that is followed the end, and its status, is still to be told. */
	if (c->process->pidfd < 0 && !c->process->ended && !follow_has(r->follow, c->process->pid))
		process_ended(r, c->process, -1);
	return c;
}

void client_remove(struct source *s, uint32_t slot_index)
{
	struct client *c = s->clients[slot_index];
	if (!c)
		return;
	decoder_destroy(c->decoder);
	native_context_destroy(c->native);
	remote_mem_close(c->mem);
	free(c);
	s->clients[slot_index] = NULL;
}

/* ---- draining ---- */

struct drain {
	struct source *s;
	struct client *c;
	struct ring_slot *slot;
	uint64_t tail, head, published;
	uint64_t time;         /* ticks of the next record */
};

static void drain_publish(struct drain *d)
{
	__atomic_store_n(&d->slot->tail, d->tail, __ATOMIC_SEQ_CST);
	d->published = d->tail;
	if (__atomic_load_n(&d->slot->waiting, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &d->slot->tail, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* Copy the next record out; false when there is none left, or the ring makes no sense (it is then skipped to its head). */
static bool drain_next(struct recorder *r, struct drain *d, struct record *ret_head)
{
	while (d->tail < d->head) {
		uint64_t at = d->tail & (d->s->data_bytes - 1);
		const uint8_t *p = (const uint8_t *)d->slot + PROBE_PAGE + at;
		memcpy(ret_head, p, sizeof(*ret_head));
		uint64_t size = ret_head->size;
		if (size < 8 || size % 8 || size > d->head - d->tail || size > d->s->data_bytes - at) {
			log_debug("slot of %u makes no sense at %llu", d->slot->pid, (unsigned long long)d->tail);
			d->c->n_bad++;
			d->tail = d->head;
			return false;
		}
		if (ret_head->type != RECORD_PAD && size >= sizeof(struct record)) {
			d->time = ret_head->tsc;
			return true;
		}
		d->tail += size;
	}
	(void)r;
	return false;
}

static void handle_record(struct recorder *r, struct drain *d, const struct record *head)
{
	const uint8_t *p = (const uint8_t *)d->slot + PROBE_PAGE + (d->tail & (d->s->data_bytes - 1));
	uint64_t time = clock_time_of(&r->clock, head->tsc);
	struct client *c = d->c;
	switch (head->type) {
	case RECORD_EVENT:
		if (r->limit_reached || c->muted)
			break;
		if (head->size < sizeof(struct record_event) || head->size > r->record_cap) {
			c->n_bad++; /* no probe writes such a record: the target wrote over it */
			break;
		}
		memcpy(r->record, p, head->size);
		((struct record *)r->record)->size = head->size; /* may have changed meanwhile */
		((struct record *)r->record)->n_frames = head->n_frames;
		decoder_event(c->decoder, (struct record *)r->record, head->size, time);
		if (r->options.limit && writer_n_events(r->writer) >= r->options.limit)
			r->limit_reached = true;
		break;
	case RECORD_LOST: {
		struct record_lost lost;
		if (head->size < sizeof(lost))
			break;
		memcpy(&lost, p, sizeof(lost));
		uint64_t first = clock_time_of(&r->clock, lost.first_tsc);
		struct note_info note = { .kind = NOTE_LOST,
					  .time_ns = time,
					  .process = c->process->index,
					  .a = lost.n_lost,
					  .b = time > first ? time - first : 0 };
		writer_note(r->writer, &note);
		r->n_lost += lost.n_lost;
		c->n_lost += lost.n_lost;
		break;
	}
	case RECORD_FINALISED: {
		struct note_info note = { .kind = NOTE_FINALISED, .time_ns = time, .process = c->process->index };
		writer_note(r->writer, &note);
		if (c->process->pid == d->s->link->pid && !(head->flags & RECORD_COMES_BACK))
			d->s->finalised = true;
		break;
	}
	default: c->n_bad++; break;
	}
}

/* Take what has arrived in all slots, oldest first. Returns bytes taken. */
uint64_t drain_all(struct recorder *r)
{
	struct drain drains[256];
	size_t n = 0;
	uint64_t taken = 0;
	size_t first = r->drain_turn; /* moves on when there is more than one round can take, so that none starves */
	for (size_t i = 0; i < r->sources.n; i++) {
		struct source *s = r->sources.v[(first + i) % r->sources.n];
		bool saw_all = true;
		uint32_t claimed = __atomic_load_n(&s->link->ring.shared->slots_claimed, __ATOMIC_ACQUIRE);
		for (uint32_t k = 0; k < s->n_slots; k++) {
			struct ring_slot *slot = slot_at(s, k);
			if (n == ARRAY_LEN(drains)) {
				saw_all = false;
				r->drain_turn = (first + i) % r->sources.n;
				break;
			}
			if (!s->clients[k]) {
				if (claimed == s->seen_claims || __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != SLOT_ACTIVE ||
				    !__atomic_load_n(&slot->pid, __ATOMIC_ACQUIRE))
					continue;
				if (!client_add(r, s, k)) {
					saw_all = false; /* memory is short; the slot is looked at again */
					continue;
				}
			}
			struct drain d = { .s = s, .c = s->clients[k], .slot = slot };
			d.head = __atomic_load_n(&slot->head, __ATOMIC_ACQUIRE);
			d.tail = d.published = s->clients[k]->tail;
			if (d.head == d.tail)
				continue;
			if (d.head < d.tail || d.head - d.tail > s->data_bytes || d.head % 8) {
				d.c->n_bad++; /* the target wrote over it; start again where it says it is */
				d.head &= ~7ull;
				d.tail = d.head;
				s->clients[k]->tail = d.tail;
				drain_publish(&d);
				continue;
			}
			drains[n++] = d;
		}
		if (saw_all)
			s->seen_claims = claimed;
	}
	struct record head[ARRAY_LEN(drains)];
	for (size_t i = 0; i < n;) {
		if (drain_next(r, &drains[i], &head[i])) {
			i++;
			continue;
		}
		drain_publish(&drains[i]);
		drains[i].c->tail = drains[i].tail;
		drains[i] = drains[--n];
	}
	uint64_t budget = DRAIN_BYTES * (n ? n : 1);
	for (unsigned turn = 1; n && taken < budget; turn++) {
		size_t best = 0;
		if (turn % 64 == 0) /* a native stack of a module met for the first time takes its time */
			recorder_heartbeat(r, monotonic_ns());
		for (size_t i = 1; i < n; i++)
			if (drains[i].time < drains[best].time)
				best = i;
		struct drain *d = &drains[best];
		handle_record(r, d, &head[best]);
		d->tail += head[best].size;
		taken += head[best].size;
		if (d->tail - d->published >= PUBLISH_BYTES)
			drain_publish(d);
		if (!drain_next(r, d, &head[best])) {
			drain_publish(d);
			d->c->tail = d->tail;
			drains[best] = drains[n - 1];
			head[best] = head[n - 1];
			n--;
		}
	}
	for (size_t i = 0; i < n; i++) {
		drain_publish(&drains[i]);
		drains[i].c->tail = drains[i].tail;
	}
	if (taken && !r->unflushed_since)
		r->unflushed_since = monotonic_ns();
	return taken;
}

/* ---- slots of ended processes ---- */

static void recycle(struct recorder *r, struct source *s, uint32_t k)
{
	struct ring_slot *slot = slot_at(s, k);
	struct client *c = s->clients[k];
	if (c->tail != __atomic_load_n(&slot->head, __ATOMIC_ACQUIRE)) {
		r->recycle_due = true;
		return;
	}
	uint64_t dropped = slot->n_dropped > c->n_lost ? slot->n_dropped - c->n_lost : 0;
	if (dropped) { /* it ended before it could say so itself */
		struct note_info note = { .kind = NOTE_LOST, .time_ns = clock_time_now(&r->clock), .process = c->process->index, .a = dropped };
		writer_note(r->writer, &note);
		r->n_lost += dropped;
		c->n_lost += dropped;
	}
	c->process->info.n_events += decoder_n_events(c->decoder);
	c->process->info.n_lost += c->n_lost;
	process_update(r, c->process);
	client_remove(s, k);
	madvise((uint8_t *)slot + PROBE_PAGE, s->data_bytes, MADV_REMOVE);
	uint32_t generation = slot->generation + 1;
	memset(slot, 0, sizeof(*slot));
	slot->generation = generation;
	__atomic_store_n(&slot->state, SLOT_FREE, __ATOMIC_RELEASE);
	struct ring_shared *shared = s->link->ring.shared;
	__atomic_fetch_add(&shared->slots_freed, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&shared->slot_waiters, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &shared->slots_freed, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* An image is over when its process is, when it made room for another by exec, or when it was left. */
static bool client_is_over(struct client *c)
{
	return c->process->ended || c->source->gone;
}

void recycle_ended(struct recorder *r)
{
	r->recycle_due = false;
	for (size_t i = 0; i < r->sources.n; i++)
		for (uint32_t k = 0; k < r->sources.v[i]->n_slots; k++)
			if (r->sources.v[i]->clients[k] && client_is_over(r->sources.v[i]->clients[k]))
				recycle(r, r->sources.v[i], k);
}

