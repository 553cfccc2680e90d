#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/strbuf.h"
#include "base/tr.h"
#include "base/utf8.h"
#include "base/wrap.h"
#include "model/api_map.h"
#include "model/catalog.h"
#include "model/explain.h"

/* Lines longer than width must be one long word, or be part of an example. */
static void check_page(const char *page, unsigned width)
{
	bool in_example = false;

	while (*page) {
		size_t n = strcspn(page, "\n"), indent = 0;

		while (indent < n && page[indent] == ' ')
			indent++;
		for (size_t i = 0; i < n; i++)
			assert_true(page[i] >= ' ' && page[i] <= '~');
		assert_true(n == 0 || page[n - 1] != ' ');
		if (indent == 0 && n)
			in_example = strncmp(page, "EXAMPLE", n) == 0 ||
				     strncmp(page, "WHAT THE CALL", 13) == 0;
		if (n > width && !in_example && memchr(page + indent, ' ', n - indent))
			fail_msg("%zu cells, %u are the most: %.*s", n, width, (int)n, page);
		page += n + (page[n] == '\n');
	}
}

static void test_every_page_is_well_formed(void **state)
{
	static const unsigned widths[] = { 40, 80, 100 };

	for (size_t w = 0; w < ARRAY_LEN(widths); w++) {
		for (size_t i = 0; i < n_catalog_events; i++) {
			for (int minor = 0; minor <= CATALOG_MINOR_NEWEST; minor += minor ? 7 : 8) {
				struct strbuf page = { 0 };

				explain_event(&page, &catalog_events[i], minor, widths[w]);
				assert_non_null(strstr(strbuf_str(&page), "RAISED BY\n"));
				check_page(strbuf_str(&page), widths[w]);
				/* no rule of a table may be left in it */
				const char *lists = strstr(strbuf_str(&page), "In lists: ");
				size_t n_lists = lists ? (size_t)(strstr(lists, "\n\n") - lists)
						       : 0;
				if (lists &&
				    (memchr(lists, '{', n_lists) || memchr(lists, '|', n_lists)))
					fail_msg("%s: %.*s", catalog_events[i].name, (int)n_lists,
						 lists);
				strbuf_fini(&page);
			}
		}
		for (size_t i = 0; i < n_api_calls; i++) {
			struct strbuf page = { 0 };

			assert_true(explain_api(&page, api_calls[i].api, strlen(api_calls[i].api),
						0, widths[w]));
			assert_non_null(strstr(strbuf_str(&page), api_calls[i].call));
			check_page(strbuf_str(&page), widths[w]);
			strbuf_fini(&page);
		}
		for (int t = 0; t < THEME_UNKNOWN; t++) {
			struct strbuf page = { 0 };

			explain_theme(&page, (enum catalog_theme)t, 0, widths[w]);
			check_page(strbuf_str(&page), widths[w]);
			strbuf_fini(&page);
		}
	}
}

static void test_a_page_says_what_is_known(void **state)
{
	struct strbuf page = { 0 };

	assert_true(explain_name(&page, "subprocess.Popen", 16, 0, 80));
	assert_non_null(strstr(page.s, "    env          mapping or None\n"));
	assert_non_null(
	    strstr(page.s, "3.14, 3.15    subprocess.Popen, _posixsubprocess.fork_exec\n"));
	assert_non_null(strstr(page.s, "NOT SEEN\n"));
	strbuf_clear(&page);
	assert_true(explain_name(&page, "sys.set_asyncgen_hooks_firstiter", 32, 0, 80));
	assert_non_null(strstr(page.s, "sys.set_asyncgen_hook_firstiter  "));
	strbuf_clear(&page);
	assert_true(explain_name(&page, "time.sleep", 10, 12, 80));
	assert_non_null(strstr(page.s, "CPython 3.12 does not raise it."));
	strbuf_clear(&page);
	assert_true(explain_name(&page, "os.replace()", 12, 0, 80));
	assert_non_null(strstr(page.s, "os.rename"));
	strbuf_clear(&page);
	assert_true(explain_name(&page, "@code_execution", 15, 0, 80));
	assert_true(explain_name(&page, "winreg", 6, 0, 80));
	strbuf_clear(&page);
	assert_true(explain_name(&page, "blind-spots", 11, 0, 60));
	check_page(page.s, 60);
	strbuf_clear(&page);
	assert_true(explain_name(&page, "smtplib.SMTP.send()", 19, 0, 80));
	assert_non_null(strstr(page.s, "    smtplib.send "));
	strbuf_clear(&page);
	assert_false(explain_name(&page, "smtplib.SMTP.sen", 16, 0, 80));
	assert_false(explain_name(&page, "shop.order", 10, 0, 80));
	assert_false(explain_name(&page, "", 0, 0, 80));
	assert_int_equal(page.n, 0);
	strbuf_fini(&page);
}

