/*
 * export_text: one line per event for people, as strace prints system calls.
 *
 *        2.501034 [4121 main] open(path="/etc/hosts", mode="r", flags=524288)  app.py:12 main
 *
 * The columns are seconds since the start of the capture, the process (host:pid in a capture of
 * several hosts), the thread (left out while
 * there is only one), the event with its arguments, and the caller. What a descriptor was when the
 * recorder looked is in angle brackets: fd=3<was /etc/passwd>. The asyncio task that raised the
 * event is last. Everything is escaped: no byte
 * of the target reaches the terminal raw. Notes (losses, exits, …) get lines of their own between
 * +++ and +++, at their place.
 */
#include <string.h>
#include <sys/wait.h>

#include "base/utf8.h"
#include "export/export_words.h"
#include "export/exporter_private.h"
#include "model/arguments.h"
#include "model/catalog.h"
#include "model/gist.h"
#include "model/trace_task.h"
#include "model/value_text.h"

#define ARG_BYTES 160 /* of one argument, unless --wide */

enum color { COLOR_DIM, COLOR_EVENT, COLOR_NOTE, COLOR_END };

static void color(struct exporter *x, enum color c)
{
	static const char *const codes[] = { [COLOR_DIM] = "\33[2m",
					     [COLOR_EVENT] = "\33[1m",
					     [COLOR_NOTE] = "\33[7m",
					     [COLOR_END] = "\33[0m" };
	if (x->options.color)
		strbuf_adds(&x->out, codes[c]);
}

static void add_time(struct exporter *x, uint64_t time_ns)
{
	color(x, COLOR_DIM);
	strbuf_addf(&x->out, "%5llu.%06u ", (unsigned long long)(time_ns / 1000000000u),
		    (unsigned)(time_ns % 1000000000u / 1000));
}

/* The name of the host in front of a pid, in a capture of several. */
static void add_host(struct exporter *x, const struct process_info *p)
{
	size_t n;
	if (!trace_n_hosts(x->trace) || !p)
		return;
	const char *s = trace_host_name(x->trace, p->host, &n);
	utf8_escape(&x->out, n ? s : "unknown", n ? n : 7, 0);
	strbuf_addc(&x->out, ':');
}

static void add_who(struct exporter *x, uint32_t process, uint32_t thread)
{
	const struct process_info *p = trace_process(x->trace, process);
	struct strbuf *s = &x->scratch;
	strbuf_addc(&x->out, '[');
	add_host(x, p);
	strbuf_addf(&x->out, "%u", p ? p->pid : 0);
	strbuf_clear(s);
	export_words_thread(x, s, thread);
	if (s->n == 10 && !memcmp(s->s, "MainThread", 10)) {
		strbuf_clear(s);
		strbuf_adds(s, "main");
	}
	strbuf_addc(&x->out, ' ');
	utf8_escape(&x->out, strbuf_str(s), s->n, 0);
	strbuf_adds(&x->out, "] ");
	color(x, COLOR_END);
}

static void add_stack(struct exporter *x, uint32_t stack)
{
	uint32_t parent, frame;
	struct strbuf *to = &x->out;
	color(x, COLOR_DIM);
	for (; stack && trace_stack(x->trace, stack, &parent, &frame); stack = parent) {
		struct frame_info f;
		size_t n;
		trace_frame(x->trace, frame, &f);
		strbuf_adds(to, "        ");
		const char *s = trace_string(x->trace, f.function, &n);
		utf8_escape(to, n ? s : "??", n ? n : 2, 0);
		s = trace_string(x->trace, f.kind == FRAME_NATIVE ? f.module : f.file, &n);
		if (f.kind == FRAME_NATIVE)
			strbuf_addf(to, "+0x%llx", (unsigned long long)f.offset);
		if (n) {
			strbuf_adds(to, "  ");
			utf8_escape(to, s, n, 0);
			if (f.line && f.kind != FRAME_NATIVE)
				strbuf_addf(to, ":%u", f.line);
		}
		strbuf_addc(to, '\n');
	}
	color(x, COLOR_END);
}

/* Below the frames: the asyncio task, and which tasks wait for it. */
static void add_task(struct exporter *x, uint32_t value)
{
	struct trace_task task;
	struct strbuf *to = &x->out;
	if (!trace_task(x->trace, value, &task))
		return;
	strbuf_adds(to, "        task ");
	utf8_escape(to, task.name, task.n_name, 0);
	if (task.n_awaited || task.n_more) {
		strbuf_adds(to, " · awaited by ");
		trace_task_add_awaited(to, &task, x->options.wide ? UINT32_MAX : TASKS_SHOWN);
	}
	strbuf_addc(to, '\n');
}

