/*
 * ring: the memory that we share with a target. Only this module and the probe read and write it.
 *
 * The writers cannot be trusted: the target, its forked children, and whatever has taken them over.
 * So
 *
 *   - the layout is ours and is known only from our own memory: it is never read back;
 *   - a number in it is read once, and is a guest number (base/guest.h) until it was checked;
 *   - records are copied out before they are parsed (ring_record_read());
 *   - it is opened only if the kernel says that it is anonymous shared memory of the right size,
 *     made after we asked for it, to which no file and no name leads. Then it cannot be truncated
 *     under us (SIGBUS), and another process can have it only by fork.
 *
 * struct ring_shared and struct ring_slot (probe/abi.h) are not used elsewhere; tests/lint/tree.py
 * checks that.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/guest.h"
#include "probe/abi.h"

struct maps;

struct ring {
	struct ring_shared *shared; /* mapped in this process, n_bytes; NULL: not mapped */
	size_t n_bytes;
	uint64_t dev, inode; /* as in /proc/PID/maps; inode 0: not known yet */
	uint32_t n_slots;
	uint64_t slots_off, slot_data_bytes, slot_bytes; /* slot_bytes: a page and the data */
	uint64_t first_extra_bytes; /* bytes of data that slot 0 has more than the others */
	uint64_t counts_off;        /* of the counters (abi.h); 0: there are none */
	/* ours; those in the ring are copies */
	uint32_t heartbeat, tick;
	uint64_t nonce;
	uint32_t state;  /* enum ring_state */
	uint32_t filter; /* FILTER_* */
};

/*
 * Lay out a ring: n_slots of slot_data_bytes each, but `first_data_bytes` for slot 0. The first
 * process of a ring takes slot 0, and most rings have no other process. Both sizes are powers of
 * two, the second not smaller than the first. `counts`: with counters for each slot. Nothing is
 * mapped.
 */
void ring_lay_out(struct ring *r, uint32_t n_slots, uint64_t slot_data_bytes,
		  uint64_t first_data_bytes, bool counts);
/* Bytes of data of a slot. */
static inline uint64_t ring_slot_size(const struct ring *r, uint32_t slot)
{
	return r->slot_data_bytes + (slot ? 0 : r->first_extra_bytes);
}
/* The offset of a slot in the shared memory. */
static inline uint64_t ring_slot_off(const struct ring *r, uint32_t slot)
{
	return r->slots_off + slot * r->slot_bytes + (slot ? r->first_extra_bytes : 0);
}

/* The device of anonymous shared memory, as in /proc/PID/maps; 0: unknown. */
uint64_t ring_device(void);
/* May we open the mappings of another process (/proc/PID/map_files)? */
bool ring_can_open_map_files(void);
/* Create a memory file for a ring, sealed against changes of its size; for recorders that may not
 * open map_files. */
MUST_CHECK struct err *ring_file_create(const struct ring *r, int *ret_fd);

/*
 * Map the ring that process `pid` (with the mappings `maps`) has at [start, start + n_bytes). `fd`:
 * the memory file that the process was told to map, borrowed; -1: anonymous shared memory. `since`:
 * CLOCK_REALTIME_COARSE, read before the process was asked to map it. ERR_TARGET_GONE: no ring is
 * there; ERR_CORRUPT: something that we did not ask for is there; ERR_SYS.
 */
MUST_CHECK struct err *ring_open(struct ring *r, pid_t pid, const struct maps *maps, uint64_t start,
				 int fd, const struct timespec *since);
void ring_close(struct ring *r); /* unmaps; the layout is kept */
/* Return the pages to the system; the content of the ring is lost. */
void ring_drop_memory(struct ring *r);

/* A number that no other ring has, and one that this process gave to a ring. Another recorder can
 * have had the same pid, before us or in another pid namespace. */
uint64_t ring_nonce_new(void);
bool ring_nonce_is_own(guest_u64 nonce);
/* ---- what we write ---- */

/* filter: FILTER_* */
void ring_begin(struct ring *r, uint64_t nonce, uint32_t filter);
/* Is something else where ring_begin() and ring_set_state() wrote? Looks at our own mapping. */
bool ring_is_overwritten(const struct ring *r);
/* Write again what ring_begin() and ring_set_state() wrote: the target has overwritten it. */
void ring_restore(struct ring *r);
void ring_set_state(struct ring *r, enum ring_state state);
void ring_beat(struct ring *r);
/* Raise the ring's clock to `tick`, the present (probe/clock.h). ticks_per_ns: 32.32 fixed
 * point. */
void ring_tick(struct ring *r, const struct ring_tick *tick, uint64_t ticks_per_ns);
/* Tell the probes the verdict on a name, VERDICT_*. False: it is there already, or there is no
 * room. *ret_place: where it is; of an event that is counted, that is also the number of the
 * counter. */
bool ring_add_verdict(struct ring *r, uint64_t hash, uint32_t verdict, uint32_t *ret_place);
/* The same, and if the name has another verdict, replace it. An event that is raised meanwhile has
 * one or the other. A name without a verdict is added if may_add; returns whether it was. */
