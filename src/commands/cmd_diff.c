/*
 * cmd_diff: what capture B does that capture A does not do, the most remarkable first. With
 * --exit-code the exit status says whether there is anything.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/say.h"
#include "base/strbuf.h"
#include "command.h"
#include "commands/open_capture.h"
#include "commands/show.h"
#include "export/export_diff.h"
#include "model/diff.h"
#include "model/filter.h"
#include "model/trace.h"

/* The screen shows B, and its pane opens A. */
static struct err *diff_on_screen(const struct options *o, int *ret)
{
	struct show show = SHOW_NOTHING;
	struct strbuf command = { 0 };
	strbuf_addf(&command, "diff %s", o->args[0]);
	show.command = strbuf_str(&command);
	struct err *err = show_possible(o, "without --screen the difference is text");
	if (!err)
		err = open_capture(o, o->args[1], &show.source.trace);
	if (!err && !(show.source.path = strdup(o->args[1])))
		err = err_no_memory();
	if (!err)
		err = show_screen(o, &show, ret);
	else
		trace_close(show.source.trace);
	strbuf_fini(&command);
	return err;
}

/* Does B do something that A does not? */
static bool has_news(const struct diff *d)
{
	size_t n;
	const struct diff_row *rows = diff_rows(d, &n);
	for (size_t i = 0; i < n; i++)
		if (rows[i].change == DIFF_ADDED)
			return true;
	return false;
}

struct err *cmd_diff(const struct options *o, int *ret)
{
	if (!strcmp(o->args[0], "-") && !strcmp(o->args[1], "-"))
		return err_create(ERR_USAGE, "standard input cannot be both captures");
	if (o->on_screen)
		return diff_on_screen(o, ret);
	CLEANUP(trace) struct trace *a = NULL;
	CLEANUP(trace) struct trace *b = NULL;
	CLEANUP(diff) struct diff *d = NULL;
	struct shown in_a = { 0 }, in_b = { 0 };
	struct err *err = open_capture_whole(o, o->args[0], &a);
	if (!err)
		err = open_capture_whole(o, o->args[1], &b);
	if (!err)
		err = capture_shown_make(o, a, &in_a);
	if (!err)
		err = capture_shown_make(o, b, &in_b);
	if (!err)
		err = diff_create(a, in_a.run ? filter_run_rows(in_a.run) : NULL, b,
				  in_b.run ? filter_run_rows(in_b.run) : NULL, &d);
	if (!err) {
		struct strbuf out = { 0 };
		export_diff(&out, d, a, b, o->json);
		if (out.failed)
			err = err_no_memory();
		else if (!say_text(&out))
			err = err_sys(errno, "cannot write to standard output");
		strbuf_fini(&out);
		*ret = o->exit_code && has_news(d) ? STATUS_NEWS : 0;
	}
	if (a)
		capture_damage_say(o, o->args[0], a);
	if (b)
		capture_damage_say(o, o->args[1], b);
	capture_shown_fini(&in_a);
	capture_shown_fini(&in_b);
	return err;
}
