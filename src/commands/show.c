/*
 * show: see show.h.
 */
#include "commands/show.h"

#include <unistd.h>

#include "commands/given.h"
#include "commands/live.h"
#include "options.h"
#include "ui/app_loop.h"
#include "ui/term.h"

struct err *show_possible(const struct options *o, const char *otherwise)
{
	if (isatty(STDOUT_FILENO) && isatty(STDIN_FILENO)) {
		struct err *err = given_check(o, true);
		return err ? err : term_check();
	}
	return err_with_hint(err_create(ERR_USAGE, "the screen needs a terminal"), "%s", otherwise);
}

struct err *show_screen(const struct options *o, struct show *what, int *ret)
{
	struct live_start *start = NULL;
	struct err *err = live_start_create(o, &start);
	struct app_options u = {
		.source = what->source,
		.start = &live_start_ops,
		.start_ctx = start,
		.filter = o->filter,
		.color = o->color == COLOR_ALWAYS  ? APP_COLOR_ALWAYS
			 : o->color == COLOR_NEVER ? APP_COLOR_NEVER
						   : APP_COLOR_AUTO,
		.no_config = o->no_config,
		.command = what->command,
		.lesson = what->lesson,
	};
	if (!err)
		err = app_run(&u);
	live_farewell(o->quiet, ret);
	live_start_destroy(start);
	return err;
}
