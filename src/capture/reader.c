/*
 * reader: see reader.h.
 *
 * Walking a file without a (good) trailer:
 *
 *   header fits, sizes plausible, checksum right → report the block, continue behind it
 *   runs over the end of the file                → torn at the end or still being written: stop
 *                                                  here, try again later
 *   anything else                                → damage: look for the next place, 8-aligned,
 *                                                  where a block verifies
 *
 * A damaged length can also make a block seem to run over the end. So on the first walk, and
 * whenever more bytes are left than any block can have, the rest is searched too. Searching has a
 * budget: a file that consists of plausible headers must not cost the square of its size.
 */
#include "capture/reader.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "base/io.h"
#include "base/spool.h"
#include "base/vec.h"

#define WINDOW_BYTES (256u << 10)
#define SMALL_BYTES  (16u << 10) /* larger pieces are read by themselves */

struct reader {
	int fd;              /* the spool's if there is one */
	struct spool *spool; /* NULL: the input is a file */
	bool is_stream_over; /* as of the last refresh */
	char *label;
	struct superblock sb;
	uint64_t size, next; /* of the file; where the next block is expected */
	uint64_t n_damaged;
	uint64_t verify_left; /* bytes that searching may still read */
	bool finished, walked, shortened, overwritten;
	uint8_t *buffer; /* one block as stored */
	size_t buffer_cap;
	uint8_t *payload; /* one block, decompressed */
	size_t payload_cap;
	ZSTD_DCtx *zstd;
	uint8_t *window; /* of the file, for walks over small blocks */
	uint64_t window_at;
	size_t window_n;
};

/* Read and check the superblock. */
static struct err *superblock_read(struct reader *r)
{
	const char *label = r->label;
	size_t n = r->size < sizeof(r->sb) ? (size_t)r->size : sizeof(r->sb);
	if (!io_read_at(r->fd, &r->sb, n, 0))
		return err_sys(errno ? errno : EIO, "cannot read %s", label);
	if (memcmp(r->sb.magic, SUPERBLOCK_MAGIC, n < 8 ? n : 8) != 0)
		return err_create(ERR_CORRUPT, "cannot open %s: not a capture", label);
	if (n < sizeof(r->sb))
		return err_create(
		    ERR_CORRUPT,
		    "cannot open %s: cut short after %zu byte%s, before the first event", label, n,
		    n == 1 ? "" : "s");
	if (r->sb.version != CAPTURE_VERSION || (r->sb.features_required & ~CAPTURE_FEATURES))
		return err_with_hint(
		    err_create(
			ERR_UNSUPPORTED,
			"cannot open %s: format %u with features %#x; this program knows format %u",
			label, r->sb.version, r->sb.features_required, CAPTURE_VERSION),
		    "a newer auditview can read it");
	if (XXH3_64bits(&r->sb, offsetof(struct superblock, checksum)) != r->sb.checksum ||
	    r->sb.superblock_bytes < sizeof(r->sb) || r->sb.superblock_bytes % BLOCK_ALIGN)
		return err_create(ERR_CORRUPT, "cannot open %s: its first %zu bytes are damaged",
				  label, sizeof(r->sb));
	return NULL;
}

/* A pipe cannot be read at random: read a copy of it, that grows while more comes. */
static struct err *copy_pipe(struct reader *r)
{
	struct err *err = spool_start(r->fd, r->label, &r->spool);
	r->fd = err ? -1 : spool_fd(r->spool);
	struct stat st = { 0 };
	while (!err && (uint64_t)st.st_size < sizeof(r->sb)) {
		bool is_over = spool_is_over(r->spool);
		if (fstat(r->fd, &st) != 0)
			err = err_sys(errno, "cannot open %s", r->label);
		if (is_over)
			break;
		if ((uint64_t)st.st_size < sizeof(r->sb))
			spool_wait(r->spool, -1);
	}
	return err;
}

