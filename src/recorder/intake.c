/*
 * intake: see intake.h.
 */
#include "recorder/intake.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/value.h"
#include "base/vec.h"
#include "capture/writer.h"
#include "recorder/redact.h"

void intake_text(struct strbuf *to, const char *bytes, size_t n)
{
	for (size_t i = 0, n_read = 1; i < n; i += n_read) {
		if (utf8_decode(bytes + i, n - i, &n_read) == UTF8_BAD)
			strbuf_add_utf8(to, 0xdc00u | (uint8_t)bytes[i]);
		else
			strbuf_add(to, bytes + i, n_read);
	}
}

static void add_varint(struct strbuf *to, size_t v)
{
	for (; v >= 0x80; v >>= 7)
		strbuf_addc(to, (char)(v | 0x80));
	strbuf_addc(to, (char)v);
}

/* A VALUE_STR. */
static void add_str(struct strbuf *to, const char *bytes, size_t n)
{
	struct strbuf text = { 0 };
	intake_text(&text, bytes, n);
	strbuf_addc(to, VALUE_STR);
	add_varint(to, text.n);
	strbuf_add(to, strbuf_str(&text), text.n);
	to->failed |= text.failed;
	strbuf_fini(&text);
}

uint32_t intake_string(struct writer *w, struct redactor *r, const char *bytes, size_t n,
		       bool is_cut)
{
	struct strbuf clean = { 0 }, text = { 0 };
	if (r && redact_text(r, NULL, bytes, n, is_cut, &clean))
		bytes = strbuf_str(&clean), n = clean.n;
	intake_text(&text, bytes, n);
	uint32_t id = n && !text.failed && !clean.failed ? writer_string(w, text.s, text.n) : 0;
	strbuf_fini(&clean);
	strbuf_fini(&text);
	return id;
}

void intake_clean_words(struct strbuf *to, struct redactor *r, const char *words, size_t n,
			bool is_cut)
{
	VEC(struct redact_word) v = { 0 };
	struct strbuf clean = { 0 };
	size_t at = 0;
	for (size_t i = 0; i < n;) {
		struct redact_word word = { .s = words + i, .n = strnlen(words + i, n - i) };
		word.n_clean = word.n;
		i += word.n + 1;
		word.is_cut = is_cut && i >= n;
		if (!vec_push(&v, word)) {
			to->failed = true;
			break;
		}
	}
	bool is_redacted = r && redact_words(r, NULL, v.v, v.n, &clean);
	for (size_t i = 0; i < v.n; at += v.v[i].n_clean, i++) {
		strbuf_add(to, is_redacted ? strbuf_str(&clean) + at : v.v[i].s, v.v[i].n_clean);
		strbuf_addc(to, 0);
	}
	to->failed |= clean.failed;
	vec_fini(&v);
	strbuf_fini(&clean);
}

uint32_t intake_words(struct writer *w, const char *words, size_t n, unsigned max_words)
{
	struct strbuf list = { 0 }, body = { 0 };
	unsigned n_words = 0;
	for (size_t i = 0, n_word; i < n && n_words < max_words; i += n_word + 1, n_words++) {
		n_word = strnlen(words + i, n - i);
		add_str(&body, words + i, n_word);
	}
	strbuf_addc(&list, VALUE_LIST);
	add_varint(&list, n_words);
	add_varint(&list, n_words);
	strbuf_add(&list, strbuf_str(&body), body.n);
	uint32_t id = list.failed || body.failed ? 0 : writer_value(w, list.s, list.n);
	strbuf_fini(&body);
	strbuf_fini(&list);
	return id;
}

uint32_t intake_environ(struct writer *w, struct redactor *r, const char *text, size_t n,
			bool is_cut)
{
	struct strbuf body = { 0 }, dict = { 0 }, clean = { 0 };
	size_t n_pairs = 0;
	uint32_t id = 0;
	for (size_t i = 0, n_line; i < n; i += n_line + 1) {
		n_line = strnlen(text + i, n - i);
		const char *equals = memchr(text + i, '=', n_line);
		if (!equals || equals == text + i)
			continue;
		const char *name = text + i, *value = equals + 1;
		size_t n_name = (size_t)(equals - name), n_value = n_line - n_name - 1;
		add_str(&body, name, n_name);
		strbuf_clear(&clean);
		if (r && redact_is_secret(name, n_name) &&
		    !redact_is_open_value(name, n_name, value, n_value))
			redact_add_value(&body, value, n_value);
		else if (r &&
			 redact_text(r, NULL, value, n_value, is_cut && i + n_line >= n, &clean))
			add_str(&body, strbuf_str(&clean), clean.n);
		else
			add_str(&body, value, n_value);
		body.failed |= clean.failed;
		n_pairs++;
	}
	strbuf_addc(&dict, VALUE_DICT);
	add_varint(&dict, n_pairs);
	add_varint(&dict, n_pairs);
	strbuf_add(&dict, strbuf_str(&body), body.n);
	if (n_pairs && !dict.failed && !body.failed)
		id = writer_value(w, dict.s, dict.n);
	strbuf_fini(&body);
	strbuf_fini(&dict);
	strbuf_fini(&clean);
	return id;
}
