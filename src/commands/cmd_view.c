/*
 * cmd_view: the screen, on a file, a live process, a program to launch, or the start page. Without
 * a terminal it behaves like print.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "commands/captures.h"
#include "commands/given.h"
#include "commands/import_pipe.h"
#include "commands/live.h"
#include "commands/show.h"
#include "model/trace.h"
#include "ui/term.h"

/* Standard input was the capture, so keys are read from the terminal device. */
static struct err *keys_from_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
		return err_sys(errno, "cannot read keys from the terminal");
	close(fd);
	return NULL;
}

struct err *cmd_view(const struct options *o, int *ret)
{
	bool live = o->n_pids || o->program, piped = false;
	for (size_t i = 0; i < o->n_args && !live; i++)
		piped |= !strcmp(o->args[i], "-");
	if (!isatty(STDOUT_FILENO) || (!isatty(STDIN_FILENO) && !piped)) {
		if (live || o->n_args) {
			struct err *e = given_check(o, false);
			return e ? e : cmd_print(o, ret);
		}
		return err_with_hint(err_create(ERR_USAGE, "the start page needs a terminal"),
				     "auditview print FILE, -p PID or -- PROGRAM writes lines; "
				     "auditview --help lists all");
	}
	struct err *err = given_check(o, true);
	if (err)
		return err;
	struct show show = SHOW_NOTHING;
	err = term_check(); /* before anything is started or read from standard input */
	if (err)
		return err;
	if (live) {
		err = live_source_start(o, &show.source);
	} else if (o->n_args) {
		import_pipe_use_notes();
		err = captures_open_as_one(o, true, &show.source.trace);
		/* marks are kept beside a file: there is none beside several */
		if (!err && !(show.source.path = strdup(o->n_args > 1 ? "-" : o->args[0])))
			err = err_no_memory();
		if (!err && piped)
			err = keys_from_terminal();
	}
	if (!err)
		return show_screen(o, &show, ret);
	trace_close(show.source.trace);
	free(show.source.path);
	live_farewell(o->quiet, ret);
	return err;
}