bool ring_set_verdict(struct ring *r, uint64_t hash, uint32_t verdict, bool may_add);
/* Change how verdicts are read, FILTER_*. Verdicts that were set before are seen with it. */
void ring_set_filter(struct ring *r, uint32_t filter);
/* Is it still there, as ring_add_verdict() has put it? */
bool ring_has_verdict(const struct ring *r, uint32_t place, uint64_t hash, uint32_t verdict);
/*
 * `tail` bytes of a slot are consumed. If a thread waits for room and there is enough for it now,
 * it is woken; returns whether one was. *ret_head: the head of the slot before that; the event of
 * the woken thread is not below it.
 */
bool ring_slot_consume(struct ring *r, uint32_t slot, uint64_t tail, guest_u64 *ret_head);
/* it is empty: another process may claim it */
void ring_slot_free(struct ring *r, uint32_t slot);
/* it is neither drained nor claimed again; a waiting thread continues */
void ring_slot_give_up(struct ring *r, uint32_t slot);
void ring_wake_all(struct ring *r);

/* ---- what others write ---- */

guest_u32 ring_n_claims(const struct ring *r);   /* slots ever claimed */
guest_u64 ring_n_unserved(const struct ring *r); /* events that found no slot */
/* does a process without a slot wait, now or a moment ago? A hint */
bool ring_is_waited_for(const struct ring *r);
bool ring_slot_is_claimed(const struct ring *r, uint32_t slot);
bool ring_slot_waits(const struct ring *r, uint32_t slot); /* does a thread wait for room? A hint */
guest_u64 ring_slot_head(const struct ring *r, uint32_t slot);
/* The counter `place` of a slot. The ring has counters. */
guest_u64 ring_slot_count(const struct ring *r, uint32_t slot, uint32_t place);
guest_u64 ring_slot_n_dropped(const struct ring *r, uint32_t slot);
/* For lineup_look() (recorder/lineup.h), which reads its fields as guest numbers. */
const struct ring_slot *ring_slot_borrow(const struct ring *r, uint32_t slot);

/* What a slot says about its owner. */
struct ring_claim {
	guest_u32 pid, parent_pid, tid, birth;
	guest_u64 thread; /* thread pointer */
};
struct ring_claim ring_slot_claim(const struct ring *r, uint32_t slot);

/* A thread that asks whether a system call can kill it (probe/patience.h). `place` < RING_ASKS. */
struct ring_question {
	/* as it was read; identifies the question, and is not used as a number */
	uint64_t ticket;
	enum ask_state state; /* ASK_FREE also for an invalid state */
	guest_u64 identity;
	guest_u32 tid;
};
guest_u32 ring_n_asked(const struct ring *r); /* questions ever asked */
struct ring_question ring_question(const struct ring *r, uint32_t place);
/* Answer the question, unless it has changed since. */
void ring_answer(struct ring *r, uint32_t place, const struct ring_question *question,
		 enum ask_state answer);

/* Say how many threads are held, for others that look at the ring (abi.h). */
void ring_say_held(struct ring *r, uint32_t n, uint32_t first_tid, uint64_t since_ns);
/* A thread that waits in the hook (abi.h, struct ring_hold). `place` < RING_HOLDS. */
struct ring_held {
	/* as it was read; identifies the wait, and is not used as a number */
	uint64_t ticket;
	enum hold_state state; /* HOLD_FREE also for an invalid state */
	guest_u64 identity, head;
	guest_u32 slot, tid;
};
guest_u32 ring_n_holds(const struct ring *r);        /* waits ever begun */
guest_u32 ring_n_holds_missed(const struct ring *r); /* events that found no place to wait */
struct ring_held ring_held(const struct ring *r, uint32_t place);
/* Change its state, unless it has changed since; the thread is woken if that ends its wait. Returns
 * whether it was changed. */
bool ring_held_set(struct ring *r, uint32_t place, const struct ring_held *held,
		   enum hold_state state);

/* Is `head` plausible if `tail` bytes are consumed? *ret: the same number, checked: aligned, and at
 * most one ring ahead. */
bool ring_head_check(const struct ring *r, uint32_t slot, guest_u64 head, uint64_t tail,
		     uint64_t *ret);
/* Check the record at `tail`; `head` (checked) is the end of the data. *ret: its fixed part,
 * copied, with a checked size: at least 8 bytes (a PAD) or a whole struct record, aligned, ending
 * at or below head, and contiguous. False: the ring is malformed here. */
bool ring_record_check(const struct ring *r, uint32_t slot, uint64_t tail, uint64_t head,
		       struct record *ret);
/* Copy n_bytes of the record at `tail`; n_bytes must not exceed the size from
 * ring_record_check(). */
void ring_record_read(const struct ring *r, uint32_t slot, uint64_t tail, void *to, size_t n_bytes);

struct check;
/* What doctor says of it (check.h). */
extern const struct check ring_check;
