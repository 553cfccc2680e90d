/*
 * cmd_merge: several captures become one, on one time axis.
 */
#include <stdio.h>
#include <string.h>

#include "base/new_file.h"
#include "base/say.h"
#include "command.h"
#include "commands/captures.h"
#include "commands/open_capture.h"
#include "merge/merger.h"

static struct err *merge_to(const struct options *o, const struct captures *c,
			    struct new_file *file)
{
	CLEANUP(merger) struct merger *m = NULL;
	struct err *err = merger_create(c->inputs, c->n, file, &m);
	if (!err)
		err = merger_run(m);
	captures_damage_say(o, c);
	if (err)
		return err;
	if (merger_excess(m) && !o->quiet)
		say_error("%s describes more than its size explains: parts of it are left out",
			  merger_excess(m));
	uint64_t n_events = merger_n_events(m);
	err = merger_close(take_ptr(m));
	if (!err && !o->quiet)
		say_error("%llu event%s of %zu captures, %s", (unsigned long long)n_events,
			  n_events == 1 ? "" : "s", c->n, o->output);
	return err;
}

struct err *cmd_merge(const struct options *o, int *ret)
{
	struct captures c;
	struct new_file *file;
	struct err *err = NULL;
	if (!o->output)
		return err_with_hint(err_create(ERR_USAGE, "where should the capture go?"),
				     "say -o FILE");
	for (size_t i = 0; i < o->n_args && !err; i++)
		err = capture_check_not_same(o->args[i], o->output);
	if (!err)
		err = captures_open(o, true, &c);
	if (err)
		return err;
	err = new_file_open(o->output, 0, &file);
	if (!err)
		err = merge_to(o, &c, file);
	captures_fini(&c);
	*ret = 0;
	return err;
}
