/*
 * value_iter: see value_iter.h.
 *
 * A level is a run of nodes that are still to be read: the elements of a container, the attributes
 * of an object, or the one value that a REF refers to. Levels inside a REF read other bytes; after
 * them reading continues behind the REF.
 */
#include "model/value_iter.h"

#include <string.h>

#include "capture/block.h"
#include "model/trace.h"

enum level_kind { LEVEL_VALUES, LEVEL_PAIRS, LEVEL_ATTRS, LEVEL_REF };

void value_iter_init_bytes(struct value_iter *it, struct trace *t, const void *bytes,
			   size_t n_bytes, const uint64_t *objects, uint32_t n_objects)
{
	memset(it, 0, offsetof(struct value_iter, levels));
	it->trace = t;
	it->objects = objects;
	it->n_objects = objects ? n_objects : 0;
	it->n_levels = 1;
	it->levels[0] = (struct value_level){ .p = bytes,
					      .end = (const uint8_t *)bytes + n_bytes,
					      .left = 1,
					      .kind = LEVEL_VALUES,
					      .ref = UINT32_MAX };
}

void value_iter_init(struct value_iter *it, struct trace *t, uint32_t id, const uint64_t *objects,
		     uint32_t n_objects)
{
	size_t n_bytes;
	const uint8_t *bytes = trace_value(t, id, &n_bytes);
	value_iter_init_bytes(it, t, bytes ? bytes : (const uint8_t *)"", n_bytes, objects,
			      n_objects);
	it->levels[0].ref = id;
	if (id == 0)
		it->n_levels = 0;
}

bool value_iter_failed(const struct value_iter *it)
{
	return it->failed;
}

static bool counted_get(struct value_level *l, const uint8_t **ret, size_t *ret_n)
{
	uint64_t n;
	if (!varint_get(&l->p, l->end, &n) || n > (uint64_t)(l->end - l->p))
		return false;
	*ret = l->p;
	*ret_n = (size_t)n;
	l->p += n;
	return true;
}

static bool fixed_get(struct value_level *l, void *to, size_t n)
{
	if ((size_t)(l->end - l->p) < n)
		return false;
	memcpy(to, l->p, n);
	l->p += n;
	return true;
}

static bool level_push(struct value_iter *it, struct value_level level)
{
	if (it->n_levels >= VALUE_ITER_LEVELS)
		return false;
	it->levels[it->n_levels++] = level;
	return true;
}

/* When the top level is done, its bytes are too: the level below continues where it ended if both
 * read the same bytes. */
static void levels_pop(struct value_iter *it)
{
	while (it->n_levels && it->levels[it->n_levels - 1].left == 0) {
		struct value_level *done = &it->levels[--it->n_levels];
		if (it->n_levels && done->kind != LEVEL_REF)
			it->levels[it->n_levels - 1].p = done->p;
	}
}

static bool ref_enter(struct value_iter *it, struct value_level *l)
{
	uint32_t id;
	size_t n_bytes;
	if (!varint_get_u32(&l->p, l->end, &id) || !it->trace || id >= l->ref)
		return false;
	const uint8_t *bytes = trace_value(it->trace, id, &n_bytes);
	return bytes && level_push(it, (struct value_level){ .p = bytes,
							     .end = bytes + n_bytes,
							     .left = 1,
							     .kind = LEVEL_REF,
							     .depth = l->depth,
							     .ref = id });
}

static bool children_enter(struct value_iter *it, const struct value_level *l, enum level_kind kind,
			   uint64_t n, struct value_node *node)
{
	/* a child takes at least one byte, so a larger count is malformed */
	if (n > (uint64_t)(l->end - l->p) || n > VALUE_ITER_NODES)
		return false;
	node->n_children = (uint32_t)n;
	return level_push(it, (struct value_level){ .p = l->p,
						    .end = l->end,
						    .left = n,
						    .kind = (uint8_t)kind,
						    .depth = (uint8_t)(l->depth + 1),
						    .ref = l->ref });
}

