/*
 * test_redact: which names and texts hold a secret, and which parts of them reach the capture.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture_util.h"
#include "recorder/redact.h"
#include "recorder/redact_tables.h"
#include "recorder/translate.h"

struct example {
	const char *rule, *event;
	bool in_words; /* a NUL between each two words */
	const char *given;
	size_t n_given;
	const char *expected;
	size_t n_expected;
};
static const struct example examples[] = {
#include "recorder/redact_examples.h"
};

static struct redactor *redactor;

static int set_up(void **state)
{
	must(redactor_create(&redactor));
	return 0;
}

static int tear_down(void **state)
{
	redactor_destroy(redactor);
	return 0;
}

/* Return what is left of a text, or of words with a NUL between them. */
static void redacted(struct strbuf *to, const char *event, bool in_words, bool is_cut,
		     const char *text, size_t n)
{
	strbuf_clear(to);
	if (!in_words) {
		if (!redact_text(redactor, event, text, n, is_cut, to))
			strbuf_add(to, text, n);
		return;
	}
	struct redact_word words[64] = { 0 };
	struct strbuf clean = { 0 };
	size_t n_words = 0, at = 0;
	for (size_t i = 0; i <= n && n_words < 64; i += words[n_words - 1].n + 1) {
		struct redact_word *w = &words[n_words++];
		w->s = text + i;
		w->n = strnlen(text + i, n - i);
		w->n_clean = w->n;
	}
	bool any = redact_words(redactor, event, words, n_words, &clean);
	for (size_t i = 0; i < n_words; at += words[i].n_clean, i++) {
		if (i)
			strbuf_addc(to, 0);
		strbuf_add(to, any ? strbuf_str(&clean) + at : words[i].s, words[i].n_clean);
	}
	strbuf_fini(&clean);
}

/* A NUL is shown as |. */
static const char *shown(struct strbuf *b)
{
	for (size_t i = 0; i < b->n; i++)
		b->s[i] = b->s[i] ? b->s[i] : '|';
	return strbuf_str(b);
}

/* A pattern that is wrong would hide each text that it is tried on. */
static void test_patterns(void **state)
{
	for (unsigned i = 0; i < redact_n_rules; i++) {
		int error;
		PCRE2_SIZE at;
		pcre2_code *code = pcre2_compile((PCRE2_SPTR)redact_rules[i].pattern,
						 PCRE2_ZERO_TERMINATED, 0, &error, &at, NULL);
		if (!code || pcre2_substring_number_from_name(code, (PCRE2_SPTR) "secret") < 0)
			fail_msg("rule %s: %s", redact_rules[i].name, redact_rules[i].pattern);
		pcre2_code_free(code);
	}
}

/* Each rule does exactly what its examples say. */
static void test_examples(void **state)
{
	struct strbuf out = { 0 };
	size_t n_wrong = 0;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		const struct example *e = &examples[i];
		/* an exact copy, so that a sanitizer sees a read beyond its end */
		char *tight = malloc(e->n_given ? e->n_given : 1);
		memcpy(tight, e->given, e->n_given);
		redacted(&out, e->event, e->in_words, false, tight, e->n_given);
		free(tight);
		if (out.n == e->n_expected && !memcmp(strbuf_str(&out), e->expected, out.n))
			continue;
		struct strbuf expected = { 0 };
		strbuf_add(&expected, e->expected, e->n_expected);
		print_error("rule \"%s\": expected %s\n                     got %s\n", e->rule,
			    shown(&expected), shown(&out));
		strbuf_fini(&expected);
		n_wrong++;
	}
	strbuf_fini(&out);
	assert_int_equal(n_wrong, 0);
}

/* Open a file of tests/redaction; its lines are read without comments, and *ret_kind is the text
 * before the tab. */
static FILE *open_table(const char *name)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/tests/redaction/%s",
		 getenv("SOURCE_ROOT") ? getenv("SOURCE_ROOT") : "../..", name);
	FILE *f = fopen(path, "re");
	if (!f)
		fail_msg("%s is not there", path);
	return f;
}

static bool next_line(FILE *f, char *line, size_t cap, char **ret_kind, char **ret_text)
{
	while (fgets(line, (int)cap, f)) {
		line[strcspn(line, "\n")] = 0;
		char *tab = strchr(line, '\t');
		if (*line == '#' || !tab)
			continue;
		*tab = 0;
		*ret_kind = line;
		*ret_text = tab + 1;
		return true;
	}
	return false;
}

/* Remove {{ and }} from a text; \r \n \0 and \\ are as in C. Returns its bytes; *from … *to is what
 * was inside. */
static size_t unmark(char *text, size_t *from, size_t *to)
{
	size_t n = 0;
	*from = *to = 0;
	for (char *p = text; *p; p++) {
		if (p[0] == '{' && p[1] == '{' && !*from)
			*from = n + 1, p++;
		else if (p[0] == '}' && p[1] == '}' && !*to && *from)
			*to = n, p++;
		else if (p[0] == '\\' && p[1] && strchr("rn0\\", p[1]))
			p++, text[n++] = *p == 'r' ? '\r' : *p == 'n' ? '\n' : *p == '0' ? 0 : '\\';
		else
			text[n++] = *p;
	}
	*from -= *from > 0;
	return n;
}

