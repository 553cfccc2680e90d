/*
 * translate: see translate.h. Every length is checked against what is left before it is used; depth
 * is bounded.
 */
#include "recorder/translate.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/value.h"
#include "base/vec.h"
#include "capture/writer.h"
#include "recorder/redact.h"

#define REF_MIN_BYTES 48u /* a container at least this long becomes an entry of its own */

struct cursor {
	const uint8_t *p, *end;
	struct writer *w; /* NULL: containers stay where they are */
	struct strbuf *to;
	struct translation *t;
	struct redactor *redactor; /* NULL: nothing is left out */
	const char *event;
	/* all texts and numbers met now belong to the name of a secret */
	bool is_secret;
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
	strbuf_add_varint(c->to, n);
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
	if ((tag == VALUE_STR_CUT || tag == VALUE_BYTES_CUT || tag == VALUE_BYTEARRAY_CUT) &&
	    !get_varint(&c, &n))
		return false;
	if (!get_varint(&c, &n) || n > (uint64_t)(c.end - c.p))
		return false;
	*ret = (const char *)c.p;
	*ret_n = (size_t)n;
	return true;
}

static bool is_cut(uint8_t tag)
{
	return tag == VALUE_STR_CUT || tag == VALUE_BYTES_CUT || tag == VALUE_BYTEARRAY_CUT;
}

/* Text, without what is secret in it. */
static bool pass_redacted(struct cursor *c, uint8_t tag)
{
	uint64_t n;
	struct strbuf clean = { 0 };
	if (!c->redactor)
		return pass_text(c);
	if (!get_varint(c, &n) || n > (uint64_t)(c->end - c->p))
		return false;
	const char *text = (const char *)c->p;
	size_t n_clean = (size_t)n;
	if (redact_text(c->redactor, c->event, text, n_clean, is_cut(tag), &clean)) {
		text = strbuf_str(&clean);
		n_clean = clean.n;
	}
	strbuf_add_varint(c->to, n_clean);
	strbuf_add(c->to, text, n_clean);
	c->to->failed |= clean.failed;
	c->p += n;
	strbuf_fini(&clean);
	return true;
}

static bool value(struct cursor *c, unsigned depth);

/* Behind one value, which is not translated. */
static bool skip(struct cursor *c, unsigned depth)
{
	uint64_t n, kept;
	if (c->p >= c->end || depth > VALUE_DEPTH_MAX + 2)
		return false;
	uint8_t tag = *c->p++;
	size_t plain = tag == VALUE_FLOAT     ? 8
		       : tag == VALUE_COMPLEX ? 16
		       : tag == VALUE_BIGINT  ? 1
					      : 0;
	if (tag <= VALUE_ELLIPSIS)
		return true;
	if (plain > (size_t)(c->end - c->p))
		return false;
	c->p += plain;
	if (tag == VALUE_INT)
		return get_varint(c, &n);
	if (tag == VALUE_FLOAT || tag == VALUE_COMPLEX)
		return true;
	if (is_text(tag) || tag == VALUE_BIGINT) {
		if ((is_cut(tag) && !get_varint(c, &n)) || !get_varint(c, &n) ||
		    n > (uint64_t)(c->end - c->p))
			return false;
		c->p += n;
		return true;
	}
	if (tag == VALUE_OBJECT_AT) {
		if (c->end - c->p < 8)
			return false;
		c->p += 8;
		if (!get_varint(c, &n) || n > (uint64_t)(c->end - c->p))
			return false;
		c->p += n;
		if (!get_varint(c, &kept) || kept > 16)
			return false;
	} else if (tag >= VALUE_TUPLE && tag <= VALUE_DICT) {
		if (!get_varint(c, &n) || !get_varint(c, &kept) || kept > (uint64_t)(c->end - c->p))
			return false;
	} else {
		return false;
	}
	for (uint64_t i = 0; i < kept; i++) {
		if (tag == VALUE_OBJECT_AT) {
			if (!get_varint(c, &n) || n > (uint64_t)(c->end - c->p))
				return false;
			c->p += n;
		}
		if (!skip(c, depth + 1) || (tag == VALUE_DICT && !skip(c, depth + 1)))
			return false;
	}
	return true;
}

