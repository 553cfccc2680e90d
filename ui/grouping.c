/*
 * grouping: see grouping.h.
 *
 * To add a grouping: a function here that makes text and term of an id, a row in groupings[], and
 * GROUPINGS in grouping.h. Completion, the key b and the message about a word that is none of them
 * follow.
 */
#include "ui/grouping.h"

#include <string.h>

#include "base/tr.h"
#include "base/utf8.h"
#include "model/arguments.h"
#include "model/gist.h"
#include "model/trace_task.h"
#include "ui/event_text.h"
#include "ui/text.h"
#include "ui/view.h"

static void term_is(struct kind_text *k, const char *field, const char *s, size_t n)
{
	strbuf_addf(&k->term, "%s == ", field);
	filter_quote(&k->term, s, n);
}

static void by_event(struct kind_text *k)
{
	size_t n;
	const char *s = trace_name(k->s->trace, k->id, &n);
	utf8_escape(&k->text, s, n, 0);
	term_is(k, "event", s, n);
	k->role = view_name(k->s, k->id)->role;
}

static void by_category(struct kind_text *k)
{
	size_t n;
	const char *s = trace_name(k->s->trace, k->id, &n);
	n = catalog_category_bytes(s, n);
	utf8_escape(&k->text, s, n, 0);
	term_is(k, "category", s, n);
	k->role = view_name(k->s, k->id)->role;
}

static void by_theme(struct kind_text *k)
{
	enum catalog_theme theme = view_name(k->s, k->id)->theme;
	const char *name = catalog_theme_name(theme);
	strbuf_adds(&k->text, name);
	term_is(k, "theme", name, strlen(name));
	k->role = view_role(theme);
}

static void by_thread(struct kind_text *k)
{
	const struct thread_info *t = trace_thread(k->s->trace, k->id);
	const struct process_info *p = t ? trace_process(k->s->trace, t->process) : NULL;
	event_text_thread(&k->text, k->s, k->id, 60);
	if (!t)
		return;
	strbuf_addf(&k->text, "  %llu", (unsigned long long)t->tid);
	strbuf_addf(&k->term, "tid == %llu", (unsigned long long)t->tid);
	if (p && view_has_processes(k->s))
		strbuf_addf(&k->term, " and pid == %u", p->pid);
}

static void by_machine(struct kind_text *k)
{
	const struct thread_info *t = trace_thread(k->s->trace, k->id);
	size_t n = 0;
	const char *s = t ? trace_process_host(k->s->trace, t->process, &n) : "";
	if (n) {
		utf8_escape(&k->text, s, n, 0);
		term_is(k, "host", s, n);
	} else {
		strbuf_adds(&k->text, "unknown");
		strbuf_adds(&k->term, "not host");
		k->role = ROLE_DIM;
	}
}

static void by_process(struct kind_text *k)
{
	const struct thread_info *t = trace_thread(k->s->trace, k->id);
	const struct process_info *p = t ? trace_process(k->s->trace, t->process) : NULL;
	if (!p) {
		strbuf_adds(&k->text, "??");
		return;
	}
	event_text_pid(&k->text, k->s, t->process);
	strbuf_addc(&k->text, ' ');
	text_string(&k->text, k->s->trace, p->name);
	event_text_process_filter(&k->term, k->s, t->process);
}

static void frame_kind(struct kind_text *k, bool file_only)
{
	struct trace *t = k->s->trace;
	uint32_t frame = k->id ? trace_caller(t, k->id) : 0;
	struct frame_info f;
	if (!frame || !trace_frame(t, frame, &f)) {
		strbuf_adds(&k->text, k->id ? tr("(library code only)") : tr("(no stack)"));
		k->role = ROLE_DIM;
		return;
	}
	size_t n;
	const char *s = trace_string(t, f.file, &n);
	term_is(k, "caller.file", s, n);
	if (file_only) {
		utf8_escape(&k->text, s, n, 0);
		return;
	}
	text_place(&k->text, k->s, &f);
	strbuf_addc(&k->text, ' ');
	text_string(&k->text, t, f.function);
	strbuf_addf(&k->term, " and caller.line == %u", f.line);
}

static void by_caller(struct kind_text *k)
{
	frame_kind(k, false);
}

static void by_source(struct kind_text *k)
{
	frame_kind(k, true);
}