/* Is the secret still there? A text of less than four bytes may occur elsewhere by chance, so its
 * place counts. */
static bool leaks(const char *kind, const char *text, size_t n, size_t from, size_t to,
		  struct strbuf *out)
{
	if (!strcmp(kind, "name"))
		return !redact_is_secret(text, n);
	const char *event = strchr(kind, ':');
	redacted(out, event ? event + 1 : NULL, !strncmp(kind, "words", 5),
		 !strncmp(kind, "cut", 3), text, n);
	return memmem(out->s, out->n, text + from, to - from) != NULL;
}

/* tests/redaction/shapes.tsv: what must be kept out. At least 95 of 100 is promised. */
static void test_shapes(void **state)
{
	char line[8192], *kind, *text;
	struct strbuf out = { 0 };
	size_t n = 0, n_leaks = 0;
	FILE *f = open_table("shapes.tsv");
	while (next_line(f, line, sizeof(line), &kind, &text)) {
		size_t from, to, n_text = unmark(text, &from, &to);
		n++;
		if (leaks(kind, text, n_text, from, to, &out)) {
			n_leaks++;
			print_message("leaks: %s %.*s\n", kind, (int)n_text, text);
		}
	}
	fclose(f);
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		const struct example *e = &examples[i];
		if (e->n_given == e->n_expected && !memcmp(e->given, e->expected, e->n_given))
			continue;
		redacted(&out, e->event, e->in_words, false, e->given, e->n_given);
		n++;
		n_leaks += out.n != e->n_expected;
	}
	strbuf_fini(&out);
	print_message("shapes of secrets kept out: %zu of %zu\n", n - n_leaks, n);
	assert_true(n >= 300);
	assert_true(n_leaks * 20 <= n);
}

/* tests/redaction/harmless.tsv: what must be shown unchanged. At most 2 of 100 may be hidden. */
static void test_harmless(void **state)
{
	char line[8192], *kind, *text;
	struct strbuf out = { 0 };
	size_t n = 0, n_hidden = 0;
	FILE *f = open_table("harmless.tsv");
	while (next_line(f, line, sizeof(line), &kind, &text)) {
		size_t from, to, n_text = unmark(text, &from, &to);
		const char *event = strchr(kind, ':');
		n++;
		if (!strcmp(kind, "name")) {
			if (redact_is_secret(text, n_text)) {
				n_hidden++;
				print_message("hidden: name %s\n", text);
			}
			continue;
		}
		redacted(&out, event ? event + 1 : NULL, !strncmp(kind, "words", 5),
			 !strncmp(kind, "cut", 3), text, n_text);
		if (out.n != n_text || memcmp(out.s, text, n_text)) {
			n_hidden++;
			print_message("hidden: %s %s -> %s\n", kind, text, shown(&out));
		}
	}
	fclose(f);
	strbuf_fini(&out);
	print_message("harmless names and texts hidden: %zu of %zu\n", n_hidden, n);
	assert_true(n >= 300);
	assert_true(n_hidden * 50 <= n);
}

/* Arguments on their way into the capture: a dictionary, a name and its value, a text; without
 * redact, all of them unchanged. */
static void test_translate(void **state)
{
	struct strbuf in = { 0 }, out = { 0 };
	put_container(&in, VALUE_TUPLE, 3, 3);
	put_container(&in, VALUE_DICT, 2, 2);
	put_str(&in, "API_TOKEN");
	put_str(&in, "s3cr3t");
	put_str(&in, "HOME");
	put_str(&in, "/root");
	put_str(&in, "ftp://a:b0c@h");
	put_int(&in, 5);
	struct strbuf pair = { 0 };
	put_container(&pair, VALUE_TUPLE, 2, 2);
	put_str(&pair, "API_TOKEN");
	put_str(&pair, "s3cr3t");
	char path[] = "/tmp/auditview-redact-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	struct writer_options options = { .creator = "test" };
	struct writer *w = NULL;
	must(writer_open(path, &options, &w));
	struct translation t;
	for (int redact = 0; redact < 2; redact++) {
		strbuf_clear(&out);
		struct redactor *r = redact ? redactor : NULL;
		assert_true(translate_args(w, r, NULL, (const uint8_t *)in.s, in.n, &out, &t));
		assert_true(translate_args(w, r, NULL, (const uint8_t *)pair.s, pair.n, &out, &t));
		assert_int_equal(memmem(out.s, out.n, "s3cr3t", 6) == NULL, redact);
		assert_int_equal(memmem(out.s, out.n, "b0c", 3) == NULL, redact);
		assert_non_null(memmem(out.s, out.n, "API_TOKEN", 9));
	}
	must(writer_close(w));
	/* a dictionary of its own is an entry of the file: the secret must not be there either */
	unlink(path);
	strbuf_fini(&in);
	strbuf_fini(&pair);
	strbuf_fini(&out);
}

