/*
 * strbuf: a byte string that grows. It is NUL-terminated once it holds anything, and it may contain
 * NULs.
 *
 * Appending reports no error: if memory is short the buffer is marked `failed`, later appends do
 * nothing, and the owner checks once at the end.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct strbuf {
	char *s; /* NULL until the first append */
	size_t n, cap;
	bool failed;
};

void strbuf_add(struct strbuf *b, const void *p, size_t n_bytes);
void strbuf_adds(struct strbuf *b, const char *s);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_add_repeat(struct strbuf *b, char c, size_t n);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void strbuf_addv(struct strbuf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void strbuf_add_u64(struct strbuf *b, uint64_t v); /* decimal */
/* unsigned LEB128: seven bits a byte, the lowest first; at most 10 bytes */
void strbuf_add_varint(struct strbuf *b, uint64_t v);
/* decimal, with a space between thousands: 1 204 311 */
void strbuf_add_count(struct strbuf *b, uint64_t v);
/* 1 event, 2 001 events */
void strbuf_add_number_of(struct strbuf *b, uint64_t v, const char *noun);
/* generalised UTF-8: surrogates allowed (WTF-8) */
void strbuf_add_utf8(struct strbuf *b, uint32_t code_point);
void strbuf_clear(struct strbuf *b);               /* empty again, memory kept */
void strbuf_cut(struct strbuf *b, size_t n_bytes); /* keep the first n_bytes */
const char *strbuf_str(const struct strbuf *b);    /* "" when nothing was added */
/* Returns a malloc'ed string, NULL only if failed; b is empty afterwards. */
char *strbuf_take(struct strbuf *b);
void strbuf_fini(struct strbuf *b);