static struct err *write_event(struct exporter *x, uint64_t seq)
{
	struct strbuf *to = &x->out;
	struct event e;
	if (!trace_event(x->trace, seq, &e))
		return NULL;
	add_time(x, e.time_ns);
	add_who(x, e.process, e.thread);
	size_t n;
	const char *name = trace_name(x->trace, e.name, &n);
	color(x, COLOR_EVENT);
	utf8_escape(to, n ? name : "??", n ? n : 2, 0);
	color(x, COLOR_END);
	strbuf_addc(to, '(');
	struct arguments a;
	struct argument arg;
	arguments_init(&a, x->trace, &e);
	for (bool first = true; arguments_next(&a, &arg); first = false) {
		if (!first)
			strbuf_adds(to, ", ");
		if (arg.name[0] < '0' || arg.name[0] > '9') {
			utf8_escape(to, arg.name, arg.n_name, 0);
			strbuf_addc(to, '=');
		}
		unsigned reading = arg.value.tag == VALUE_INT
				       ? catalog_arg_reading(a.event, arg.index)
				       : READING_VALUE;
		if (reading == READING_VALUE)
			value_text_literal(to, &a.it, &arg.value, x->options.wide ? 0 : ARG_BYTES);
		else /* flags=O_RDWR|O_CREAT family=AF_INET mode=0644 */
			gist_add_value(to, &a.it, &arg.value, reading);
		if (arg.was)
			gist_add_was(to, arg.was, arg.n_was);
	}
	strbuf_addc(to, ')');
	if (e.stack) {
		color(x, COLOR_DIM);
		strbuf_adds(to, "  ");
		struct strbuf *s = &x->scratch;
		strbuf_clear(s);
		export_words_caller_cached(x, s, e.stack);
		utf8_escape(to, strbuf_str(s), s->n, 0);
		color(x, COLOR_END);
	}
	struct trace_task task;
	if (trace_task(x->trace, e.task, &task)) {
		strbuf_adds(to, "  task ");
		utf8_escape(to, task.name, task.n_name, 0);
	}
	strbuf_addc(to, '\n');
	if (x->options.stacks) {
		add_stack(x, e.stack);
		add_task(x, e.task);
	}
	return NULL;
}

static void add_status(struct strbuf *to, uint64_t status)
{
	int s = (int)status;
	if (s == -1)
		strbuf_adds(to, "ended");
	else if (WIFSIGNALED(s))
		strbuf_addf(to, "killed by signal %d (%s)", WTERMSIG(s), strsignal(WTERMSIG(s)));
	else
		strbuf_addf(to, "exited with %d", WEXITSTATUS(s));
}

static struct err *write_note(struct exporter *x, uint32_t note)
{
	const struct trace_note *tn = trace_note_get(x->trace, note);
	struct strbuf *to = &x->out;
	if (!tn || x->options.events_only)
		return NULL;
	const struct note_info *n = &tn->note;
	const struct process_info *p = trace_process(x->trace, n->process);
	/* Shells and tools that a Python starts, or that start a Python, get no exec and exit
	 * lines. */
	if (p && !p->python_hex && (n->kind == NOTE_EXEC || n->kind == NOTE_EXITED))
		return NULL;
	add_time(x, n->time_ns);
	if (p) {
		strbuf_addc(to, '[');
		add_host(x, p);
		strbuf_addf(to, "%u] ", p->pid);
	}
	color(x, COLOR_END);
	color(x, COLOR_NOTE);
	strbuf_adds(to, "+++ ");
	switch (n->kind) {
	case NOTE_LOST:
		strbuf_addf(to, "%llu event%s lost", (unsigned long long)n->a,
			    n->a == 1 ? "" : "s");
		break;
	case NOTE_ATTACHED: strbuf_adds(to, "attached"); break;
	case NOTE_DETACHED: strbuf_adds(to, "detached"); break;
	case NOTE_PAUSED: strbuf_adds(to, "capture paused"); break;
	case NOTE_RESUMED: strbuf_adds(to, "capture resumed"); break;
	case NOTE_EXITED: add_status(to, n->a); break;
	case NOTE_EXEC: strbuf_adds(to, "exec"); break;
	case NOTE_FINALISED: strbuf_adds(to, "the interpreter has ended"); break;
	case NOTE_MESSAGE:
	case NOTE_WARNING:
	case NOTE_GOODBYE:
	case NOTE_COUNTED:
	case NOTE_KIND_COUNT: break;
	}
	if (n->text) {
		size_t n_text;
		const char *s = trace_string(x->trace, n->text, &n_text);
		bool alone = n->kind == NOTE_MESSAGE || n->kind == NOTE_WARNING ||
			     n->kind == NOTE_GOODBYE;
		strbuf_adds(to, alone ? "" : ": ");
		utf8_escape(to, s, n_text, 0);
	}
	strbuf_adds(to, " +++");
	color(x, COLOR_END);
	strbuf_addc(to, '\n');
	return NULL;
}

const struct exporter_format export_text = {
	.name = "text",
	.suffix = ".txt",
	.doc = "one line per event for people",
	.is_stream = true,
	.shows_callers = true,
	.event = write_event,
	.note = write_note,
};
