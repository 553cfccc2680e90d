/*
 * intake: see intake.h.
 */
#include "recorder/intake.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/value_add.h"
#include "base/vec.h"
#include "capture/writer.h"
#include "probe/abi.h"
#include "recorder/redact.h"
#include "system/proc_name.h"

/* Append bytes as WTF-8. */
static void intake_text(struct strbuf *to, const char *bytes, size_t n)
{
	for (size_t i = 0, n_read = 1; i < n; i += n_read) {
		if (utf8_decode(bytes + i, n - i, &n_read) == UTF8_BAD)
			strbuf_add_utf8(to, 0xdc00u | (uint8_t)bytes[i]);
		else
			strbuf_add(to, bytes + i, n_read);
	}
}

enum {
	LOOK_BYTES = 16 << 10,    /* of a word, for secrets */
	WORD_BYTES = 4 << 10,     /* kept of one */
	WORDS_MAX = 1024,         /* kept of a command line */
	COMMAND_BYTES = 64 << 10, /* and of all its words */
	ENVIRON_BYTES = 128 << 10,
	PADDING_WORDS = 16, /* empty ones at the end: room that a program left behind when it
			       changed its title */
};

static size_t n_points_of(const char *bytes, size_t n)
{
	size_t n_points = 0;
	for (size_t i = 0, n_read = 1; i < n; i += n_read, n_points++)
		utf8_decode(bytes + i, n - i, &n_read);
	return n_points;
}

/* As much of a text as is kept, in whole characters. */
static size_t n_kept_of(const char *bytes, size_t n)
{
	size_t kept = 0, n_read = 1;
	if (n <= WORD_BYTES)
		return n;
	for (size_t i = 0; i < WORD_BYTES; i += n_read) {
		utf8_decode(bytes + i, n - i, &n_read);
		kept = i + n_read <= WORD_BYTES ? i + n_read : kept;
	}
	return kept;
}

/* A VALUE_STR or VALUE_STR_CUT. n_points: of the whole text, of which these are the first bytes. */
static void add_head(struct strbuf *to, const char *bytes, size_t n, size_t n_points)
{
	struct strbuf text = { 0 };
	n = n_kept_of(bytes, n);
	intake_text(&text, bytes, n);
	bool is_cut = n_points_of(bytes, n) < n_points;
	strbuf_addc(to, is_cut ? VALUE_STR_CUT : VALUE_STR);
	if (is_cut)
		strbuf_add_varint(to, n_points);
	strbuf_add_varint(to, text.n);
	strbuf_add(to, strbuf_str(&text), text.n);
	to->failed |= text.failed;
	strbuf_fini(&text);
}

static void add_str(struct strbuf *to, const char *bytes, size_t n)
{
	add_head(to, bytes, n, n_points_of(bytes, n));
}

static uint32_t add_string(struct writer *w, struct redactor *r, const char *bytes, size_t n,
			   bool is_cut, const char *end)
{
	struct strbuf clean = { 0 }, text = { 0 };
	if (r && redact_text(r, NULL, bytes, n, is_cut, &clean))
		bytes = strbuf_str(&clean), n = clean.n;
	intake_text(&text, bytes, n);
	strbuf_adds(&text, end);
	uint32_t id = n && !text.failed && !clean.failed ? writer_string(w, text.s, text.n) : 0;
	strbuf_fini(&clean);
	strbuf_fini(&text);
	return id;
}

uint32_t intake_string(struct writer *w, struct redactor *r, const char *bytes, size_t n,
		       bool is_cut)
{
	return add_string(w, r, bytes, n, is_cut, "");
}

uint32_t intake_name(struct writer *w, struct redactor *r, const char *bytes, size_t n)
{
	bool is_cut = n >= RECORD_NAME_BYTES;
	if (is_cut)
		n = RECORD_NAME_BYTES - 1;
	/* a character is cut as a whole */
	for (int i = 0; is_cut && i < 3 && ((unsigned char)bytes[n] & 0xc0) == 0x80; i++)
		n--;
	return add_string(w, r, bytes, n, is_cut, is_cut ? "…" : "");
}

