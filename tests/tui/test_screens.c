/*
 * test_screens: every pane and prompt, drawn onto a canvas at three sizes and compared with its
 * golden file (golden.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hold_list.h"
#include "drive.h"
#include "golden.h"
#include "sample.h"
#include "ui/app_panes.h"
#include "ui/app_prompts.h"
#include "ui/app_state.h"
#include "ui/source.h"

static char capture[64];

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
	{ "inside-startup", NULL, "Enter" },
	{ "prompt-empty", NULL, "f" },
	{ "prompt-offer", NULL, "f Down Down Down" },
	{ "imports", NULL, "I" },
	{ "imports-tree", NULL, "I S S S S j j" },
	{ "imports-only", NULL, "I j +" },
	{ "summary", NULL, "s" },
	{ "summary-host", NULL, "s b b b" },
	{ "summary-ready", NULL, ": =summary_hosts-contacted Enter" },
	{ "summary-what", NULL, ": =by_what Enter" },
	{ "summary-caller", NULL, "s b S" },
	{ "callers", NULL, "t" },
	{ "callers-bottom-up", NULL, "t t" },
	{ "processes", NULL, "P" },
	{ "processes-thread", NULL, "P Space j j Space" },
	{ "holds-capture", NULL, "B" },
	{ "messages", NULL, "!" },
	{ "timeline", NULL, "i 9 9 Right Space 1 0 Right" },
	{ "timeline-zoomed", NULL, "i 9 9 Right Space 6 Right Space z 5 Right Space 3 Right Space z Space 9 9 Right" },
	{ "filters", "@network", ": =filter-save_net Enter l" },
	{ "filters-ready", NULL, "l j j Space" },
	{ "prompt-ready", NULL, "f =files" },
	{ "catalogue", NULL, "9 j j j j j j c" },
	{ "catalogue-theme", NULL, ": =catalogue Enter j" },
	{ "prompt-filter", NULL, "f =@network_and_event_==_\"socket.connect\"" },
	{ "prompt-error", NULL, "f =@network Enter f =_and_evnt_==_\"^10\"" },
	{ "prompt-command", NULL, ": =fi" },
	{ "prompt-command-wrong", NULL, ": =sumary" },
	{ "search", NULL, "/ =gzip Enter n n" },
	{ "search-typed", NULL, "/ =gzip" },
	{ "search-prompt", NULL, "/" },
	{ "help-search", NULL, "F1 / =Search Enter j j j" },
	{ "search-nothing", "@network", "/ =gzip Enter" },
	{ "search-filtered", "@network and time > 0.01s", "/ =order Enter n" },
	{ "search-summary", NULL, "s / =open Enter n" },
	{ "columns", NULL, ": =columns_seq_time_pid_interp_event_arguments_caller Enter G k" },
	{ "help", NULL, "F1" },
	{ "help-all", NULL, "F1 F1" },
	{ "help-stack", NULL, "Tab Tab F1" },
	{ "unknown-event", "shop.*", "" },
	{ "hostile", "open.path contains \"red\"", "" },
};
/* clang-format on */

static void test_scene(void **state)
{
	const struct scene *s = *state;
	for (size_t i = 0; i < GOLDEN_SIZES; i++) {
		struct app *app = drive_open(capture, s->filter, golden_sizes[i].columns,
					     golden_sizes[i].lines);
		app->source_dirs[0] = strdup(getenv("SHOP_SOURCE") ? getenv("SHOP_SOURCE")
								   : "tests/tui/shop");
		source_forget();
		app_changed(app, CHANGE_ALL);
		drive_keys(app, s->keys);
		drive_settle(app);
		/* the time that it took differs from run to run */
		app->host.view->filter_ns = 3000000;
		prompt_recheck(&app->prompt, &app->host);
		app->header.file_bytes = 5300000; /* the size depends on the file format */
		app_draw(app);
		golden_compare(s->name, &golden_sizes[i], app);
		app_destroy(app);
	}
}

