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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "drive.h"
#include "model/trace.h"
#include "sample.h"
#include "ui/event_row.h"
#include "ui/layout.h"
#include "ui/skim.h"
#include "ui/text.h"
#include "ui/sorter.h"
#include "ui/app_actions.h"
#include "ui/app_input.h"
#include "ui/app_panes.h"
#include "ui/app_places.h"
#include "ui/app_prompts.h"
#include "ui/app_state.h"

static char capture[64];

/* The clock stands still, so that no test depends on the load of the machine; each look at it moves
 * it by `look_ns`. */
static uint64_t look_ns, looked_ns;

/* The linker calls this in place of clock_gettime(), from every file (tests/tui/meson.build). */
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	looked_ns += look_ns;
	ret->tv_sec = 1000 + (time_t)(looked_ns / 1000000000u);
	ret->tv_nsec = (long)(looked_ns % 1000000000u);
	return 0;
}

/* How the list shows rows now. */
static struct row_look look_of(struct app *app)
{
	struct row_look look = { .time_mode = app->host.time_mode };
	event_columns_size(&look.columns, &app->host, app->panes[PANE_EVENTS]->n_columns);
	return look;
}

/* Is there a hit in the full line, or in the row as it is drawn? */
static bool has_hit(struct app *app, const struct search *search, const struct event *e)
{
	struct strbuf line = { 0 }, row = { 0 };
	struct row_look look = look_of(app);
	event_text_line(&line, app->host.view, e);
	event_row_text(&row, app->host.view, e, &look);
	bool has = search_match(search, strbuf_str(&line), line.n) ||
		   search_match(search, strbuf_str(&row), row.n);
	strbuf_fini(&line);
	strbuf_fini(&row);
	return has;
}

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
		{ "enter", true }, /* in the text of a fold */
		{ "84 ms", true },
		{ "T-2", true },
		{ "GET http", true },
		{ "O_CREAT", true },
		{ "", false },
	};
	struct app *app = drive_open(capture, NULL, 80, 24);
	struct skim *k = skim_create();
	struct row_look look = look_of(app);
	for (size_t i = 0; i + 1 < ARRAY_LEN(patterns); i++) {
		struct search search = { 0 };
		struct err *err = search_set(&search, patterns[i].pattern, false);
		assert_null(err);
		unsigned n_passed = 0, n_hits = 0;
		/* in the second round the parts are known */
		for (int round = 0; round < 2; round++) {
			skim_begin(k, &search, &look);
			for (uint64_t seq = 0; seq < app->host.view->n_events; seq++) {
				struct event e;
				trace_event(app->host.view->trace, seq, &e);
				bool may = skim_may_match(k, app->host.view, &e),
				     has = has_hit(app, &search, &e);
				if (has && !may)
					fail_msg("%s passed over: event %llu", patterns[i].pattern,
						 (unsigned long long)seq);
				n_hits += has;
				n_passed += !may;
			}
		}
		if (patterns[i].skims ? n_passed == 0 && n_hits < app->host.view->n_events
				      : n_passed != 0)
			fail_msg("%s: %u passed over, %u hits", patterns[i].pattern, n_passed,
				 n_hits);
		search_fini(&search);
	}
	skim_destroy(k);
	app_destroy(app);
}

/* How many lines hit, and the how manieth the cursor's is, found the slow way. */
static void count_all(struct app *app, uint64_t *ret_place, uint64_t *ret_n)
{
	struct view *s = app->host.view;
	*ret_place = *ret_n = 0;
	for (uint64_t seq = 0; seq < s->n_events; seq++) {
		struct event e;
		if (!selection_has(s->shown, seq) || !trace_event(s->trace, seq, &e))
			continue;
		bool found = has_hit(app, &app->search, &e);
		*ret_n += found;
		if (found && seq == app->host.cursor_seq)
			*ret_place = *ret_n;
	}
}

static bool shows(struct app *app, const char *text)
{
	char *screen = drive_text(app, false);
	bool found = strstr(screen, text) != NULL;
	free(screen);
	return found;
}

