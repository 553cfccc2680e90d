/*
 * strbuf: see strbuf.h.
 */
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool grow(struct strbuf *b, size_t more)
{
	if (b->failed)
		return false;
	if (more < b->cap - b->n) /* one byte is reserved for the NUL */
		return true;
	if (more > SIZE_MAX / 2 - b->n) {
		b->failed = true;
		return false;
	}
	size_t cap = b->n + more + 1;
	if (cap < b->cap * 2)
		cap = b->cap * 2;
	if (cap < 32)
		cap = 32;
	char *s = realloc(b->s, cap);
	if (!s) {
		b->failed = true;
		return false;
	}
	b->s = s;
	b->cap = cap;
	return true;
}

void strbuf_add(struct strbuf *b, const void *p, size_t n_bytes)
{
	if (!grow(b, n_bytes))
		return;
	if (n_bytes)
		memcpy(b->s + b->n, p, n_bytes);
	b->n += n_bytes;
	b->s[b->n] = 0;
}

void strbuf_adds(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_addc(struct strbuf *b, char c)
{
	strbuf_add(b, &c, 1);
}

void strbuf_add_repeat(struct strbuf *b, char c, size_t n)
{
	if (!grow(b, n))
		return;
	memset(b->s + b->n, c, n);
	b->n += n;
	b->s[b->n] = 0;
}

void strbuf_addv(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	if (n >= 0 && grow(b, (size_t)n)) {
		vsnprintf(b->s + b->n, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	}
	va_end(again);
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	strbuf_addv(b, fmt, ap);
	va_end(ap);
}

void strbuf_add_varint(struct strbuf *b, uint64_t v)
{
	char bytes[10];
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (char)(v | 0x80);
	bytes[n++] = (char)v;
	strbuf_add(b, bytes, n);
}

void strbuf_add_u64(struct strbuf *b, uint64_t v)
{
	char digits[20];
	size_t i = sizeof(digits);
	do
		digits[--i] = (char)('0' + v % 10);
	while (v /= 10);
	strbuf_add(b, digits + i, sizeof(digits) - i);
}

void strbuf_add_count(struct strbuf *b, uint64_t v)
{
	char digits[27];
	size_t i = sizeof(digits), k = 0;
	do {
		if (k && k % 3 == 0)
			digits[--i] = ' ';
		digits[--i] = (char)('0' + v % 10);
		k++;
	} while (v /= 10);
	strbuf_add(b, digits + i, sizeof(digits) - i);
}

void strbuf_add_number_of(struct strbuf *b, uint64_t v, const char *noun)
{
	strbuf_add_count(b, v);
	strbuf_addf(b, v == 1 ? " %s" : " %ss", noun);
}

void strbuf_add_utf8(struct strbuf *b, uint32_t c)
{
	char u[4];
	size_t n;
	if (c < 0x80) {
		u[0] = (char)c;
		n = 1;
	} else if (c < 0x800) {
		u[0] = (char)(0xc0 | c >> 6);
		u[1] = (char)(0x80 | (c & 0x3f));
		n = 2;
	} else if (c < 0x10000) {
		u[0] = (char)(0xe0 | c >> 12);
		u[1] = (char)(0x80 | (c >> 6 & 0x3f));
		u[2] = (char)(0x80 | (c & 0x3f));
		n = 3;
	} else {
		u[0] = (char)(0xf0 | (c >> 18 & 7));
		u[1] = (char)(0x80 | (c >> 12 & 0x3f));
		u[2] = (char)(0x80 | (c >> 6 & 0x3f));
		u[3] = (char)(0x80 | (c & 0x3f));
		n = 4;
	}
	strbuf_add(b, u, n);
}

void strbuf_clear(struct strbuf *b)
{
	strbuf_cut(b, 0);
	b->failed = false;
}

void strbuf_cut(struct strbuf *b, size_t n_bytes)
{
	if (n_bytes < b->n)
		b->n = n_bytes;
	if (b->s)
		b->s[b->n] = 0;
}

const char *strbuf_str(const struct strbuf *b)
{
	return b->s ? b->s : "";
}

char *strbuf_take(struct strbuf *b)
{
	if (!b->s && !b->failed)
		grow(b, 0);
	char *s = b->failed ? NULL : b->s;
	if (s)
		s[b->n] = 0;
	else
		free(b->s);
	*b = (struct strbuf){ 0 };
	return s;
}

void strbuf_fini(struct strbuf *b)
{
	free(b->s);
	*b = (struct strbuf){ 0 };
}
