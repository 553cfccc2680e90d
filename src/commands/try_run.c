#include "commands/try_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "commands/session.h"
#include "model/catalog.h"
#include "model/gist.h"
#include "model/trace.h"
#include "options.h"

#define EVENT_CELLS        26
#define CALLER_CELLS       20
#define INTERRUPT_GRACE_NS 2000000000ull

static struct err *open_null(struct follow_stdio *io, bool is_quiet, int *ret_null)
{
	*ret_null = -1;
	*io = (struct follow_stdio){ -1, STDERR_FILENO, -1, -1 };
	if (!is_quiet)
		return NULL;
	*ret_null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (*ret_null < 0)
		return err_sys(errno, "cannot open /dev/null");
	*io = (struct follow_stdio){ *ret_null, *ret_null, *ret_null, -1 };
	return NULL;
}

char **try_argv(const struct python_program *python, const struct try_code *code)
{
	size_t n = 0, at = 0;

	while (code->args && code->args[n])
		n++;
	char **argv = calloc(n + 6, sizeof(*argv));

	if (!argv)
		return NULL;
	argv[at++] = python->path;
	if (code->is_isolated) {
		argv[at++] = (char *)(uintptr_t) "-I";
		argv[at++] = (char *)(uintptr_t) "-S";
	}
	if (code->text)
		argv[at++] = (char *)(uintptr_t) "-c";
	argv[at++] = (char *)(uintptr_t)(code->text ? code->text : code->script);
	for (size_t i = 0; i < n; i++)
		argv[at++] = code->args[i];
	return argv;
}

static struct err *capture(const struct options *o, char **argv, const struct try_code *code,
			   const char *path, struct try_result *r)
{
	CLEANUP(session) struct session *session = NULL;
	struct options own = *o;
	struct follow_stdio io;
	int null_fd;
	struct err *err = open_null(&io, code->is_quiet, &null_fd);

	if (err)
		return err;
	own.program = argv;
	own.n_pids = 0;
	own.follow = o->follow == NO ? NO : YES;
	own.on_exit = ON_EXIT_KILL;
	err = session_start(&own, path, &io, &session);
	if (null_fd >= 0)
		close(null_fd);
	if (err)
		return err;
	session_catch_signals();
	unsigned n_signals = session_n_signals();
	bool has_ended = session_wait(session,
				      code->timeout_ns ? code->timeout_ns : UINT64_MAX / 2);
	r->was_interrupted = session_n_signals() != n_signals;
	if (!has_ended && r->was_interrupted) /* the code got the Ctrl-C too */
		has_ended = session_wait(session, INTERRUPT_GRACE_NS);
	if (!has_ended) {
		r->was_ended = !r->was_interrupted;
		session_request(session, CONTROL_KILL);
		session_wait(session, 5000000000ull);
	}
	session_finish(session, false);
	session_release_signals();
	r->status = session_end_status(&session->end);
	r->has_failed = session_end_failed(&session->end);
	/* Usually nothing is printed, because only the code matters. But an incomplete result must
	 * not look complete. */
	if (r->has_failed || session_end_n_lost(&session->end) || !session->end.is_loss_known)
		session_say(&session->end, NULL, false);
	return NULL;
}

struct err *try_run(const struct options *o, const struct python_program *python,
		    const struct try_code *code, struct try_result *ret)
{
	struct try_result r = { 0 };
	const char *folder = getenv("TMPDIR");
	struct strbuf path = { 0 };
	char **argv = try_argv(python, code);
	struct err *err = NULL;

	strbuf_addf(&path, "%s/auditview-try-XXXXXX", folder && *folder ? folder : "/tmp");
	r.path = strbuf_take(&path);
	if (!argv || !r.path) {
		free(argv);
		free(r.path);
		return err_no_memory();
	}
	int fd = mkstemp(r.path);
	if (fd < 0) {
		err = err_sys(errno, "cannot make the file %s", r.path);
		free(r.path);
		r.path = NULL;
	} else {
		close(fd);
		err = capture(o, argv, code, r.path, &r);
	}
	free(argv);
	if (!err)
		err = trace_open(r.path, NULL, &r.trace);
	if (!err)
		err = own_make(r.trace, &r.own);
	if (err) {
		try_result_fini(&r);
		return err;
	}
	*ret = r;
	return NULL;
}

void try_result_fini(struct try_result *r)
{
	own_fini(&r->own);
	trace_close(r->trace);
	if (r->path)
		unlink(r->path);
	free(r->path);
	*r = (struct try_result){ 0 };
}

uint64_t try_count(const struct try_result *r, const char *event)
{
	uint32_t name = trace_name_find(r->trace, event, strlen(event));

	return name ? trace_count_by_name(r->trace)[name] : 0;
}

static void add_padded(struct strbuf *to, const char *s, size_t n, size_t cells)
{
	size_t start = to->n, used;

	utf8_escape(to, s, n, 0);
	used = utf8_str_width(to->s + start, to->n - start);
	if (used < cells)
		strbuf_add_repeat(to, ' ', cells - used);
}

