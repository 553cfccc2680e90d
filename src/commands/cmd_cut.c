/*
 * cmd_cut: a part of a capture, by time and filter, becomes a capture of its own.
 */
#include <stdio.h>
#include <string.h>

#include "base/new_file.h"
#include "base/say.h"
#include "command.h"
#include "commands/open_capture.h"
#include "commands/when.h"
#include "merge/cut.h"
#include "model/filter.h"
#include "model/selection.h"
#include "model/trace.h"

/* Remove the rows that are not in [from_ns, to_ns). */
static struct err *rows_limit(struct trace *t, struct selection *rows, uint64_t from_ns,
			      uint64_t to_ns)
{
	for (uint32_t k = 0; k < trace_n_chunks(t); k++) {
		struct chunk_summary s;
		trace_chunk_summary(t, k, &s);
		if (s.min_ns >= from_ns && s.max_ns < to_ns)
			continue;
		if (s.max_ns < from_ns || s.min_ns >= to_ns) {
			selection_fill(rows, s.first_seq, s.first_seq + s.n, false);
			continue;
		}
		const struct chunk *c = trace_chunk(t, k);
		if (!c)
			return err_no_memory();
		for (uint32_t i = 0; i < c->n; i++)
			if (c->time_ns[i] < from_ns || c->time_ns[i] >= to_ns)
				selection_set(rows, c->first_seq + i, false);
		trace_trim(t);
	}
	return NULL;
}

struct err *cmd_cut(const struct options *o, int *ret)
{
	CLEANUP(trace) struct trace *t = NULL;
	CLEANUP(selection) struct selection *rows = NULL;
	struct shown shown = { 0 };
	struct new_file *file;
	uint64_t from_ns = 0, to_ns = UINT64_MAX, n_events = 0;
	if (!o->output)
		return err_with_hint(err_create(ERR_USAGE, "where should the capture go?"),
				     "say -o FILE");
	struct err *err = capture_check_not_same(o->args[0], o->output);
	if (!err && o->filter)
		err = capture_filter_check("-Y", o->filter);
	if (!err && o->from)
		err = when_parse("--from", o->from, 0, &from_ns);
	if (!err && o->to)
		err = when_parse("--to", o->to, 0, &to_ns);
	if (!err)
		err = open_capture_whole(o, o->args[0], &t);
	if (err)
		return err;
	uint64_t anchor_ns = trace_about_get(t)->wall_anchor_ns;
	if (o->from)
		err = when_parse("--from", o->from, anchor_ns, &from_ns);
	if (!err && o->to)
		err = when_parse("--to", o->to, anchor_ns, &to_ns);
	if (!err && from_ns >= to_ns && o->from && o->to)
		err = err_create(ERR_USAGE,
				 "nothing is between --from %s and --to %s: the one is "
				 "not before the other",
				 o->from, o->to);
	if (!err)
		err = capture_shown_make(o, t, &shown);
	if (!err)
		err = shown.run ? selection_dup(filter_run_rows(shown.run), &rows)
				: selection_create(trace_n_events(t), true, &rows);
	capture_shown_fini(&shown);
	if (!err)
		err = rows_limit(t, rows, from_ns, to_ns);
	if (!err)
		err = new_file_open(o->output, 0, &file);
	if (!err)
		err = cut_write(t, rows, from_ns, to_ns, file, &n_events);
	capture_damage_say(o, o->args[0], t);
	if (!err && !o->quiet)
		say_error("%llu of %llu event%s, %s", (unsigned long long)n_events,
			  (unsigned long long)trace_n_events(t), trace_n_events(t) == 1 ? "" : "s",
			  o->output);
	*ret = 0;
	return err;
}
