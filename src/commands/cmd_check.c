/*
 * cmd_check: what a run does that a profile does not have. Exit status 0: nothing; 3: something,
 * which is listed with the stack of its first event.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/say.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "command.h"
#include "commands/given.h"
#include "commands/json_writer.h"
#include "commands/open_capture.h"
#include "commands/session.h"
#include "model/filter.h"
#include "model/gist.h"
#include "model/profile.h"
#include "model/trace.h"

#define PROFILE_MAX_BYTES (64u << 20)
#define FRAMES_SHOWN      64

static struct err *profile_open(const char *path, struct profile *p)
{
	struct strbuf text = { 0 };
	char chunk[65536];
	int fd = -1;
	ssize_t n = 0;
	struct err *err = io_open_input(path, &fd);
	if (err)
		return err;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0 && text.n <= PROFILE_MAX_BYTES)
		strbuf_add(&text, chunk, (size_t)n);
	if (n < 0)
		err = err_sys(errno, "cannot read %s", path);
	else if (text.n > PROFILE_MAX_BYTES)
		err = err_create(ERR_UNSUPPORTED, "%s is too large for a profile", path);
	else if (text.failed)
		err = err_no_memory();
	if (!err)
		err = profile_read(p, strbuf_str(&text), text.n);
	if (err && err->code == ERR_SYNTAX)
		err = err_with_hint(err_wrap(err, "cannot read %s", path),
				    "auditview profile run.avc -o FILE makes a profile");
	close(fd);
	strbuf_fini(&text);
	return err;
}

/* ---- the list of what is new ---- */

static void add_frame(struct strbuf *to, struct trace *t, uint32_t frame)
{
	struct frame_info f;
	size_t n;
	if (!trace_frame(t, frame, &f) || f.kind != FRAME_PYTHON)
		return;
	strbuf_adds(to, "      ");
	const char *file = trace_string(t, f.file, &n);
	utf8_escape(to, file, n, 0);
	strbuf_addf(to, ":%u ", f.line);
	const char *function = trace_string(t, f.function, &n);
	utf8_escape(to, function, n, 0);
	strbuf_addc(to, '\n');
}

static void add_news(struct strbuf *to, struct trace *t, const struct profile_thing *thing)
{
	struct event e;
	size_t n;
	uint32_t frames[FRAMES_SHOWN];
	strbuf_addf(to, "+ [%s] %s  %s\n", thing->package, thing->kind, thing->text);
	if (!trace_event(t, thing->first_seq, &e))
		return;
	strbuf_adds(to, "    ");
	const char *name = trace_name(t, e.name, &n);
	utf8_escape(to, name, n, 0);
	strbuf_addc(to, ' ');
	gist_add_event(to, t, &e, 0);
	if (thing->n_events > 1)
		strbuf_addf(to, "  (%llu times)", (unsigned long long)thing->n_events);
	strbuf_addc(to, '\n');
	uint32_t depth = trace_stack_frames(t, e.stack, frames, FRAMES_SHOWN);
	for (uint32_t i = 0; i < depth && i < FRAMES_SHOWN; i++)
		add_frame(to, t, frames[i]);
	if (depth > FRAMES_SHOWN)
		strbuf_addf(to, "      … %u more frame%s\n", depth - FRAMES_SHOWN,
			    depth == FRAMES_SHOWN + 1 ? "" : "s");
}

static void json_frame(struct json_writer *json, struct trace *t, uint32_t frame)
{
	struct frame_info f;
	size_t n;
	if (!trace_frame(t, frame, &f) || f.kind != FRAME_PYTHON)
		return;
	struct strbuf text = { 0 };
	json_writer_open(json, NULL, '{');
	const char *function = trace_string(t, f.function, &n);
	strbuf_add(&text, function, n);
	json_writer_text(json, "func", strbuf_str(&text));
	strbuf_clear(&text);
	const char *file = trace_string(t, f.file, &n);
	strbuf_add(&text, file, n);
	json_writer_text(json, "file", strbuf_str(&text));
	json->to->failed |= text.failed;
	strbuf_fini(&text);
	json_writer_number(json, "line", f.line);
	json_writer_close(json, '}');
}

