/*
 * distributions: what a folder says is installed there, in all the ways installers say it; and what
 * a hostile one may not do. Read in a confined process, as the recorder does.
 */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/confine.h"
#include "base/monotonic.h"
#include "base/strbuf.h"
#include "python/distributions.h"
#include "python/project.h"

static char top[PATH_MAX]; /* of this test; without links */

static void put(const char *path, const char *text)
{
	char full[PATH_MAX + 512], *slash = full;
	snprintf(full, sizeof(full), "%s/%s", top, path);
	while ((slash = strchr(slash + 1, '/'))) {
		*slash = 0;
		mkdir(full, 0755);
		*slash = '/';
	}
	FILE *f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int begin(void **state)
{
	char name[] = "/tmp/distributions.XXXXXX";
	(void)state;
	return mkdtemp(name) && realpath(name, top) ? 0 : -1;
}

static int end(void **state)
{
	char command[PATH_MAX + 20];
	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", top);
	return system(command);
}

static void answer(int root_fd, const char *question, size_t n_bytes, struct strbuf *to)
{
	assert_int_equal(question[n_bytes - 1], 0);
	distributions_read(root_fd, question, monotonic_ns() + 20000000000u, to);
}

/* What is said of one folder: "name version flags path path…\n", `top` left out of paths. */
static char *read_folder(const char *folder)
{
	struct confine c = CONFINE_NONE;
	struct confine_whom us = { .pid = getpid() };
	struct strbuf got = { 0 }, text = { 0 };
	char path[PATH_MAX + 256];
	snprintf(path, sizeof(path), "%s/%s", top, folder);
	assert_true(confine_start(&c, &us, answer, path, strlen(path) + 1, 60000000000u));
	enum confine_state state;
	while ((state = confine_wait(&c, 1000, &got)) == CONFINE_WORKS)
		;
	assert_int_equal(state, CONFINE_ANSWERED);
	assert_int_equal(c.worker.pid, 0);
	bool is_first = true;
	for (size_t i = 0; i < got.n; i += strlen(got.s + i) + 1) {
		const char *s = got.s + i;
		if (!*s) {
			strbuf_addc(&text, '\n');
			is_first = true;
			continue;
		}
		if (!is_first)
			strbuf_addc(&text, ' ');
		is_first = false;
		strbuf_adds(&text, strncmp(s, top, strlen(top)) ? s : s + strlen(top));
	}
	strbuf_fini(&got);
	return text.s ? strbuf_take(&text) : strdup("");
}

static void expect(const char *folder, const char *line)
{
	char *text = read_folder(folder);
	if (!strstr(text, line))
		fail_msg("no line %s in:\n%s", line, text);
	free(text);
}

static void expect_all(const char *folder, const char *text)
{
	char *got = read_folder(folder);
	assert_string_equal(got, text);
	free(got);
}

/* ---- honest folders ---- */

static void a_record_is_read(void **state)
{
	(void)state;
	put("site/requests-2.31.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: requests\n"
						       "Version: 2.31.0\n\nName: not this\n");
	put("site/requests-2.31.0.dist-info/RECORD",
	    "requests/__init__.py,sha256=x,12\nrequests/api.py,,\nrequests/__pycache__/api.pyc,,\n"
	    "requests-2.31.0.dist-info/RECORD,,\n\"with,comma.py\",,\n../../../bin/tool,,\n");
	expect_all("site", "requests 2.31.0 - /site/requests/ /site/with,comma.py\n");
}

static void folders_are_shared(void **state)
{
	(void)state;
	put("site/google_storage-1.0.dist-info/RECORD",
	    "google/cloud/storage/__init__.py,,\ngoogle/cloud/storage/blob.py,,\n");
	put("site/google_auth-2.0.dist-info/RECORD",
	    "google/auth/__init__.py,,\ngoogle/auth/jwt.py,,\ngoogle/cloud/extra.py,,\n");
	expect("site", "google_storage 1.0 - /site/google/cloud/storage/\n");
	expect("site", "google_auth 2.0 - /site/google/auth/ /site/google/cloud/extra.py\n");
}

static void vendored_copies_are_of_the_installer(void **state)
{
	(void)state;
	put("site/pip-23.0.dist-info/RECORD", "pip/__init__.py,,\npip/_vendor/requests/api.py,,\n");
	put("site/requests-2.0.dist-info/RECORD", "requests/__init__.py,,\n");
	expect("site", "pip 23.0 - /site/pip/\n");
	expect("site", "requests 2.0 - /site/requests/\n");
}

static void egg_info_is_read(void **state)
{
	(void)state;
	put("site-packages/PyJWT-2.6.0.egg-info/PKG-INFO", "Name: PyJWT\nVersion: 2.6.0\n");
	put("site-packages/PyJWT-2.6.0.egg-info/top_level.txt", "jwt\n");
	put("site-packages/jwt/__init__.py", "");
	put("site-packages/six-1.16.0.egg-info",
	    "Metadata-Version: 1.1\nName: six\nVersion: 1.16.0\n");
	put("site-packages/six.py", "");
	put("site-packages/lazr.uri-1.0.6.egg-info/top_level.txt", "lazr\n");
	put("site-packages/lazr.rest-0.14.egg-info/top_level.txt", "lazr\n");
	put("site-packages/lazr/uri/__init__.py", "");
	put("site-packages/lazr/rest/__init__.py", "");
	put("site-packages/old-0.1-py3.8.egg-info/installed-files.txt",
	    "../old/__init__.py\n../old/a.py\n");
	expect("site-packages", "PyJWT 2.6.0 - /site-packages/jwt/\n");
	expect("site-packages", "six 1.16.0 - /site-packages/six.py\n");
	expect("site-packages", "lazr.uri 1.0.6 - /site-packages/lazr/uri/\n");
	expect("site-packages", "lazr.rest 0.14 - /site-packages/lazr/rest/\n");
	expect("site-packages", "old 0.1 - /site-packages/old/\n");
}

/* python setup.py develop leaves it beside the sources */
static void egg_info_of_a_project_is_editable(void **state)
{
	(void)state;
	put("checkout/app.egg-info/PKG-INFO", "Name: app\nVersion: 1\n");
	put("checkout/app.egg-info/top_level.txt", "app\n");
	put("checkout/app/__init__.py", "");
	expect_all("checkout", "app 1 e /checkout/app/\n");
}

static void without_files_the_name_counts(void **state)
{
	(void)state;
	put("site/typing-inspection-0.4.dist-info/METADATA", "Name: typing-inspection\n");
	put("site/typing_inspection/__init__.py", "");
	put("site/Python_Magic-1.dist-info/METADATA", "Name: Python-Magic\nVersion: 1\n");
	put("site/magic.py", "");
	put("site/unknown-1.dist-info/METADATA", "Name: unknown\nVersion: 1\n");
	expect("site", "typing-inspection 0.4 - /site/typing_inspection/\n");
	expect("site", "Python-Magic 1 - /site/magic.py\n");
	char *text = read_folder("site");
	assert_null(strstr(text, "unknown"));
	free(text);
}

static void eggs_are_one_path(void **state)
{
	(void)state;
	put("site/zipped-1.2-py3.11.egg", "PK");
	put("site/unpacked-3-py3.11.egg/unpacked/__init__.py", "");
	expect("site", "zipped 1.2 - /site/zipped-1.2-py3.11.egg/\n");
	expect("site", "unpacked 3 - /site/unpacked-3-py3.11.egg/\n");
}

static void editable_installs_are_elsewhere(void **state)
{
	(void)state;
	put("site/app-1.0.dist-info/METADATA", "Name: app\nVersion: 1.0\n");
	put("site/app-1.0.dist-info/RECORD",
	    "__editable___app_1_0_finder.py,,\n__editable__.app-1.0.pth,,\n");
	put("site/app-1.0.dist-info/direct_url.json",
	    "{\"dir_info\": {\"editable\": true}, \"url\": \"file:///srv/my%20app\"}");
	put("site/local-1.0.dist-info/METADATA", "Name: local\nVersion: 1.0\n");
	put("site/local-1.0.dist-info/RECORD", "local/__init__.py,,\n");
	put("site/local-1.0.dist-info/direct_url.json",
	    "{\"dir_info\": {}, \"url\": \"file:///srv/local\"}");
	put("site/my-tool.egg-link", "/srv/work/tool\n.\n");
	expect("site", "app 1.0 e /srv/my app/ /site/__editable___app_1_0_finder.py\n");
	expect("site", "local 1.0 - /site/local/\n");
	expect("site", "my-tool ? e /srv/work/tool/\n");
}

static void conda_adds_what_has_no_dist_info(void **state)
{
	(void)state;
	put("env/lib/python3.12/site-packages/numpy-1.26.4.dist-info/RECORD", "numpy/a.py,,\n");
	put("env/conda-meta/numpy-1.26.4-py312h1_0.json",
	    "{\"files\": [\"lib/python3.12/site-packages/numpy/a.py\"]}");
	put("env/conda-meta/bare-lib-0.5-h1_0.json",
	    "{\"files\": [\"bin/x\", \"lib/python3.12/site-packages/bare/a.py\", \"share/y\"]}");
	expect_all("env/lib/python3.12/site-packages",
		   "numpy 1.26.4 - /env/lib/python3.12/site-packages/numpy/\n"
		   "bare-lib 0.5 - /env/lib/python3.12/site-packages/bare/\n");
}

static void one_distribution_described_twice_is_one(void **state)
{
	(void)state;
	put("site-packages/crypto_graphy-38.0.dist-info/RECORD", "cg/__init__.py,,\ncg/a.py,,\n");
	put("site-packages/crypto-graphy.egg-info/top_level.txt", "cg\n");
	put("site-packages/cg/__init__.py", "");
	char *text = read_folder("site-packages");
	assert_non_null(strstr(text, " 38.0 - /site-packages/cg/\n"));
	assert_null(strstr(text, "?"));
	free(text);
}

/* ---- hostile ones ---- */

static void no_path_leads_out(void **state)
{
	(void)state;
	put("site/evil-1.dist-info/RECORD",
	    "/etc/passwd.py,,\n../secret.py,,\nx/../../secret.py,,\n./a.py,,\nb//c.py,,\n,,\n"
	    "good.py,,\n");
	put("site/evil2-1.egg-info/top_level.txt", "../..\n/etc\n..\n\n");
	put("site/evil3-1.dist-info/direct_url.json",
	    "{\"url\": \"file:///\", \"dir_info\": {\"editable\": true}}");
	put("site/evil4-1.egg-link", "/srv/../../x\n");
	put("site/evil5-1.egg-link", "relative/path\n");
	put("site/evil6-1.dist-info/METADATA", "Name: evil\x1b[31m\nVersion: \x07\n");
	put("site/evil6-1.dist-info/RECORD", "six.py,,\n");
	expect_all("site", "evil 1 - /site/good.py\nevil6 1 - /site/six.py\n");
}

/* It must not be waited for. */
static void no_fifo_and_no_link_out_is_read(void **state)
{
	char path[PATH_MAX + 256];
	(void)state;
	put("site/f-1.dist-info/METADATA", "Name: f\nVersion: 1\n");
	snprintf(path, sizeof(path), "%s/site/f-1.dist-info/RECORD", top);
	assert_int_equal(mkfifo(path, 0644), 0);
	put("site/f.py", "");
	expect_all("site", "f 1 - /site/f.py\n");
	expect_all("nothing", "");
	expect_all("site/f.py", "");
}

static void work(int root_fd, const char *question, size_t n_bytes, struct strbuf *to)
{
	(void)root_fd, (void)n_bytes;
	if (*question == 's')
		pause();
	strbuf_add_repeat(to, 'x', *question == 'b' ? CONFINE_ANSWER_BYTES + 1 : 10);
}

static enum confine_state ask(const char *question, const struct confine_whom *whom,
			      uint64_t timeout_ns)
{
	struct confine c = CONFINE_NONE;
	struct strbuf got = { 0 };
	enum confine_state state = CONFINE_FAILED;
	if (confine_start(&c, whom, work, question, strlen(question) + 1, timeout_ns))
		while ((state = confine_wait(&c, 10, &got)) == CONFINE_WORKS)
			;
	assert_int_equal(got.n, state == CONFINE_ANSWERED ? 10 : 0);
	assert_int_equal(c.worker.pid, 0);
	strbuf_fini(&got);
	return state;
}

static void time_and_size_have_bounds(void **state)
{
	struct confine_whom us = { .pid = getpid() }, gone = { .pid = INT32_MAX };
	(void)state;
	assert_int_equal(ask("short", &us, 50000000), CONFINE_FAILED); /* it sleeps */
	assert_int_equal(ask("big", &us, 60000000000u), CONFINE_FAILED);
	assert_int_equal(ask("fine", &us, 60000000000u), CONFINE_ANSWERED);
	assert_int_equal(ask("fine", &gone, 60000000000u), CONFINE_FAILED);
	gone.has_our_root = true;
	gone.uid = geteuid();
	gone.gid = getegid();
	assert_int_equal(ask("fine", &gone, 60000000000u), CONFINE_ANSWERED);
}

static void tell(int root_fd, const char *question, size_t n_bytes, struct strbuf *to)
{
	(void)question, (void)n_bytes;
	struct stat st;
	int fd = confine_open(root_fd, "/etc/shadow", O_RDONLY);
	int up = confine_open(root_fd, "../../../../etc/passwd", O_PATH);
	strbuf_addf(to, "%u %u %s %s", geteuid(), getegid(), fd < 0 ? "refused" : "read",
		    up >= 0 && fstat(up, &st) == 0 ? "inside" : "none");
}

/* Root reads what a target of another user could not. */
static void it_has_the_rights_of_the_target(void **state)
{
	struct confine c = CONFINE_NONE;
	struct confine_whom other = {
		.pid = INT32_MAX, .has_our_root = true, .uid = 65534, .gid = 65534
	};
	struct strbuf got = { 0 };
	(void)state;
	bool may = geteuid() == 0;
	assert_true(confine_start(&c, &other, tell, "", 0, 60000000000u));
	enum confine_state is;
	while ((is = confine_wait(&c, 100, &got)) == CONFINE_WORKS)
		;
	if (may)
		assert_string_equal(strbuf_str(&got), "65534 65534 refused inside");
	else
		assert_int_equal(is, CONFINE_FAILED);
	strbuf_fini(&got);
}

/* ---- the project ---- */

static void the_start_is_where_the_script_is(void **state)
{
	static const struct {
		const char *words; /* | stands for NUL */
		const char *start;
	} rows[] = {
		{ "python3|app.py|", "/work" },
		{ "python3|./sub/app.py|x|", "/work/sub" },
		{ "python3|/srv/app/main.py|", "/srv/app" },
		{ "python3|-B|-X|dev|-Wi|/srv/app/main.py|", "/srv/app" },
		{ "python3|-m|pytest|/srv/other|", "/work" },
		{ "python3|-Im|pytest|", "/work" },
		{ "python3|-c|import x|/srv/a.py|", "/work" },
		{ "python3|-|", "/work" },
		{ "python3|", "/work" },
		{ "", "/work" },
		{ "/usr/bin/python3|/usr/bin/pytest|tests|", "/work" },
		{ "/srv/env/bin/python|/srv/env/bin/gunicorn|app:app|", "/work" },
		{ "python3|bin/tool.py|", "/work/bin" },
		{ "python3|/usr/lib/python3/dist-packages/foo/__main__.py|", "/work" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char words[200];
		struct strbuf got = { 0 };
		size_t n = strlen(rows[i].words);
		for (size_t k = 0; k < n; k++)
			words[k] = rows[i].words[k] == '|' ? 0 : rows[i].words[k];
		assert_true(project_start(words, n, "/work", &got));
		assert_string_equal(strbuf_str(&got), rows[i].start);
		strbuf_clear(&got);
		assert_false(project_start(words, n, "(deleted)", &got));
		assert_int_equal(got.n, 0);
		strbuf_fini(&got);
	}
}

static void a_project_is_found_above(void **state)
{
	char path[PATH_MAX + 256];
	struct strbuf got = { 0 };
	int root = open("/", O_PATH | O_DIRECTORY);
	(void)state;
	put("web/manage.py", "");
	put("web/shop/views.py", "");
	snprintf(path, sizeof(path), "%s/web/shop/", top);
	assert_true(project_find(root, path, &got));
	snprintf(path, sizeof(path), "%s/web", top);
	assert_string_equal(strbuf_str(&got), path);
	strbuf_clear(&got);
	assert_false(project_find(root, "relative", &got));
	assert_false(project_find(root, "/", &got));
	assert_false(project_find(root, "/srv/../web", &got));
	assert_int_equal(got.n, 0);
	strbuf_fini(&got);
	close(root);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_record_is_read),
		T(folders_are_shared),
		T(vendored_copies_are_of_the_installer),
		T(egg_info_is_read),
		T(egg_info_of_a_project_is_editable),
		T(without_files_the_name_counts),
		T(eggs_are_one_path),
		T(editable_installs_are_elsewhere),
		T(conda_adds_what_has_no_dist_info),
		T(one_distribution_described_twice_is_one),
		T(no_path_leads_out),
		T(no_fifo_and_no_link_out_is_read),
		T(time_and_size_have_bounds),
		T(it_has_the_rights_of_the_target),
		T(the_start_is_where_the_script_is),
		T(a_project_is_found_above),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
