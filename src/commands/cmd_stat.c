/*
 * cmd_stat: what a capture holds, or a live target raises, counted by one key, as strace -c does
 * for system calls.
 *
 *      events      %    first s     last s  mostly by                 event
 *       8 801   41.2     0.0012    12.3344  app.py:14 main            open
 *
 * "mostly by" is the caller of most events of a row. With --count the target has counted most
 * events itself (recorder/counts.h); those are added to the rows of events that it wrote down.
 *
 * stat_table.c counts, and stat_show.c writes the table. This file finds the events that are
 * counted: those of a capture, or those of a live target, at each interval.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/monotonic.h"
#include "base/new_file.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "command.h"
#include "commands/captures.h"
#include "commands/open_capture.h"
#include "commands/session.h"
#include "commands/stat_check.h"
#include "commands/stat_coverage.h"
#include "commands/stat_import.h"
#include "commands/stat_show.h"
#include "commands/stat_table.h"
#include "model/filter.h"
#include "model/selection.h"
#include "model/summary_ready.h"
#include "model/trace.h"

struct stat {
	const struct options *o;
	const char *by;
	struct trace *trace;
	struct shown shown;
	stat_counted_before counted; /* --interval: what the table before had */
};

/* The events [from, to) that -Y lets through; *ret NULL: all events of the capture. */
static struct err *rows_of(struct stat *s, uint64_t from, uint64_t to, struct selection **ret)
{
	struct err *err = NULL;
	*ret = NULL;
	if (s->shown.run)
		err = filter_run_step(s->shown.run, UINT64_MAX, NULL);
	if (err || (!s->shown.run && from == 0 && to == trace_n_events(s->trace)))
		return err;
	if (s->shown.run)
		err = selection_dup(filter_run_rows(s->shown.run), ret);
	else
		err = selection_create(trace_n_events(s->trace), true, ret);
	if (!err) {
		selection_fill(*ret, 0, from, false);
		selection_fill(*ret, to, selection_n_rows(*ret), false);
	}
	return err;
}

static struct err *stat_add(struct stat *s, uint64_t from, uint64_t to, bool is_part,
			    struct strbuf *out)
{
	CLEANUP(selection) struct selection *rows = NULL;
	struct err *err = rows_of(s, from, to, &rows);
	static const stat_counted_before none;
	struct stat_table b = {
		.t = s->trace, .rows_in = rows, .is_part = is_part, .are_counted = s->o->count
	};
	bool with_callers;
	if (!err && s->o->coverage) {
		err = stat_coverage(s->trace, rows, s->shown.run, out);
	} else if (!err && !strcmp(s->by, "import")) {
		err = stat_import(s->o, s->trace, rows, to, out);
	} else if (!err) {
		uint64_t n_max = s->o->number ? s->o->number : UINT64_MAX;
		err = stat_table_fill(&b, s->by, &with_callers);
		if (!err && s->o->count)
			err = stat_table_add_counted(&b, s->by, s->shown.run,
						     is_part ? &s->counted : &none);
		if (!err)
			err = stat_table_arrange(&b, s->o->sort);
		if (!err && s->o->json)
			stat_show_json(out, &b, s->by, with_callers, n_max);
		else if (!err)
			stat_show_text(out, &b, s->by, with_callers, n_max);
	}
	stat_table_fini(&b);
	return err;
}

static struct err *write_out(struct strbuf *text, const struct new_file *file)
{
	struct err *err = NULL;
	if (text->failed)
		err = err_no_memory();
	else if (!io_write(new_file_fd(file), strbuf_str(text), text->n))
		err = err_sys(errno, "cannot write to %s", new_file_path(file));
	strbuf_clear(text);
	return err;
}

/* ---- of a live target ---- */

/* What was raised since the table before: [*from, all that is there). */
static struct err *interval_add(struct stat *s, uint64_t start_ns, uint64_t *from,
				uint64_t *from_ns, struct strbuf *out)
{
	uint64_t n = trace_n_events(s->trace), now_ns = monotonic_ns();
	double first = (double)(*from_ns - start_ns) / 1e9,
	       last = (double)(now_ns - start_ns) / 1e9;
	if (s->o->json)
		strbuf_addf(out, "{\"from_s\":%.3f,\"to_s\":%.3f,\"interval\":", first, last);
	else
		strbuf_addf(out, "from %.1f to %.1f s\n", first, last);
	struct err *err = stat_add(s, *from, n, true, out);
	if (s->o->json && out->n)
		strbuf_cut(out, out->n - 1);
	strbuf_adds(out, s->o->json ? "}\n" : "\n");
	for (uint32_t i = 0; !err && i < trace_n_counted(s->trace); i++)
		if (i == s->counted.n && !vec_push(&s->counted, 0))
			err = err_no_memory();
		else
			s->counted.v[i] = trace_counted_get(s->trace, i)->n;
	*from = n;
	*from_ns = now_ns;
	return err;
}

