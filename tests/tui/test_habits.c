/*
 * test_habits: what users of htop, less and vim expect: function keys, pages of text, a key line
 * and borders that take the mouse, themes that are shown while they are typed, settings that are
 * kept, questions before what cannot be undone.
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

#include "base/attr.h"
#include "base/hold_list.h"
#include "base/strbuf.h"
#include "drive.h"
#include "model/trace.h"
#include "sample.h"
#include "ui/app_actions.h"
#include "ui/app_hold.h"
#include "ui/app_input.h"
#include "ui/app_panes.h"
#include "ui/app_prompts.h"
#include "ui/app_state.h"

static char capture[64], growing[64];

static bool shows(struct app *app, const char *text)
{
	char *screen = drive_text(app, false);
	bool found = strstr(screen, text) != NULL;
	free(screen);
	return found;
}

static void must_show(struct app *app, const char *text)
{
	char *screen = drive_text(app, false);
	if (!strstr(screen, text))
		fail_msg("\"%s\" is not on the screen:\n%s", text, screen);
	free(screen);
}

/* ---- keys ---- */

static void test_function_keys(void **state)
{
	struct app *app = drive_open(capture, NULL, 120, 40);
	drive_keys(app, "F3");
	assert_true(prompt_is_open(&app->prompt));
	must_show(app, "/");
	drive_keys(app, "Esc F5");
	assert_int_equal(app_focused_id(app), PANE_CALLERS);
	drive_keys(app, "q s");
	char *before = drive_text(app, false);
	drive_keys(app, "F6");
	assert_false(shows(app, before));
	free(before);
	drive_keys(app, "q F10");
	assert_true(app->quit);
	app_destroy(app);
}

/* * shows all events with the file, host or command of the one under the cursor, however they name
 * it; in Arguments + asks for the same as a further condition. q shows again what was there. */
