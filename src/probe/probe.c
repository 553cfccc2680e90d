/*
 * probe: the hook itself. It runs inside the target, in the thread that raises the event, and
 * relies on what that thread holds (the GIL; in free-threaded builds only its own references).
 *
 * The rules for code in someone else's process: no libc, no allocation, no call into Python except
 * one getter (and, in an interpreter's last event, Py_AtExit, which stores a pointer), no lock that
 * another thread could hold for long, no wait without a bound, errno untouched, the return value
 * always 0. No system call, except one futex(2) each time the recorder says that it cannot kill
 * (patience.h).
 *
 *   unwanted or paused?  ─▶ return
 *   only counted?        ─▶ add 1 to a counter of this process's slot, without a lane; return
 *   a lane of this process ─▶ its slot has room? else wait (bounded by the recorder's heartbeat) or
 *                             count a loss
 *   event name, arguments, frames straight into the ring ─▶ publish head ─▶ leave the lane
 *   may it be held?      ─▶ wait until the recorder has matched it, and released it (hold.h)
 *
 * A record becomes visible by one store of `head` after it is complete, so a process that dies
 * half-way loses only that record.
 *
 * The events of a thread may go through different lanes. Only their times put them back into order,
 * so no two events of one thread have the same time (clock.h), and later ones are published after
 * earlier ones.
 */
#include "probe/probe.h"

#include <stdbool.h>

#include "probe/abi.h"
#include "probe_cpu.h"
#include "probe/chain.h"
#include "probe/clock.h"
#include "probe/frames.h"
#include "probe/hold.h"
#include "probe/lane.h"
#include "probe/parts.h"
#include "probe/patience.h"
#include "probe/read.h"
#include "probe/serialise.h"
#include "probe/task.h"
#include "probe/thread_name.h"

enum {
	FUTEX_WAIT = 0,
	FUTEX_WAIT_PRIVATE = 128,
	ARGS_MAX_BYTES = 96 * 1024,
	FRAMES_MAX_BYTES = 150 * 1024,
	ANCHORS_MAX = 1024,
	WAIT_STEP_NS = 100 * 1000 * 1000,
	SLOT_STEPS_ALL = 50, /* × 100 ms, the maximum in any case */
	/* × 100 ms in which no slot became free: the processes that have slots may live forever */
	SLOT_STEPS = 10,
	/* Limits of waiting for a lane. A "turn" is a pass that found all lanes held. */
	/* turns before the recorder is asked whether the thread may sleep: patience.h */
	LANE_SPINS = 20,
	LANE_SPINS_REFUSED = 1 << 20, /* turns of a thread that may not sleep: some 50 ms */
	LANE_SPINS_UNHEARD = 1 << 24, /* turns without an answer */
	LANE_NAP_NS = 50 * 1000,
	LANE_NAPS = 20, /* short sleeps before longer ones */
	LANE_SLEEP_NS = 1000 * 1000,
	LANE_SLEEPS = 2000,
	/* after waiting has failed, one event of this many waits again, but not for long */
	LANE_RETRY = 16,
};

/* ---- losses, and giving up ---- */

/* Called inside the lane. */
static void count_loss(const struct probe_context *ctx, struct probe_lane *lane)
{
	if (!__atomic_fetch_add(&lane->n_pending_drop, 1, __ATOMIC_RELAXED))
		lane->drop_first_tsc = clock_now(ctx);
	__atomic_fetch_add(&slot_of(ctx, lane_slot(lane))->n_dropped, 1, __ATOMIC_RELAXED);
}

/* The ring was not drained for as long as we may wait. Losses are counted from now on, because the
 * recorder may only have been prevented from running: when its heart beats again, recording
 * resumes. */
static void give_up(const struct probe_context *ctx)
{
	struct probe_state *state = state_of(ctx);
	state->abandoned_beat = __atomic_load_n(&shared_of(ctx)->heartbeat, __ATOMIC_RELAXED);
	__atomic_store_n(&state->abandoned, 1, __ATOMIC_RELEASE);
}

/* Called outside of a lane. Reading the clock calls code outside the probe, so a lane is entered
 * for that. */
static bool is_abandoned(const struct probe_context *ctx, struct probe_state *state,
			 struct probe_lane *lane, uint32_t tid)
{
	uint32_t owner;
	if (!__atomic_load_n(&state->abandoned, __ATOMIC_ACQUIRE))
		return false;
	if (__atomic_load_n(&shared_of(ctx)->heartbeat, __ATOMIC_RELAXED) !=
	    state->abandoned_beat) {
		__atomic_store_n(&state->abandoned, 0, __ATOMIC_RELAXED);
		return false;
	}
	if (lane_slot(lane) && lane_try(lane, tid, &owner)) {
		count_loss(ctx, lane);
		lane_leave(lane);
	} else {
		__atomic_fetch_add(&shared_of(ctx)->lost_unserved, 1, __ATOMIC_RELAXED);
	}
	return true;
}

/* ---- slots and room ---- */

/* The pid of this process, and a number that distinguishes its slots from those of another process
 * with that pid. */
