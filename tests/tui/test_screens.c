/*
 * test_screens: every pane and prompt, drawn onto a canvas at three sizes and compared with
 * golden/<name>-<size>.txt.
 *
 * UPDATE_GOLDEN=1 writes the files anew: check the difference before you commit it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "drive.h"
#include "sample.h"
#include "ui/source.h"
#include "ui/ui.h"

static char capture[64];
static const char *golden_folder;

/* clang-format off */
static const struct scene {
	const char *name, *filter, *keys;
} scenes[] = {
	{ "main", NULL, "" },
	{ "end", NULL, "G" },
	{ "middle", NULL, "2 0 0 j" },
	{ "filtered", "@network", "G k k" },
	{ "nothing", "@network and thread == \"nobody\" and time > 900s", "" },
	{ "toggled", NULL, "Tab Tab Tab Space j j j j Space" },
	{ "unfolded", NULL, "j j j z j j" },
	{ "marks", NULL, "9 j m j j M =look_here Enter" },
	{ "marks-pane", NULL, "9 j m j j M =look_here Enter \"" },
	{ "arguments", "subprocess.*", "G k k Tab j" },
	{ "arguments-page", "subprocess.*", "G k k Tab \\ j Enter j j" },
	{ "environment", "subprocess.*", "G k k Tab \\ G k k k k k k Enter" },
	{ "guesses", "socket.connect or marshal.*", "G k Tab \\" },
	{ "cut", "marshal.*", "Tab \\" },
	{ "stack", "os.remove", "Tab Tab" },
	{ "stack-library", "socket.connect", "Tab Tab z" },
	{ "bytes", "marshal.*", "j x" },
	{ "inside", NULL, "j j j Enter" },
	{ "summary", NULL, "s" },
	{ "summary-host", NULL, "s b b b" },
	{ "summary-caller", NULL, "s b S" },
	{ "callers", NULL, "t" },
	{ "callers-bottom-up", NULL, "t t" },
	{ "processes", NULL, "P" },
	{ "processes-thread", NULL, "P Space j j Space" },
	{ "messages", NULL, "!" },
	{ "timeline", NULL, "i 9 9 Right Space 1 0 Right" },
	{ "filters", "@network", ": =filter-save_net Enter l" },
	{ "catalogue", NULL, "9 j j j j j j c" },
	{ "catalogue-theme", NULL, ": =catalogue Enter j" },
	{ "prompt-filter", NULL, "f =@network_and_event_==_\"socket.connect\"" },
	{ "prompt-error", NULL, "f =@network Enter f =_and_evnt_==_\"^10\"" },
	{ "prompt-command", NULL, ": =fi" },
	{ "prompt-command-wrong", NULL, ": =sumary" },
	{ "search", NULL, "/ =gzip Enter" },
	{ "help", NULL, "F1" },
	{ "help-all", NULL, "F1 F1" },
	{ "help-stack", NULL, "Tab Tab F1" },
	{ "unknown-event", "shop.*", "" },
	{ "hostile", "open.path contains \"red\"", "" },
};
/* clang-format on */

static const struct {
	int columns, lines;
} sizes[] = { { 80, 24 }, { 120, 40 }, { 200, 60 } };

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	struct strbuf b = { 0 };
	char buf[4096];
	size_t n;
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		strbuf_add(&b, buf, n);
	fclose(f);
	return strbuf_take(&b);
}

static void first_difference(const char *want, const char *got)
{
	int line = 1;
	while (*want && *got) {
		size_t w = strcspn(want, "\n"), g = strcspn(got, "\n");
		if (w != g || memcmp(want, got, w)) {
			print_error("line %d\n  want %.*s\n  got  %.*s\n", line, (int)w, want,
				    (int)g, got);
			return;
		}
		want += w + (want[w] == '\n');
		got += g + (got[g] == '\n');
		line++;
	}
}