static void by_package(struct kind_text *k)
{
	struct trace *t = k->s->trace;
	const struct trace_package *p = trace_package(t, k->id ? trace_stack_package(t, k->id) : 0);
	if (!p) {
		strbuf_adds(&k->text,
			    k->id ? tr("(code that is not installed)") : tr("(no stack)"));
		strbuf_adds(&k->term, "not package");
		k->role = ROLE_DIM;
		return;
	}
	utf8_escape(&k->text, p->name, p->n_name, 0);
	strbuf_addc(&k->text, ' ');
	utf8_escape(&k->text, p->version, p->n_version, 0);
	term_is(k, "package", p->name, p->n_name);
}

static void by_task(struct kind_text *k)
{
	struct trace_task task;
	if (!trace_task(k->s->trace, k->id, &task)) {
		strbuf_adds(&k->text, tr("(no task)"));
		strbuf_adds(&k->term, "not task");
		k->role = ROLE_DIM;
		return;
	}
	utf8_escape(&k->text, task.name, task.n_name, 0);
	if (!task.n_name)
		strbuf_adds(&k->text, "\"\"");
	term_is(k, "task", task.name, task.n_name);
}

/* Return the argument of an event that its gist reads as `reading`; -1 if it has none. */
static int arg_with(const struct catalog_event *e, unsigned reading)
{
	for (uint8_t i = 0; e && i < e->n_gist; i++)
		if (e->gist_parts[i].kind == GIST_ARG && e->gist_parts[i].reading == reading)
			return e->gist_parts[i].arg;
	return -1;
}

/* Write a filter for one argument: a text or a number as it is, an address by its host and port, a
 * command by its line. */
static void term_of_argument(struct kind_text *k, const struct argument *v, struct value_iter it,
			     unsigned reading)
{
	struct value_node part;
	bool is_sequence = v->value.tag == VALUE_TUPLE || v->value.tag == VALUE_LIST;
	if (k->term.n)
		strbuf_adds(&k->term, " and ");
	if (is_sequence && reading == READING_HOSTPORT && v->value.n_children >= 2 &&
	    value_iter_next(&it, &part) && part.tag == VALUE_STR) {
		strbuf_addf(&k->term, "args.%.*s[0] == ", (int)v->n_name, v->name);
		filter_quote(&k->term, (const char *)part.bytes, part.n_bytes);
		if (value_iter_next(&it, &part) && part.tag == VALUE_INT)
			strbuf_addf(&k->term, " and args.%.*s[1] == %lld", (int)v->n_name, v->name,
				    (long long)part.i);
		return;
	}
	struct strbuf text = { 0 };
	if (v->value.tag == VALUE_INT)
		strbuf_addf(&k->term, "args.%.*s == %lld", (int)v->n_name, v->name,
			    (long long)v->value.i);
	else if (is_sequence)
		gist_add_value(&text, &it, &v->value, READING_ARGV);
	else
		strbuf_add(&text, (const char *)v->value.bytes, v->value.n_bytes);
	if (v->value.tag != VALUE_INT) {
		strbuf_addf(&k->term, "args.%.*s == ", (int)v->n_name, v->name);
		filter_quote(&k->term, strbuf_str(&text), text.n);
	}
	strbuf_fini(&text);
}

static bool is_comparable(enum value_tag tag)
{
	return tag == VALUE_STR || tag == VALUE_BYTES || tag == VALUE_INT || tag == VALUE_TUPLE ||
	       tag == VALUE_LIST;
}

/* Write a filter for all arguments that the event's gist contains: they make its text. */
static void term_of_gist(struct kind_text *k, const struct catalog_event *e)
{
	struct arguments a;
	struct argument v;
	arguments_init_value(&a, k->s->trace, k->name, k->s->python_minor, k->id);
	for (unsigned at = 0; arguments_next(&a, &v); at++) {
		for (uint8_t i = 0; e && i < e->n_gist; i++)
			if (e->gist_parts[i].kind == GIST_ARG && e->gist_parts[i].arg == at &&
			    is_comparable(v.value.tag) &&
			    !gist_is_empty(&v.value, e->gist_parts[i].reading)) {
				term_of_argument(k, &v, a.it, e->gist_parts[i].reading);
				break;
			}
		arguments_skip(&a, &v);
	}
}

/* Write hosts and commands as diff and stat do; for all other events the text stays empty. */
static void reach_kind_text(struct kind_text *k, enum reach_kind kind)
{
	struct trace *t = k->s->trace;
	struct event e = { .name = k->name, .args = k->id };
	while (e.process + 1 < trace_n_processes(t) &&
	       arguments_minor(t, e.process) != k->s->python_minor)
		e.process++;
	if (reach_read(t, &e, &k->text) != kind) {
		strbuf_clear(&k->text);
		return;
	}
	term_of_gist(k, view_name(k->s, k->name)->event);
	k->role = view_name(k->s, k->name)->role;
}

