/*
 * recorder_private: the recorder's own state, shared by its files only.
 */
#pragma once
#include <poll.h>
#include <signal.h>

#include "base/vec.h"
#include "capture/writer.h"
#include "recorder/clock.h"
#include "recorder/lineup.h"
#include "recorder/recorder.h"

struct decoder;
struct drain;
struct detach_report;
struct image_store;
struct native_context;
struct remote_mem;
struct writer;

struct tap;
struct ask_seen;

struct process {
	pid_t pid;
	int pidfd;             /* -1: ended, or the kernel has none */
	uint32_t index;        /* in the capture */
	bool ended, is_needed; /* is_needed: scratch of processes_forget() */
	int status;
	unsigned prefix_tries;
	bool is_filtered; /* a seccomp filter was seen: its threads may not sleep */
	/* size of its address space when it last changed much; 0: not known */
	uint64_t vm_bytes;
	uint64_t modules_hash; /* of what was mapped then */
	unsigned n_looks;      /* since then, for a libpython that was loaded late */
	bool is_unwatched;     /* it is no Python that can be watched, and that was said */
	bool is_doubtful;   /* at the last look it was none; said if the next look finds the same */
	bool awaits_python; /* attached to, and there was none in it */
	uint64_t look_ns;   /* when the next is due */
	struct tap *tap;    /* whose ring it writes to */
	/* of its slots there (abi.h, ring_slot); 0: it has none yet */
	uint32_t slot_pid, slot_birth;
	struct process_info info;
};

struct client {
	struct recorder *recorder;
	struct tap *tap;
	struct process *process;
	struct decoder *decoder;
	struct remote_mem *mem;        /* for thread names; opened when first needed */
	uint64_t active;               /* threading._active, as python_thread_name() found it */
	struct native_context *native; /* NULL: native stacks are not wanted */
	uint32_t ns_pid, birth;
	bool muted;      /* a forked child that nobody asked for */
	bool is_further; /* another client of this process was there before */
	uint64_t tail, n_lost;
	/* records that made no sense, and of how many of them was told */
	uint64_t n_bad, n_bad_told;
	bool torn; /* the event that it was killed in was counted */
	/* it had waited for room, and was told that there is some when its head was `woken_head` */
	bool was_woken;
	guest_u64 woken_head;
	/* while recorder.is_resting: what is published behind it is not taken */
	uint64_t rest_until;
	bool is_given_up; /* there were too many of them: the slot is not read any more */
	/* an event in flight there (slot_look.writing), and when it was first seen */
	uint64_t flight, flight_ns;
};

struct tap {
	struct link *link;
	struct process *process; /* the one that was armed */
	struct client **clients; /* [n_slots] */
	uint32_t n_slots, seen_claims, n_verdicts, root_ns_pid;
	uint64_t n_unserved; /* events of processes that found no slot, as last counted */
	/* what the last false claim named; only to be asked about; 0 none */
	pid_t maybe_hidden;
	uint64_t n_false_claims; /* slots whose owner said that it was somebody else */
	struct ask_seen *asks;   /* [RING_ASKS] (asks.c); NULL: nothing was asked yet */
	uint32_t n_asked;        /* ring_shared.n_asked, when they were last looked at */
	bool has_asks;           /* some place was taken then */
	bool other_pid_ns, finalised;
	bool gone; /* the image it was put into is no more, or was left */
	bool left; /* the probe was taken out */
};

/* A fork in another pid namespace, which the follower saw: the child may have ended before its slot
 * is looked at. */
struct fork_note {
	pid_t pid, ppid;
	/* as they know themselves; 0: the parent is not in the child's namespace */
	uint32_t ns_pid, ns_ppid;
	bool is_thread; /* pid is a thread of ppid */
};
#define MAX_FORK_NOTES 1024
#define LOST_MAX       (1ull << 40) /* events that a slot may say are lost at once */

/* a forked child that was told its identity, and may have no slot yet */
struct named_child {
	uint64_t identity;
	pid_t pid;
};
#define MAX_NAMED 1024

/* a process that has the ring of its parent, and that is followed since it was forked */
struct heir {
	pid_t pid;
	struct tap *tap;
	uint64_t identity; /* abi.h, probe_state */
};

struct waiting { /* armed at its next event (visit/lazy_link.h) */
	struct link *link;
	struct process *process;
	bool is_told; /* why it still waits, though an event came */
};

/* one cause why processes that look like Python are not watched */
struct unwatched {
	char *cause, *text; /* malloc'ed: to compare, and for people */
	pid_t first_pid, last_pid;
	unsigned n_processes;
};

