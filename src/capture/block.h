/*
 * block: the bytes of a capture file in C. data/capture-format.md is the full description.
 *
 *   superblock | block | block | … | INDEX block | trailer
 *
 * Blocks are only ever appended, each starts at a multiple of 8, and a block refers to earlier
 * blocks only, so any prefix of the file can be read. Numbers are little endian; a varint is
 * unsigned LEB128.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BLOCK_ALIGN      8u
#define BLOCK_MAGIC      0x4b425641u /* "AVBK" */
#define BLOCK_RAW_MAX    (16u << 20) /* decompressed payload */
#define BLOCK_STORED_MAX ((16u << 20) + (1u << 20))
#define BLOCK_META_MAX   (1u << 20)
/* an EVENT block never crosses a multiple of this number of events */
#define EVENTS_PER_BLOCK 16384u
#define VALUE_BYTES_MAX  (4u << 20) /* one string or value */

#define CAPTURE_VERSION 1u
/* features_required bits that this code understands */
#define CAPTURE_FEATURES 0u

struct superblock {
	uint8_t magic[8];           /* SUPERBLOCK_MAGIC */
	uint16_t version;           /* CAPTURE_VERSION */
	uint16_t superblock_bytes;  /* where the first block starts */
	uint32_t features_required; /* a reader that does not know a bit must refuse the file */
	uint32_t features_optional;
	uint32_t reserved;
	/* random; seeds every checksum, so that blocks of other files do not verify */
	uint64_t file_id;
	uint64_t wall_anchor_ns;
	uint64_t reserved2;
	uint64_t checksum; /* XXH3-64 of the bytes before, seed 0 */
};
_Static_assert(sizeof(struct superblock) == 56, "superblock");
#define SUPERBLOCK_MAGIC                                                                           \
	"\x89"                                                                                     \
	"AVC\r\n\x1a\n"

enum block_type {
	BLOCK_ABOUT = 1, /* creator and host */
	BLOCK_STRING,
	BLOCK_FRAME,
	BLOCK_STACK,
	BLOCK_VALUE,
	BLOCK_NAME, /* event names, as string ids */
	BLOCK_PROCESS,
	BLOCK_THREAD,
	BLOCK_NOTE,
	BLOCK_EVENT,
	/* copies of the headers and meta of the blocks since the last INDEX block */
	BLOCK_INDEX,
	BLOCK_HOST,   /* machines and captures that processes come from, after a merge */
	BLOCK_LOCALS, /* local variables of the frames of events whose threads were held */
	BLOCK_TYPE_COUNT
};

enum block_flag { BLOCK_ZSTD = 1 };

struct block_header {
	uint32_t magic;
	uint16_t type, flags;
	uint32_t meta_bytes;   /* directly after the header, never compressed */
	uint32_t stored_bytes; /* after the meta */
	uint32_t raw_bytes;    /* decompressed */
	uint32_t sequence;     /* number of the block in the file, from 0 */
	/* XXH3-64 of the header's first 24 bytes, seed = XXH3-64 of meta and stored bytes with seed
	 * file_id */
	uint64_t checksum;
};
_Static_assert(sizeof(struct block_header) == 32, "block_header");

struct trailer {
	uint8_t magic[8];      /* TRAILER_MAGIC */
	uint64_t index_offset; /* of the last INDEX block */
	uint64_t n_events;
	uint64_t checksum; /* XXH3-64 of the bytes before, seed file_id */
};
_Static_assert(sizeof(struct trailer) == 32, "trailer");
#define TRAILER_MAGIC "AVCEND\r\n"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "the file is little endian, and so must this machine be");

/* Columns of an EVENT block. */
enum event_column {
	/* zigzag of the difference to the previous event; for the first, to min_ns of the meta */
	COLUMN_TIME = 1,
	COLUMN_NAME,   /* index into the names of the meta */
	COLUMN_THREAD, /* index into the threads of the meta */
	COLUMN_ARGS,
	COLUMN_STACK,
	COLUMN_FLAGS,
	COLUMN_N_OBJECTS,
	COLUMN_OBJECTS, /* one entry per object, not per event */
	/* what the descriptors in the arguments were; missing if the block has none */
	COLUMN_DESCRIPTORS,
	COLUMN_TASK, /* of asyncio; missing if no event of the block has one */
	COLUMN_COUNT
};

enum frame_column {
	FRAME_COLUMN_KIND = 1,
	FRAME_COLUMN_FUNCTION,
	FRAME_COLUMN_FILE,
	FRAME_COLUMN_MODULE,
	FRAME_COLUMN_LINE,
	FRAME_COLUMN_END_LINE,
	FRAME_COLUMN_COLUMN,
	FRAME_COLUMN_END_COLUMN,
	FRAME_COLUMN_FIRST_LINE,
	FRAME_COLUMN_OFFSET,
	FRAME_COLUMN_COUNT
};
enum stack_column {
	STACK_COLUMN_PARENT = 1 /* own id - parent; own id if there is no parent */,
	STACK_COLUMN_FRAME,
	STACK_COLUMN_COUNT
};

/* ---- varints ---- */

#define VARINT_MAX 10

static inline size_t varint_put(uint8_t *to, uint64_t v)
{
	size_t n = 0;
	while (v >= 0x80) {
		to[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	to[n++] = (uint8_t)v;
	return n;
}

/* Reads one varint at *p and advances *p. Returns false (and *p is undefined) if it runs over `end`
 * or exceeds 64 bits. */
static inline bool varint_get(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
	uint64_t v = 0;
	const uint8_t *q = *p;
	for (unsigned shift = 0; shift < 70; shift += 7) {
		if (q == end)
			return false;
		uint8_t b = *q++;
		if (shift == 63 && b > 1)
			return false;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80)) {
			*p = q;
			*ret = v;
			return true;
		}
	}
	return false;
}

static inline bool varint_get_u32(const uint8_t **p, const uint8_t *end, uint32_t *ret)
{
	uint64_t v;
	if (!varint_get(p, end, &v) || v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static inline uint64_t zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
