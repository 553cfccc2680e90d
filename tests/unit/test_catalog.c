#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "model/catalog.h"

static void test_every_event_is_found_and_nothing_else(void **state)
{
	size_t n_seed = 0;

	assert_int_equal(n_catalog_events, 206);
	for (size_t i = 0; i < n_catalog_events; i++) {
		const struct catalog_event *e = &catalog_events[i];

		assert_ptr_equal(catalog_find_str(e->name), e);
		assert_int_equal(catalog_index(e), i);
		assert_null(catalog_find(e->name, strlen(e->name) - 1) == e ? e : NULL);
		if (i)
			assert_true(strcmp(catalog_events[i - 1].name, e->name) < 0);
		n_seed += e->seed;
	}
	assert_int_equal(n_seed, 71);
	assert_null(catalog_find_str("socket.connec"));
	assert_null(catalog_find_str("socket.connect "));
	assert_null(catalog_find_str(""));
	assert_null(catalog_find("open\0", 5));
}

static void test_wrong_names_of_the_docs_resolve(void **state)
{
	const struct catalog_event *e = catalog_find_str("sys.set_asyncgen_hooks_finalizer");

	assert_non_null(e);
	assert_string_equal(e->name, "sys.set_asyncgen_hook_finalizer");
	e = catalog_find_str("sys.set_asyncgen_hooks_firstiter");
	assert_non_null(e);
	assert_string_equal(e->name, "sys.set_asyncgen_hook_firstiter");
}

static void test_entries_are_complete(void **state)
{
	for (size_t i = 0; i < n_catalog_events; i++) {
		const struct catalog_event *e = &catalog_events[i];
		size_t n_given = 0;

		assert_true(strlen(e->description) > 20);
		assert_non_null(e->raised_by[0]);
		for (size_t a = 0; a < e->n_args; a++)
			assert_true(strlen(e->args[a].meaning) > 3);
		for (size_t g = 0; g < e->n_gist; g++)
			if (e->gist_parts[g].kind == GIST_ARG) {
				assert_true(e->gist_parts[g].arg < e->n_args);
				n_given++;
			} else {
				assert_non_null(e->gist_parts[g].text);
			}
		if (e->gist)
			assert_true(n_given > 0);
		assert_true(!e->seed || e->sites[0]);
		if (e->seed && e->platforms & (PLATFORM_ANY | PLATFORM_UNIX | PLATFORM_LINUX))
			assert_non_null(e->example);
	}
}

static void test_arguments_follow_the_version(void **state)
{
	char buf[CATALOG_KEY_BYTES];
	const struct catalog_event *rmtree = catalog_find_str("shutil.rmtree");
	const struct catalog_event *open_event = catalog_find_str("open");
	size_t n;

	catalog_args(rmtree, 10, &n);
	assert_int_equal(n, 1);
	catalog_args(rmtree, 11, &n);
	assert_int_equal(n, 2);
	catalog_args(rmtree, 0, &n);
	assert_int_equal(n, 2);
	assert_string_equal(catalog_arg_key(rmtree, 10, 1, buf), "1");
	assert_string_equal(catalog_arg_key(rmtree, 12, 1, buf), "dir_fd");
	assert_string_equal(catalog_arg_key(open_event, 8, 0, buf), "file");
	assert_string_equal(catalog_arg_key(open_event, 12, 0, buf), "path");
	assert_string_equal(catalog_arg_key(open_event, 12, 3, buf), "3");
	assert_string_equal(catalog_arg_key(NULL, 12, 0, buf), "0");
	assert_string_equal(catalog_arg_key(NULL, 12, SIZE_MAX, buf), "18446744073709551615");

	assert_int_equal(catalog_arg_find(open_event, 12, "path", 4), 0);
	assert_int_equal(catalog_arg_find(open_event, 12, "file", 4), 0); /* its name in 3.8 */
	assert_int_equal(catalog_arg_find(open_event, 12, "flags", 5), 2);
	assert_int_equal(catalog_arg_find(open_event, 12, "flag", 4), -1);
	assert_int_equal(catalog_arg_find(open_event, 12, "7", 1), 7);
	assert_int_equal(catalog_arg_find(NULL, 12, "07", 2), -1);
	assert_int_equal(catalog_arg_find(NULL, 12, "path", 4), -1);
}

static void test_versions(void **state)
{
	/* How many names each version raises, all platforms: data/events was made from a count per
	 * version. */
	static const int raised[] = { [8] = 169, 176, 184, 184, 192, 194, 199, 201 };

	for (int minor = CATALOG_MINOR_OLDEST; minor <= CATALOG_MINOR_NEWEST; minor++) {
		int n = 0;

		for (size_t i = 0; i < n_catalog_events; i++)
			n += catalog_is_in(&catalog_events[i], minor);
		assert_int_equal(n, raised[minor]);
	}
	assert_true(catalog_is_in(catalog_find_str("nntplib.connect"), 12));
	assert_false(catalog_is_in(catalog_find_str("nntplib.connect"), 13));
	assert_false(catalog_is_in(catalog_find_str("time.sleep"), 12));
	assert_true(catalog_is_in(catalog_find_str("time.sleep"), 0));
}

