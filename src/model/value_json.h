/*
 * value_json: an encoded value to JSON and back.
 *
 *   null true false, integers of 64 bits, numbers with a point or exponent (floats), strings,
 *   arrays (tuples, lists), objects (dictionaries) stand for themselves. Everything else is an
 *   object whose first key says what it is:
 *
 *   {"int":"12345678901234567890123"}        beyond 64 bits; above 2 KiB "0x…"
 *   {"float":"nan"} "inf" "-inf"             {"complex":[re,im]}          {"const":"Ellipsis"}
 *   {"bytes":"base64"} {"bytearray":"base64"}
 *   {"str":"base64 of WTF-8"}                text JSON cannot carry: surrogate pairs, bad bytes
 *   {"type":"socket.socket","id":"0x7f…",…}  object, address (null: unknown), then what is known of
 *                                            it; there, an attribute called type or id (or so with
 *                                            underscores) gets one _ more
 *   {"cut":"head","length":81920}            also of {"bytes":…}, {"bytearray":…} and arrays
 *   {"set":[…]} {"frozenset":[…]}            each with "length":N when cut
 *   {"dict":[[key,value],…]}                 the same; a dictionary takes this form when it is cut,
 *                                            has over 4,096 keys, a key is no plain string or
 *                                            occurs twice, or the first key is one of these words
 *   {"unreadable":true}                      what the probe could not read
 *
 * Lone surrogates are \udXXX escapes. Reading gives arrays back as lists; all else comes back as it
 * was, so that value → JSON → value → JSON is the same text.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "model/value_iter.h"

struct strbuf;

/* Append the value whose node value_iter_next() returned last; the iterator is then positioned
 * after it. */
void value_json_write(struct strbuf *to, struct value_iter *it, const struct value_node *v);
/* Append a JSON string with quotes. Lone surrogates become escapes; a bad byte becomes the escape
 * of U+DC80 … U+DCFF (PEP 383). Code points of width -1 (utf8_width()) become escapes too. */
void value_json_string(struct strbuf *to, const char *s, size_t n);

/* A text that is being parsed. */
struct json {
	const char *start, *p, *end;
	/* what was expected, at p; NULL if there is no error */
	const char *error;
};

struct json_objects {
	VEC(uint64_t) addresses;
};

/* Parse one JSON value and append it, encoded. Objects are written as OBJECT tags, and their
 * addresses are appended to *objects; objects NULL: they are written as OBJECT_AT tags. False: see
 * j->error. */
bool value_json_read(struct json *j, struct strbuf *to, struct json_objects *objects);

/* Building blocks for a parser of objects; all skip white space first. */
void json_read_space(struct json *j);
/* the next character is c: consume it */
bool json_read_is(struct json *j, char c);
bool json_read_expect(struct json *j, char c);
/* replaces what is in `to` by the string's WTF-8 */
bool json_read_string(struct json *j, struct strbuf *to);
bool json_read_skip(struct json *j);                       /* any value, any depth */
bool json_read_u64(struct json *j, uint64_t *ret);         /* a plain non-negative integer */
bool json_read_fail(struct json *j, const char *expected); /* false */
