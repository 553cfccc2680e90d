/*
 * inject: put the probe into a process, and take it out again.
 *
 * A link is one armed CPython runtime: its hook entry stands at the head of the runtime's audit
 * hook list, its ring is mapped here. Forked children inherit the entry and the ring; they are
 * found by the ring's inode and taken off one by one. Everything that can refuse does so before the
 * target is touched.
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
#include "visit/remote_call.h"
#include "visit/ring.h"

struct lazy_link;
struct maps;
struct remote_mem;

struct probe_options {
	uint32_t flags; /* PROBE_DROP, PROBE_STACK_*, PROBE_CLOCK_RING */
	uint32_t string_bytes, bulk_bytes, max_frames, max_items, slice_bytes;
	uint32_t n_slots;
	uint64_t slot_data_bytes;  /* a power of two, ≥ RING_SLOT_MIN_BYTES */
	uint64_t first_data_bytes; /* of slot 0, a power of two, not smaller; 0: as the others */
	bool filter_on;            /* verdicts are in use */
	struct ring_tick tick;     /* of now, for the clock of a new ring */
	uint64_t ticks_per_ns;     /* 32.32 */
};

struct link {
	pid_t pid;
	struct remote_mem *mem;
	struct python_runtime runtime;
	char *module_path;
	struct remote_place place;
	/* as we laid it out; of an older probe only dev and inode are known */
	struct ring ring;
	/* CLOCK_REALTIME_COARSE, before anything was mapped: ring_open() */
	struct timespec since;
	uint64_t since_ticks; /* the same, as field 22 of /proc/PID/stat counts */
	/* of the probe there: PROBE_ABI, or that of an older one to be taken out */
	uint32_t abi;
	uint32_t n_lanes; /* of each process */
	raddr base;       /* of the reservation in the target */
	uint64_t total_bytes, blob_off, shared_off, state_off, blob_bytes;
	struct probe_blob_end blob_end; /* zeros: of an older probe, not known */
	raddr entry;                    /* 24 bytes, then the mailbox */
	uint64_t identity;              /* of the process (abi.h, probe_state) */
	uint64_t nonce;                 /* in the ring: what is mapped there now is still ours */
	bool owned;                     /* target_own() was called */
	uint64_t pause_ns;              /* longest so far */
	bool timeout_extended;
	bool linked; /* our entry is in the list, as far as we know */
	/* the module of the runtime is: the program can do without it */
	bool is_unloadable;
	bool is_left;   /* link_detach() could not take it out */
	bool took_over; /* a dead recorder's probe was taken out first */
	/* of an earlier probe, as it was found; [blob_bytes], NULL else */
	uint8_t *earlier_code;
	char left_alone[200]; /* what looks like an earlier probe, and could not be proved to be
				 one; "" */
	/* not NULL: it was, or will be, linked without stopping anybody (lazy_link.h) */
	struct lazy_link *lazy_link;
	/* events that were raised while it waited, or while the probe was being mapped, and not
	 * recorded; at most 32767 */
	uint64_t n_missed;
	bool has_come;       /* an event was raised while it waited */
	char waits_why[200]; /* what keeps us from mapping the probe when an event comes; "" */
};

/* Find the runtimes of a process: at least one, else ERR_NOT_PYTHON or ERR_UNSUPPORTED with cause.
 * The array is malloc'ed; module.path points into *ret_maps, which the caller destroys. */
MUST_CHECK struct err *runtimes_find(pid_t pid, struct remote_mem *mem, struct maps **ret_maps,
				     struct python_runtime **ret, size_t *ret_n);

/* Arm one runtime of a running process. `attached`: all its threads are ours already. Where a stop
 * would show the link may come back waiting: link_is_waiting(). */
MUST_CHECK struct err *link_attach(pid_t pid, const struct python_runtime *rt,
				   const struct probe_options *options, bool attached,
				   struct link **ret);

/* It has no ring yet: the thread that raises the next event is held until it is mapped. link_poll()
 * looks for that thread; call it every millisecond. `is_attached` as in link_detach(). ERR_SYS: a
 * call of the program failed; then, or at any time, link_detach() takes it out. */
bool link_is_waiting(const struct link *l);
void link_count_missed(struct link *l); /* brings n_missed up to date, if it waits */
MUST_CHECK struct err *link_poll(struct link *l, bool (*is_attached)(void *ctx, pid_t pid),
				 void *ctx);

/* The same in a program that is starting, or loading a module: its thread `tid` is ours and stands
 * in an event stop, or at the end of a system call, and nothing of Python has run yet. It has not
 * moved afterwards. */
MUST_CHECK struct err *link_attach_at_entry(pid_t pid, pid_t tid, const struct python_runtime *rt,
					    const struct probe_options *options, struct link **ret);

