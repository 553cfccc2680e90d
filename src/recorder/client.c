/*
 * client: see client.h.
 */
#include "recorder/client.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "base/monotonic.h"
#include "recorder/claim.h"
#include "recorder/counts.h"
#include "recorder/decoder.h"
#include "recorder/fd_names.h"
#include "recorder/identity.h"
#include "recorder/intake.h"
#include "recorder/lineup.h"
#include "recorder/native.h"
#include "recorder/notes.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "recorder/taps.h"
#include "recorder/wanted.h"
#include "stacks/image.h"
#include "system/remote_mem.h"
#include "visit/probe_link.h"
#include "visit/link_state.h"

enum { NAMES_GRACE_NS = 250 * 1000 * 1000 };
#define MALFORMED_MAX 1000u /* records of one slot: then it is given up */

/* To read a name takes some hundred reads of the target's memory, and a program can start thousands
 * of threads a second. After NAMES_GRACE_NS, at most a quarter of the time is spent on it. */
static bool may_read_names(struct recorder *r, uint64_t now)
{
	r->names_left_ns += (int64_t)((now - r->names_ns) / 4);
	if (!r->names_ns || r->names_left_ns > NAMES_GRACE_NS)
		r->names_left_ns = NAMES_GRACE_NS;
	r->names_ns = now;
	return r->names_left_ns > 0;
}

/* decoder_options.thread_name */
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

/* decoder_options.thread_is_over. Not for a process in another pid namespace: its tids mean nothing
 * here. */
static bool thread_is_over(void *ctx, uint32_t tid)
{
	struct client *c = ctx;
	return syscall(SYS_tgkill, c->process->pid, (pid_t)tid, 0) < 0 && errno == ESRCH;
}

static bool wants(void *ctx, const char *name, uint32_t n_bytes)
{
	const struct client *c = ctx;
	return wanted_ask(c->recorder, name, n_bytes);
}

/* decoder_options.file_seen */
static void file_seen(void *ctx, const char *file, size_t n_bytes)
{
	struct client *c = ctx;
	if (!c->muted)
		packages_see_file(c->recorder, c->process, &c->tap->link->runtime, file, n_bytes);
}

/* decoder_options.look */
static uint32_t look(void *ctx, uint32_t wanted, const uint8_t *args, size_t n_bytes,
		     uint64_t time_ns)
{
	struct client *c = ctx;
	return fd_names_look(c->recorder, c->process, wanted, args, n_bytes, time_ns);
}

/* The recorder is at work: threads of targets wait for it. */
static void stay_alive(void *recorder)
{
	taps_beat(recorder, monotonic_ns());
}

/* The unwinder of a process's native stacks. NULL if they are not wanted, or memory is short: then
 * only Python frames are recorded. */
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
		.alive = stay_alive,
		.ctx = r,
	};
	for (uint32_t k = 0; k < t->n_slots && !o.parent; k++) /* a fork shares its mappings */
		o.parent = t->clients[k] ? t->clients[k]->native : NULL;
	struct err *err = native_context_create(&o, &native);
	if (err)
		log_debug("native stacks of %d: %s", (int)pid, err->message);
	err_destroy(err);
	return native;
}

/* Another client of the same program: they share what is known of threads and mappings. */
static struct client *client_kin(const struct tap *t, const struct client *c)
{
	for (uint32_t k = 0; k < t->n_slots; k++) {
		struct client *other = t->clients[k];
		if (other && other->process == c->process && other->birth == c->birth)
			return other;
	}
	return NULL;
}

struct client *client_add(struct recorder *r, struct tap *t, uint32_t slot_index)
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
	else {
		unsigned n_lent = descriptors_lend(DESCRIPTORS_FOR_A_LOOK);
		c->process = claim_process(r, t, &claim, c->ns_pid, &is_false);
		descriptors_take_back(n_lent);
	}
	if (is_false) {
		free(c);
		claim_refuse(r, t, slot_index, &claim);
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
				     .wants = wants,
				     .file_seen = file_seen,
				     .descriptors = fd_names_of,
				     .look = look,
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
	/* It may have ended before its slot was read; the follower reports the end of a process
	 * that is followed, with its status. Without a pidfd, descriptors may also be short. */
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
	vec_fini(&c->taken);
	free(c);
	t->clients[slot_index] = NULL;
}

