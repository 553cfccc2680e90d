/*
 * framework: what command lines start, and the virtual environment that they name; code_path: what
 * paths say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/code_path.h"
#include "base/framework.h"

/* Copies words of which each ends with |. */
static size_t words_of(const char *text, char *to)
{
	size_t n = strlen(text);
	for (size_t i = 0; i < n; i++)
		to[i] = text[i] == '|' ? 0 : text[i];
	return n;
}

static void frameworks_are_known(void **state)
{
	static const struct {
		const char *words, *name, *role; /* name NULL: none */
	} rows[] = {
		{ "pytest|tests|", "pytest", "" },
		{ "/usr/bin/python3|/usr/bin/pytest-3|", "pytest", "" },
		{ "python3.12|-m|pytest|-x|", "pytest", "" },
		{ "python|-Im|celery|worker|-A|x|", "celery", "worker" },
		{ "celery|-A|shop|-q|worker|", "celery", "worker" },
		{ "celery|-A|", "celery", "" },
		{ "/srv/env/bin/python|/srv/env/bin/gunicorn|shop:app|", "gunicorn", "" },
		{ "gunicorn: worker [shop:app]|", "gunicorn", "worker" },
		{ "gunicorn: master [shop:app]|", "gunicorn", "master" },
		{ "python|manage.py|runserver|8000|", "django", "runserver" },
		{ "python|-X|dev|/srv/site/manage.py|migrate|", "django", "migrate" },
		{ "python3|/usr/lib/python3/dist-packages/flask/__main__.py|run|", "flask", "run" },
		{ "python|-m|ipykernel_launcher|-f|x.json|", "jupyter kernel", "" },
		{ "python|app.py|pytest|", NULL, NULL },
		{ "python|-c|pytest|", NULL, NULL },
		{ "pytester|", NULL, NULL },
		{ "pytest-|", NULL, NULL },
		{ "python|", NULL, NULL },
		{ "python|-m|", NULL, NULL },
		{ "gunicorn", NULL, NULL }, /* no NUL at its end */
		{ "", NULL, NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char words[200];
		const char *name = NULL, *role = NULL;
		size_t n = words_of(rows[i].words, words);
		if (framework_find(words, n, &name, &role) != (rows[i].name != NULL))
			fail_msg("%s: %s", rows[i].words, name ? name : "none");
		if (rows[i].name) {
			assert_string_equal(name, rows[i].name);
			assert_string_equal(role, rows[i].role);
		}
	}
}

static void virtual_environments_are_named(void **state)
{
	static const struct {
		const char *words, *exe, *venv;
	} rows[] = {
		{ "/srv/env/bin/python|app.py|", "/usr/bin/python3.11", "/srv/env" },
		{ "/usr/bin/python3|app.py|", "/usr/bin/python3.11", "" },
		{ "/bin/python3|app.py|", "/usr/bin/python3.11", "" },
		{ "/opt/py/bin/python3|app.py|", "/opt/py/bin/python3.12", "" },
		{ "python|app.py|", "/usr/bin/python3.11", "" },
		{ "/srv/env/bin/gunicorn|", "/usr/bin/python3.11", "" },
		{ "/python|", "/usr/bin/python3.11", "" },
		{ "", "", "" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char words[200] = "", got[200] = "";
		size_t n, n_words = words_of(rows[i].words, words);
		const char *venv = framework_venv(words, n_words, rows[i].exe, &n);
		memcpy(got, venv, n);
		assert_string_equal(got, rows[i].venv);
	}
}

static void paths_say_what_they_are(void **state)
{
	static const struct {
		const char *path;
		bool is_launcher;
		size_t n_site;
	} rows[] = {
		{ "/usr/bin/pytest", true, 0 },
		{ ".venv/bin/gunicorn", true, 0 },
		{ "bin/tool", true, 0 },
		{ "/srv/bin/tool.py", false, 0 },
		{ "/srv/cabin/tool", false, 0 },
		{ "/tool", false, 0 },
		{ "tool", false, 0 },
		{ "", false, 0 },
		{ "/x/site-packages/a.py", false, 16 },
		{ "/x/dist-packages/site-packages/a.py", false, 16 },
		{ "/x/my-packages/a.py", false, 0 },
		{ "/x/site-packages", false, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].path);
		assert_int_equal(code_path_is_launcher(rows[i].path, n), rows[i].is_launcher);
		assert_int_equal(code_path_site(rows[i].path, n), rows[i].n_site);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frameworks_are_known),
		cmocka_unit_test(virtual_environments_are_named),
		cmocka_unit_test(paths_say_what_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
