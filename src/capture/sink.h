/*
 * sink: blocks → file. The part of the writer that knows bytes and descriptors, and nothing of
 * events.
 *
 * Blocks are compressed, sealed with a checksum and written whole; headers are remembered for the
 * next INDEX block. After the first failed write everything is dropped; what a failed write left
 * behind is cut off again where that is possible.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "capture/block.h"

struct new_file;
struct sink;

/* Takes over the file, also on failure. */
MUST_CHECK struct err *sink_open(struct new_file *file, uint64_t wall_anchor_ns, bool no_compress,
				 struct sink **ret);
/* Write the index of what came since the last one and the trailer; the file takes its place. If it
 * could not be written in full, it keeps the name it has, and the error says which. Always frees.
 */
MUST_CHECK struct err *sink_close(struct sink *s, uint64_t n_events);
void sink_destroy(struct sink *s); /* close without index: the file keeps the name it has */
void sink_discard(struct sink *s); /* the file is removed, and what it would have replaced stays */

/* Append a block. `meta` and `raw` may be empty. */
void sink_block(struct sink *s, enum block_type type, const struct strbuf *meta,
		const struct strbuf *raw);
/* From here on all goes into a copy as well, a file without a name, which can be read: of a stream,
 * or before others see what is new. Only directly after opening. */
MUST_CHECK struct err *sink_copy_open(struct sink *s);
/* The descriptor of the copy, with this block at its end; the file itself does not have it yet. -1
 * when the sink is broken. */
int sink_copy_try(struct sink *s, enum block_type type, const struct strbuf *meta,
		  const struct strbuf *raw);
void sink_copy_accept(struct sink *s, const struct strbuf *meta); /* the file gets it, too */
/* it is forgotten, and so is the copy: there are no further ones */
void sink_copy_reject(struct sink *s);
void sink_fail(struct sink *s, struct err *err); /* give up, with this error */
/* The pending error is handed out once; NULL if there is none. */
MUST_CHECK struct err *sink_error_take(struct sink *s);
/* Give up: memory is short. */
void sink_break(struct sink *s);
bool sink_is_broken(const struct sink *s);
uint64_t sink_n_bytes(const struct sink *s);
const struct new_file *sink_file(const struct sink *s); /* borrowed */
