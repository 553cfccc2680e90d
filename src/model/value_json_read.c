/*
 * value_json_read: see value_json.h.
 *
 * Containers are written as they are parsed, and then their head, which has the counts, is inserted
 * in front. An object that starts with a reserved word is first parsed as the special form; if it
 * does not have exactly that form it is a dictionary, so foreign JSON is never refused because of
 * its words. Numbers are parsed by strtod(), so the program keeps LC_NUMERIC "C".
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "model/value_json.h"

#define DIGITS_MAX 5000 /* of an integer; the conversion is quadratic */
/*
 * What is no special form after all is read a second time, so forms that are nested double the work
 * with each level. Where the bytes read in vain are so many times the text, what begins like a form
 * is a dictionary.
 */
#define VAIN_TIMES_MAX 4u
#define VAIN_BYTES_MIN (1u << 20)

struct state {
	struct json *j;
	struct strbuf *to;
	struct json_objects *objects;
	bool is_inline; /* addresses are written beside their objects */
	const char *start;
	size_t vain_bytes;
};

static bool read_value(struct state *s, unsigned depth);

bool json_read_fail(struct json *j, const char *expected)
{
	if (!j->error)
		j->error = expected;
	return false;
}

void json_read_space(struct json *j)
{
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r'))
		j->p++;
}

bool json_read_is(struct json *j, char c)
{
	json_read_space(j);
	if (j->p >= j->end || *j->p != c)
		return false;
	j->p++;
	return true;
}

bool json_read_expect(struct json *j, char c)
{
	static const struct {
		char c;
		const char *name;
	} names[] = { { ':', "':'" }, { ',', "','" }, { '}', "'}'" },
		      { ']', "']'" }, { '{', "'{'" }, { '[', "'['" } };
	if (json_read_is(j, c))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].c == c)
			return json_read_fail(j, names[i].name);
	return json_read_fail(j, "another character");
}

static bool read_hex4(const char *p, const char *end, uint32_t *ret)
{
	uint32_t v = 0;
	if (end - p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		int d = utf8_hex_digit(p[i]);
		if (d < 0)
			return false;
		v = v << 4 | (uint32_t)d;
	}
	*ret = v;
	return true;
}

