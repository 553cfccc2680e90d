/*
 * drive: a second passes between two keys, so that what is shown four times a second is up to date.
 */
#include "drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "model/trace.h"
#include "ui/ui.h"

static uint64_t now_ns;

static void die(struct err *err)
{
	fprintf(stderr, "%s\n", err->message);
	abort();
}

void drive_settle(struct ui *ui)
{
	for (int i = 0; i < 10000; i++) {
		now_ns += 1000000;
		if (!ui_advance(ui, now_ns, false, 50000000))
			break;
	}
	now_ns += 1000000000;
	ui_advance(ui, now_ns, false, 50000000);
	ui_draw(ui);
}

struct ui *drive_open_options(const struct ui_options *options, int columns, int lines)
{
	struct ui *ui = NULL;
	struct err *err = ui_create(options, &ui);
	if (err)
		die(err);
	now_ns = 1000000000;
	ui_resize(ui, lines, columns);
	drive_settle(ui);
	return ui;
}

struct ui *drive_open(const char *path, const char *filter, int columns, int lines)
{
	struct ui_options options = { .source = { .terminal_fd = -1 },
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

void drive_keys(struct ui *ui, const char *keys)
{
	char *copy = strdup(keys), *save = NULL;
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (word[0] == '=' && word[1]) {
			for (const char *p = word + 1, *end = p + strlen(p); p < end;) {
				size_t n;
				uint32_t cp = utf8_decode(p, (size_t)(end - p), &n);
				ui_input(ui, (struct input){ .kind = INPUT_KEY,
							     .key = cp == '_' ? ' ' : (int)cp });
				drive_settle(ui);
				p += n;
			}
		} else {
			int key = key_parse(word);
			if (!key) {
				fprintf(stderr, "no key \"%s\"\n", word);
				abort();
			}
			ui_input(ui, (struct input){ .kind = INPUT_KEY, .key = key });
			drive_settle(ui);
		}
	}
	free(copy);
}

char *drive_text(struct ui *ui, bool roles)
{
	struct strbuf text = { 0 };
	if (roles)
		canvas_roles(&ui->canvas, &text);
	else
		canvas_text(&ui->canvas, &text);
	return strbuf_take(&text);
}
