/*
 * cmd_record: capture without a screen. The recorder runs in this process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/new_file.h"
#include "base/say.h"
#include "base/strbuf.h"
#include "command.h"
#include "commands/given.h"
#include "commands/keep.h"
#include "commands/session.h"
#include "recorder/recorder.h"
#include "recorder/turner.h"

/* Messages, and what the program writes, must not get into the capture. */
static struct err *check_stderr(const struct new_file *file)
{
	struct stat out, err;
	if (!new_file_is_stream(file) || fstat(new_file_fd(file), &out) != 0 ||
	    fstat(STDERR_FILENO, &err) != 0 || out.st_dev != err.st_dev ||
	    out.st_ino != err.st_ino || S_ISCHR(out.st_mode))
		return NULL;
	return err_with_hint(
	    err_create(ERR_USAGE, "standard error goes to the same place as the capture"),
	    "say 2>FILE; a launched program's standard output goes to standard "
	    "error, too");
}

/* Make the first file, and whatever makes the others. */
static struct err *files_open(const struct options *o, struct turner **ret_turner,
			      struct new_file **ret)
{
	struct turner_options t = { .path = o->output,
				    .max_bytes = o->rotate_bytes,
				    .max_ns = o->rotate_ns,
				    .max_files = o->rotate_count };
	if (o->keep)
		return keep_start(o, o->output, ret_turner, ret);
	if (!t.max_bytes && !t.max_ns)
		return new_file_open(o->output, NEW_FILE_GROWS, ret);
	struct err *err = turner_create(&t, ret_turner);
	return err ? err : turner_open(*ret_turner, ret);
}

static struct err *check_rotation(const struct options *o)
{
	struct stat st;
	bool rotates = o->rotate_bytes || o->rotate_ns;
	if (o->keep && (o->rotate_bytes || o->rotate_ns || o->rotate_count))
		return err_create(ERR_USAGE, "--keep does not go together with --rotate-size, "
					     "--rotate-time and --rotate-count");
	if (o->keep)
		return keep_check(o, o->output);
	if (o->rotate_count && !rotates)
		return err_create(ERR_USAGE, "--rotate-count needs --rotate-size or --rotate-time");
	if (rotates &&
	    (!strcmp(o->output, "-") || (stat(o->output, &st) == 0 && !S_ISREG(st.st_mode))))
		return err_with_hint(
		    err_create(ERR_USAGE, "a capture in several files cannot go to %s", o->output),
		    "-o run.avc makes run_TIME_NUMBER.avc");
	return NULL;
}

struct err *cmd_record(const struct options *o, int *ret)
{
	if (!o->output)
		return err_with_hint(err_create(ERR_USAGE, "record needs a file for the capture"),
				     "auditview record -o FILE -p PID, or -o FILE -- PROGRAM");
	if (!o->n_pids && !o->program)
		return err_with_hint(
		    err_create(ERR_USAGE, "record needs something to record"),
		    "-p PID attaches to a running process, -- PROGRAM launches one");
	struct err *err = check_rotation(o);
	if (!err)
		err = given_check(o, false);
	if (err)
		return err;
	struct capture_plan plan;
	CLEANUP(turner) struct turner *turner = NULL;
	CLEANUP(recorder) struct recorder *r = NULL;
	CLEANUP(new_file) struct new_file *file = NULL;
	err = session_plan_make(o, o->output, &plan);
	if (err)
		return err;
	struct follow_stdio io = { -1, -1, -1, -1 };
	struct session_end end;
	err = session_plan_check(o);
	if (!err)
		err = files_open(o, &turner, &file);
	if (!err && new_file_replaces(file) && !o->quiet)
		say_error("%s stays until this recording is finished, which grows in %s", o->output,
			  new_file_now_at(file));
	char *now_at = err ? NULL : strdup(new_file_now_at(file));
	if (!err && new_file_is_stdout(file)) /* standard output is for the capture alone */
		io.out = STDERR_FILENO;
	if (!err)
		err = check_stderr(file);
	if (!err) {
		plan.recorder.file = take_ptr(file);
		plan.recorder.turner = turner;
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
	struct strbuf names = { 0 };
	err = turner_keeps(turner) ? keep_finish(turner, o->output, &end, &names) : NULL;
	if (turner && !names.n)
		turner_add_names(turner, &names);
	const char *given = strcmp(o->output, "-") ? o->output : "standard output";
	session_say(&end,
		    names.n ? strbuf_str(&names)
			    : session_end_path(&end, given, now_at ? now_at : o->output),
		    o->quiet);
	strbuf_fini(&names);
	free(now_at);
	*ret = session_end_status(&end);
	session_plan_fini(&plan);
	return err;
}
