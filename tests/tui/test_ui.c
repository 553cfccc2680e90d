/*
 * test_ui: the parts below the panes: tables that must agree, cells, cutting, layout, toggles, the
 * prompt, the config file, themes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/roff.h"
#include "base/utf8.h"
#include "canvas_text.h"
#include "drive.h"
#include "model/reach.h"
#include "model/trace.h"
#include "sample.h"
#include "ui/app_input.h"
#include "ui/app_actions.h"
#include "ui/app_panes.h"
#include "ui/app_prompts.h"
#include "ui/app_state.h"
#include "ui/app_write.h"
#include "ui/area.h"
#include "ui/keymap.h"
#include "ui/text.h"

static char capture[64];

/* ---- one table for keys, actions, help, completion and manual ---- */

static void test_actions_complete(void **state)
{
	struct strbuf manual = { 0 };
	action_manual(&manual);
	for (int i = 0; i < ACTION_COUNT; i++) {
		assert_true(actions[i].name && *actions[i].name && actions[i].doc &&
			    *actions[i].doc);
		assert_int_equal(action_find(actions[i].name, strlen(actions[i].name)), i);
		struct strbuf entry = { 0 };
		strbuf_adds(&entry, ".B ");
		roff_add(&entry, actions[i].name);
		assert_non_null(strstr(strbuf_str(&manual), strbuf_str(&entry)));
		strbuf_fini(&entry);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(actions[i].name, actions[k].name);
	}
	strbuf_fini(&manual);
}

static void test_keys_complete(void **state)
{
	struct keymap *m = NULL;
	assert_null(keymap_create(&m));
	for (size_t i = 0; i < n_key_defaults; i++) {
		const struct key_row *row = &key_defaults[i];
		int key = key_parse(row->key);
		assert_int_not_equal(key, 0);
		assert_true(row->action < ACTION_COUNT);
		/* a parsed name is printed unchanged */
		assert_int_equal(key_parse(key_name(key)), key);
		/* no row is shadowed by another one for the same pane and key */
		for (size_t k = 0; k < i; k++)
			assert_false(key_defaults[k].pane == row->pane &&
				     key_parse(key_defaults[k].key) == key);
		assert_int_equal(keymap_find(m, row->pane, key), row->action);
	}
	keymap_destroy(m);
}

/* Every action that has a key is in the help of some pane, and all actions are in "everything". */
static void test_help_complete(void **state)
{
	struct app *app = drive_open(capture, NULL, 120, 40);
	drive_keys(app, "F1 F1");
	struct pane *p = app_pane(app, PANE_HELP);
	for (int i = 0; i < ACTION_COUNT; i++) {
		bool found = false;
		char name[64];
		snprintf(name, sizeof(name), ":%s ", actions[i].name);
		for (uint64_t k = 0; k < p->list.n && !found; k++) {
			struct strbuf line = { 0 };
			p->ops->line(p, k, &line);
			strbuf_addc(&line, ' ');
			found = strstr(strbuf_str(&line), name) &&
				strstr(strbuf_str(&line), actions[i].doc);
			strbuf_fini(&line);
		}
		if (!found)
			fail_msg("help does not know %s", actions[i].name);
	}
	app_destroy(app);
}

/* Every action is offered by the command line. */
static void test_completion_complete(void **state)
{
	struct app *app = drive_open(capture, NULL, 80, 24);
	app_prompt_command(app, "");
	assert_int_equal(app->prompt.choices.list.n, ACTION_COUNT);
	app_destroy(app);
}

/* Every action can be done in every pane without a crash, by its name on the command line. */
static void test_actions_everywhere(void **state)
{
	for (int pane = 0; pane < PANE_COUNT; pane++) {
		for (int a = 0; a < ACTION_COUNT; a++) {
			if (a == ACTION_SUSPEND || a == ACTION_WRITE)
				continue;
			struct app *app = drive_open(capture, NULL, 80, 24);
			if (panes[pane].flags & PANE_IS_PAGE)
				app_open_page(app, (enum pane_id)pane);
			else
				app->focus = (enum pane_id)pane;
			app_command(app, actions[a].name);
			if (prompt_is_open(&app->prompt))
				drive_keys(app, "Esc");
			drive_settle(app);
			app_destroy(app);
		}
	}
}

static void test_panes_complete(void **state)
{
	for (int i = 0; i < PANE_COUNT; i++) {
		const struct pane_ops *o = pane_functions[i];
		assert_true(panes[i].name && panes[i].title && o);
		assert_true(o->open && o->close && o->update && o->draw && o->act);
		assert_int_equal(pane_find(panes[i].name), i);
	}
}

/* ---- canvas ---- */

