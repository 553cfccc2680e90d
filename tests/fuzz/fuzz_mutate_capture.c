/*
 * fuzz_mutate_capture: see fuzz_mutate.h. Blocks are written as data/capture-format.md says.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "base/strbuf.h"
#include "base/vec.h"
#include "capture/block.h"
#include "fuzz_mutate.h"

enum { RAW_MAX = 1 << 20 }; /* larger blocks are left out: only their structure matters */

struct piece {
	uint16_t type;
	bool is_compressed;
	uint8_t *meta, *raw;
	size_t n_meta, n_raw, raw_cap;
};

struct parts {
	struct superblock head;
	VEC(struct piece) pieces;
};

static void piece_fini(struct piece *p)
{
	free(p->meta);
	free(p->raw);
}

static void parts_fini(struct parts *parts)
{
	for (size_t i = 0; i < parts->pieces.n; i++)
		piece_fini(&parts->pieces.v[i]);
	vec_fini(&parts->pieces);
}

static void *copy_of(const void *bytes, size_t n, size_t cap)
{
	void *p = malloc(cap ? cap : 1);
	if (!p)
		abort();
	memcpy(p, bytes, n);
	return p;
}

static void piece_take(struct parts *parts, const struct block_header *h, const uint8_t *meta)
{
	struct piece p = { .type = h->type,
			   .is_compressed = h->flags & BLOCK_ZSTD,
			   .n_meta = h->meta_bytes };
	const uint8_t *stored = meta + h->meta_bytes;
	if (h->raw_bytes > RAW_MAX || h->type == BLOCK_INDEX)
		return;
	p.raw_cap = 2 * (size_t)h->raw_bytes + 256;
	p.raw = malloc(p.raw_cap);
	if (!p.raw)
		abort();
	if (p.is_compressed) {
		size_t n = ZSTD_decompress(p.raw, h->raw_bytes, stored, h->stored_bytes);
		p.n_raw = ZSTD_isError(n) ? 0 : n;
	} else {
		p.n_raw = h->stored_bytes < h->raw_bytes ? h->stored_bytes : h->raw_bytes;
		memcpy(p.raw, stored, p.n_raw);
	}
	p.meta = copy_of(meta, p.n_meta, p.n_meta + 64);
	if (!vec_push(&parts->pieces, p))
		abort();
}

/* Return false if it is no capture. */
static bool take_apart(const uint8_t *bytes, size_t n, struct parts *ret)
{
	*ret = (struct parts){ 0 };
	if (n < sizeof(ret->head) || memcmp(bytes, SUPERBLOCK_MAGIC, 8) != 0)
		return false;
	memcpy(&ret->head, bytes, sizeof(ret->head));
	size_t at = sizeof(ret->head);
	struct block_header h;
	while (at <= n && n - at >= sizeof(h)) {
		memcpy(&h, bytes + at, sizeof(h));
		size_t left = n - at - sizeof(h);
		if (h.magic != BLOCK_MAGIC || h.meta_bytes > left ||
		    h.stored_bytes > left - h.meta_bytes)
			break;
		piece_take(ret, &h, bytes + at + sizeof(h));
		at += (sizeof(h) + h.meta_bytes + h.stored_bytes + BLOCK_ALIGN - 1) / BLOCK_ALIGN *
		      BLOCK_ALIGN;
	}
	return ret->pieces.n > 0;
}

static void add(struct strbuf *to, const void *bytes, size_t n)
{
	strbuf_add(to, bytes, n);
}

/* Append the block as in the file, and its copy as in the index. */
static void add_block(struct strbuf *to, struct strbuf *index, const struct piece *p,
		      uint64_t file_id, uint32_t sequence)
{
	static uint8_t compressed[RAW_MAX * 2 + (1 << 16)];
	const uint8_t *stored = p->raw;
	struct block_header h = { .magic = BLOCK_MAGIC,
				  .type = p->type,
				  .meta_bytes = (uint32_t)p->n_meta,
				  .stored_bytes = (uint32_t)p->n_raw,
				  .raw_bytes = (uint32_t)p->n_raw,
				  .sequence = sequence };
	if (p->is_compressed && ZSTD_compressBound(p->n_raw) <= sizeof(compressed)) {
		h.flags = BLOCK_ZSTD;
		h.stored_bytes = (uint32_t)ZSTD_compress(compressed, sizeof(compressed), p->raw,
							 p->n_raw, 1);
		stored = compressed;
	}
	XXH3_state_t *x = XXH3_createState();
	XXH3_64bits_reset_withSeed(x, file_id);
	XXH3_64bits_update(x, p->meta, p->n_meta);
	XXH3_64bits_update(x, stored, h.stored_bytes);
	h.checksum = XXH3_64bits_withSeed(&h, offsetof(struct block_header, checksum),
					  XXH3_64bits_digest(x));
	XXH3_freeState(x);
	if (index) {
		uint64_t offset = to->n;
		add(index, &offset, sizeof(offset));
		add(index, &h, sizeof(h));
		add(index, p->meta, p->n_meta);
	}
	add(to, &h, sizeof(h));
	add(to, p->meta, p->n_meta);
	add(to, stored, h.stored_bytes);
	while (to->n % BLOCK_ALIGN)
		strbuf_addc(to, 0);
}

