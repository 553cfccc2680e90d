/*
 * holder: see holder.h. It reads the copy of the capture that the recorder keeps for it, as --until
 * does (until.h), so a hold and a display filter are the same language, and the event that is
 * printed is the one that was recorded.
 */
#include "commands/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/say.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "commands/doctor.h"
#include "commands/doctor_stacks.h"
#include "commands/open_capture.h"
#include "export/exporter.h"
#include "model/filter.h"
#include "model/trace.h"
#include "options.h"
#include "recorder/control.h"
#include "recorder/redact.h"

struct hold {
	uint32_t id;
	char *text; /* the filter */
	bool is_off, is_once;
	bool has_hit; /* the newest event matches, and is not ignored */
	uint64_t n_to_ignore, n_matched, n_ignored, n_held;
	/* on the copy that was last read; NULL: none yet */
	struct filter *filter;
	struct filter_run *run;
};

struct holder {
	VEC(struct hold) v;
	uint32_t last_id;
	bool has_changed;
	const char *action; /* of --do; NULL: hold until told otherwise */
	bool is_quiet, has_stdout, is_followed;
	bool is_redacted, has_native; /* of --do stacks: no secrets; events have native frames */
	struct trace *trace;          /* the copy that was last read; NULL: none yet */
	uint64_t n_before;
};

static void hold_stop(struct hold *hold)
{
	filter_run_destroy(hold->run);
	filter_destroy(hold->filter);
	hold->run = NULL;
	hold->filter = NULL;
}

static void hold_remove(struct holder *h, size_t i)
{
	hold_stop(&h->v.v[i]);
	free(h->v.v[i].text);
	for (; i + 1 < h->v.n; i++)
		h->v.v[i] = h->v.v[i + 1];
	h->v.n--;
	h->has_changed = true;
}

static struct err *hold_add(struct holder *h, const char *text, uint32_t flags,
			    uint64_t n_to_ignore)
{
	struct hold add = { .is_off = flags & HOLD_IS_OFF,
			    .is_once = flags & HOLD_IS_ONCE,
			    .n_to_ignore = n_to_ignore };
	if (strlen(text) >= HOLD_TEXT_BYTES)
		return err_create(ERR_USAGE, "a filter of more than %d bytes cannot hold",
				  HOLD_TEXT_BYTES - 1);
	if (h->v.n == HOLDS_MAX)
		return err_create(ERR_USAGE, "there are %d holds already, and that is the most",
				  HOLDS_MAX);
	add.text = strdup(text);
	if (!add.text || !vec_push(&h->v, add)) {
		free(add.text);
		return err_no_memory();
	}
	h->v.v[h->v.n - 1].id = ++h->last_id;
	h->has_changed = true;
	return NULL;
}

/* Does the command of --do run something that needs to be the tracer of the process? */
static bool is_tracer(const char *command)
{
	static const char *const names[] = { "gdb", "cgdb", "lldb", "strace", "ltrace" };
	if (!strstr(command, "{pid}") && !strstr(command, "AUDITVIEW_PID"))
		return false;
	for (const char *p = command; *p;) {
		size_t n = strcspn(p, " \t\n;|&()\"'`");
		const char *word = p;
		for (const char *c = p; c < p + n; c++)
			word = *c == '/' ? c + 1 : word;
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (strlen(names[i]) == (size_t)(p + n - word) &&
			    !strncmp(word, names[i], strlen(names[i])))
				return true;
		p += n + (p[n] != 0);
	}
	return false;
}

struct err *holder_create(const struct options *o, bool has_stdout, struct holder **ret)
{
	if (o->hold && o->may_drop)
		return err_create(ERR_USAGE,
				  "--hold makes the target wait, and --may-drop forbids it");
	bool is_followed = o->follow == YES || (o->follow == UNSET && o->program);
	if (o->hold_do && is_followed && is_tracer(o->hold_do))
		return err_with_hint(
		    err_create(ERR_USAGE, "--do: a debugger cannot attach to a process that "
					  "auditview follows, because a process has one tracer"),
		    "add --no-follow");
	struct err *err = o->hold ? capture_filter_check("--hold", o->hold) : NULL;
	CLEANUP(holder) struct holder *h = err ? NULL : calloc(1, sizeof(*h));
	if (!err && !h)
		err = err_no_memory();
	if (err)
		return err;
	*h = (struct holder){ .action = o->hold_do,
			      .is_quiet = o->quiet || o->hold_silently,
			      .has_stdout = has_stdout,
			      .is_followed = is_followed,
			      .is_redacted = o->redact != NO,
			      .has_native = o->stack == STACK_NATIVE || o->stack == STACK_BOTH };
	err = o->hold ? hold_add(h, o->hold, 0, o->hold_ignore) : NULL;
	if (!err)
		*ret = take_ptr(h);
	return err;
}

static void copy_close(struct holder *h)
{
	for (size_t i = 0; i < h->v.n; i++)
		hold_stop(&h->v.v[i]);
	trace_close(h->trace);
	h->trace = NULL;
}

