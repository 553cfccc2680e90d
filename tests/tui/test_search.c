/*
 * test_search: what a search may skip, and the sort that is done in slices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "drive.h"
#include "model/trace.h"
#include "sample.h"
#include "ui/skim.h"
#include "ui/sorter.h"
#include "ui/ui.h"

static char capture[64];

/* A line that the search skips without making its text has no hit, whatever the pattern; and most
 * lines are skipped. */
static void test_search_skims(void **state)
{
	static const struct {
		const char *pattern;
		bool skims;
	} patterns[] = {
		{ "getpid", true },
		{ "json.part3", true },
		{ "open", true },
		{ "Open", true },
		{ "main", true },
		{ "shop\\.py", true },
		{ "shop.py:1[0-9]", true },
		{ "orders?/", true },
		{ "order{1,2}s", true },
		{ "connec*t", true },
		{ "ma+in", true },
		{ "[^a-f]ocket", true },
		{ "(open|socket)", false },
		{ "open|socket", false },
		{ "0x7f", false },
		{ "12", false },
		{ "\\x6fpen", false },
		{ "o", false },
		{ "abad", false },
		{ "[[:alpha:]]open", false },
		{ "sqlite", true },
		{ "<module>", true },
		{ "", false },
	};
	struct ui *ui = drive_open(capture, NULL, 80, 24);
	struct skim *k = skim_create();
	for (size_t i = 0; i + 1 < ARRAY_LEN(patterns); i++) {
		struct search search = { 0 };
		struct err *err = search_set(&search, patterns[i].pattern, false);
		assert_null(err);
		unsigned n_passed = 0, n_hits = 0;
		/* in the second round the parts are known */
		for (int round = 0; round < 2; round++) {
			skim_begin(k, &search);
			for (uint64_t seq = 0; seq < ui->host.view->n_events; seq++) {
				struct event e;
				struct strbuf b = { 0 };
				trace_event(ui->host.view->trace, seq, &e);
				event_text_line(&b, ui->host.view, &e);
				bool may = skim_may_match(k, ui->host.view, &e),
				     has = search_match(&search, strbuf_str(&b), b.n);
				if (has && !may)
					fail_msg("%s passed over: %s", patterns[i].pattern,
						 strbuf_str(&b));
				n_hits += has;
				n_passed += !may;
				strbuf_fini(&b);
			}
		}
		if (patterns[i].skims ? n_passed == 0 && n_hits < ui->host.view->n_events
				      : n_passed != 0)
			fail_msg("%s: %u passed over, %u hits", patterns[i].pattern, n_passed,
				 n_hits);
		search_fini(&search);
	}
	skim_destroy(k);
	ui_destroy(ui);
}

static int by_rest(void *ctx, uint32_t a, uint32_t b)
{
	++*(unsigned *)ctx;
	return (int)(a % 100) - (int)(b % 100);
}

/* Interrupted and continued at every look at the clock: the result is sorted, and equal keys keep
 * their order. */
static void test_sorter(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 2, 3, 255, 256, 257, 5000 };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct sorter s = { 0 };
		unsigned n_compared = 0, steps = 1;
		uint64_t spent;
		for (uint32_t key = 0; key < sizes[i]; key++)
			assert_true(sorter_add(&s, key * 7919u % 10007u));
		sorter_begin(&s, by_rest, &n_compared);
		assert_true(sorter_is_on(&s));
		while (!sorter_step(&s, 0, &spent))
			steps++;
		uint32_t n;
		const uint32_t *v = sorter_get(&s, &n);
		assert_int_equal(n, sizes[i]);
		assert_true(n < 1000 || steps > 100);
		uint32_t *place = calloc(10007, sizeof(*place));
		for (uint32_t key = 0; key < n; key++)
			place[key * 7919u % 10007u] = key + 1;
		for (uint32_t k = 0; k < n; k++) {
			assert_true(place[v[k]]);
			if (k)
				assert_true(v[k - 1] % 100 < v[k] % 100 ||
					    (v[k - 1] % 100 == v[k] % 100 &&
					     place[v[k - 1]] < place[v[k]]));
		}
		free(place);
		sorter_fini(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_search_skims),
					    cmocka_unit_test(test_sorter) };
	snprintf(capture, sizeof(capture), "/tmp/auditview-search-%d.avc", (int)getpid());
	sample_write(capture, 12);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(capture);
	return failed;
}