struct recorder {
	struct recorder_options options;
	struct clock_map clock;
	struct writer *writer;
	struct redactor *redactor; /* NULL: secrets are kept */
	struct follow *follow;
	struct image_store *images; /* ELF files of native stacks, shared by all processes */
	VEC(struct tap *) taps;
	VEC(struct waiting) waiting;
	VEC(struct process *) processes;
	VEC(struct unwatched) unwatched;
	struct process *first;     /* the first target */
	struct fork_note *forks;   /* [MAX_FORK_NOTES], a ring; NULL: there was none yet */
	size_t n_forks;            /* ever */
	struct named_child *named; /* [MAX_NAMED], a ring; NULL: there was none yet */
	size_t n_named;            /* ever */
	VEC(struct heir) heirs;
	unsigned n_roots, n_interrupts;
	struct launch launch; /* of the program that was launched */
	pid_t launched_pid;
	int launched_status;
	bool launching, launched_ended, leaving, hurry, by_signal, detached, want_detached,
	    recycle_due, paused, limit_reached, viewer_left, masked;
	int signal_fd;
	sigset_t signals, old_mask; /* signals: that signal_fd tells of */
	uint64_t started_ns, heartbeat_ns, check_ns, report_ns, relink_ns, modules_ns,
	    unflushed_since;
	uint64_t n_unserved, n_children;
	uint64_t names_ns;        /* CLOCK_MONOTONIC: when names of threads were last read, */
	int64_t names_left_ns;    /* and for how long that may be done now */
	uint64_t pause_ns;        /* longest of the taps that are over */
	VEC(struct drain) drains; /* scratch of drain.c */
	struct lineup lineup;
	bool is_holding;             /* the last round left something that was too young */
	bool is_resting;             /* nobody should write any more: drain_rest() */
	VEC(struct pollfd) poll_fds; /* scratch of wait_for_more() */
	VEC(struct process *) poll_who;
	uint8_t *record; /* scratch: one record, copied out */
	size_t record_cap;
	/* what is known of the end so far; losses are counted here (recorder_lost()) */
	struct session_end end;
};

/* recorder.c */
/* Events that were raised and are not in the capture: counted, and noted in it at this place.
 * `span_ns`: for how long, 0 not known. process: UINT32_MAX, it could be any. */
void recorder_lost(struct recorder *r, enum end_loss cause, uint32_t process, uint64_t n,
		   uint64_t time_ns, uint64_t span_ns);
/* The first cause counts. */
void recorder_stop(struct recorder *r, enum end_stop why);
/* Ctrl-Z reaches us, and must reach the launched program by way of us */
void recorder_take_stops(struct recorder *r);

/* identity.c */
/* A thread of p by the tid it has for itself; ns_pid: the pid that p has for itself. 0: it has
 * ended, and is not known. *ret_ns_tid: what it is in its own namespace, also where the C library
 * is mistaken. */
uint32_t identity_outer_tid(struct recorder *r, const struct process *p, uint32_t ns_pid,
			    uint32_t tid, uint32_t *ret_ns_tid);

/* process.c */
struct process *process_find(struct recorder *r, pid_t pid); /* that lives; NULL */
/* rt: NULL when it is not (known to be) Python. flags: enum process_flag. NULL when memory is
 * short. */
struct process *process_add(struct recorder *r, pid_t pid, const struct python_runtime *rt,
			    uint32_t flags);
/* as it turned out */
void process_is_python(struct recorder *r, struct process *p, const struct python_runtime *rt);
/* The same for one that is over, and whose number belongs to somebody else by now. */
struct process *process_add_gone(struct recorder *r, pid_t pid, const struct python_runtime *rt,
				 uint32_t flags);
void process_update(struct recorder *r, struct process *p);
void process_read_prefixes(struct recorder *r, struct process *p, struct tap *t);
/* wait(2) status, -1 unknown */
void process_ended(struct recorder *r, struct process *p, int status);
/* the image is over, the process is not */
void process_execed(struct recorder *r, struct process *p);
/* Those that may have the ring of this tap and cannot be looked at: of them it is not known that
 * they are restored. */
void process_tell_unreadable(struct recorder *r, struct tap *t, struct session_end *e);

/* drain.c */
/* probes wait for us as long as it is heard */
void recorder_heartbeat(struct recorder *r, uint64_t now);
/* Take what has arrived in all slots, oldest first; returns bytes. The very youngest may be left:
 * its order is not certain yet. */
uint64_t drain_all(struct recorder *r);
/* Lift the clocks of all rings to the present, and tell which that is: no event that is stamped
 * from now on is older. */
