/*
 * test_generaliser: texts of one run in the form that they have in every run. A text is as long as
 * its length says: what follows it in memory does not count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/attr.h"
#include "capture_util.h"
#include "model/generaliser.h"
#include "model/trace.h"

/* The folders of a program that /srv/shop/bin/app.py is, started in /srv/shop. */
static struct generaliser *made(void)
{
	char path[256];
	struct writer *w = test_writer(test_path(path, sizeof(path), "generaliser"));
	struct strbuf argv = { 0 }, env = { 0 };
	struct generaliser *g;
	struct trace *t;
	put_container(&argv, VALUE_LIST, 2, 2);
	put_str(&argv, "python3");
	put_str(&argv, "/srv/shop/bin/app.py");
	put_container(&env, VALUE_DICT, 2, 2);
	put_str(&env, "TMPDIR");
	put_str(&env, "/scratch/");
	put_str(&env, "HOME");
	put_str(&env, "/home/ann");
	writer_process(w, &(struct process_info){
			      .pid = 1,
			      .exit_status = -1,
			      .cwd = add_string(w, "/srv/shop"),
			      .argv = writer_value(w, argv.s, argv.n),
			      .environ = writer_value(w, env.s, env.n),
			  });
	strbuf_fini(&argv);
	strbuf_fini(&env);
	t = test_trace(w, path);
	must(generaliser_create(t, &g));
	trace_close(t);
	return g;
}

enum kind { PATH, FOLDER, WORDS, HOST };

static void add(const struct generaliser *g, enum kind kind, const char *text, size_t n,
		struct strbuf *to)
{
	switch (kind) {
	case PATH:
	case FOLDER: generaliser_add_path(g, text, n, kind == FOLDER, to); break;
	case WORDS: generaliser_add_words(g, text, n, to); break;
	case HOST: generaliser_add_host(g, text, n, to); break;
	}
}

static void texts(void **state)
{
	static const struct {
		enum kind kind;
		const char *text, *want;
	} rows[] = {
		{ PATH, "/srv/shop/data/7.txt", "./data/#.txt" },
		{ PATH, "/srv/shopping", "/srv/shopping" },
		{ PATH, "data/7.txt", "./data/#.txt" },
		{ PATH, "/scratch/x/y", "<tmp>" },
		{ PATH, "/home/ann/.netrc", "~/.netrc" },
		{ PATH, "/usr/lib/python3.12/json/decoder.py", "<stdlib>/json/decoder.py" },
		{ FOLDER, "/srv/shop/app.py", "." },
		{ FOLDER, "app.py", "." },
		{ FOLDER, "/vmlinuz", "/" },
		{ FOLDER, "", "." },
		{ WORDS, "git -C /home/ann/x log", "git -C ~/x log" },
		{ WORDS, "cat \"/home/ann/a b\"", "cat ~/a b" },
		{ WORDS, "", "" },
		{ HOST, "127.0.0.1:5432", "127.0.0.1:#" },
		{ HOST, "127.0.0.1:80", "127.0.0.1:80" },
		{ HOST, "10.0.0.7:5432", "10.0.0.7:5432" },
		{ HOST, "10.0.0.7:40000", "10.0.0.7:#" },
		{ HOST, "10.0.0.7:0", "10.0.0.7:#" },
		{ HOST, "10.0.0.7:400000", "10.0.0.7:400000" },
		{ HOST, "10.0.0.7:40_00", "10.0.0.7:40_00" },
		{ HOST, "10.0.0.7:", "10.0.0.7:" },
		{ HOST, "db.example", "db.example" },
		{ HOST, "/scratch/socket", "<tmp>" },
		{ HOST, "", "" },
	};
	/* what may follow a text in memory */
	static const char *const behind[] = { "", "9", "99999", "/", ":40000", "\"", " x" };
	struct generaliser *g = made();
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < ARRAY_LEN(behind); k++) {
			char text[100];
			struct strbuf to = { 0 };
			snprintf(text, sizeof(text), "%s%s", rows[i].text, behind[k]);
			add(g, rows[i].kind, text, strlen(rows[i].text), &to);
			if (strcmp(strbuf_str(&to), rows[i].want) != 0)
				fail_msg("%s, before \"%s\": %s, not %s", rows[i].text, behind[k],
					 strbuf_str(&to), rows[i].want);
			strbuf_fini(&to);
		}
	generaliser_destroy(g);
}

static void first_words(void **state)
{
	(void)state;
	assert_int_equal(generaliser_word_bytes("", 0), 0);
	assert_int_equal(generaliser_word_bytes("open x", 6), 4);
	assert_int_equal(generaliser_word_bytes("open", 2), 2);
	assert_int_equal(generaliser_word_bytes("\"a b\" c", 7), 5);
	generaliser_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(first_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
