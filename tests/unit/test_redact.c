/*
 * test_redact: which names and texts hold a secret, and what of them reaches the capture.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "capture_util.h"
#include "recorder/redact.h"
#include "recorder/translate.h"

static void test_names(void **state)
{
	static const char *const secret[] = { "PASSWORD", "DB_PASSWORD", "PGPASSWORD", "MYSQL_PWD", "db-pass", "GITHUB_TOKEN", "X-Auth-Token",
					      "api_key", "AWS_SECRET_ACCESS_KEY", "STRIPE_KEY", "Authorization", "Cookie", "Set-Cookie",
					      "GOOGLE_CREDENTIALS", "clientSecret", "SSH_PASSPHRASE" };
	static const char *const open_[] = { "", "PWD", "OLDPWD", "HOME", "PATH", "TOKENIZERS_PARALLELISM", "SSH_AUTH_SOCK", "sort_key", "KEY",
					     "key", "KEYBOARD", "PASSENGER_COUNT", "COMPASS", "SECRETARY", "LC_ALL", "PYTHONPATH",
					     "def f(): pass", "no token" };
	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		if (!redact_is_secret(secret[i], strlen(secret[i])))
			fail_msg("%s is a secret", secret[i]);
	for (size_t i = 0; i < sizeof(open_) / sizeof(open_[0]); i++)
		if (redact_is_secret(open_[i], strlen(open_[i])))
			fail_msg("%s is no secret", open_[i]);
}

static void test_texts(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL: nothing is secret */
	} rows[] = {
		{ "https://bob:hunter2@host:8080/a?b", "https://bob:***@host:8080/a?b" },
		{ "psql postgres://u:p@h/db and redis://:x@h", "psql postgres://u:***@h/db and redis://:***@h" },
		{ "http://host:80/a@b", NULL },
		{ "https://bob@host/", NULL },
		{ "see http://a and mail me@b:c@d", NULL },
		{ "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic Ym9iOng=\r\nX: y\r\n\r\n",
		  "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: ***\r\nX: y\r\n\r\n" },
		{ "GET / HTTP/1.1\r\nCookie: a=b\r\nX-Api-Key: 77\r\n\r\n", "GET / HTTP/1.1\r\nCookie: ***\r\nX-Api-Key: ***\r\n\r\n" },
		{ "GET / HTTP/1.1\r\nCookie: a", "GET / HTTP/1.1\r\nCookie: ***" },
		{ "PASS hunter2\r\n", "PASS ***\r\n" },
		{ "a1 LOGIN bob hunter2\r\n", "a1 LOGIN bob ***\r\n" },
		{ "AUTH PLAIN AGJvYgB4\r\n", "AUTH PLAIN ***\r\n" },
		{ "PASS or fail", NULL },
		{ "", NULL },
		{ "://", NULL },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strbuf b = { 0 };
		bool found = redact_text(&b, rows[i].in, strlen(rows[i].in));
		assert_int_equal(found, rows[i].out != NULL);
		assert_string_equal(strbuf_str(&b), rows[i].out ? rows[i].out : "");
		strbuf_fini(&b);
	}
}

/* Arguments on their way into the capture: a dictionary, a name and its value, a text; and nothing of it without redact. */
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
		assert_true(translate_args(w, redact, (const uint8_t *)in.s, in.n, &out, &t));
		assert_true(translate_args(w, redact, (const uint8_t *)pair.s, pair.n, &out, &t));
		assert_int_equal(memmem(out.s, out.n, "s3cr3t", 6) == NULL, redact);
		assert_int_equal(memmem(out.s, out.n, "b0c", 3) == NULL, redact);
		assert_non_null(memmem(out.s, out.n, "API_TOKEN", 9));
	}
	must(writer_close(w));
	/* a dictionary of its own is an entry of the file: it must not stand there either */
	unlink(path);
	strbuf_fini(&in);
	strbuf_fini(&pair);
	strbuf_fini(&out);
}

/* Whatever the text is, it ends and stays inside its bounds. */
static void test_hostile(void **state)
{
	uint32_t seed = 7;
	for (int round = 0; round < 20000; round++) {
		static const char *const bits[] = { "://", ":", "@", "\r\n", "Cookie", "a", " ", "PASS", "\xff", "/" };
		struct strbuf in = { 0 }, out = { 0 };
		for (unsigned n = seed % 12; n-- > 0;) {
			seed = seed * 1664525 + 1013904223;
			strbuf_adds(&in, bits[(seed >> 16) % 10]);
		}
		seed = seed * 1664525 + 1013904223;
		char *tight = malloc(in.n ? in.n : 1);
		memcpy(tight, strbuf_str(&in), in.n);
		redact_text(&out, tight, in.n);
		redact_is_secret(tight, in.n);
		free(tight);
		strbuf_fini(&in);
		strbuf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_translate),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