static uint64_t identity_of(const struct probe_context *ctx, struct probe_state *state,
			    uint32_t tid)
{
	uint64_t known = __atomic_load_n(&state->identity, __ATOMIC_RELAXED);
	if (known)
		return known;
	/* This is a forked child that the recorder has not informed. Usually it has one thread,
	 * whose tid is the pid. */
	uint64_t pid = tid ? tid : LANE_NO_TID - 1;
	uint64_t mine = pid << 32 | ((uint32_t)clock_now(ctx) | 1);
	uint32_t parent = ctx->pid;
	if (!__atomic_compare_exchange_n(&state->identity, &known, mine, false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		return known; /* another thread was faster */
	state->parent_pid = parent;
	((struct probe_context *)ctx->base)->pid = (uint32_t)pid;
	return mine;
}

/* Claim a slot. A process's first slot can be any; its further slots leave a quarter of the ring to
 * processes that have none. */
static __attribute__((noinline)) bool slot_take(const struct probe_context *ctx,
						struct probe_state *state, struct probe_lane *lane,
						uint32_t tid, bool is_further)
{
	struct ring_shared *shared = shared_of(ctx);
	uint64_t identity = identity_of(ctx, state, tid);
	uint32_t end = is_further ? ctx->ring_slots - ctx->ring_slots / 4 : ctx->ring_slots;
	for (uint32_t i = 1; i <= end; i++) {
		struct ring_slot *slot = slot_of(ctx, i);
		uint32_t expected = SLOT_FREE;
		if (__atomic_load_n(&slot->state, __ATOMIC_RELAXED) != SLOT_FREE ||
		    !__atomic_compare_exchange_n(&slot->state, &expected, SLOT_ACTIVE, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		slot->tid = tid;
		slot->parent_pid = state->parent_pid;
		slot->birth = (uint32_t)identity;
		slot->time = clock_now(ctx);
		slot->thread = thread_pointer();
		__atomic_store_n(&slot->pid, (uint32_t)(identity >> 32), __ATOMIC_RELEASE);
		__atomic_fetch_add(&shared->slots_claimed, 1, __ATOMIC_RELEASE);
		__atomic_store_n(&lane->slot, i, __ATOMIC_RELAXED);
		__atomic_fetch_add(&state->n_slots, 1, __ATOMIC_RELAXED);
		return true;
	}
	return false;
}

/* Claim a slot for a lane that we are inside. A process that has a slot already continues with that
 * one if there is no other. A process without a slot may wait: if a storm of short-lived children
 * has taken all slots, the recorder will empty the slot of one that has ended. If those processes
 * live on, the first process that has waited in vain announces it, and no other process waits until
 * a slot becomes free. */
static __attribute__((noinline)) bool slot_claim(const struct probe_context *ctx,
						 struct probe_state *state, struct probe_lane *lane,
						 uint32_t tid)
{
	struct ring_shared *shared = shared_of(ctx);
	struct patience patience = { 0 };
	bool is_claimed = false;
	uint32_t before = 0;
	for (uint32_t sleeps = 0, all = 0;;) {
		uint32_t freed = __atomic_load_n(&shared->slots_freed, __ATOMIC_ACQUIRE);
		if (freed != before) /* another process was faster: slots do become free */
			sleeps = 0;
		before = freed;
		uint64_t in_vain = 1ull << 32 | freed;
		bool is_further = __atomic_load_n(&state->n_slots, __ATOMIC_RELAXED) != 0;
		is_claimed = slot_take(ctx, state, lane, tid, is_further);
		if (is_claimed)
			break;
		if (is_further) {
			__atomic_store_n(&lane->refused, freed + 1, __ATOMIC_RELAXED);
			break;
		}
		if (__atomic_load_n(&shared->slots_in_vain, __ATOMIC_RELAXED) == in_vain ||
		    __atomic_load_n(&state->slot_vain, __ATOMIC_RELAXED) == freed + 1 ||
		    all == SLOT_STEPS_ALL /* always overtaken */ || ctx->flags & PROBE_DROP ||
		    __atomic_load_n(&shared->enabled, __ATOMIC_RELAXED) == RING_OFF)
			break;
		if (sleeps == SLOT_STEPS) {
			__atomic_store_n(&shared->slots_in_vain, in_vain, __ATOMIC_RELAXED);
			break;
		}
		__atomic_store_n(&shared->slot_waited,
				 __atomic_load_n(&shared->heartbeat, __ATOMIC_RELAXED) + 1,
				 __ATOMIC_SEQ_CST);
		enum patience_step step = patience_step(ctx, state, tid, freed, &patience);
		if (step == PATIENCE_LOST) {
			if (patience.ask.is_refused)
				__atomic_store_n(&state->slot_vain, freed + 1, __ATOMIC_RELAXED);
			else
				give_up(ctx);
			break;
		}
		if (step == PATIENCE_SLEEP) {
			int64_t time[2] = { 0, WAIT_STEP_NS };
			sys_call4(SYS_FUTEX, (long)&shared->slots_freed, FUTEX_WAIT, (long)freed,
				  (long)time);
			sleeps++;
			all++;
		}
	}
	patience_end(ctx, &patience.ask);
	return is_claimed;
}

/* Does the lane have a slot, or may it get one? A lane that was refused a slot tries again when the
 * recorder has freed some. */
static bool lane_is_open(const struct probe_context *ctx, const struct probe_state *state,
			 const struct probe_lane *lane)
{
	return lane_slot(lane) || !__atomic_load_n(&state->n_slots, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&lane->refused, __ATOMIC_RELAXED) !=
		   __atomic_load_n(&shared_of(ctx)->slots_freed, __ATOMIC_RELAXED) + 1;
}

struct lane_patience {
	struct ask ask;
	uint32_t n_times, n_sleeps, beat;
};

/* It has waited for as long as it may. */
static bool lane_in_vain(struct probe_state *state)
{
	__atomic_fetch_add(&state->n_vain, 1, __ATOMIC_RELAXED);
	return false;
}

/*
 * All lanes are held. Returns false if they have been held for too long: this event is lost.
 *
 * A thread inside a lane leaves it within microseconds of running time. It may stay because
 *
 *   its processor runs another thread   it leaves a little later. The other thread may be this one:
 *                                       if this one has a real-time priority, the holder runs only
 *                                       while this one sleeps
 *   it waits for room                   it stays until the recorder, whose heart is beating, has
 *                                       made room: what wakes it wakes this thread, too
 *   a signal handler runs on top, or    it may stay forever: it may be waiting for what this
 *   a debugger has stopped it           thread holds
 *   it left the probe by siglongjmp,    it stays forever
 *   or has ended
 *
 * Only time distinguishes the last case from the others. A thread that finds it must not wait as
 * long at each event: see LANE_RETRY.
 */
static __attribute__((noinline)) bool lane_wait(const struct probe_context *ctx,
						struct probe_state *state, struct probe_lane *lane,
						uint32_t tid, struct lane_patience *patience)
{
	uint32_t n_vain = __atomic_load_n(&state->n_vain, __ATOMIC_RELAXED),
		 n = patience->n_times++;
	cpu_relax();
	if (n < LANE_SPINS)
		return true;
	enum answer answer = patience_poll(ctx, state, tid, &patience->ask);
	if (answer != ANSWER_YES) {
		uint32_t most = answer == ANSWER_NO ? LANE_SPINS_REFUSED : LANE_SPINS_UNHEARD;
		return n < (n_vain ? most >> 10 : most) || lane_in_vain(state);
	}
	/* The one system call that is allowed, made at once. */
	struct ring_slot *slot = lane_slot(lane) ? slot_of(ctx, lane_slot(lane)) : NULL;
	uint32_t for_room = slot ? __atomic_load_n(&slot->waiting, __ATOMIC_SEQ_CST) : 0;
	patience->n_times = LANE_SPINS;
	uint32_t tail = slot ? (uint32_t)__atomic_load_n(&slot->tail, __ATOMIC_SEQ_CST) : 0;
	int64_t step[2] = { 0, LANE_SLEEP_NS };
	/* If the ring is empty, a thread that waits for room is not running; then this is not the
	 * cause. */
	if (for_room && tail != (uint32_t)__atomic_load_n(&slot->head, __ATOMIC_RELAXED)) {
		uint32_t beat = __atomic_load_n(&shared_of(ctx)->heartbeat, __ATOMIC_RELAXED);
		patience->n_sleeps = beat == patience->beat ? patience->n_sleeps + 1 : 0;
		patience->beat = beat;
		/* nor does the thread that should give up */
		if (patience->n_sleeps >= LANE_SLEEPS) {
			give_up(ctx);
			return false;
		}
		sys_call4(SYS_FUTEX, (long)&slot->waiting, FUTEX_WAIT, (long)for_room, (long)step);
		return true;
	}
	if (patience->n_sleeps >= (!n_vain ? LANE_SLEEPS : n_vain % LANE_RETRY ? 0 : LANE_NAPS))
		return lane_in_vain(state);
	if (patience->n_sleeps++ < LANE_NAPS)
		step[1] = LANE_NAP_NS;
	uint32_t owner = __atomic_load_n(&lane->lock, __ATOMIC_RELAXED);
	if (owner) /* no thread wakes us: leaving a lane must not cost more because threads wait */
		sys_call4(SYS_FUTEX, (long)&lane->lock, FUTEX_WAIT_PRIVATE, (long)owner,
			  (long)step);
	return true;
}

/* The first free lane: the home lane, lanes that have a slot, other lanes. NULL: this process has
 * no slot and gets none, or no lane becomes free; or the thread is inside a lane already and no
 * other is free: a thread must not wait for a lane that it holds itself. */
static struct probe_lane *lane_search(const struct probe_context *ctx, struct probe_state *state,
				      uint32_t home, uint32_t tid, struct lane_patience *patience)
{
	uint32_t n = ctx->n_lanes, self = lane_owner(tid);
	for (;;) {
		bool is_inside = false;
		for (uint32_t i = 0; i < 2 * n; i++) {
			struct probe_lane *lane = lane_at(ctx, state, home + i);
			uint32_t owner;
			if (i && (i % n == 0 || (i < n) != (lane_slot(lane) != 0)))
				continue;
			if (!lane_is_open(ctx, state, lane))
				continue;
			if (!lane_try(lane, tid, &owner)) {
				is_inside |= owner == self;
				continue;
			}
			if (__atomic_load_n(&state->n_vain, __ATOMIC_RELAXED))
				__atomic_store_n(&state->n_vain, 0, __ATOMIC_RELAXED);
			if (lane_slot(lane) || slot_claim(ctx, state, lane, tid))
				return lane;
			lane_leave(lane);
			if (!__atomic_load_n(&state->n_slots, __ATOMIC_RELAXED))
				return NULL;
		}
		if (is_inside || __atomic_load_n(&state->abandoned, __ATOMIC_RELAXED) ||
		    !lane_wait(ctx, state, lane_at(ctx, state, home), tid, patience))
			return NULL;
	}
}

static __attribute__((noinline)) struct probe_lane *
lane_find(const struct probe_context *ctx, struct probe_state *state, uint32_t home, uint32_t tid)
{
	struct lane_patience patience = { 0 };
	struct probe_lane *lane = lane_search(ctx, state, home, tid, &patience);
	patience_end(ctx, &patience.ask);
	return lane;
}

static inline struct probe_lane *lane_enter(const struct probe_context *ctx,
					    struct probe_state *state, struct probe_lane *home,
					    uint32_t home_index, uint32_t tid)
{
	uint32_t owner;
	return lane_slot(home) && lane_try(home, tid, &owner)
		   ? home
		   : lane_find(ctx, state, home_index, tid);
}

/* Wait until the slot has room. False if the ring is not drained (the process then gives up until
 * the heart beats again), or if it took too long for a thread that may not sleep: then the events
 * that follow are lost without waiting until there is room. */
LANE_CODE static __attribute__((noinline)) bool wait_for_room(const struct probe_context *ctx,
							      struct probe_lane *lane,
							      struct ring_slot *slot, uint32_t tid,
							      uint64_t head, uint64_t need)
{
	struct ring_shared *shared = shared_of(ctx);
	struct probe_state *state = state_of(ctx);
	struct patience patience = { 0 };
	bool has_room = false, is_lost = ctx->flags & PROBE_DROP;
	/* A thread that has slept continues when half of the ring is free: falling asleep costs
	 * more than some hundred events. */
	uint64_t size = slot_size(ctx, slot);
	uint32_t for_bytes = (uint32_t)(need > size / 2 ? need : size / 2);
	for (;;) {
		if (!is_lost && !__atomic_load_n(&slot->waiting, __ATOMIC_RELAXED))
			__atomic_store_n(&slot->waiting, for_bytes, __ATOMIC_SEQ_CST);
		uint64_t tail = __atomic_load_n(&slot->tail, __ATOMIC_SEQ_CST);
		has_room = size - (head - tail) >= need;
		if (has_room || is_lost || lane->vain_tail == tail + 1 ||
		    __atomic_load_n(&shared->enabled, __ATOMIC_RELAXED) == RING_OFF ||
		    __atomic_load_n(&slot->state, __ATOMIC_RELAXED) !=
			SLOT_ACTIVE) /* the recorder has given the slot up: it is not drained */
			break;
		enum patience_step step = patience_step(ctx, state, tid, tail, &patience);
		is_lost = step == PATIENCE_LOST;
		if (is_lost && patience.ask.is_refused)
			lane->vain_tail = tail + 1;
		else if (is_lost)
			give_up(ctx);
		if (step == PATIENCE_SLEEP) {
			int64_t time[2] = { 0, WAIT_STEP_NS };
			sys_call4(SYS_FUTEX, (long)&slot->waiting, FUTEX_WAIT, (long)for_bytes,
				  (long)time);
		}
	}
	__atomic_store_n(&slot->waiting, 0, __ATOMIC_RELAXED);
	patience_end(ctx, &patience.ask);
	return has_room;
}

static inline uint8_t *ring_at(const struct probe_context *ctx, struct ring_slot *slot,
			       uint64_t head)
{
	return (uint8_t *)slot + PROBE_PAGE + (head & (slot_size(ctx, slot) - 1));
}

/* Publish a record that was written at `head`. */
static void ring_publish(struct ring_slot *slot, uint64_t head, uint64_t n_bytes)
{
	__atomic_store_n(&slot->head, head + n_bytes, RING_STORE_HEAD);
}

/* Reserve a contiguous place for up to `need` bytes; NULL if there is none. Fills the end of the
 * ring with padding if necessary. */
static uint8_t *ring_reserve(const struct probe_context *ctx, struct probe_lane *lane,
			     struct ring_slot *slot, uint32_t tid, uint64_t need)
{
	/* Read once, and aligned: another process that shares the ring may have written it. */
	uint64_t head = __atomic_load_n(&slot->head, __ATOMIC_RELAXED) & ~7ull,
		 size = slot_size(ctx, slot);
	uint64_t to_end = size - (head & (size - 1));
	uint64_t pad = to_end < need ? to_end : 0;
	uint64_t tail = __atomic_load_n(&slot->tail, __ATOMIC_ACQUIRE);
	if (size - (head - tail) < pad + need &&
	    !wait_for_room(ctx, lane, slot, tid, head, pad + need))
		return NULL;
	if (pad) { /* at least 8 bytes: everything is a multiple of 8 */
		struct record *r = (struct record *)ring_at(ctx, slot, head);
		r->size = (uint32_t)pad;
		r->type = RECORD_PAD;
		ring_publish(slot, head, pad);
		head += pad;
	}
	return ring_at(ctx, slot, head);
}

static void report_loss(struct probe_lane *lane, struct ring_slot *slot, uint8_t *at, uint64_t now)
{
	struct record_lost *lost = (struct record_lost *)at;
	*lost = (struct record_lost){ .r = { sizeof(*lost), RECORD_LOST, 0, 0, now },
				      .n_lost = __atomic_exchange_n(&lane->n_pending_drop, 0,
								    __ATOMIC_RELAXED),
				      .first_tsc = lane->drop_first_tsc };
	ring_publish(slot, slot->head, sizeof(*lost));
}

/* ---- native part: registers, and the top of the stack as far as it is certainly mapped ---- */

static void native_out(struct out *o, struct record_event *e, const struct probe_context *ctx,
		       const struct saved_regs *regs, uint64_t stack_end,
		       const struct record_anchor *anchors, uint32_t n_anchors)
{
	uint64_t sp = (uint64_t)(regs + 1);
	struct record_native *n = (struct record_native *)o->p;
	*n = (struct record_native)SAVED_NATIVE(regs);
	o->p += sizeof(*n);
	/* they are at or behind o->p, so ascending order moves them without overwriting any */
	for (uint32_t i = 0; i < n_anchors; i++) {
		*(volatile struct record_anchor *)o->p = anchors[i];
		o->p += sizeof(*anchors);
	}
	e->r.flags |= RECORD_NATIVE;
	e->n_anchors = (uint16_t)n_anchors;
	if (!stack_end) {
		e->r.flags |= RECORD_NO_SLICE;
		return;
	}
	uint64_t bytes = (stack_end - sp) & ~7ull;
	if (bytes > ctx->slice_bytes) {
		bytes = ctx->slice_bytes;
		e->r.flags |= RECORD_SLICE_CUT;
	}
	e->slice_bytes = (uint32_t)bytes;
	copy_words(o->p, sp, bytes / 8);
	o->p += bytes;
}

/* ---- one event ---- */

/* Writes up to seven bytes behind the padding, where the next part or nothing comes. */
static inline void out_pad8(struct out *o, const uint8_t *start)
{
	__builtin_memset(o->p, 0, 8);
	o->p += (uint64_t)(start - o->p) & 7;
}

LANE_CODE static __attribute__((noinline)) void
task_part_out(struct out *o, struct probe_lane *lane, uint64_t tstate, struct record_event *e)
{
	uint8_t *start = o->p;
	o->end = start + TASK_ROOM;
	if (task_out(o, lane, tstate) == TASK_NONE)
		return;
	e->r.flags |= RECORD_TASK;
	e->task_bytes = (uint16_t)(o->p - start);
	out_pad8(o, (uint8_t *)e);
}

#define RECORD_MAX_BYTES                                                                           \
	(sizeof(struct record_event) + RECORD_NAME_BYTES + 8 + ARGS_MAX_BYTES + 64 +               \
	 THREAD_NAME_ROOM + 8 + TASK_ROOM + 8 + FRAMES_MAX_BYTES + 8 + sizeof(struct record_lost))
_Static_assert(2 * RECORD_MAX_BYTES <= RING_SLOT_MIN_BYTES,
	       "a record fits whatever the end of the ring leaves");

/* The bytes that an event needs at most, with a record of losses before it. */
LANE_CODE static inline __attribute__((always_inline)) uint64_t
event_room(const struct probe_context *ctx)
{
	uint64_t need = sizeof(struct record_event) + RECORD_NAME_BYTES + 8 + ARGS_MAX_BYTES + 64 +
			THREAD_NAME_ROOM + 8 + TASK_ROOM + 8;
	if (ctx->flags & (PROBE_STACK_PYTHON | PROBE_STACK_NATIVE))
		need += FRAMES_MAX_BYTES;
	if (ctx->flags & PROBE_STACK_NATIVE)
		need += sizeof(struct record_native) + ANCHORS_MAX * sizeof(struct record_anchor) +
			ctx->slice_bytes;
	return need + sizeof(struct record_lost) +
	       8; /* what out_pad8() writes behind the last part */
}

/* Fill in the head of an event. The fields are set one by one: a single assignment would clear the
 * struct with a string instruction, which is slower than everything else. The sizes follow when
 * they are known. */
LANE_CODE static inline __attribute__((always_inline)) void
event_head(struct record_event *e, const struct probe_context *ctx, uint64_t now, uint64_t tstate,
	   uint32_t tid, uint64_t hash, uint32_t name_bytes)
{
	uint64_t interp = tstate ? rd64(tstate + ctx->layout.tstate_interp) : 0;
	e->r.type = RECORD_EVENT;
	e->r.flags = name_bytes == RECORD_NAME_BYTES ? RECORD_ARGS_CUT : 0;
	e->r.n_frames = 0;
	e->r.tsc = now;
	e->tid = tid;
	e->interpreter = interp ? (uint32_t)rd64(interp + ctx->layout.interp_id) : 0;
	e->name_hash = (uint32_t)hash;
	e->name_bytes = (uint16_t)name_bytes;
	e->n_anchors = 0;
	e->frames_bytes = 0;
	e->slice_bytes = 0;
	e->thread_name_bytes = 0;
	e->task_bytes = 0;
}

LANE_CODE static __attribute__((noinline)) void
event_write(const struct probe_context *ctx, struct probe_lane *lane, struct ring_slot *slot,
	    const char *event, uint32_t name_bytes, uint64_t hash, uint64_t args, uint32_t tid,
	    const struct saved_regs *regs, struct hold *hold)
{
	bool python = ctx->flags & PROBE_STACK_PYTHON, native = ctx->flags & PROBE_STACK_NATIVE;
	uint8_t *at = ring_reserve(ctx, lane, slot, tid, event_room(ctx));
	if (!at) {
		count_loss(ctx, lane);
		return;
	}
	if (lane->n_pending_drop) {
		report_loss(lane, slot, at, clock_now(ctx));
		at += sizeof(struct record_lost);
	}
	__atomic_store_n(&slot->writing, slot->head + 1, RING_STORE_WRITING);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	uint64_t now = clock_now(ctx);
	__atomic_store_n(&slot->time, now, RING_STORE_TIME);

	uint64_t tstate = ((uint64_t(*)(void))ctx->layout.fn_tstate_get)();
	struct record_event *e = (struct record_event *)at;
	event_head(e, ctx, now, tstate, tid, hash, name_bytes);
	struct out_locks locks;
	locks.n = 0;
	struct out o = { .p = (uint8_t *)(e + 1),
			 .ctx = ctx,
			 .string_bytes = ctx->string_bytes,
			 .locks = &locks };
	for (uint32_t i = 0; i < name_bytes; i += 8) {
		uint64_t word = name_bytes - i < 8 ? rd_few((uint64_t)event + i, name_bytes - i)
						   : rd64((uint64_t)event + i);
		__builtin_memcpy(o.p + i, &word, 8);
	}
	o.p += (name_bytes + 7) & ~7u;

	for (unsigned i = 0; i < 8 && ctx->bulk_names[i]; i++)
		if (ctx->bulk_names[i] == hash && ctx->bulk_bytes < o.string_bytes)
			o.string_bytes = ctx->bulk_bytes;
	uint8_t *start = o.p;
	o.end = start + ARGS_MAX_BYTES;
	/* While events are counted, this one is written only because its name is new. */
	serialise_args(&o, ctx->counts_off ? 0 : args);
	e->args_bytes = (uint32_t)(o.p - start);
	out_pad8(&o, at);
	if (o.cut)
		e->r.flags |= RECORD_ARGS_CUT;

	if (tid && thread_name_is_due(ctx, tid, now)) {
		start = o.p;
		o.end = start + THREAD_NAME_ROOM;
		thread_name_out(&o, tid, tstate, now);
		e->thread_name_bytes = (uint16_t)(o.p - start);
		out_pad8(&o, at);
	}
	if (task_may_run(ctx, lane, tstate))
		task_part_out(&o, lane, tstate, e);

	if (python || native) {
		uint64_t sp = (uint64_t)(regs + 1),
			 stack_end = native ? chain_stack_end(ctx, sp) : 0;
		start = o.p;
		o.end = start + FRAMES_MAX_BYTES;
		/* Anchors are collected behind the longest possible frame stream, and moved up when
		 * its length is known. */
		struct record_anchor *anchors =
		    (struct record_anchor *)(o.end + sizeof(struct record_native));
		struct frame_walk walk = { .anchors = anchors,
					   .max_anchors = native && stack_end ? ANCHORS_MAX : 0,
					   .sp = sp,
					   .sp_limit = stack_end };
		if (python)
			frames_out(&o, lane, tstate, &walk);
		e->r.n_frames = (uint16_t)walk.n_frames;
		e->frames_bytes = (uint32_t)(o.p - start);
		if (walk.cut)
			e->r.flags |= RECORD_STACK_CUT;
		if (native)
			native_out(&o, e, ctx, regs, stack_end, anchors, walk.n_anchors);
	}
	out_pad8(&o, at);
	e->r.size = (uint32_t)(o.p - at);
	if (hold) {
		hold_begin(ctx, state_of(ctx), lane_slot(lane), slot->head, tid, hold);
		if (hold->ticket)
			e->r.flags |= RECORD_HOLD;
	}
	uint32_t size = (uint32_t)(o.p - at);
	ring_publish(slot, slot->head, size);
	for (uint32_t i = 0; i < size && i < 1024; i += 64)
		cpu_fetch_for_write(o.p + 64 + i);
}

/* CPython is about to free every hook (Python/sysmodule.c, _PySys_ClearAuditHooks). It must not
 * free ours, so our entry leaves the list, in whatever state the probe is. */
static void hook_unlink(const struct probe_context *ctx)
{
	uint64_t *link = (uint64_t *)ctx->layout.audit_head;
	for (unsigned i = 0; *link && i < 4096; i++) {
		if (*link == ctx->entry) {
			*link = rd64(ctx->entry);
			return;
		}
		link = (uint64_t *)*link;
	}
}

/*
 * The next life of an embedded interpreter. CPython forgets its hooks after the last event, so a
 * hook that must see the first event of the next Py_Initialize is linked after that. It cannot be
 * linked at once: the teardown continues, and raises events for which there is no thread state. The
 * functions of Py_AtExit are called when everything is finalised (v3.8.0 to v3.15.0
 * Python/pylifecycle.c, Py_FinalizeEx: only _PyRuntime_Finalize() comes after call_ll_exitfuncs()),
 * and Py_Initialize keeps the list (Python/pystate.c, _PyRuntimeState_Init). Py_AtExit stores a
 * pointer: no allocation, no event, no error set.
 */
static void hook_link(const struct probe_context *ctx)
{
	uint64_t *head = (uint64_t *)ctx->layout.audit_head, *next = (uint64_t *)ctx->entry;
	for (uint64_t at = *head, i = 0; at && i < 4096; at = rd64(at), i++)
		if (at == ctx->entry)
			return;
	uint64_t first = __atomic_load_n(head, __ATOMIC_ACQUIRE);
	do {
		if (first == ctx->entry) /* the recorder has linked it at this very moment */
			return;
		*next = first;
	} while (!__atomic_compare_exchange_n(head, &first, ctx->entry, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_ACQUIRE));
}

extern const uint8_t probe_entry[] __attribute__((visibility("hidden"))); /* entry.S */
void probe_at_exit(void) __attribute__((visibility("hidden")));           /* entry.S */

void probe_all_is_over(void)
{
	struct probe_context *ctx = (struct probe_context *)((uint64_t)probe_entry -
							     PROBE_BLOB_OFF);
	if (__atomic_load_n(&shared_of(ctx)->enabled, __ATOMIC_SEQ_CST) != RING_OFF)
		hook_link(ctx);
	__atomic_store_n(&ctx->at_exit, 0, __ATOMIC_RELEASE);
}

/* Arrange that CPython calls probe_at_exit(). False if CPython's 32 places are taken. Called inside
 * a lane: a recorder that takes the probe out waits for that. */
static __attribute__((noinline)) bool come_back(struct probe_context *ctx)
{
	if (!ctx->layout.fn_at_exit || ctx->at_exit)
		return ctx->at_exit != 0;
	__atomic_store_n(&ctx->at_exit, (uint64_t)probe_at_exit, __ATOMIC_RELEASE);
	if (((int (*)(void (*)(void)))ctx->layout.fn_at_exit)(probe_at_exit) == 0)
		return true;
	ctx->at_exit = 0;
	return false;
}

static const char clear_hooks[] = "cpython._PySys_ClearAuditHooks";

static bool is_clear_hooks(const char *event)
{
	if (event[0] != 'c' || event[1] != 'p')
		return false;
	for (uint32_t i = 0; i < sizeof(clear_hooks); i++)
		if (event[i] != clear_hooks[i])
			return false;
	return true;
}

/* *ret_place: of the verdict in the table. A new name: the recorder will decide. */
static inline uint32_t verdict_of(const struct ring_shared *shared, uint32_t filter_on,
				  uint64_t hash, uint32_t *ret_place)
{
	uint32_t unknown = filter_on & FILTER_HOLDS ? VERDICT_HOLD : VERDICT_WANTED;
	uint64_t key = hash & ~3ull;
	for (uint32_t i = 0; i < VERDICT_COUNT; i++) {
		uint32_t place = (uint32_t)((hash + i) % VERDICT_COUNT);
		uint64_t v = __atomic_load_n(&shared->verdicts[place], __ATOMIC_RELAXED);
		*ret_place = place;
		if (!v)
			return unknown;
		if ((v & ~3ull) == key)
			return v & 3;
	}
	return unknown;
}

/*
 * Count an event of this process. Threads that run side by side may count in one place at once, so
 * the addition is atomic. It needs no order: a count says nothing about other memory, and the
 * recorder reads the last value after the process has ended or no thread is in the probe any more,
 * both of which it learns from the kernel.
 */
static inline void count_event(const struct probe_context *ctx, uint32_t slot, uint32_t place)
{
	__atomic_fetch_add(count_of(ctx, slot, place), 1, __ATOMIC_RELAXED);
}

/* strlen() by aligned words: a word that holds a byte of the string is mapped as a whole. */
static inline uint32_t name_bytes_of(const char *event)
{
	const uint64_t ones = 0x0101010101010101ull, tops = 0x8080808080808080ull;
	uint64_t skew = (uint64_t)event & 7, at = (uint64_t)event - skew;
	uint64_t w = rd64(at) | (skew ? ~0ull >> (64 - 8 * skew) : 0);
	for (uint32_t n = 0;; n += 8, w = rd64(at += 8)) {
		uint64_t zero = (w - ones) & ~w & tops;
		if (zero) {
			n += (uint32_t)__builtin_ctzll(zero) / 8 - (uint32_t)skew;
			return n < RECORD_NAME_BYTES ? n : RECORD_NAME_BYTES;
		}
		if (n > RECORD_NAME_BYTES)
			return RECORD_NAME_BYTES;
	}
}

/*
 * Why no thread can be in the probe when it is unmapped: the recorder (visit/quiet.c,
 * quiet_check()) checks for threads that are inside a lane, for those whose pc or a register is
 * in this code, and for those whose pc will be there when their signal handlers return
 * (sigframe.h). Outside of lanes nothing is called, so that the second and third checks see every
 * thread that is there: a thread in a function called from here would show only a return address,
 * anywhere on its stack. The one system call made outside a lane (futex) is an instruction of this
 * code.
 *
 *   probe_entry .. lane_enter()            outside; but come_back(), which calls Py_AtExit, has a
 *                                          lane
 *   is_abandoned()                         outside; its count_loss(), which calls the vdso's clock,
 *                                          has a lane
 *   lane_find(), lane_wait(), patience_poll()   outside; slot_claim() has a lane
 *   event_write() .. lane_leave()          lane: fn_tstate_get, PyMutex_Unlock, the vdso; most of
 *                                          it is LANE_CODE
 *   hold_wait(), patience_poll()           outside; its silence_ns(), which calls the vdso's clock,
 *                                          has a lane
 *   .. ret of entry.S                      outside
 *   probe_all_is_over()                    clears at_exit last; then it calls nothing and touches
 *                                          none of our memory
 */
int probe_hook(const char *event, uint64_t args, struct probe_context *ctx,
	       const struct saved_regs *regs)
{
	struct probe_state *state = state_of(ctx);
	/* The state of a forked child is wiped, which means here that it is not followed. From now
	 * on an event costs it nothing (unlinked), or this check. */
	if (ctx->flags & PROBE_ALONE && !state->identity) {
		/* the GIL keeps other threads from the list */
		if (is_clear_hooks(event) || !ctx->layout.free_threaded)
			hook_unlink(ctx);
		return 0;
	}
	struct ring_shared *shared = shared_of(ctx);
	bool last = is_clear_hooks(event);
	uint8_t last_flags = 0;
	if (last) {
		hook_unlink(ctx);
		/* Also while paused, or abandoned for a while. */
		struct probe_lane *lane = __atomic_load_n(&shared->enabled, __ATOMIC_SEQ_CST) !=
						  RING_OFF
					      ? lane_any(ctx, state)
					      : NULL;
		if (lane) {
			last_flags = come_back(ctx) ? RECORD_COMES_BACK : 0;
			lane_leave(lane);
		}
	}
	if (__atomic_load_n(&shared->enabled, __ATOMIC_RELAXED) != RING_ON)
		return 0;

	uint32_t n = name_bytes_of(event);
	uint64_t hash = name_hash_with(event, n, rd_few((uint64_t)event + n - n % 8, n % 8));
	uint32_t place = 0;
	uint32_t filter_on = __atomic_load_n(&shared->filter_on, __ATOMIC_RELAXED);
	uint32_t verdict = filter_on ? verdict_of(shared, filter_on, hash, &place) : VERDICT_WANTED;
	if (verdict == VERDICT_UNWANTED && !last)
		return 0;
	bool counted = verdict == VERDICT_COUNTED && ctx->counts_off;

	/* Free threads are distinguished by their tids, which are consecutive numbers. Under a GIL
	 * the first lane is free unless other interpreters have a GIL of their own. */
	uint32_t tid = tid_now(ctx), home_index = 0;
	struct probe_lane *home = state->lanes;
	if (ctx->layout.free_threaded) {
		home_index = tid;
		home = lane_at(ctx, state, tid);
	}
	if (counted && !last && lane_slot(home)) {
		count_event(ctx, lane_slot(home), place);
		return 0;
	}
	if (is_abandoned(ctx, state, home, tid))
		return 0;
	struct probe_lane *lane = lane_enter(ctx, state, home, home_index, tid);
	if (!lane) {
		__atomic_fetch_add(&shared->lost_unserved, 1, __ATOMIC_RELAXED);
		return 0;
	}
	struct ring_slot *slot = slot_of(ctx, lane->slot);
	/* The last event is not held: CPython is about to free the hooks. */
	struct hold hold = { .ticket = 0 };
	if (counted)
		count_event(ctx, lane->slot, place);
	else if (verdict != VERDICT_UNWANTED)
		event_write(ctx, lane, slot, event, n, hash, args, tid, regs,
			    verdict == VERDICT_HOLD && !last ? &hold : NULL);
	if (last && !state->abandoned) {
		uint8_t *at = ring_reserve(ctx, lane, slot, tid, sizeof(struct record));
		if (at) {
			*(struct record *)at = (struct record){ sizeof(struct record),
								RECORD_FINALISED, last_flags, 0,
								clock_now(ctx) };
			ring_publish(slot, slot->head, sizeof(struct record));
		}
	}
	lane_leave(lane);
	if (hold.ticket && !hold_wait(ctx, state, tid, &hold))
		give_up(ctx);
	return 0;
}

void *memcpy(void *to, const void *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
	return to;
}

void *memset(void *to, int c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile uint8_t *)to)[i] = (uint8_t)c;
	return to;
}
