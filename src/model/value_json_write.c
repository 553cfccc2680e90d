/*
 * value_json_write: see value_json.h.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/attr.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "model/value_json.h"
#include "model/value_text.h"

static const char *const reserved[] = { "int",       "float", "complex",   "const", "bytes",
					"bytearray", "str",   "type",      "cut",   "set",
					"frozenset", "dict",  "unreadable" };

static bool is_reserved(const char *s, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (n == strlen(reserved[i]) && !memcmp(s, reserved[i], n))
			return true;
	return false;
}

/* Text that survives a round trip through JSON's string syntax. */
static bool is_plain_text(const char *s, size_t n)
{
	bool after_high = false;
	for (size_t i = 0, len; i < n; i += len) {
		if ((unsigned char)s[i] < 0x80) {
			after_high = false;
			len = 1;
			continue;
		}
		uint32_t c = utf8_decode(s + i, n - i, &len);
		if (c == UTF8_BAD || (after_high && c >= 0xdc00 && c < 0xe000))
			return false;
		after_high = c >= 0xd800 && c < 0xdc00;
	}
	return true;
}

void value_json_string(struct strbuf *to, const char *s, size_t n)
{
	strbuf_addc(to, '"');
	size_t run = 0;
	for (size_t i = 0, len = 1; i < n; i += len) {
		unsigned char ch = (unsigned char)s[i];
		len = 1;
		if (ch >= 0x20 && ch < 0x7f && ch != '"' && ch != '\\')
			continue;
		uint32_t c = ch;
		if (ch >= 0x80) {
			c = utf8_decode(s + i, n - i, &len);
			if (c != UTF8_BAD && utf8_width(c) >= 0)
				continue; /* terminals obey controls and direction overrides */
		}
		strbuf_add(to, s + run, i - run);
		run = i + len;
		switch (c) {
		case '"': strbuf_adds(to, "\\\""); break;
		case '\\': strbuf_adds(to, "\\\\"); break;
		case '\n': strbuf_adds(to, "\\n"); break;
		case '\r': strbuf_adds(to, "\\r"); break;
		case '\t': strbuf_adds(to, "\\t"); break;
		case UTF8_BAD: strbuf_addf(to, "\\udc%02x", ch); break; /* PEP 383 */
		default:
			if (c >= 0x10000)
				strbuf_addf(to, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
					    0xdc00 + (c & 0x3ff));
			else
				strbuf_addf(to, "\\u%04x", c);
			break;
		}
	}
	if (n > run) /* s is NULL for no text */
		strbuf_add(to, s + run, n - run);
	strbuf_addc(to, '"');
}

static void write_base64(struct strbuf *to, const void *bytes, size_t n)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = bytes;
	strbuf_addc(to, '"');
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < n ? p[i + 2] : 0);
		char out[4] = { digits[v >> 18], digits[v >> 12 & 63],
				i + 1 < n ? digits[v >> 6 & 63] : '=',
				i + 2 < n ? digits[v & 63] : '=' };
		strbuf_add(to, out, 4);
	}
	strbuf_addc(to, '"');
}

static void write_text(struct strbuf *to, const char *s, size_t n)
{
	if (is_plain_text(s, n)) {
		value_json_string(to, s, n);
		return;
	}
	strbuf_adds(to, "{\"str\":");
	write_base64(to, s, n);
	strbuf_addc(to, '}');
}

static void write_length(struct strbuf *to, uint64_t n)
{
	strbuf_adds(to, ",\"length\":");
	strbuf_add_u64(to, n);
	strbuf_addc(to, '}');
}

static void write_value(struct strbuf *to, struct value_iter *it, const struct value_node *v);

static void write_child(struct strbuf *to, struct value_iter *it)
{
	struct value_node child;
	if (value_iter_next(it, &child))
		write_value(to, it, &child);
	else
		strbuf_adds(to, "{\"unreadable\":true}");
}