struct command {
	VEC(struct redact_word) words; /* at most WORDS_MAX */
	VEC(size_t) points;            /* of each, as a whole */
	size_t n_words;                /* there are */
};

static bool split_words(struct command *c, const char *text, size_t n, bool is_cut)
{
	size_t n_empty = 0;
	for (size_t i = 0, n_word; i < n; i += n_word + 1) {
		n_word = strnlen(text + i, n - i);
		n_empty = n_word ? 0 : n_empty + 1;
		c->n_words++;
		if (c->n_words > WORDS_MAX)
			continue;
		bool is_long = n_word > LOOK_BYTES;
		struct redact_word word = { .s = text + i, .n = is_long ? LOOK_BYTES : n_word };
		word.n_clean = word.n;
		word.is_cut = is_long || (is_cut && i + n_word >= n);
		size_t n_points = n_points_of(text + i, n_word) +
				  (is_cut && i + n_word >= n); /* and more */
		if (!vec_push(&c->words, word) || !vec_push(&c->points, n_points))
			return false;
	}
	if (n_empty >= PADDING_WORDS && c->n_words <= WORDS_MAX) {
		c->n_words -= n_empty;
		c->words.n -= n_empty;
	}
	c->n_words += is_cut;
	return true;
}

uint32_t intake_command(struct writer *w, struct redactor *r, const char *text, size_t n,
			bool is_cut, uint32_t *ret_name)
{
	struct command c = { 0 };
	struct strbuf clean = { 0 }, body = { 0 }, list = { 0 }, line = { 0 };
	uint32_t id = 0;
	size_t n_kept = 0, at = 0;
	bool ok = split_words(&c, text, n, is_cut);
	bool is_redacted = ok && r && redact_words(r, NULL, c.words.v, c.words.n, &clean);
	for (size_t i = 0; ok && i < c.words.n; at += c.words.v[i].n_clean, i++) {
		const struct redact_word *word = &c.words.v[i];
		const char *s = is_redacted ? strbuf_str(&clean) + at : word->s;
		bool is_whole = word->n_clean == word->n && memcmp(s, word->s, word->n) == 0;
		if (body.n < COMMAND_BYTES) {
			add_head(&body, s, word->n_clean,
				 is_whole || word->n == LOOK_BYTES ? c.points.v[i]
								   : n_points_of(s, word->n_clean));
			n_kept++;
		}
		if (line.n < 4 * WORD_BYTES) {
			strbuf_add(&line, s, word->n_clean);
			strbuf_addc(&line, 0);
		}
	}
	value_add_container(&list, VALUE_LIST, c.n_words, n_kept, &body);
	ok = ok && n_kept && !list.failed && !clean.failed && !line.failed;
	if (ok) {
		char name[256];
		proc_command_name(line.s, line.n, name, sizeof(name));
		*ret_name = intake_string(w, r, name, strlen(name), false);
		id = writer_value_kept(w, list.s, list.n);
	}
	vec_fini(&c.words);
	vec_fini(&c.points);
	strbuf_fini(&clean);
	strbuf_fini(&body);
	strbuf_fini(&list);
	strbuf_fini(&line);
	return id;
}

uint32_t intake_words(struct writer *w, const char *words, size_t n, unsigned max_words)
{
	struct strbuf list = { 0 }, body = { 0 };
	unsigned n_words = 0;
	for (size_t i = 0, n_word; i < n && n_words < max_words; i += n_word + 1, n_words++) {
		n_word = strnlen(words + i, n - i);
		add_str(&body, words + i, n_word);
	}
	value_add_container(&list, VALUE_LIST, n_words, n_words, &body);
	uint32_t id = list.failed ? 0 : writer_value_kept(w, list.s, list.n);
	strbuf_fini(&body);
	strbuf_fini(&list);
	return id;
}

