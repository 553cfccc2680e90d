/*
 * cmd_print: one line per event on stdout, as strace does, from a capture or from a live target.
 *
 * For a live target the recorder runs in a process of its own and writes a capture; this process
 * reads it as it grows. So print shows exactly what a capture would hold.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/new_file.h"
#include "base/strbuf.h"
#include "command.h"
#include "commands/captures.h"
#include "commands/given.h"
#include "commands/open_capture.h"
#include "commands/session.h"
#include "export/exporter.h"
#include "model/filter.h"
#include "model/selection.h"
#include "model/trace.h"

struct printer {
	struct trace *trace;
	struct exporter *exporter;
	struct filter *filter, *until;
	struct filter_run *rows, *until_rows;
	uint64_t next; /* first event not yet printed */
	uint64_t left; /* how many may still be printed */
	bool is_done;
};

static void printer_fini(struct printer *p)
{
	filter_run_destroy(p->rows);
	filter_run_destroy(p->until_rows);
	filter_destroy(p->filter);
	filter_destroy(p->until);
	exporter_destroy(p->exporter);
	trace_close(p->trace);
}

static struct err *filter_of(const char *text, const char *option, struct printer *p,
			     struct filter **ret, struct filter_run **ret_run)
{
	if (!text)
		return NULL;
	struct err *err = filter_compile(text, strlen(text), p->trace, ret);
	if (err)
		return capture_filter_error(option, text, err);
	return filter_run_create(p->trace, *ret, NULL, ret_run);
}

/* path: NULL for the captures on the command line. */
static struct err *printer_init(struct printer *p, const struct options *o, const char *path,
				const struct new_file *out, const struct exporter_format *format)
{
	struct exporter_options x = { .path = new_file_path(out),
				      .wide = o->wide,
				      .color = options_want_color(o, new_file_fd(out)) };
	struct err *err = path ? open_capture(o, path, &p->trace)
			       : captures_open_as_one(o, o->n_args == 1 || o->follow == YES,
						      &p->trace);
	p->left = o->limit ? o->limit : UINT64_MAX;
	if (!err)
		err = exporter_create(p->trace, format, new_file_fd(out), &x, &p->exporter);
	if (!err)
		err = filter_of(o->filter, "-Y", p, &p->filter, &p->rows);
	if (!err)
		err = filter_of(o->until, "--until", p, &p->until, &p->until_rows);
	return err;
}

/* The first event that must not be printed because --limit is reached. */
static uint64_t limit_end(struct printer *p, uint64_t to)
{
	const struct selection *rows = p->rows ? filter_run_rows(p->rows) : NULL;
	for (uint64_t seq = p->next; seq < to; seq++) {
		if (rows && (seq = selection_next(rows, seq)) >= to)
			break;
		if (--p->left == 0) {
			p->is_done = true;
			return seq + 1;
		}
	}
	return to;
}

/* Print the events that are new, up to the first one that --until matches. */
static struct err *printer_print(struct printer *p)
{
	uint64_t n = trace_n_events(p->trace), to = n;
	struct err *err = NULL;
	if (p->is_done)
		return NULL;
	if (p->until_rows) {
		err = filter_run_step(p->until_rows, UINT64_MAX, NULL);
		if (err)
			return err;
		uint64_t hit = selection_next(filter_run_rows(p->until_rows), p->next);
		if (hit < n) {
			p->is_done = true;
			to = hit + 1;
		}
	}
	if (p->rows)
		err = filter_run_step(p->rows, UINT64_MAX, NULL);
	if (!err)
		to = limit_end(p, to);
	if (!err)
		err = exporter_write(p->exporter, p->rows ? filter_run_rows(p->rows) : NULL,
				     p->next, to);
	if (!err)
		err = exporter_flush(p->exporter);
	p->next = to;
	return err;
}