static void write_array(struct strbuf *to, struct value_iter *it, const struct value_node *v)
{
	strbuf_addc(to, '[');
	for (uint32_t i = 0; i < v->n_children; i++) {
		if (i)
			strbuf_addc(to, ',');
		write_child(to, it);
		if (value_iter_failed(it))
			break;
	}
	strbuf_addc(to, ']');
}

#define PLAIN_KEYS_MAX 4096u /* the search for duplicates is quadratic */

/* Can the dictionary be a JSON object? Its keys must be few, plain, distinct strings, the first not
 * a reserved word. */
static bool is_plain_dict(const struct value_iter *it, const struct value_node *v)
{
	struct value_iter look = *it;
	VEC(struct value_node) keys = { 0 };
	struct value_node key, value;
	/* a Bloom filter of 64 bits: earlier keys are compared only if it suspects a duplicate */
	uint64_t seen = 0;
	bool ok = !value_is_cut(v) && v->n_children <= 2 * PLAIN_KEYS_MAX;
	for (uint32_t i = 0; ok && i < v->n_children; i += 2) {
		ok = value_iter_next(&look, &key) && key.tag == VALUE_STR &&
		     is_plain_text((const char *)key.bytes, key.n_bytes) &&
		     value_iter_next(&look, &value) &&
		     (i || !is_reserved((const char *)key.bytes, key.n_bytes));
		if (!ok)
			break;
		uint64_t hash = 1469598103934665603u;
		for (size_t k = 0; k < key.n_bytes; k++)
			hash = (hash ^ key.bytes[k]) * 1099511628211u;
		uint64_t bit = UINT64_C(1) << (hash >> 58);
		for (size_t k = 0; ok && (seen & bit) && k < keys.n; k++)
			ok = keys.v[k].n_bytes != key.n_bytes ||
			     memcmp(keys.v[k].bytes, key.bytes, key.n_bytes) != 0;
		seen |= bit;
		ok = ok && vec_push(&keys, key);
		value_iter_skip(&look, &value);
	}
	vec_fini(&keys);
	return ok && !value_iter_failed(&look);
}

static void write_dict(struct strbuf *to, struct value_iter *it, const struct value_node *v)
{
	struct value_node key;
	if (is_plain_dict(it, v)) {
		strbuf_addc(to, '{');
		for (uint32_t i = 0; i < v->n_children; i += 2) {
			if (i)
				strbuf_addc(to, ',');
			if (value_iter_next(it, &key))
				value_json_string(to, (const char *)key.bytes, key.n_bytes);
			strbuf_addc(to, ':');
			write_child(to, it);
		}
		strbuf_addc(to, '}');
		return;
	}
	strbuf_adds(to, "{\"dict\":[");
	for (uint32_t i = 0; i < v->n_children && !value_iter_failed(it); i += 2) {
		strbuf_adds(to, i ? ",[" : "[");
		write_child(to, it);
		strbuf_addc(to, ',');
		write_child(to, it);
		strbuf_addc(to, ']');
	}
	strbuf_addc(to, ']');
	if (value_is_cut(v))
		write_length(to, v->full);
	else
		strbuf_addc(to, '}');
}

/* type, id, type_, id__, …: such an attribute is written with one more underscore. */
static bool needs_underscore(const char *s, size_t n)
{
	while (n && s[n - 1] == '_')
		n--;
	return (n == 4 && !memcmp(s, "type", 4)) || (n == 2 && !memcmp(s, "id", 2));
}

static void write_object(struct strbuf *to, struct value_iter *it, const struct value_node *v)
{
	struct value_node value;
	strbuf_adds(to, "{\"type\":");
	value_json_string(to, (const char *)v->bytes, v->n_bytes);
	if (v->address)
		strbuf_addf(to, ",\"id\":\"0x%" PRIx64 "\"", v->address);
	else
		strbuf_adds(to, ",\"id\":null");
	for (uint32_t i = 0; i < v->n_children && value_iter_next(it, &value); i++) {
		strbuf_addc(to, ',');
		value_json_string(to, value.attr, value.n_attr_bytes);
		if (needs_underscore(value.attr, value.n_attr_bytes)) {
			strbuf_cut(to, to->n - 1);
			strbuf_adds(to, "_\"");
		}
		strbuf_addc(to, ':');
		write_value(to, it, &value);
	}
	strbuf_addc(to, '}');
}

