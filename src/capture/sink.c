/*
 * sink: see sink.h.
 *
 * A block is written by one write(2), so that a reader that follows the file sees it whole or torn
 * at its end, never with a hole.
 */
#include "capture/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "base/hash_map.h"
#include "base/io.h"
#include "base/new_file.h"
#include "capture/dictionary.h"
#include "capture/outflow.h"

#define INDEX_EVERY_BLOCKS 1024u
#define INDEX_BYTES_MAX    (4u << 20)
/* Measured on 1 M events of real shape: level 3 for all 7.31 B/event, 5 for all 7.12, 7 for all
 * 6.93. Dictionary blocks are a tenth of the bytes, so a higher level for them costs little. */
#define EVENT_ZSTD_LEVEL      5
#define DICTIONARY_ZSTD_LEVEL 7
#define HURRY_ZSTD_LEVEL      1

struct sink {
	struct new_file *file;
	uint64_t file_id, wall_anchor_ns, n_bytes;
	uint64_t last_index; /* offset of the last INDEX block; 0 none */
	uint32_t n_blocks, n_indexed;
	bool no_compress, is_in_hurry, broken;
	struct err *err;           /* not returned yet */
	struct outflow out_stream; /* of a stream */
	struct outflow_wait wait;
	int copy;                  /* -1: there is none */
	struct block_header tried; /* of the block that only the copy has so far */
	ZSTD_CCtx *zstd;
	struct strbuf out, index; /* the block being built; entries of the next INDEX block */
};

void sink_fail(struct sink *s, struct err *err)
{
	s->broken = true;
	if (s->err)
		err_destroy(err);
	else
		s->err = err;
}

void sink_break(struct sink *s)
{
	if (!s->broken)
		sink_fail(s, err_no_memory());
}

/* Write to fd until all bytes are written; or, if there is a stream, queue them for it and write
 * what it takes. SIGPIPE and SIGXFSZ would kill us for an ordinary EPIPE or EFBIG, so both are
 * blocked meanwhile. The kernel sends them to the thread that writes (signal(7)), so a pending one
 * can be consumed here. */
