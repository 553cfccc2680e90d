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
#include "ui/app_state.h"

static char capture[64];

/* clang-format off */
static const struct scene {
	const char *name, *keys;
} scenes[] = {
	{ "zh-catalogue", ": =catalogue Enter" },
	{ "zh-explain", "9 j j j j j j c Tab" },
	{ "zh-theme", ": =catalogue Enter j" },
};
/* clang-format on */

static void test_scene(void **state)
{
	const struct scene *s = *state;

	tr_choose("zh_CN.UTF-8", NULL);
	for (size_t i = 0; i < 2; i++) {
		struct app *app = drive_open(capture, NULL, golden_sizes[i].columns,
					     golden_sizes[i].lines);

		drive_keys(app, s->keys);
		drive_settle(app);
		app->header.file_bytes = 5300000; /* the size depends on the file format */
		app_draw(app);
		golden_compare(s->name, &golden_sizes[i], app);
		app_destroy(app);
	}
	tr_choose(NULL, NULL);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	snprintf(capture, sizeof(capture), "/tmp/auditview-languages-%d.avc", (int)getpid());
	sample_write(capture, 12);
	struct CMUnitTest tests[sizeof(scenes) / sizeof(scenes[0])] = { 0 };
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		tests[i] = (struct CMUnitTest){ .name = scenes[i].name,
						.test_func = test_scene,
						.initial_state = (void *)(uintptr_t)&scenes[i] };
	int n_failed = _cmocka_run_group_tests("languages", tests, sizeof(tests) / sizeof(tests[0]),
					       NULL, NULL);
	unlink(capture);
	return n_failed;
}