void holder_destroy(struct holder *h)
{
	if (!h)
		return;
	while (h->v.n)
		hold_remove(h, h->v.n - 1);
	vec_fini(&h->v);
	copy_close(h);
	free(h);
}

static struct err *copy_open(struct holder *h, const struct hold_copy *copy)
{
	copy_close(h);
	int own = fcntl(copy->fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return err_sys(errno, "cannot read the capture to hold threads");
	h->n_before = copy->n_before;
	return trace_open_fd(own, "the capture", NULL, &h->trace);
}

/* Read what is new in the copy, and let all holds that are on run on it. */
static struct err *copy_read(struct holder *h, const struct hold_copy *copy, bool refresh)
{
	struct trace_change change;
	struct err *err = !h->trace || h->n_before != copy->n_before ? copy_open(h, copy)
			  : refresh ? trace_refresh(h->trace, &change)
				    : NULL;
	for (size_t i = 0; !err && i < h->v.n; i++) {
		struct hold *hold = &h->v.v[i];
		if (hold->is_off || hold->run)
			continue;
		err = filter_compile(hold->text, strlen(hold->text), h->trace, &hold->filter);
		if (!err)
			err = filter_run_create(h->trace, hold->filter, NULL, &hold->run);
	}
	return err;
}

static bool may_match(void *ctx, const struct hold_copy *copy, const char *name, uint32_t n_bytes)
{
	struct holder *h = ctx;
	struct err *err = copy_read(h, copy, false);
	bool may = err != NULL;
	for (size_t i = 0; !err && !may && i < h->v.n; i++)
		may = !h->v.v[i].is_off && filter_run_may_match_name(h->v.v[i].run, name, n_bytes);
	err_destroy(err); /* matches() will say it */
	return may;
}

static struct err *matches(void *ctx, const struct hold_copy *copy, uint64_t seq, uint32_t *ret)
{
	struct holder *h = ctx;
	struct err *err = copy_read(h, copy, true);
	*ret = 0;
	for (size_t i = 0; !err && i < h->v.n; i++) {
		struct hold *hold = &h->v.v[i];
		bool is_match = false;
		hold->has_hit = false;
		if (hold->is_off)
			continue;
		err = filter_run_matches(hold->run, seq, &is_match);
		if (err || !is_match)
			continue;
		hold->n_matched++;
		hold->has_hit = !hold->n_to_ignore;
		if (hold->n_to_ignore) {
			hold->n_to_ignore--;
			hold->n_ignored++;
		} else if (!*ret) {
			*ret = hold->id;
		}
	}
	if (!err)
		trace_trim(h->trace);
	return err;
}

/* ---- what the viewer changes ---- */

static struct err *change(void *ctx, const struct control_message *m)
{
	struct holder *h = ctx;
	if (m->request == CONTROL_HOLD) {
		struct err *err = capture_filter_check("hold", m->path);
		return err ? err : hold_add(h, m->path, m->flags, m->argument);
	}
	for (size_t i = h->v.n; i-- > 0;) {
		struct hold *hold = &h->v.v[i];
		if (m->argument && hold->id != m->argument)
			continue;
		if (m->request == CONTROL_HOLD_IGNORE) {
			hold->n_to_ignore = m->flags;
		} else if (m->request == CONTROL_HOLD_REMOVE) {
			hold_remove(h, i);
		} else {
			hold->is_off = m->flags & HOLD_IS_OFF;
			h->has_changed = true;
		}
	}
	return NULL;
}

static bool is_any(void *ctx)
{
	const struct holder *h = ctx;
	for (size_t i = 0; i < h->v.n; i++)
		if (!h->v.v[i].is_off)
			return true;
	return false;
}

static bool has_changed(void *ctx)
{
	struct holder *h = ctx;
	bool is = h->has_changed;
	h->has_changed = false;
	return is;
}

static void list(void *ctx, struct hold_list *to)
{
	const struct holder *h = ctx;
	to->n = (uint32_t)h->v.n;
	for (size_t i = 0; i < h->v.n; i++) {
		const struct hold *hold = &h->v.v[i];
		struct hold_row *c = &to->v[i];
		c->id = hold->id;
		c->flags = (hold->is_off ? HOLD_IS_OFF : 0) | (hold->is_once ? HOLD_IS_ONCE : 0);
		c->n_to_ignore = hold->n_to_ignore;
		c->n_matched = hold->n_matched;
		c->n_ignored = hold->n_ignored;
		c->n_held = hold->n_held;
		snprintf(c->text, sizeof(c->text), "%s", hold->text);
	}
}

/* ---- what is done ---- */

/* The event as `print` shows it, with its stack if that is asked for. */
static void say_event(const struct holder *h, uint64_t seq, bool with_stack)
{
	const struct exporter_options x = { .stacks = with_stack, .events_only = true };
	struct exporter *exporter = NULL;
	struct err *err = exporter_create(h->trace, exporter_find("text"), STDERR_FILENO, &x,
					  &exporter);
	if (!err)
		err = exporter_write(exporter, NULL, seq, seq + 1);
	if (!err) {
		err = exporter_close(exporter);
		exporter = NULL;
	}
	exporter_destroy(exporter);
	err_destroy(err);
}

/* The text of --do with the numbers of the thread: {pid} {tid} {seq}. Nothing that a target chose
 * gets into a command line. */
static char *command_of(const char *text, const struct hold_info *info)
{
	struct strbuf b = { 0 };
	for (const char *p = text; *p;) {
		if (!strncmp(p, "{pid}", 5) || !strncmp(p, "{tid}", 5)) {
			strbuf_add_u64(&b, (uint64_t)(p[1] == 'p' ? info->pid : info->tid));
			p += 5;
		} else if (!strncmp(p, "{seq}", 5)) {
			strbuf_add_u64(&b, info->seq);
			p += 5;
		} else {
			strbuf_addc(&b, *p++);
		}
	}
	return strbuf_take(&b);
}

static void setenv_number(const char *name, uint64_t number)
{
	char text[24];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	setenv(name, text, 1);
}

/* What is done while a thread is held, in a process of its own. Returns whether it succeeded. */
typedef bool action(const struct holder *h, const struct hold_info *info);

/* --do stacks */
static bool stacks_say(const struct holder *h, const struct hold_info *info)
{
	struct strbuf text = { 0 };
	struct doctor_style style = { .locals = true, .held_tid = info->tid };
	struct err *err = h->is_redacted ? redactor_create(&style.redactor) : NULL;
	if (!err)
		err = doctor_stacks_report(info->pid, &style, &text);
	if (err) {
		say_error("cannot read the stacks of process %d: %s", (int)info->pid, err->message);
		say_event(h, info->seq, true); /* at least its own, of the capture */
	} else {
		say_error_text(&text);
	}
	bool ok = !err;
	err_destroy(err);
	redactor_destroy(style.redactor);
	strbuf_fini(&text);
	return ok;
}

/* --do COMMAND */
static bool command_run(const struct holder *h, const struct hold_info *info)
{
	int status = -1;
	sigset_t none;
	char *command = command_of(h->action, info);
	pid_t pid = command ? fork() : -1;
	if (pid == 0) {
		static const int signals[] = { SIGINT, SIGQUIT, SIGPIPE, SIGHUP, SIGTSTP };
		for (size_t i = 0; i < ARRAY_LEN(signals); i++)
			signal(signals[i], SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (!h->has_stdout)
			dup2(STDERR_FILENO, STDOUT_FILENO);
		setenv_number("AUDITVIEW_PID", (uint64_t)info->pid);
		setenv_number("AUDITVIEW_TID", (uint64_t)info->tid);
		setenv_number("AUDITVIEW_SEQ", info->seq);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		say_error("cannot run /bin/sh: %s", strerror(errno));
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && status != 0)
		say_error("the command of --do ended with %s %d",
			  WIFSIGNALED(status) ? "signal" : "status",
			  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	free(command);
	return pid > 0 && status == 0;
}

/* Returns the descriptor whose end is that of the action, with one byte before: has it failed? -1:
 * it cannot be run. */
static int action_start(const struct holder *h, const struct hold_info *info, action *run)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	/* The recorder waits for all children (follow_poll()), so this one is not its child. */
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0); /* the default */
			char failed = !run(h, info);
			_exit(write(fds[1], &failed, 1) < 0);
		}
		_exit(pid < 0);
	}
	close(fds[1]);
	int status = -1;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0 || status != 0) {
		close(fds[0]);
		return -1;
	}
	return fds[0];
}

