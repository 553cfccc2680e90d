/*
 * live: see live.h. Sessions that the screen has closed are kept until the end, so that their
 * messages are printed after the terminal is restored.
 */
#include "commands/live.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/vec.h"
#include "commands/doctor.h"
#include "commands/given.h"
#include "commands/judge.h"
#include "commands/keeper.h"
#include "commands/kept_view.h"
#include "commands/doctor_stacks.h"
#include "commands/now.h"
#include "commands/pythons.h"
#include "commands/session.h"
#include "model/catalog.h"
#include "model/trace.h"
#include "options.h"
#include "recorder/redact.h"
#include "stacks/snapshot.h"
#include "system/proc_file.h"
#include "visit/access.h"

struct live {
	struct session *session;
	char *path;
	char *keep;             /* --keep; NULL: not given */
	struct kept_view *kept; /* with --keep: where the trace of the screen comes from */
	struct keeper keeper;   /* keeps the terminal of the program */
	/* of a thread that is held, as it was last asked for; NULL: none, or it cannot be read */
	struct snapshot *snapshot;
	uint64_t snapshot_since_ns;
	pid_t snapshot_tid;
	struct redactor *redactor; /* of its variables; NULL: not made yet */
	bool keeps_secrets;        /* --no-redact */
	struct now *now;           /* NULL: it was not asked for, or memory is short */
	bool launched;
	bool may_drop;
	bool waits; /* the session ends when the program has ended */
	/* ask what to do with the program on leaving, because --on-exit was not given */
	bool asks;
};

static VEC(struct live *) all;

/* ---- one session ---- */

static struct err *live_send(struct live *l, enum control_request request)
{
	if (l->session->ended)
		return err_create(ERR_TARGET_GONE, "the recorder has ended");
	session_request(l->session, request);
	return NULL;
}

static struct err *live_pause(void *ctx, bool on)
{
	return live_send(ctx, on ? CONTROL_PAUSE : CONTROL_RESUME);
}

static struct err *live_detach(void *ctx)
{
	return live_send(ctx, CONTROL_LEAVE);
}

static struct err *live_attach(void *ctx)
{
	return live_send(ctx, CONTROL_ATTACH);
}

static struct err *live_follow(void *ctx, bool on)
{
	return on ? live_send(ctx, CONTROL_FOLLOW)
		  : err_create(ERR_UNSUPPORTED,
			       "children that are followed stay followed until the end");
}

static bool live_is_alive(void *ctx)
{
	struct live *l = ctx;
	return !l->session->ended;
}

static bool live_task(void *ctx, uint32_t pid, uint64_t tid, struct app_task *ret)
{
	return pid <= INT_MAX && tid <= INT_MAX &&
	       proc_thread_state((pid_t)pid, (pid_t)tid, &ret->state, &ret->syscall);
}

static bool live_reads_terminal(void *ctx, uint32_t pid, int terminal_fd)
{
	char name[64];
	return pid <= INT_MAX && !ptsname_r(terminal_fd, name, sizeof(name)) &&
	       proc_reads_file((pid_t)pid, name);
}

static int live_fd(void *ctx)
{
	struct live *l = ctx;
	return l->session->ended ? -1 : l->session->control_fd;
}

static void live_read(void *ctx)
{
	struct live *l = ctx;
	session_poll(l->session);
}

static const char *live_keeps(void *ctx)
{
	struct live *l = ctx;
	return l->keep;
}

static struct err *live_dump(void *ctx, const char *path)
{
	struct live *l = ctx;
	if (!l->keep)
		return err_with_hint(err_create(ERR_UNSUPPORTED, "this session keeps everything"),
				     "w writes a part of it; auditview --keep 64M keeps the "
				     "newest events only");
	if (l->session->ended)
		return err_create(ERR_TARGET_GONE, "the recorder has ended; what was kept is in %s",
				  l->path);
	return session_dump(l->session, path);
}

static struct err *live_continue_held(void *ctx)
{
	return live_send(ctx, CONTROL_CONTINUE);
}

static struct err *hold_ask(struct live *l, enum control_request request, uint64_t argument,
			    uint32_t flags, const char *text)
{
	if (l->session->ended)
		return err_create(ERR_TARGET_GONE, "the recorder has ended");
	if (l->may_drop)
		return err_create(ERR_USAGE,
				  "a hold makes the target wait, and --may-drop forbids it");
	return session_hold(l->session, request, argument, flags, text);
}

static struct err *live_hold(void *ctx, const char *filter, bool once)
{
	return hold_ask(ctx, CONTROL_HOLD, 0, once ? HOLD_IS_ONCE : 0, filter);
}

