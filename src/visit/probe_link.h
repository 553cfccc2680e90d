/*
 * probe_link: one armed CPython runtime: its hook entry is at the head of the runtime's list of
 * audit hooks, and its ring is mapped here.
 *
 * Forked children inherit the entry and the ring. They are found by the ring's inode and detached
 * one by one. attach.h makes a link, leave.h takes it out. The functions here are parts of a link
 * that these share; none of them stops a thread by itself.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "probe/abi.h"
#include "python/python.h"
#include "visit/one_thread.h"
#include "visit/remote_place.h"
#include "visit/ring.h"

struct lazy_link;
struct maps;
struct remote_mem;

struct probe_options {
	uint32_t flags; /* PROBE_DROP, PROBE_STACK_*, PROBE_CLOCK_RING */
	uint32_t string_bytes, bulk_bytes, max_frames, max_items, slice_bytes;
	uint32_t n_slots;
	uint64_t slot_data_bytes; /* a power of two, ≥ RING_SLOT_MIN_BYTES */
	/* of slot 0, a power of two, not smaller; 0: like the other slots */
	uint64_t first_data_bytes;
	bool filter_on;        /* verdicts are in use */
	bool counts;           /* events are counted in the probe */
	bool holds;            /* a name without a verdict has VERDICT_HOLD */
	struct ring_tick tick; /* the present, for the clock of a new ring */
	uint64_t ticks_per_ns; /* 32.32 */
};

struct link {
	pid_t pid;
	struct remote_mem *mem;
	struct python_runtime runtime;
	char *module_path;
	struct remote_place place;
	/* as we laid it out; for the ring of an older probe only dev and inode are known */
	struct ring ring;
	/* CLOCK_REALTIME_COARSE before anything was mapped: ring_open() */
	struct timespec since;
	uint64_t since_ticks; /* the same time, in the units of field 22 of /proc/PID/stat */
	/* ABI of the probe in the target: PROBE_ABI, or that of an older one that is to be taken
	 * out */
	uint32_t abi;
	uint32_t n_lanes; /* of each process */
	raddr base;       /* of the reservation in the target */
	uint64_t total_bytes, blob_off, shared_off, state_off, blob_bytes;
	struct probe_blob_end blob_end; /* zeros: unknown, for an older probe */
	raddr entry;                    /* 24 bytes, then the mailbox */
	uint64_t identity;              /* of the process (abi.h, probe_state) */
	/* of the ring: it proves that the memory mapped there is still ours */
	uint64_t nonce;
	bool owned;        /* target_own() was called */
	uint64_t pause_ns; /* longest stop so far */
	bool timeout_extended;
	bool linked; /* our entry is in the list, as far as we know */
	/* the program can unload the module of the runtime */
	bool is_unloadable;
	bool is_left;   /* link_detach() could not take it out */
	bool took_over; /* a dead recorder's probe was taken out first */
	/* code of an earlier probe, as it was found; [blob_bytes], otherwise NULL */
	uint8_t *earlier_code;
	/* something looks like an earlier probe, but this could not be proved; "" none */
	char left_alone[200];
	/* not NULL: a lazy link that is still waiting (lazy_link.h) */
	struct lazy_link *lazy_link;
	/* Events that were raised while it waited, or while the probe was being mapped, and were
	 * not recorded. The count ends at LAZY_LINK_MISSED_MAX, and it is in the memory of the
	 * target: if one of these two has come to its end, more may have been raised. */
	uint64_t n_missed;
	bool missed_is_known;
	char waits_why[200]; /* why the probe cannot be mapped when an event comes; "" none */
};

#define CALL_TIMEOUT_NS 2000000000ull
#define CALL_GRACE_NS   200000000ull /* for a thread that is leaving our code */

/* How verdicts are read with these options, FILTER_*. */
uint32_t link_filter(const struct probe_options *options);
/* Begin a ring that was just opened: set a new nonce and the present time, and let probes in. */
void link_begin_ring(struct link *l, const struct probe_options *options);
/* It is linked. Own the process: no other recorder can claim it, because we hold its lock, or
 * because the process is stopped at its entry. */
void link_own(struct link *l);
/* Take our entry out of the list by plain stores, wherever it is. Success if it is not in the list.
 * ERR_TARGET_GONE; ERR_CORRUPT: the list does not end. */
MUST_CHECK struct err *link_unlink_plain(const struct link *l, struct remote_mem *mem);
/* keep the longest pause */
void link_note_pause(struct link *l, const struct remote_call_stats *stats);
/* munmap of the whole reservation */
void link_unmap_program(const struct link *l, struct remote_program *p);
/* Fill our entry and link it as the first: this cannot fail half-way. */
void link_program(const struct link *l, struct remote_program *p);
/* Does the ring at our place hold our number? Another auditview may have taken our probe out,
 * believing us dead, and put its own at the same address. The target can write over the number: if
 * it differs, only the mappings are a proof. */
bool link_ring_is_ours(const struct link *l, struct remote_mem *mem);
/* Set t->unloadable and t->fleeting for the module of the runtime (both stay NULL if it cannot be
 * unloaded), and choose the carrier. */
void link_target_module(const struct link *l, struct remote_target *t);
/* Set the text range of t to the executable mapping of the module that holds the runtime. */
void link_text_range(const struct maps *maps, const struct elf_module *module,
		     struct remote_target *t);