static void test_categories_and_themes(void **state)
{
	size_t n = 0;

	assert_int_equal(catalog_category_bytes("socket.connect", 14), 6);
	assert_int_equal(catalog_category_bytes("open", 4), 4);
	assert_int_equal(catalog_category_bytes("telnetlib.Telnet.open", 21), 9);
	assert_int_equal(catalog_category_bytes(".odd", 4), 4);
	assert_int_equal(catalog_category_bytes("", 0), 0);
	assert_true(catalog_is_own("shop.order", 10));
	assert_true(catalog_is_own("order", 5));
	assert_false(catalog_is_own("socket.connect", 14));
	assert_false(catalog_is_own("open", 4));
	assert_false(catalog_is_own("os.frob", 7)); /* of a Python that is newer */
	assert_false(catalog_is_own("", 0));
	assert_int_equal(catalog_theme_of("socket.connect", 14), THEME_NETWORK);
	assert_int_equal(catalog_theme_of("shop.order", 10), THEME_UNKNOWN);
	assert_int_equal(catalog_theme_find("code execution", 14), THEME_CODE_EXECUTION);
	assert_int_equal(catalog_theme_find("Code_Execution", 14), THEME_CODE_EXECUTION);
	assert_int_equal(catalog_theme_find("unknown", 7), THEME_UNKNOWN);
	assert_int_equal(catalog_theme_find("net", 3), THEME_COUNT);
	for (int t = 0; t < THEME_COUNT; t++) {
		const struct catalog_theme_info *theme = &catalog_themes[t];

		assert_non_null(theme->name);
		assert_true(theme->group < GROUP_COUNT);
		for (size_t i = 0; i < theme->n_events; i++) {
			assert_int_equal(catalog_events[theme->events[i]].theme, t);
			if (i)
				assert_true(strcmp(catalog_events[theme->events[i - 1]].category,
						   catalog_events[theme->events[i]].category) <= 0);
		}
		n += theme->n_events;
	}
	assert_int_equal(n, n_catalog_events);
}

static void test_nearest_names(void **state)
{
	static const struct {
		const char *typed, *meant;
	} rows[] = {
		{ "socket.conect", "socket.connect" },
		{ "sockte.connect", "socket.connect" },
		{ "Popen", "subprocess.Popen" },
		{ "subprocess.popen", "subprocess.Popen" },
		{ "opne", "open" },
		{ "find_class", "pickle.find_class" },
		{ "os.exce", "os.exec" },
		{ "dlopen", "ctypes.dlopen" },
	};
	const struct catalog_event *near[4];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(catalog_nearest(rows[i].typed, strlen(rows[i].typed), near, 4) > 0);
		assert_string_equal(near[0]->name, rows[i].meant);
	}
	assert_int_equal(catalog_nearest("xyzzyplugh", 10, near, 4), 0);
	assert_int_equal(catalog_nearest("", 0, near, 4), 0);
	assert_int_equal(catalog_nearest("connect", 7, near, 2), 2);
	char longest[300];
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(catalog_nearest(longest, sizeof(longest), near, 4), 0);
}

static void test_gists_are_compiled(void **state)
{
	const struct catalog_event *e = catalog_find_str("open");

	/* {path:path} {mode|flags:oflags} */
	assert_int_equal(e->n_gist, 4);
	assert_int_equal(e->gist_parts[0].reading, READING_PATH);
	assert_string_equal(e->gist_parts[1].text, " ");
	assert_true(e->gist_parts[2].or_next);
	assert_int_equal(e->gist_parts[3].arg, 2);
	assert_int_equal(e->gist_parts[3].reading, READING_OFLAGS);
	assert_false(e->gist_parts[3].or_next);

	e = catalog_find_str("os.remove"); /* {path:path}[ in {dir_fd:fd}] */
	assert_int_equal(e->gist_parts[0].group, 0);
	assert_int_equal(e->gist_parts[1].group, 1);
	assert_int_equal(e->gist_parts[2].group, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_event_is_found_and_nothing_else),
		cmocka_unit_test(test_wrong_names_of_the_docs_resolve),
		cmocka_unit_test(test_entries_are_complete),
		cmocka_unit_test(test_arguments_follow_the_version),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_categories_and_themes),
		cmocka_unit_test(test_nearest_names),
		cmocka_unit_test(test_gists_are_compiled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