static struct err *fake_list(void *ctx, const struct app_process **ret, size_t *ret_n,
			     bool *ret_done)
{
	static struct app_process list[] = {
		{ 977, 1, "3.8.18", 777600000000000u, -1, "gunicorn shop:app", "in a container",
		  "denied", false, "ptrace_scope is 1; sudo auditview -p 977" },
		{ 978, 977, "3.8.18", 777600000000000u, -1, "gunicorn shop:app", "in a container",
		  "denied", false, "ptrace_scope is 1; sudo auditview -p 978" },
		{ 979, 977, "3.8.18", 777600000000000u, -1, "gunicorn shop:app", "in a container",
		  "denied", false, "ptrace_scope is 1; sudo auditview -p 979" },
		{ 4121, 1, "3.12.1", 8040000000000u, 0.12, "app.py  in /srv/shop", NULL, "ready",
		  true, NULL },
		{ 4307, 1, "3.13.0", 360000000000u, 0.01, "-m http.server 8080", NULL, "ready",
		  true, NULL },
		{ 4388, 1, "3.11.2", 172800000000000u, 0, "unattended-upgrade-shutdown", NULL,
		  "ready", true, NULL },
		{ 4410, 4121, "3.9.18", 3000000000u, 0.9, "pytest -x tests", NULL, "busy", false,
		  "gdb (4402) traces it" },
	};
	*ret = list;
	*ret_done = true;
	*ret_n = ARRAY_LEN(list);
	return NULL;
}

static struct app *open_start(const struct app_start_ops *ops, const struct golden_size *size)
{
	struct app_options options = { .source = { .terminal_fd = -1 },
				       .no_config = true,
				       .start = ops };
	return drive_open_options(&options, size->columns, size->lines);
}

static void fake_doctor(void *ctx, int pid, struct strbuf *to)
{
	strbuf_addf(
	    to,
	    "process %d\n"
	    "  ok    process       /usr/bin/python3.11, 1 thread\n"
	    "  ok    layout        headers of 3.11.7; hook list at _PyRuntime+656: store in "
	    "PySys_AddAuditHook\n"
	    "  no    permission    ptrace_scope is 1, and it was not started by auditview\n"
	    "                      cure: as root, or echo 0 > /proc/sys/kernel/yama/ptrace_scope "
	    "until the next boot\n"
	    "denied: ptrace_scope is 1\n",
	    pid);
}

static void test_start(void **state)
{
	static const struct app_start_ops ops = { .list = fake_list, .doctor = fake_doctor };
	setenv("XDG_CACHE_HOME", "/nowhere", 1);
	for (size_t i = 0; i < GOLDEN_SIZES; i++) {
		struct app *app = open_start(&ops, &golden_sizes[i]);
		drive_keys(app, "j j j j");
		golden_compare("start", &golden_sizes[i], app);
		drive_keys(app, "d");
		golden_compare("doctor", &golden_sizes[i], app);
		drive_keys(app, "Esc");
		drive_keys(app, "Tab Tab j j");
		golden_compare("start-learn", &golden_sizes[i], app);
		drive_keys(app, "Tab / =SHOP");
		golden_compare("start-narrow", &golden_sizes[i], app);
		app_destroy(app);
	}
}

/* ---- a live program ---- */

static bool is_alive(void *ctx)
{
	return true;
}

static struct err *pause_nothing(void *ctx, bool on)
{
	return NULL;
}

static bool must_ask(void *ctx)
{
	return true;
}

static const struct hold_list *holds_two(void *ctx)
{
	static const struct hold_list two = {
		.n_held = 2,
		.held = { { .pid = 4121, .tid = 4123, .seq = UINT64_MAX }, { .seq = UINT64_MAX } }
	};
	return &two;
}

static const char *keeps(void *ctx)
{
	return "64M";
}

static void close_nothing(void *ctx)
{
}

