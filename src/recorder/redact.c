/*
 * redact: see redact.h. To know one more secret: a row in one of the tables; tests/unit/test_redact.c proves it.
 */
#include "recorder/redact.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/value.h"
#include "base/vec.h"

enum { NAME_MAX_BYTES = 128, PARTS_MAX = 12 };

/* A part of a name (they are parted by what is no letter and no digit) that tells; or the end of a part: PGPASSWORD. */
static const char *const telling[] = { "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY", "COOKIE" };
/* A part that tells only as a whole. */
static const char *const whole[] = { "SECRETS", "CREDENTIALS", "AUTHORIZATION", "PASS", "TOKENS" };
/* What makes a following KEY a secret one. In a name all upper case anything does. */
static const char *const keys[] = { "API", "ACCESS", "PRIVATE", "SECRET", "SIGNING", "ENCRYPTION", "MASTER", "AUTH" };

static bool is_word(const char *part, size_t n, const char *word)
{
	return strlen(word) == n && !strncasecmp(part, word, n);
}

static bool part_tells(const char *part, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(telling); i++) {
		size_t w = strlen(telling[i]);
		if (n >= w && !strncasecmp(part + n - w, telling[i], w))
			return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(whole); i++)
		if (is_word(part, n, whole[i]))
			return true;
	return false;
}

bool redact_is_secret(const char *name, size_t n_bytes)
{
	if (n_bytes == 0 || n_bytes > NAME_MAX_BYTES)
		return false;
	bool upper = true;
	const char *last = NULL;
	size_t n_last = 0;
	for (size_t i = 0; i < n_bytes; i++) {
		if (!isalnum((unsigned char)name[i]) && !strchr("_-.", name[i]))
			return false; /* a name is one word, not a line of code that ends in "pass" */
		upper = upper && !islower((unsigned char)name[i]);
	}
	for (size_t i = 0, n_parts = 0; i < n_bytes && n_parts < PARTS_MAX;) {
		size_t start = i;
		while (i < n_bytes && isalnum((unsigned char)name[i]))
			i++;
		size_t n = i - start;
		if (n) {
			if (part_tells(name + start, n))
				return true;
			if (last && is_word(name + start, n, "PWD") && !is_word(last, n_last, "OLD"))
				return true; /* MYSQL_PWD, but not PWD itself */
			if (last && is_word(name + start, n, "KEY")) {
				bool is_key = upper;
				for (size_t k = 0; k < ARRAY_LEN(keys); k++)
					is_key = is_key || is_word(last, n_last, keys[k]);
				if (is_key)
					return true;
			}
			last = name + start;
			n_last = n;
			n_parts++;
		}
		i += i < n_bytes;
	}
	return false;
}

static void put_varint(struct strbuf *to, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		strbuf_addc(to, (char)(v | 0x80));
	strbuf_addc(to, (char)v);
}

void redact_add_value(struct strbuf *to, const char *text, size_t n_bytes)
{
	static const char type[] = "redacted", attr[] = "chars";
	uint64_t chars = 0;
	for (size_t i = 0; i < n_bytes; i++)
		chars += ((unsigned char)text[i] & 0xc0) != 0x80;
	strbuf_addc(to, VALUE_OBJECT_AT); /* of no address */
	strbuf_add_repeat(to, 0, 8);
	put_varint(to, sizeof(type) - 1);
	strbuf_add(to, type, sizeof(type) - 1);
	put_varint(to, 1);
	put_varint(to, sizeof(attr) - 1);
	strbuf_add(to, attr, sizeof(attr) - 1);
	strbuf_addc(to, VALUE_INT);
	put_varint(to, chars << 1); /* zigzag of a number that is not negative */
}

