/*
 * copier: events of an opened capture → a writer.
 *
 * What an event refers to is copied when the first event needs it: each string, frame, stack and
 * value once, under the id that the writer gives it. So the copy holds nothing that no event of it
 * needs, and several captures share one dictionary. Memory has a bound that does not depend on the
 * captures; so has the number of entries that a capture may add, because a hostile file of a few
 * bytes can describe millions.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/hash_map.h"
#include "base/vec.h"
#include "capture/writer.h"
#include "model/trace.h"

struct copier;
struct id_pool;
struct writer;

/* What captures of one recorder describe together: the same process, or the same thread of it, is
 * one in the copy. A zeroed one is ready for use. */
struct family_member {
	uint64_t identity[4]; /* what tells it from all others of its kind */
	uint32_t to;          /* in the copy */
};
struct family_members {
	VEC(struct family_member) v;
	struct hash_map at; /* identity → index + 1 */
};
struct copier_family {
	struct family_members processes, threads;
};
void copier_family_fini(struct copier_family *f);

struct copier_options {
	struct copier_family *family; /* NULL: every capture has processes of its own */
	/* Added to each time, modulo 2^64. */
	uint64_t shift_ns;
	/* Of all copiers that run side by side. It must outlive them. */
	struct id_pool *pool;
	/* What the capture's own host (number 0) becomes in the copy; NULL: 0 as well. Its strings
	 * are ids of the writer. */
	const struct host_info *host;
	/* For the other hosts: added to their wall-clock anchor. */
	int64_t offset_ns;
	/* If not 0, this host of the capture is the one that the writer's options describe. */
	uint32_t sole_host;
	bool (*wants_note)(void *ctx, const struct note_info *note); /* NULL: all */
	void *note_ctx;
	/* Copy only these: [trace_n_processes()]; NULL = all. Borrowed until copier_processes()
	 * returns. */
	const bool *processes;
};

/* The trace and the writer must outlive the copier. */
MUST_CHECK struct err *copier_create(struct trace *t, struct writer *w,
				     const struct copier_options *o, struct copier **ret);
void copier_destroy(struct copier *c);
DEFINE_CLEANUP(copier);

/* Copy processes and threads that are new or have changed: at first, and after each
 * trace_refresh() that reports processes. */
MUST_CHECK struct err *copier_processes(struct copier *c);

/* The rows of one chunk, from row `from` on. Calls trace_trim(). */
MUST_CHECK struct err *copier_chunk(struct copier *c, uint32_t chunk, uint32_t from);
/* Rows that copier_chunk() has made ready: their times in the copy, and how many there are. */
const uint64_t *copier_times(const struct copier *c, uint32_t *ret_n);
/* Copy row i of them. Failures are the writer's. Calls trace_trim(). */
void copier_event(struct copier *c, uint32_t i);
/* Copy the notes up to event `seq` of the capture that were not passed yet. Those of a process that
 * is not copied are left out, and those that the options' wants_note() refuses. */
void copier_notes(struct copier *c, uint64_t seq);
/* Write a warning about the capture, with its host, at the end of the copy so far. Calls
 * trace_trim(). */
void copier_warn(struct copier *c, uint64_t time_ns, const char *text);

/* Entries were left out because there were more than the capture's size explains. */
bool copier_is_over(const struct copier *c);
