/*
 * decoder: ring records of one process → entries and events of the capture.
 *
 * Bytes come from the target and may change while they are looked at: a record is copied out first,
 * and nothing in the copy is believed. A decoder belongs to one claim of one slot: code ids and
 * stacks are its own, threads those of the process image. What it interns lives in the writer.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct native_context;
struct record;
struct redactor;
struct writer;

struct decoder;

struct decoder_options {
	struct writer *writer;     /* borrowed */
	unsigned minor;            /* of Python 3 */
	uint32_t process;          /* index in the capture */
	struct redactor *redactor; /* borrowed; NULL keeps secrets in (redact.h) */
	/* The first time a thread is seen, and again while it has no name; may be NULL. *ret_name:
	 * string id, 0 unknown; ret_name may be NULL: the thread has told its name. False: not
	 * looked for, there was no time. */
	bool (*thread_name)(void *ctx, uint32_t tid, uint32_t *ret_host_tid, uint32_t *ret_ns_tid,
			    uint32_t *ret_name);
	/* Has that thread ended, for certain? May be NULL: that cannot be told. */
	bool (*thread_is_over)(void *ctx, uint32_t tid);
	/* Is an event of this name wanted? NULL: all are. Asked once per name and decoder. */
	bool (*wants)(void *ctx, const char *name, uint32_t n_bytes);
	/* A code object of this file was defined, before any event that has it on its stack; may be
	 * NULL. */
	void (*file_seen)(void *ctx, const char *file, size_t n_bytes);
	/* Which arguments of an event of this name may be descriptors, and whether it opens one
	 * (fd_names_of()); and what they were: a value id. `look` is called before such an event is
	 * written. NULL: neither is asked. */
	uint32_t (*descriptors)(const char *name, size_t n_bytes);
	uint32_t (*look)(void *ctx, uint32_t wanted, const uint8_t *args, size_t n_bytes,
			 uint64_t time_ns);
	void *ctx;
	struct native_context *native; /* for RECORD_NATIVE; NULL: native parts are ignored */
	/* of another slot of the same process image: its threads are ours too; NULL */
	struct decoder *kin;
};

MUST_CHECK struct err *decoder_create(const struct decoder_options *options, struct decoder **ret);
void decoder_destroy(struct decoder *d); /* NULL is fine */

/* Write one RECORD_EVENT, n_bytes long. time_ns: capture time. False if the record is malformed (it
 * is then counted in n_bad and left out). */
bool decoder_event(struct decoder *d, const struct record *record, size_t n_bytes,
		   uint64_t time_ns);

/* The writer has begun another file: ids of values, stacks and threads are no longer valid. */
void decoder_turn(struct decoder *d);

uint64_t decoder_n_events(const struct decoder *d); /* written */
uint64_t decoder_n_bad(const struct decoder *d);

/* Threads whose name was not known when they were first seen: ask again. Those that have ended are
 * forgotten, once what they wrote before is taken. is_drained: all that the ring held a moment ago
 * is. To be called now and then. */
void decoder_refresh_threads(struct decoder *d, bool is_drained);
size_t decoder_n_threads(const struct decoder *d); /* known at the moment */
