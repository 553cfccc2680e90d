/*
 * test_languages: pages in another language. Chinese characters have two cells, so each line's
 * width is counted (golden.h).
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

#include "base/tr.h"
#include "drive.h"
#include "golden.h"
#include "sample.h"
#include "model/trace.h"
#include "ui/app_state.h"

static char capture[64];

/* The program of a lesson is not run: its capture is ready. */
static struct err *run_ready(void *ctx, const char *event, const char *code, struct app_source *ret)
{
	struct err *err = trace_open(capture, NULL, &ret->trace);

	if (!err)
		ret->path = strdup(capture);
	return err;
}

static const struct app_start_ops start_ops = { .run = run_ready };

/* clang-format off */
static const struct scene {
	const char *name, *keys;
} scenes[] = {
	{ "zh-main", "" },
	{ "zh-message", "9 j \" B d" },
	{ "zh-marks", "9 j m j j M =look_here Enter \"" },
	{ "zh-arguments", "f =subprocess.* Enter Tab \\ j Enter" },
	{ "zh-stack", "f =os.remove Enter Tab Tab" },
	{ "zh-inside", "j j j Enter" },
	{ "zh-imports", "I S" },
	{ "zh-summary", "s" },
	{ "zh-callers", "t" },
	{ "zh-processes", "P Space j j Space" },
	{ "zh-messages", "!" },
	{ "zh-timeline", "i 9 9 Right Space 1 0 Right" },
	{ "zh-holds", "B" },
	{ "zh-filters", "l j j Space" },
	{ "zh-nothing", "f =@network_and_time_>_900s Enter" },
	{ "zh-search", "/ =gzip Enter n n" },
	{ "zh-prompt", ": =sumary" },
	{ "zh-catalogue", ": =catalogue Enter" },
	{ "zh-explain", "9 j j j j j j c Tab" },
	{ "zh-theme", ": =catalogue Enter j" },
	{ "zh-lessons", ": =lessons Enter j" },
	{ "zh-lesson", ": =lessons Enter Enter h" },
	{ "zh-lesson-empty", ": =lessons Enter j j Enter Enter Enter" },
	{ "zh-lesson-typed", ": =lessons Enter j j Enter 9" },
	{ "zh-lesson-told", ": =lessons Enter Enter Enter =99 Enter Right" },
};
/* clang-format on */

/* Pages that are made of tables: each line has its width, and on a large screen their words are
 * there. */
static void test_tables(void **state)
{
	static const struct {
		const char *keys, *words[7];
	} rows[] = {
		{ "", { "─ 类别 ", "━ 事件 ", "F1 帮助", "/ 搜索", "网络" } },
		{ "F1", { "━ 帮助 ", "移动", "下一行", "复制此行" } },
		{ "F1 F1", { "下一行", ":down", "全部折叠或展开" } },
		{ "F1 F1 G", { "事件的名称", "现成的过滤器" } },
		{ "F1 G k k k k k", { "符号", "无法读取" } },
		{ "f =ev", { "审计事件的名称" } },
		{ ": =fo", { "折叠或展开" } },
	};

	(void)state;
	tr_choose("zh_CN.UTF-8", NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t k = 0; k < GOLDEN_SIZES; k++) {
			struct app *app = drive_open(capture, NULL, golden_sizes[k].columns,
						     golden_sizes[k].lines);

			drive_keys(app, rows[i].keys);
			drive_settle(app);
			char *text = drive_text(app, false);
			golden_check_shape(text, golden_sizes[k].columns, golden_sizes[k].lines);
			for (size_t w = 0; k == GOLDEN_SIZES - 1 && rows[i].words[w]; w++)
				if (!strstr(text, rows[i].words[w]))
					fail_msg("no %s in\n%s", rows[i].words[w], text);
			free(text);
			app_destroy(app);
		}
	tr_choose(NULL, NULL);
}

static void test_scene(void **state)
{
	const struct scene *s = *state;

	tr_choose("zh_CN.UTF-8", NULL);
	for (size_t i = 0; i < 2; i++) {
		struct app_options options = { .source = { .terminal_fd = -1 },
					       .start = &start_ops,
					       .no_config = true };
		assert_null(run_ready(NULL, NULL, NULL, &options.source));
		struct app *app = drive_open_options(&options, golden_sizes[i].columns,
						     golden_sizes[i].lines);

		drive_keys(app, s->keys);
		drive_settle(app);
		app->host.view->filter_ns = 3000000; /* it differs from run to run */
		app_draw(app);
		golden_compare(s->name, &golden_sizes[i], app);
		app_destroy(app);
	}
	tr_choose(NULL, NULL);
}

static struct err *fake_list(void *ctx, const struct app_process **ret, size_t *ret_n,
			     bool *ret_done)
{
	static struct app_process list[] = {
		{ 977, 1, "3.8.18", 777600000000000u, -1, "gunicorn shop:app", "shop-1", "denied",
		  false, "ptrace_scope is 1; sudo auditview -p 977" },
		{ 4121, 1, "3.12.1", 8040000000000u, 0.12, "app.py  in /srv/shop", NULL, "ready",
		  true, NULL },
		{ 4388, 1, "3.11.2", 172800000000000u, 0, "/srv/网站/服务.py", NULL, "unsupported",
		  false, "its code is translated" },
	};
	*ret = list;
	*ret_done = true;
	*ret_n = sizeof(list) / sizeof(list[0]);
	return NULL;
}

static void test_start(void **state)
{
	static const struct app_start_ops ops = { .list = fake_list };

	(void)state;
	setenv("XDG_CACHE_HOME", "/nowhere", 1);
	tr_choose("zh_CN.UTF-8", NULL);
	for (size_t i = 0; i < 2; i++) {
		struct app_options options = { .source = { .terminal_fd = -1 },
					       .start = &ops,
					       .no_config = true };
		struct app *app = drive_open_options(&options, golden_sizes[i].columns,
						     golden_sizes[i].lines);

		golden_compare("zh-start", &golden_sizes[i], app);
		drive_keys(app, "Tab Tab / =套接字");
		golden_compare("zh-start-narrow", &golden_sizes[i], app);
		app_destroy(app);
	}
	tr_choose(NULL, NULL);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	snprintf(capture, sizeof(capture), "/tmp/auditview-languages-%d.avc", (int)getpid());
	sample_write(capture, 12);
	struct CMUnitTest tests[sizeof(scenes) / sizeof(scenes[0]) + 2] = { 0 };
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		tests[i] = (struct CMUnitTest){ .name = scenes[i].name,
						.test_func = test_scene,
						.initial_state = (void *)(uintptr_t)&scenes[i] };
	tests[sizeof(scenes) / sizeof(scenes[0]) + 1] = (struct CMUnitTest){
		.name = "start", .test_func = test_start
	};
	tests[sizeof(scenes) / sizeof(scenes[0])] = (struct CMUnitTest){ .name = "tables",
									 .test_func = test_tables };
	int n_failed = _cmocka_run_group_tests("languages", tests, sizeof(tests) / sizeof(tests[0]),
					       NULL, NULL);
	unlink(capture);
	return n_failed;
}