static void check_count(struct app *app)
{
	uint64_t place, n;
	char text[64];
	count_all(app, &place, &n);
	if (place)
		snprintf(text, sizeof(text), " hit %llu of %llu ", (unsigned long long)place,
			 (unsigned long long)n);
	else
		snprintf(text, sizeof(text), " %llu hit%s ", (unsigned long long)n,
			 n == 1 ? "" : "s");
	if (!shows(app, text))
		fail_msg("/%s with filter %s: \"%s\" is not on the screen", app->search.text,
			 app->host.view->filter_text, text);
}

/* Fail unless each word that is drawn in the row is found by a search for it. */
static void check_words(struct app *app, const char *drawn, uint64_t seq)
{
	char *copy = strdup(drawn), *save = NULL;
	struct event e;
	struct row_look look = look_of(app);
	struct skim *skim = skim_create();
	assert_non_null(skim);
	assert_true(trace_event(app->host.view->trace, seq, &e));
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		char pattern[512];
		struct search search = { 0 };
		size_t n = 0; /* quoted so that the skim reads it, too */
		for (const char *c = word; *c && n < sizeof(pattern) - 3; c++) {
			if (strchr("\\.[](){}*+?|^$", *c))
				pattern[n++] = '\\';
			pattern[n++] = *c;
		}
		pattern[n] = 0;
		assert_null(search_set(&search, pattern, false));
		skim_begin(skim, &search, &look);
		if (!has_hit(app, &search, &e) || !skim_may_match(skim, app->host.view, &e))
			fail_msg("%s is drawn, and not found in event %llu: %s", word,
				 (unsigned long long)seq, drawn);
		search_fini(&search);
	}
	skim_destroy(skim);
	free(copy);
}

/* What a user sees in a row is found: shortened paths, decoded flags, folds, every column. */
static void test_what_is_drawn_is_found(void **state)
{
	static const struct {
		int columns, lines;
		const char *keys;
	} sizes[] = { { 80, 24, "" },
		      { 80, 24, "G" },
		      { 80, 24, "Z T" },
		      { 120, 40, "T T" },
		      { 120, 40,
			": =columns_seq_time_pid_thread_interp_package_event_arguments_caller "
			"Enter G" },
		      { 200, 60, "j j j z G k" },
		      { 200, 60, "T" } };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct app *app = drive_open(capture, NULL, sizes[i].columns, sizes[i].lines);
		drive_keys(app, sizes[i].keys);
		char *screen = drive_text(app, false), *save = NULL;
		const struct pane *p = app->panes[PANE_EVENTS];
		const struct rect r = app->layout.panes[PANE_EVENTS];
		int y = 0;
		for (char *line = strtok_r(screen, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save), y++) {
			struct line of;
			uint64_t at = p->list.top + (uint64_t)(y - r.line - 1);
			if (y <= r.line || y > r.line + p->n_lines ||
			    !view_line(app->host.view, at, &of) || of.is_note)
				continue;
			/* without the columns of the cursor and of signs, and other panes */
			char *from = line + text_head(line, strlen(line), r.column + 3);
			size_t n = text_head(from, strlen(from), p->n_columns - 3);
			from[n] = 0;
			check_words(app, from, of.seq);
		}
		free(screen);
		app_destroy(app);
	}
}

/* The prompt of a search finds what is shown, and its marks are on the row. */
static void test_drawn_hits(void **state)
{
	static const struct {
		const char *keys, *shown;
	} rows[] = { { "g / =127.0.0.1:8077 Enter", "hit 1 of " },
		     { "g / =\"gzip_-9\" Enter", "0 hits" },
		     { "g / =gzip_-9 Enter", "hit 1 of " },
		     { "g / =looks_inside|Enter_opens|your_code Enter", "hit 1 of 1" } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int wide = 0; wide < 2; wide++) {
			struct app *app = drive_open(capture, NULL, wide ? 200 : 80,
						     wide ? 60 : 24);
			drive_keys(app, rows[i].keys);
			if (!shows(app, rows[i].shown))
				fail_msg("%s at %s: no \"%s\"", rows[i].keys,
					 wide ? "200x60" : "80x24", rows[i].shown);
			app_destroy(app);
		}
}