static void test_canvas_harmless(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "plain", "plain     " },
		{ "\x1b[31mred", "\\x1b[31mre" },
		{ "a\tb\nc", "a\\tb\\nc   " },
		{ "\xff\xfe", "\\xff\\xfe  " },
		{ "\xe2\x80\xae"
		  "rtl",
		  "\\u202ertl " },
		{ "大阪x", "大阪x     " },
		{ "e\xcc\x81t", "e\xcc\x81t        " },
		{ "a\x7f", "a\\x7f     " },
	};
	struct canvas c = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf got = { 0 };
		assert_true(canvas_resize(&c, 1, 10));
		area_put(canvas_area(&c), 0, 0, -1, ROLE_TEXT, cases[i].in);
		canvas_text(&c, &got);
		strbuf_cut(&got, got.n - 1);
		assert_string_equal(strbuf_str(&got), cases[i].want);
		strbuf_fini(&got);
	}
	canvas_fini(&c);
}

static void test_canvas_wide_cut(void **state)
{
	struct canvas c = { 0 };
	assert_true(canvas_resize(&c, 1, 5));
	struct area a = canvas_area(&c);
	/* there is no room for the third */
	assert_int_equal(area_put(a, 0, 0, -1, ROLE_TEXT, "大大大"), 4);
	/* half of the first character is overwritten, so its other half is blanked, too */
	area_put(a, 0, 1, 1, ROLE_TEXT, "x");
	struct strbuf got = { 0 };
	canvas_text(&c, &got);
	assert_string_equal(strbuf_str(&got), " x大 \n");
	strbuf_fini(&got);
	canvas_fini(&c);
}

static void test_text_cut(void **state)
{
	static const struct {
		const char *in;
		int limit;
		bool middle;
		const char *want;
	} cases[] = {
		{ "short", 10, false, "short" },
		{ "0123456789", 5, false, "0123…" },
		{ "/srv/shop/migrations/001.sql", 16, true, "/srv/…/001.sql" },
		{ "/tmp/shop-ltrw6yqw/大阪-7.txt", 18, true, "/tmp/…/大阪-7.txt" },
		{ "大大大大", 5, false, "大大…" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf got = { 0 };
		text_cut(&got, cases[i].in, strlen(cases[i].in), cases[i].limit, cases[i].middle);
		assert_string_equal(strbuf_str(&got), cases[i].want);
		assert_true(text_width(strbuf_str(&got), got.n) <= cases[i].limit);
		strbuf_fini(&got);
	}
}

static void test_numbers(void **state)
{
	static const struct {
		uint64_t ns;
		const char *want;
	} durations[] = { { 300000, "0.30 ms" },      { 84000000, "84 ms" },
			  { 1100000, "1.1 ms" },      { 1200000000, "1.2 s" },
			  { 981000000000, "16m21s" }, { 500, "500 ns" },
			  { 36000, "0.04 ms" } };
	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		struct strbuf b = { 0 };
		text_duration(&b, durations[i].ns);
		assert_string_equal(strbuf_str(&b), durations[i].want);
		strbuf_fini(&b);
	}
	static const struct {
		uint64_t n;
		int limit;
		const char *want;
	} counts[] = { { 0, 9, "·" },
		       { 1204311, 9, "1 204 311" },
		       { 1204311, 5, "1.2M" },
		       { 79727, 5, "80k" },
		       { 999, 3, "999" } };
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct strbuf b = { 0 };
		text_count(&b, counts[i].n, counts[i].limit);
		assert_string_equal(strbuf_str(&b), counts[i].want);
		strbuf_fini(&b);
	}
}

/* ---- layout ---- */

/* Panes never overlap and never leave the screen, whatever the user's choices. */
static void test_layout(void **state)
{
	for (int lines = 1; lines < 120; lines += 3)
		for (int columns = 1; columns < 320; columns += 7)
			for (int wish = 0; wish < 8; wish++) {
				struct layout_wish w = { .n_lines = lines,
							 .n_columns = columns,
							 .maximised = PANE_NONE,
							 .page = PANE_NONE,
							 .rotate = wish & 1,
							 .details_delta = wish & 2 ? 40 : -40,
							 .side_delta = wish & 4 ? 200 : -200,
							 .categories_delta = wish & 4 ? -50 : 90 };
				struct layout l;
				layout_make(&w, &l);
				static char seen[120][320];
				memset(seen, 0, sizeof(seen));
				for (int p = 0; p < PANE_COUNT; p++) {
					const struct rect *r = &l.panes[p];
					assert_true(r->line >= 0 && r->column >= 0 &&
						    r->n_lines >= 0 && r->n_columns >= 0);
					assert_true(r->line + r->n_lines <= lines &&
						    r->column + r->n_columns <= columns);
					for (int y = r->line; y < r->line + r->n_lines; y++)
						for (int x = r->column;
						     x < r->column + r->n_columns; x++)
							assert_false(seen[y][x]++);
				}
			}
}