struct err *reader_open_fd(int fd, const char *label, struct reader **ret)
{
	CLEANUP(reader) struct reader *r = calloc(1, sizeof(*r));
	if (!r) {
		close(fd);
		return err_no_memory();
	}
	r->fd = fd;
	r->label = strdup(label);
	r->zstd = ZSTD_createDCtx();
	r->window = malloc(WINDOW_BYTES);
	if (!r->label || !r->zstd || !r->window)
		return err_no_memory();
	struct stat st;
	if (fstat(fd, &st) != 0)
		return err_sys(errno, "cannot open %s", label);
	if (S_ISDIR(st.st_mode))
		return err_create(ERR_UNSUPPORTED, "cannot open %s: it is a directory", label);
	if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) {
		struct err *err = copy_pipe(r);
		if (err)
			return err;
		if (fstat(r->fd, &st) != 0)
			return err_sys(errno, "cannot open %s", label);
	}
	if (!S_ISREG(st.st_mode))
		return err_create(ERR_USAGE, "cannot open %s: neither a file nor a pipe", label);
	r->size = (uint64_t)st.st_size;
	if (r->size == 0)
		return err_create(
		    ERR_CORRUPT,
		    r->spool ? "cannot open %s: nothing came before it ended"
			     : "cannot open %s: the file is empty, nothing was captured yet",
		    label);
	struct err *err = superblock_read(r);
	if (err)
		return err;
	r->next = r->sb.superblock_bytes;
	*ret = take_ptr(r);
	return NULL;
}

void reader_destroy(struct reader *r)
{
	if (!r)
		return;
	if (r->spool)
		spool_destroy(r->spool);
	else if (r->fd >= 0)
		close(r->fd);
	ZSTD_freeDCtx(r->zstd);
	free(r->buffer);
	free(r->payload);
	free(r->window);
	free(r->label);
	free(r);
}

static bool header_is_sane(const struct block_header *h)
{
	return h->magic == BLOCK_MAGIC && h->meta_bytes <= BLOCK_META_MAX &&
	       h->stored_bytes <= BLOCK_STORED_MAX && h->raw_bytes <= BLOCK_RAW_MAX &&
	       !(h->flags & ~BLOCK_ZSTD) &&
	       (h->flags & BLOCK_ZSTD || h->raw_bytes == h->stored_bytes);
}

static uint64_t disk_bytes(const struct block_header *h)
{
	return sizeof(*h) + (uint64_t)h->meta_bytes + h->stored_bytes;
}