/* What the header, the last line and the list say of a program that runs. */
static void test_live(void **state)
{
	static const struct app_live_ops plain = { .pause = pause_nothing,
						   .is_alive = is_alive,
						   .must_ask = must_ask,
						   .close = close_nothing },
					 held = { .is_alive = is_alive,
						  .holds = holds_two,
						  .close = close_nothing },
					 keeping = { .is_alive = is_alive,
						     .keeps = keeps,
						     .close = close_nothing };
	static const struct {
		const char *name, *keys;
		const struct app_live_ops *ops;
	} rows[] = {
		{ "live-following", "", &plain }, { "live-frozen", "p", &plain },
		{ "live-quit", "Q", &plain },     { "live-pause", "H", &plain },
		{ "live-held", "", &held },       { "live-keeps", "", &keeping },
	};
	char path[64];
	snprintf(path, sizeof(path), "/tmp/auditview-screens-%d-live.avc", (int)getpid());
	live_write(path, 12);
	for (size_t r = 0; r < ARRAY_LEN(rows); r++)
		for (size_t i = 0; i < GOLDEN_SIZES; i++) {
			struct app_options options = { .no_config = true,
						       .source = { .live = rows[r].ops,
								   .terminal_fd = -1 } };
			assert_null(trace_open(path, NULL, &options.source.trace));
			options.source.path = strdup(path);
			struct app *app = drive_open_options(&options, golden_sizes[i].columns,
							     golden_sizes[i].lines);
			drive_keys(app, rows[r].keys);
			app->header.file_bytes = 5300000;
			app_draw(app);
			golden_compare(rows[r].name, &golden_sizes[i], app);
			app_destroy(app);
		}
	unlink(path);
}

/* What the program does at this moment, as the recorder's side would read it. */
static struct {
	unsigned n_asked;
	int pid;
	bool is_ready;
} now_fake;

static void now_ask(void *ctx, const struct app_now_wish *of, size_t n)
{
	now_fake.n_asked++;
	now_fake.pid = of[0].pid;
	now_fake.is_ready = true;
}

static const struct app_now *now_get(void *ctx)
{
	static const struct app_now_frame
	    main_frames[] = { { "EpollSelector.select", "/usr/lib/python3.12/selectors.py", 468 },
			      { "BaseEventLoop._run_once",
				"/usr/lib/python3.12/asyncio/base_events.py", 1949 },
			      { "main", "/srv/shop/app.py", 88 },
			      { "<module>", "/srv/shop/app.py", 91 } },
	    worker_frames[] = { { "render", "/srv/shop/view\x1b[31m.py", 12 },
				{ "Thread.run", "/usr/lib/python3.12/threading.py", 1010 } };
	static const struct app_now_thread threads[] = {
		{ .tid = 4121,
		  .name = "MainThread",
		  .does = "in epoll_wait, on 3 descriptors",
		  .note = "",
		  .n_frames = 4,
		  .n_shown = 4,
		  .left_out_at = 4,
		  .frames = main_frames },
		{ .tid = 4123,
		  .name = "worker-1",
		  .does = "running",
		  .note = "",
		  .holds_gil = true,
		  .n_frames = 950,
		  .n_shown = 2,
		  .left_out_at = 1,
		  .frames = worker_frames },
		{ .tid = 4124,
		  .name = "grpc_poller",
		  .does = "sleeping",
		  .note = "Python does not know this thread" },
	};
	static const struct app_now_process v[] = { { .pid = 4121,
						      .why = "",
						      .at_ns = 1000000,
						      .age_ns = 8040000000000,
						      .cpu_ns = 61000000000,
						      .n_threads = 3,
						      .threads = threads },
						    { .pid = 4140, .why = "it has ended" } };
	static const struct app_now now = { .n = 2, .v = v };
	if (!now_fake.is_ready)
		return NULL;
	now_fake.is_ready = false;
	return &now;
}