static bool read_escape(struct json *j, struct strbuf *to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	uint32_t c, low;
	if (j->p >= j->end)
		return json_read_fail(j, "the end of the string");
	const char *at = memchr(from, *j->p, sizeof(from) - 1);
	if (at) {
		strbuf_addc(to, into[at - from]);
		j->p++;
		return true;
	}
	if (*j->p != 'u' || !read_hex4(j->p + 1, j->end, &c))
		return json_read_fail(j, "an escape");
	j->p += 5;
	if (c >= 0xd800 && c < 0xdc00 && j->end - j->p >= 6 && j->p[0] == '\\' && j->p[1] == 'u' &&
	    read_hex4(j->p + 2, j->end, &low) && low >= 0xdc00 && low < 0xe000) {
		j->p += 6;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	strbuf_add_utf8(to, c);
	return true;
}

/* Bytes that are not UTF-8 become U+DC80 … U+DCFF, as in Python (PEP 383). */
static void mend_text(struct strbuf *to)
{
	size_t good = 0, len;
	for (; good < to->n; good += len)
		if ((unsigned char)to->s[good] < 0x80)
			len = 1;
		else if (utf8_decode(to->s + good, to->n - good, &len) == UTF8_BAD)
			break;
	if (good >= to->n)
		return;
	struct strbuf mended = { 0 };
	strbuf_add(&mended, to->s, good);
	for (size_t i = good; i < to->n; i += len) {
		if (utf8_decode(to->s + i, to->n - i, &len) == UTF8_BAD)
			strbuf_add_utf8(&mended, 0xdc00u | (uint8_t)to->s[i]);
		else
			strbuf_add(&mended, to->s + i, len);
	}
	strbuf_fini(to);
	*to = mended;
}

bool json_read_string(struct json *j, struct strbuf *to)
{
	strbuf_clear(to);
	json_read_space(j);
	if (j->p >= j->end || *j->p != '"')
		return json_read_fail(j, "a string");
	const char *run = ++j->p;
	for (;;) {
		while (j->p < j->end && *j->p != '"' && *j->p != '\\')
			j->p++;
		if (j->p >= j->end)
			return json_read_fail(j, "the end of the string");
		strbuf_add(to, run, (size_t)(j->p - run));
		if (*j->p++ == '"') {
			mend_text(to);
			return true;
		}
		if (!read_escape(j, to))
			return false;
		run = j->p;
	}
}

/* Skip the string that starts at j->p. */
static bool skip_string(struct json *j)
{
	for (j->p++; j->p < j->end; j->p++) {
		if (*j->p == '"') {
			j->p++;
			return true;
		}
		if (*j->p == '\\')
			j->p++;
	}
	j->p = j->end;
	return json_read_fail(j, "the end of the string");
}

bool json_read_skip(struct json *j)
{
	size_t depth = 0;
	json_read_space(j);
	do {
		if (j->p >= j->end)
			return json_read_fail(j, "a value");
		switch (*j->p) {
		case '"':
			if (!skip_string(j))
				return false;
			break;
		case '{':
		case '[': depth++, j->p++; break;
		case '}':
		case ']':
			if (!depth)
				return json_read_fail(j, "a value");
			depth--, j->p++;
			break;
		default:
			if (!depth) {
				const char *from = j->p;
				while (j->p < j->end && !strchr(",:]} \t\r\n", *j->p))
					j->p++;
				if (j->p == from)
					return json_read_fail(j, "a value");
			} else {
				j->p++;
			}
		}
	} while (depth);
	return true;
}

bool json_read_u64(struct json *j, uint64_t *ret)
{
	uint64_t v = 0;
	json_read_space(j);
	const char *from = j->p;
	for (; j->p < j->end && *j->p >= '0' && *j->p <= '9'; j->p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*j->p - '0'), &v))
			return json_read_fail(j, "a smaller number");
	if (j->p == from || (j->p < j->end && (*j->p == '.' || *j->p == 'e' || *j->p == 'E')))
		return json_read_fail(j, "a whole number");
	*ret = v;
	return true;
}

static size_t read_varint(const char *p, uint64_t *ret)
{
	size_t n = 0;
	*ret = 0;
	do
		*ret |= (uint64_t)((unsigned char)p[n] & 0x7f) << (7 * n);
	while ((unsigned char)p[n++] & 0x80);
	return n;
}

/* Insert a tag and up to two counts before what was written since `at`, replacing the first `drop`
 * bytes. */
static void insert_head(struct strbuf *to, size_t at, size_t drop, enum value_tag tag, uint64_t a,
			const uint64_t *b)
{
	struct strbuf head = { 0 };
	strbuf_addc(&head, (char)tag);
	strbuf_add_varint(&head, a);
	if (b)
		strbuf_add_varint(&head, *b);
	size_t n_tail = to->n - at - drop;
	strbuf_add_repeat(to, 0, head.n);
	if (!to->failed && !head.failed) {
		memmove(to->s + at + head.n, to->s + at + drop, n_tail);
		memcpy(to->s + at, head.s, head.n);
		strbuf_cut(to, at + head.n + n_tail);
	}
	strbuf_fini(&head);
}