static void add_index(struct strbuf *to, struct strbuf *index, const struct parts *parts,
		      struct fuzz_random *r)
{
	uint8_t meta[2 * VARINT_MAX];
	size_t n_meta = varint_put(meta, 0);
	n_meta += varint_put(meta + n_meta, parts->pieces.n);
	struct piece p = { .type = BLOCK_INDEX,
			   .meta = meta,
			   .n_meta = n_meta,
			   .raw = (uint8_t *)index->s,
			   .n_raw = index->n };
	struct trailer t = { .index_offset = to->n, .n_events = fuzz_random_edge(r) };
	memcpy(t.magic, TRAILER_MAGIC, sizeof(t.magic));
	if (p.n_raw > RAW_MAX)
		return;
	if (fuzz_random_below(r, 8) == 0)
		p.n_raw = fuzz_mutate_bytes(r, p.raw, p.n_raw, p.n_raw);
	add_block(to, NULL, &p, parts->head.file_id, (uint32_t)parts->pieces.n);
	t.checksum = XXH3_64bits_withSeed(&t, offsetof(struct trailer, checksum),
					  parts->head.file_id);
	if (fuzz_random_below(r, 8))
		add(to, &t, sizeof(t));
}

static void put_together(struct parts *parts, struct fuzz_random *r, struct strbuf *to)
{
	struct strbuf index = { 0 };
	parts->head.superblock_bytes = sizeof(parts->head);
	parts->head.checksum = XXH3_64bits(&parts->head, offsetof(struct superblock, checksum));
	add(to, &parts->head, sizeof(parts->head));
	for (size_t i = 0; i < parts->pieces.n; i++)
		add_block(to, &index, &parts->pieces.v[i], parts->head.file_id, (uint32_t)i);
	if (fuzz_random_below(r, 5))
		add_index(to, &index, parts, r);
	strbuf_fini(&index);
}

/* Most of the meta are varints: one of them gets another value. */
static void mutate_varint(struct fuzz_random *r, struct piece *p)
{
	uint8_t *made = malloc(p->n_meta + 2 * VARINT_MAX);
	const uint8_t *at = p->meta, *end = at + p->n_meta;
	size_t n = 0, n_numbers = 0, which;
	uint64_t v;
	for (const uint8_t *q = at; q < end && varint_get(&q, end, &v);)
		n_numbers++;
	which = fuzz_random_below(r, n_numbers);
	if (!made)
		abort();
	for (size_t i = 0; at < end && varint_get(&at, end, &v); i++) {
		if (i == which)
			v = fuzz_random_below(r, 3) ? v + fuzz_random_below(r, 9) - 4
						    : fuzz_random_edge(r);
		n += varint_put(made + n, v);
		if (i == which)
			break;
	}
	size_t rest = at < end ? (size_t)(end - at) : 0;
	made = realloc(made, n + rest + 1);
	if (!made)
		abort();
	memcpy(made + n, at, rest);
	free(p->meta);
	p->meta = made;
	p->n_meta = n + rest;
}

static void mutate_order(struct fuzz_random *r, struct parts *parts)
{
	size_t i = fuzz_random_below(r, parts->pieces.n), k = fuzz_random_below(r, parts->pieces.n);
	struct piece *a = &parts->pieces.v[i], *b = &parts->pieces.v[k], swap = *a;
	switch (fuzz_random_below(r, 4)) {
	case 0:
		*a = *b;
		*b = swap;
		return;
	case 1: a->type = (uint16_t)(1 + fuzz_random_below(r, BLOCK_TYPE_COUNT)); return;
	case 2:
		if (parts->pieces.n < 3)
			return;
		piece_fini(a);
		*a = parts->pieces.v[--parts->pieces.n];
		return;
	default: {
		struct piece twice = *a;
		twice.meta = copy_of(a->meta, a->n_meta, a->n_meta + 64);
		twice.raw = copy_of(a->raw, a->n_raw, a->raw_cap);
		if (!vec_push(&parts->pieces, twice))
			abort();
	}
	}
}

size_t fuzz_mutate_capture(struct fuzz_random *r, uint8_t *bytes, size_t n, size_t cap)
{
	struct parts parts;
	if (fuzz_random_below(r, 16) == 0 || !take_apart(bytes, n, &parts))
		return fuzz_mutate_bytes(r, bytes, n, cap);
	for (size_t left = 1 + fuzz_random_below(r, 4); left > 0; left--) {
		struct piece *p = &parts.pieces.v[fuzz_random_below(r, parts.pieces.n)];
		switch (fuzz_random_below(r, 8)) {
		case 0: mutate_order(r, &parts); break;
		case 1:
		case 2:
		case 3: mutate_varint(r, p); break;
		case 4: p->is_compressed = !p->is_compressed; break;
		default:
			for (size_t k = 1 + fuzz_random_below(r, 4); k > 0; k--)
				p->n_raw = fuzz_mutate_bytes(r, p->raw, p->n_raw,
							     p->raw_cap < RAW_MAX ? p->raw_cap
										  : RAW_MAX);
		}
	}
	struct strbuf made = { 0 };
	put_together(&parts, r, &made);
	parts_fini(&parts);
	if (made.n && made.n <= cap) {
		memcpy(bytes, made.s, made.n);
		n = made.n;
	}
	strbuf_fini(&made);
	return n;
}