static struct err *live_unhold(void *ctx, uint32_t id)
{
	return hold_ask(ctx, CONTROL_HOLD_REMOVE, id, 0, NULL);
}

static struct err *live_hold_switch(void *ctx, uint32_t id, bool on)
{
	return hold_ask(ctx, CONTROL_HOLD_SWITCH, id, on ? 0 : HOLD_IS_OFF, NULL);
}

static struct err *live_hold_ignore(void *ctx, uint32_t id, uint32_t n)
{
	return hold_ask(ctx, CONTROL_HOLD_IGNORE, id, n, NULL);
}

static const struct hold_list *live_holds(void *ctx)
{
	static const struct hold_list none;
	const struct live *l = ctx;
	return l->session->ended ? &none : &l->session->holds;
}

/* Frame number `frame` of a stack; NULL: it is not in the snapshot. */
static const struct snapshot_frame *frame_of(const struct snapshot_thread *t, uint32_t frame)
{
	uint32_t n_left_out = t->n_frames - t->n_shown;
	if (frame >= t->n_frames ||
	    (frame >= t->left_out_at && frame - t->left_out_at < n_left_out))
		return NULL;
	frame -= frame >= t->left_out_at ? n_left_out : 0;
	return frame < t->n_shown ? &t->frames[frame] : NULL;
}

static bool live_locals(void *ctx, const struct held_row *held, uint32_t frame, struct strbuf *to)
{
	struct live *l = ctx;
	if (l->snapshot_since_ns != held->since_ns || l->snapshot_tid != held->tid) {
		snapshot_destroy(l->snapshot);
		l->snapshot = NULL;
		l->snapshot_since_ns = held->since_ns;
		l->snapshot_tid = held->tid;
		err_destroy(doctor_stacks_take(held->pid, &l->snapshot));
	}
	if (!l->keeps_secrets && !l->redactor)
		err_destroy(redactor_create(&l->redactor));
	if (!l->keeps_secrets && !l->redactor)
		return false;
	for (size_t i = 0; l->snapshot && i < l->snapshot->n_threads; i++) {
		const struct snapshot_thread *t = &l->snapshot->threads[i];
		const struct snapshot_frame *f = t->tid == held->tid && t->kind == SNAPSHOT_STACK
						     ? frame_of(t, frame)
						     : NULL;
		if (f && f->locals) {
			doctor_stacks_add_locals(f, l->redactor, "", to);
			return true;
		}
	}
	return false;
}

static void live_now_ask(void *ctx, const struct app_now_wish *of, size_t n)
{
	struct live *l = ctx;
	if (!l->now)
		l->now = now_create();
	if (l->now)
		now_ask(l->now, of, n);
}

static int live_now_fd(void *ctx)
{
	const struct live *l = ctx;
	return l->now ? now_fd(l->now) : -1;
}

static const struct app_now *live_now(void *ctx)
{
	struct live *l = ctx;
	return l->now ? now_get(l->now) : NULL;
}

static bool live_answer(void *ctx, char *ret, size_t n_ret, bool *ret_failed)
{
	struct live *l = ctx;
	if (!l->session->has_answer)
		return false;
	l->session->has_answer = false;
	snprintf(ret, n_ret, "%s", l->session->answer);
	*ret_failed = l->session->answer_failed;
	return true;
}

static struct trace *live_renew(void *ctx, struct trace *shown, bool is_frozen)
{
	struct live *l = ctx;
	return l->kept ? kept_view_renew(l->kept, shown, is_frozen) : NULL;
}

static bool live_must_ask(void *ctx)
{
	struct live *l = ctx;
	return l->launched && l->asks && !l->session->ended &&
	       l->session->last.end.target_ended != END_YES;
}

static struct err *live_leave(void *ctx, int how)
{
	struct live *l = ctx;
	switch (how) {
	case 'w': l->waits = true; return live_send(l, CONTROL_WAIT);
	case 't': l->waits = true; return live_send(l, CONTROL_TERM);
	case 'k': l->waits = true; return live_send(l, CONTROL_KILL);
	default: return live_send(l, CONTROL_RELEASE);
	}
}

static void live_close(void *ctx)
{
	struct live *l = ctx;
	if (!l->session->ended && !l->waits)
		session_request(l->session, CONTROL_DETACH);
	keeper_take_over(&l->keeper);
	kept_view_destroy(take_ptr(l->kept));
	snapshot_destroy(take_ptr(l->snapshot));
	redactor_destroy(take_ptr(l->redactor));
	now_destroy(take_ptr(l->now));
}