/* The title counts the hits, forwards, backwards, around the end, under every filter. */
static void test_hits_are_counted(void **state)
{
	static const char *const patterns[] = { "gzip",   "o", "open",      "main",        "json",
						"dlopen", "7", "\\(socket", "no such text" };
	static const char *const filters[] = { "", "@network", "event == \"open\"", "time > 1s" };
	struct app *app = drive_open(capture, NULL, 120, 40);
	for (size_t f = 0; f < ARRAY_LEN(filters); f++) {
		app_command(app, "filter-clear");
		if (*filters[f])
			app_set_filter(app, filters[f], true);
		drive_settle(app);
		for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
			assert_null(search_set(&app->search, patterns[i], false));
			app_act(app, ACTION_SEARCH, 0, patterns[i]);
			drive_settle(app);
			check_count(app);
			for (int step = 0; step < 5; step++) {
				drive_keys(app, step % 3 == 2 ? "N" : "n");
				check_count(app);
			}
			drive_keys(app, "j");
			check_count(app);
		}
	}
	drive_keys(app, "Esc");
	assert_false(shows(app, " hit"));
	app_destroy(app);
}

/* After Enter the very next frame shows the hit, and its place once all are counted. The slow way
 * and the one that knows the hits find the same. */
static void test_search_is_at_once(void **state)
{
	struct app *app = drive_open(capture, NULL, 80, 24);
	const char keys[] = "/gzip\r";
	for (const char *k = keys; *k; k++)
		app_input(app, (struct input){ .kind = INPUT_KEY, .key = *k });
	app_draw(app);
	char *screen = drive_text(app, false);
	const char *bar = strstr(screen, "▌");
	assert_non_null(bar);
	assert_non_null(memmem(bar, strcspn(bar, "\n"), "gzip", 4));
	free(screen);
	uint64_t first = app->host.cursor_seq;
	drive_settle(app); /* now they are counted */
	drive_keys(app, "g / Enter");
	assert_int_equal(app->host.cursor_seq, first);
	drive_keys(app, "N n");
	assert_int_equal(app->host.cursor_seq, first);
	app_destroy(app);
}

static void press(struct app *app, int key)
{
	app_input(app, (struct input){ .kind = INPUT_KEY, .key = key });
	app_draw(app);
}

/* If looking takes long, the frame after Enter says that a search runs; the list moves when the hit
 * is found. Meanwhile Tab answers at once, and keys that act on the hit wait for it, in their
 * order. */
static void test_a_slow_search_blocks_nothing(void **state)
{
	struct app *app = drive_open(capture, NULL, 120, 40);
	drive_keys(app, "g /");
	uint64_t before = app->host.cursor_seq;
	for (const char *k = "[0-9] nowhere"; *k; k++)
		press(app, *k);
	look_ns = 1500000; /* 16 lines take that long */
	looked_ns = 0;
	press(app, KEY_ENTER_);
	if (looked_ns > 8000000)
		fail_msg("the frame came after %.1f ms", (double)looked_ns / 1e6);
	assert_true(shows(app, "searching "));
	looked_ns = 0;
	press(app, KEY_TAB_);
	assert_int_equal(app_focused_id(app), PANE_ARGUMENTS);
	assert_true(shows(app, "searching "));
	press(app, 'j');
	press(app, KEY_TAB_); /* it passes the j, which is for Arguments */
	assert_int_equal(app_focused_id(app), PANE_STACK);
	assert_int_equal(app->waiting.n, 1);
	press(app, '\\'); /* this changes what the keys after it are for: Tab waits behind it */
	press(app, KEY_TAB_);
	assert_int_equal(app_focused_id(app), PANE_STACK);
	assert_int_equal(app->waiting.n, 3);
	assert_true(looked_ns < 8000000);
	look_ns = 0;
	drive_settle(app);
	assert_int_equal(app->waiting.n, 0);
	assert_int_equal(app->host.cursor_seq, before); /* the j did not move the list */
	assert_int_equal(app_focused_id(app), PANE_CATEGORIES);
	drive_keys(app, "Esc Esc");
	app_destroy(app);
}