static void json_news(struct json_writer *json, struct trace *t, const struct profile_thing *thing)
{
	struct event e;
	uint32_t frames[FRAMES_SHOWN];
	json_writer_open(json, NULL, '{');
	json_writer_text(json, "package", thing->package);
	json_writer_text(json, "kind", thing->kind);
	json_writer_text(json, "text", thing->text);
	json_writer_number(json, "events", (int64_t)thing->n_events);
	json_writer_number(json, "first_seq", (int64_t)thing->first_seq);
	json_writer_open(json, "stack", '[');
	if (trace_event(t, thing->first_seq, &e)) {
		uint32_t depth = trace_stack_frames(t, e.stack, frames, FRAMES_SHOWN);
		for (uint32_t i = 0; i < depth && i < FRAMES_SHOWN; i++)
			json_frame(json, t, frames[i]);
	}
	json_writer_close(json, ']');
	json_writer_close(json, '}');
}

/* Compare, and print. *ret_n: the number of new things. */
static struct err *compare(const struct options *o, struct trace *t, const struct profile *known,
			   size_t *ret_n)
{
	CLEANUP(profile) struct profile *seen = NULL;
	struct shown shown = { 0 };
	struct strbuf to = { 0 };
	struct json_writer json = { .to = &to };
	size_t n = 0;
	struct err *err = profile_create(&seen);
	if (!err)
		err = capture_shown_make(o, t, &shown);
	if (!err)
		err = profile_add(seen, t, shown.run ? filter_run_rows(shown.run) : NULL);
	capture_shown_fini(&shown);
	if (err)
		return err;
	const struct profile_thing *things = profile_things(seen, &n);
	*ret_n = 0;
	if (o->json) {
		json_writer_open(&json, NULL, '{');
		json_writer_number(&json, "v", 1);
		json_writer_open(&json, "new", '[');
	}
	for (size_t i = 0; i < n; i++) {
		if (profile_has(known, &things[i]))
			continue;
		++*ret_n;
		if (o->json)
			json_news(&json, t, &things[i]);
		else
			add_news(&to, t, &things[i]);
	}
	if (o->json) {
		json_writer_close(&json, ']');
		json_writer_close(&json, '}');
		strbuf_addc(&to, '\n');
	} else {
		strbuf_addf(&to, "%zu new, %zu known\n", *ret_n, n - *ret_n);
	}
	if (to.failed)
		err = err_no_memory();
	else if (!say_text(&to))
		err = err_sys(errno, "cannot write to standard output");
	strbuf_fini(&to);
	return err;
}

/* ---- what is checked ---- */

static struct err *check_capture(const struct options *o, const struct profile *known,
				 size_t *ret_n)
{
	CLEANUP(trace) struct trace *t = NULL;
	struct err *err = open_capture_whole(o, o->args[1], &t);
	if (!err)
		err = compare(o, t, known, ret_n);
	if (t)
		capture_damage_say(o, o->args[1], t);
	return err;
}

static struct err *check_live(const struct options *o, const struct profile *known, size_t *ret_n,
			      int *ret_status)
{
	CLEANUP(session) struct session *session = NULL;
	CLEANUP(trace) struct trace *t = NULL;
	struct follow_stdio io = { -1, STDERR_FILENO, -1, -1 };
	struct err *err = given_check(o, false);
	if (err)
		return err;
	session_catch_signals();
	err = session_start(o, NULL, &io, &session);
	if (!err) {
		session->is_temporary = true;
		session_finish(session, true);
		err = trace_open(session_place(session), NULL, &t);
	}
	if (!err)
		err = compare(o, t, known, ret_n);
	if (session) {
		session_say(&session->end, NULL, o->quiet);
		*ret_status = session_end_status(&session->end);
	}
	session_release_signals();
	return err;
}

struct err *cmd_check(const struct options *o, int *ret)
{
	CLEANUP(profile) struct profile *known = NULL;
	size_t n_new = 0;
	int status = 0;
	bool is_live = o->program || o->n_pids;
	if ((o->n_args == 2) == is_live)
		return err_with_hint(
		    err_create(ERR_USAGE, "check needs a profile and one thing to compare with it"),
		    "auditview check app.profile run.avc, or check app.profile -- PROGRAM");
	/* A profile that cannot be read is an error before the program runs. */
	struct err *err = profile_create(&known);
	if (!err)
		err = profile_open(o->args[0], known);
	if (!err)
		err = is_live ? check_live(o, known, &n_new, &status)
			      : check_capture(o, known, &n_new);
	if (!err)
		*ret = n_new ? STATUS_NEWS : status;
	return err;
}