/* A live program that raises no event: what it does meanwhile. */
static void test_now(void **state)
{
	static const struct app_live_ops ops = {
		.is_alive = is_alive, .now_ask = now_ask, .now = now_get, .close = close_nothing
	};
	static const struct {
		const char *name, *keys;
		bool is_empty;
	} rows[] = {
		{ "now-empty", "", true },
		{ "now", "@", true },
		{ "now-quiet", "C-l C-l C-l", false },
	};
	char path[64];
	snprintf(path, sizeof(path), "/tmp/auditview-screens-%d-now.avc", (int)getpid());
	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		if (rows[r].is_empty)
			quiet_write(path);
		else
			live_write(path, 12);
		for (size_t i = 0; i < GOLDEN_SIZES; i++) {
			struct app_options options = {
				.no_config = true, .source = { .live = &ops, .terminal_fd = -1 }
			};
			assert_null(trace_open(path, NULL, &options.source.trace));
			options.source.path = strdup(path);
			struct app *app = drive_open_options(&options, golden_sizes[i].columns,
							     golden_sizes[i].lines);
			drive_settle(app);
			drive_keys(app, rows[r].keys);
			app->header.file_bytes = 5300000;
			app_draw(app);
			golden_compare(rows[r].name, &golden_sizes[i], app);
			assert_int_equal(now_fake.pid, 4121);
			/* it is asked again, and not at each frame */
			unsigned n = now_fake.n_asked;
			for (int k = 0; k < 10; k++)
				drive_settle(app);
			assert_in_range(now_fake.n_asked, n + 3, n + 6);
			app_destroy(app);
		}
		unlink(path);
	}
}

/* Two hosts whose processes have the same pid: a column names the host. */
static void test_hosts(void **state)
{
	char path[64];
	snprintf(path, sizeof(path), "/tmp/auditview-screens-%d-hosts.avc", (int)getpid());
	hosts_write(path);
	for (size_t i = 0; i < GOLDEN_SIZES; i++) {
		struct app *app = drive_open(path, NULL, golden_sizes[i].columns,
					     golden_sizes[i].lines);
		app->header.file_bytes = 5300000;
		app_draw(app);
		golden_compare("hosts", &golden_sizes[i], app);
		drive_keys(app, "P");
		app->header.file_bytes = 5300000;
		app_draw(app);
		golden_compare("hosts-processes", &golden_sizes[i], app);
		drive_keys(app, "+");
		assert_string_equal(app->host.view->filter_text,
				    "pid == 812 and host == \"web-1\"");
		drive_keys(app, "= P Space Space +");
		assert_string_equal(app->host.view->filter_text,
				    "pid == 812 and host == \"web-1\" or pid == 812 and host == "
				    "\"web-1\" and tid == 812");
		app_destroy(app);
	}
	unlink(path);
}