/*
 * Give a ring of its own to `child`, which was forked by a process that has the probe of `of`, and
 * stands at its first stop, ours. Its slots are fewer than those of the ring that it replaces, and
 * all of the smaller size. `identity`: as link_name_child() returned it. The address space of the
 * child shrinks, or stays as large as it is.
 *
 * An error with *ret_is_out false: nothing has changed, and the child shares the ring of `of`. With
 * *ret_is_out true: the exchange failed half-way, and the probe was taken out of the child.
 */
MUST_CHECK struct err *link_give_ring(const struct link *of, pid_t child, uint64_t identity,
				      const struct probe_options *options, struct link **ret,
				      bool *ret_is_out);

enum link_health {
	LINK_OK,
	LINK_UNLINKED, /* the list no longer holds us */
	LINK_UNLOADED, /* the module with the runtime is gone (dlclose), the process is not */
	LINK_GONE      /* the image or the process is gone */
};
enum link_health link_check(struct link *l);

/* ---- what the probe cannot know by itself (link_state.c): of any process that has it ---- */

/* A process that was forked, and has not run since. It has the probe if its parent has: tell it its
 * pid, and its parent's in its own pid namespace (0: not in there). Returns its identity (abi.h,
 * probe_state); 0, and nothing happens, if it has no probe, shares its parent's memory (vfork), or
 * knows already. */
uint64_t link_name_child(const struct link *l, pid_t child, uint32_t ns_pid, uint32_t ns_parent);
/* What a process forks from now on is recorded (abi.h, PROBE_ALONE). */
void link_follow_children(const struct link *l, pid_t pid);
/* Which clock the probe of this process reads. The TSC only as long as we trace all its threads
 * (probe/clock.h). */
MUST_CHECK struct err *link_set_clock(const struct link *l, pid_t pid, bool use_tsc);
/* Where its threads have their tid, learnt from one: its thread pointer, as a slot tells it. What
 * is read there is compared only. */
void link_learn_tid(const struct link *l, pid_t pid, guest_u64 thread);

/* Link again, after the runtime was finalised and while it is not initialised, or when a racing
 * hook pushed us out. */
MUST_CHECK struct err *link_again(struct link *l, bool attached);

/* Is there a probe in this runtime already? Its context, and whether its recorder lives (pid in
 * *ret_recorder). */
enum probe_presence { PROBE_NONE, PROBE_LEFT_ENTRY, PROBE_DEAD_RECORDER, PROBE_LIVE_RECORDER };
enum probe_presence probe_presence_find(struct remote_mem *mem, const struct python_runtime *rt,
					pid_t *ret_recorder, struct probe_context *ret_context);

/* Was a recorder found to be dead behind a probe at the same place? A killed recorder may leave a
 * ring in each of hundreds of forked processes, and to listen for its heartbeat takes half a
 * second. Whoever forks from one of them has the same addresses; no other recorder is at work at
 * the same place under the same number. */
bool recorder_is_known_dead(pid_t recorder, const struct probe_context *ctx);

struct detach_report {
	size_t n_processes; /* taken off, the target and its forked children */
	uint64_t pause_ns;  /* longest stop of a thread while leaving */
	bool restored;
	bool is_unknown; /* not restored, or it could not be looked at */
	char left[192];  /* what is left where, if not; or what could not be looked at */
};
/* Disarm every process that has the ring, unlink, wait until nobody is inside, unmap, compare. The
 * ring stays mapped here until link_destroy(), to be drained. Up to timeout_ns. `is_attached(ctx,
 * pid)` tells whether a process is ptraced by us. */
void link_detach(struct link *l, bool (*is_attached)(void *ctx, pid_t pid), void *ctx,
		 uint64_t timeout_ns, struct detach_report *report);
enum link_presence {
	LINK_OUT, /* proved: its mappings were read, or its address space is gone */
	LINK_IN,
	/* it lives, and its mappings cannot be read: no rights, no descriptors left, … */
	LINK_UNKNOWN
};
/* does this process have the ring mapped? */
enum link_presence link_presence(const struct link *l, pid_t pid);
bool link_is_in(const struct link *l, pid_t pid); /* LINK_IN */
/* Pids that map the ring, but for this process. malloc'ed. */
MUST_CHECK struct err *link_processes(const struct link *l, pid_t **ret, size_t *ret_n);
/* Of each of n links: does a process map its ring, but for this one? *ret_in_use: [n]. All processes
 * are gone through once, and those that have their rings at the same place cost one look each. */
MUST_CHECK struct err *links_find_used(const struct link *const *links, size_t n, bool *ret_in_use);
void link_destroy(struct link *l); /* NULL is fine; does not detach */
