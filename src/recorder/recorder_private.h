/*
 * recorder_private: the recorder's own state, shared by its files only.
 */
#pragma once
#include <signal.h>

#include "base/vec.h"
#include "capture/writer.h"
#include "recorder/clock.h"
#include "recorder/recorder.h"

struct decoder;
struct native_context;
struct remote_mem;
struct writer;

struct source;

struct process {
	pid_t pid;
	int pidfd;                 /* -1: ended, or the kernel has none */
	uint32_t index;            /* in the capture */
	bool ended;
	int status;
	unsigned prefix_tries;
	struct source *source;     /* whose ring it writes to */
	struct process_info info;
};

struct client {
	struct recorder *recorder;
	struct source *source;
	struct process *process;
	struct decoder *decoder;
	struct remote_mem *mem;    /* for thread names; opened when first needed */
	uint32_t ns_pid;
	bool muted;                /* a forked child that nobody asked for */
	uint64_t claimed_tsc, tail, n_lost, n_bad;
};

struct source {
	struct link *link;
	struct process *process;   /* the one that was armed */
	struct client **clients;   /* [n_slots] */
	uint32_t n_slots, slots_off, seen_claims, n_verdicts, root_ns_pid;
	uint64_t data_bytes, slot_bytes, armed_ns;
	bool other_pid_ns, finalised, gone;
	struct native_context *native;
};

struct recorder {
	struct recorder_options options;
	struct clock_map clock;
	struct writer *writer;
	struct follow *follow;
	VEC(struct source *) sources;
	VEC(struct process *) processes;
	struct process *first;     /* the first target */
	unsigned n_roots, n_interrupts;
	pid_t launched_pid;
	int launched_status;
	bool launching, launched_ended, first_execed, leaving, hurry, by_signal, paused, limit_reached, viewer_left, restored, masked;
	int signal_fd;
	sigset_t old_mask;
	uint64_t started_ns, heartbeat_ns, check_ns, report_ns, unflushed_since;
	uint64_t n_lost, n_unserved, n_children;
	const char *const *known_names;
	size_t n_known_names;
	uint8_t *record;           /* scratch: one record, copied out */
	size_t record_cap;
	struct recorder_summary final;
};

/* follow_ops */
bool recorder_at_entry(void *ctx, pid_t pid);
void recorder_execed(void *ctx, pid_t pid);
void recorder_forked(void *ctx, pid_t parent, pid_t child);
void recorder_exited(void *ctx, pid_t pid, int status);

/* native.c: NULL when native stacks are not wanted. Freed with the source. */
struct native_context *native_context_for(struct recorder *r, struct source *s, pid_t pid);
void native_context_free(struct source *s);