static void copy_file(const char *from, const char *folder, const char *name, int hour)
{
	char path[128], command[300];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(command, sizeof(command), "cp %s %s", from, path);
	assert_int_equal(system(command), 0);
	/* long ago, so that the day is shown */
	struct timespec times[2] = { { .tv_sec = 1600000000 + hour * 3600 },
				     { .tv_sec = 1600000000 + hour * 3600 } };
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Captures by program and content; runs of lessons are one line until Enter opens it; q comes back
 * from what was opened here. */
static void test_start_captures(void **state)
{
	static const struct app_start_ops ops = { .list = fake_list };
	char cache[] = "/tmp/auditview-start-XXXXXX", folder[64], lesson[64], command[100];
	assert_non_null(mkdtemp(cache));
	snprintf(folder, sizeof(folder), "%s/auditview", cache);
	snprintf(lesson, sizeof(lesson), "%s/lesson.avc", cache);
	mkdir(folder, 0700);
	setenv("XDG_CACHE_HOME", cache, 1);
	lesson_write(lesson);
	copy_file(capture, folder, "app-4121.avc", 3);
	copy_file(lesson, folder, "c-1.avc", 2);
	copy_file(lesson, folder, "c-2.avc", 1);
	copy_file(capture, folder, "app-977.avc", 0);
	for (size_t i = 0; i < GOLDEN_SIZES; i++) {
		/* the first frame waits for nothing that must be read */
		struct app_options options = { .source = { .terminal_fd = -1 },
					       .no_config = true,
					       .start = &ops };
		struct app *app = NULL;
		assert_null(app_create(&options, &app));
		app_resize(app, golden_sizes[i].lines, golden_sizes[i].columns);
		app_draw(app);
		char *text = drive_text(app, false);
		assert_non_null(strstr(text, "app-4121"));
		assert_null(strstr(text, "436 events"));
		free(text);
		drive_settle(app);
		drive_keys(app, "Tab");
		text = drive_text(app, false);
		assert_non_null(strstr(text, "2 of lessons and tries"));
		assert_null(strstr(text, "import json"));
		free(text);
		drive_keys(app, "j j Enter");
		text = drive_text(app, false);
		assert_null(strstr(text, "of lessons and tries"));
		assert_non_null(strstr(text, "import json"));
		assert_non_null(strstr(text, "c-2.avc: code 1"));
		free(text);
		/* from the capture back to its line */
		drive_keys(app, "g Enter");
		assert_non_null(app->host.view);
		assert_int_equal(app->host.view->n_events, 436);
		drive_keys(app, "q");
		assert_null(app->host.view);
		text = drive_text(app, false);
		assert_non_null(strstr(text, "app-4121.avc: network "));
		free(text);
		/* narrowed by what is in them */
		drive_keys(app, "/ =network Enter");
		text = drive_text(app, false);
		assert_null(strstr(text, "import json"));
		assert_non_null(strstr(text, "436 events"));
		free(text);
		drive_keys(app, "Esc");
		text = drive_text(app, false);
		assert_non_null(strstr(text, "import json"));
		free(text);
		assert_false(app->quit);
		drive_keys(app, "q");
		assert_true(app->quit);
		app_destroy(app);
	}
	snprintf(command, sizeof(command), "rm -r %s", cache);
	assert_int_equal(system(command), 0);
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
	for (size_t i = 0; i < GOLDEN_SIZES; i++) {
		struct app *app = drive_open(b, NULL, golden_sizes[i].columns,
					     golden_sizes[i].lines);
		app_command(app, command);
		drive_settle(app);
		app->header.file_bytes = 5300000;
		drive_keys(app, "j");
		app->header.file_bytes = 5300000;
		app_draw(app);
		golden_compare("diff", &golden_sizes[i], app);
		drive_keys(app, "g +"); /* the first row: a host that only B connects to */
		assert_string_equal(app->host.view->filter_text,
				    "event == \"socket.connect\" and args contains \"127.0.0.1\" "
				    "and args contains \"5432\"");
		assert_int_equal(view_n_shown(app->host.view), 1);
		app_destroy(app);
	}
	unlink(a);
	unlink(b);
	rmdir(folder);
}

/* At every possible size nothing breaks, and every line is as wide as the screen. */
static void test_sizes(void **state)
{
	struct app *app = drive_open(capture, NULL, 80, 24);
	for (int lines = 1; lines < 110; lines += lines < 30 ? 3 : 13)
		for (int columns = 1; columns < 310; columns += columns < 130 ? 7 : 31) {
			app_resize(app, lines, columns);
			drive_settle(app);
			char *text = drive_text(app, false);
			golden_check_shape(text, columns, lines);
			free(text);
		}
	app_destroy(app);
}

/* Only event names have colours; the cursor's line has the bar; trouble is marked. */
static void test_roles(void **state)
{
	struct app *app = drive_open(capture, "ctypes.* or socket.connect", 80, 24);
	drive_keys(app, "G k k k");
	char *text = drive_text(app, false), *roles = drive_text(app, true);
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
	app_destroy(app);
}

/* The task of each event as a column, the one under the cursor with those that wait for it, and
 * the events of each task: as a summary, and as lanes below their threads. */
static void test_tasks(void **state)
{
	char path[64];
	snprintf(path, sizeof(path), "/tmp/auditview-screens-%d-tasks.avc", (int)getpid());
	tasks_write(path);
	for (size_t i = 0; i < GOLDEN_SIZES; i++) {
		struct app *app = drive_open(path, NULL, golden_sizes[i].columns,
					     golden_sizes[i].lines);
		drive_keys(app, ": =columns_time_task_event_arguments_caller Enter");
		drive_keys(app, "/ =getaddrinfo Enter");
		app->header.file_bytes = 3300;
		app_draw(app);
		golden_compare("tasks", &golden_sizes[i], app);
		drive_keys(app, ": =summary_task Enter");
		app->header.file_bytes = 3300;
		app_draw(app);
		golden_compare("tasks-summary", &golden_sizes[i], app);
		drive_keys(app, "Esc P j j j");
		app->header.file_bytes = 3300;
		app_draw(app);
		golden_compare("tasks-processes", &golden_sizes[i], app);
		drive_keys(app, "Space j Space Enter"); /* the events of two tasks */
		drive_settle(app);
		assert_int_equal(view_n_shown(app->host.view), 4);
		app_destroy(app);
	}
	unlink(path);
}

/* The workers of a master that was attached to are below it, with their numbers. */
static void test_workers(void **state)
{
	char path[64];
	snprintf(path, sizeof(path), "/tmp/auditview-screens-%d-workers.avc", (int)getpid());
	workers_write(path);
	struct app *app = drive_open(path, NULL, 80, 24);
	drive_keys(app, "P");
	char *text = drive_text(app, false);
	assert_non_null(strstr(text, " ▾ 50 -m gunicorn app:app"));
	assert_non_null(strstr(text, "    ▾ 51 worker 1"));
	assert_non_null(strstr(text, "    ▾ 52 worker 2"));
	free(text);
	app_destroy(app);
	/* what is shorter than a tick is not known */
	app = drive_open(path, NULL, 200, 60);
	drive_keys(app, "P");
	text = drive_text(app, false);
	assert_non_null(strstr(text, ", attached to, times are right to 10 ms"));
	free(text);
	drive_keys(app, "q g j");
	text = drive_text(app, false);
	assert_non_null(strstr(text, "os.chmod fd 7, within 10 ms"));
	assert_non_null(strstr(text, "os.chmod fd 9, +50"));
	/* the list, though it is wide, and what the imports cost */
	assert_non_null(strstr(text, "   0.05     50"));
	assert_non_null(strstr(text, "shop  +2, 10 ms"));
	free(text);
	drive_keys(app, "I");
	text = drive_text(app, false);
	assert_non_null(strstr(text, "2 modules · 40 ms in all"));
	assert_non_null(strstr(text, "<10"));
	assert_null(strstr(text, "2.00"));
	free(text);
	app_destroy(app);
	unlink(path);
}

/* The variables of a thread that was held, which are in the capture. */
static void test_held_locals(void **state)
{
	char path[64];
	snprintf(path, sizeof(path), "/tmp/auditview-screens-%d-held.avc", (int)getpid());
	held_write(path);
	for (size_t i = 0; i < GOLDEN_SIZES; i++) {
		struct app *app = drive_open(path, NULL, golden_sizes[i].columns,
					     golden_sizes[i].lines);
		drive_keys(app, "/ =remove Enter 3");
		app->header.file_bytes = 3300;
		app_draw(app);
		golden_compare("held-locals", &golden_sizes[i], app);
		app_destroy(app);
	}
	unlink(path);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	snprintf(capture, sizeof(capture), "/tmp/auditview-screens-%d.avc", (int)getpid());
	sample_write(capture, 12);
	struct CMUnitTest tests[ARRAY_LEN(scenes) + 11];
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
	tests[ARRAY_LEN(scenes) + 4] = (struct CMUnitTest){ .name = "start-captures",
							    .test_func = test_start_captures };
	tests[ARRAY_LEN(scenes) + 5] = (struct CMUnitTest){ .name = "live",
							    .test_func = test_live };
	tests[ARRAY_LEN(scenes) + 6] = (struct CMUnitTest){ .name = "hosts",
							    .test_func = test_hosts };
	tests[ARRAY_LEN(scenes) + 7] = (struct CMUnitTest){ .name = "now", .test_func = test_now };
	tests[ARRAY_LEN(scenes) + 8] = (struct CMUnitTest){ .name = "tasks",
							    .test_func = test_tasks };
	tests[ARRAY_LEN(scenes) + 9] = (struct CMUnitTest){ .name = "workers",
							    .test_func = test_workers };
	tests[ARRAY_LEN(scenes) + 10] = (struct CMUnitTest){ .name = "held-locals",
							     .test_func = test_held_locals };
	int failed = _cmocka_run_group_tests("screens", tests, ARRAY_LEN(tests), NULL, NULL);
	unlink(capture);
	return failed;
}
