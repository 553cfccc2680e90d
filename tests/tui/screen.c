/*
 * screen: what the screen would show, as text, without a terminal.
 *
 *     screen [-g COLUMNSxLINES] [-Y FILTER] [-c THEME] [--roles] FILE [KEYS…]
 *     screen --sample FILE [ORDERS]     write the sample capture
 *     screen --plain FILE [ORDERS]      write that of a day before, to compare with
 *     screen --run FILE                 the real screen on this terminal
 *
 * A key is a name as the key table spells it ("Tab", "C-l", "j"); "=text" types text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "canvas_text.h"
#include "model/trace.h"
#include "sample.h"
#include "ui/app.h"
#include "ui/app_input.h"
#include "ui/app_loop.h"
#include "ui/app_panes.h"
#include "ui/app_state.h"

static void die(struct err *err)
{
	fprintf(stderr, "%s\n", err->message);
	exit(1);
}

int main(int argc, char **argv)
{
	int columns = 80, lines = 24, i = 1;
	bool roles = false, run = false;
	const char *filter = NULL;
	if (argc > 2 && (!strcmp(argv[1], "--sample") || !strcmp(argv[1], "--plain"))) {
		(argv[1][2] == 's' ? sample_write
				   : plain_write)(argv[2], argc > 3 ? (unsigned)atoi(argv[3]) : 12);
		return 0;
	}
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "-g") && i + 1 < argc)
			sscanf(argv[++i], "%dx%d", &columns, &lines);
		else if (!strcmp(argv[i], "-Y") && i + 1 < argc)
			filter = argv[++i];
		else if (!strcmp(argv[i], "--roles"))
			roles = true;
		else if (!strcmp(argv[i], "--run"))
			run = true;
	}
	struct app_options options = { .source = { .terminal_fd = -1 },
				       .filter = filter,
				       .no_config = true };
	if (i < argc) {
		struct err *err = trace_open(argv[i], NULL, &options.source.trace);
		if (err)
			die(err);
		options.source.path = strdup(argv[i]);
		i++;
	}
	if (run) {
		struct err *err = app_run(&options);
		if (err)
			die(err);
		return 0;
	}
	struct app *app = NULL;
	struct err *err = app_create(&options, &app);
	if (err)
		die(err);
	app_resize(app, lines, columns);
	uint64_t now = 1000000000;
	while (app_advance(app, now, false, 50000000))
		now += 1000000;
	for (; i < argc; i++) {
		if (argv[i][0] == '=' && argv[i][1])
			for (const char *p = argv[i] + 1; *p; p++)
				app_input(app, (struct input){ .kind = INPUT_KEY,
							       .key = (unsigned char)*p });
		else
			app_input(app,
				  (struct input){ .kind = INPUT_KEY, .key = key_parse(argv[i]) });
		while (app_advance(app, now, false, 50000000))
			now += 1000000;
		now += 1000000;
		app_draw(app);
	}
	app_advance(app, now + 300000000, false, 0);
	app_draw(app);
	struct strbuf text = { 0 };
	if (roles)
		canvas_roles(&app->canvas, &text);
	else
		canvas_text(&app->canvas, &text);
	fwrite(text.s, 1, text.n, stdout);
	strbuf_fini(&text);
	app_destroy(app);
	return 0;
}