static void add_integer(struct strbuf *to, int64_t v)
{
	strbuf_addc(to, VALUE_INT);
	strbuf_add_varint(to, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

/* Append digits (base 10, or 16 with is_hex) as INT, or as BIGINT if INT is too small. */
static bool add_digits(struct strbuf *to, bool is_negative, bool is_hex, const char *p, size_t n)
{
	if (!n || (!is_hex && n > DIGITS_MAX))
		return false;
	size_t room = is_hex ? n / 2 + 1 : n / 2 + 8, n_words = 0;
	uint32_t *words = calloc(room / 4 + 2, 4);
	if (!words)
		return false;
	for (size_t i = 0; i < n; i++) {
		int d = utf8_hex_digit(p[i]);
		if (d < 0 || (!is_hex && d > 9)) {
			free(words);
			return false;
		}
		if (is_hex) {
			size_t nibble = n - 1 - i;
			words[nibble / 8] |= (uint32_t)d << (nibble % 8 * 4);
			continue;
		}
		uint64_t carry = (uint64_t)d;
		for (size_t k = 0; k < n_words; k++) {
			carry += (uint64_t)words[k] * 10;
			words[k] = (uint32_t)carry;
			carry >>= 32;
		}
		if (carry)
			words[n_words++] = (uint32_t)carry;
	}
	if (is_hex)
		n_words = (n + 7) / 8;
	uint8_t *bytes = (uint8_t *)words; /* little endian, like the machine */
	size_t n_bytes = n_words * 4;
	while (n_bytes && !bytes[n_bytes - 1])
		n_bytes--;
	uint64_t low = 0;
	memcpy(&low, bytes, n_bytes < 8 ? n_bytes : 8);
	if (n_bytes <= 8 && low <= (uint64_t)INT64_MAX + is_negative) {
		add_integer(to, is_negative ? (int64_t)(0 - low) : (int64_t)low);
	} else {
		strbuf_addc(to, VALUE_BIGINT);
		strbuf_addc(to, is_negative);
		strbuf_add_varint(to, n_bytes);
		strbuf_add(to, bytes, n_bytes);
	}
	free(words);
	return true;
}

static void add_double(struct strbuf *to, double d)
{
	strbuf_addc(to, VALUE_FLOAT);
	strbuf_add(to, &d, 8);
}

static bool read_number(struct state *s)
{
	struct json *j = s->j;
	const char *from = j->p;
	bool is_negative = *j->p == '-';
	j->p += is_negative;
	const char *digits = j->p;
	static const char infinity[] = "Infinity", nan[] = "NaN"; /* as Python's json writes them */
	if ((size_t)(j->end - j->p) >= sizeof(infinity) - 1 &&
	    !memcmp(j->p, infinity, sizeof(infinity) - 1)) {
		j->p += sizeof(infinity) - 1;
		add_double(s->to, is_negative ? -(double)INFINITY : (double)INFINITY);
		return true;
	}
	if ((size_t)(j->end - j->p) >= sizeof(nan) - 1 && !memcmp(j->p, nan, sizeof(nan) - 1)) {
		j->p += sizeof(nan) - 1;
		add_double(s->to, (double)NAN);
		return true;
	}
	int64_t v = 0;
	while (j->p < j->end && *j->p >= '0' && *j->p <= '9') {
		if (j->p - digits < 18)
			v = v * 10 + (*j->p - '0');
		j->p++;
	}
	size_t n = (size_t)(j->p - digits);
	if (!n)
		return json_read_fail(j, "a value");
	if (j->p >= j->end || (*j->p != '.' && (*j->p | 32) != 'e')) {
		if (n <= 18)
			add_integer(s->to, is_negative ? -v : v);
		else if (!add_digits(s->to, is_negative, false, digits,
				     n)) { /* too long to convert: keep its text */
			strbuf_addc(s->to, VALUE_STR);
			strbuf_add_varint(s->to, (uint64_t)(j->p - from));
			strbuf_add(s->to, from, (size_t)(j->p - from));
		}
		return true;
	}
	while (j->p < j->end && ((*j->p >= '0' && *j->p <= '9') || strchr("+-.eE", *j->p)))
		j->p++;
	char text[64];
	n = (size_t)(j->p - from);
	if (n < sizeof(text)) {
		memcpy(text, from, n);
		text[n] = 0;
		add_double(s->to, strtod(text, NULL));
		return true;
	}
	char *copy = strndup(from, n);
	if (!copy)
		return json_read_fail(j, "more memory");
	add_double(s->to, strtod(copy, NULL));
	free(copy);
	return true;
}

static bool read_array(struct state *s, enum value_tag tag, unsigned depth)
{
	size_t at = s->to->n;
	size_t n_objects = s->objects->addresses.n;
	uint64_t n = 0;
	if (!json_read_expect(s->j, '['))
		return false;
	if (!json_read_is(s->j, ']')) {
		do {
			n++;
			if (depth > VALUE_DEPTH_MAX ? !json_read_skip(s->j)
						    : !read_value(s, depth + 1))
				return false;
		} while (json_read_is(s->j, ','));
		if (!json_read_expect(s->j, ']'))
			return false;
	}
	uint64_t kept = n;
	if (depth > VALUE_DEPTH_MAX) {
		strbuf_cut(s->to, at);
		s->objects->addresses.n = n_objects;
		kept = 0;
	}
	insert_head(s->to, at, 0, tag, n, &kept);
	return true;
}

static bool add_text(struct state *s, enum value_tag tag, const struct strbuf *text)
{
	strbuf_addc(s->to, (char)tag);
	strbuf_add_varint(s->to, text->n);
	strbuf_add(s->to, strbuf_str(text), text->n);
	return !text->failed;
}

/* Parse {"a":…} after the '{'. The pairs are written as key, value; *ret_n counts them. */
static bool read_pairs(struct state *s, unsigned depth, uint64_t *ret_n)
{
	struct strbuf key = { 0 };
	bool ok = true;
	*ret_n = 0;
	if (!json_read_is(s->j, '}')) {
		do {
			ok = json_read_string(s->j, &key) && json_read_expect(s->j, ':');
			if (ok && depth > VALUE_DEPTH_MAX)
				ok = json_read_skip(s->j);
			else if (ok)
				ok = add_text(s, VALUE_STR, &key) && read_value(s, depth + 1);
			++*ret_n;
		} while (ok && json_read_is(s->j, ','));
		ok = ok && json_read_expect(s->j, '}');
	}
	strbuf_fini(&key);
	return ok;
}

static bool read_base64(struct json *j, struct strbuf *text)
{
	if (!json_read_string(j, text) || text->n % 4)
		return false;
	size_t out = 0;
	for (size_t i = 0; i < text->n; i += 4) {
		uint32_t v = 0;
		int pad = 0;
		for (size_t k = 0; k < 4; k++) {
			char c = text->s[i + k];
			uint32_t d = c >= 'A' && c <= 'Z'   ? (uint32_t)(c - 'A')
				     : c >= 'a' && c <= 'z' ? (uint32_t)(c - 'a') + 26
				     : c >= '0' && c <= '9' ? (uint32_t)(c - '0') + 52
				     : c == '+'             ? 62
				     : c == '/'             ? 63
							    : 64;
			if (d == 64) {
				if (c != '=' || k < 2 || i + 4 != text->n)
					return false;
				pad++;
				d = 0;
			} else if (pad) {
				return false;
			}
			v = v << 6 | d;
		}
		for (int k = 0; k < 3 - pad; k++)
			text->s[out++] = (char)(v >> (16 - 8 * k));
	}
	strbuf_cut(text, out);
	return true;
}

/* ,"length":N} or, if it may be missing, } */
static bool read_length(struct json *j, bool may_miss, uint64_t *ret, bool *ret_has)
{
	struct strbuf key = { 0 };
	*ret_has = false;
	if (may_miss && json_read_is(j, '}'))
		return true;
	bool ok = json_read_is(j, ',') && json_read_string(j, &key) &&
		  !strcmp(strbuf_str(&key), "length") && json_read_is(j, ':') &&
		  json_read_u64(j, ret) && json_read_is(j, '}');
	strbuf_fini(&key);
	*ret_has = ok;
	return ok;
}

/* Set the full length of the container written at `at`. */
static bool set_full(struct strbuf *to, size_t at, uint64_t full)
{
	uint64_t n, kept;
	size_t head = 1;
	head += read_varint(to->s + at + head, &n);
	head += read_varint(to->s + at + head, &kept);
	if (full < kept)
		return false;
	insert_head(to, at, head, (enum value_tag)to->s[at], full, &kept);
	return true;
}

static bool read_int_form(struct state *s, struct strbuf *text)
{
	if (!json_read_string(s->j, text))
		return false;
	const char *p = strbuf_str(text);
	bool is_negative = *p == '-';
	p += is_negative;
	bool is_hex = p[0] == '0' && p[1] == 'x';
	p += is_hex ? 2 : 0;
	return add_digits(s->to, is_negative, is_hex, p, strlen(p)) && json_read_is(s->j, '}');
}

static bool read_float_form(struct state *s, struct strbuf *text)
{
	if (!json_read_string(s->j, text))
		return false;
	const char *p = strbuf_str(text);
	if (strcmp(p, "nan") && strcmp(p, "inf") && strcmp(p, "-inf"))
		return false;
	add_double(s->to, strtod(p, NULL));
	return json_read_is(s->j, '}');
}

/* Read a number or {"float":…}. What else a value can be would be read by recursion. */
static bool read_part(struct state *s)
{
	struct strbuf text = { 0 };
	bool ok;
	if (json_read_is(s->j, '{'))
		ok = json_read_string(s->j, &text) && !strcmp(strbuf_str(&text), "float") &&
		     json_read_is(s->j, ':') && read_float_form(s, &text);
	else
		ok = s->j->p < s->j->end && read_number(s);
	strbuf_fini(&text);
	return ok;
}

static bool read_complex_form(struct state *s, size_t at)
{
	/* [a,b]: each writes tag + 8 bytes */
	double re, im;
	if (!json_read_is(s->j, '[') || !read_part(s) || !json_read_is(s->j, ',') ||
	    !read_part(s) || !json_read_is(s->j, ']') || !json_read_is(s->j, '}') ||
	    s->to->n != at + 18 || s->to->s[at] != VALUE_FLOAT || s->to->s[at + 9] != VALUE_FLOAT)
		return false;
	memcpy(&re, s->to->s + at + 1, 8);
	memcpy(&im, s->to->s + at + 10, 8);
	strbuf_cut(s->to, at);
	strbuf_addc(s->to, VALUE_COMPLEX);
	strbuf_add(s->to, &re, 8);
	strbuf_add(s->to, &im, 8);
	return true;
}

static bool read_cut_form(struct state *s, size_t at, unsigned depth)
{
	uint64_t full, n;
	bool has;
	json_read_space(s->j);
	char c = s->j->p < s->j->end ? *s->j->p : 0;
	if (depth > VALUE_DEPTH_MAX + 1 || (c != '[' && c != '"' && c != '{'))
		return false;
	/* nesting is bounded here too */
	if (c == '[' ? !read_array(s, VALUE_LIST, depth) : !read_value(s, depth + 1))
		return false;
	if (s->to->failed || !read_length(s->j, false, &full, &has))
		return false;
	enum value_tag tag = (enum value_tag)s->to->s[at];
	if (tag == VALUE_LIST)
		return set_full(s->to, at, full);
	if (tag != VALUE_STR && tag != VALUE_BYTES && tag != VALUE_BYTEARRAY)
		return false;
	size_t head = 1 + read_varint(s->to->s + at + 1, &n);
	/* each *_CUT tag follows the tag of the whole */
	insert_head(s->to, at, head, tag + 1, full, &n);
	return true;
}

static bool read_object_form(struct state *s, size_t at, unsigned depth, struct strbuf *text)
{
	uint64_t address = 0, n = 0;
	struct strbuf type = { 0 };
	bool ok = json_read_string(s->j, &type) && json_read_is(s->j, ',') &&
		  json_read_string(s->j, text) && !strcmp(strbuf_str(text), "id") &&
		  json_read_is(s->j, ':');
	if (ok && json_read_is(s->j, 'n')) {
		ok = s->j->end - s->j->p >= 3 && !memcmp(s->j->p, "ull", 3);
		s->j->p += ok ? 3 : 0;
	} else if (ok) {
		ok = json_read_string(s->j, text) && text->n > 2 && text->n <= 18 &&
		     !memcmp(text->s, "0x", 2);
		for (size_t i = 2; ok && i < text->n; i++) {
			int d = utf8_hex_digit(text->s[i]);
			ok = d >= 0;
			address = address << 4 | (uint64_t)(d & 15);
		}
	}
	ok = ok && depth <= VALUE_DEPTH_MAX &&
	     (s->is_inline || vec_push(&s->objects->addresses, address));
	while (ok && json_read_is(s->j, ',')) {
		ok = json_read_string(s->j, text) && json_read_is(s->j, ':');
		size_t stem = text->n;
		while (stem && text->s[stem - 1] == '_')
			stem--;
		if (stem < text->n && ((stem == 4 && !memcmp(text->s, "type", 4)) ||
				       (stem == 2 && !memcmp(text->s, "id", 2))))
			strbuf_cut(text, text->n - 1);
		strbuf_add_varint(s->to, text->n);
		strbuf_add(s->to, strbuf_str(text), text->n);
		ok = ok && read_value(s, depth + 1);
		n++;
	}
	ok = ok && json_read_is(s->j, '}');
	if (ok) { /* tag, type name and attribute count are inserted in front */
		struct strbuf rest = { 0 };
		strbuf_add(&rest, strbuf_str(s->to) + at, s->to->n - at);
		strbuf_cut(s->to, at);
		if (s->is_inline) {
			strbuf_addc(s->to, VALUE_OBJECT_AT);
			strbuf_add(s->to, (const char *)&address, sizeof(address));
			strbuf_add_varint(s->to, type.n);
			strbuf_add(s->to, strbuf_str(&type), type.n);
			ok = !type.failed && !rest.failed;
		} else {
			ok = add_text(s, VALUE_OBJECT, &type) && !rest.failed;
		}
		strbuf_add_varint(s->to, n);
		strbuf_add(s->to, strbuf_str(&rest), rest.n);
		strbuf_fini(&rest);
	}
	strbuf_fini(&type);
	return ok;
}

static bool read_dict_form(struct state *s, size_t at, unsigned depth)
{
	uint64_t n = 0, full;
	bool has;
	if (!json_read_is(s->j, '['))
		return false;
	if (!json_read_is(s->j, ']')) {
		if (depth > VALUE_DEPTH_MAX) /* read_pairs() skips what is nested deeper */
			return false;
		do {
			n++;
			if (!json_read_is(s->j, '[') || !read_value(s, depth + 1) ||
			    !json_read_is(s->j, ',') || !read_value(s, depth + 1) ||
			    !json_read_is(s->j, ']'))
				return false;
		} while (json_read_is(s->j, ','));
		if (!json_read_is(s->j, ']'))
			return false;
	}
	insert_head(s->to, at, 0, VALUE_DICT, n, &n);
	return read_length(s->j, true, &full, &has) && (!has || set_full(s->to, at, full));
}

/* After {"word": — false: it is not that form; the caller undoes what was written and read. */
static bool read_special(struct state *s, const char *word, unsigned depth, struct strbuf *text)
{
	size_t at = s->to->n;
	uint64_t full;
	bool has;
	if (!strcmp(word, "int"))
		return read_int_form(s, text);
	if (!strcmp(word, "float"))
		return read_float_form(s, text);
	if (!strcmp(word, "complex"))
		return read_complex_form(s, at);
	if (!strcmp(word, "const")) {
		strbuf_addc(s->to, VALUE_ELLIPSIS);
		return json_read_string(s->j, text) && !strcmp(strbuf_str(text), "Ellipsis") &&
		       json_read_is(s->j, '}');
	}
	if (!strcmp(word, "bytes") || !strcmp(word, "bytearray") || !strcmp(word, "str"))
		return read_base64(s->j, text) && json_read_is(s->j, '}') &&
		       add_text(s,
				word[0] == 's'   ? VALUE_STR
				: word[4] == 's' ? VALUE_BYTES
						 : VALUE_BYTEARRAY,
				text);
	if (!strcmp(word, "type"))
		return read_object_form(s, at, depth, text);
	if (!strcmp(word, "cut"))
		return read_cut_form(s, at, depth);
	if (!strcmp(word, "set") || !strcmp(word, "frozenset"))
		return read_array(s, word[0] == 's' ? VALUE_SET : VALUE_FROZENSET, depth) &&
		       !s->to->failed && read_length(s->j, true, &full, &has) &&
		       (!has || set_full(s->to, at, full));
	if (!strcmp(word, "dict"))
		return read_dict_form(s, at, depth);
	if (!strcmp(word, "unreadable")) {
		strbuf_addc(s->to, VALUE_UNREADABLE);
		if (!json_read_is(s->j, 't') || s->j->end - s->j->p < 3 ||
		    memcmp(s->j->p, "rue", 3) != 0)
			return false;
		s->j->p += 3;
		return json_read_is(s->j, '}');
	}
	return false;
}

static bool may_be_read_twice(const struct state *s)
{
	return s->vain_bytes <= VAIN_BYTES_MIN + VAIN_TIMES_MAX * (size_t)(s->j->p - s->start);
}

static bool read_object(struct state *s, unsigned depth)
{
	struct json *j = s->j;
	const char *from = j->p;
	size_t at = s->to->n, n_objects = s->objects->addresses.n;
	uint64_t n;
	struct strbuf word = { 0 }, text = { 0 };
	bool is_pair = json_read_string(j, &word) && json_read_expect(j, ':');
	const char *after = j->p;
	bool is_special = is_pair && may_be_read_twice(s) &&
			  read_special(s, strbuf_str(&word), depth, &text);
	strbuf_fini(&word);
	strbuf_fini(&text);
	if (is_special)
		return true;
	s->vain_bytes += (size_t)(j->p - after);
	j->p = from;
	j->error = NULL;
	strbuf_cut(s->to, at);
	s->objects->addresses.n = n_objects;
	if (!read_pairs(s, depth, &n))
		return false;
	uint64_t kept = depth > VALUE_DEPTH_MAX ? 0 : n;
	insert_head(s->to, at, 0, VALUE_DICT, n, &kept);
	return true;
}

static bool read_word(struct state *s, const char *word, enum value_tag tag)
{
	size_t n = strlen(word);
	if ((size_t)(s->j->end - s->j->p) < n || memcmp(s->j->p, word, n) != 0)
		return json_read_fail(s->j, "a value");
	s->j->p += n;
	strbuf_addc(s->to, (char)tag);
	return true;
}

static bool read_value(struct state *s, unsigned depth)
{
	struct json *j = s->j;
	json_read_space(j);
	if (j->p >= j->end)
		return json_read_fail(j, "a value");
	switch (*j->p) {
	case '"': {
		const char *from = ++j->p, *p = from;
		while (p < j->end && *p != '"' && *p != '\\' && (unsigned char)*p < 0x80)
			p++;
		if (p < j->end && *p == '"') { /* nothing to unescape or to repair */
			strbuf_addc(s->to, VALUE_STR);
			strbuf_add_varint(s->to, (uint64_t)(p - from));
			strbuf_add(s->to, from, (size_t)(p - from));
			j->p = p + 1;
			return true;
		}
		struct strbuf text = { 0 };
		j->p--;
		bool ok = json_read_string(j, &text) && add_text(s, VALUE_STR, &text);
		strbuf_fini(&text);
		return ok;
	}
	case '[': return read_array(s, VALUE_LIST, depth);
	case '{': j->p++; return read_object(s, depth);
	case 't': return read_word(s, "true", VALUE_TRUE);
	case 'f': return read_word(s, "false", VALUE_FALSE);
	case 'n': return read_word(s, "null", VALUE_NONE);
	default: return read_number(s);
	}
}

bool value_json_read(struct json *j, struct strbuf *to, struct json_objects *objects)
{
	struct json_objects none = { 0 }; /* it stays empty */
	struct state s = { .j = j,
			   .to = to,
			   .objects = objects ? objects : &none,
			   .is_inline = !objects,
			   .start = j->p };
	return read_value(&s, 1);
}