/* ---- toggles ---- */

static void test_toggles(void **state)
{
	static const struct {
		const char *filter, *name;
		bool on;
		const char *rest;
	} cases[] = {
		{ "", "open", true, NULL },
		{ "@network", "socket.connect", true, NULL },
		{ "@network", "open", false, NULL },
		{ "@network or os.*", "os.remove", true, NULL },
		{ "not @import", "import", false, NULL },
		{ "not (@import or open)", "open", false, NULL },
		{ "(@network or open) and pid == 4", "open", true, "pid == 4" },
		{ "pid == 4", "open", true, "pid == 4" },
		{ "@network or pid == 4", "open", true, "@network or pid == 4" },
		{ "open.path ~ \"x\"", "import", true, "open.path ~ \"x\"" },
		{ "event == \"sqlite3.connect/handle\"", "sqlite3.connect/handle", true, NULL },
		{ "@code_execution", "exec", true, NULL },
		{ "open and exec or pid == 4", "import", true, "open and exec or pid == 4" },
		{ "open and (exec or pid == 4)", "open", true, "exec or pid == 4" },
		{ "open and (exec or pid == 4) and depth > 1", "exec", false,
		  "(exec or pid == 4) and depth > 1" },
		{ "event == \"open\" or event == \"exec\"", "exec", true, NULL },
		{ "socket", "socket.connect", true, NULL },
		{ "*.connect", "socket.connect", true, NULL },
		{ "*.connect", "socket.bind", false, NULL },
		{ "NOT (open || exec) AND pid == 4", "exec", false, "pid == 4" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct toggles t = { 0 };
		struct filter *f = NULL;
		assert_null(filter_compile(cases[i].filter, strlen(cases[i].filter), NULL, &f));
		toggles_read(&t, f);
		filter_destroy(f);
		assert_int_equal(toggles_has(&t, cases[i].name, strlen(cases[i].name)),
				 cases[i].on);
		if (cases[i].rest)
			assert_string_equal(t.rest.text, cases[i].rest);
		else
			assert_null(t.rest.text);
		toggles_fini(&t);
	}
}

/* Whatever is switched, the filter that is written reads back as the same switches. */
static void test_toggles_round_trip(void **state)
{
	struct app *app = drive_open(capture, NULL, 120, 40);
	uint32_t n = trace_n_names(app->host.view->trace);
	bool *on = calloc(n + 1, sizeof(*on));
	uint64_t random = 12345;
	for (int round = 0; round < 300; round++) {
		bool any = false;
		for (uint32_t id = 1; id <= n; id++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			on[id] = random >> 33 & 1;
			any |= on[id];
		}
		if (!any)
			continue;
		static const struct {
			const char *text;
			bool needs_a_bracket;
		} rests[] = { { "depth > 1", false },
			      { "depth > 1 or depth < 9", true },
			      { "depth > 1 and (depth < 9 or depth < 8)", false },
			      { "not (depth > 1 or depth < 9)", false } };
		const char *rest = rests[round % 4].text;
		bool needs_a_bracket = rests[round % 4].needs_a_bracket;
		struct toggles t = { .rest = { strdup(rest), needs_a_bracket } };
		struct strbuf text = { 0 };
		toggles_filter(&t, app->host.view, on, &text);
		struct filter *f = NULL;
		struct err *err = filter_compile(strbuf_str(&text), text.n, app->host.view->trace,
						 &f);
		if (err)
			fail_msg("%s: %s", strbuf_str(&text), err->message);
		toggles_read(&t, f);
		filter_destroy(f);
		assert_string_equal(t.rest.text, rest);
		assert_int_equal(t.rest.needs_a_bracket, needs_a_bracket);
		for (uint32_t id = 1; id <= n; id++) {
			size_t len;
			const char *name = trace_name(app->host.view->trace, id, &len);
			if (toggles_has(&t, name, len) != on[id])
				fail_msg("%s: %.*s", strbuf_str(&text), (int)len, name);
		}
		toggles_fini(&t);
		strbuf_fini(&text);
	}
	free(on);
	app_destroy(app);
}

/* Toggling on the screen has the effect that the filter then describes. */
static void test_toggle_keys(void **state)
{
	struct app *app = drive_open(capture, NULL, 120, 40);
	drive_keys(app, "Tab Tab Tab +");
	assert_string_equal(app->host.view->filter_text, "@network");
	assert_int_equal(view_n_shown(app->host.view), 135);
	drive_keys(app, "=");
	assert_string_equal(app->host.view->filter_text, "");
	drive_keys(app, "Space");
	assert_string_equal(app->host.view->filter_text, "not @network");
	drive_keys(app, "Space");
	assert_string_equal(app->host.view->filter_text, "");
	app_destroy(app);
}

/* ---- prompt, search, history ---- */

static void test_filter_prompt(void **state)
{
	struct app *app = drive_open(capture, "@network", 80, 24);
	drive_keys(app, "f C-u =open");
	/* it is applied while it is typed */
	assert_string_equal(app->host.view->filter_text, "open");
	drive_keys(app, "Esc");
	assert_string_equal(app->host.view->filter_text,
			    "@network"); /* and the old filter is restored */
	drive_keys(app, "f =_and_nonsense_===");
	/* the last correct filter stays */
	assert_string_equal(app->host.view->filter_text, "@network");
	assert_true(app->prompt.verdict.is_error);
	drive_keys(app, "C-u =op Tab Enter");
	assert_false(prompt_is_open(&app->prompt));
	drive_keys(app, "q");
	assert_string_equal(app->host.view->filter_text, "@network");
	app_destroy(app);
}

static void test_include_exclude(void **state)
{
	struct app *app = drive_open(capture, "subprocess.*", 80, 24);
	drive_keys(app, "Tab +");
	assert_string_equal(app->host.view->filter_text,
			    "subprocess.* and args.executable == \"/usr/bin/gzip\"");
	assert_int_equal(view_n_shown(app->host.view), 12);
	drive_keys(app, "= Esc -");
	assert_non_null(strstr(app->host.view->filter_text, "not event == "));
	app_destroy(app);
}

static void test_search(void **state)
{
	struct app *app = drive_open(capture, NULL, 80, 24);
	drive_keys(app, "/ =getpid Enter");
	struct event e;
	assert_true(trace_event(app->host.view->trace, app->host.cursor_seq, &e));
	size_t n;
	assert_string_equal(trace_name(app->host.view->trace, e.name, &n), "ctypes.dlsym");
	/* a hit inside a fold opens it */
	drive_keys(app, "g / =json.part3 Enter");
	assert_true(trace_event(app->host.view->trace, app->host.cursor_seq, &e));
	struct line line;
	assert_true(view_line(app->host.view, app->panes[PANE_EVENTS]->list.cursor, &line));
	assert_int_equal(line.seq, app->host.cursor_seq);
	uint64_t first = app->host.cursor_seq;
	drive_keys(app, "n");
	assert_true(app->host.cursor_seq > first);
	drive_keys(app, "N");
	assert_int_equal(app->host.cursor_seq, first);
	drive_keys(app, "/ =nothing_like_this Enter");
	assert_int_equal(app->host.cursor_seq, first);
	app_destroy(app);
}

/* A filter keeps the cursor on its event, or on the nearest that is still shown. */
static void test_cursor_stays(void **state)
{
	struct app *app = drive_open(capture, NULL, 80, 24);
	drive_keys(app, "/ =dlopen Enter");
	uint64_t seq = app->host.cursor_seq;
	drive_keys(app, "f =@native Enter");
	assert_int_equal(app->host.cursor_seq, seq);
	drive_keys(app, "=");
	assert_int_equal(app->host.cursor_seq, seq);
	drive_keys(app, "z Z Z");
	assert_int_equal(app->host.cursor_seq, seq);
	app_destroy(app);
}

/* [ and ] go to the user's earlier places and lose none on the way, also when the list of places is
 * full. */
static void test_history(void **state)
{
	struct app *app = drive_open(capture, NULL, 80, 24);
	drive_keys(app, "f C-u =@network Enter f C-u =open Enter f C-u =@native Enter");
	drive_keys(app, "[");
	assert_string_equal(app->host.view->filter_text, "open");
	drive_keys(app, "[");
	assert_string_equal(app->host.view->filter_text, "@network");
	drive_keys(app, "]");
	assert_string_equal(app->host.view->filter_text, "open");
	drive_keys(app, "] ]");
	assert_string_equal(app->host.view->filter_text, "@native");
	drive_keys(app, "[ [ [ [ [");
	assert_string_equal(app->host.view->filter_text, "");
	char text[32];
	for (int i = 0; i < 220; i++) {
		snprintf(text, sizeof(text), "%d", i % 97);
		app_act(app, ACTION_GOTO, 0, text);
	}
	assert_int_equal(app->history.n, 200);
	drive_keys(app, "[");
	assert_int_equal(app->host.cursor_seq, 218 % 97);
	for (int i = 0; i < 250; i++)
		drive_keys(app, "[");
	for (int i = 0; i < 250; i++)
		drive_keys(app, "]");
	assert_int_equal(app->host.cursor_seq, 219 % 97);
	app_destroy(app);
}

/* ---- hosts and commands ---- */

/* The summary by host and by command contains what diff and stat contain, and the filter for a line
 * shows the events that the line counts. */
static void test_summary_is_complete(void **state)
{
	static const struct {
		const char *by;
		enum reach_kind kind;
	} rows[] = { { ": =by_host Enter", REACH_HOST }, { ": =by_command Enter", REACH_COMMAND } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app *app = drive_open(capture, NULL, 120, 40);
		struct reach *r = NULL;
		assert_null(reach_create(app->host.view->trace, NULL, NULL, NULL, &r));
		size_t n;
		uint64_t total = 0, most = 0;
		const struct reach_thing *things = reach_things(r, &n);
		for (size_t k = 0; k < n; k++)
			if (things[k].kind == rows[i].kind) {
				total += things[k].n_events;
				most = things[k].n_events > most ? things[k].n_events : most;
			}
		reach_destroy(r);
		assert_true(total > 0);
		drive_keys(app, rows[i].by);
		struct strbuf subject = { 0 }, facts = { 0 };
		char want[40];
		snprintf(want, sizeof(want), " %llu event", (unsigned long long)total);
		app->panes[PANE_SUMMARY]->ops->title(app->panes[PANE_SUMMARY], &subject, &facts);
		if (!strstr(strbuf_str(&facts), want) && !strstr(strbuf_str(&subject), want))
			fail_msg("%s: %s %s, not%s", rows[i].by, strbuf_str(&subject),
				 strbuf_str(&facts), want);
		strbuf_fini(&subject);
		strbuf_fini(&facts);
		if (rows[i].kind == REACH_HOST) {
			drive_keys(app, "+");
			assert_int_equal(view_n_shown(app->host.view), most);
		}
		app_destroy(app);
	}
}

/* ---- writing ---- */

static void test_write(void **state)
{
	char path[80], line[4096];
	snprintf(path, sizeof(path), "/tmp/auditview-ui-%d.jsonl", (int)getpid());
	unlink(path);
	struct app *app = drive_open(capture, "ctypes.*", 80, 24);
	assert_true(app_write(app, path));
	assert_false(app_write(app, path)); /* the file exists */
	FILE *f = fopen(path, "r");
	int n = 0;
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "\"event\"")) {
			assert_non_null(strstr(line, "ctypes."));
			n++;
		}
	fclose(f);
	assert_int_equal(n, 2);
	unlink(path);
	app_destroy(app);
}

