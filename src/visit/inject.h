/*
 * inject: put the probe into a process, and take it out again.
 *
 * A link is one armed CPython runtime: its hook entry is at the head of the runtime's audit hook
 * list, and its ring is mapped here. Forked children inherit the entry and the ring. They are found
 * by the ring's inode and detached one by one. Every reason to refuse is checked before the target
 * is touched.
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
	uint64_t slot_data_bytes; /* a power of two, ≥ RING_SLOT_MIN_BYTES */
	/* of slot 0, a power of two, not smaller; 0: like the other slots */
	uint64_t first_data_bytes;
	bool filter_on;        /* verdicts are in use */
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
	/* events that were raised while it waited, or while the probe was being mapped, and were
	 * not recorded; at most 32767 */
	uint64_t n_missed;
	bool has_come;       /* an event was raised while it waited */
	char waits_why[200]; /* why the probe cannot be mapped when an event comes; "" none */
};

/* Find the runtimes of a process: at least one, otherwise ERR_NOT_PYTHON or ERR_UNSUPPORTED with
 * the cause. The array is malloc'ed; module.path points into *ret_maps, which the caller
 * destroys. */
MUST_CHECK struct err *runtimes_find(pid_t pid, struct remote_mem *mem, struct maps **ret_maps,
				     struct python_runtime **ret, size_t *ret_n);

/* Arm one runtime of a running process. `attached`: we trace all its threads already. If every stop
 * would be visible, the link may be returned waiting: link_is_waiting(). */
MUST_CHECK struct err *link_attach(pid_t pid, const struct python_runtime *rt,
				   const struct probe_options *options, bool attached,
				   struct link **ret);

/* Is it a lazy link that has no ring yet? The thread that raises the next event is held until the
 * ring is mapped. link_poll() looks for that thread; call it every millisecond. `is_attached` as in
 * link_detach(). ERR_SYS: a call of the program failed. After that, or at any other time,
 * link_detach() takes the link out. */
bool link_is_waiting(const struct link *l);
void link_count_missed(struct link *l); /* updates n_missed if the link is waiting */
MUST_CHECK struct err *link_poll(struct link *l, bool (*is_attached)(void *ctx, pid_t pid),
				 void *ctx);

/* Arm one runtime in a program that is starting, or loading a module. We trace its thread `tid`,
 * which is in an event stop, or at the end of a system call; nothing of Python has run yet.
 * Afterwards the thread is at the same place. */
MUST_CHECK struct err *link_attach_at_entry(pid_t pid, pid_t tid, const struct python_runtime *rt,
					    const struct probe_options *options, struct link **ret);

/*
 * Give a ring of its own to `child`, which was forked by a process that has the probe of `of`. The
 * child is a tracee at its first stop. Its ring has fewer slots than the ring that it replaces, all
 * of the smaller size. `identity`: as returned by link_name_child(). The address space of the child
 * shrinks, or keeps its size.
 *
 * If an error is returned and *ret_is_out is false, nothing has changed, and the child shares the
 * ring of `of`. If *ret_is_out is true, the exchange failed half-way, and the probe was taken out
 * of the child.
 */
MUST_CHECK struct err *link_give_ring(const struct link *of, pid_t child, uint64_t identity,
				      const struct probe_options *options, struct link **ret,
				      bool *ret_is_out);

enum link_health {
	LINK_OK,
	LINK_UNLINKED, /* the list no longer contains our entry */
	LINK_UNLOADED, /* the module with the runtime was unloaded (dlclose), the process lives */
	LINK_GONE      /* the program or the process is gone */
};
enum link_health link_check(struct link *l);

/* ---- what the probe cannot find out by itself (link_state.c), for any process that has it ---- */

/* For a process that was forked and has not run since. If its parent has the probe, the process has
 * it too: write its pid into its state, and its parent's pid in the child's own pid namespace (0:
 * the parent is not in it). Returns its identity (abi.h, probe_state). Returns 0, and writes
 * nothing, if it has no probe, shares its parent's memory (vfork), or has an identity already. */
uint64_t link_name_child(const struct link *l, pid_t child, uint32_t ns_pid, uint32_t ns_parent);
/* Record what a process forks from now on (abi.h, PROBE_ALONE). */
void link_follow_children(const struct link *l, pid_t pid);
/* Choose the clock that the probe of this process reads. The TSC is allowed only as long as we
 * trace all its threads (probe/clock.h). */
MUST_CHECK struct err *link_set_clock(const struct link *l, pid_t pid, bool use_tsc);
/* Find out where the threads of the process have their tid, from the thread pointer of one of them,
 * as given in a slot. The words read there are only compared. */
void link_learn_tid(const struct link *l, pid_t pid, guest_u64 thread);

/* Link again, after the runtime was finalised and while it is not initialised, or if a racing hook
 * has pushed our entry out. */
MUST_CHECK struct err *link_again(struct link *l, bool attached);

/* Is there a probe in this runtime already? Returns its context, and whether its recorder is alive
 * (pid in *ret_recorder). */
enum probe_presence { PROBE_NONE, PROBE_LEFT_ENTRY, PROBE_DEAD_RECORDER, PROBE_LIVE_RECORDER };
enum probe_presence probe_presence_find(struct remote_mem *mem, const struct python_runtime *rt,
					pid_t *ret_recorder, struct probe_context *ret_context);

/* Has a recorder already been found dead behind a probe at the same place? A killed recorder may
 * leave a ring in hundreds of forked processes, and listening for its heartbeat takes half a second
 * each time. Processes forked from one another have the same addresses, and no other recorder works
 * at the same place under the same pid. */
bool recorder_is_known_dead(pid_t recorder, const struct probe_context *ctx);

struct detach_report {
	/* number of processes detached from: the target and its forked children */
	size_t n_processes;
	uint64_t pause_ns; /* longest stop of a thread during the leave */
	bool restored;
	bool is_unknown; /* not restored, or it could not be checked */
	char left[192];  /* if not restored: what is left and where, or what could not be checked */
};
/* Disarm every process that has the ring, unlink, wait until no thread is in the probe, unmap,
 * compare. The ring stays mapped here until link_destroy(), so that it can be drained. Takes up to
 * timeout_ns. `is_attached(ctx, pid)` tells whether we trace a process. */
void link_detach(struct link *l, bool (*is_attached)(void *ctx, pid_t pid), void *ctx,
		 uint64_t timeout_ns, struct detach_report *report);
enum link_presence {
	LINK_OUT, /* proved: its mappings were read, or its address space is gone */
	LINK_IN,
	/* it is alive, but its mappings cannot be read: no rights, no descriptors left, … */
	LINK_UNKNOWN
};
/* Does this process have the ring mapped? */
enum link_presence link_presence(const struct link *l, pid_t pid);
bool link_is_in(const struct link *l, pid_t pid); /* LINK_IN */
/* The pids that map the ring, except this process; malloc'ed. */
MUST_CHECK struct err *link_processes(const struct link *l, pid_t **ret, size_t *ret_n);
/* For each of n links: does any process except this one map its ring? *ret_in_use: [n]. All
 * processes are read once; those that have their rings at the same place cost one look-up each. */
MUST_CHECK struct err *links_find_used(const struct link *const *links, size_t n, bool *ret_in_use);
void link_destroy(struct link *l); /* NULL is fine; does not detach */