/* The name that stands at c->p says that the value behind it is a secret: *ret_name is set. */
static bool is_secret_here(const struct cursor *c, const char **ret_name, size_t *ret_n)
{
	return c->redactor && peek_text(*c, ret_name, ret_n) && redact_is_secret(*ret_name, *ret_n);
}

/* The value of a secret's name: its texts and numbers are left out, however deep. */
static bool secret_value(struct cursor *c, unsigned depth, const char *name, size_t n_name)
{
	const char *text;
	size_t n;
	bool before = c->is_secret;
	c->is_secret = !peek_text(*c, &text, &n) || !redact_is_open_value(name, n_name, text, n);
	bool ok = value(c, depth);
	c->is_secret = before;
	return ok;
}

/* A key, a name: never left out itself. */
static bool name_value(struct cursor *c, unsigned depth)
{
	bool before = c->is_secret;
	c->is_secret = false;
	bool ok = value(c, depth);
	c->is_secret = before;
	return ok;
}

/* A text, number or object with nothing in it where a secret stands: its length is kept. False: it
 * is something else. */
static bool leave_out(struct cursor *c, uint8_t tag)
{
	const char *text;
	size_t n;
	uint64_t v;
	struct cursor look = *c;
	if (peek_text(*c, &text, &n)) {
		redact_add_value(c->to, text, n);
		c->p = (const uint8_t *)text + n;
		return true;
	}
	look.p++;
	if (tag == VALUE_INT && get_varint(&look, &v) && v >= 2000) { /* zigzag of 1000 */
		unsigned digits = 1;
		for (v >>= 1; v >= 10; v /= 10)
			digits++;
		redact_add_length(c->to, digits);
		c->p = look.p;
		return true;
	}
	if (tag == VALUE_FLOAT || tag == VALUE_BIGINT) {
		if (!skip(c, 0))
			return false;
		redact_add_length(c->to, (uint64_t)(c->p - look.p));
		return true;
	}
	return false;
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
	strbuf_add_varint(c->to, n);
	for (uint64_t i = 0; i < n; i++)
		/* Attributes are never objects themselves; a depth past the slots keeps it so. */
		if (!pass_text(c) || !value(c, depth < 2 ? 2 : depth + 1))
			return false;
	return true;
}

static bool members(struct cursor *c, unsigned depth, uint64_t kept)
{
	for (uint64_t i = 0; i < kept; i++) {
		const char *name;
		size_t n;
		bool is_secret = is_secret_here(c, &name, &n);
		if (!name_value(c, depth + 1) ||
		    !(is_secret ? secret_value(c, depth + 1, name, n) : value(c, depth + 1)))
			return false;
	}
	return true;
}

struct words {
	VEC(struct redact_word) v; /* s is where the text stands in the record */
	struct strbuf clean;       /* all of them, one behind the other */
	bool is_redacted;
	size_t next, at; /* the next word and where it begins in `clean` */
};

/* What the texts of a list are together: a command line may say in one word what the next one is.
 */
static void words_take(struct words *w, const struct cursor *c, unsigned depth, uint64_t kept)
{
	struct cursor look = *c;
	for (uint64_t i = 0; i < kept; i++) {
		struct redact_word word = { 0 };
		if (peek_text(look, &word.s, &word.n)) {
			word.is_cut = is_cut(*look.p);
			if (!vec_push(&w->v, word))
				w->clean.failed = true;
		}
		if (!skip(&look, depth + 1))
			return;
	}
	w->is_redacted = w->v.n > 1 &&
			 redact_words(c->redactor, c->event, w->v.v, w->v.n, &w->clean);
}

/* The word at c->p as redact_words() left it. False: it is no word. */
static bool words_pass(struct words *w, struct cursor *c)
{
	const char *text;
	size_t n;
	uint64_t full;
	if (!w->is_redacted || c->is_secret || w->next >= w->v.n || !peek_text(*c, &text, &n) ||
	    text != w->v.v[w->next].s)
		return false;
	uint8_t tag = *c->p++;
	const struct redact_word *word = &w->v.v[w->next++];
	strbuf_addc(c->to, (char)tag);
	if (is_cut(tag) && get_varint(c, &full))
		strbuf_add_varint(c->to, full);
	strbuf_add_varint(c->to, word->n_clean);
	strbuf_add(c->to, w->clean.s + w->at, word->n_clean);
	w->at += word->n_clean;
	c->p = (const uint8_t *)text + n;
	return true;
}