static void test_versions_in_words(void **state)
{
	static const struct {
		uint32_t minors;
		const char *text;
	} rows[] = {
		{ 1u << 8, "3.8" },
		{ 1u << 8 | 1u << 9, "3.8, 3.9" },
		{ 0xff00, "3.8 to 3.15" },
		{ 1u << 8 | 1u << 10 | 1u << 11 | 1u << 12, "3.8, 3.10 to 3.12" },
		{ 0, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct strbuf text = { 0 };

		explain_minors(&text, rows[i].minors);
		assert_string_equal(strbuf_str(&text), rows[i].text);
		strbuf_fini(&text);
	}
}

static void test_the_map_of_calls(void **state)
{
	size_t n;
	const struct api_call *c = api_map_find("os.environ.clear", 16, &n);
	const struct catalog_event *clear = catalog_find_str("os._clearenv");

	assert_int_equal(n, 1);
	assert_true(api_call_raises(c, clear, 15));
	assert_false(api_call_raises(c, clear, 14));
	assert_true(api_call_raises(c, clear, 0));
	assert_null(api_map_find("os.environ.clea", 15, &n));
	assert_int_equal(n, 0);
	assert_true(n_api_calls >= 150);

	/* Each blind spot in the text was measured; otherwise gen_api_map.py refuses it. */
	for (size_t i = 0; i < n_blind_spots; i++)
		assert_true(blind_spots[i].n_events > 0);
	size_t at = 0;
	assert_non_null(api_map_blind_spot_next(catalog_find_str("open"), &at));
	at = 0;
	assert_null(api_map_blind_spot_next(catalog_find_str("winreg.OpenKey"), &at));

	const char *near[3];
	assert_true(api_map_nearest("os.replcae", 10, near, 3) > 0);
	assert_string_equal(near[0], "os.replace");
}

static void test_wrap(void **state)
{
	struct strbuf to = { 0 };

	wrap_add(&to, "one two  three\nfour", 2, 10);
	assert_string_equal(to.s, "  one two\n  three\n  four\n");
	strbuf_clear(&to);
	strbuf_adds(&to, "head");
	wrap_add(&to, "a b", 8, 20);
	assert_string_equal(to.s, "head    a b\n");
	strbuf_clear(&to);
	strbuf_adds(&to, "longer than its column");
	wrap_add(&to, "text", 8, 80);
	assert_string_equal(to.s, "longer than its column text\n");
	strbuf_clear(&to);
	wrap_add(&to, "averyveryverylongword b", 2, 10);
	assert_string_equal(to.s, "  averyveryverylongword\n  b\n");
	strbuf_clear(&to);
	/* two words of four cells; a line may end within the second */
	wrap_add(&to, "\xe5\xa4\xa7\xe9\x98\xaa \xe5\xa4\xa7\xe9\x98\xaa", 0, 8);
	assert_string_equal(to.s, "\xe5\xa4\xa7\xe9\x98\xaa \xe5\xa4\xa7\n\xe9\x98\xaa\n");
	strbuf_clear(&to);
	/* no spaces: a line ends between any two, without a space in its place */
	wrap_add(&to, "打开文件的进程", 2, 8);
	assert_string_equal(to.s, "  打开文\n  件的进\n  程\n");
	strbuf_clear(&to);
	/* no line begins with a comma or ends with an opening parenthesis; Latin words stay
	 * whole */
	wrap_add(&to, "打开文件，（见 os.open 的）", 2, 10);
	assert_string_equal(to.s, "  打开文\n  件，（见\n  os.open\n  的）\n");
	strbuf_fini(&to);
}

static const char *chosen(const char *locale, const char *preferred)
{
	tr_choose(locale, preferred);
	const char *text = tr("network");
	tr_choose(NULL, NULL);
	return text;
}

static void test_the_language_of_a_locale(void **state)
{
	assert_string_equal(chosen("zh_CN.UTF-8", NULL), "网络");
	assert_string_equal(chosen("zh_CN", ""), "网络");
	assert_string_equal(chosen("zh_CN.utf8@pinyin", NULL), "网络");
	assert_string_equal(chosen("en_US.UTF-8", "zh_CN:en"), "网络");
	assert_string_equal(chosen("en_US.UTF-8", "xx:zh_CN.UTF-8"), "网络");
	assert_string_equal(chosen("zh_CN.UTF-8", "en"), "network");
	assert_string_equal(chosen("zh_TW.UTF-8", NULL), "network");
	assert_string_equal(chosen("zh", NULL), "network");
	assert_string_equal(chosen("C.UTF-8", "zh_CN"), "network");
	assert_string_equal(chosen("POSIX", "zh_CN"), "network");
	assert_string_equal(chosen(NULL, "zh_CN"), "network");
	assert_true(tr_is_utf8("zh_CN.UTF-8") && tr_is_utf8("C.utf8"));
	assert_false(tr_is_utf8("zh_CN.GB18030") || tr_is_utf8("zh_CN") || tr_is_utf8(NULL));
	assert_null(tr(NULL));
}

/* Every page in every language: lines are no wider than asked for, and nothing is left in English
 * that is a text of the catalogue. */
static void test_pages_in_other_languages(void **state)
{
	for (const struct tr_language *l = tr_languages; l->name; l++) {
		for (size_t i = 0; i < n_catalog_events; i++) {
			const struct catalog_event *e = &catalog_events[i];
			struct strbuf page = { 0 };

			tr_choose(l->name, NULL);
			explain_event(&page, e, 0, 80);
			tr_choose(NULL, NULL);
			assert_null(strstr(strbuf_str(&page), "RAISED BY"));
			assert_null(strstr(strbuf_str(&page), e->description));
			for (const char *p = strbuf_str(&page); *p;) {
				size_t n = strcspn(p, "\n"), indent = strspn(p, " ");

				if (utf8_str_width(p, n) > 80 &&
				    memchr(p + indent, ' ', n - indent) &&
				    (unsigned char)p[indent] >= 0x80)
					fail_msg("%s: %.*s", e->name, (int)n, p);
				p += n + (p[n] == '\n');
			}
			strbuf_fini(&page);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_page_is_well_formed),
		cmocka_unit_test(test_a_page_says_what_is_known),
		cmocka_unit_test(test_versions_in_words),
		cmocka_unit_test(test_the_map_of_calls),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_the_language_of_a_locale),
		cmocka_unit_test(test_pages_in_other_languages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