static void write_value(struct strbuf *to, struct value_iter *it, const struct value_node *v)
{
	switch (v->tag) {
	case VALUE_NONE: strbuf_adds(to, "null"); return;
	case VALUE_FALSE: strbuf_adds(to, "false"); return;
	case VALUE_TRUE: strbuf_adds(to, "true"); return;
	case VALUE_ELLIPSIS: strbuf_adds(to, "{\"const\":\"Ellipsis\"}"); return;
	case VALUE_INT:
		if (v->i < 0)
			strbuf_addc(to, '-');
		strbuf_add_u64(to, v->i < 0 ? -(uint64_t)v->i : (uint64_t)v->i);
		return;
	case VALUE_BIGINT:
		strbuf_adds(to, "{\"int\":\"");
		value_text_bigint(to, v->negative, (const char *)v->bytes, v->n_bytes);
		strbuf_adds(to, "\"}");
		return;
	case VALUE_FLOAT:
		if (isfinite(v->real)) {
			value_text_double(to, v->real);
			return;
		}
		strbuf_adds(to, "{\"float\":\"");
		value_text_double(to, v->real);
		strbuf_adds(to, "\"}");
		return;
	case VALUE_COMPLEX:
		strbuf_adds(to, "{\"complex\":[");
		write_value(to, it, &(struct value_node){ .tag = VALUE_FLOAT, .real = v->real });
		strbuf_addc(to, ',');
		write_value(to, it, &(struct value_node){ .tag = VALUE_FLOAT, .real = v->imag });
		strbuf_adds(to, "]}");
		return;
	case VALUE_STR: write_text(to, (const char *)v->bytes, v->n_bytes); return;
	case VALUE_STR_CUT:
		strbuf_adds(to, "{\"cut\":");
		write_text(to, (const char *)v->bytes, v->n_bytes);
		write_length(to, v->full);
		return;
	case VALUE_BYTES:
	case VALUE_BYTES_CUT:
	case VALUE_BYTEARRAY:
	case VALUE_BYTEARRAY_CUT:
		if (value_is_cut(v))
			strbuf_adds(to, "{\"cut\":");
		strbuf_adds(to, v->tag == VALUE_BYTES || v->tag == VALUE_BYTES_CUT
				    ? "{\"bytes\":"
				    : "{\"bytearray\":");
		write_base64(to, (const char *)v->bytes, v->n_bytes);
		strbuf_addc(to, '}');
		if (value_is_cut(v))
			write_length(to, v->full);
		return;
	case VALUE_TUPLE:
	case VALUE_LIST:
		if (value_is_cut(v))
			strbuf_adds(to, "{\"cut\":");
		write_array(to, it, v);
		if (value_is_cut(v))
			write_length(to, v->full);
		return;
	case VALUE_SET:
	case VALUE_FROZENSET:
		strbuf_adds(to, v->tag == VALUE_SET ? "{\"set\":" : "{\"frozenset\":");
		write_array(to, it, v);
		if (value_is_cut(v))
			write_length(to, v->full);
		else
			strbuf_addc(to, '}');
		return;
	case VALUE_DICT: write_dict(to, it, v); return;
	case VALUE_OBJECT: write_object(to, it, v); return;
	case VALUE_UNREADABLE:
	case VALUE_OBJECT_AT:
	case VALUE_REF:
	case VALUE_TAG_COUNT: strbuf_adds(to, "{\"unreadable\":true}"); return;
	}
}

void value_json_write(struct strbuf *to, struct value_iter *it, const struct value_node *v)
{
	write_value(to, it, v);
}