static uint64_t events_in(const char *path)
{
	struct trace *t;
	assert_null(trace_open(path, NULL, &t));
	uint64_t n = trace_n_events(t);
	trace_close(t);
	return n;
}

/* A capture of a part, and names of every kind; a refusal is reported where the name was typed. */
static void test_write_names(void **state)
{
	char folder[] = "/tmp/auditview-write-XXXXXX", keys[300], path[200], link[200];
	assert_non_null(mkdtemp(folder));
	struct app *app = drive_open(capture, "ctypes.*", 80, 24);
	static const struct {
		const char *before, *name, *after;
	} names[] = { { "shown ", "a.avc", "" },
		      { "", "b.avc", "" },
		      { "shown ", "with blank.avc", "" },
		      { "\"", "in quotes.avc", "\"" },
		      { "  ", "around.avc", "  " } };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(keys, sizeof(keys), "%s%s/%s%s", names[i].before, folder, names[i].name,
			 names[i].after);
		snprintf(path, sizeof(path), "%s/%s", folder, names[i].name);
		assert_true(app_write(app, keys));
		assert_int_equal(events_in(path), 2);
		unlink(path);
	}
	setenv("HOME", folder, 1);
	assert_true(app_write(app, "all ~/home.avc"));
	snprintf(path, sizeof(path), "%s/home.avc", folder);
	assert_int_equal(events_in(path), trace_n_events(app->host.view->trace));
	unlink(path);
	/* nothing is written through a symbolic link, also if it leads nowhere */
	snprintf(link, sizeof(link), "%s/link.avc", folder);
	assert_int_equal(symlink(path, link), 0);
	assert_false(app_write(app, link));
	assert_int_equal(access(path, F_OK), -1);
	unlink(link);
	/* refused at the prompt: it stays open, and shows the reason */
	static const char *const refused[] = { "=shown_", "=shown_/no/such/folder/x.avc",
					       "=marked_x.avc", "=shown_/tmp", "=x.nosuchformat" };
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		drive_keys(app, "w C-u");
		drive_keys(app, refused[i]);
		char *before = drive_text(app, false);
		drive_keys(app, "Enter");
		char *after = drive_text(app, false);
		assert_true(prompt_is_open(&app->prompt));
		assert_true(app->prompt.verdict.is_error && *app->prompt.verdict.message);
		assert_string_not_equal(before, after);
		free(before);
		free(after);
		drive_keys(app, "Esc");
	}
	app_destroy(app);
	rmdir(folder);
}

