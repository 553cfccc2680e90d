/*
 * drive: a second passes between two keys, so that what is shown four times a second is up to date.
 */
#include "drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "canvas_text.h"
#include "model/trace.h"
#include "ui/app_input.h"
#include "ui/app_panes.h"
#include "ui/app_state.h"

static uint64_t now_ns;

static void die(struct err *err)
{
	fprintf(stderr, "%s\n", err->message);
	abort();
}

void drive_settle(struct app *app)
{
	for (int i = 0; i < 10000; i++) {
		now_ns += 1000000;
		if (!app_advance(app, now_ns, false, 50000000))
			break;
	}
	now_ns += 1000000000;
	app_advance(app, now_ns, false, 50000000);
	app_draw(app);
}

struct app *drive_open_options(const struct app_options *options, int columns, int lines)
{
	struct app *app = NULL;
	struct err *err = app_create(options, &app);
	if (err)
		die(err);
	now_ns = 1000000000;
	app_resize(app, lines, columns);
	drive_settle(app);
	return app;
}

struct app *drive_open(const char *path, const char *filter, int columns, int lines)
{
	struct app_options options = { .source = { .terminal_fd = -1 },
				       .filter = filter,
				       .no_config = true };
	if (path) {
		struct err *err = trace_open(path, NULL, &options.source.trace);
		if (err)
			die(err);
		options.source.path = strdup(path);
	}
	return drive_open_options(&options, columns, lines);
}

void drive_keys(struct app *app, const char *keys)
{
	char *copy = strdup(keys), *save = NULL;
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (word[0] == '=' && word[1]) {
			for (const char *p = word + 1, *end = p + strlen(p); p < end;) {
				size_t n;
				uint32_t cp = utf8_decode(p, (size_t)(end - p), &n);
				app_input(app, (struct input){ .kind = INPUT_KEY,
							       .key = cp == '_' ? ' ' : (int)cp });
				drive_settle(app);
				p += n;
			}
		} else {
			int key = key_parse(word);
			if (!key) {
				fprintf(stderr, "no key \"%s\"\n", word);
				abort();
			}
			app_input(app, (struct input){ .kind = INPUT_KEY, .key = key });
			drive_settle(app);
		}
	}
	free(copy);
}

char *drive_text(struct app *app, bool roles)
{
	struct strbuf text = { 0 };
	if (roles)
		canvas_roles(&app->canvas, &text);
	else
		canvas_text(&app->canvas, &text);
	return strbuf_take(&text);
}
