/*
 * value_text: an encoded value as text: Python literals for people, and the plain text that filters
 * test.
 *
 * Literal  "double quoted" str, b"…" bytes, True None 1.5 (1, 2) [ ] { }, <socket.socket fd=5
 *          0x7f01>, with escapes for what must not reach a terminal. What the capture lacks is
 *          marked after the head that was kept: "head"[cut 256 of 81920], [1, 2, [cut 2 of 900]].
 *          What could not be read is ??.
 * Plain    for comparison in filters: the literal without quotes, escapes, prefixes, cut marks and
 *          addresses, so that it contains the text of a str unchanged: /etc/passwd, (127.0.0.1,
 *          8077), <socket.socket fd=5>. A path object is its path. The address is left out because
 *          it belongs to the event, not to the value.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/value_iter.h"

struct strbuf;

/* Append the value whose node value_iter_next() returned last; the iterator is then positioned
 * after it. max_bytes > 0 ends long text with "…" soon after that many bytes. */
void value_text_literal(struct strbuf *to, struct value_iter *it, const struct value_node *v,
			size_t max_bytes);
void value_text_plain(struct strbuf *to, struct value_iter *it, const struct value_node *v);

bool value_is_text(enum value_tag tag);        /* STR, STR_CUT */
bool value_is_bytes(enum value_tag tag);       /* BYTES … BYTEARRAY_CUT */
bool value_is_cut(const struct value_node *v); /* the capture has less than there was */
/* "int", "str", …; for an object its own type. Not NUL-terminated. */
const char *value_type_name(const struct value_node *v, size_t *ret_bytes);

/* Shortest decimal that reads back as the same double, as Python's repr(): 1.0 1e-07 1e+16 inf
 * nan. */
void value_text_double(struct strbuf *to, double d);
/* Little-endian magnitude in decimal; above 2 KiB in hexadecimal, which needs no division. */
void value_text_bigint(struct strbuf *to, bool is_negative, const void *magnitude, size_t n_bytes);
