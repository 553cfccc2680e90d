/*
 * cmd_profile: what each package of a program does, as a text to keep (model/profile.h).
 */
#include <errno.h>

#include "base/io.h"
#include "base/new_file.h"
#include "base/strbuf.h"
#include "command.h"
#include "commands/open_capture.h"
#include "model/filter.h"
#include "model/profile.h"
#include "model/trace.h"

static struct err *capture_add(const struct options *o, const char *path, struct profile *p)
{
	CLEANUP(trace) struct trace *t = NULL;
	struct shown shown = { 0 };
	struct err *err = open_capture_whole(o, path, &t);
	if (!err)
		err = capture_shown_make(o, t, &shown);
	if (!err)
		err = profile_add(p, t, shown.run ? filter_run_rows(shown.run) : NULL);
	if (t)
		capture_damage_say(o, path, t);
	capture_shown_fini(&shown);
	return err;
}

struct err *cmd_profile(const struct options *o, int *ret)
{
	CLEANUP(profile) struct profile *p = NULL;
	struct new_file *out = NULL;
	struct strbuf text = { 0 };
	struct err *err = NULL;
	for (size_t i = 0; i < o->n_args && !err; i++)
		err = capture_check_not_same(o->args[i], o->output);
	if (!err)
		err = profile_create(&p);
	for (size_t i = 0; i < o->n_args && !err; i++)
		err = capture_add(o, o->args[i], p);
	if (err)
		return err;
	profile_write(p, &text);
	err = text.failed ? err_no_memory() : new_file_open(o->output ? o->output : "-", 0, &out);
	if (!err && !io_write(new_file_fd(out), text.s, text.n))
		err = err_sys(errno, "cannot write %s", new_file_path(out));
	strbuf_fini(&text);
	*ret = 0;
	return new_file_end(out, err);
}
