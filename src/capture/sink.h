/*
 * sink: blocks → file. The part of the writer that knows bytes and descriptors, and no events.
 *
 * Blocks are compressed, sealed with a checksum and written whole; their headers are kept for the
 * next INDEX block. After a failed write all further blocks are dropped, and the torn block is
 * truncated if possible.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "capture/block.h"
#include "capture/outflow.h"

struct new_file;
struct sink;

/* Takes over the file, also on failure. */
MUST_CHECK struct err *sink_open(struct new_file *file, uint64_t wall_anchor_ns, bool no_compress,
				 struct sink **ret);
/* Write the index of the blocks since the last index, and the trailer; then the file gets its final
 * name. If a write fails it keeps its current name, and the error says which. Always frees s. */
MUST_CHECK struct err *sink_close(struct sink *s, uint64_t n_events);
void sink_destroy(struct sink *s); /* closes without an index: the file keeps its current name */
void sink_discard(struct sink *s); /* removes the file; what it would have replaced stays */

/* From now on compress less, in a third of the time; or as usual again. */
void sink_hurry(struct sink *s, bool on);
/* Append a block. `meta` and `raw` may be empty. */
void sink_block(struct sink *s, enum block_type type, const struct strbuf *meta,
		const struct strbuf *raw);
/* Copy all further blocks to an unnamed file as well. The copy can be read back if the file is a
 * stream, or before others see the new blocks. Only directly after opening. */
MUST_CHECK struct err *sink_copy_open(struct sink *s);
/* The descriptor of the copy; -1 if there is none, or the sink is broken. */
int sink_copy_fd(const struct sink *s);
/* Append this block to the copy only. Returns the descriptor of the copy, -1 if the sink is
 * broken. */
int sink_copy_try(struct sink *s, enum block_type type, const struct strbuf *meta,
		  const struct strbuf *raw);
/* write the tried block to the file too */
void sink_copy_accept(struct sink *s, const struct strbuf *meta);
/* drop the tried block and the copy: no further block may be tried */
void sink_copy_reject(struct sink *s);
void sink_fail(struct sink *s, struct err *err); /* mark the sink broken, with this error */
/* ---- of a stream: a pipe or socket is written without waiting for its reader (outflow.h) ---- */

void sink_set_wait(struct sink *s, struct outflow_wait wait);
size_t sink_n_waiting(const struct sink *s); /* bytes that the reader has not taken yet */
void sink_push(struct sink *s);              /* write what can be written now */
int sink_stream_fd(const struct sink *s);    /* to poll; -1: no stream that could make us wait */
void sink_reader_left(struct sink *s);       /* mark the sink broken with EPIPE */

/* The pending error, returned once; NULL if there is none. */
MUST_CHECK struct err *sink_error_take(struct sink *s);
/* Mark the sink broken: memory is short. */
void sink_break(struct sink *s);
/* Is it a pipe whose reader has left, and sink_error_take() has not said so yet? */
bool sink_has_no_reader(const struct sink *s);
bool sink_is_broken(const struct sink *s);
uint64_t sink_n_bytes(const struct sink *s);
const struct new_file *sink_file(const struct sink *s); /* borrowed */
