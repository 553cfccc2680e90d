/*
 * ring: the memory that we share with a target, and the only place outside the probe that looks
 * into it.
 *
 * Who writes to it cannot be trusted: the target, what it forks, whatever has taken them over. So
 *
 *   - where things stand in it was laid out by us, and is known from our own memory alone: it is
 *     never read back;
 *   - what stands in it is read once, and is a guest number (base/guest.h) until it was checked;
 *   - records are copied out before they are looked at (ring_record_read());
 *   - it is opened only when the kernel says that it is anonymous shared memory of the right size,
 *     made since we asked for it, that no file and no name leads to: it cannot be truncated under
 *     us (SIGBUS), and nobody has it but by fork.
 *
 * struct ring_shared and struct ring_slot (probe/abi.h) are not used elsewhere; tests/lint/tree.py
 * looks.
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
	uint64_t dev, inode; /* as /proc/PID/maps names it; inode 0: not known yet */
	uint32_t n_slots;
	uint64_t slots_off, slot_data_bytes, slot_bytes; /* slot_bytes: a page and the data */
	uint64_t first_extra_bytes; /* of data that slot 0 has more than the others */
	uint32_t heartbeat, tick;   /* ours; those in there are copies */
};

/*
 * Where everything will stand: n_slots of slot_data_bytes each, but `first_data_bytes` for slot 0,
 * which the first process of a ring takes: most have no other. Both are powers of two, the second
 * not smaller than the first. Nothing is mapped.
 */
void ring_lay_out(struct ring *r, uint32_t n_slots, uint64_t slot_data_bytes,
		  uint64_t first_data_bytes);
/* Bytes of data of a slot. */
static inline uint64_t ring_slot_size(const struct ring *r, uint32_t slot)
{
	return r->slot_data_bytes + (slot ? 0 : r->first_extra_bytes);
}
/* Where a slot stands in the shared memory. */
static inline uint64_t ring_slot_off(const struct ring *r, uint32_t slot)
{
	return r->slots_off + slot * r->slot_bytes + (slot ? r->first_extra_bytes : 0);
}

/* The device of anonymous shared memory, as /proc/PID/maps names it; 0: it cannot be told. */
uint64_t ring_device(void);
/* May we open what another process has mapped (/proc/PID/map_files)? */
bool ring_can_open_map_files(void);
/* A memory file for a ring, sealed against any change of its size; for recorders that may not open
 * map_files. */
MUST_CHECK struct err *ring_file_create(const struct ring *r, int *ret_fd);

/*
 * Map the ring that process `pid` (whose mappings `maps` are) has at [start, start + n_bytes).
 * `fd`: the memory file that it was told to map, borrowed; -1: anonymous shared memory. `since`:
 * CLOCK_REALTIME_COARSE, read before the process was asked to map it. ERR_TARGET_GONE: it is not
 * there; ERR_CORRUPT: something is there that we did not ask for; ERR_SYS.
 */
MUST_CHECK struct err *ring_open(struct ring *r, pid_t pid, const struct maps *maps, uint64_t start,
				 int fd, const struct timespec *since);
void ring_close(struct ring *r); /* unmaps; what was laid out is kept */
/* The pages go back to the system; what is in the ring is lost. */
void ring_drop_memory(struct ring *r);

/* ---- what we write ---- */

void ring_begin(struct ring *r, uint64_t nonce, bool filter_on);
void ring_set_state(struct ring *r, enum ring_state state);
void ring_beat(struct ring *r);
/* Lift the ring's clock to `tick`, the present (probe/clock.h). ticks_per_ns: 32.32 fixed point. */
void ring_tick(struct ring *r, const struct ring_tick *tick, uint64_t ticks_per_ns);
/* Tell the probes of an event's name. False: they know already, or there is no room. */
bool ring_add_verdict(struct ring *r, uint64_t hash, bool is_wanted);
/*
 * `tail` bytes of a slot are consumed; a thread that waits for room is woken when there is as much
 * as it waits for. Returns whether one was. *ret_head: where the slot ended before; the event of
 * the woken thread is not below it.
 */
bool ring_slot_consume(struct ring *r, uint32_t slot, uint64_t tail, guest_u64 *ret_head);
/* it is empty: another process may have it */
void ring_slot_free(struct ring *r, uint32_t slot);
/* it is not drained or claimed again; a waiting thread goes on */
void ring_slot_give_up(struct ring *r, uint32_t slot);
void ring_wake_all(struct ring *r);

/* ---- what others write ---- */

guest_u32 ring_n_claims(const struct ring *r);   /* slots ever claimed */
guest_u64 ring_n_unserved(const struct ring *r); /* events that found no slot */
/* by somebody without a slot, now or a moment ago; a hint */
bool ring_is_waited_for(const struct ring *r);
bool ring_slot_is_claimed(const struct ring *r, uint32_t slot);
bool ring_slot_waits(const struct ring *r, uint32_t slot); /* for room; a hint */
guest_u64 ring_slot_head(const struct ring *r, uint32_t slot);
guest_u64 ring_slot_n_dropped(const struct ring *r, uint32_t slot);
/* For slot_look() (recorder/lineup.h), which reads what it finds as guest numbers. */
const struct ring_slot *ring_slot_borrow(const struct ring *r, uint32_t slot);

/* What a slot says of its owner. */
struct ring_claim {
	guest_u32 pid, parent_pid, tid, birth;
	guest_u64 thread; /* thread pointer */
};
struct ring_claim ring_slot_claim(const struct ring *r, uint32_t slot);

/* A thread that asks whether a system call can kill it (probe/patience.h). `place` < RING_ASKS. */
struct ring_question {
	uint64_t ticket;      /* as it was read; a name for it, no number */
	enum ask_state state; /* ASK_FREE also for what is none */
	guest_u64 identity;
	guest_u32 tid;
};
guest_u32 ring_n_asked(const struct ring *r); /* ever */
struct ring_question ring_question(const struct ring *r, uint32_t place);
/* If it has not changed. */
void ring_answer(struct ring *r, uint32_t place, const struct ring_question *question,
		 enum ask_state answer);

/* Does `head` make sense where `tail` bytes are consumed? *ret: the same, proved: aligned, and at
 * most a ring ahead. */
bool ring_head_check(const struct ring *r, uint32_t slot, guest_u64 head, uint64_t tail,
		     uint64_t *ret);
/* The record at `tail`, of which `head` (proved) is the end: its fixed part, copied, and its size,
 * proved: at least 8 bytes (a PAD) or a whole struct record, aligned, below head, and in one piece.
 * False: the ring makes no sense here. */
bool ring_record_check(const struct ring *r, uint32_t slot, uint64_t tail, uint64_t head,
		       struct record *ret);
/* Copy n_bytes of the record at `tail`, n_bytes <= what ring_record_check() has found. */
void ring_record_read(const struct ring *r, uint32_t slot, uint64_t tail, void *to, size_t n_bytes);