static struct err *print_live(const struct options *o, const struct exporter_format *format,
			      const struct new_file *out, int *ret)
{
	CLEANUP(session) struct session *s = NULL;
	struct printer p = { 0 };
	struct follow_stdio io = { -1, new_file_is_stdout(out) ? STDERR_FILENO : -1, -1, -1 };
	/* the recorder applies --limit and --until, so all events in the capture are printed */
	struct options plain = *o;
	plain.until = NULL;
	plain.limit = 0;
	session_catch_signals();
	struct err *err = session_start(o, NULL, &io, &s);
	if (err)
		return err;
	s->is_temporary = true;
	err = printer_init(&p, &plain, s->now_at, out, format);
	for (;;) {
		struct trace_change change;
		session_poll(s);
		/* The events that it wrote before its last message are printed after that
		 * message. */
		bool is_last = s->ended || err || session_n_asked_to_end();
		if (is_last)
			session_finish(s, false);
		if (!err)
			err = trace_refresh(p.trace, &change);
		if (!err)
			err = printer_print(&p);
		if (is_last)
			break;
		struct pollfd fd = { .fd = s->control_fd, .events = POLLIN };
		poll(&fd, 1, 100);
	}
	if (!err) {
		err = exporter_close(p.exporter);
		p.exporter = NULL;
	}
	if (err && err->sys == EPIPE) { /* the reader of our output has closed it */
		err_destroy(err);
		err = NULL;
	}
	/* the capture is temporary, so its path is not reported */
	session_say(&s->end, NULL, o->quiet);
	*ret = err ? 1 : session_end_status(&s->end);
	printer_fini(&p);
	return err;
}

static struct err *print_file(const struct options *o, const struct exporter_format *format,
			      const struct new_file *out, int *ret)
{
	struct printer p = { 0 };
	struct err *err = printer_init(&p, o, NULL, out, format);
	/* With -f, follow a capture that is still being written to its end; of one that comes
	 * through a pipe that is always meant. */
	while (!err) {
		struct trace_change change;
		bool is_over = trace_is_over(p.trace),
		     follows = o->follow == YES || trace_is_stream(p.trace);
		err = printer_print(&p);
		if (err || is_over || !follows || p.is_done || trace_is_disturbed(p.trace))
			break;
		trace_wait(p.trace, 100);
		err = trace_refresh(p.trace, &change);
	}
	if (!err) {
		err = exporter_close(p.exporter);
		p.exporter = NULL;
	}
	if (err && err->sys == EPIPE) {
		err_destroy(err);
		err = NULL;
	}
	if (p.trace)
		capture_damage_say(o, o->args[0], p.trace);
	*ret = 0;
	printer_fini(&p);
	return err;
}

struct err *cmd_print(const struct options *o, int *ret)
{
	const struct exporter_format *format;
	struct err *err = exporter_find_checked(o->format ? o->format : "text", &format);
	if (err)
		return err;
	if (o->wide && strcmp(format->name, "text") != 0)
		return err_create(ERR_USAGE, "--wide is about text; %s is never cut", format->name);
	if (o->color == COLOR_ALWAYS && strcmp(format->name, "text") != 0)
		return err_create(ERR_USAGE, "--color is about text; %s has no colours",
				  format->name);
	bool live = o->n_pids || o->program;
	if (!live && !o->n_args)
		return err_with_hint(
		    err_create(ERR_USAGE,
			       "print needs one thing to print: a capture, -p PID or -- PROGRAM"),
		    "auditview print FILE, auditview print -p PID, auditview print -- PROGRAM");
	if (!format->is_stream)
		return err_with_hint(
		    err_create(ERR_USAGE, "print cannot write %s, which needs the whole capture",
			       format->name),
		    "auditview export FILE --format %s does", format->name);
	err = given_check_mine(o, format->name, format->shows_callers);
	if (!err && live)
		err = given_check(o, false);
	for (size_t i = 0; i < o->n_args && !err; i++)
		err = capture_check_not_same(o->args[i], o->output);
	if (err)
		return err;
	struct new_file *out;
	err = new_file_open(o->output ? o->output : "-",
			    live || o->follow == YES ? NEW_FILE_GROWS : 0, &out);
	if (err)
		return err;
	err = live ? print_live(o, format, out, ret) : print_file(o, format, out, ret);
	return new_file_end(out, err);
}