static int begin(void *ctx, const struct hold_copy *copy, const struct hold_info *info)
{
	struct holder *h = ctx;
	(void)copy;
	for (size_t i = h->v.n; i-- > 0;) {
		struct hold *hold = &h->v.v[i];
		hold->n_held += hold->id == info->hold;
		if (hold->has_hit && hold->is_once)
			hold_remove(h, i);
	}
	bool is_stacks = h->action && !strcmp(h->action, "stacks");
	if (!h->is_quiet || is_stacks) {
		say_error("held before it happens, the thread %d of process %d:", (int)info->tid,
			  (int)info->pid);
		say_event(h, info->seq, is_stacks && h->has_native);
	}
	if (!h->action) {
		if (!h->is_quiet)
			say_error("kill -USR2 %d continues it; %s", (int)getpid(),
				  h->is_followed ? "a debugger needs --no-follow"
						 : "a debugger can attach meanwhile");
		return HOLD_KEEP;
	}
	if (!strcmp(h->action, "continue"))
		return HOLD_CONTINUE;
	int fd = action_start(h, info, is_stacks ? stacks_say : command_run);
	if (fd < 0)
		say_error("cannot do what --do says: %s", strerror(errno));
	return fd < 0 ? HOLD_CONTINUE : fd;
}

struct hold_options holder_options(struct holder *h)
{
	if (!h)
		return (struct hold_options){ 0 };
	return (struct hold_options){ .may_match = may_match,
				      .matches = matches,
				      .begin = begin,
				      .is_any = is_any,
				      .change = change,
				      .list = list,
				      .has_changed = has_changed,
				      .ctx = h };
}
