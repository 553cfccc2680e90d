/*
 * fuzz_redact: recorder/redact.c, redact_names.c: any text, as one, as words and as a name and its
 * value. UTF-8 stays UTF-8, the result is not longer than each second byte made "***", and if the
 * result is that nothing was hidden, nothing was written.
 *
 * Input: a byte that selects the form, a byte for the event whose argument it is, then the text;
 * NULs separate words.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "recorder/redact.h"
#include "recorder/redact_tables.h"

enum { IS_CUT = 1, AS_WORDS = 2, WORDS_MAX = 64 };

/* it compiles its patterns once; LeakSanitizer finds it through this pointer */
static struct redactor *redactor;

/* Return the first of the names that rule i asks for, or NULL. */
static const char *event_of(unsigned i, char *to, size_t cap)
{
	const char *events = redact_rules[i % redact_n_rules].events;
	if (!events)
		return NULL;
	size_t n = strcspn(events, " ");
	n = n < cap ? n : cap - 1;
	memcpy(to, events, n);
	to[n] = 0;
	return to;
}

static void check_length(const struct strbuf *to, size_t n_bytes, size_t n_words)
{
	if (to->failed || to->n > 2 * n_bytes + 3 * (n_words + 1))
		abort();
}

static void text(const char *event, const char *s, size_t n, bool is_cut)
{
	struct strbuf to = { 0 };
	if (!redact_text(redactor, event, s, n, is_cut, &to) && to.n)
		abort();
	check_length(&to, n, 1);
	if (utf8_is_valid(s, n) && !utf8_is_valid(strbuf_str(&to), to.n))
		abort();
	strbuf_fini(&to);
}

static void words(const char *event, const char *s, size_t n, bool is_cut)
{
	struct redact_word v[WORDS_MAX] = { 0 };
	struct strbuf to = { 0 };
	size_t n_words = 0, at = 0;
	for (size_t i = 0; i <= n && n_words < WORDS_MAX; i += v[n_words - 1].n + 1)
		v[n_words++] = (struct redact_word){ .s = s + i,
						     .n = strnlen(s + i, n - i),
						     .is_cut = is_cut };
	bool any = redact_words(redactor, event, v, n_words, &to);
	check_length(&to, n, n_words);
	for (size_t i = 0; any && i < n_words; at += v[i].n_clean, i++)
		if (v[i].n_clean > to.n - at ||
		    (utf8_is_valid(v[i].s, v[i].n) &&
		     !utf8_is_valid(strbuf_str(&to) + at, v[i].n_clean)))
			abort();
	if (at != to.n)
		abort();
	strbuf_fini(&to);
}

/* Check the text as NAME=VALUE. */
static void value(const char *s, size_t n)
{
	struct strbuf to = { 0 };
	const char *sign = memchr(s, '=', n), *behind = sign ? sign + 1 : s + n;
	size_t n_name = sign ? (size_t)(sign - s) : n, n_value = n - (size_t)(behind - s);
	redact_is_secret(s, n_name);
	redact_is_open_value(s, n_name, behind, n_value);
	redact_add_value(&to, behind, n_value);
	if (to.failed || to.n > 64 ||
	    (n_value >= 8 && !memchr(behind, 0, n_value) &&
	     memmem(strbuf_str(&to), to.n, behind, n_value)))
		abort();
	strbuf_fini(&to);
}

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	char name[256];
	if (n_bytes < 2)
		return;
	if (!redactor && redactor_create(&redactor))
		abort();
	const char *event = event_of(bytes[1], name, sizeof(name)), *s = (const char *)bytes + 2;
	value(s, n_bytes - 2);
	if (bytes[0] & AS_WORDS)
		words(event, s, n_bytes - 2, bytes[0] & IS_CUT);
	else
		text(event, s, n_bytes - 2, bytes[0] & IS_CUT);
}

/* The seeds are the examples of data/redaction.rec. */
size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap)
{
	static const struct {
		const char *rule, *event;
		bool in_words;
		const char *given;
		size_t n_given;
		const char *expected;
		size_t n_expected;
	} examples[] = {
#include "recorder/redact_examples.h"
	};
	if (number >= ARRAY_LEN(examples) || examples[number].n_given + 2 > cap)
		return 0;
	to[0] = '0' + (examples[number].in_words ? AS_WORDS : 0);
	to[1] = 0;
	for (unsigned i = 0; i < redact_n_rules && i < 256; i++)
		if (!strcmp(redact_rules[i].name, examples[number].rule))
			to[1] = (uint8_t)i;
	memcpy(to + 2, examples[number].given, examples[number].n_given);
	return examples[number].n_given + 2;
}
