/*
 * translate: see translate.h. Every length is checked against what is left before it is used; depth is bounded.
 */
#include "recorder/translate.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/value.h"
#include "capture/writer.h"
#include "recorder/redact.h"

#define REF_MIN_BYTES 48u /* a container at least this long becomes an entry of its own */

struct cursor {
	const uint8_t *p, *end;
	struct writer *w;
	struct strbuf *to;
	struct translation *t;
	bool redact;
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

static bool is_text(uint8_t tag)
{
	return tag >= VALUE_STR && tag <= VALUE_BYTEARRAY_CUT;
}

/* What a text or bytes value at c->p holds. False: it is something else, or not whole. */
static bool peek_text(struct cursor c, const char **ret, size_t *ret_n)
{
	uint64_t n;
	if (c.p >= c.end || !is_text(*c.p))
		return false;
	uint8_t tag = *c.p++;
	if ((tag == VALUE_STR_CUT || tag == VALUE_BYTES_CUT || tag == VALUE_BYTEARRAY_CUT) && !get_varint(&c, &n))
		return false;
	if (!get_varint(&c, &n) || n > (uint64_t)(c.end - c.p))
		return false;
	*ret = (const char *)c.p;
	*ret_n = (size_t)n;
	return true;
}

/* Text, without what is secret in it. */
static bool pass_redacted(struct cursor *c)
{
	uint64_t n;
	struct strbuf clean = { 0 };
	if (!c->redact)
		return pass_text(c);
	if (!get_varint(c, &n) || n > (uint64_t)(c->end - c->p))
		return false;
	const char *text = (const char *)c->p;
	size_t n_clean = (size_t)n;
	if (redact_text(&clean, text, n_clean)) {
		text = strbuf_str(&clean);
		n_clean = clean.n;
	}
	put_varint(c->to, n_clean);
	strbuf_add(c->to, text, n_clean);
	c->p += n;
	strbuf_fini(&clean);
	return true;
}

static bool value(struct cursor *c, unsigned depth);

/* The value that belongs to a name: left out if the name says that it is a secret. */
static bool named_value(struct cursor *c, unsigned depth, bool is_secret)
{
	const char *text;
	size_t n;
	if (!is_secret || !peek_text(*c, &text, &n) || n == 0)
		return value(c, depth);
	redact_add_value(c->to, text, n);
	c->p = (const uint8_t *)text + n;
	return true;
}

static bool is_secret_here(const struct cursor *c)
{
	const char *name;
	size_t n;
	return c->redact && peek_text(*c, &name, &n) && redact_is_secret(name, n);
}

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
	/* os.putenv and its like: the event's own arguments are a name and its value */
	bool is_pair = tag == VALUE_TUPLE && depth == 0 && kept == 2;
	for (uint64_t i = 0; i < kept; i++) {
		bool is_secret = (tag == VALUE_DICT || (is_pair && i == 0)) && is_secret_here(c);
		if (!value(c, depth + 1))
			return false;
		if (tag == VALUE_DICT && !named_value(c, depth + 1, is_secret))
			return false;
		if (is_pair && i == 0 && is_secret) {
			i++;
			if (!named_value(c, depth + 1, true))
				return false;
		}
	}
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
	case VALUE_BYTEARRAY: strbuf_addc(c->to, (char)tag); return pass_redacted(c);
	case VALUE_STR_CUT:
	case VALUE_BYTES_CUT:
	case VALUE_BYTEARRAY_CUT:
		strbuf_addc(c->to, (char)tag);
		if (!get_varint(c, &n))
			return false;
		put_varint(c->to, n);
		return pass_redacted(c);
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

bool translate_args(struct writer *w, bool redact, const uint8_t *bytes, size_t n, struct strbuf *to, struct translation *ret)
{
	size_t start = to->n;
	struct cursor c = { bytes, bytes + n, w, to, ret, redact };
	ret->n_objects = 0;
	if (n && bytes[0] == VALUE_TUPLE && value(&c, 0) && c.p == c.end && !to->failed)
		return true;
	strbuf_cut(to, start);
	return false;
}
