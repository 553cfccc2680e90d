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
	struct recorder_summary sum;
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
	err = recorder_run(r, &sum);
	if (!o->quiet) {
		struct strbuf line = { 0 };
		recorder_goodbye(&sum, o->output, &line);
		fprintf(stderr, "auditview: %s\n", strbuf_str(&line));
		strbuf_fini(&line);
	}
	*ret = sum.launched && sum.target_ended ? exit_status_of(sum.exit_status) : 0;
	capture_plan_fini(&plan);
	return err;
}