/* Append "app.py:12 main" of the innermost frame of the code itself. */
static void add_caller(struct strbuf *to, struct trace *t, uint32_t stack)
{
	struct frame_info f;
	size_t n_file, n_function;
	uint32_t frame = trace_caller(t, stack);

	if (!frame || !trace_frame(t, frame, &f))
		return;
	const char *file = trace_string(t, f.file, &n_file);
	const char *function = trace_string(t, f.function, &n_function);
	const char *slash = n_file ? memrchr(file, '/', n_file) : NULL;

	if (slash) {
		n_file -= (size_t)(slash + 1 - file);
		file = slash + 1;
	}
	utf8_escape(to, file, n_file, 0);
	strbuf_addf(to, ":%u", f.line);
	if (n_function && function[0] != '<') {
		strbuf_addc(to, ' ');
		utf8_escape(to, function, n_function, 0);
	}
}

struct listing {
	struct strbuf *to;
	struct try_result *r;
	const char *focus;
	unsigned width;
	bool has_children;
};

static bool is_focus_event(const struct listing *l, const struct event *e)
{
	size_t n;
	const char *name = trace_name(l->r->trace, e->name, &n);

	return l->focus && strlen(l->focus) == n && memcmp(l->focus, name, n) == 0;
}

static void add_event(struct listing *l, const struct event *e, uint64_t n_folded)
{
	struct strbuf gist = { 0 }, caller = { 0 };
	size_t n_name, start = l->to->n;
	const char *name = trace_name(l->r->trace, e->name, &n_name);
	unsigned left = 2 + EVENT_CELLS + 1 + (l->has_children ? 8 : 0);
	unsigned room = l->width > left + CALLER_CELLS + 12 ? l->width - left - CALLER_CELLS - 1
							    : 0;

	strbuf_adds(l->to, is_focus_event(l, e) ? "> " : "  ");
	if (l->has_children) {
		const struct process_info *p = trace_process(l->r->trace, e->process);

		strbuf_addf(l->to, "%-7u ", p ? p->pid : 0);
	}
	add_padded(l->to, name, n_name, EVENT_CELLS);
	strbuf_addc(l->to, ' ');
	gist_add_event(&gist, l->r->trace, e, room);
	if (n_folded)
		strbuf_addf(&gist, "  +%llu", (unsigned long long)n_folded);
	add_caller(&caller, l->r->trace, e->stack);
	strbuf_add(l->to, strbuf_str(&gist), gist.n);
	if (caller.n) {
		size_t cells = utf8_str_width(l->to->s + start, l->to->n - start);
		size_t column = l->width > CALLER_CELLS ? l->width - CALLER_CELLS : 60;

		strbuf_add_repeat(l->to, ' ', cells < column ? column - cells : 2);
		strbuf_add(l->to, caller.s, caller.n);
	}
	while (l->to->n > start && l->to->s[l->to->n - 1] == ' ')
		strbuf_cut(l->to, l->to->n - 1);
	strbuf_addc(l->to, '\n');
	l->to->failed |= gist.failed || caller.failed;
	strbuf_fini(&gist);
	strbuf_fini(&caller);
}

static bool is_focus_shown(const struct listing *l)
{
	for (uint64_t seq = 0; seq < l->r->own.n; seq++) {
		struct event e;

		if (l->r->own.roles[seq] == OWN_CODE && l->r->own.imports[seq] == OWN_NO_IMPORT &&
		    trace_event(l->r->trace, seq, &e) && is_focus_event(l, &e))
			return true;
	}
	return false;
}

void try_result_list(struct strbuf *to, struct try_result *r, const char *focus, unsigned width)
{
	struct listing l = { to, r, focus, width, trace_n_processes(r->trace) > 1 };
	uint64_t *folded = calloc(r->own.n + 1, sizeof(*folded)), n_shown = 0;
	static const char *const words[] = {
		[OWN_STARTUP] = "start-up", [OWN_SHUTDOWN] = "shut-down"
	};
	enum own_role last = OWN_ROLE_COUNT;

	if (!folded) {
		to->failed = true;
		return;
	}
	for (uint64_t seq = 0; seq < r->own.n; seq++)
		if (r->own.imports[seq] != OWN_NO_IMPORT && r->own.roles[seq] == OWN_CODE)
			folded[r->own.imports[seq]]++;
	/* If the event in question is only inside folds, show a few of its occurrences. */
	uint64_t n_dig = is_focus_shown(&l) ? 0 : 3, n_dug = 0;

	for (uint64_t seq = 0; seq < r->own.n; seq++) {
		enum own_role role = (enum own_role)r->own.roles[seq];
		struct event e;

		if (!trace_event(r->trace, seq, &e))
			continue;
		if (role != OWN_CODE && role != last && role != OWN_ROLE_COUNT) {
			uint64_t run = seq;

			while (run < r->own.n && r->own.roles[run] == (uint8_t)role)
				run++;
			strbuf_addf(to, "  %s: %llu event%s\n", words[role],
				    (unsigned long long)(run - seq), run - seq == 1 ? "" : "s");
		}
		last = role;
		bool is_hidden = role != OWN_CODE || r->own.imports[seq] != OWN_NO_IMPORT;

		if (is_hidden && n_dug < n_dig && is_focus_event(&l, &e)) {
			is_hidden = false;
			n_dug++;
		}
		if (!is_hidden) {
			add_event(&l, &e, folded[seq]);
			n_shown++;
		}
		if (seq % TRACE_CHUNK == 0)
			trace_trim(r->trace);
	}
	if (n_shown == 0)
		strbuf_adds(to, "  the code itself raised no event\n");
	free(folded);
}