static bool elements(struct cursor *c, uint8_t tag, unsigned depth, uint64_t kept)
{
	struct words words = { 0 };
	const char *name = NULL;
	size_t n = 0;
	/* ("password", "x"); os.putenv and its like: the event's own arguments are a name and its
	 * value */
	bool is_list = tag == VALUE_TUPLE || tag == VALUE_LIST, ok = true;
	bool is_pair = is_list && kept == 2 && is_secret_here(c, &name, &n);
	if (c->redactor && is_list && depth > 0 && kept > 1 && !is_pair && !c->is_secret)
		words_take(&words, c, depth, kept);
	c->to->failed |= words.clean.failed;
	for (uint64_t i = 0; ok && i < kept; i++) {
		if (is_pair)
			ok = i == 0 ? name_value(c, depth + 1)
				    : secret_value(c, depth + 1, name, n);
		else
			ok = words_pass(&words, c) || value(c, depth + 1);
	}
	vec_fini(&words.v);
	strbuf_fini(&words.clean);
	return ok;
}

static bool container(struct cursor *c, uint8_t tag, unsigned depth)
{
	uint64_t full, kept;
	size_t start = c->to->n;
	if (!get_varint(c, &full) || !get_varint(c, &kept) || kept > full ||
	    kept > (uint64_t)(c->end - c->p))
		return false;
	strbuf_addc(c->to, (char)tag);
	strbuf_add_varint(c->to, full);
	strbuf_add_varint(c->to, kept);
	bool ok = tag == VALUE_DICT ? members(c, depth, kept) : elements(c, tag, depth, kept);
	if (!ok)
		return false;
	if (c->w && depth > 0 && c->to->n - start >= REF_MIN_BYTES && !c->to->failed) {
		uint32_t id = writer_value(c->w, c->to->s + start, c->to->n - start);
		if (id) {
			strbuf_cut(c->to, start);
			strbuf_addc(c->to, VALUE_REF);
			strbuf_add_varint(c->to, id);
		}
	}
	return true;
}

static bool value(struct cursor *c, unsigned depth)
{
	if (c->p >= c->end || depth > VALUE_DEPTH_MAX + 2)
		return false;
	uint8_t tag = *c->p;
	uint64_t n;
	if (c->is_secret && leave_out(c, tag))
		return true;
	c->p++;
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
		strbuf_add_varint(c->to, n);
		return true;
	case VALUE_BIGINT: strbuf_addc(c->to, (char)tag); return pass(c, 1) && pass_text(c);
	case VALUE_FLOAT: strbuf_addc(c->to, (char)tag); return pass(c, 8);
	case VALUE_COMPLEX: strbuf_addc(c->to, (char)tag); return pass(c, 16);
	case VALUE_STR:
	case VALUE_BYTES:
	case VALUE_BYTEARRAY: strbuf_addc(c->to, (char)tag); return pass_redacted(c, tag);
	case VALUE_STR_CUT:
	case VALUE_BYTES_CUT:
	case VALUE_BYTEARRAY_CUT:
		strbuf_addc(c->to, (char)tag);
		if (!get_varint(c, &n))
			return false;
		strbuf_add_varint(c->to, n);
		return pass_redacted(c, tag);
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

bool translate_args(struct writer *w, struct redactor *redactor, const char *event,
		    const uint8_t *bytes, size_t n, struct strbuf *to, struct translation *ret)
{
	size_t start = to->n;
	struct cursor c = { bytes, bytes + n, w, to, ret, redactor, event, false };
	ret->n_objects = 0;
	if (n && bytes[0] == VALUE_TUPLE && value(&c, 0) && c.p == c.end && !to->failed)
		return true;
	strbuf_cut(to, start);
	return false;
}

bool translate_locals(struct redactor *redactor, const uint8_t *bytes, size_t n, struct strbuf *to)
{
	size_t start = to->n;
	struct cursor c = { .p = bytes, .end = bytes + n, .to = to, .redactor = redactor };
	/* from this depth on, an object keeps its address */
	if (n && bytes[0] == VALUE_DICT && value(&c, 2) && c.p == c.end && !to->failed)
		return true;
	strbuf_cut(to, start);
	return false;
}