/* ---- config ---- */

struct reports {
	int n, line;
	char message[200];
};

static void report(void *ctx, int line, const char *message)
{
	struct reports *r = ctx;
	r->n++;
	r->line = line;
	snprintf(r->message, sizeof(r->message), "%s", message);
}

static void test_config(void **state)
{
	static const struct {
		const char *text;
		int line;         /* of the error; 0: none */
		const char *says; /* a part of the message */
	} cases[] = {
		{ "# nothing\n\ntheme = light\nmouse = off\n", 0, NULL },
		{ "theme = drak\n", 1, "nearest is dark" },
		{ "\nmuose = on\n", 2, "nearest is mouse" },
		{ "bind x sumary\n", 1, "nearest is summary" },
		{ "bind evnts x summary\n", 1, "nearest is events" },
		{ "bind C-q quit\nbind events x none\nbind stack F5 fold\n", 0, NULL },
		{ "bind Ctrl-Q quit\n", 1, "no such key" },
		{ "columns = time event arguments\n", 0, NULL },
		{ "columns = time evnt\n", 1, "nearest is event" },
		{ "columns += task\ncolumns -= caller\n", 0, NULL },
		{ "columns += taks\n", 1, "nearest is task" },
		{ "theme += dark\n", 1, "theme has one value" },
		{ "filter net+ = @network\nfilter net+= @network\n", 0, NULL },
		{ "filter noise = not @import\n", 0, NULL },
		{ "color.network = 75 bold\n", 0, NULL },
		{ "color.network = 300\n", 1, "0 to 255" },
		{ "color.netwrk = 3\n", 1, "no such role" },
		{ "what is this\n", 1, "expected NAME = VALUE" },
		{ "time = yesterday", 1, "start delta clock" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config c;
		struct keymap *m = NULL;
		struct reports r = { 0 };
		assert_null(config_init(&c));
		assert_null(keymap_create(&m));
		config_parse(&c, m, cases[i].text, strlen(cases[i].text), report, &r, false);
		assert_int_equal(r.n, cases[i].line ? 1 : 0);
		assert_int_equal(r.line, cases[i].line);
		if (cases[i].says && !strstr(r.message, cases[i].says))
			fail_msg("%s: %s", cases[i].text, r.message);
		keymap_destroy(m);
		config_fini(&c);
	}
	struct config c;
	struct keymap *m = NULL;
	struct reports r = { 0 };
	const char *text = "bind x quit\nbind events z none\nfilter a = open\nfilter b+= exec\n"
			   "columns = time event\ncolumns += task\ncolumns-=time\n";
	assert_null(config_init(&c));
	assert_null(keymap_create(&m));
	config_parse(&c, m, text, strlen(text), report, &r, false);
	assert_int_equal(keymap_find(m, PANE_STACK, 'x'), ACTION_QUIT);
	assert_int_equal(keymap_find(m, PANE_EVENTS, 'z'), ACTION_NONE);
	assert_int_equal(keymap_find(m, PANE_STACK, 'z'), ACTION_FOLD);
	assert_string_equal(c.filters.v[0].text, "open");
	assert_string_equal(c.filters.v[1].name, "b+");
	assert_int_equal(c.columns, 1u << COLUMN_EVENT | 1u << COLUMN_TASK);
	keymap_destroy(m);
	config_fini(&c);
}

/* A click in a list that has lines above its first entry chooses the entry that is pointed at. */
static void test_click_below_head(void **state)
{
	static const struct {
		const char *keys;
		enum pane_id pane;
		int line; /* of the screen, of entry 2 */
	} rows[] = { { "l", PANE_FILTERS, 8 }, { "t", PANE_CALLERS, 5 } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app *app = drive_open(capture, NULL, 80, 24);
		drive_keys(app, rows[i].keys);
		struct input in = { .kind = INPUT_MOUSE,
				    .mouse = MOUSE_CLICK,
				    .line = rows[i].line,
				    .column = 10 };
		app_input(app, in);
		assert_int_equal(app->panes[rows[i].pane]->list.cursor, 2);
		app_destroy(app);
	}
}

static void test_kept_filters(void **state)
{
	char folder[] = "/tmp/auditview-config-XXXXXX", path[100];
	assert_non_null(mkdtemp(folder));
	setenv("XDG_CONFIG_HOME", folder, 1);
	struct config c;
	struct keymap *m = NULL;
	struct reports r = { 0 };
	assert_null(config_init(&c));
	assert_null(keymap_create(&m));
	config_load(&c, m, report, &r);
	assert_null(config_keep_filter(&c, "net", "@network and open.path ~ \"x\""));
	config_fini(&c);
	assert_null(config_init(&c));
	config_load(&c, m, report, &r);
	assert_int_equal(r.n, 0);
	assert_int_equal(c.filters.n, 1);
	assert_string_equal(c.filters.v[0].text, "@network and open.path ~ \"x\"");
	assert_null(config_keep_filter(&c, "net", NULL));
	assert_int_equal(c.filters.n, 0);
	config_fini(&c);
	keymap_destroy(m);
	snprintf(path, sizeof(path), "%s/auditview/filters", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/auditview", folder);
	rmdir(path);
	rmdir(folder);
}

/* ---- themes ---- */

static double channel(int v)
{
	double c = v / 255.0;
	if (c <= 0.03928)
		return c / 12.92;
	/* ((c + 0.055) / 1.055) ^ 2.4 without libm: 2.4 = 2 + 0.4, x^0.4 by Newton on y^5 = x^2 */
	double x = (c + 0.055) / 1.055, y = 0.5;
	for (int i = 0; i < 60; i++)
		y -= (y * y * y * y * y - x * x) / (5 * y * y * y * y);
	return x * x * y;
}

static double luminance(int index)
{
	static const int steps[] = { 0, 95, 135, 175, 215, 255 };
	int r, g, b;
	if (index >= 232) {
		r = g = b = 8 + 10 * (index - 232);
	} else {
		index -= 16;
		r = steps[index / 36];
		g = steps[index / 6 % 6];
		b = steps[index % 6];
	}
	return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
}

/* Every indexed colour keeps 4.5:1 against common backgrounds, and against the cursor's bar. */
static void test_contrast(void **state)
{
	static const int dark[] = { 16, 234, 235, 236 }, light[] = { 231, 255, 254 };
	for (size_t t = 0; t < n_themes; t++) {
		for (int role = 0; role < ROLE_COUNT; role++) {
			int fg = themes[t].full[role].fg;
			if (!strcmp(themes[t].name, "mono")) {
				assert_int_equal(fg, COLOR_NONE);
				assert_int_equal(themes[t].few[role].fg, COLOR_NONE);
				continue;
			}
			if (fg < 16)
				continue;
			for (size_t i = 0;
			     i < (themes[t].is_light ? ARRAY_LEN(light) : ARRAY_LEN(dark)); i++) {
				double a = luminance(fg) + 0.05,
				       b = luminance(themes[t].is_light ? light[i] : dark[i]) +
					   0.05;
				double ratio = a > b ? a / b : b / a;
				if (ratio < 4.4)
					fail_msg("%s role %d on %d: %.2f", themes[t].name, role,
						 i ? 1 : 0, ratio);
			}
		}
	}
}

/* A crowd of ended children or nameless threads is one line each; a process that became another
 * program is one line; + acts on what is tagged. */
static void test_processes(void **state)
{
	char path[80];
	snprintf(path, sizeof(path), "/tmp/auditview-processes-%d.avc", (int)getpid());
	crowd_write(path, 9);
	struct app *app = drive_open(path, NULL, 80, 24);
	drive_keys(app, "P");
	struct pane *p = app_pane(app, PANE_PROCESSES);
	static const char *const want[] = { "100 app.py",      "main        100", "worker      101",
					    "9 ended threads", "300 sh",          "301 x.py",
					    "9 ended children" };
	assert_int_equal(p->list.n, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct strbuf b = { 0 };
		p->ops->line(p, i, &b);
		assert_string_equal(strbuf_str(&b), want[i]);
		strbuf_fini(&b);
	}
	drive_keys(app, "j j j Enter"); /* the fold opens */
	assert_int_equal(p->list.n, ARRAY_LEN(want) + 9);
	drive_keys(app, "z");
	assert_int_equal(p->list.n, ARRAY_LEN(want));
	drive_keys(app, "g Space j Space j Space +");
	assert_string_equal(app->host.view->filter_text,
			    "pid in {100, 300} or pid == 100 and tid == 101");
	app_destroy(app);
	unlink(path);
}

/* Space in the list sets a mark and moves on; "write marked" writes the marked events. */
static void test_space_marks(void **state)
{
	struct app *app = drive_open(capture, NULL, 80, 24);
	char path[64], line[8192];
	unsigned n_lines = 0;
	drive_keys(app, "9 j Space Space k k Space j j");
	assert_int_equal(app->host.view->marks.n, 1); /* two were set, the first one is removed */
	drive_keys(app, "Space");
	assert_int_equal(app->host.view->marks.n, 2);
	snprintf(path, sizeof(path), "/tmp/auditview-marked-%d.jsonl", (int)getpid());
	snprintf(line, sizeof(line), "write marked %s", path);
	app_command(app, line);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n_lines += strchr(line, '\n') != NULL;
	fclose(f);
	assert_int_equal(n_lines, 2);
	unlink(path);
	app_destroy(app);
}

/* Files with the same base name are told apart, others keep their short names. */
static void test_file_names(void **state)
{
	char path[80];
	snprintf(path, sizeof(path), "/tmp/auditview-names-%d.avc", (int)getpid());
	crowd_write(path, 1);
	struct app *app = drive_open(path, NULL, 80, 24);
	static const char *const want[] = { "shop/util.py:3 load", "db/util.py:4 load",
					    "db:5 load" };
	for (uint64_t seq = 0; seq < ARRAY_LEN(want); seq++) {
		struct strbuf b = { 0 };
		struct event e;
		assert_true(trace_event(app->host.view->trace, seq, &e));
		event_text_caller(&b, app->host.view, &e, true);
		assert_string_equal(strbuf_str(&b), want[seq]);
		strbuf_fini(&b);
	}
	app_destroy(app);
	unlink(path);
}

static struct app *open_kept(const char *path)
{
	struct app_options options = { .source = { .terminal_fd = -1 } };
	assert_null(trace_open(path, NULL, &options.source.trace));
	options.source.path = strdup(path);
	return drive_open_options(&options, 80, 24);
}

/* Typed lines and marks are there in the next session; a marks file of another capture, or a
 * malformed one, is ignored. */
static void test_kept(void **state)
{
	char folder[] = "/tmp/auditview-kept-XXXXXX", path[80], marks[90];
	assert_non_null(mkdtemp(folder));
	setenv("XDG_STATE_HOME", folder, 1);
	setenv("XDG_CONFIG_HOME", folder, 1);
	snprintf(path, sizeof(path), "%s/a.avc", folder);
	snprintf(marks, sizeof(marks), "%s.marks", path);
	sample_write(path, 12);
	struct app *app = open_kept(path);
	drive_keys(app, "j m j M =see_the_log Enter f =@network Enter");
	app_destroy(app);

	app = open_kept(path);
	assert_int_equal(app->host.view->marks.n, 2);
	assert_null(app->host.view->marks.v[0].note);
	assert_string_equal(app->host.view->marks.v[1].note, "see the log");
	drive_keys(app, "f Up");
	assert_string_equal(strbuf_str(&app->prompt.text), "@network");
	drive_keys(app, "Esc \" Space"); /* the mark of the first is removed */
	app_destroy(app);
	app = open_kept(path);
	assert_int_equal(app->host.view->marks.n, 1);
	drive_keys(app, "\" Space");
	app_destroy(app);
	assert_int_not_equal(access(marks, F_OK), 0); /* without a mark there is no file */

	static const char *const files[] = {
		"# auditview marks of the capture begun at 7\n3 of another\n",
		"3 no head\n",
		"",
		("# auditview marks of the capture begun at 4102444800000000000\nx\n"
		 "99999999 beyond\n18446744073709551615\n5x\n3 \xff\n4 \x1b[2Jred\n"),
	};
	static const size_t want[] = { 0, 0, 0, 2 };
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		FILE *f = fopen(marks, "w");
		fputs(files[i], f);
		fclose(f);
		app = open_kept(path);
		assert_int_equal(app->host.view->marks.n, want[i]);
		drive_keys(app, "\" q");
		app_destroy(app);
	}
	static const char *const names[] = { "a.avc", "a.avc.marks", "auditview/history",
					     "auditview/views", "auditview" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(marks, sizeof(marks), "%s/%s", folder, names[i]);
		remove(marks);
	}
	assert_int_equal(rmdir(folder), 0);
	unsetenv("XDG_STATE_HOME");
	unsetenv("XDG_CONFIG_HOME");
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	snprintf(capture, sizeof(capture), "/tmp/auditview-ui-%d.avc", (int)getpid());
	sample_write(capture, 12);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions_complete),
		cmocka_unit_test(test_keys_complete),
		cmocka_unit_test(test_help_complete),
		cmocka_unit_test(test_completion_complete),
		cmocka_unit_test(test_panes_complete),
		cmocka_unit_test(test_actions_everywhere),
		cmocka_unit_test(test_canvas_harmless),
		cmocka_unit_test(test_canvas_wide_cut),
		cmocka_unit_test(test_text_cut),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_toggles),
		cmocka_unit_test(test_toggles_round_trip),
		cmocka_unit_test(test_toggle_keys),
		cmocka_unit_test(test_filter_prompt),
		cmocka_unit_test(test_include_exclude),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_cursor_stays),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_names),
		cmocka_unit_test(test_summary_is_complete),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_click_below_head),
		cmocka_unit_test(test_kept_filters),
		cmocka_unit_test(test_contrast),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_file_names),
		cmocka_unit_test(test_space_marks),
	};
	int failed = cmocka_run_group_tests_name("ui", tests, NULL, NULL);
	unlink(capture);
	return failed;
}
