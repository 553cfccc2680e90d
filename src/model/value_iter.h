/*
 * value_iter: read an encoded value (base/value.h) as typed nodes.
 *
 * Nodes come in pre-order: a container's node says how many children follow. REFs are followed and
 * never returned; OBJECT nodes get their address from the event's object slots. Everything is
 * checked: malformed bytes end the value with one UNREADABLE node and value_iter_failed(). REF
 * chains, depth and the total number of nodes are bounded (otherwise a value of a few bytes could
 * stand for 2^64 nodes), so a loop over a hostile value ends soon. The iterator allocates nothing.
 *
 *     struct value_iter it;
 *     value_iter_init(&it, trace, e.args, objects, n_objects);
 *     struct value_node n;
 *     while (value_iter_next(&it, &n)) …
 *
 * For a tuple of arguments the first node is the TUPLE (depth 0), and its children are the
 * arguments (depth 1). A recursive consumer reads a container's node, then n_children times one
 * child, each of which consumes its own children; value_iter_skip() directly after a node skips
 * what is below it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/value.h"

struct trace;

#define VALUE_ITER_LEVELS 24       /* nesting of containers, attributes and REFs */
#define VALUE_ITER_NODES  1000000u /* nodes of one value before it is abandoned */
/* bytes of text and names in them: REFs can refer to a long text a million times */
#define VALUE_ITER_BYTES (32u << 20)

struct value_node {
	enum value_tag tag; /* never REF; OBJECT_AT is reported as OBJECT */
	uint8_t depth;      /* 0 = the value itself */
	/* it is a key of the DICT above; its value is the next node of the same depth */
	bool is_key;
	/* the name, if this is an attribute of the OBJECT above (not NUL-terminated), else NULL */
	const char *attr;
	uint32_t n_attr_bytes;
	/* nodes directly below: kept elements, 2 × kept pairs of a DICT, attributes of an OBJECT */
	uint32_t n_children;
	/* containers: original number of elements (DICT: pairs); *_CUT: original length in code
	 * points or bytes; STR and BYTES kinds: = n_bytes (STR: bytes, not code points) */
	uint64_t full;
	/* STR*, BYTES*, BYTEARRAY*: contents; BIGINT: magnitude, little endian; OBJECT: type */
	const uint8_t *bytes;
	size_t n_bytes;
	int64_t i;         /* INT */
	bool negative;     /* BIGINT */
	double real, imag; /* FLOAT (real), COMPLEX */
	uint64_t address;  /* OBJECT; 0 unknown */
};

struct value_iter {
	struct trace *trace;
	const uint64_t *objects;
	uint32_t n_objects, object;
	uint32_t n_nodes;
	uint64_t n_bytes; /* of texts and names so far */
	uint8_t n_levels;
	bool failed;
	struct value_level {
		const uint8_t *p, *end;
		uint64_t left; /* nodes left at this level */
		uint8_t kind, depth;
		/* value id whose bytes these are; a REF inside must be smaller */
		uint32_t ref;
	} levels[VALUE_ITER_LEVELS];
};

/* Value `id` of the trace. `objects` (may be NULL) as from trace_event_objects(). Memory is
 * borrowed from the trace: the iterator and its nodes are valid until the next trace_trim(). */
void value_iter_init(struct value_iter *it, struct trace *t, uint32_t id, const uint64_t *objects,
		     uint32_t n_objects);
/* Bytes that are not (yet) in a dictionary; trace may be NULL, then REFs are unreadable. */
void value_iter_init_bytes(struct value_iter *it, struct trace *t, const void *bytes,
			   size_t n_bytes, const uint64_t *objects, uint32_t n_objects);
bool value_iter_next(struct value_iter *it, struct value_node *ret);
/* Skip everything below the node returned last. */
void value_iter_skip(struct value_iter *it, const struct value_node *last);
bool value_iter_failed(const struct value_iter *it);