uint32_t intake_environ(struct writer *w, struct redactor *r, const char *text, size_t n,
			bool is_cut)
{
	struct strbuf body = { 0 }, dict = { 0 }, clean = { 0 };
	size_t n_pairs = 0, n_all = is_cut;
	uint32_t id = 0;
	for (size_t i = 0, n_line; i < n; i += n_line + 1) {
		n_line = strnlen(text + i, n - i);
		const char *equals = memchr(text + i, '=', n_line);
		if (!equals || equals == text + i)
			continue;
		n_all++;
		if (body.n >= ENVIRON_BYTES)
			continue;
		const char *name = text + i, *value = equals + 1;
		size_t n_name = (size_t)(equals - name), n_value = n_line - n_name - 1;
		size_t n_points = n_points_of(value, n_value);
		bool is_long = n_value > LOOK_BYTES;
		n_value = is_long ? LOOK_BYTES : n_value;
		add_str(&body, name, n_name);
		strbuf_clear(&clean);
		if (r && redact_is_secret(name, n_name) &&
		    !redact_is_open_value(name, n_name, value, n_value))
			redact_add_value(&body, value, n_value);
		else if (r && redact_text(r, NULL, value, n_value,
					  is_long || (is_cut && i + n_line >= n), &clean))
			add_head(&body, strbuf_str(&clean), clean.n,
				 is_long ? n_points : n_points_of(strbuf_str(&clean), clean.n));
		else
			add_head(&body, value, n_value, n_points);
		body.failed |= clean.failed;
		n_pairs++;
	}
	value_add_container(&dict, VALUE_DICT, n_all, n_pairs, &body);
	if (n_pairs && !dict.failed)
		id = writer_value_kept(w, dict.s, dict.n);
	strbuf_fini(&body);
	strbuf_fini(&dict);
	strbuf_fini(&clean);
	return id;
}

uint32_t intake_records(struct writer *w, struct redactor *r, const char *words, size_t n)
{
	enum { RECORDS_BYTES = 3 << 20 };
	struct strbuf list = { 0 }, body = { 0 }, record = { 0 }, clean = { 0 };
	size_t n_records = 0, n_words = 0;
	for (size_t i = 0, n_word; i < n; i += n_word + 1) {
		n_word = strnlen(words + i, n - i);
		if (n_word) {
			strbuf_clear(&clean);
			bool is_redacted = r &&
					   redact_text(r, NULL, words + i, n_word, false, &clean);
			add_str(&record, is_redacted ? strbuf_str(&clean) : words + i,
				is_redacted ? clean.n : n_word);
			n_words++;
			continue;
		}
		if (n_words && body.n + record.n < RECORDS_BYTES) {
			value_add_container(&body, VALUE_LIST, n_words, n_words, &record);
			n_records++;
		}
		strbuf_clear(&record);
		n_words = 0;
	}
	value_add_container(&list, VALUE_LIST, n_records, n_records, &body);
	bool ok = n_records && !list.failed && !record.failed && !clean.failed;
	uint32_t id = ok ? writer_value_kept(w, list.s, list.n) : 0;
	strbuf_fini(&list);
	strbuf_fini(&body);
	strbuf_fini(&record);
	strbuf_fini(&clean);
	return id;
}

uint32_t intake_texts(struct writer *w, struct redactor *r, const char *texts, size_t n)
{
	struct strbuf list = { 0 }, body = { 0 }, clean = { 0 };
	size_t n_texts = 0;
	for (size_t i = 0, n_text; i < n; i += n_text + 1, n_texts++) {
		n_text = strnlen(texts + i, n - i);
		strbuf_clear(&clean);
		if (!n_text)
			strbuf_addc(&body, VALUE_NONE);
		else if (r && redact_text(r, NULL, texts + i, n_text, false, &clean))
			add_str(&body, strbuf_str(&clean), clean.n);
		else
			add_str(&body, texts + i, n_text);
		body.failed |= clean.failed;
	}
	value_add_container(&list, VALUE_LIST, n_texts, n_texts, &body);
	uint32_t id = list.failed ? 0 : writer_value(w, list.s, list.n);
	strbuf_fini(&list);
	strbuf_fini(&body);
	strbuf_fini(&clean);
	return id;
}