static const struct app_live_ops live_ops = {
	.pause = live_pause,
	.detach = live_detach,
	.attach = live_attach,
	.follow_children = live_follow,
	.is_alive = live_is_alive,
	.task = live_task,
	.reads_terminal = live_reads_terminal,
	.fd = live_fd,
	.read = live_read,
	.keeps = live_keeps,
	.dump = live_dump,
	.continue_held = live_continue_held,
	.hold = live_hold,
	.unhold = live_unhold,
	.hold_switch = live_hold_switch,
	.hold_ignore = live_hold_ignore,
	.holds = live_holds,
	.locals = live_locals,
	.now_ask = live_now_ask,
	.now_fd = live_now_fd,
	.now = live_now,
	.answer = live_answer,
	.renew = live_renew,
	.must_ask = live_must_ask,
	.leave = live_leave,
	.close = live_close,
};

/* A program that is shown on a screen gets a terminal of its own, or, with --no-tty, a file
 * (session.c). */
static struct err *stdio_open(const struct options *o, struct follow_stdio *io, int *ret_master)
{
	*io = (struct follow_stdio){ -1, -1, -1, -1 };
	*ret_master = -1;
	if (!o->program || o->no_tty)
		return NULL;
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	int slave;
	if (openpty(ret_master, &slave, NULL, NULL, &size) < 0)
		return err_sys(errno, "cannot make a terminal for %s", o->program[0]);
	fcntl(*ret_master, F_SETFD, FD_CLOEXEC);
	fcntl(*ret_master, F_SETFL, fcntl(*ret_master, F_GETFL) | O_NONBLOCK);
	fcntl(slave, F_SETFD, FD_CLOEXEC);
	io->terminal = slave;
	return NULL;
}

/* The recorder writes its first block within moments, so wait for it. */
static struct err *trace_open_soon(const char *path, struct trace **ret)
{
	for (unsigned i = 0;; i++) {
		struct err *err = trace_open(path, NULL, ret);
		if (!err || i > 100 || (err->code != ERR_CORRUPT && err->code != ERR_NOT_FOUND))
			return err;
		err_destroy(err);
		poll(NULL, 0, 10);
	}
}

struct err *live_source_start(const struct options *given, struct app_source *ret)
{
	struct follow_stdio io;
	struct app_source source = { .live = &live_ops, .terminal_fd = -1 };
	struct options on_screen = *given;
	const struct options *o = &on_screen;
	on_screen.hold_silently = true;
	if (o->hold_do)
		return err_with_hint(
		    err_create(ERR_USAGE, "--do is for a session without a screen"),
		    "auditview record --hold … --do …; on the screen C continues");
	struct err *err = stdio_open(o, &io, &source.terminal_fd);
	struct live *l = calloc(1, sizeof(*l));
	if (l)
		l->keeper = KEEPER_NONE;
	if (!err && !l)
		err = err_no_memory();
	if (!err && source.terminal_fd >= 0)
		err = keeper_start(source.terminal_fd, &l->keeper);
	if (!err && source.terminal_fd >= 0 &&
	    !(session_keep_from_recorders(source.terminal_fd) &&
	      session_keep_from_recorders(l->keeper.fd)))
		err = err_no_memory();
	if (!err)
		err = session_start(o, o->output, &io, &l->session);
	if (io.terminal >= 0)
		close(io.terminal);
	if (io.in >= 0)
		close(io.in);
	if (!err && o->keep && !(l->keep = strdup(o->keep)))
		err = err_no_memory();
	if (!err && o->keep)
		err = kept_view_create(l->session->path, l->session->now_at, o->keep, &l->kept,
				       &source.trace);
	else if (!err)
		err = trace_open_soon(l->session->now_at, &source.trace);
	if (!err && (!(l->path = strdup(l->session->path)) ||
		     !(source.path = strdup(o->keep ? "-" : l->path)) || !vec_push(&all, l)))
		err = err_no_memory();
	if (err) {
		session_close(source.terminal_fd);
		trace_close(source.trace);
		free(source.path);
		if (l) {
			keeper_lives(&l->keeper);
			session_destroy(l->session);
			kept_view_destroy(l->kept);
			free(l->path);
			free(l->keep);
		}
		free(l);
		return err;
	}
	l->launched = o->program != NULL;
	l->may_drop = o->may_drop;
	l->keeps_secrets = o->redact == NO;
	l->asks = o->on_exit == ON_EXIT_WAIT;
	source.live_ctx = l;
	*ret = source;
	return NULL;
}