/* After a slow search the hits are counted although nothing else happens, also if keys waited. */
static void test_a_slow_search_is_counted(void **state)
{
	static const char *const ahead[] = { "", "m", "j" };
	uint64_t now_ns = (uint64_t)1 << 60; /* later than any other test */
	for (size_t i = 0; i < ARRAY_LEN(ahead); i++) {
		struct app *app = drive_open(capture, NULL, 120, 40);
		drive_keys(app, "g /");
		for (const char *k = "[g]zip"; *k; k++)
			press(app, *k);
		look_ns = 1500000;
		press(app, KEY_ENTER_);
		for (const char *k = ahead[i]; *k; k++)
			press(app, *k);
		assert_true(shows(app, "searching "));
		assert_int_equal(app->waiting.n, strlen(ahead[i]));
		look_ns = 0;
		while (app_advance(app, now_ns, false, 50000000)) /* then the program sleeps */
			now_ns += 1000000;
		app_draw(app);
		check_count(app);
		app_destroy(app);
	}
}

/* Tab does not wait for an n that waits. The n acts in the list, where it was typed. */
static void test_tab_passes_a_waiting_n(void **state)
{
	struct app *app = drive_open(capture, NULL, 120, 40);
	drive_keys(app, "G / =gzip Enter");
	uint64_t first = app->host.cursor_seq;
	drive_keys(app, "n");
	uint64_t second = app->host.cursor_seq;
	assert_int_not_equal(second, first);
	drive_keys(app, "Esc Esc G /");
	for (const char *k = "[g]zip"; *k; k++)
		press(app, *k);
	look_ns = 1500000;
	press(app, KEY_ENTER_);
	press(app, 'n');
	press(app, KEY_TAB_);
	assert_true(shows(app, "searching "));
	assert_int_equal(app->waiting.n, 1);
	assert_int_equal(app_focused_id(app), PANE_ARGUMENTS);
	look_ns = 0;
	drive_settle(app);
	assert_int_equal(app->host.cursor_seq, second);
	assert_int_equal(app_focused_id(app), PANE_ARGUMENTS);
	app_destroy(app);
}

/* A key that is typed after a frame showed the new filter does not wait for the rest of it. */
static void test_a_filter_blocks_no_key(void **state)
{
	struct app *app = drive_open(capture, NULL, 120, 40);
	app_set_filter(app, "args ~ \"[0-9]\"", true);
	look_ns = 1500000;
	app_draw(app);
	looked_ns = 0;
	press(app, 'j');
	assert_true(looked_ns < 8000000);
	/* typed before: it acts on what the filter shows */
	app_set_filter(app, "args ~ \"[1-9]\"", true);
	assert_true(app->host.view->filter_done < 1);
	look_ns = 0;
	app_input(app, (struct input){ .kind = INPUT_KEY, .key = 'j' });
	assert_true(app->host.view->filter_done >= 1);
	app_destroy(app);
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
					    cmocka_unit_test(test_what_is_drawn_is_found),
					    cmocka_unit_test(test_drawn_hits),
					    cmocka_unit_test(test_hits_are_counted),
					    cmocka_unit_test(test_search_is_at_once),
					    cmocka_unit_test(test_a_slow_search_blocks_nothing),
					    cmocka_unit_test(test_a_slow_search_is_counted),
					    cmocka_unit_test(test_tab_passes_a_waiting_n),
					    cmocka_unit_test(test_a_filter_blocks_no_key),
					    cmocka_unit_test(test_sorter) };
	snprintf(capture, sizeof(capture), "/tmp/auditview-search-%d.avc", (int)getpid());
	sample_write(capture, 12);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(capture);
	return failed;
}
