/*
 * cmd_record: capture without a screen. The recorder runs in this process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/new_file.h"
#include "base/say.h"
#include "base/strbuf.h"
#include "command.h"
#include "commands/given.h"
#include "commands/session.h"
#include "recorder/recorder.h"

struct err *cmd_record(const struct options *o, int *ret)
{
	if (!o->output)
		return err_with_hint(err_create(ERR_USAGE, "record needs a file for the capture"),
				     "auditview record -o FILE -p PID, or -o FILE -- PROGRAM");
	if (!o->n_pids && !o->program)
		return err_with_hint(
		    err_create(ERR_USAGE, "record needs something to record"),
		    "-p PID attaches to a running process, -- PROGRAM launches one");
	struct err *err = given_check(o, false);
	if (err)
		return err;
	struct capture_plan plan;
	CLEANUP(recorder) struct recorder *r = NULL;
	CLEANUP(new_file) struct new_file *file = NULL;
	err = session_plan_make(o, o->output, &plan);
	if (err)
		return err;
	struct follow_stdio io = { -1, -1, -1, -1 };
	struct session_end end;
	err = session_plan_check(o);
	if (!err)
		err = new_file_open(o->output, NEW_FILE_GROWS, &file);
	if (!err && new_file_replaces(file) && !o->quiet)
		say_error("%s stays until this recording is finished, which grows in %s", o->output,
			  new_file_now_at(file));
	char *now_at = err ? NULL : strdup(new_file_now_at(file));
	if (!err && new_file_is_stdout(file)) /* standard output is for the capture alone */
		io.out = STDERR_FILENO;
	if (!err) {
		plan.recorder.file = take_ptr(file);
		err = recorder_create(&plan.recorder, &r);
	}
	if (!err)
		err = session_plan_start(&plan, o, r, &io);
	if (err) {
		err = recorder_abandon(take_ptr(r), err);
		free(now_at);
		session_plan_fini(&plan);
		return err;
	}
	recorder_run(r, &end);
	session_say(&end,
		    session_end_path(&end, strcmp(o->output, "-") ? o->output : "standard output",
				     now_at ? now_at : o->output),
		    o->quiet);
	free(now_at);
	*ret = session_end_status(&end);
	session_plan_fini(&plan);
	return NULL;
}