/* Local variables: a secret name, one in a list, a text; an object keeps its address. What is not
 * well-formed is left out. */
static void test_locals(void **state)
{
	static const char object[] = "\x15\x08\x07\x06\x05\x04\x03\x02\x01\x05Thing";
	struct strbuf in = { 0 }, out = { 0 };
	put_container(&in, VALUE_DICT, 4, 4);
	put_str(&in, "password");
	put_str(&in, "s3cr3t");
	put_str(&in, "words");
	put_container(&in, VALUE_LIST, 2, 2);
	put_str(&in, "--password");
	put_str(&in, "s3cr3t");
	put_str(&in, "url");
	put_str(&in, "ftp://a:b0c@h");
	put_str(&in, "thing");
	strbuf_add(&in, object, sizeof(object)); /* its last byte: no attributes */
	for (int redact = 0; redact < 2; redact++) {
		strbuf_clear(&out);
		assert_true(
		    translate_locals(redact ? redactor : NULL, (const uint8_t *)in.s, in.n, &out));
		assert_int_equal(memmem(out.s, out.n, "s3cr3t", 6) == NULL, redact);
		assert_int_equal(memmem(out.s, out.n, "b0c", 3) == NULL, redact);
		assert_non_null(memmem(out.s, out.n, "--password", 10));
		assert_non_null(memmem(out.s, out.n, object, sizeof(object)));
	}
	assert_int_equal(out.n > in.n, true);
	for (size_t n = 0; n < in.n; n++) {
		strbuf_clear(&out);
		assert_false(translate_locals(redactor, (const uint8_t *)in.s, n, &out));
		assert_int_equal(out.n, 0);
	}
	strbuf_fini(&in);
	strbuf_fini(&out);
}

/* Whatever the text is, redaction ends soon and stays inside its bounds. */
static void test_hostile(void **state)
{
	uint32_t seed = 7;
	for (int round = 0; round < 20000; round++) {
		static const char *const bits[] = { "://",
						    ":",
						    "@",
						    "\r\n",
						    "Cookie",
						    "a",
						    " ",
						    "PASS",
						    "\xff",
						    "/",
						    "password",
						    "=",
						    "\"",
						    "'",
						    "\\",
						    "--token",
						    "mysql",
						    " -p",
						    "-----BEGIN PRIVATE KEY-----",
						    "eyJ",
						    ".",
						    "{",
						    "" };
		struct strbuf in = { 0 }, out = { 0 };
		for (unsigned n = seed % 24; n-- > 0;) {
			seed = seed * 1664525 + 1013904223;
			strbuf_adds(&in, bits[(seed >> 16) % ARRAY_LEN(bits)]);
			if (seed % 11 == 0)
				strbuf_addc(&in, 0);
		}
		seed = seed * 1664525 + 1013904223;
		char *tight = malloc(in.n ? in.n : 1);
		memcpy(tight, strbuf_str(&in), in.n);
		redact_text(redactor, "smtplib.send", tight, in.n, seed & 1, &out);
		struct redact_word words[2] = {
			{ .s = tight, .n = in.n / 2 },
			{ .s = tight + in.n / 2, .n = in.n - in.n / 2, .is_cut = true }
		};
		redact_words(redactor, NULL, words, 2, &out);
		redact_is_secret(tight, in.n);
		free(tight);
		strbuf_fini(&in);
		strbuf_fini(&out);
	}
}

/* The CPU time of texts that are made to be expensive: no more than a text of that length may
 * take. */
static void test_cost_is_bounded(void **state)
{
	static const char *const bits[] = { "password",
					    "password=",
					    "\"token\":",
					    "mysql ",
					    "mysql -a ",
					    "://a:",
					    "AKIA",
					    "eyJhbGciOi",
					    "curl -u a ",
					    "-----BEGIN PRIVATE KEY----- ",
					    "key \"",
					    "[\"token\",",
					    "a.b-c_",
					    "login x password ",
					    "authorization: ",
					    "echo x | sudo " };
	enum { LONG = 1 << 20 };
	for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
		struct strbuf in = { 0 }, out = { 0 };
		while (in.n < LONG)
			strbuf_adds(&in, bits[i]);
		clock_t before = clock();
		redact_text(redactor, NULL, in.s, in.n, true, &out);
		double seconds = (double)(clock() - before) / CLOCKS_PER_SEC;
		if (seconds > 5)
			fail_msg("1 MiB of \"%s\" took %.1f s", bits[i], seconds);
		strbuf_fini(&in);
		strbuf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),  cmocka_unit_test(test_examples),
		cmocka_unit_test(test_shapes),    cmocka_unit_test(test_harmless),
		cmocka_unit_test(test_translate), cmocka_unit_test(test_locals),
		cmocka_unit_test(test_hostile),   cmocka_unit_test(test_cost_is_bounded),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