/* Read what follows the tag; false if it is malformed. */
static bool node_read(struct value_iter *it, struct value_level *l, struct value_node *node)
{
	uint64_t n;
	switch (node->tag) {
	case VALUE_UNREADABLE:
	case VALUE_NONE:
	case VALUE_FALSE:
	case VALUE_TRUE:
	case VALUE_ELLIPSIS: return true;
	case VALUE_INT:
		if (!varint_get(&l->p, l->end, &n))
			return false;
		node->i = unzigzag(n);
		return true;
	case VALUE_BIGINT: {
		uint8_t negative;
		if (!fixed_get(l, &negative, 1))
			return false;
		node->negative = negative != 0;
		return counted_get(l, &node->bytes, &node->n_bytes);
	}
	case VALUE_FLOAT: return fixed_get(l, &node->real, 8);
	case VALUE_COMPLEX: return fixed_get(l, &node->real, 8) && fixed_get(l, &node->imag, 8);
	case VALUE_STR:
	case VALUE_BYTES:
	case VALUE_BYTEARRAY:
		if (!counted_get(l, &node->bytes, &node->n_bytes))
			return false;
		node->full = node->n_bytes;
		return true;
	case VALUE_STR_CUT:
	case VALUE_BYTES_CUT:
	case VALUE_BYTEARRAY_CUT:
		return varint_get(&l->p, l->end, &node->full) &&
		       counted_get(l, &node->bytes, &node->n_bytes);
	case VALUE_TUPLE:
	case VALUE_LIST:
	case VALUE_SET:
	case VALUE_FROZENSET:
	case VALUE_DICT:
		if (!varint_get(&l->p, l->end, &node->full) || !varint_get(&l->p, l->end, &n) ||
		    n > node->full || n > VALUE_ITER_NODES)
			return false;
		if (node->tag == VALUE_DICT)
			return children_enter(it, l, LEVEL_PAIRS, 2 * n, node);
		return children_enter(it, l, LEVEL_VALUES, n, node);
	case VALUE_OBJECT_AT:
		if (!fixed_get(l, &node->address, 8))
			return false;
		break;
	case VALUE_OBJECT:
		if (it->object < it->n_objects)
			node->address = it->objects[it->object];
		it->object++;
		break;
	case VALUE_REF:
	case VALUE_TAG_COUNT: return false;
	}
	node->tag = VALUE_OBJECT;
	return counted_get(l, &node->bytes, &node->n_bytes) && varint_get(&l->p, l->end, &n) &&
	       children_enter(it, l, LEVEL_ATTRS, n, node);
}

static bool fail(struct value_iter *it, struct value_node *ret, uint8_t depth)
{
	it->failed = true;
	it->n_levels = 0;
	*ret = (struct value_node){ .tag = VALUE_UNREADABLE, .depth = depth };
	return true;
}

bool value_iter_next(struct value_iter *it, struct value_node *ret)
{
	struct value_node node = { 0 };
	levels_pop(it);
	if (it->n_levels == 0)
		return false;
	struct value_level *l = &it->levels[it->n_levels - 1];
	node.depth = l->depth;
	if (++it->n_nodes > VALUE_ITER_NODES || it->n_bytes > VALUE_ITER_BYTES)
		return fail(it, ret, node.depth);
	if (l->kind == LEVEL_ATTRS) {
		const uint8_t *name;
		size_t n_bytes;
		if (!counted_get(l, &name, &n_bytes) || n_bytes > UINT32_MAX)
			return fail(it, ret, node.depth);
		node.attr = (const char *)name;
		node.n_attr_bytes = (uint32_t)n_bytes;
	}
	node.is_key = l->kind == LEVEL_PAIRS && l->left % 2 == 0;
	l->left--;
	for (;;) { /* until it is no REF */
		uint8_t tag;
		if (!fixed_get(l, &tag, 1) || tag >= VALUE_TAG_COUNT)
			return fail(it, ret, node.depth);
		node.tag = (enum value_tag)tag;
		if (node.tag != VALUE_REF)
			break;
		if (!ref_enter(it, l))
			return fail(it, ret, node.depth);
		l = &it->levels[it->n_levels - 1];
		l->left = 0;
	}
	if (!node_read(it, l, &node))
		return fail(it, ret, node.depth);
	it->n_bytes += node.n_bytes + node.n_attr_bytes;
	*ret = node;
	return true;
}

void value_iter_skip(struct value_iter *it, const struct value_node *last)
{
	struct value_node node;
	for (;;) {
		levels_pop(it);
		if (it->n_levels == 0 || it->levels[it->n_levels - 1].depth <= last->depth)
			return;
		if (!value_iter_next(it, &node))
			return;
	}
}