/* Write what one event is about, whatever its kind. */
static void by_what(struct kind_text *k)
{
	struct trace *t = k->s->trace;
	struct event e = { .name = k->name, .args = k->id };
	size_t n;
	const char *name = trace_name(t, k->name, &n);
	while (e.process + 1 < trace_n_processes(t) &&
	       arguments_minor(t, e.process) != k->s->python_minor)
		e.process++;
	reach_read(t, &e, &k->text);
	strbuf_addf(&k->term, "event == ");
	filter_quote(&k->term, name, n);
	if (k->id)
		term_of_gist(k, view_name(k->s, k->name)->event);
	k->role = view_name(k->s, k->name)->role;
}

/* Leave the text empty if there is no such argument. */
static void argument_kind(struct kind_text *k, unsigned reading)
{
	struct view *s = k->s;
	int arg = arg_with(view_name(s, k->name)->event, reading);
	struct arguments a;
	struct argument v;
	arguments_init_value(&a, s->trace, k->name, s->python_minor, k->id);
	for (int i = 0; i < arg && arguments_next(&a, &v); i++)
		arguments_skip(&a, &v);
	if (arg < 0 || !arguments_next(&a, &v) || gist_is_empty(&v.value, reading))
		return;
	struct value_iter it = a.it;
	gist_add_value(&k->text, &it, &v.value, reading);
	if (v.value.tag == VALUE_STR)
		term_of_argument(k, &v, a.it, reading);
	k->role = view_name(s, k->name)->role;
}

static void by_host(struct kind_text *k)
{
	reach_kind_text(k, REACH_HOST);
}

static void by_path(struct kind_text *k)
{
	argument_kind(k, READING_PATH);
}

static void by_module(struct kind_text *k)
{
	reach_kind_text(k, REACH_MODULE);
	if (!k->text.n)
		return;
	strbuf_clear(&k->term);
	strbuf_addf(&k->term, "import.module == ");
	filter_quote(&k->term, strbuf_str(&k->text), k->text.n);
}

static void by_command(struct kind_text *k)
{
	reach_kind_text(k, REACH_COMMAND);
}

/* clang-format off */
const struct grouping groupings[GROUPINGS] = {
	{ "event",    GROUP_NAME,   READING_KIND_COUNT, by_event,    REACH_KIND_COUNT, false },
	{ "caller",   GROUP_STACK,  READING_KIND_COUNT, by_caller,   REACH_KIND_COUNT, true },
	{ "file",     GROUP_ARGS,   READING_PATH,       by_path,     REACH_KIND_COUNT, false },
	{ "host",     GROUP_ARGS,   READING_HOSTPORT,   by_host,     REACH_HOST,       false },
	{ "command",  GROUP_ARGS,   READING_ARGV,       by_command,  REACH_COMMAND,    false },
	{ "module",   GROUP_ARGS,   READING_VALUE,      by_module,   REACH_MODULE,     false },
	{ "thread",   GROUP_THREAD, READING_KIND_COUNT, by_thread,   REACH_KIND_COUNT, false },
	{ "process",  GROUP_THREAD, READING_KIND_COUNT, by_process,  REACH_KIND_COUNT, false },
	{ "theme",    GROUP_NAME,   READING_KIND_COUNT, by_theme,    REACH_KIND_COUNT, false },
	{ "category", GROUP_NAME,   READING_KIND_COUNT, by_category, REACH_KIND_COUNT, false },
	{ "source",   GROUP_STACK,  READING_KIND_COUNT, by_source,   REACH_KIND_COUNT, true },
	{ "what",     GROUP_ARGS,   READING_KIND_COUNT, by_what,     REACH_KIND_COUNT, false },
	{ "machine",  GROUP_THREAD, READING_KIND_COUNT, by_machine,  REACH_KIND_COUNT, false },
	{ "package",  GROUP_STACK,  READING_KIND_COUNT, by_package,  REACH_KIND_COUNT, false },
	{ "task",     GROUP_TASK,   READING_KIND_COUNT, by_task,     REACH_KIND_COUNT, false },
};
/* clang-format on */

bool grouping_wants_name(const struct grouping *g, struct view *s, uint32_t name)
{
	size_t n;
	const char *event = trace_name(s->trace, name, &n);
	if (g->reach != REACH_KIND_COUNT)
		return reach_kind_of(event, n) == g->reach;
	return arg_with(view_name(s, name)->event, g->reading) >= 0;
}