/* An exec of the armed process does not concern its forked children: they continue to write. */
bool client_is_over(const struct client *c)
{
	return c->process->ended ||
	       (c->tap->gone && (c->tap->left || c->process->pid == c->tap->link->pid));
}

/* No probe writes malformed records, so the target has written over the ring. That may spoil what
 * is shown of it, but must not keep us busy. */
void client_malformed(struct client *c, uint32_t slot)
{
	if (++c->n_bad < MALFORMED_MAX || c->is_given_up)
		return;
	c->is_given_up = true;
	ring_slot_give_up(&c->tap->link->ring, slot);
}

void client_refresh(struct tap *t, uint32_t slot_index)
{
	struct client *c = t->clients[slot_index];
	c->active = 0;     /* to be found again: another interpreter may have started */
	if (c->is_further) /* the first client of the program does it for all threads */
		return;
	bool is_drained = true;
	for (uint32_t k = 0; k < t->n_slots; k++)
		if (t->clients[k] && t->clients[k]->process == c->process &&
		    t->clients[k]->birth == c->birth)
			is_drained &= guest_is64(ring_slot_head(&t->link->ring, k),
						 t->clients[k]->tail);
	decoder_refresh_threads(c->decoder, is_drained);
}

void client_count_losses(struct recorder *r, struct tap *t, uint32_t k)
{
	const struct ring *ring = &t->link->ring;
	struct client *c = t->clients[k];
	uint64_t now = clock_time_now(&r->clock),
		 n = guest_growth(ring_slot_n_dropped(ring, k), c->n_lost, LOST_MAX);
	/* It ended, or was left, before it could write a record of them. */
	if (n && !wanted_is_last_taken(r)) {
		notes_add_lost(r, LOSS_RING_FULL, c->process->index, n, now, 0);
		c->n_lost += n;
	}
	/* If an event was in flight (abi.h, ring_slot.writing) when its process ended, the process
	 * was killed while it wrote the event. */
	const struct slot_look look = lineup_look(ring_slot_borrow(ring, k));
	/* The same holds if it waited for room, or had just been woken. Once recording was stopped,
	 * a thread that waits drops its event, and counts it. */
	bool is_stopped = r->end.stop != END_STOP_UNKNOWN && r->end.stop != END_STOP_TARGET_ENDED;
	bool has_waited = !is_stopped && c->was_woken &&
			  guest_is64(look.head, guest_shown64(c->woken_head));
	bool is_in_flight = look.flight != UINT64_MAX || has_waited || ring_slot_waits(ring, k);
	if (c->process->ended && is_in_flight && !c->torn) {
		c->torn = true;
		notes_add_lost(r, LOSS_TORN, c->process->index, 1, now, 0);
	}
	if (c->n_bad > c->n_bad_told) {
		notes_add_lost(r, LOSS_MALFORMED, c->process->index, c->n_bad - c->n_bad_told, now,
			       0);
		notes_add(r, NOTE_WARNING, c->process->index,
			  "%llu malformed record%s of process %u left out%s",
			  (unsigned long long)(c->n_bad - c->n_bad_told),
			  c->n_bad - c->n_bad_told == 1 ? "" : "s", c->process->info.pid,
			  c->is_given_up ? "; what it wrote after them was not read" : "");
		c->n_bad_told = c->n_bad;
		/* the part that was skipped may have held any number of events */
		r->end.is_loss_known = false;
	}
}

void client_add_totals(struct recorder *r, const struct client *c)
{
	c->process->info.n_events += decoder_n_events(c->decoder) + c->n_counted;
	c->process->info.n_lost += c->n_lost;
	process_update(r, c->process);
}

static void recycle(struct recorder *r, struct tap *t, uint32_t k)
{
	struct client *c = t->clients[k];
	if (!c->is_given_up && !guest_is64(ring_slot_head(&t->link->ring, k), c->tail)) {
		r->recycle_due = true;
		return;
	}
	client_count_losses(r, t, k);
	counts_take(r, t, k);
	client_add_totals(r, c);
	client_remove(t, k);
	ring_slot_free(&t->link->ring, k);
}

void client_recycle_ended(struct recorder *r)
{
	r->recycle_due = false;
	for (size_t i = 0; i < r->taps.n; i++)
		for (uint32_t k = 0; k < r->taps.v[i]->n_slots; k++)
			if (r->taps.v[i]->clients[k] && client_is_over(r->taps.v[i]->clients[k]))
				recycle(r, r->taps.v[i], k);
}