static void test_same_file(void **state)
{
	static const struct {
		const char *keys, *filter;
	} rows[] = {
		{ "/ =settings Enter *", "file == \"/srv/shop/settings.json\"" },
		{ "/ =orders Enter *", "peer == \"127.0.0.1\"" },
		{ "/ =Popen Enter *", "command == \"/usr/bin/gzip -9 *" },
		{ "/ =os.remove Enter * ", "file == \"*" },
		{ "f =exec Enter / =json Enter *", "exec" }, /* has none */
		{ "f =open Enter / =settings Enter *", "file == \"/srv/shop/settings.json\"" },
		{ "f =open Enter / =settings Enter * q", "open" },
		{ "/ =settings Enter Tab +", "file == \"/srv/shop/settings.json\"" },
		{ "/ =settings Enter Tab -", "not file == \"/srv/shop/settings.json\"" },
		{ "/ =settings Enter Tab j +", "args.mode == \"r\"" },
		{ "/ =POST Enter Tab +", "args.fullurl == \"http*" },
		{ "/ =socket.connect Enter Tab / =address Enter +",
		  "peer == \"127.0.0.1\" and port == 8077" },
		{ "/ =socket.connect Enter Tab / =address Enter j +", "peer == \"127.0.0.1\"" },
		{ "/ =socket.connect Enter Tab / =address Enter j j +", "port == 8077" },
		{ "/ =socket.connect Enter Tab / =address Enter Enter +",
		  "peer == \"127.0.0.1\" and port == 8077" },
		/* the line below is not a part of the address then */
		{ "/ =socket.connect Enter Tab / =address Enter Enter j +", "" },
		{ "/ =Popen Enter Tab j +", "command == \"/usr/bin/gzip -9 *" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app *app = drive_open(capture, NULL, 80, 24);
		drive_keys(app, rows[i].keys);
		size_t n = strcspn(rows[i].filter, "*");
		const char *text = app->host.view->filter_text;
		if (rows[i].filter[n] ? strncmp(text, rows[i].filter, n) != 0
				      : strcmp(text, rows[i].filter) != 0)
			fail_msg("%s: %s", rows[i].keys, text);
		if (*text && !view_n_shown(app->host.view))
			fail_msg("%s: %s shows nothing", rows[i].keys, text);
		app_destroy(app);
	}
	struct app *app = drive_open(capture, NULL, 80, 24);
	drive_keys(app, "/ =exec Enter *");
	must_show(app, "this event names no file, host or command");
	app_destroy(app);
}

/* What cannot be done in a pane says why, and where it can be done. */
static void test_no_key_is_silent(void **state)
{
	static const struct {
		const char *keys, *says;
	} rows[] = {
		{ "F6", "events has no columns to sort by: summary (s)" },
		{ "s Space", "summary has nothing to switch or tag" },
		{ "! z", "messages has nothing to fold" },
		{ "s v", "summary has no frames" },
		{ "s Z", "fold or unfold all: not on a page" },
		{ "t <", "smaller: not on a page" },
		{ "I Tab", "next pane: not on a page" },
		{ "s n", "nothing to look for yet" },
		{ "s m", "event 0 is marked" },
		{ "s m m", "event 0 has no mark now" },
		{ "f =open.path_==_\"none\" Enter m", "no event is under the cursor" },
		{ "m", "▸◆" }, /* a head of a fold keeps its own sign */
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app *app = drive_open(capture, NULL, 120, 40);
		drive_keys(app, rows[i].keys);
		must_show(app, rows[i].says);
		app_destroy(app);
	}
}

static void test_space_pages(void **state)
{
	struct app *app = drive_open(capture, NULL, 80, 24);
	drive_keys(app, "F1 F1");
	struct pane *p = app_pane(app, PANE_HELP);
	assert_int_equal(p->list.top, 0);
	drive_keys(app, "Space Space");
	assert_true(p->list.cursor >= 2 * (uint64_t)(p->n_lines - 1));
	drive_keys(app, "b b");
	assert_int_equal(p->list.cursor, 0);
	app_destroy(app);
}

/* How many keys are pressed: "=text" are those of the text. */
static int n_keys(const char *keys)
{
	int n = 0;
	for (const char *at = keys; *at; at += strspn(at, " ")) {
		size_t length = strcspn(at, " ");
		n += *at == '=' && length > 1 ? (int)length - 1 : 1;
		at += length;
	}
	return n;
}

/* Ten kinds of work, each in six keys or less from the first row on. */
static void test_ten_kinds_of_work(void **state)
{
	static const struct {
		const char *keys, *shows;
	} rows[] = {
		{ "f =@n Tab Enter", "Events @network " },
		{ "f =Pop Tab Enter", "Events subprocess.Popen " },
		{ "G k *", "Events file ==" },
		{ "f Down Enter", "Events files-written " },
		{ "f =com Tab Enter", "Events command" },
		{ "f =unp Tab Enter", "Events objects-unpickled " },
		{ "I", "Imports" },
		{ "t", "Callers" },
		{ "s b b b", "by host" },
		{ "P j j Enter", "tid == " },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app *app = drive_open(capture, NULL, 120, 40);
		drive_keys(app, rows[i].keys);
		must_show(app, rows[i].shows);
		if (n_keys(rows[i].keys) > 6)
			fail_msg("%s: %d keys", rows[i].keys, n_keys(rows[i].keys));
		app_destroy(app);
	}
}

/* Common questions, each in six keys or less. */
static void test_few_keys(void **state)
{
	static const struct {
		const char *keys, *filter;
	} rows[] = {
		{ "f =@n Tab Enter", "@network" },           { "f =net Tab Enter", "network-out" },
		{ "f =Pop Tab Enter", "subprocess.Popen" },  { "f =com Tab Enter", "command" },
		{ "f Down Enter", "files-written" },         { "f Down Down Enter", "files-read" },
		{ "f =unp Tab Enter", "objects-unpickled" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app *app = drive_open(capture, NULL, 80, 24);
		drive_keys(app, rows[i].keys);
		assert_string_equal(app->host.view->filter_text, rows[i].filter);
		assert_true(app->host.view->shown && view_n_shown(app->host.view) > 0);
		app_destroy(app);
	}
}

/* ---- mouse ---- */

static void mouse(struct app *app, enum mouse_kind what, int line, int column)
{
	app_input(app, (struct input){
			   .kind = INPUT_MOUSE, .mouse = what, .line = line, .column = column });
	app_draw(app);
}

/* The column of a text in the last line, in cells. */
static int column_of(struct app *app, const char *text)
{
	char *screen = drive_text(app, false), *line = screen;
	for (int y = 1; y < app->canvas.n_lines; y++)
		line = strchr(line, '\n') + 1;
	char *found = strstr(line, text);
	if (!found)
		fail_msg("%s is not in the key line: %s", text, line);
	int column = 0;
	for (const char *p = line; p < found; p++)
		column += (*p & 0xc0) != 0x80;
	free(screen);
	return column;
}

static void test_key_line_takes_clicks(void **state)
{
	struct app *app = drive_open(capture, NULL, 120, 40);
	mouse(app, MOUSE_CLICK, 39, column_of(app, "summary"));
	assert_int_equal(app_focused_id(app), PANE_SUMMARY);
	mouse(app, MOUSE_CLICK, 39, column_of(app, "q back"));
	assert_int_equal(app_focused_id(app), PANE_EVENTS);
	mouse(app, MOUSE_CLICK, 39, column_of(app, "f filter"));
	assert_true(prompt_is_open(&app->prompt));
	mouse(app, MOUSE_CLICK, 39, 2); /* there is no key line now */
	assert_true(prompt_is_open(&app->prompt));
	drive_keys(app, "Esc");
	mouse(app, MOUSE_CLICK, 39, 119); /* nothing is there */
	assert_int_equal(app_focused_id(app), PANE_EVENTS);
	app_destroy(app);
}

static void test_dragging_is_seen(void **state)
{
	struct app *app = drive_open(capture, NULL, 120, 40);
	int bar = app->layout.bars[0].column, line = app->layout.bars[0].line + 2;
	assert_false(shows(app, "┃"));
	mouse(app, MOUSE_CLICK, line, bar);
	mouse(app, MOUSE_DRAG, line, bar + 4);
	must_show(app, "┃");
	must_show(app, "categories: 31 columns");
	mouse(app, MOUSE_RELEASE, line, bar + 4);
	assert_false(shows(app, "┃"));
	const struct rect *t = &app->layout.panes[PANE_TIMELINE];
	mouse(app, MOUSE_CLICK, t->line, t->column + 20);
	mouse(app, MOUSE_DRAG, t->line, t->column + 40);
	must_show(app, "only this span: ");
	must_show(app, " events, ");
	mouse(app, MOUSE_RELEASE, t->line, t->column + 40);
	assert_non_null(strstr(app->host.view->filter_text, "time >= "));
	app_destroy(app);
}

/* ---- themes and settings ---- */

static void test_theme_is_previewed(void **state)
{
	struct app *app = drive_open(capture, NULL, 120, 40);
	char before[32];
	snprintf(before, sizeof(before), "%s", app->theme.name);
	drive_keys(app, ": =theme_l");
	assert_string_equal(app->theme.name, "light");
	drive_keys(app, "Bksp =m");
	assert_string_equal(app->theme.name, "mono");
	drive_keys(app, "Bksp Bksp");
	assert_string_equal(app->theme.name, before);
	drive_keys(app, "Esc Esc Esc");
	assert_string_equal(app->theme.name, before);
	drive_keys(app, ": =set_theme_mo");
	assert_string_equal(app->theme.name, "mono");
	drive_keys(app, "C-u =help Enter"); /* another command: the preview is gone */
	assert_string_equal(app->theme.name, before);
	drive_keys(app, "q : =theme_li Tab Enter");
	assert_string_equal(app->theme.name, "light");
	assert_string_equal(app->config.theme, "light");
	app_destroy(app);
}

static char *content_of(const char *path)
{
	static char text[4096];
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	return text;
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* :set --save changes one line of the file, keeps the others, and goes through no link. */
static void test_settings_are_saved(void **state)
{
	char folder[] = "/tmp/auditview-habits-XXXXXX", path[100], other[100];
	struct stat st;
	assert_non_null(mkdtemp(folder));
	setenv("XDG_CONFIG_HOME", folder, 1);
	setenv("XDG_STATE_HOME", folder, 1);
	struct app_options options = { .source = { .terminal_fd = -1 } };
	assert_null(trace_open(capture, NULL, &options.source.trace));
	struct app *app = drive_open_options(&options, 120, 40);
	snprintf(path, sizeof(path), "%s/auditview/config", folder);
	snprintf(other, sizeof(other), "%s/other", folder);

	app_command(app, "set time clock");
	assert_int_equal(app->host.time_mode, TIME_CLOCK);
	assert_true(access(path, F_OK) != 0); /* not without --save */
	app_command(app, "set time=clock --save");
	assert_string_equal(content_of(path), "time = clock\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);

	write_text(path, "# mine\ntimeline = on\n time=start\r\nbind x none\nmouse = on");
	app_command(app, "set time delta --save");
	assert_string_equal(content_of(path),
			    "# mine\ntimeline = on\ntime = delta\nbind x none\nmouse = on");
	app_command(app, "set columns time event --save");
	assert_string_equal(content_of(path),
			    "# mine\ntimeline = on\ntime = delta\nbind x none\nmouse = on\n"
			    "columns = time event\n");
	app_command(app, "set columns+=pid --save");
	assert_string_equal(content_of(path),
			    "# mine\ntimeline = on\ntime = delta\nbind x none\nmouse = on\n"
			    "columns = time pid event\n");
	/* a line that adds is one that sets the columns: the last of them is replaced */
	write_text(path, "columns = time\ncolumns += task\n# end\n");
	app_command(app, "set columns-=pid --save");
	assert_string_equal(content_of(path), "columns = time\ncolumns = time event\n# end\n");
	write_text(path, "timeline = on\n");
	drive_keys(app, "Esc");
	app_command(app, "theme mono");
	app_command(app, "set theme --save"); /* the value in use */
	assert_non_null(strstr(content_of(path), "\ntheme = mono\n"));

	app_command(app, "set tme clock --save");
	drive_settle(app);
	must_show(app, "no setting \"tme\"; nearest is time");
	app_command(app, "set time never --save");
	app_draw(app);
	must_show(app, "expected one of start delta clock");
	assert_null(strstr(content_of(path), "never"));

	unlink(path);
	write_text(other, "secret\n");
	assert_int_equal(symlink(other, path), 0);
	app_command(app, "set mouse off --save");
	app_draw(app);
	must_show(app, "symbolic link");
	assert_string_equal(content_of(other), "secret\n");
	assert_false(app->mouse); /* set all the same */
	app_destroy(app);
	unlink(path);
	unlink(other);
	snprintf(path, sizeof(path), "rm -r %s", folder);
	assert_int_equal(system(path), 0);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_STATE_HOME");
}

static struct app *open_kept(const char *filter)
{
	struct app_options options = { .source = { .terminal_fd = -1, .path = strdup(capture) },
				       .filter = filter };
	assert_null(trace_open(capture, NULL, &options.source.trace));
	return drive_open_options(&options, 120, 40);
}

/* A capture is shown with the filter and the columns with which it was left. */
static void test_captures_are_remembered(void **state)
{
	char folder[] = "/tmp/auditview-habits-XXXXXX", path[100], other[100];
	struct stat st;
	assert_non_null(mkdtemp(folder));
	setenv("XDG_CONFIG_HOME", folder, 1);
	setenv("XDG_STATE_HOME", folder, 1);
	snprintf(path, sizeof(path), "%s/auditview/views", folder);
	snprintf(other, sizeof(other), "%s/other", folder);

	struct app *app = open_kept(NULL);
	unsigned columns = app->config.columns;
	app_destroy(app);
	assert_true(access(path, F_OK) != 0); /* nothing to remember */
	app = open_kept(NULL);
	drive_keys(app, "f =@network Enter : =columns_time_event Enter");
	app_destroy(app);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);

	app = open_kept(NULL);
	assert_string_equal(app->host.view->filter_text, "@network");
	assert_int_not_equal(app->config.columns, columns);
	must_show(app, "as this capture was left");
	app_destroy(app);
	app = open_kept("open"); /* what is asked for counts */
	assert_string_equal(app->host.view->filter_text, "open");
	assert_int_equal(app->config.columns, columns);
	app_destroy(app);
	app = open_kept(NULL);
	assert_string_equal(app->host.view->filter_text, "open");
	drive_keys(app, "=");
	app_destroy(app);
	app = open_kept(NULL);
	assert_string_equal(app->host.view->filter_text, "");
	app_destroy(app);

	/* lines of others stay, malformed ones do no harm, a link is not followed */
	write_text(path, "1 0 open\nnonsense\n\xff\n");
	app = open_kept("import");
	app_destroy(app);
	assert_non_null(strstr(content_of(path), "\n1 0 open\nnonsense\n"));
	unlink(path);
	write_text(other, "secret\n");
	assert_int_equal(symlink(other, path), 0);
	app = open_kept("import");
	app_destroy(app);
	assert_string_equal(content_of(other), "secret\n");
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	snprintf(path, sizeof(path), "rm -r %s", folder);
	assert_int_equal(system(path), 0);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_STATE_HOME");
}

/* += adds to the columns, -= takes from them, = replaces them; a list that would not be shown as it
 * was asked for says so. */
static void test_columns_are_changed(void **state)
{
	static const struct {
		int width;
		const char *command, *columns, *says; /* after it; NULL: not looked at */
	} rows[] = {
		{ 120, "set columns+=pid", "time process pid thread event arguments caller",
		  "pid" },
		{ 120, "set columns += pid, task", NULL, "caller task; += adds, -= takes" },
		{ 120, "set columns-=pid task caller", "time process thread event arguments",
		  NULL },
		{ 120, "set columns-=seq", "time process thread event arguments", NULL },
		{ 120, "set columns=+pid", "time process thread event arguments",
		  "columns= replaces the list; :set columns+=pid adds to it" },
		{ 120, "set columns=-time", NULL, ":set columns-=time takes from it" },
		{ 120, "set columns+=pidd", NULL, "no column \"pidd\"; nearest is pid: expected" },
		{ 120, "set columns+=", "time process thread event arguments", NULL },
		{ 120, "set columns-=arguments", NULL, "the column arguments is always shown" },
		{ 120, "set columns=time", "time", "columns = time; += adds, -= takes" },
		{ 120, "set columns-=time", "time", "columns would be empty: one is needed" },
		{ 120, "columns time event", "time event", "columns = time event; += adds" },
		{ 80, "set columns+=seq pid interp thread task package caller", NULL,
		  "no room on this screen for pid interp thread caller; columns = seq time pid" },
		{ 200, "set columns-=task", NULL, "columns = seq time pid interp thread event" },
		{ 120, "set theme+=dark", NULL, "theme has one value: theme=dark sets it" },
		{ 120, "set source-=/tmp", NULL, "source: a folder can be added, not taken away" },
		{ 120, "set source+=/tmp", NULL, "source = /tmp" },
		{ 120, "set none+=/tmp", NULL, "no setting \"none\"" },
	};
	struct app *app = drive_open(capture, NULL, 120, 40);
	struct strbuf b = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		app_resize(app, 40, rows[i].width);
		app_command(app, rows[i].command);
		drive_settle(app);
		strbuf_clear(&b);
		config_columns_text(app->config.columns, &b);
		if (rows[i].columns && strcmp(strbuf_str(&b), rows[i].columns) != 0)
			fail_msg("%s: %s", rows[i].command, strbuf_str(&b));
		app_draw(app);
		if (rows[i].says && !strstr(app->flash, rows[i].says))
			fail_msg("%s: %s", rows[i].command, app->flash);
	}
	strbuf_fini(&b);
	app_destroy(app);
}

/* Tab offers the columns that can be added or taken, and each of them once. */
static void test_columns_are_completed(void **state)
{
	static const struct {
		const char *keys, *gets;
	} rows[] = {
		{ ": =set_columns+= Tab Tab Enter",
		  "seq time process thread event arguments caller" },
		{ ": =set_columns+=p Tab Enter", "time process pid thread event arguments caller" },
		{ ": =set_columns+=pid_ta Tab Enter",
		  "time process pid thread event arguments caller task" },
		{ ": =set_columns-=ca Tab Enter", "time process thread event arguments" },
		{ ": =set_columns=time_e Tab Enter", "time event" },
		{ ": =columns_time,ev Tab Enter", "time event" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct app *app = drive_open(capture, NULL, 80, 24);
		struct strbuf b = { 0 };
		drive_keys(app, rows[i].keys);
		config_columns_text(app->config.columns, &b);
		assert_string_equal(strbuf_str(&b), rows[i].gets);
		strbuf_fini(&b);
		app_destroy(app);
	}
	struct app *app = drive_open(capture, NULL, 80, 24);
	drive_keys(app, ": =set_columns+= Tab");
	must_show(app, "▌seq");
	must_show(app, "│ task");
	assert_false(shows(app, "│ thread ")); /* it is shown already */
	drive_keys(app, "C-u =set_columns-= Tab");
	must_show(app, "│ thread ");
	assert_false(shows(app, "│ arguments ")); /* nothing takes it away */
	drive_keys(app, "C-u =set_columns+=pid_- Tab");
	must_show(app, ":set columns+=pid --save");
	/* what is said of a setting does not push its name off the screen */
	drive_keys(app, "C-u =set_col");
	must_show(app, "│▌columns   ");
	drive_keys(app, "Esc Esc");
	app_destroy(app);
}

/* Who asks for the host that an event talks to is told its field. */
static void test_host_or_peer(void **state)
{
	struct app *app = drive_open(capture, "host == \"127.0.0.1\"", 80, 24);
	must_show(app, "nothing matches");
	must_show(app, "host is the machine it ran on; peer is the other end");
	drive_keys(app, "f C-u =thread_==_\"nobody\" Enter");
	must_show(app, "nothing matches");
	assert_false(shows(app, "peer is the other end"));
	app_destroy(app);
}

/* The manual and the help of the setting name all columns. */
static void test_columns_are_documented(void **state)
{
	struct config_setting setting = { 0 };
	struct strbuf all = { 0 };
	for (size_t i = 0; config_setting_at(i, &setting) && strcmp(setting.name, "columns"); i++)
		;
	assert_non_null(setting.doc);
	config_columns_text((1u << COLUMN_COUNT) - 1, &all);
	if (!strstr(setting.doc, strbuf_str(&all)))
		fail_msg("%s: %s", strbuf_str(&all), setting.doc);
	strbuf_fini(&all);
}

/* A message that is longer than the screen is wide is shown whole. */
static void test_messages_wrap(void **state)
{
	struct app *app = drive_open(capture, NULL, 80, 24);
	app_command(app, "set columns=none");
	drive_settle(app);
	must_show(app, " no column \"none\"");
	must_show(app, "caller package task ");
	drive_keys(app, "j");
	must_show(app, "\n F1 help");
	app_destroy(app);
}

/* A long line of a box is wrapped; what follows is below its text. */
static void test_boxes_wrap(void **state)
{
	struct app *app = drive_open(capture, NULL, 80, 24);
	app->dialog = strdup(
	    "cannot attach to 977\n"
	    "cause   ptrace_scope is 1, and 977 was not started by auditview, so that "
	    "nothing but its parent may attach\n"
	    "cure    sudo auditview -p 977");
	drive_settle(app);
	must_show(app, "cause   ptrace_scope is 1,");
	must_show(app, "│         nothing but its parent may attach");
	must_show(app, "cure    sudo auditview -p 977");
	drive_keys(app, "Esc");
	app_destroy(app);
}

/* ---- questions ---- */

static struct program {
	bool is_paused, runs;
	unsigned n_pauses;
} program;

static struct err *pause_it(void *ctx, bool on)
{
	program.is_paused = on;
	program.n_pauses++;
	return NULL;
}

static bool is_alive(void *ctx)
{
	return true;
}

static bool must_ask(void *ctx)
{
	return program.runs;
}

static const struct app_live_ops live = { .pause = pause_it,
					  .is_alive = is_alive,
					  .must_ask = must_ask };

static struct app *open_live(void)
{
	struct app_options options = { .no_config = true,
				       .source = { .live = &live, .terminal_fd = -1 } };
	program = (struct program){ .runs = true };
	assert_null(trace_open(growing, NULL, &options.source.trace));
	options.source.path = strdup(growing);
	return drive_open_options(&options, 120, 40);
}

static void test_pausing_asks(void **state)
{
	struct app *app = open_live();
	drive_keys(app, "H");
	must_show(app, "stop recording until H?");
	assert_int_equal(program.n_pauses, 0);
	drive_keys(app, "Esc");
	assert_false(shows(app, "stop recording"));
	assert_int_equal(program.n_pauses, 0);
	/* another key acts as usual, and is no answer */
	drive_keys(app, "H s");
	assert_int_equal(app_focused_id(app), PANE_SUMMARY);
	assert_int_equal(program.n_pauses, 0);
	drive_keys(app, "q H");
	must_show(app, "stop recording until H?");
	drive_keys(app, "H");
	assert_true(program.is_paused);
	drive_keys(app, "H"); /* nothing is lost by going on */
	assert_false(program.is_paused);
	assert_int_equal(program.n_pauses, 2);
	app_destroy(app);
}

/* The question what becomes of a program is closed when the program ends. */
static void test_quit_question_closes(void **state)
{
	struct app *app = open_live();
	drive_keys(app, "Q");
	must_show(app, "w wait  d detach");
	program.runs = false;
	drive_settle(app);
	assert_false(app->asked_quit);
	must_show(app, "the program has ended meanwhile");
	drive_keys(app, "k"); /* a key of the list again */
	assert_false(app->quit);
	drive_keys(app, "Q");
	assert_true(app->quit);
	app_destroy(app);
}

/* ---- holds ---- */

static struct hold_list holds;
static char asked[256];
static unsigned n_continued;

static struct err *hold_it(void *ctx, const char *filter, bool once)
{
	snprintf(asked, sizeof(asked), "%s%s", once ? "once " : "", filter);
	struct hold_row *row = &holds.v[holds.n++];
	*row = (struct hold_row){ .id = holds.n, .flags = once ? HOLD_IS_ONCE : 0 };
	snprintf(row->text, sizeof(row->text), "%s", filter);
	return NULL;
}

static struct err *unhold_it(void *ctx, uint32_t id)
{
	snprintf(asked, sizeof(asked), "remove %u", id);
	return NULL;
}

static struct err *switch_it(void *ctx, uint32_t id, bool on)
{
	snprintf(asked, sizeof(asked), "%u %s", id, on ? "on" : "off");
	return NULL;
}

static struct err *ignore_it(void *ctx, uint32_t id, uint32_t n)
{
	snprintf(asked, sizeof(asked), "%u ignores %u", id, n);
	return NULL;
}

static const struct hold_list *list_them(void *ctx)
{
	return &holds;
}

static struct err *continue_it(void *ctx)
{
	n_continued++;
	return NULL;
}

static bool locals_of(void *ctx, const struct held_row *held, uint32_t frame, struct strbuf *to)
{
	strbuf_addf(to, "number = %u\nsecond = 2\n", frame);
	return true;
}

static unsigned n_followed;

static struct err *follow_children(void *ctx, bool on)
{
	n_followed++;
	return NULL;
}

static const struct app_live_ops live_holds = { .is_alive = is_alive,
						.follow_children = follow_children,
						.hold = hold_it,
						.unhold = unhold_it,
						.hold_switch = switch_it,
						.hold_ignore = ignore_it,
						.holds = list_them,
						.locals = locals_of,
						.continue_held = continue_it };

static void must_ask_for(struct app *app, const char *keys, const char *what)
{
	asked[0] = 0;
	drive_keys(app, keys);
	assert_string_equal(asked, what);
}

static void test_holds(void **state)
{
	struct app_options options = { .no_config = true,
				       .source = { .live = &live_holds, .terminal_fd = -1 } };
	assert_null(trace_open(growing, NULL, &options.source.trace));
	options.source.path = strdup(growing);
	struct app *app = drive_open_options(&options, 120, 40);
	drive_keys(app, "B");
	must_show(app, "nothing is held");
	must_ask_for(app, ": =hold_open Enter", "open");
	must_show(app, "[x]   1 open");
	must_ask_for(app, "Space", "1 off");
	must_ask_for(app, "-", "remove 1");
	must_ask_for(app, ": =ignore_3 Enter", "1 ignores 3");
	must_ask_for(app, ": =unhold Enter", "remove 0");
	must_ask_for(app, ": =hold_no_(filter Enter", "");
	/* an event of the program's own is known to the capture alone, not to the recorder */
	must_ask_for(app, ": =hold_shop.order_and_tid_==_8_or_not_shop.order Enter",
		     "event == \"shop.order\" and tid == 8 or not event == \"shop.order\"");
	must_ask_for(app, ": =hold_shop.odder Enter", "");
	must_show(app, "there is no event, category or field shop.odder");
	/* with no thread held, there is none to continue */
	must_ask_for(app, "u", "");
	drive_keys(app, "C");
	must_show(app, "no thread is held");
	assert_int_equal(n_continued, 0);
	assert_int_equal(n_followed, 0); /* it is another request */
	holds.n_held = 1;
	holds.held[0] = (struct held_row){ .pid = 7, .tid = 8, .hold = 1, .since_ns = 1 };
	drive_settle(app);
	must_show(app, "hold 1  8 ");
	must_show(app, "keeps the GIL");
	drive_keys(app, "g g -");
	must_show(app, "this is a thread: C continues it; - removes a hold");
	must_show(app, "gdb -p 7");
	holds.held[0].is_traced = 1;
	drive_settle(app);
	must_show(app, "no debugger can attach");
	must_show(app, "held 8 ");
	must_ask_for(app, "u", "once pid == 7 and tid == 8");
	assert_int_equal(n_continued, 1);
	drive_keys(app, "C");
	assert_int_equal(n_continued, 2);
	must_ask_for(app, ": =until_open Enter", "once open");
	assert_int_equal(n_continued, 3);
	drive_keys(app, "q g b"); /* the event under the cursor */
	assert_memory_equal(asked, "event == \"", 10);
	/* the variables of a frame are shown while its thread is held */
	struct event e;
	uint64_t seq = 0;
	while (trace_event(app->host.view->trace, seq, &e) && !e.stack)
		seq++;
	assert_true(e.stack);
	holds.held[0].seq = seq;
	holds.held[0].since_ns = 2;
	app_hold_poll(app);
	drive_settle(app);
	assert_int_equal(app->host.cursor_seq, seq);
	must_show(app, "second = 2");
	holds.n_held = 0;
	app_hold_poll(app);
	drive_settle(app);
	assert_false(shows(app, "second = 2"));
	app_destroy(app);
}

/* In a capture nothing can be held, and that is said. */
static void test_holds_of_capture(void **state)
{
	struct app *app = drive_open(capture, NULL, 120, 40);
	drive_keys(app, "b");
	must_show(app, "nothing can be held in it");
	drive_keys(app, "B");
	must_show(app, "this is a capture");
	drive_keys(app, "Space - Enter");
	app_destroy(app);
}

/* ---- the start page ---- */

enum { N_WORKERS = 64 };

static struct err *list_workers(void *ctx, const struct app_process **ret, size_t *ret_n,
				bool *ret_done)
{
	static struct app_process list[N_WORKERS + 2];
	for (int i = 0; i < N_WORKERS + 1; i++)
		list[i] = (struct app_process){ .pid = 1000 + i,
						.ppid = i ? 1000 : 1,
						.python = "3.12.1",
						.command = "gunicorn shop:app",
						.verdict = "ready",
						.is_ready = true };
	/* one worker has a child: it is a line of its own */
	list[N_WORKERS + 1] = (struct app_process){ .pid = 2000,
						    .ppid = 1010,
						    .python = "3.12.1",
						    .command = "convert.py",
						    .verdict = "ready",
						    .is_ready = true };
	*ret = list;
	*ret_n = N_WORKERS + 2;
	*ret_done = true;
	return NULL;
}

/* Workers that are all alike take one line, and are all counted; Enter and z show them. */
static void test_workers_are_folded(void **state)
{
	static const struct app_start_ops ops = { .list = list_workers };
	struct app_options options = { .source = { .terminal_fd = -1 },
				       .no_config = true,
				       .start = &ops };
	setenv("XDG_CACHE_HOME", "/nowhere", 1);
	struct app *app = drive_open_options(&options, 80, 24);
	must_show(app, "66 here, 66 can be attached to");
	must_show(app, "1000 3.12.1");
	must_show(app, "9 workers · Enter lists");
	must_show(app, "1010 3.12.1");
	must_show(app, "convert.py");
	must_show(app, "54 workers · Enter lists");
	assert_int_equal(app_pane(app, PANE_START)->list.n, 5);
	drive_keys(app, "j Enter");
	assert_int_equal(app_pane(app, PANE_START)->list.n, 66);
	must_show(app, "66 here, 66 can be attached to");
	drive_keys(app, "z");
	assert_int_equal(app_pane(app, PANE_START)->list.n, 5);
	drive_keys(app, "/ =guni"); /* each line stands for itself */
	assert_int_equal(app_pane(app, PANE_START)->list.n, 65);
	drive_keys(app, "Esc");
	app_destroy(app);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_function_keys),
		cmocka_unit_test(test_no_key_is_silent),
		cmocka_unit_test(test_same_file),
		cmocka_unit_test(test_space_pages),
		cmocka_unit_test(test_ten_kinds_of_work),
		cmocka_unit_test(test_few_keys),
		cmocka_unit_test(test_key_line_takes_clicks),
		cmocka_unit_test(test_dragging_is_seen),
		cmocka_unit_test(test_theme_is_previewed),
		cmocka_unit_test(test_settings_are_saved),
		cmocka_unit_test(test_captures_are_remembered),
		cmocka_unit_test(test_columns_are_changed),
		cmocka_unit_test(test_columns_are_completed),
		cmocka_unit_test(test_columns_are_documented),
		cmocka_unit_test(test_host_or_peer),
		cmocka_unit_test(test_messages_wrap),
		cmocka_unit_test(test_boxes_wrap),
		cmocka_unit_test(test_pausing_asks),
		cmocka_unit_test(test_quit_question_closes),
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_holds_of_capture),
		cmocka_unit_test(test_workers_are_folded),
	};
	snprintf(capture, sizeof(capture), "/tmp/auditview-habits-%d.avc", (int)getpid());
	snprintf(growing, sizeof(growing), "/tmp/auditview-habits-%d-growing.avc", (int)getpid());
	sample_write(capture, 12);
	live_write(growing, 12);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(capture);
	unlink(growing);
	return failed;
}