/* The password of a URL in text[at …]: "://user:" stands before *ret_from, '@' at *ret_to. */
static bool find_url_password(const char *text, size_t n, size_t at, size_t *ret_from, size_t *ret_to)
{
	const char *scheme;
	while (at < n && (scheme = memmem(text + at, n - at, "://", 3))) {
		size_t i = (size_t)(scheme - text) + 3, colon = 0, at_sign = 0;
		for (; i < n && !strchr("/?# \t\r\n\"'<>", text[i]); i++) /* strchr: a NUL ends it too */
			if (text[i] == ':' && !colon && !at_sign)
				colon = i;
			else if (text[i] == '@')
				at_sign = i;
		if (colon && at_sign > colon + 1) {
			*ret_from = colon + 1;
			*ret_to = at_sign;
			return true;
		}
		at = (size_t)(scheme - text) + 3;
	}
	return false;
}

/* The value of a header line "Name: value" whose name tells, as in a request that is sent. */
static bool find_header(const char *text, size_t n, size_t at, size_t *ret_from, size_t *ret_to)
{
	const char *line_end;
	while (at < n && (line_end = memmem(text + at, n - at, "\r\n", 2))) {
		size_t start = (size_t)(line_end - text) + 2;
		const char *colon = start < n ? memchr(text + start, ':', n - start < NAME_MAX_BYTES ? n - start : NAME_MAX_BYTES) : NULL;
		if (colon && redact_is_secret(text + start, (size_t)(colon - text) - start)) {
			size_t from = (size_t)(colon - text) + 1;
			while (from < n && text[from] == ' ')
				from++;
			const char *end = memmem(text + from, n - from, "\r\n", 2);
			*ret_from = from;
			*ret_to = end ? (size_t)(end - text) : n;
			if (*ret_to > *ret_from)
				return true;
		}
		at = start;
	}
	return false;
}

/* Logins of mail and ftp: "PASS word", "AUTH MECHANISM word", "a1 LOGIN user word", alone in a line: where the word begins. */
static size_t find_login(const char *text, size_t n)
{
	const char *words[5];
	size_t lengths[5], n_words = 0;
	while (n && (text[n - 1] == '\r' || text[n - 1] == '\n'))
		n--;
	for (size_t i = 0; i < n && n_words < 5;) {
		size_t start = i;
		while (i < n && text[i] != ' ')
			i++;
		words[n_words] = text + start;
		lengths[n_words++] = i - start;
		i++;
	}
	bool is_login = (n_words == 2 && is_word(words[0], lengths[0], "PASS")) ||
			(n_words == 3 && is_word(words[0], lengths[0], "AUTH")) ||
			(n_words == 4 && is_word(words[1], lengths[1], "LOGIN"));
	return is_login ? (size_t)(words[n_words - 1] - text) : SIZE_MAX;
}

bool redact_text(struct strbuf *to, const char *text, size_t n_bytes)
{
	size_t login = n_bytes < 1000 ? find_login(text, n_bytes) : SIZE_MAX;
	if (login != SIZE_MAX) {
		size_t end = n_bytes;
		while (end > login && (text[end - 1] == '\r' || text[end - 1] == '\n'))
			end--;
		strbuf_add(to, text, login);
		strbuf_adds(to, "***");
		strbuf_add(to, text + end, n_bytes - end);
		return true;
	}
	size_t done = 0, from, to_at;
	bool any = false;
	for (;;) {
		size_t url_from = SIZE_MAX, url_to = 0, header_from = SIZE_MAX, header_to = 0;
		if (!find_url_password(text, n_bytes, done, &url_from, &url_to))
			url_from = SIZE_MAX;
		if (!find_header(text, n_bytes, done, &header_from, &header_to))
			header_from = SIZE_MAX;
		if (url_from == SIZE_MAX && header_from == SIZE_MAX)
			break;
		from = url_from < header_from ? url_from : header_from;
		to_at = url_from < header_from ? url_to : header_to;
		strbuf_add(to, text + done, from - done);
		strbuf_adds(to, "***");
		done = to_at;
		any = true;
	}
	if (any)
		strbuf_add(to, text + done, n_bytes - done);
	return any;
}
