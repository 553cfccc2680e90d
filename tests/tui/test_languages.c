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
	{ "zh-catalogue", ": =catalogue Enter" },
	{ "zh-explain", "9 j j j j j j c Tab" },
	{ "zh-theme", ": =catalogue Enter j" },
	{ "zh-lessons", ": =lessons Enter j" },
	{ "zh-lesson", ": =lessons Enter Enter h" },
	{ "zh-lesson-told", ": =lessons Enter Enter Enter =99 Enter Right" },
};
/* clang-format on */

/* The page without the header, the list below and the last line: what is in them is compared in
 * English. */
static void compare_page(const char *name, const struct golden_size *size, struct app *app)
{
	char *text = drive_text(app, false), *page = strchr(text, '\n') + 1,
	     *list = strstr(page, "\n─ 事件"), *last = strrchr(page, '\n');

	golden_check_shape(text, size->columns, size->lines);
	*last = '\0';
	last = strrchr(page, '\n');
	(list ? list : last)[1] = '\0';
	golden_compare_text(name, size, page);
	free(text);
}

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
		compare_page(s->name, &golden_sizes[i], app);
		app_destroy(app);
	}
	tr_choose(NULL, NULL);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	snprintf(capture, sizeof(capture), "/tmp/auditview-languages-%d.avc", (int)getpid());
	sample_write(capture, 12);
	struct CMUnitTest tests[sizeof(scenes) / sizeof(scenes[0]) + 1] = { 0 };
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		tests[i] = (struct CMUnitTest){ .name = scenes[i].name,
						.test_func = test_scene,
						.initial_state = (void *)(uintptr_t)&scenes[i] };
	tests[sizeof(scenes) / sizeof(scenes[0])] = (struct CMUnitTest){ .name = "tables",
									 .test_func = test_tables };
	int n_failed = _cmocka_run_group_tests("languages", tests, sizeof(tests) / sizeof(tests[0]),
					       NULL, NULL);
	unlink(capture);
	return n_failed;
}
