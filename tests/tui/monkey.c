/*
 * monkey: random keys, mouse, pasted text and sizes, on a recorded session and on one that grows.
 * Every screen must have its shape and contain nothing that a terminal could take for a command.
 * Run it under sanitizers.
 *
 *     monkey [COUNT [SEED]]        default 3000 inputs
 *
 * A failure prints the seed and the number of the input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/capture_util.h"
#include "base/utf8.h"
#include "drive.h"
#include "model/trace.h"
#include "sample.h"
#include "ui/app_input.h"
#include "ui/app_panes.h"
#include "ui/app_state.h"

static const int special[] = { KEY_UP_,   KEY_DOWN_,  KEY_LEFT_, KEY_RIGHT_, KEY_PGUP_, KEY_PGDN_,
			       KEY_HOME_, KEY_END_,   KEY_BKSP_, KEY_DEL_,   KEY_INS_,  KEY_TAB_,
			       KEY_STAB_, KEY_ENTER_, KEY_ESC_,  KEY_SPACE_, KEY_F1_,   KEY_F4_ };

static struct input any_input(uint64_t *state, int columns, int lines)
{
	uint64_t r = test_random(state);
	switch (r % 16) {
	case 0:
		return (struct input){ .kind = INPUT_MOUSE,
				       .mouse = (enum mouse_kind)(r >> 8) % 6,
				       .line = (int)((r >> 16) % (unsigned)lines),
				       .column = (int)((r >> 32) % (unsigned)columns) };
	case 1: return (struct input){ .kind = INPUT_PASTE, .key = (int)((r >> 8) % 0x3000) };
	case 2: return (struct input){ .kind = INPUT_KEY, .key = (int)((r >> 8) % 0x11ffff) };
	case 3:
	case 4:
	case 5:
	case 6:
		return (struct input){ .kind = INPUT_KEY,
				       .key = special[(r >> 8) % ARRAY_LEN(special)] };
	default: return (struct input){ .kind = INPUT_KEY, .key = (int)(' ' + (r >> 8) % 95) };
	}
}

static void check(struct app *app, uint64_t seed, unsigned long n)
{
	const struct canvas *c = &app->canvas;
	for (int y = 0; y < c->n_lines; y++) {
		int width = 0;
		for (int x = 0; x < c->n_columns; x++) {
			const struct cell *cell = &c->cells[y * c->n_columns + x];
			width += cell->width_cells;
			for (size_t i = 0, used; i < cell->n_bytes; i += used)
				if (utf8_width(utf8_decode(cell->text + i, cell->n_bytes - i,
							   &used)) < 0) {
					fprintf(stderr,
						"raw control in line %d column %d, seed %llu, "
						"input %lu\n",
						y, x, (unsigned long long)seed, n);
					abort();
				}
		}
		if (width != c->n_columns) {
			fprintf(stderr,
				"line %d is %d cells wide instead of %d, seed %llu, input %lu\n", y,
				width, c->n_columns, (unsigned long long)seed, n);
			abort();
		}
	}
}

static void run(struct app *app, struct writer *w, uint64_t seed, unsigned long count)
{
	uint64_t state = seed, now = 1000000000;
	int columns = 80, lines = 24;
	for (unsigned long n = 0; n < count; n++) {
		uint64_t r = test_random(&state);
		if (r % 50 == 0) {
			columns = 1 + (int)((r >> 8) % 260);
			lines = 1 + (int)((r >> 32) % 90);
			app_resize(app, lines, columns);
		}
		if (w && r % 7 == 0) {
			write_random(w, (r >> 16) % 300, r, 0);
			must(writer_flush(w));
		}
		struct input in = any_input(&state, columns, lines);
		app_input(app, in);
		now += (r >> 20) % 200000000;
		app_advance(app, now, w != NULL, 2000000);
		app_draw(app);
		check(app, seed, n);
		/* what the loop would do */
		free(app->copied);
		app->copied = NULL;
		free(app->edit_file);
		app->edit_file = NULL;
		app->wants_suspend = app->wants_redraw = false;
		if (app->quit)
			app->quit = false;
		if (!app->pages.n && !app->host.view)
			break;
	}
}

static void never(void *ctx)
{
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 3000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	/* nothing that is typed may reach the user's files */
	char folder[] = "/tmp/auditview-monkey-XXXXXX", path[128];
	if (!mkdtemp(folder) || chdir(folder))
		return 1;
	setenv("XDG_CONFIG_HOME", folder, 1);
	setenv("XDG_CACHE_HOME", folder, 1);
	setenv("HOME", folder, 1);

	snprintf(path, sizeof(path), "%s/shop.avc", folder);
	sample_write(path, 12);
	struct app *app = drive_open(path, NULL, 80, 24);
	run(app, NULL, seed, count);
	app_destroy(app);

	/* live: a capture that grows while it is open */
	static const struct app_live_ops live = { .close = never };
	snprintf(path, sizeof(path), "%s/live.avc", folder);
	struct writer *w = NULL;
	struct writer_options wo = { .creator = "monkey" };
	must(writer_open(path, &wo, &w));
	write_random(w, 1000, seed, 0);
	must(writer_flush(w));
	struct app_options options = {
		.source = { .terminal_fd = -1, .live = &live, .path = strdup(path) },
		.no_config = true
	};
	must(trace_open(path, NULL, &options.source.trace));
	app = drive_open_options(&options, 80, 24);
	run(app, w, seed + 1, count);
	app_destroy(app);
	must(writer_close(w));

	char clean[160];
	snprintf(clean, sizeof(clean), "rm -rf '%s'", folder);
	return system(clean) != 0;
}
