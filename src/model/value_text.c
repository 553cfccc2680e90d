/*
 * value_text: see value_text.h.
 */
#include "model/value_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"

/* bytes of magnitude; the division is quadratic: 4 ms at this size */
#define BIGINT_DECIMAL_MAX 2048u

struct sink {
	struct strbuf *to;
	struct value_iter *it;
	size_t stop; /* to->n at which to end with "…"; SIZE_MAX never */
	bool is_full;
	bool is_plain; /* no quotes, no escapes, no addresses */
};

static void write_value(struct sink *s, const struct value_node *v);

static bool is_full(struct sink *s)
{
	if (!s->is_full && s->to->n >= s->stop) {
		s->is_full = true;
		strbuf_adds(s->to, "…");
	}
	return s->is_full;
}

static void add_u64(struct strbuf *to, uint64_t v)
{
	strbuf_add_u64(to, v);
}

static void add_i64(struct strbuf *to, int64_t v)
{
	if (v < 0)
		strbuf_addc(to, '-');
	add_u64(to, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void value_text_double(struct strbuf *to, double d)
{
	if (isnan(d) || isinf(d)) {
		strbuf_adds(to, isnan(d) ? "nan" : d < 0 ? "-inf" : "inf");
		return;
	}
	char text[40];
	int precision = 14;
	do
		snprintf(text, sizeof(text), "%.*e", precision, d);
	while (strtod(text, NULL) != d && ++precision <= 16);
	char digits[24];
	size_t n = 0;
	const char *p = text;
	if (*p == '-')
		strbuf_addc(to, *p++);
	for (; *p && *p != 'e'; p++)
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	int exponent = atoi(p + 1);
	while (n > 1 && digits[n - 1] == '0')
		n--;
	/* CPython v3.12.0 Python/pystrtod.c, format_float_short, 'r' */
	if (exponent < -4 || exponent >= 16) {
		strbuf_addc(to, digits[0]);
		if (n > 1) {
			strbuf_addc(to, '.');
			strbuf_add(to, digits + 1, n - 1);
		}
		strbuf_addf(to, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
		return;
	}
	if (exponent < 0) {
		strbuf_adds(to, "0.");
		strbuf_add_repeat(to, '0', (size_t)(-exponent - 1));
		strbuf_add(to, digits, n);
		return;
	}
	size_t whole = (size_t)exponent + 1;
	strbuf_add(to, digits, n < whole ? n : whole);
	if (n < whole)
		strbuf_add_repeat(to, '0', whole - n);
	strbuf_addc(to, '.');
	if (n > whole)
		strbuf_add(to, digits + whole, n - whole);
	else
		strbuf_addc(to, '0');
}

void value_text_bigint(struct strbuf *to, bool is_negative, const void *magnitude, size_t n)
{
	const uint8_t *m = magnitude;
	while (n && !m[n - 1])
		n--;
	if (!n) {
		strbuf_addc(to, '0');
		return;
	}
	if (is_negative)
		strbuf_addc(to, '-');
	if (n > BIGINT_DECIMAL_MAX) {
		strbuf_adds(to, "0x");
		for (size_t i = n; i-- > 0;)
			strbuf_addf(to, i == n - 1 ? "%x" : "%02x", m[i]);
		return;
	}
	uint32_t words[BIGINT_DECIMAL_MAX / 4 + 1] = { 0 };
	char out[BIGINT_DECIMAL_MAX * 5 / 2]; /* a byte is 2.41 digits */
	size_t n_words = (n + 3) / 4, at = sizeof(out);
	for (size_t i = 0; i < n; i++)
		words[i / 4] |= (uint32_t)m[i] << (i % 4 * 8);
	while (n_words) {
		uint64_t rest = 0;
		for (size_t i = n_words; i-- > 0;) {
			rest = rest << 32 | words[i];
			words[i] = (uint32_t)(rest / 1000000000u);
			rest %= 1000000000u;
		}
		while (n_words && !words[n_words - 1])
			n_words--;
		for (int i = 0; i < 9 && (n_words || rest); i++, rest /= 10)
			out[--at] = (char)('0' + rest % 10);
	}
	strbuf_add(to, out + at, sizeof(out) - at);
}

/* Bytes left before the limit. */
static size_t room(const struct sink *s)
{
	return s->stop == SIZE_MAX ? SIZE_MAX : s->to->n < s->stop ? s->stop - s->to->n : 0;
}

/* The longest prefix of p[0 … n) that fits, in whole code points. */
static size_t cut_to_room(const struct sink *s, const char *p, size_t n)
{
	if (n <= room(s))
		return n;
	n = room(s);
	while (n && ((unsigned char)p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void write_bytes(struct sink *s, const char *p, size_t n)
{
	if (s->is_plain) {
		strbuf_add(s->to, p, n);
		return;
	}
	strbuf_adds(s->to, "b\"");
	for (size_t i = 0; i < n; i++) {
		if (i % 64 == 0 && s->to->n >= s->stop)
			break;
		unsigned char c = (unsigned char)p[i];
		if (c == '"' || c == '\\')
			strbuf_addc(s->to, '\\'), strbuf_addc(s->to, (char)c);
		else if (c >= 0x20 && c < 0x7f)
			strbuf_addc(s->to, (char)c);
		else if (c == '\n' || c == '\r' || c == '\t')
			strbuf_adds(s->to, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
		else
			strbuf_addf(s->to, "\\x%02x", c);
	}
	if (!is_full(s))
		strbuf_addc(s->to, '"');
}

static void write_str(struct sink *s, const char *p, size_t n)
{
	if (s->is_plain) {
		strbuf_add(s->to, p, n);
		return;
	}
	strbuf_addc(s->to, '"');
	size_t fits = cut_to_room(s, p, n);
	if (fits < n) {
		utf8_escape(s->to, p, fits, '"');
		s->is_full = true;
		strbuf_adds(s->to, "…");
		return;
	}
	utf8_escape(s->to, p, n, '"');
	strbuf_addc(s->to, '"');
}

static void write_cut(struct sink *s, uint64_t kept, uint64_t full)
{
	if (s->is_plain)
		return;
	strbuf_adds(s->to, "[cut ");
	add_u64(s->to, kept);
	strbuf_adds(s->to, " of ");
	add_u64(s->to, full);
	strbuf_addc(s->to, ']');
}

static uint64_t count_code_points(const char *p, size_t n)
{
	uint64_t count = 0;
	for (size_t i = 0; i < n; i++)
		count += ((unsigned char)p[i] & 0xc0) != 0x80;
	return count;
}

static void write_children(struct sink *s, const struct value_node *v)
{
	struct value_node child;
	uint64_t n = v->tag == VALUE_DICT ? v->n_children / 2 : v->n_children;
	for (uint32_t i = 0; i < v->n_children; i++) {
		if (i)
			strbuf_adds(s->to, v->tag == VALUE_DICT && i % 2 ? ": " : ", ");
		if (is_full(s))
			return;
		bool ok = value_iter_next(s->it, &child);
		if (ok)
			write_value(s, &child);
		else
			strbuf_adds(s->to, "??");
		if (s->is_full || !ok)
			return;
	}
	if (n < v->full) {
		if (n && !s->is_plain)
			strbuf_adds(s->to, ", ");
		write_cut(s, n, v->full);
	}
}

static bool bytes_are(const void *bytes, size_t n, const char *text)
{
	return n == strlen(text) && !memcmp(bytes, text, n);
}

/* The attributes that describe an object; tag UNREADABLE if it has none. */
struct known {
	struct value_node name, module, file, line, path;
};

static struct known read_known(const struct value_iter *it, const struct value_node *v)
{
	struct known k = { 0 }; /* VALUE_UNREADABLE is 0 */
	struct value_iter look = *it;
	struct value_node a;
	for (uint32_t i = 0; i < v->n_children && value_iter_next(&look, &a); i++) {
		struct value_node *to = NULL;
		if (bytes_are(a.attr, a.n_attr_bytes, "name"))
			to = &k.name;
		else if (bytes_are(a.attr, a.n_attr_bytes, "module"))
			to = &k.module;
		else if (bytes_are(a.attr, a.n_attr_bytes, "file"))
			to = &k.file;
		else if (bytes_are(a.attr, a.n_attr_bytes, "line"))
			to = &k.line;
		else if (bytes_are(a.attr, a.n_attr_bytes, "path"))
			to = &k.path;
		if (to && (to == &k.line ? a.tag == VALUE_INT : value_is_text(a.tag)))
			*to = a;
		value_iter_skip(&look, &a);
	}
	return k;
}

/* A name or type: escaped for display, unchanged for plain text. */
static void write_name(struct sink *s, const void *p, size_t n)
{
	if (s->is_plain)
		strbuf_add(s->to, p, n);
	else
		utf8_escape(s->to, p, n, 0);
}

static void write_object(struct sink *s, const struct value_node *v)
{
	struct strbuf *to = s->to;
	struct known k = read_known(s->it, v);
	const char *type = (const char *)v->bytes;
	if (k.path.tag && s->is_plain) {
		write_value(s, &k.path);
		value_iter_skip(s->it, v);
		return;
	}
	if (k.path.tag) { /* PosixPath("/etc") */
		write_name(s, type, v->n_bytes);
		strbuf_addc(to, '(');
		write_value(s, &k.path);
		strbuf_addc(to, ')');
		value_iter_skip(s->it, v);
		return;
	}
	const char *word = !k.name.tag                               ? NULL
			   : bytes_are(type, v->n_bytes, "code")     ? "<code "
			   : bytes_are(type, v->n_bytes, "type")     ? "<class "
			   : bytes_are(type, v->n_bytes, "module")   ? "<module "
			   : bytes_are(type, v->n_bytes, "function") ? "<function "
			   : bytes_are(type, v->n_bytes, "builtin_function_or_method")
			       ? "<built-in "
			       : NULL;
	if (word) {
		strbuf_adds(to, word);
		if (k.module.tag) {
			write_name(s, k.module.bytes, k.module.n_bytes);
			strbuf_addc(to, '.');
		}
		write_name(s, k.name.bytes, k.name.n_bytes);
		if (k.file.tag) {
			strbuf_addc(to, ' ');
			write_name(s, k.file.bytes, k.file.n_bytes);
		}
		if (k.line.tag) {
			strbuf_addc(to, ':');
			add_i64(to, k.line.i);
		}
		strbuf_addc(to, '>');
		value_iter_skip(s->it, v);
		return;
	}
	strbuf_addc(to, '<');
	write_name(s, type, v->n_bytes);
	struct value_node a;
	/* <redacted, 6 chars> */
	if (bytes_are(type, v->n_bytes, "redacted") && v->n_children == 1) {
		if (value_iter_next(s->it, &a)) {
			strbuf_adds(to, ", ");
			write_value(s, &a);
			strbuf_adds(to, " chars>");
		}
		return;
	}
	for (uint32_t i = 0; i < v->n_children && value_iter_next(s->it, &a); i++) {
		strbuf_addc(to, ' ');
		write_name(s, a.attr, a.n_attr_bytes);
		strbuf_addc(to, '=');
		write_value(s, &a);
		if (s->is_full)
			return;
	}
	if (v->address && !s->is_plain)
		strbuf_addf(to, " 0x%" PRIx64, v->address);
	strbuf_addc(to, '>');
}

static void write_value(struct sink *s, const struct value_node *v)
{
	struct strbuf *to = s->to;
	switch (v->tag) {
	case VALUE_NONE: strbuf_adds(to, "None"); return;
	case VALUE_FALSE: strbuf_adds(to, "False"); return;
	case VALUE_TRUE: strbuf_adds(to, "True"); return;
	case VALUE_ELLIPSIS: strbuf_adds(to, "Ellipsis"); return;
	case VALUE_INT: add_i64(to, v->i); return;
	case VALUE_BIGINT: value_text_bigint(to, v->negative, v->bytes, v->n_bytes); return;
	case VALUE_FLOAT: value_text_double(to, v->real); return;
	case VALUE_COMPLEX:
		strbuf_addc(to, '(');
		value_text_double(to, v->real);
		if (!signbit(v->imag) || isnan(v->imag))
			strbuf_addc(to, '+');
		value_text_double(to, v->imag);
		strbuf_adds(to, "j)");
		return;
	case VALUE_STR: write_str(s, (const char *)v->bytes, v->n_bytes); return;
	case VALUE_STR_CUT:
		write_str(s, (const char *)v->bytes, v->n_bytes);
		if (!s->is_full)
			write_cut(s, count_code_points((const char *)v->bytes, v->n_bytes),
				  v->full);
		return;
	case VALUE_BYTEARRAY:
	case VALUE_BYTEARRAY_CUT:
		if (!s->is_plain)
			strbuf_adds(to, "bytearray(");
		__attribute__((fallthrough));
	case VALUE_BYTES:
	case VALUE_BYTES_CUT:
		write_bytes(s, (const char *)v->bytes, v->n_bytes);
		if (s->is_full)
			return;
		if (value_is_cut(v))
			write_cut(s, v->n_bytes, v->full);
		if (!s->is_plain && (v->tag == VALUE_BYTEARRAY || v->tag == VALUE_BYTEARRAY_CUT))
			strbuf_addc(to, ')');
		return;
	case VALUE_TUPLE:
		strbuf_addc(to, '(');
		write_children(s, v);
		if (!s->is_full)
			strbuf_adds(to, v->full == 1 && v->n_children == 1 ? ",)" : ")");
		return;
	case VALUE_LIST:
		strbuf_addc(to, '[');
		write_children(s, v);
		if (!s->is_full)
			strbuf_addc(to, ']');
		return;
	case VALUE_SET:
	case VALUE_FROZENSET:
		if (v->tag == VALUE_FROZENSET || !v->full)
			strbuf_adds(to, v->tag == VALUE_SET ? "set(" : "frozenset(");
		if (v->full) {
			strbuf_addc(to, '{');
			write_children(s, v);
			if (s->is_full)
				return;
			strbuf_addc(to, '}');
		}
		if (v->tag == VALUE_FROZENSET || !v->full)
			strbuf_addc(to, ')');
		return;
	case VALUE_DICT:
		strbuf_addc(to, '{');
		write_children(s, v);
		if (!s->is_full)
			strbuf_addc(to, '}');
		return;
	case VALUE_OBJECT: write_object(s, v); return;
	case VALUE_UNREADABLE:
	case VALUE_OBJECT_AT:
	case VALUE_REF:
	case VALUE_TAG_COUNT: strbuf_adds(to, "??"); return;
	}
}

typedef void write_fn(struct sink *s, const struct value_node *v);

/* Text that may end early is made with a copy of the iterator, so that the original is always
 * positioned after the value. */
static void write_with(write_fn *write, struct strbuf *to, struct value_iter *it,
		       const struct value_node *v, size_t max_bytes)
{
	struct sink s = { .to = to, .it = it, .stop = max_bytes ? to->n + max_bytes : SIZE_MAX };
	if (!max_bytes || !v->n_children) {
		write(&s, v);
		return;
	}
	struct value_iter copy = *it;
	s.it = &copy;
	write(&s, v);
	value_iter_skip(it, v);
}

void value_text_literal(struct strbuf *to, struct value_iter *it, const struct value_node *v,
			size_t max_bytes)
{
	write_with(write_value, to, it, v, max_bytes);
}

void value_text_plain(struct strbuf *to, struct value_iter *it, const struct value_node *v)
{
	struct sink s = { .to = to, .it = it, .stop = SIZE_MAX, .is_plain = true };
	write_value(&s, v);
}

bool value_is_text(enum value_tag tag)
{
	return tag == VALUE_STR || tag == VALUE_STR_CUT;
}

bool value_is_bytes(enum value_tag tag)
{
	return tag >= VALUE_BYTES && tag <= VALUE_BYTEARRAY_CUT;
}

bool value_is_cut(const struct value_node *v)
{
	if (v->tag >= VALUE_TUPLE && v->tag <= VALUE_DICT)
		return (v->tag == VALUE_DICT ? v->n_children / 2 : v->n_children) < v->full;
	return v->tag == VALUE_STR_CUT || v->tag == VALUE_BYTES_CUT ||
	       v->tag == VALUE_BYTEARRAY_CUT;
}

const char *value_type_name(const struct value_node *v, size_t *ret_bytes)
{
	static const char *const names[VALUE_TAG_COUNT] = {
		[VALUE_UNREADABLE] = "unreadable",
		[VALUE_NONE] = "NoneType",
		[VALUE_FALSE] = "bool",
		[VALUE_TRUE] = "bool",
		[VALUE_ELLIPSIS] = "ellipsis",
		[VALUE_INT] = "int",
		[VALUE_BIGINT] = "int",
		[VALUE_FLOAT] = "float",
		[VALUE_COMPLEX] = "complex",
		[VALUE_STR] = "str",
		[VALUE_STR_CUT] = "str",
		[VALUE_BYTES] = "bytes",
		[VALUE_BYTES_CUT] = "bytes",
		[VALUE_BYTEARRAY] = "bytearray",
		[VALUE_BYTEARRAY_CUT] = "bytearray",
		[VALUE_TUPLE] = "tuple",
		[VALUE_LIST] = "list",
		[VALUE_SET] = "set",
		[VALUE_FROZENSET] = "frozenset",
		[VALUE_DICT] = "dict",
		[VALUE_OBJECT] = "object",
		[VALUE_OBJECT_AT] = "object",
		[VALUE_REF] = "reference",
	};
	if (v->tag == VALUE_OBJECT) {
		*ret_bytes = v->n_bytes;
		return (const char *)v->bytes;
	}
	*ret_bytes = strlen(names[v->tag]);
	return names[v->tag];
}
