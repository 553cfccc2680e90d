/*
 * native: the native part of a record → one stack, Python and native frames merged.
 *
 * A context belongs to one process (one exec of it). Frames are named once per pc; slices are
 * unwound where they lie and never kept.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct image_store;
struct native_context;
struct record_event;
struct writer;

struct native_options {
	pid_t pid;                 /* as seen by the recorder */
	struct image_store *store; /* shared by all contexts of a recorder; must outlive them */
	struct writer *writer;
	unsigned minor; /* of Python 3 */
	/* an address in the module that holds _PyRuntime and the evaluator */
	uint64_t runtime;
	/* --stack=both: merge; else (native) leave the Python frames out */
	bool python_frames;
	/* Called before each stack, each frame that is not known yet, and each step of
	 * native_context_create(). To read the tables of a module takes milliseconds of CPU time,
	 * and to name a frame may take a wait for another process (namer.h): on a loaded machine
	 * tenths of a second each. */
	void (*alive)(void *ctx);
	void *ctx;
	struct native_context *parent; /* of a forked child, for when it is gone before its maps
					  were read; may be NULL */
};

/* Reads the maps at once; a process that is gone already gets its parent's, or none. */
MUST_CHECK struct err *native_context_create(const struct native_options *options,
					     struct native_context **ret);
/* one more user, who destroys it too; NULL is fine */
struct native_context *native_context_ref(struct native_context *n);
void native_context_destroy(struct native_context *n);
DEFINE_CLEANUP(native_context);

/* The writer has begun another file: ids of stacks are no longer valid. */
void native_context_turn(struct native_context *n);
/* Read the maps now, for a process that is about to end. */
void native_context_refresh(struct native_context *n);

/* `bytes` is what follows the frame stream: struct record_native, anchors, slice. `python`: frame
 * ids, innermost first. Returns a stack id; may add EVENT_NATIVE_CUT and EVENT_UNMERGED to
 * *flags. */
uint32_t native_stack(struct native_context *n, const struct record_event *e, const uint8_t *bytes,
		      size_t n_bytes, const uint32_t *python, size_t n_python, uint32_t *flags);