static uint64_t align_up(uint64_t n)
{
	return (n + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
}

/* Bytes [offset, offset + n) of the file, from the window if it has them, else from the buffer.
 * `onwards`: the following bytes are wanted next, so a small piece moves the window. NULL:
 * unreadable. */
static const uint8_t *bytes_at(struct reader *r, uint64_t offset, size_t n, bool onwards)
{
	if (n <= r->window_n && offset >= r->window_at && offset - r->window_at <= r->window_n - n)
		return r->window + (offset - r->window_at);
	if (onwards && n <= SMALL_BYTES) {
		r->window_at = offset;
		r->window_n = 0;
		if (offset >= r->size)
			return NULL;
		size_t want = r->size - offset < WINDOW_BYTES ? (size_t)(r->size - offset)
							      : WINDOW_BYTES;
		if (n > want || !io_read_at(r->fd, r->window, want, offset))
			return NULL;
		r->window_n = want;
		return r->window;
	}
	if (n > r->buffer_cap) {
		uint8_t *bigger = realloc(r->buffer, n);
		if (!bigger)
			return NULL;
		r->buffer = bigger;
		r->buffer_cap = n;
	}
	return io_read_at(r->fd, r->buffer, n, offset) ? r->buffer : NULL;
}

static bool block_verifies(const struct reader *r, const uint8_t *block)
{
	struct block_header h;
	memcpy(&h, block, sizeof(h));
	uint64_t seed = XXH3_64bits_withSeed(block + sizeof(h),
					     (size_t)h.meta_bytes + h.stored_bytes, r->sb.file_id);
	return XXH3_64bits_withSeed(block, offsetof(struct block_header, checksum), seed) ==
	       h.checksum;
}

enum look { LOOK_GOOD, LOOK_BEYOND_END, LOOK_BAD };

/* Is there a block at `offset`? If LOOK_GOOD, *ret_block points to its bytes, valid until the next
 * call. */
static enum look block_look(struct reader *r, uint64_t offset, const uint8_t **ret_block)
{
	struct block_header h;
	if (offset + sizeof(h) > r->size)
		return LOOK_BEYOND_END;
	const uint8_t *p = bytes_at(r, offset, sizeof(h), true);
	if (!p)
		return LOOK_BAD;
	memcpy(&h, p, sizeof(h));
	if (!header_is_sane(&h))
		return LOOK_BAD;
	if (offset + disk_bytes(&h) > r->size)
		return LOOK_BEYOND_END;
	p = bytes_at(r, offset, (size_t)disk_bytes(&h), true);
	if (!p || !block_verifies(r, p))
		return LOOK_BAD;
	*ret_block = p;
	return LOOK_GOOD;
}

static bool trailer_at(struct reader *r, uint64_t offset, struct trailer *ret)
{
	struct trailer t;
	if (offset + sizeof(t) > r->size || !io_read_at(r->fd, &t, sizeof(t), offset) ||
	    memcmp(t.magic, TRAILER_MAGIC, sizeof(t.magic)) != 0 ||
	    XXH3_64bits_withSeed(&t, offsetof(struct trailer, checksum), r->sb.file_id) !=
		t.checksum)
		return false;
	*ret = t;
	return true;
}

/* Decompress the payload of a verified block to `to`, which has room for h.raw_bytes. */
static bool payload_decompress(struct reader *r, const uint8_t *block, uint8_t *to)
{
	struct block_header h;
	memcpy(&h, block, sizeof(h));
	const uint8_t *stored = block + sizeof(h) + h.meta_bytes;
	if (!(h.flags & BLOCK_ZSTD)) {
		memcpy(to, stored, h.raw_bytes);
		return true;
	}
	size_t n = ZSTD_decompressDCtx(r->zstd, to, h.raw_bytes, stored, h.stored_bytes);
	return !ZSTD_isError(n) && n == h.raw_bytes;
}

static uint8_t *payload_get(struct reader *r, const uint8_t *block)
{
	struct block_header h;
	memcpy(&h, block, sizeof(h));
	uint8_t *raw = malloc(h.raw_bytes ? h.raw_bytes : 1);
	if (raw && !payload_decompress(r, block, raw)) {
		free(raw);
		return NULL;
	}
	return raw;
}

/* The bytes of the block at `ref`, verified; NULL if it is not the block that `ref` was made
 * for. */
static const uint8_t *block_of_ref(struct reader *r, const struct block_ref *ref)
{
	struct block_header h;
	const uint8_t *block = ref->offset && ref->disk_bytes >= sizeof(h)
				   ? bytes_at(r, ref->offset, ref->disk_bytes, false)
				   : NULL;
	if (!block)
		return NULL;
	memcpy(&h, block, sizeof(h));
	bool ok = header_is_sane(&h) && disk_bytes(&h) == ref->disk_bytes &&
		  h.raw_bytes == ref->raw_bytes && block_verifies(r, block);
	return ok ? block : NULL;
}

const uint8_t *reader_peek(struct reader *r, const struct block_ref *ref, const uint8_t **ret_meta,
			   uint32_t *ret_meta_bytes)
{
	const uint8_t *block = block_of_ref(r, ref);
	struct block_header h;
	if (!block)
		return NULL;
	memcpy(&h, block, sizeof(h));
	if (h.raw_bytes > r->payload_cap) {
		uint8_t *bigger = realloc(r->payload, h.raw_bytes);
		if (!bigger)
			return NULL;
		r->payload = bigger;
		r->payload_cap = h.raw_bytes;
	}
	if (ret_meta) {
		*ret_meta = block + sizeof(h);
		*ret_meta_bytes = h.meta_bytes;
	}
	if (!(h.flags & BLOCK_ZSTD))
		return block + sizeof(h) + h.meta_bytes;
	return payload_decompress(r, block, r->payload) ? r->payload : NULL;
}

uint8_t *reader_load(struct reader *r, const struct block_ref *ref)
{
	const uint8_t *block = block_of_ref(r, ref);
	return block ? payload_get(r, block) : NULL;
}

/* ---- by the index ---- */

struct index_part {
	uint8_t *raw;
	size_t n_bytes;
	uint64_t from, to; /* its entries describe blocks in [from, to) */
};
struct index_parts {
	struct index_part *v;
	size_t n, cap;
};

/* Step through the entries of one INDEX block; fn may be NULL to check only. False if they are
 * malformed. */
static bool index_part_walk(const struct index_part *part, reader_block_fn *fn, void *ctx,
			    struct err **ret_err)
{
	const uint8_t *p = part->raw, *end = part->raw + part->n_bytes;
	uint64_t from = part->from;
	while (p < end) {
		uint64_t offset;
		struct block_header h;
		if ((size_t)(end - p) < sizeof(offset) + sizeof(h))
			return false;
		memcpy(&offset, p, sizeof(offset));
		memcpy(&h, p + sizeof(offset), sizeof(h));
		p += sizeof(offset) + sizeof(h);
		if (!header_is_sane(&h) || h.meta_bytes > (size_t)(end - p) || offset < from ||
		    offset % BLOCK_ALIGN || offset >= part->to ||
		    disk_bytes(&h) > part->to - offset)
			return false;
		from = offset + disk_bytes(&h);
		if (fn) {
			struct block_ref ref = { offset, (uint32_t)disk_bytes(&h), h.raw_bytes };
			*ret_err = fn(ctx, &h, &ref, p);
			if (*ret_err)
				return true;
		}
		p += h.meta_bytes;
	}
	return true;
}

/* Collect the INDEX blocks, last first. False if the chain is broken: then the file is walked. */
static bool index_collect(struct reader *r, uint64_t offset, struct index_parts *parts)
{
	for (;;) {
		const uint8_t *block;
		struct block_header h;
		uint64_t before;
		if (offset < r->sb.superblock_bytes || offset % BLOCK_ALIGN ||
		    block_look(r, offset, &block) != LOOK_GOOD)
			return false;
		memcpy(&h, block, sizeof(h));
		const uint8_t *meta = block + sizeof(h);
		if (h.type != BLOCK_INDEX ||
		    !varint_get(&meta, block + sizeof(h) + h.meta_bytes, &before) ||
		    (before && before >= offset))
			return false;
		struct index_part part = { payload_get(r, block), h.raw_bytes,
					   before ? before : r->sb.superblock_bytes, offset };
		struct err *unused = NULL;
		if (!part.raw || !index_part_walk(&part, NULL, NULL, &unused) ||
		    !vec_push(parts, part)) {
			free(part.raw);
			return false;
		}
		if (!before)
			return true;
		offset = before;
	}
}

static bool index_read(struct reader *r, reader_block_fn *fn, void *ctx, struct err **ret_err)
{
	struct trailer t;
	struct index_parts parts = { 0 };
	bool ok = false;
	if (r->size < r->sb.superblock_bytes + sizeof(t) || !trailer_at(r, r->size - sizeof(t), &t))
		return false;
	if (index_collect(r, t.index_offset, &parts)) {
		ok = true;
		for (size_t i = parts.n; i-- > 0 && !*ret_err;)
			index_part_walk(&parts.v[i], fn, ctx, ret_err);
		r->finished = true;
		r->next = r->size;
	}
	for (size_t i = 0; i < parts.n; i++)
		free(parts.v[i].raw);
	vec_fini(&parts);
	return ok;
}

/* ---- by walking ---- */

/* The first place at or after `from` where a block verifies; 0 if there is none within the
 * budget. */
static uint64_t block_search(struct reader *r, uint64_t from)
{
	for (uint64_t at = align_up(from); at + sizeof(struct block_header) <= r->size;
	     at += BLOCK_ALIGN) {
		const uint8_t *p = bytes_at(r, at, sizeof(struct block_header), true), *block;
		struct block_header h;
		if (!p)
			return 0;
		memcpy(&h, p, sizeof(h));
		if (h.magic != BLOCK_MAGIC || !header_is_sane(&h))
			continue;
		if (disk_bytes(&h) > r->verify_left)
			return 0;
		r->verify_left -= disk_bytes(&h);
		if (block_look(r, at, &block) == LOOK_GOOD)
			return at;
	}
	return 0;
}

static struct err *walk(struct reader *r, reader_block_fn *fn, void *ctx)
{
	bool first = !r->walked;
	r->walked = true;
	if (first)
		r->verify_left = 4 * r->size + (64u << 20);
	r->window_n = 0;
	while (r->next < r->size && !r->finished) {
		const uint8_t *block;
		struct trailer t;
		enum look look = block_look(r, r->next, &block);
		if (look != LOOK_GOOD && trailer_at(r, r->next, &t)) {
			r->finished = true;
			r->next += sizeof(t);
			break;
		}
		if (look != LOOK_GOOD) {
			/* The rest of a bad block at the end of the file may still be in the
			 * process of being written. */
			bool may_grow = look == LOOK_BEYOND_END &&
					r->size - r->next <= sizeof(struct block_header) +
								 BLOCK_META_MAX + BLOCK_STORED_MAX;
			if (may_grow && !first)
				break;
			uint64_t found = block_search(r, r->next + BLOCK_ALIGN);
			if (!found)
				break;
			r->n_damaged += found - r->next;
			r->next = found;
			continue;
		}
		struct block_header h;
		memcpy(&h, block, sizeof(h));
		struct block_ref ref = { r->next, (uint32_t)disk_bytes(&h), h.raw_bytes };
		if (h.type != BLOCK_INDEX) {
			struct err *err = fn(ctx, &h, &ref, block + sizeof(h));
			if (err)
				return err;
		}
		r->next = align_up(r->next + ref.disk_bytes);
	}
	return NULL;
}

struct err *reader_refresh(struct reader *r, reader_block_fn *fn, void *ctx)
{
	struct stat st;
	struct superblock sb;
	if (r->spool) /* before the size is read, so that nothing can come after it */
		r->is_stream_over = spool_is_over(r->spool);
	/* Blocks of another capture do not verify and would be reported as damage, so look for
	 * another file id first. */
	if (!io_read_at(r->fd, &sb, sizeof(sb), 0) ? errno == 0
						   : memcmp(&sb, &r->sb, sizeof(sb)) != 0)
		r->overwritten = true;
	if (r->overwritten)
		return NULL;
	if (fstat(r->fd, &st) != 0)
		return err_sys(errno, "cannot look at %s", r->label);
	if (r->finished) {
		r->shortened |= (uint64_t)st.st_size < r->next;
		return NULL;
	}
	if (r->walked && (uint64_t)st.st_size == r->size)
		return NULL;
	if ((uint64_t)st.st_size > r->size)
		r->verify_left += 4 * ((uint64_t)st.st_size - r->size);
	r->size = (uint64_t)st.st_size;
	if (r->size < r->next) {
		r->shortened = true;
		return NULL;
	}
	struct err *err = NULL;
	if (!r->walked && index_read(r, fn, ctx, &err))
		return err;
	return walk(r, fn, ctx);
}

uint64_t reader_wall_anchor_ns(const struct reader *r)
{
	return r->sb.wall_anchor_ns;
}

bool reader_is_finished(const struct reader *r)
{
	return r->finished;
}

uint64_t reader_n_bytes(const struct reader *r)
{
	return r->next;
}

uint64_t reader_n_bytes_tail(const struct reader *r)
{
	return r->size > r->next ? r->size - r->next : 0;
}

uint64_t reader_n_bytes_damaged(const struct reader *r)
{
	return r->n_damaged;
}

bool reader_was_overwritten(const struct reader *r)
{
	return r->overwritten;
}

bool reader_was_shortened(const struct reader *r)
{
	return r->shortened;
}

int reader_fd(const struct reader *r)
{
	return r->fd;
}

void reader_forget(struct reader *r)
{
	if (r->spool)
		spool_forget(r->spool);
}

bool reader_is_stream(const struct reader *r)
{
	return r->spool != NULL;
}

bool reader_is_over(const struct reader *r)
{
	return r->finished || r->is_stream_over;
}

int reader_stream_errno(const struct reader *r)
{
	return r->spool ? spool_errno(r->spool) : 0;
}

void reader_wait(struct reader *r, int timeout_ms)
{
	if (r->spool)
		spool_wait(r->spool, timeout_ms);
	else
		poll(NULL, 0, timeout_ms);
}
