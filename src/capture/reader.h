/*
 * reader: file → blocks. Finds and loads the blocks of a capture that is finished, growing, cut
 * short or damaged.
 *
 * It knows blocks and checksums, not their contents. A finished file is opened by its index alone;
 * without an index the blocks are walked and each is verified, and after a damaged stretch the walk
 * continues at the next block that verifies. It reads with pread(2), so a file that another process
 * truncates gives an error and not a SIGBUS. One block is at most BLOCK_RAW_MAX.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "capture/block.h"

struct reader;

/* Where a block is: enough to load it later. */
struct block_ref {
	uint64_t offset;     /* 0 = nowhere */
	uint32_t disk_bytes; /* header, meta and payload */
	uint32_t raw_bytes;
};

/* Takes over fd, also on failure. A pipe or socket is followed: reader_refresh() reports what has
 * come through it. Waits until a capture begins there. `label` names the file in
 * messages. Errors: ERR_CORRUPT, ERR_UNSUPPORTED, ERR_SYS. */
MUST_CHECK struct err *reader_open_fd(int fd, const char *label, struct reader **ret);
void reader_destroy(struct reader *r);
DEFINE_CLEANUP(reader);

/* Called for each block in file order, except INDEX blocks; `meta` is borrowed for the call. */
typedef struct err *reader_block_fn(void *ctx, const struct block_header *h,
				    const struct block_ref *ref, const uint8_t *meta);
/* Report the blocks that became complete since the last call. */
MUST_CHECK struct err *reader_refresh(struct reader *r, reader_block_fn *fn, void *ctx);

/* Load the payload, verified and decompressed: ref->raw_bytes bytes, borrowed until the next call
 * of reader_peek(), _load() or _refresh(). `ret_meta` (may be NULL) gets the meta, borrowed
 * likewise. NULL if it cannot be read or memory is short. */
const uint8_t *reader_peek(struct reader *r, const struct block_ref *ref, const uint8_t **ret_meta,
			   uint32_t *ret_meta_bytes);
/* The payload alone, malloc'ed. */
uint8_t *reader_load(struct reader *r, const struct block_ref *ref);

uint64_t reader_wall_anchor_ns(const struct reader *r);
bool reader_is_finished(const struct reader *r);      /* its writer closed it properly */
uint64_t reader_n_bytes(const struct reader *r);      /* of the blocks that were reported */
uint64_t reader_n_bytes_tail(const struct reader *r); /* after them, not (yet) a complete block */
/* skipped before that, because no block was found there */
uint64_t reader_n_bytes_damaged(const struct reader *r);
/* another capture was written into the file: no more blocks are read from it */
bool reader_was_overwritten(const struct reader *r);
/* the file is now shorter than what was read from it */
bool reader_was_shortened(const struct reader *r);
int reader_fd(const struct reader *r);         /* borrowed, for fstat and inotify */
bool reader_is_stream(const struct reader *r); /* the input is a pipe or socket */
/* After fork(2), in the process that does not go on: destroy it then; the other reads on. */
void reader_forget(struct reader *r);
/* As of the last refresh, nothing more will come: the file is finished, or the stream has ended. */
bool reader_is_over(const struct reader *r);
/* errno that ended the copying of a stream before its time; 0: none, or the input is a file */
int reader_stream_errno(const struct reader *r);
/* Wait until there may be more, at most timeout_ms. Of a file that is not known: it waits that
 * long. */
void reader_wait(struct reader *r, int timeout_ms);