/* Every screen must have the right width, cell by cell, and be harmless. */
static void check_shape(const char *text, int columns, int lines)
{
	int n_lines = 0;
	for (const char *p = text; *p; n_lines++) {
		size_t n = strcspn(p, "\n");
		assert_int_equal(text_width(p, n), columns);
		for (size_t i = 0, used; i < n; i += used)
			assert_true(utf8_width(utf8_decode(p + i, n - i, &used)) >= 0);
		p += n + (p[n] == '\n');
	}
	assert_int_equal(n_lines, lines);
}

static void compare(const char *name, int columns, int lines, struct ui *ui)
{
	char path[512];
	char *got = drive_text(ui, false);
	check_shape(got, columns, lines);
	snprintf(path, sizeof(path), "%s/%s-%dx%d.txt", golden_folder, name, columns, lines);
	if (getenv("UPDATE_GOLDEN")) {
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		fputs(got, f);
		fclose(f);
	} else {
		char *want = read_file(path);
		if (!want)
			fail_msg("%s is missing: UPDATE_GOLDEN=1 writes it", path);
		if (strcmp(want, got)) {
			first_difference(want, got);
			fail_msg("%s-%dx%d differs", name, columns, lines);
		}
		free(want);
	}
	free(got);
}

static void test_scene(void **state)
{
	const struct scene *s = *state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct ui *ui = drive_open(capture, s->filter, sizes[i].columns, sizes[i].lines);
		ui->source_dirs[0] = strdup(getenv("SHOP_SOURCE") ? getenv("SHOP_SOURCE")
								  : "tests/tui/shop");
		source_forget();
		ui_changed(ui, CHANGE_ALL);
		drive_keys(ui, s->keys);
		drive_settle(ui);
		/* the time that it took differs from run to run */
		ui->host.view->filter_ns = 3000000;
		prompt_recheck(&ui->prompt, &ui->host);
		ui->header.file_bytes = 5300000; /* the size depends on the file format */
		ui_draw(ui);
		compare(s->name, sizes[i].columns, sizes[i].lines, ui);
		ui_destroy(ui);
	}
}

static struct err *fake_list(void *ctx, const struct ui_process **ret, size_t *ret_n,
			     bool *ret_done)
{
	static struct ui_process list[] = {
		{ 4121, "3.12.1", 8040000000000u, 0.12, "app.py  in /srv/shop", NULL, "ready", true,
		  NULL },
		{ 4307, "3.13.0", 360000000000u, 0.01, "-m http.server 8080", NULL, "ready", true,
		  NULL },
		{ 4388, "3.11.2", 172800000000000u, 0, "unattended-upgrade-shutdown", NULL, "ready",
		  true, NULL },
		{ 4410, "3.9.18", 3000000000u, 0.9, "pytest -x tests", NULL, "busy", false,
		  "gdb (4402) traces it" },
		{ 977, "3.8.18", 777600000000000u, -1, "gunicorn shop:app", "in a container",
		  "denied", false, "ptrace_scope is 1; sudo auditview -p 977" },
	};
	*ret = list;
	*ret_done = true;
	*ret_n = ARRAY_LEN(list);
	return NULL;
}

static void test_start(void **state)
{
	static const struct ui_start_ops ops = { .list = fake_list };
	setenv("XDG_CACHE_HOME", "/nowhere", 1);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct ui_options options = { .source = { .terminal_fd = -1 },
					      .no_config = true,
					      .start = &ops };
		struct ui *ui = drive_open_options(&options, sizes[i].columns, sizes[i].lines);
		drive_keys(ui, "j j j");
		compare("start", sizes[i].columns, sizes[i].lines, ui);
		ui_destroy(ui);
	}
}

