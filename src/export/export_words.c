/*
 * export_words: see export_words.h.
 */
#include "export/export_words.h"

#include <string.h>
#include <time.h>

#include "export/exporter_private.h"
#include "model/arguments.h"
#include "model/trace.h"
#include "model/trace_task.h"
#include "model/value_json.h"

void export_words_time(struct exporter *x, struct strbuf *to, uint64_t time_ns)
{
	uint64_t ns = trace_about_get(x->trace)->wall_anchor_ns + time_ns;
	int64_t second = (int64_t)(ns / 1000000000u);
	if (second != x->time_second || !x->time_text[0]) {
		time_t t = second;
		struct tm tm;
		if (!gmtime_r(&t, &tm) ||
		    !strftime(x->time_text, sizeof(x->time_text), "%Y-%m-%dT%H:%M:%S", &tm))
			strcpy(x->time_text, "0000-00-00T00:00:00");
		x->time_second = second;
	}
	strbuf_adds(to, x->time_text);
	char tail[] = ".000000000Z";
	uint32_t rest = (uint32_t)(ns % 1000000000u);
	for (int i = 9; i >= 1; i--, rest /= 10)
		tail[i] = (char)('0' + rest % 10);
	strbuf_add(to, tail, sizeof(tail) - 1);
}

void export_words_string(struct exporter *x, struct strbuf *to, uint32_t string)
{
	size_t n;
	const char *s = trace_string(x->trace, string, &n);
	value_json_string(to, s, n);
}

void export_words_args(struct exporter *x, struct strbuf *to, const struct event *e)
{
	struct arguments a;
	struct argument arg;
	arguments_init(&a, x->trace, e);
	strbuf_addc(to, '{');
	for (bool first = true; arguments_next(&a, &arg); first = false) {
		if (!first)
			strbuf_addc(to, ',');
		value_json_string(to, arg.name, arg.n_name);
		strbuf_addc(to, ':');
		value_json_write(to, &a.it, &arg.value);
	}
	strbuf_addc(to, '}');
}

void export_words_was(struct exporter *x, struct strbuf *to, const struct event *e)
{
	struct arguments a;
	struct argument arg;
	bool any = false;
	if (!e->descriptors)
		return;
	arguments_init(&a, x->trace, e);
	for (; arguments_next(&a, &arg); arguments_skip(&a, &arg)) {
		if (!arg.was)
			continue;
		strbuf_addc(to, any ? ',' : '{');
		value_json_string(to, arg.name, arg.n_name);
		strbuf_addc(to, ':');
		value_json_string(to, arg.was, arg.n_was);
		any = true;
	}
	if (any)
		strbuf_addc(to, '}');
}

void export_words_descriptors(struct exporter *x, struct strbuf *to, const struct event *e)
{
	static const char key[] = ",\"descriptors\":";
	size_t before = to->n;
	strbuf_adds(to, key);
	export_words_was(x, to, e);
	if (to->n == before + sizeof(key) - 1)
		strbuf_cut(to, before);
}

void export_words_awaited(struct strbuf *to, struct trace_task *task)
{
	const char *name;
	size_t n;
	strbuf_addc(to, '[');
	for (uint32_t i = 0; i < task->n_awaited && trace_task_next(task, &name, &n); i++) {
		strbuf_adds(to, i ? "," : "");
		value_json_string(to, name, n);
	}
	strbuf_addc(to, ']');
}

void export_words_task(struct exporter *x, struct strbuf *to, const struct event *e)
{
	struct trace_task task;
	if (!trace_task(x->trace, e->task, &task))
		return;
	strbuf_adds(to, ",\"task\":{\"name\":");
	value_json_string(to, task.name, task.n_name);
	strbuf_adds(to, ",\"id\":");
	strbuf_add_u64(to, (uint64_t)task.id);
	strbuf_adds(to, ",\"awaited_by\":");
	export_words_awaited(to, &task);
	if (task.n_more) {
		strbuf_adds(to, ",\"more\":");
		strbuf_add_u64(to, task.n_more);
	}
	strbuf_addc(to, '}');
}

static void add_caller(struct trace *trace, struct strbuf *to, uint32_t frame)
{
	struct frame_info f;
	size_t n;
	trace_frame(trace, frame, &f);
	const char *file = trace_string(trace, f.kind == FRAME_NATIVE ? f.module : f.file, &n);
	const char *slash = memrchr(file, '/', n);
	if (slash) {
		n -= (size_t)(slash + 1 - file);
		file = slash + 1;
	}
	strbuf_add(to, file, n);
	if (f.line)
		strbuf_addf(to, ":%u", f.line);
	if (n)
		strbuf_addc(to, ' ');
	const char *function = trace_string(trace, f.function, &n);
	strbuf_add(to, function, n);
}

void export_words_caller(struct trace *t, struct strbuf *to, uint32_t stack)
{
	uint32_t parent, frame = trace_caller(t, stack);
	bool is_own = frame != 0;
	if (!is_own && !trace_stack(t, stack, &parent, &frame))
		return;
	strbuf_adds(to, is_own ? "" : "(");
	add_caller(t, to, frame);
	strbuf_adds(to, is_own ? "" : ")");
}

void export_words_caller_cached(struct exporter *x, struct strbuf *to, uint32_t stack)
{
	uint32_t parent, frame = trace_caller(x->trace, stack);
	bool is_own = frame != 0;
	if (!is_own && !trace_stack(x->trace, stack, &parent, &frame))
		return;
	size_t n;
	/* the same frame is in parentheses for one stack and not for another */
	uint32_t id = frame * 2 + is_own;
	const char *text = text_cache_find(&x->callers, id, &n);
	if (!text) {
		struct strbuf *t = &x->callers.text;
		size_t start = t->n;
		export_words_caller(x->trace, t, stack);
		text = text_cache_keep(&x->callers, id, start, &n);
	}
	strbuf_add(to, text, n);
}

void export_words_thread(struct exporter *x, struct strbuf *to, uint32_t thread)
{
	const struct thread_info *t = trace_thread(x->trace, thread);
	size_t n = 0;
	const char *name = t ? trace_string(x->trace, t->name, &n) : "";
	if (n)
		strbuf_add(to, name, n);
	else if (t && !t->tid && t->ns_tid)
		strbuf_addc(to, '?'); /* only its number in another pid namespace is known */
	else
		strbuf_add_u64(to, t ? t->tid : 0);
}