void live_farewell(bool quiet, int *ret_status)
{
	for (size_t i = 0; i < all.n; i++) {
		struct live *l = all.v[i];
		session_finish(l->session, l->waits);
		if (keeper_lives(&l->keeper))
			l->session->end.keeper_pid = (int32_t)l->keeper.pid;
		session_say(&l->session->end, session_place(l->session), quiet);
		session_say_output(l->session, quiet);
		*ret_status = session_end_status(&l->session->end);
		session_destroy(l->session);
		kept_view_destroy(l->kept);
		free(l->path);
		free(l->keep);
		free(l);
	}
	vec_fini(&all);
}

/* ---- the start page ---- */

struct live_start {
	const struct options *options;
	struct judge *judge;
};

struct err *live_start_create(const struct options *o, struct live_start **ret)
{
	struct live_start *s = calloc(1, sizeof(*s));
	if (!s)
		return err_no_memory();
	s->options = o;
	struct err *err = judge_create(access_check, &s->judge);
	if (err) {
		free(s);
		return err;
	}
	*ret = s;
	return NULL;
}

void live_start_destroy(struct live_start *s)
{
	if (!s)
		return;
	judge_destroy(s->judge);
	free(s);
}

static struct err *start_look(void *ctx)
{
	struct live_start *s = ctx;
	return judge_look(s->judge);
}

static int start_fd(void *ctx)
{
	struct live_start *s = ctx;
	return judge_fd(s->judge);
}

static bool start_read(void *ctx)
{
	struct live_start *s = ctx;
	return judge_read(s->judge);
}

static struct err *start_list(void *ctx, const struct app_process **ret, size_t *ret_n,
			      bool *ret_done)
{
	struct live_start *s = ctx;
	*ret = judge_rows(s->judge, ret_n, ret_done);
	return NULL;
}

static struct err *start_attach(void *ctx, int pid, struct app_source *ret)
{
	struct live_start *s = ctx;
	struct options o = *s->options;
	o.pids = &pid;
	o.n_pids = 1;
	o.program = NULL;
	return live_source_start(&o, ret);
}

static struct err *start_open(void *ctx, const char *path, struct app_source *ret)
{
	(void)ctx;
	struct app_source source = { .terminal_fd = -1 };
	struct err *err = trace_open(path, NULL, &source.trace);
	if (err)
		return err;
	source.path = strdup(path);
	if (!source.path) {
		trace_close(source.trace);
		return err_no_memory();
	}
	*ret = source;
	return NULL;
}

/* A script that selects a Python, such as those of pyenv, may be hundreds of lines of shell. Run
 * the Python that it selects. */
static struct err *without_script(char **python)
{
	struct python_program program;
	if (!given_is_script(*python))
		return NULL;
	struct err *err = pythons_ask(*python, &program);
	free(*python);
	*python = err ? NULL : program.path;
	return err;
}

static struct err *start_run(void *ctx, const char *event, const char *code, struct app_source *ret)
{
	struct live_start *s = ctx;
	if (!code && event) {
		const struct catalog_event *e = catalog_find_str(event);
		if (!e || !e->example)
			return err_create(ERR_NOT_FOUND, "%s has no example that could be run",
					  event);
		code = e->example;
	}
	if (!code)
		return err_create(ERR_USAGE, "nothing to run");
	/* isolated, as `auditview try` and `auditview lesson` run it, so that only events of the
	 * code are counted */
	char isolated[] = "-I", no_site[] = "-S", flag[] = "-c", *python;
	struct err *err = given_python(s->options->python, &python);
	if (!err)
		err = without_script(&python);
	if (err)
		return err;
	char *text = strdup(code), *argv[] = { python, isolated, no_site, flag, text, NULL };
	struct options o = *s->options;
	o.n_pids = 0;
	o.program = argv;
	err = text ? live_source_start(&o, ret) : err_no_memory();
	free(argv[0]);
	free(text);
	return err;
}

static void start_doctor(void *ctx, int pid, struct strbuf *to)
{
	(void)ctx;
	bool is_ready;
	struct doctor_style style = { 0 }; /* no width: the box wraps it */
	struct err *err = doctor_report(pid, &style, to, &is_ready);
	if (err)
		strbuf_addf(to, "%s\n", err->message);
	err_destroy(err);
}

const struct app_start_ops live_start_ops = {
	.look = start_look,
	.fd = start_fd,
	.read = start_read,
	.list = start_list,
	.attach = start_attach,
	.open = start_open,
	.run = start_run,
	.doctor = start_doctor,
};