/* Two captures of the same service: the later one has more orders, a new plug-in, a new host. */
static void test_diff(void **state)
{
	char folder[] = "/tmp/auditview-diff-XXXXXX", a[64], b[64], command[100];
	assert_non_null(mkdtemp(folder));
	snprintf(a, sizeof(a), "%s/monday.avc", folder);
	snprintf(b, sizeof(b), "%s/today.avc", folder);
	plain_write(a, 4);
	sample_write(b, 12);
	snprintf(command, sizeof(command), "diff %s", a);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct ui *ui = drive_open(b, NULL, sizes[i].columns, sizes[i].lines);
		ui_command(ui, command);
		drive_settle(ui);
		ui->header.file_bytes = 5300000;
		drive_keys(ui, "j");
		ui->header.file_bytes = 5300000;
		ui_draw(ui);
		compare("diff", sizes[i].columns, sizes[i].lines, ui);
		drive_keys(ui, "g +"); /* the first row: a host that only B connects to */
		assert_string_equal(ui->host.view->filter_text,
				    "event == \"socket.connect\" and args contains \"127.0.0.1\" "
				    "and args contains \"5432\"");
		assert_int_equal(view_n_shown(ui->host.view), 1);
		ui_destroy(ui);
	}
	unlink(a);
	unlink(b);
	rmdir(folder);
}

/* At every possible size nothing breaks, and every line is as wide as the screen. */
static void test_sizes(void **state)
{
	struct ui *ui = drive_open(capture, NULL, 80, 24);
	for (int lines = 1; lines < 110; lines += lines < 30 ? 3 : 13)
		for (int columns = 1; columns < 310; columns += columns < 130 ? 7 : 31) {
			ui_resize(ui, lines, columns);
			drive_settle(ui);
			char *text = drive_text(ui, false);
			check_shape(text, columns, lines);
			free(text);
		}
	ui_destroy(ui);
}

/* Only event names have colours; the cursor's line has the bar; trouble is marked. */
static void test_roles(void **state)
{
	struct ui *ui = drive_open(capture, "ctypes.* or socket.connect", 80, 24);
	drive_keys(ui, "G k k k");
	char *text = drive_text(ui, false), *roles = drive_text(ui, true);
	/* with only one-byte cells the two maps have the same offsets in the part that is
	 * compared */
	const char *line = roles;
	bool bar = false, below = false, network = false;
	for (int y = 0; y < 16; y++, line += 81) {
		bar |= line[79] == '_' || line[79] == 'D';
		below |= memchr(line, 'b', 80) || memchr(line, 'B', 80);
		network |= memchr(line, 'n', 80) || memchr(line, 'N', 80);
	}
	assert_true(bar);
	assert_true(below);
	assert_true(network);
	free(text);
	free(roles);
	ui_destroy(ui);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	golden_folder = getenv("GOLDEN") ? getenv("GOLDEN") : "tests/tui/golden";
	snprintf(capture, sizeof(capture), "/tmp/auditview-screens-%d.avc", (int)getpid());
	sample_write(capture, 12);
	struct CMUnitTest tests[ARRAY_LEN(scenes) + 4];
	for (size_t i = 0; i < ARRAY_LEN(scenes); i++)
		tests[i] = (struct CMUnitTest){ .name = scenes[i].name,
						.test_func = test_scene,
						.initial_state = (void *)(uintptr_t)&scenes[i] };
	tests[ARRAY_LEN(scenes)] = (struct CMUnitTest){ .name = "start", .test_func = test_start };
	tests[ARRAY_LEN(scenes) + 1] = (struct CMUnitTest){ .name = "sizes",
							    .test_func = test_sizes };
	tests[ARRAY_LEN(scenes) + 2] = (struct CMUnitTest){ .name = "roles",
							    .test_func = test_roles };
	tests[ARRAY_LEN(scenes) + 3] = (struct CMUnitTest){ .name = "diff",
							    .test_func = test_diff };
	int failed = _cmocka_run_group_tests("screens", tests, ARRAY_LEN(tests), NULL, NULL);
	unlink(capture);
	return failed;
}
