/*
 * translate: see translate.h. Every length is checked against what is left before it is used; depth is bounded.
 */
#include "recorder/translate.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/value.h"
#include "capture/writer.h"

#define REF_MIN_BYTES 48u /* a container at least this long becomes an entry of its own */

struct cursor {
	const uint8_t *p, *end;
	struct writer *w;
	struct strbuf *to;
	struct translation *t;
};

static bool get_varint(struct cursor *c, uint64_t *ret)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64 && c->p < c->end; shift += 7) {
		uint8_t b = *c->p++;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80)) {
			*ret = v;
			return true;
		}
	}
	return false;
}

static void put_varint(struct strbuf *to, uint64_t v)
{
	uint8_t bytes[10];
	size_t n = 0;
	while (v >= 0x80) {
		bytes[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	bytes[n++] = (uint8_t)v;
	strbuf_add(to, bytes, n);
}

static bool pass(struct cursor *c, uint64_t n)
{
	if (n > (uint64_t)(c->end - c->p))
		return false;
	strbuf_add(c->to, c->p, n);
	c->p += n;
	return true;
}

static bool pass_text(struct cursor *c)
{
	uint64_t n;
	if (!get_varint(c, &n))
		return false;
	put_varint(c->to, n);
	return pass(c, n);
}

static bool value(struct cursor *c, unsigned depth);

static bool object(struct cursor *c, unsigned depth)
{
	uint64_t address, n;
	if (c->end - c->p < 8)
		return false;
	memcpy(&address, c->p, 8);
	c->p += 8;
	if (depth == 1 && c->t->n_objects < TRANSLATE_MAX_OBJECTS) {
		c->t->objects[c->t->n_objects++] = address;
		strbuf_addc(c->to, VALUE_OBJECT);
	} else {
		strbuf_addc(c->to, VALUE_OBJECT_AT);
		strbuf_add(c->to, &address, 8);
	}
	if (!pass_text(c) || !get_varint(c, &n) || n > 16)
		return false;
	put_varint(c->to, n);
	for (uint64_t i = 0; i < n; i++)
		/* Attributes are never objects themselves; a depth past the slots keeps it so. */
		if (!pass_text(c) || !value(c, depth < 2 ? 2 : depth + 1))
			return false;
	return true;
}

static bool container(struct cursor *c, uint8_t tag, unsigned depth)
{
	uint64_t full, kept;
	size_t start = c->to->n;
	if (!get_varint(c, &full) || !get_varint(c, &kept) || kept > full || kept > (uint64_t)(c->end - c->p))
		return false;
	strbuf_addc(c->to, (char)tag);
	put_varint(c->to, full);
	put_varint(c->to, kept);
	for (uint64_t i = 0; i < kept; i++)
		if (!value(c, depth + 1) || (tag == VALUE_DICT && !value(c, depth + 1)))
			return false;
	if (depth > 0 && c->to->n - start >= REF_MIN_BYTES && !c->to->failed) {
		uint32_t id = writer_value(c->w, c->to->s + start, c->to->n - start);
		if (id) {
			strbuf_cut(c->to, start);
			strbuf_addc(c->to, VALUE_REF);
			put_varint(c->to, id);
		}
	}
	return true;
}

static bool value(struct cursor *c, unsigned depth)
{
	if (c->p >= c->end || depth > VALUE_DEPTH_MAX + 2)
		return false;
	uint8_t tag = *c->p++;
	uint64_t n;
	switch ((enum value_tag)tag) {
	case VALUE_UNREADABLE:
	case VALUE_NONE:
	case VALUE_FALSE:
	case VALUE_TRUE:
	case VALUE_ELLIPSIS: strbuf_addc(c->to, (char)tag); return true;
	case VALUE_INT:
		strbuf_addc(c->to, (char)tag);
		if (!get_varint(c, &n))
			return false;
		put_varint(c->to, n);
		return true;
	case VALUE_BIGINT: strbuf_addc(c->to, (char)tag); return pass(c, 1) && pass_text(c);
	case VALUE_FLOAT: strbuf_addc(c->to, (char)tag); return pass(c, 8);
	case VALUE_COMPLEX: strbuf_addc(c->to, (char)tag); return pass(c, 16);
	case VALUE_STR:
	case VALUE_BYTES:
	case VALUE_BYTEARRAY: strbuf_addc(c->to, (char)tag); return pass_text(c);
	case VALUE_STR_CUT:
	case VALUE_BYTES_CUT:
	case VALUE_BYTEARRAY_CUT:
		strbuf_addc(c->to, (char)tag);
		if (!get_varint(c, &n))
			return false;
		put_varint(c->to, n);
		return pass_text(c);
	case VALUE_TUPLE:
	case VALUE_LIST:
	case VALUE_SET:
	case VALUE_FROZENSET:
	case VALUE_DICT: return container(c, tag, depth);
	case VALUE_OBJECT_AT: return object(c, depth);
	case VALUE_OBJECT:
	case VALUE_REF:
	case VALUE_TAG_COUNT: break; /* not the probe's to write */
	}
	return false;
}

bool translate_args(struct writer *w, const uint8_t *bytes, size_t n, struct strbuf *to, struct translation *ret)
{
	size_t start = to->n;
	struct cursor c = { bytes, bytes + n, w, to, ret };
	ret->n_objects = 0;
	if (n && bytes[0] == VALUE_TUPLE && value(&c, 0) && c.p == c.end && !to->failed)
		return true;
	strbuf_cut(to, start);
	return false;
}