static int write_quietly(struct outflow *stream, int fd, const char *p, size_t n_bytes)
{
	sigset_t block, before, pending;
	int sys = 0;
	sigemptyset(&block);
	sigaddset(&block, SIGPIPE);
	sigaddset(&block, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &block, &before);
	if (stream)
		sys = outflow_add(stream, p, n_bytes);
	else if (!io_write(fd, p, n_bytes))
		sys = errno;
	if (sys == EPIPE || sys == EFBIG) {
		sigpending(&pending);
		static const struct timespec at_once;
		int signal_number = sys == EPIPE ? SIGPIPE : SIGXFSZ;
		if (sigismember(&pending, signal_number) && !sigismember(&before, signal_number)) {
			sigset_t one;
			sigemptyset(&one);
			sigaddset(&one, signal_number);
			sigtimedwait(&one, NULL, &at_once);
		}
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return sys;
}

static void copy_append(struct sink *s, const void *p, size_t n_bytes)
{
	int sys = s->copy < 0 ? 0 : write_quietly(NULL, s->copy, p, n_bytes);
	if (sys)
		sink_fail(s, err_sys(sys, "cannot write the copy of %s that is needed meanwhile",
				     new_file_path(s->file)));
}

/* What is in the file yet, and what to do. */
static struct err *with_cure(const struct sink *s, struct err *err, int sys)
{
	const char *cure = sys == ENOSPC || sys == EDQUOT ? "make room, or use -o on another disk"
			   : sys == EFBIG                 ? "see ulimit -f"
							  : "";
	if (!s->n_bytes) /* the file is removed again */
		return *cure ? err_with_hint(err, "%s", cure) : err;
	return err_with_hint(err, "what was captured before is kept in %s%s%s",
			     new_file_now_at(s->file), *cure ? "; " : "", cure);
}

static void append(struct sink *s, const void *p, size_t n_bytes)
{
	bool is_stream = new_file_is_stream(s->file);
	int fd = new_file_fd(s->file),
	    sys = write_quietly(is_stream ? &s->out_stream : NULL, fd, p, n_bytes);
	if (!sys) {
		s->n_bytes += n_bytes;
		return;
	}
	struct err *err = err_sys(sys, "cannot write to %s", new_file_path(s->file));
	/* of a stream it is unknown whether the bytes were written */
	if (!is_stream)
		err = with_cure(s, err, sys);
	sink_fail(s, err);
	if (!is_stream && ftruncate(fd, (off_t)s->n_bytes) != 0)
		return; /* a torn block remains at the end: readers ignore it */
}

static void superblock_make(const struct sink *s, struct superblock *ret)
{
	struct superblock sb = {
		.version = CAPTURE_VERSION,
		.superblock_bytes = sizeof(sb),
		.features_required = CAPTURE_FEATURES,
		.file_id = s->file_id,
		.wall_anchor_ns = s->wall_anchor_ns,
	};
	memcpy(sb.magic, SUPERBLOCK_MAGIC, sizeof(sb.magic));
	sb.checksum = XXH3_64bits(&sb, offsetof(struct superblock, checksum));
	*ret = sb;
}

struct err *sink_open(struct new_file *file, uint64_t wall_anchor_ns, bool no_compress,
		      struct sink **ret)
{
	struct sink *s = calloc(1, sizeof(*s));
	if (!s) {
		new_file_destroy(file);
		return err_no_memory();
	}
	*s = (struct sink){
		.file = file, .copy = -1, .zstd = ZSTD_createCCtx(), .no_compress = no_compress
	};
	if (!s->zstd) {
		sink_discard(s);
		return err_no_memory();
	}
	if (new_file_is_terminal(file)) {
		struct err *err = err_create(
		    ERR_USAGE, "a capture is binary: it cannot be written to a terminal");
		sink_discard(s);
		return err_with_hint(err, "say -o FILE, or send it through a pipe");
	}
	if (new_file_is_stream(file))
		outflow_init(&s->out_stream, new_file_fd(file));
	s->file_id = hash_map_seed();
	s->wall_anchor_ns = wall_anchor_ns;
	struct superblock sb;
	superblock_make(s, &sb);
	append(s, &sb, sizeof(sb));
	/* If a pipe has no reader any more, the next sink_error_take() says so: a program that is
	 * to be launched must run nevertheless, as it does if the reader leaves a moment later. */
	if (s->broken && !sink_has_no_reader(s)) {
		struct err *err = sink_error_take(s);
		sink_discard(s);
		return err;
	}
	*ret = s;
	return NULL;
}

void sink_hurry(struct sink *s, bool on)
{
	s->is_in_hurry = on;
}

static void release(struct sink *s)
{
	if (s->out_stream.fd > 0)
		outflow_fini(&s->out_stream);
	err_destroy(s->err);
	if (s->copy >= 0)
		close(s->copy);
	ZSTD_freeCCtx(s->zstd);
	strbuf_fini(&s->out);
	strbuf_fini(&s->index);
	free(s);
}

void sink_destroy(struct sink *s)
{
	if (!s)
		return;
	struct new_file *file = s->file;
	release(s);
	new_file_keep(file);
}

void sink_discard(struct sink *s)
{
	if (!s)
		return;
	struct new_file *file = s->file;
	release(s);
	new_file_destroy(file);
}

/* Append the payload of the block to s->out, compressed if that makes it smaller. */
static bool payload_add(struct sink *s, const struct strbuf *raw, struct block_header *h)
{
	int level = h->type == BLOCK_EVENT ? EVENT_ZSTD_LEVEL : DICTIONARY_ZSTD_LEVEL;
	if (s->is_in_hurry)
		level = HURRY_ZSTD_LEVEL;
	size_t at = s->out.n, bound = ZSTD_compressBound(raw->n);
	h->raw_bytes = (uint32_t)raw->n;
	h->stored_bytes = h->raw_bytes;
	if (!s->no_compress && raw->n > 32) {
		strbuf_add_repeat(&s->out, 0, bound);
		if (s->out.failed)
			return false;
		ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, level);
		size_t n = ZSTD_compress2(s->zstd, s->out.s + at, bound, raw->s, raw->n);
		if (!ZSTD_isError(n) && n < raw->n) {
			strbuf_cut(&s->out, at + n);
			h->stored_bytes = (uint32_t)n;
			h->flags = BLOCK_ZSTD;
			return true;
		}
		strbuf_cut(&s->out, at);
	}
	strbuf_add(&s->out, raw->s, raw->n);
	return !s->out.failed;
}