static struct err *follow(struct stat *s, struct session *session, const struct new_file *out)
{
	uint64_t start_ns = monotonic_ns(), from = 0, from_ns = start_ns, interval_ns, due_ns;
	struct strbuf text = { 0 };
	struct err *err = NULL;
	interval_ns = s->o->interval_ns;
	due_ns = start_ns + interval_ns;
	while (!err) {
		struct trace_change change;
		session_poll(session);
		/* what it wrote before its last message is counted after that */
		bool is_last = session->ended || session_n_asked_to_end();
		if (is_last)
			session_finish(session, false);
		err = trace_refresh(s->trace, &change);
		uint64_t now_ns = monotonic_ns();
		if (!err && interval_ns && !is_last && now_ns >= due_ns) {
			due_ns += (now_ns - due_ns) / interval_ns * interval_ns + interval_ns;
			err = interval_add(s, start_ns, &from, &from_ns, &text);
			if (!err)
				err = write_out(&text, out);
		}
		if (is_last)
			break;
		uint64_t left_ms = interval_ns ? (due_ns - now_ns) / 1000000 + 1 : 200;
		struct pollfd fd = { .fd = session->control_fd, .events = POLLIN };
		if (!err)
			poll(&fd, 1, left_ms > 200 ? 200 : (int)left_ms);
	}
	if (!err && interval_ns)
		err = interval_add(s, start_ns, &from, &from_ns, &text);
	if (!err && interval_ns && !s->o->json)
		strbuf_adds(&text, "in all\n");
	if (!err)
		err = stat_add(s, 0, trace_n_events(s->trace), false, &text);
	if (!err)
		err = write_out(&text, out);
	strbuf_fini(&text);
	return err;
}

static struct err *stat_live(struct stat *s, const struct new_file *out, int *ret)
{
	CLEANUP(session) struct session *session = NULL;
	struct follow_stdio io = { -1, new_file_is_stdout(out) ? STDERR_FILENO : -1, -1, -1 };
	session_catch_signals();
	struct err *err = session_start(s->o, NULL, &io, &session);
	if (err)
		return err;
	session->is_temporary = true;
	err = trace_open(session->now_at, NULL, &s->trace);
	if (!err)
		err = capture_shown_make(s->o, s->trace, &s->shown);
	if (!err)
		err = follow(s, session, out);
	session_finish(session, false);
	if (err && err->sys == EPIPE) { /* the reader of the tables has seen enough */
		err_destroy(err);
		err = NULL;
	}
	session_say(&session->end, NULL, s->o->quiet);
	*ret = err ? 1 : session_end_status(&session->end);
	return err;
}

static struct err *stat_with(const struct options *o, int *ret)
{
	struct stat s = { .o = o, .by = o->by ? o->by : "event" };
	bool is_live = o->n_pids || o->program;
	struct strbuf text = { 0 };
	struct new_file *out;
	struct err *err = stat_check(o, is_live);
	*ret = 0;
	if (err)
		return err;
	err = new_file_open(o->output ? o->output : "-", is_live ? NEW_FILE_GROWS : 0, &out);
	if (err)
		return err;
	if (is_live) {
		err = stat_live(&s, out, ret);
	} else {
		err = captures_open_as_one(o, false, &s.trace);
		if (!err)
			err = capture_shown_make(o, s.trace, &s.shown);
		if (!err)
			err = stat_add(&s, 0, trace_n_events(s.trace), false, &text);
		if (!err)
			err = write_out(&text, out);
		if (s.trace)
			capture_damage_say(o, o->args[0], s.trace);
	}
	strbuf_fini(&text);
	vec_fini(&s.counted);
	capture_shown_fini(&s.shown);
	trace_close(s.trace);
	return new_file_end(out, err);
}

/* A ready summary is a key and a filter, which -Y narrows further. */
struct err *cmd_stat(const struct options *o, int *ret)
{
	const struct ready_summary *ready = o->by ? ready_summary_find(o->by) : NULL;
	struct strbuf filter = { 0 };
	struct options with = *o;
	if (!ready)
		return stat_with(o, ret);
	with.by = ready->by;
	strbuf_adds(&filter, ready->filter);
	if (o->filter && *o->filter) {
		struct filter *own; /* so that an error is shown at its place */
		struct err *err = filter_compile(o->filter, strlen(o->filter), NULL, &own);
		if (err)
			return capture_filter_error("-Y", o->filter, err);
		filter_destroy(own);
		strbuf_addf(&filter, " and (%s)", o->filter);
	}
	with.filter = strbuf_str(&filter);
	struct err *err = filter.failed ? err_no_memory() : stat_with(&with, ret);
	strbuf_fini(&filter);
	return err;
}