uint64_t recorder_tick(struct recorder *r);
void drain_settle(struct recorder *r);  /* take all that had arrived when it was called */
void drain_rest(struct recorder *r);    /* to the last record; nobody writes any more */
void recycle_ended(struct recorder *r); /* free the slots of images that are over and drained */
void client_remove(struct tap *t, uint32_t slot_index);
/* those that its process has not told itself */
void client_count_losses(struct recorder *r, struct tap *t, uint32_t slot_index);
void client_refresh(struct tap *t, uint32_t slot_index); /* now and then: its threads */
/* Is an event of this name wanted? Tells all probes, too. ctx: struct client. */
bool client_wants(void *ctx, const char *name, uint32_t n_bytes);

/* asks.c: answer threads that ask whether a system call can kill them (abi.h, ring_ask). */
void recorder_answer(struct recorder *r);
void recorder_note_child(struct recorder *r, uint64_t identity, pid_t pid);

/* heirs.c: forked processes share the ring of their parent until it is half full. */
void recorder_note_heir(struct recorder *r, struct tap *t, pid_t pid, uint64_t identity);
/* Was this process born with a ring of which more than half of the slots are spoken for? It counts
 * no more among those that have that ring, and must get another. */
bool recorder_take_scarce(struct recorder *r, pid_t pid, struct heir *ret);
/* It has ended, or is another program. */
void recorder_forget_heir(struct recorder *r, pid_t pid);
/* Those that cannot have it any more: the tap is over (NULL: of any), or they ended unseen. */
void recorder_forget_heirs(struct recorder *r, const struct tap *t);

/* rescue.c */
bool recorder_faulted(void *ctx, pid_t pid, pid_t tid, int signal); /* follow_ops */
/* all threads of that process, from now on */
void recorder_is_traced(struct recorder *r, pid_t pid, bool is_traced);

/* arm.c */
/* Link every runtime of a process that is not yet; the first failure counts only if none succeeds.
 * flags: of a process met for the first time. at_entry: the thread that is in our stop there,
 * before anybody can be in it; 0: none is. */
MUST_CHECK struct err *recorder_arm(struct recorder *r, pid_t pid, pid_t at_entry, uint32_t flags,
				    bool *ret_any);
/* Have what it forks and becomes from now on, and the children that it has: with their Pythons. */
MUST_CHECK struct err *recorder_follow(struct recorder *r, pid_t pid);
MUST_CHECK struct err *recorder_attach_again(struct recorder *r, struct process *p);
void tap_destroy(struct tap *t);
/* runtimes that were finalised or unloaded and may be back */
void recorder_relink(struct recorder *r, uint64_t now);
/* of processes that are armed by their next one */
void recorder_wait_for_events(struct recorder *r);
/* 0: for none; what was not taken out is reported */
void recorder_stop_waiting(struct recorder *r, pid_t pid, struct detach_report *report);
/* events of processes that found no slot are lost */
void recorder_count_unserved(struct recorder *r);
/* twice a second: is everything as we think it is? */
void recorder_check(struct recorder *r, uint64_t now);
bool recorder_is_attached(void *ctx, pid_t pid); /* for link_detach() */
void recorder_warn(struct recorder *r, enum note_kind kind, uint32_t process, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* unwatched.c */
/* A process that may be Python is not watched, for this reason: said at once, and at the end. */
void recorder_unwatched(struct recorder *r, pid_t pid, const struct err *err);
/* A program that is followed and did not start as a Python that can be watched: is it one that
 * cannot be, as an emulator that has loaded its guest, or a 32-bit program? Then it is said, once
 * for each process. is_last: it ends now. */
void recorder_look_for_other(struct recorder *r, struct process *p, bool is_last);
/* The lines of the end, without a newline behind the last; "" if there is nothing to say. */
void recorder_unwatched_say(const struct recorder *r, char *to, size_t cap);
void recorder_unwatched_fini(struct recorder *r);
/* At its exec: has the kernel ignored the set-user-ID bit of its file, because of us? Said in the
 * same way. */
void recorder_look_for_lost_rights(struct recorder *r, pid_t pid);

/* follow_ops */
bool recorder_at_entry(void *ctx, pid_t pid, pid_t tid, bool is_complete);
void recorder_execed(void *ctx, pid_t pid);
void recorder_forked(void *ctx, pid_t parent, pid_t child, bool is_new);
void recorder_born(void *ctx, pid_t pid);
void recorder_cloned(void *ctx, pid_t pid, pid_t tid);
void recorder_unfollowed(void *ctx, pid_t pid, enum self_tracing why);
void recorder_exited(void *ctx, pid_t pid, int status);
void recorder_leaving(void *ctx, pid_t pid); /* with native stacks only */