static void index_write(struct sink *s);

/* Build the whole block in s->out. */
static bool block_build(struct sink *s, enum block_type type, const struct strbuf *meta,
			const struct strbuf *raw, struct block_header *ret)
{
	struct block_header h = { .magic = BLOCK_MAGIC,
				  .type = (uint16_t)type,
				  .sequence = s->n_blocks };
	static const char zeros[BLOCK_ALIGN];

	h.meta_bytes = (uint32_t)meta->n;
	strbuf_clear(&s->out);
	strbuf_add(&s->out, &h, sizeof(h));
	strbuf_add(&s->out, meta->s, meta->n);
	if (!payload_add(s, raw, &h)) {
		sink_break(s);
		return false;
	}
	uint64_t seed = XXH3_64bits_withSeed(s->out.s + sizeof(h), s->out.n - sizeof(h),
					     s->file_id);
	h.checksum = XXH3_64bits_withSeed(&h, offsetof(struct block_header, checksum), seed);
	memcpy(s->out.s, &h, sizeof(h));
	strbuf_add(&s->out, zeros, -s->out.n % BLOCK_ALIGN);
	if (s->out.failed)
		sink_break(s);
	*ret = h;
	return !s->broken;
}

/* Write the block in s->out to the file. */
static void block_put(struct sink *s, const struct block_header *h, const struct strbuf *meta)
{
	uint64_t offset = s->n_bytes;
	append(s, s->out.s, s->out.n);
	if (s->broken)
		return;
	s->n_blocks++;
	if (h->type == BLOCK_INDEX) {
		s->last_index = offset;
		return;
	}
	strbuf_add(&s->index, &offset, sizeof(offset));
	strbuf_add(&s->index, h, sizeof(*h));
	strbuf_add(&s->index, meta->s, meta->n);
	s->n_indexed++;
}

static void block_write(struct sink *s, enum block_type type, const struct strbuf *meta,
			const struct strbuf *raw)
{
	struct block_header h;
	if (!block_build(s, type, meta, raw, &h))
		return;
	copy_append(s, s->out.s, s->out.n);
	if (!s->broken)
		block_put(s, &h, meta);
}

/* meta: varint offset of the previous INDEX block (0 = none), varint number of entries. */
static void index_write(struct sink *s)
{
	struct strbuf meta = { 0 }, entries = s->index;
	uint8_t varints[2 * VARINT_MAX];
	size_t n = varint_put(varints, s->last_index);
	n += varint_put(varints + n, s->n_indexed);
	strbuf_add(&meta, varints, n);
	s->index = (struct strbuf){ 0 };
	s->n_indexed = 0;
	if (meta.failed || entries.failed)
		sink_break(s);
	else
		block_write(s, BLOCK_INDEX, &meta, &entries);
	strbuf_fini(&meta);
	strbuf_fini(&entries);
}

static void index_write_if_due(struct sink *s, const struct strbuf *meta, const struct strbuf *raw)
{
	if (s->broken)
		return;
	if (meta->failed || raw->failed)
		sink_break(s);
	else if (s->n_indexed >= INDEX_EVERY_BLOCKS || s->index.n + meta->n > INDEX_BYTES_MAX)
		index_write(s);
}

