/*
 * cmd_record: capture without a screen. The recorder runs in this very process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "command.h"
#include "commands/session.h"
#include "recorder/recorder.h"

struct err *cmd_record(const struct options *o, int *ret)
{
	if (!o->output)
		return err_with_hint(err_create(ERR_USAGE, "record needs a file for the capture"),
				     "auditview record -o FILE -p PID, or -o FILE -- PROGRAM");
	if (!o->n_pids && !o->program)
		return err_with_hint(err_create(ERR_USAGE, "record needs something to record"),
				     "-p PID attaches to a running process, -- PROGRAM launches one");
	struct capture_plan plan;
	CLEANUP(recorder) struct recorder *r = NULL;
	struct err *err = capture_plan_make(o, o->output, &plan);
	if (err)
		return err;
	struct follow_stdio io = { -1, -1, -1, -1 };
	struct session_end end;
	bool created = false;
	err = capture_plan_check(o);
	if (!err)
		err = recorder_create(&plan.recorder, &r);
	if (!err) {
		created = true;
		err = capture_plan_start(&plan, o, r, &io);
	}
	if (err) {
		recorder_destroy(r);
		r = NULL;
		capture_plan_fini(&plan);
		if (created)
			capture_remove(o->output);
		return err;
	}
	recorder_run(r, &end);
	session_say(&end, o->output, o->quiet);
	*ret = session_end_status(&end);
	capture_plan_fini(&plan);
	return NULL;
}
