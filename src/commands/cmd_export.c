/*
 * cmd_export: a capture in another format.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/new_file.h"
#include "base/strbuf.h"
#include "command.h"
#include "commands/captures.h"
#include "commands/given.h"
#include "commands/open_capture.h"
#include "export/exporter.h"
#include "export/json_members.h"
#include "model/filter.h"
#include "model/selection.h"
#include "model/trace.h"

/* The format of -F, else the one of the suffix of -o. */
static struct err *choose_format(const struct options *o, const struct exporter_format **ret)
{
	if (o->format)
		return exporter_find_checked(o->format, ret);
	const char *dot = o->output ? strrchr(o->output, '.') : NULL;
	*ret = dot ? exporter_find(dot) : NULL;
	if (*ret)
		return NULL;
	return err_with_hint(err_create(ERR_USAGE, "which format?"),
			     "say --format jsonl, or give -o a name that ends in .jsonl");
}

static struct err *write_out(const struct options *o, struct trace *t, const struct shown *shown,
			     const struct exporter_format *format, struct new_file *file)
{
	struct exporter_options options = { .path = new_file_path(file),
					    .wide = true,
					    .async = o->async };
	struct exporter *x;
	struct err *err = exporter_create(t, format, new_file_fd(file), &options, &x);
	if (err)
		return err;
	err = exporter_write(x, shown->run ? filter_run_rows(shown->run) : NULL, 0,
			     trace_n_events(t));
	if (!err)
		return exporter_close(x);
	exporter_destroy(x);
	return err;
}

static struct err *write_schema(const struct options *o)
{
	CLEANUP(new_file) struct new_file *file = NULL;
	struct strbuf text = { 0 };
	json_members_schema(&text, o->schema);
	struct err *err = text.failed ? err_no_memory()
				      : new_file_open(o->output ? o->output : "-", 0, &file);
	if (!err && !io_write(new_file_fd(file), text.s, text.n))
		err = err_sys(errno, "cannot write %s", new_file_path(file));
	strbuf_fini(&text);
	return new_file_end(take_ptr(file), err);
}

struct err *cmd_export(const struct options *o, int *ret)
{
	CLEANUP(trace) struct trace *t = NULL;
	CLEANUP(new_file) struct new_file *file = NULL;
	const struct exporter_format *format;
	struct shown shown = { 0 };
	*ret = 0;
	if (o->schema)
		return write_schema(o);
	struct err *err = choose_format(o, &format);
	if (!err && format->needs_path && !o->output)
		err = err_with_hint(
		    err_create(ERR_USAGE, "%s cannot go to standard output", format->name),
		    "say -o OUT%s", format->suffix);
	if (!err && o->async && strcmp(format->name, "folded") != 0)
		err = err_create(ERR_USAGE, "--async is about folded stacks; %s has no use for it",
				 format->name);
	if (!err)
		err = given_check_mine(o, format->name, format->shows_callers);
	for (size_t i = 0; i < o->n_args && !err; i++)
		err = capture_check_not_same(o->args[i], o->output);
	if (!err)
		err = captures_open_as_one(o, false, &t);
	if (!err)
		err = capture_shown_make(o, t, &shown);
	if (!err)
		err = new_file_open(o->output ? o->output : "-",
				    format->needs_path ? NEW_FILE_REGULAR : 0, &file);
	if (!err)
		err = write_out(o, t, &shown, format, file);
	err = new_file_end(take_ptr(file), err);
	if (t)
		capture_damage_say(o, o->args[0], t);
	capture_shown_fini(&shown);
	return err;
}