void sink_block(struct sink *s, enum block_type type, const struct strbuf *meta,
		const struct strbuf *raw)
{
	index_write_if_due(s, meta, raw);
	if (!s->broken)
		block_write(s, type, meta, raw);
}

struct err *sink_copy_open(struct sink *s)
{
	const char *folder = getenv("TMPDIR");
	struct superblock sb;
	s->copy = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s->copy < 0)
		s->copy = memfd_create("auditview-copy", MFD_CLOEXEC);
	if (s->copy < 0)
		return err_sys(errno, "cannot make room for a copy of the capture");
	superblock_make(s, &sb);
	copy_append(s, &sb, sizeof(sb));
	return sink_error_take(s);
}

int sink_copy_fd(const struct sink *s)
{
	return s->broken ? -1 : s->copy;
}

int sink_copy_try(struct sink *s, enum block_type type, const struct strbuf *meta,
		  const struct strbuf *raw)
{
	index_write_if_due(s, meta, raw);
	if (s->broken || !block_build(s, type, meta, raw, &s->tried))
		return -1;
	copy_append(s, s->out.s, s->out.n);
	return s->broken ? -1 : s->copy;
}

void sink_copy_accept(struct sink *s, const struct strbuf *meta)
{
	block_put(s, &s->tried, meta);
}

void sink_copy_reject(struct sink *s)
{
	close(s->copy);
	s->copy = -1;
}

struct err *sink_error_take(struct sink *s)
{
	return take_ptr(s->err);
}

bool sink_has_no_reader(const struct sink *s)
{
	return s->err && s->err->sys == EPIPE && new_file_is_stream(s->file);
}

bool sink_is_broken(const struct sink *s)
{
	return s->broken;
}

uint64_t sink_n_bytes(const struct sink *s)
{
	return s->n_bytes;
}

const struct new_file *sink_file(const struct sink *s)
{
	return s->file;
}

size_t sink_n_waiting(const struct sink *s)
{
	return outflow_n_waiting(&s->out_stream);
}

void sink_push(struct sink *s)
{
	if (!s->broken)
		append(s, NULL, 0);
}

int sink_stream_fd(const struct sink *s)
{
	return new_file_is_stream(s->file) && !s->out_stream.is_direct ? s->out_stream.fd : -1;
}

void sink_reader_left(struct sink *s)
{
	sink_fail(s, err_sys(EPIPE, "cannot write to %s", new_file_path(s->file)));
}

void sink_set_wait(struct sink *s, struct outflow_wait wait)
{
	s->wait = wait;
}

/* Wait until the reader of the stream has taken all. */
static void stream_finish(struct sink *s)
{
	while (!s->broken && sink_n_waiting(s)) {
		struct pollfd p = { .fd = s->out_stream.fd, .events = POLLOUT };
		if (!s->wait.fn) {
			poll(&p, 1, -1);
		} else if (!s->wait.fn(s->wait.ctx, s->out_stream.fd)) {
			sink_fail(s, err_create(ERR_CANCELLED,
						"the reader of %s did not take the last %zu byte%s",
						new_file_path(s->file), sink_n_waiting(s),
						sink_n_waiting(s) == 1 ? "" : "s"));
			return;
		}
		sink_push(s);
	}
}

struct err *sink_close(struct sink *s, uint64_t n_events)
{
	if (!s->broken)
		index_write(s);
	if (!s->broken) {
		struct trailer t = { .index_offset = s->last_index, .n_events = n_events };
		memcpy(t.magic, TRAILER_MAGIC, sizeof(t.magic));
		t.checksum = XXH3_64bits_withSeed(&t, offsetof(struct trailer, checksum),
						  s->file_id);
		append(s, &t, sizeof(t));
		stream_finish(s);
	}
	if (s->broken) {
		struct err *err = sink_error_take(s);
		if (s->n_blocks || new_file_is_stream(s->file))
			sink_destroy(s);
		else /* nothing was captured in it */
			sink_discard(s);
		return err;
	}
	struct new_file *file = s->file;
	release(s);
	return new_file_finish(file);
}
